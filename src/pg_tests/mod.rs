//! Tests of the skin inside a server: what Rust makes of the server's values against what the
//! server itself says of them.

#![allow(clippy::expect_used, reason = "a test fails by it")]

use pgrx::prelude::*;

mod rows;
mod words;

#[pg_schema]
mod tests {
    use std::str::FromStr;

    use pgrx::datum::TimestampWithTimeZone;
    use pgrx::prelude::*;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use rust_decimal::Decimal;

    use crate::server::numeric::{self, Unfit};
    use crate::server::spi::{self, Sees};
    use crate::server::zone::Zone;

    fn run<S: Strategy>(strategy: S, test: impl Fn(S::Value)) {
        let config = proptest::test_runner::Config {
            failure_persistence: None,
            ..Default::default()
        };
        TestRunner::new(config)
            .run(&strategy, |value| {
                test(value);
                Ok(())
            })
            .expect("the property holds");
    }

    fn decimals() -> impl Strategy<Value = Decimal> {
        (any::<i128>(), 0..=Decimal::MAX_SCALE, 0u32..96).prop_map(|(bits, scale, shift)| {
            Decimal::from_i128_with_scale((bits >> 32) >> shift, scale)
        })
    }

    fn decode_text(text: &str) -> Result<Decimal, Unfit> {
        spi::connect(|connection| {
            let sql = "SELECT $1::numeric AS number";
            let rows = connection.run(sql, Sees::Now, &[text.into()]);
            let datum = rows.only().datum("number").expect("a number");
            unsafe { numeric::decode(datum) }
        })
    }

    #[pg_test]
    fn decimals_survive_the_way_to_the_server_and_back() {
        run(decimals(), |decimal| {
            let text: String = spi::connect(|connection| {
                let sql = "SELECT $1::text AS text";
                let rows = connection.run(sql, Sees::Now, &[numeric::arg(decimal)]);
                rows.only().required("text")
            });
            assert_eq!(text, decimal.to_string());
            assert_eq!(decode_text(&decimal.to_string()), Ok(decimal));
        });
    }

    #[pg_test]
    fn numerics_of_the_server_are_read_as_what_they_are_or_refused() {
        for (text, expected) in [
            ("0", Ok("0")),
            ("0.00", Ok("0.00")),
            ("-0.5", Ok("-0.5")),
            ("10000", Ok("10000")),
            ("100000000.0001", Ok("100000000.0001")),
            (
                "79228162514264337593543950335",
                Ok("79228162514264337593543950335"),
            ),
            ("79228162514264337593543950336", Err(Unfit::OutOfRange)),
            ("1e28", Ok("10000000000000000000000000000")),
            ("1e29", Err(Unfit::OutOfRange)),
            ("1e-28", Ok("0.0000000000000000000000000001")),
            ("1e-29", Err(Unfit::OutOfRange)),
            ("1e-400", Err(Unfit::OutOfRange)),
            ("1e4000", Err(Unfit::OutOfRange)),
            ("NaN", Err(Unfit::NotFinite)),
            ("Infinity", Err(Unfit::NotFinite)),
            ("-Infinity", Err(Unfit::NotFinite)),
        ] {
            let expected = expected.map(|text: &str| Decimal::from_str(text).expect("a decimal"));
            assert_eq!(decode_text(text), expected, "{text}");
        }
    }

    #[pg_test]
    fn trailing_zeros_beyond_a_decimal_are_dropped() {
        let zeros = format!("79228162514264337593543950335.{}", "0".repeat(40));
        assert_eq!(decode_text(&zeros), Ok(Decimal::MAX));
    }

    #[pg_test]
    fn days_and_moments_are_those_of_the_server() {
        let zones = [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Asia/Kathmandu",
            "Pacific/Apia",
        ];
        let moments = (
            0i64..40 * 366 * 86_400,
            prop::sample::select(zones.to_vec()),
        );
        run(moments, |(seconds, zone_name)| {
            let zone = Zone::named(zone_name).expect("a zone");
            let moment = seconds * 1_000_000;
            let day = spi::connect(|connection| {
                let at = TimestampWithTimeZone::try_from(moment).expect("a timestamp");
                let rows = connection.run(
                    "SELECT ($1 AT TIME ZONE $2)::date - '2000-01-01'::date AS day,
                         ($1 AT TIME ZONE $2) AT TIME ZONE $2 AS back,
                         extract(epoch FROM ($1 AT TIME ZONE $2) - '2000-01-01')::int8 AS local",
                    Sees::Now,
                    &[at.into(), zone_name.into()],
                );
                let row = rows.only();
                let local: i64 = row.required("local");
                let back: TimestampWithTimeZone = row.required("back");
                assert_eq!(zone.moment(local * 1_000_000), Some(i64::from(back)));
                row.required::<i32>("day")
            });
            assert_eq!(zone.day(moment), Some(day));
        });
    }

    #[pg_test]
    fn what_is_outside_the_calendar_has_no_day() {
        for moment in [i64::MAX, i64::MIN] {
            assert_eq!(Zone::utc().day(moment), None);
        }
        assert!(Zone::named("Nowhere/Atlantis").is_none());
    }
}
