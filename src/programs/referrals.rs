//! Attribution: who referred a customer.

use pgrx::AnyElement;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::ledger::epoch;
use crate::programs::affiliates::well_formed;
use crate::programs::program::require_program;
use crate::rules::affiliate::Status;
use crate::rules::attribution::{Attribution, Means, SelfReferral};
use crate::rules::words::Word;
use crate::server::args::{moment, timestamptz};
use crate::server::calls::{composite, required, required_key, required_text};
use crate::server::error::Problem;
use crate::server::relations::Relations;
use crate::server::spi::{self, Connection, Sees};

/// A code that may attribute, and how it came to be used.
struct Source {
    affiliate_id: i32,
    code: String,
    owner: String,
    means: Means,
}

/// The affiliate of a code if it is active, of the program, and the affiliate not closed.
fn by_code(connection: &Connection, program: &str, code: &str, means: Means) -> Source {
    const FIND: &str = "
        SELECT a.id, c.code, a.owner FROM affiliate.code c JOIN affiliate.affiliate a ON a.id = c.affiliate_id
        WHERE lower(c.code) = lower($1 COLLATE \"C\") AND c.active AND a.program = $2 AND a.status <> $3";
    let args = [
        well_formed(code).into(),
        program.into(),
        Status::Closed.as_str().into(),
    ];
    let rows = connection.run(FIND, Sees::Now, &args);
    let Some(row) = rows.first() else {
        Problem::UnusableCode {
            code: code.trim().to_owned(),
        }
        .raise();
    };
    Source {
        affiliate_id: row.required("id"),
        code: row.required("code"),
        owner: row.required("owner"),
        means,
    }
}

/// The affiliate of the click that counts, by the program's model and window.
fn by_click(connection: &Connection, program: &str, visitor: &str, until: i64) -> Source {
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
        Problem::NoClick {
            visitor: visitor.to_owned(),
            days: row.required("attribution_days"),
        }
        .raise();
    };
    Source {
        affiliate_id,
        code: row.required("code"),
        owner: row.required("owner"),
        means: Means::Click,
    }
}

#[pg_extern(sql = false)]
fn affiliate_attribute(
    customer: Option<AnyElement>,
    code: Option<String>,
    visitor: Option<String>,
    coupon: Option<String>,
    attributed_at: Option<TimestampWithTimeZone>,
    program: Option<String>,
) -> Option<AnyElement> {
    let customer = required_key("customer", customer);
    let program = required_text("program", program);
    let attributed_at = moment("attributed_at", attributed_at);
    spi::connect(|connection| {
        require_program(connection, &program);
        const FIND: &str =
            "SELECT r.* FROM affiliate.referral r WHERE r.program = $1 AND r.customer = $2";
        let key = [program.as_str().into(), customer.as_str().into()];
        let found = connection.run(FIND, Sees::Latest, &key);
        if !found.is_empty() {
            return composite(found);
        }
        let source = match (&code, &coupon, &visitor) {
            (Some(code), _, _) => by_code(connection, &program, code, Means::Code),
            (None, Some(coupon), _) => by_code(connection, &program, coupon, Means::Coupon),
            (None, None, Some(visitor)) => {
                let visitor = required_text("visitor", Some(visitor.clone()));
                by_click(connection, &program, &visitor, attributed_at)
            }
            (None, None, None) => Problem::NoAttribution.raise(),
        };
        refuse_self_referral(connection, &program, &customer, &source);
        const INSERT: &str = "
            INSERT INTO affiliate.referral AS r (program, customer, affiliate_id, code, source, attributed_at, epoch)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (program, customer) DO NOTHING RETURNING r.*";
        let args = [
            program.as_str().into(),
            customer.as_str().into(),
            source.affiliate_id.into(),
            source.code.into(),
            source.means.as_str().into(),
            timestamptz(Some(attributed_at)),
            epoch::enter(Relations::get().referral).into(),
        ];
        let inserted = connection.run(INSERT, Sees::Now, &args);
        if !inserted.is_empty() {
            return composite(inserted);
        }
        // another session was first
        composite(connection.run(FIND, Sees::Latest, &key))
    })
}

fn refuse_self_referral(connection: &Connection, program: &str, customer: &str, source: &Source) {
    const POLICY: &str = "SELECT self_referral FROM affiliate.program WHERE name = $1";
    if source.owner == customer {
        let rows = connection.run(POLICY, Sees::Now, &[program.into()]);
        match rows.only().word("self_referral") {
            SelfReferral::Allow => {}
            SelfReferral::Reject => Problem::SelfReferral {
                customer: customer.to_owned(),
            }
            .raise(),
        }
    }
}

#[pg_extern(sql = false)]
fn affiliate_track_click(
    code: Option<String>,
    visitor: Option<String>,
    clicked_at: Option<TimestampWithTimeZone>,
) {
    let code = required("code", code);
    let code = well_formed(&code);
    let visitor = required_text("visitor", visitor);
    let clicked_at = moment("clicked_at", clicked_at);
    spi::connect(|connection| {
        const INSERT: &str = "
            INSERT INTO affiliate.click (affiliate_id, code, visitor, clicked_at)
            SELECT a.id, c.code, $2, $3
            FROM affiliate.code c JOIN affiliate.affiliate a ON a.id = c.affiliate_id
            WHERE lower(c.code) = lower($1 COLLATE \"C\") AND c.active AND a.status <> $4";
        let args = [
            code.into(),
            visitor.into(),
            timestamptz(Some(clicked_at)),
            Status::Closed.as_str().into(),
        ];
        if connection.run(INSERT, Sees::Now, &args).is_empty() {
            Problem::UnusableCode {
                code: code.to_owned(),
            }
            .raise();
        }
    });
}
