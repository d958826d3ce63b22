//! Figures: totals, plus what came after the mark, in one statement and so of one snapshot.

use pgrx::prelude::*;

use crate::programs::affiliates::affiliate_of;
use crate::server::calls::{argument, raw_function, return_rows};
use crate::server::spi::{self, Sees};

/// `$1`, the affiliate; in the variant for every affiliate the conditions on it fall away.
const STATS: &str = "
    WITH mark AS MATERIALIZED (SELECT coalesce((SELECT f.mark FROM affiliate.fold f), 0) AS epoch),
    who AS MATERIALIZED (
        SELECT a.id, a.code, p.currency, p.link_base, (now() AT TIME ZONE p.time_zone)::date AS today
        FROM affiliate.affiliate a JOIN affiliate.program p ON p.name = a.program WHERE {a.id = $1}),
    tail AS MATERIALIZED (
        SELECT c.affiliate_id, c.currency, c.matures_on, c.amount, c.base - c.base_before AS spent, c.referral_id
        FROM affiliate.commission c
        WHERE {c.affiliate_id = $1} AND c.epoch > (SELECT epoch FROM mark)),
    referred AS (
        SELECT u.affiliate_id, sum(u.users) AS users FROM (
            SELECT r.affiliate_id, r.users FROM affiliate.referred r WHERE {r.affiliate_id = $1}
            UNION ALL
            SELECT r.affiliate_id, count(*) FROM affiliate.referral r
            WHERE {r.affiliate_id = $1} AND r.epoch > (SELECT epoch FROM mark) GROUP BY r.affiliate_id
        ) u GROUP BY u.affiliate_id),
    earned AS (
        SELECT e.affiliate_id, e.currency, sum(e.commission) AS commission, sum(e.spent) AS spent,
            sum(e.conversions) AS conversions,
            coalesce(sum(e.commission) FILTER (WHERE e.matures_on > w.today), 0) AS pending
        FROM (
            SELECT t.affiliate_id, t.currency, t.matures_on, t.commission, t.spent, t.conversions
            FROM affiliate.total t WHERE {t.affiliate_id = $1}
            UNION ALL
            SELECT t.affiliate_id, t.currency, t.matures_on, t.amount, t.spent, 0 FROM tail t
            UNION ALL
            SELECT n.affiliate_id, n.currency, '-infinity', 0, 0, count(*)
            FROM (SELECT DISTINCT t.affiliate_id, t.currency, t.referral_id FROM tail t) n
            WHERE NOT EXISTS (SELECT FROM affiliate.conversion v
                WHERE v.referral_id = n.referral_id AND v.currency = n.currency)
            GROUP BY n.affiliate_id, n.currency
        ) e JOIN who w ON w.id = e.affiliate_id
        GROUP BY e.affiliate_id, e.currency),
    paid AS (
        SELECT o.affiliate_id, o.currency,
            coalesce(sum(o.amount) FILTER (WHERE o.unfinished), 0) AS processing,
            coalesce(sum(o.amount) FILTER (WHERE NOT o.unfinished), 0) AS paid
        FROM affiliate.payout o
        WHERE {o.affiliate_id = $1} AND o.live
        GROUP BY o.affiliate_id, o.currency)
    SELECT w.code, affiliate.code_link(w.link_base, w.code), coalesce(e.currency, w.currency),
        coalesce(u.users, 0)::int8, coalesce(e.conversions, 0)::int8,
        affiliate.with_minor_digits(coalesce(e.spent, 0), coalesce(e.currency, w.currency)),
        affiliate.with_minor_digits(coalesce(e.commission, 0), coalesce(e.currency, w.currency)),
        affiliate.with_minor_digits(coalesce(e.pending, 0), coalesce(e.currency, w.currency)),
        affiliate.with_minor_digits(coalesce(e.commission - e.pending, 0) - coalesce(o.processing + o.paid, 0),
            coalesce(e.currency, w.currency)),
        affiliate.with_minor_digits(coalesce(o.processing, 0), coalesce(e.currency, w.currency)),
        affiliate.with_minor_digits(coalesce(o.paid, 0), coalesce(e.currency, w.currency))
    FROM who w LEFT JOIN earned e ON e.affiliate_id = w.id
        LEFT JOIN paid o ON o.affiliate_id = e.affiliate_id AND o.currency = e.currency
        LEFT JOIN referred u ON u.affiliate_id = w.id
    ORDER BY w.id, 3";

/// The statement for one affiliate, `$1`.
fn of_one() -> String {
    STATS.replace(['{', '}'], "")
}

/// The statement for every affiliate.
fn of_all() -> String {
    let mut sql = String::with_capacity(STATS.len());
    let mut rest = STATS;
    while let Some((before, after)) = rest.split_once('{') {
        sql.push_str(before);
        sql.push_str("true");
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    sql.push_str(rest);
    sql
}

raw_function!(
    affiliate_stats_wrapper,
    pg_finfo_affiliate_stats_wrapper,
    |fcinfo| {
        spi::connect(|connection| unsafe {
            let id = affiliate_of(connection, argument(fcinfo, 0), Sees::Caller);
            return_rows(
                fcinfo,
                &connection.run(&of_one(), Sees::Caller, &[id.into()]),
            );
        });
        pg_sys::Datum::null()
    }
);

raw_function!(
    affiliate_stats_all_wrapper,
    pg_finfo_affiliate_stats_all_wrapper,
    |fcinfo| {
        spi::connect(|connection| unsafe {
            return_rows(fcinfo, &connection.run(&of_all(), Sees::Caller, &[]));
        });
        pg_sys::Datum::null()
    }
);
