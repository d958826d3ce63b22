//! Attribution: who referred a customer.

use pgrx::AnyElement;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::ledger::epoch;
use crate::programs::affiliates::well_formed;
use crate::programs::program::require_program;
use crate::rules::affiliate::Status;
use crate::rules::attribution::{Attribution, Means, SelfReferral};
use crate::rules::code;
use crate::rules::words::Word;
use crate::server::args::{moment, timestamptz};
use crate::server::calls::{required, required_key, required_text};
use crate::server::error::Problem;
use crate::server::relations::Relations;
use crate::server::rows::Rows;
use crate::server::spi::{self, Connection, Sees};

/// A code that may attribute, and how it came to be used.
struct Source {
    affiliate_id: i32,
    code: String,
    owner: String,
    means: Means,
}

/// The affiliate of a code if it is active, of the program, and the affiliate not closed.
fn by_code(connection: &Connection, program: &str, code: &str, means: Means) -> Option<Source> {
    const FIND: &str = "
        SELECT a.id, c.code, a.owner FROM affiliate.code c JOIN affiliate.affiliate a ON a.id = c.affiliate_id
        WHERE lower(c.code) = lower($1 COLLATE \"C\") AND c.active AND a.program = $2 AND a.status <> $3";
    let closed = Status::Closed.as_str();
    let args = [code.into(), program.into(), closed.into()];
    let rows = connection.run(FIND, Sees::Now, &args);
    let row = rows.first()?;
    Some(Source {
        affiliate_id: row.required("id"),
        code: row.required("code"),
        owner: row.required("owner"),
        means,
    })
}

/// The affiliate of the click that counts, by the program's model and window; without one, the
/// days of the window.
fn by_click(
    connection: &Connection,
    program: &str,
    visitor: &str,
    until: i64,
) -> Result<Source, i32> {
    const FIND: &str = "
        SELECT a.id, c.code, a.owner, p.attribution_days
        FROM affiliate.program p
            LEFT JOIN (affiliate.click k JOIN affiliate.code c ON c.code = k.code
                JOIN affiliate.affiliate a ON a.id = c.affiliate_id)
            ON k.visitor = $2 AND a.program = p.name AND c.active AND a.status <> $4
                AND k.clicked_at <= $3 AND k.clicked_at >= $3 - make_interval(hours => 24 * p.attribution_days)
        WHERE p.name = $1
        ORDER BY CASE p.attribution WHEN $5 THEN k.clicked_at END DESC NULLS LAST, k.clicked_at, k.id
        LIMIT 1";
    let args = [
        program.into(),
        visitor.into(),
        timestamptz(Some(until)),
        Status::Closed.as_str().into(),
        Attribution::LastClick.as_str().into(),
    ];
    let rows = connection.run(FIND, Sees::Now, &args);
    let row = rows.only();
    // the program alone, where no click counts
    let Some(affiliate_id) = row.get("id") else {
        return Err(row.required("attribution_days"));
    };
    Ok(Source {
        affiliate_id,
        code: row.required("code"),
        owner: row.required("owner"),
        means: Means::Click,
    })
}

/// Who is to be attributed, and by what.
pub struct Sought {
    pub program: String,
    pub customer: String,
    pub code: Option<String>,
    pub coupon: Option<String>,
    pub visitor: Option<String>,
    /// Microseconds since 2000-01-01 UTC.
    pub attributed_at: i64,
}

/// The referral of a customer, as a row of affiliate.referral.
pub struct Recorded {
    pub row: Rows,
    /// It was not there before.
    pub is_new: bool,
}

impl Sought {
    /// The arguments of a call, checked.
    pub fn new(
        customer: Option<AnyElement>,
        means: [Option<String>; 3],
        attributed_at: Option<TimestampWithTimeZone>,
        program: Option<String>,
    ) -> Self {
        let [code, coupon, visitor] = means;
        Self {
            customer: required_key("customer", customer),
            program: required_text("program", program),
            attributed_at: moment("attributed_at", attributed_at),
            code,
            coupon,
            visitor,
        }
    }

    /// The customer's referral if there is one, or that of the code, the coupon or the clicks, of
    /// which the first that is given must be valid.
    pub fn record(&self, connection: &Connection) -> Recorded {
        self.record_by(connection, || Some(self.by_first_means(connection)))
            .unwrap_or_else(|| Problem::NoAttribution.raise())
    }

    /// The same, but what is not valid is passed over; `None` if nothing is left.
    pub fn record_if_valid(&self, connection: &Connection) -> Option<Recorded> {
        self.record_by(connection, || self.by_any_means(connection))
    }

    fn record_by(
        &self,
        connection: &Connection,
        source: impl FnOnce() -> Option<Source>,
    ) -> Option<Recorded> {
        require_program(connection, &self.program);
        const FIND: &str =
            "SELECT r.* FROM affiliate.referral r WHERE r.program = $1 AND r.customer = $2";
        let key = [self.program.as_str().into(), self.customer.as_str().into()];
        let found = |row| Recorded { row, is_new: false };
        let before = connection.run(FIND, Sees::Latest, &key);
        if !before.is_empty() {
            return Some(found(before));
        }
        let source = source()?;
        const INSERT: &str = "
            INSERT INTO affiliate.referral AS r (program, customer, affiliate_id, code, source, attributed_at, epoch)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (program, customer) DO NOTHING RETURNING r.*";
        let args = [
            self.program.as_str().into(),
            self.customer.as_str().into(),
            source.affiliate_id.into(),
            source.code.into(),
            source.means.as_str().into(),
            timestamptz(Some(self.attributed_at)),
            epoch::enter(Relations::get().referral).into(),
        ];
        let row = connection.run(INSERT, Sees::Now, &args);
        if !row.is_empty() {
            return Some(Recorded { row, is_new: true });
        }
        // another session was first
        Some(found(connection.run(FIND, Sees::Latest, &key)))
    }

    fn by_first_means(&self, connection: &Connection) -> Source {
        let unusable = |code: &str| -> ! {
            let code = code.trim().to_owned();
            Problem::UnusableCode { code }.raise()
        };
        let by_code = |code, means| {
            by_code(connection, &self.program, well_formed(code), means)
                .unwrap_or_else(|| unusable(code))
        };
        let source = match (&self.code, &self.coupon, &self.visitor) {
            (Some(code), _, _) => by_code(code, Means::Code),
            (None, Some(coupon), _) => by_code(coupon, Means::Coupon),
            (None, None, Some(visitor)) => {
                let visitor = required_text("visitor", Some(visitor.clone()));
                by_click(connection, &self.program, &visitor, self.attributed_at)
                    .unwrap_or_else(|days| Problem::NoClick { visitor, days }.raise())
            }
            (None, None, None) => Problem::NoAttribution.raise(),
        };
        if !self.may_be_referred_by(connection, &source) {
            let customer = self.customer.clone();
            Problem::SelfReferral { customer }.raise();
        }
        source
    }

    fn by_any_means(&self, connection: &Connection) -> Option<Source> {
        let codes = [(&self.code, Means::Code), (&self.coupon, Means::Coupon)];
        let by_codes = codes.into_iter().find_map(|(text, means)| {
            let code = code::parse(text.as_deref()?)?;
            by_code(connection, &self.program, code, means)
        });
        let by_clicks = || {
            let visitor = self.visitor.as_deref()?;
            by_click(connection, &self.program, visitor, self.attributed_at).ok()
        };
        let source = by_codes.or_else(by_clicks)?;
        self.may_be_referred_by(connection, &source)
            .then_some(source)
    }

    fn may_be_referred_by(&self, connection: &Connection, source: &Source) -> bool {
        const POLICY: &str = "SELECT self_referral FROM affiliate.program WHERE name = $1";
        let allows = || {
            let rows = connection.run(POLICY, Sees::Now, &[self.program.as_str().into()]);
            rows.only().word::<SelfReferral>("self_referral") == SelfReferral::Allow
        };
        source.owner != self.customer || allows()
    }
}

#[pg_extern(sql = false)]
fn affiliate_track_click(
    code: Option<String>,
    visitor: Option<String>,
    clicked_at: Option<TimestampWithTimeZone>,
) -> i64 {
    let code = required("code", code);
    let code = well_formed(&code);
    let visitor = required_text("visitor", visitor);
    let clicked_at = moment("clicked_at", clicked_at);
    spi::connect(|connection| {
        const INSERT: &str = "
            INSERT INTO affiliate.click (affiliate_id, code, visitor, clicked_at)
            SELECT a.id, c.code, $2, $3
            FROM affiliate.code c JOIN affiliate.affiliate a ON a.id = c.affiliate_id
            WHERE lower(c.code) = lower($1 COLLATE \"C\") AND c.active AND a.status <> $4
            RETURNING id";
        let args = [
            code.into(),
            visitor.into(),
            timestamptz(Some(clicked_at)),
            Status::Closed.as_str().into(),
        ];
        let clicks = connection.run(INSERT, Sees::Now, &args);
        let Some(click) = clicks.first() else {
            let code = code.to_owned();
            Problem::UnusableCode { code }.raise();
        };
        click.required("id")
    })
}
