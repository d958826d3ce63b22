//! Proof: every invariant as a query of its violations.

use pgrx::prelude::*;

use super::compare::compare_all;
use super::{raw_function, return_rows};
use crate::ledger::audit::Difference;
use crate::pg::rights::as_owner;
use crate::pg::spi::{self, Connection, Sees};

/// A check that is a query: its rows, one text column, are the violations.
struct Check {
    name: &'static str,
    description: &'static str,
    violations: &'static str,
}

const CHECKS: &[Check] = &[
    Check {
        name: "one_commission_per_payment",
        description: "The entries of a payment are numbered from 1 without a gap",
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE c.seq < 1 OR c.seq > 1 AND NOT EXISTS (SELECT FROM affiliate.commission b
                WHERE b.binding_id = c.binding_id AND b.payment_key = c.payment_key AND b.seq = c.seq - 1)
            UNION ALL
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c GROUP BY c.binding_id, c.payment_key, c.seq HAVING count(*) > 1",
    },
    Check {
        name: "entries_recompute",
        description: "The amount of an entry is finite, on scale, and round(rate x base) - posted_before",
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE c.rule <> 'r' OR c.base < 0 OR c.refunded < 0
                OR c.amount IS DISTINCT FROM
                    affiliate.commission_target(c.rate, c.base, c.currency) - c.posted_before
                OR scale(c.amount) IS DISTINCT FROM affiliate.minor_digits(c.currency)",
    },
    Check {
        name: "entries_continue",
        description: "An entry goes on from the one before: posted sum, base and frozen terms; no posted sum is negative",
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE c.seq = 1 AND (c.base_before <> 0 OR c.posted_before <> 0 OR c.amount < 0)
            UNION ALL
            SELECT format('binding %s, payment %s, entry %s', e.binding_id, e.payment_key, e.seq) FROM (
                SELECT c.binding_id, c.payment_key, c.seq, c.base_before, c.posted_before, c.amount, c.matures_on,
                    lag(c.base, 1, 0::numeric) OVER same AS base_then,
                    sum(c.amount) OVER same AS posted_now,
                    first_value(c.matures_on) OVER payment AS matured_first,
                    first_value(c.rate) OVER payment AS rate_first, c.rate, c.base
                FROM (SELECT DISTINCT m.binding_id, m.payment_key FROM affiliate.commission m WHERE m.seq > 1) several
                    JOIN affiliate.commission c USING (binding_id, payment_key)
                WINDOW payment AS (PARTITION BY c.binding_id, c.payment_key ORDER BY c.seq),
                    same AS (PARTITION BY c.binding_id, c.payment_key, c.referral_id, c.currency ORDER BY c.seq)) e
            WHERE e.base_before <> e.base_then OR e.posted_before <> e.posted_now - e.amount OR e.posted_now < 0
                OR e.matures_on <> e.matured_first OR e.rate <> e.rate_first AND e.base <> 0",
    },
    Check {
        name: "entries_follow_referral",
        description: "An entry belongs to the affiliate of its referral",
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE NOT EXISTS (SELECT FROM affiliate.referral r
                WHERE r.id = c.referral_id AND r.affiliate_id = c.affiliate_id)",
    },
    Check {
        name: "references_exist",
        description: "What refers to a programme, affiliate or binding refers to one that exists",
        violations: "
            SELECT format('%s %s', r.kind, r.id) FROM (
                SELECT 'affiliate', a.id::text FROM affiliate.affiliate a
                WHERE NOT EXISTS (SELECT FROM affiliate.program p WHERE p.name = a.program)
                UNION ALL SELECT 'code', c.code FROM affiliate.code c
                WHERE NOT EXISTS (SELECT FROM affiliate.affiliate a WHERE a.id = c.affiliate_id)
                UNION ALL SELECT 'referral', r.id::text FROM affiliate.referral r
                WHERE NOT EXISTS (SELECT FROM affiliate.affiliate a WHERE a.id = r.affiliate_id AND a.program = r.program)
                UNION ALL SELECT 'binding', b.id::text FROM affiliate.binding b
                WHERE NOT EXISTS (SELECT FROM affiliate.program p WHERE p.name = b.program)
                UNION ALL SELECT 'refund', f.id::text FROM affiliate.refund f
                WHERE NOT EXISTS (SELECT FROM affiliate.binding b WHERE b.id = f.binding_id)
                UNION ALL SELECT 'payout', o.id::text FROM affiliate.payout o
                WHERE NOT EXISTS (SELECT FROM affiliate.affiliate a WHERE a.id = o.affiliate_id)
                UNION ALL SELECT 'entry', format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
                FROM affiliate.commission c
                WHERE NOT EXISTS (SELECT FROM affiliate.binding b WHERE b.id = c.binding_id)
            ) AS r (kind, id)",
    },
    Check {
        name: "payouts_equal_entries",
        description: "A payout is the sum of its entries",
        violations: "
            SELECT format('payout %s', o.id) FROM affiliate.payout o
                LEFT JOIN (
                    SELECT l.payout_id, sum(c.amount) AS amount, count(*) AS entries
                    FROM affiliate.payout_entry l
                        JOIN affiliate.commission c USING (binding_id, payment_key, seq)
                    GROUP BY l.payout_id) e ON e.payout_id = o.id
            WHERE o.amount IS DISTINCT FROM e.amount OR o.entries IS DISTINCT FROM e.entries
            UNION ALL
            SELECT format('entry of payout %s, which does not exist', l.payout_id) FROM affiliate.payout_entry l
            WHERE NOT EXISTS (SELECT FROM affiliate.payout o WHERE o.id = l.payout_id)
            UNION ALL
            SELECT format('payout %s has an entry that does not exist', l.payout_id) FROM affiliate.payout_entry l
            WHERE NOT EXISTS (SELECT FROM affiliate.commission c
                WHERE c.binding_id = l.binding_id AND c.payment_key = l.payment_key AND c.seq = l.seq)",
    },
    Check {
        name: "entries_in_one_payout",
        description: "An entry is in at most one live payout, and lives as long as its payout does",
        violations: "
            SELECT format('binding %s, payment %s, entry %s', l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l WHERE l.live
            GROUP BY l.binding_id, l.payment_key, l.seq HAVING count(*) > 1
            UNION ALL
            SELECT format('payout %s, binding %s, payment %s, entry %s', l.payout_id, l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id
            WHERE l.live <> (o.status IN ('pending', 'processing', 'paid'))",
    },
    Check {
        name: "only_matured_paid",
        description: "A payout has only entries matured on or before its day",
        violations: "
            SELECT format('payout %s, binding %s, payment %s, entry %s', l.payout_id, l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id
                JOIN affiliate.commission c USING (binding_id, payment_key, seq)
            WHERE c.matures_on > o.through",
    },
    Check {
        name: "payouts_reach_threshold",
        description: "A payout is positive and at or above the minimum that applied",
        violations: "
            SELECT format('payout %s', o.id) FROM affiliate.payout o
            WHERE NOT (o.amount > 0 AND o.amount < 'Infinity' AND o.amount >= o.threshold)",
    },
    Check {
        name: "payouts_agree",
        description: "A payout and its entries have one currency and one affiliate",
        violations: "
            SELECT format('payout %s, binding %s, payment %s, entry %s', l.payout_id, l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id
                JOIN affiliate.commission c USING (binding_id, payment_key, seq)
            WHERE c.currency <> o.currency OR c.affiliate_id <> o.affiliate_id",
    },
    Check {
        name: "payout_states",
        description: "A payout has a state that there is",
        violations: "
            SELECT format('payout %s is %s', o.id, o.status) FROM affiliate.payout o
            WHERE o.status NOT IN ('pending', 'processing', 'paid', 'failed', 'canceled', 'returned')
                OR o.updated_at < o.created_at",
    },
    Check {
        name: "balance",
        description: "Total commission is pending + payable + processing + paid, summed up from the ledger",
        violations: "
            SELECT format('affiliate %s, %s', s.code, s.currency)
            FROM @api@.affiliate_stats() s JOIN affiliate.affiliate a ON a.code = s.code
                JOIN affiliate.program p ON p.name = a.program
                LEFT JOIN (
                    SELECT c.affiliate_id, c.currency, sum(c.amount) AS total,
                        sum(c.amount) FILTER (WHERE o.status IN ('pending', 'processing')) AS processing,
                        sum(c.amount) FILTER (WHERE o.status = 'paid') AS paid,
                        sum(c.amount) FILTER (WHERE o.id IS NULL
                            AND c.matures_on <= (now() AT TIME ZONE p.time_zone)::date) AS payable,
                        sum(c.amount) FILTER (WHERE o.id IS NULL
                            AND c.matures_on > (now() AT TIME ZONE p.time_zone)::date) AS pending
                    FROM affiliate.commission c JOIN affiliate.affiliate a ON a.id = c.affiliate_id
                        JOIN affiliate.program p ON p.name = a.program
                        LEFT JOIN (affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id)
                            ON l.binding_id = c.binding_id AND l.payment_key = c.payment_key AND l.seq = c.seq AND l.live
                    GROUP BY c.affiliate_id, c.currency) e
                    ON e.affiliate_id = a.id AND e.currency = s.currency
            WHERE s.total_commission <> s.pending_amount + s.total_payout_amount + s.processing_amount + s.paid_amount
                OR s.total_commission <> coalesce(e.total, 0) OR s.pending_amount <> coalesce(e.pending, 0)
                OR s.total_payout_amount <> coalesce(e.payable, 0)
                OR s.processing_amount <> coalesce(e.processing, 0) OR s.paid_amount <> coalesce(e.paid, 0)",
    },
    Check {
        name: "figures_equal_ledger",
        description: "Users, conversions and money spent as shown are those of referrals and ledger",
        violations: "
            SELECT format('affiliate %s, %s', s.code, s.currency)
            FROM @api@.affiliate_stats() s JOIN affiliate.affiliate a ON a.code = s.code
                LEFT JOIN (SELECT r.affiliate_id, count(*) AS users FROM affiliate.referral r
                    GROUP BY r.affiliate_id) u ON u.affiliate_id = a.id
                LEFT JOIN (SELECT c.affiliate_id, c.currency, sum(c.spent) AS spent, count(*) AS conversions
                    FROM (SELECT c.affiliate_id, c.currency, c.referral_id, sum(c.base - c.base_before) AS spent
                        FROM affiliate.commission c GROUP BY c.affiliate_id, c.currency, c.referral_id) c
                    GROUP BY c.affiliate_id, c.currency) e
                    ON e.affiliate_id = a.id AND e.currency = s.currency
            WHERE s.total_users_referred <> coalesce(u.users, 0) OR s.total_money_spent <> coalesce(e.spent, 0)
                OR s.total_conversions <> coalesce(e.conversions, 0)
            UNION ALL
            SELECT format('affiliate %s, %s is not shown', c.affiliate_id, c.currency)
            FROM (SELECT DISTINCT affiliate_id, currency FROM affiliate.commission) c
            WHERE NOT EXISTS (SELECT FROM @api@.affiliate_stats() s JOIN affiliate.affiliate a ON a.code = s.code
                WHERE a.id = c.affiliate_id AND s.currency = c.currency)",
    },
    Check {
        name: "triggers_in_place",
        description: "A bound table has its triggers, enabled, on every partition",
        violations: "
            SELECT format('%s: %s', h.table_name, h.problem) FROM affiliate.binding_health h
            WHERE h.problem IS NOT NULL AND h.detached_at IS NULL",
    },
    Check {
        name: "sequences_ahead",
        description: "Sequences are ahead of what they have numbered",
        violations: "
            SELECT s.name FROM (
                SELECT 'affiliate.epoch', (SELECT last_value - (NOT is_called)::int FROM affiliate.epoch),
                    greatest((SELECT max(epoch) FROM affiliate.commission), (SELECT max(epoch) FROM affiliate.referral),
                        (SELECT mark + 1 FROM affiliate.fold))
                UNION ALL SELECT 'affiliate.affiliate_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.affiliate_id_seq), (SELECT max(id) FROM affiliate.affiliate)
                UNION ALL SELECT 'affiliate.status_change_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.status_change_id_seq), (SELECT max(id) FROM affiliate.status_change)
                UNION ALL SELECT 'affiliate.referral_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.referral_id_seq), (SELECT max(id) FROM affiliate.referral)
                UNION ALL SELECT 'affiliate.click_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.click_id_seq), (SELECT max(id) FROM affiliate.click)
                UNION ALL SELECT 'affiliate.binding_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.binding_id_seq), (SELECT max(id) FROM affiliate.binding)
                UNION ALL SELECT 'affiliate.refund_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.refund_id_seq), (SELECT max(id) FROM affiliate.refund)
                UNION ALL SELECT 'affiliate.refunds_binding_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.refunds_binding_id_seq), (SELECT max(id) FROM affiliate.refunds_binding)
                UNION ALL SELECT 'affiliate.quarantine_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.quarantine_id_seq), (SELECT max(id) FROM affiliate.quarantine)
                UNION ALL SELECT 'affiliate.payout_id_seq',
                    (SELECT last_value - (NOT is_called)::int FROM affiliate.payout_id_seq), (SELECT max(id) FROM affiliate.payout)
            ) s (name, at, used) WHERE s.at < s.used",
    },
    Check {
        name: "quarantine_empty",
        description: "No payment of a referred customer waits in quarantine",
        violations: "
            SELECT format('binding %s, payment %s: %s', q.binding_id, q.payment_key, q.reason)
            FROM affiliate.quarantine q JOIN affiliate.binding b ON b.id = q.binding_id
            WHERE q.resolved_at IS NULL AND b.detached_at IS NULL
                AND EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments)",
    },
];

/// What the comparison of bound tables with the ledger counts.
const PAYMENT_CHECKS: &[(Difference, &str, &str)] = &[
    (
        Difference::Unposted,
        "payments_have_entries",
        "An eligible payment has its entries",
    ),
    (
        Difference::OffTarget,
        "posted_equals_target",
        "The posted sum of a payment is the commission of the row as it is",
    ),
    (
        Difference::NoPayment,
        "entries_have_payment",
        "An entry that is not reversed has its payment, unless deletes are kept",
    ),
];

/// One row of the result.
struct Finding {
    name: &'static str,
    description: &'static str,
    violations: i64,
    sample: Option<String>,
}

fn run_check(connection: &Connection, api: &str, check: &Check) -> Finding {
    let sql = format!(
        "SELECT count(*), min(v.sample) FROM ({}) AS v (sample)",
        check.violations.replace("@api@", api)
    );
    let rows = connection.run(&sql, Sees::Now, &[]);
    Finding {
        name: check.name,
        description: check.description,
        violations: rows.get(0, 0).unwrap_or_default(),
        sample: rows.get(0, 1),
    }
}

/// Compares every bound table with the ledger.
fn compare_payments() -> Vec<Finding> {
    let tables = compare_all();
    PAYMENT_CHECKS
        .iter()
        .map(|(difference, name, description)| Finding {
            name,
            description,
            violations: tables.iter().map(|table| table.count(*difference)).sum(),
            sample: tables.iter().find_map(|table| table.sample(*difference)),
        })
        .collect()
}

raw_function!(
    affiliate_verify_wrapper,
    pg_finfo_affiliate_verify_wrapper,
    |fcinfo| {
        as_owner(|| {
            spi::connect(|connection| {
                const API: &str = "
                SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                WHERE e.extname = 'affiliate'";
                let api = connection
                    .run(API, Sees::Now, &[])
                    .value::<String>()
                    .unwrap_or_default();
                let mut findings: Vec<Finding> = CHECKS
                    .iter()
                    .map(|check| run_check(connection, &api, check))
                    .collect();
                findings.extend(compare_payments());
                const ROWS: &str = "
                SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[])";
                let names: Vec<&str> = findings.iter().map(|f| f.name).collect();
                let descriptions: Vec<&str> = findings.iter().map(|f| f.description).collect();
                let violations: Vec<i64> = findings.iter().map(|f| f.violations).collect();
                let samples: Vec<Option<String>> =
                    findings.iter().map(|f| f.sample.clone()).collect();
                let rows = connection.run(
                    ROWS,
                    Sees::Now,
                    &[
                        names.into(),
                        descriptions.into(),
                        violations.into(),
                        samples.into(),
                    ],
                );
                unsafe { return_rows(fcinfo, &rows) };
            });
        });
        pg_sys::Datum::null()
    }
);
