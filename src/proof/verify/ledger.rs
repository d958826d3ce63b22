//! The ledger by itself, and what it refers to.

use crate::proof::verify::check::{Asked, Check};

const REFERENCES_EXIST: &str = "references_exist";
const REFERENCES_DESCRIPTION: &str =
    "What refers to a program, affiliate or binding refers to one that exists";

/// One pass over the ledger: whether every entry is sound by itself, whether what groups of
/// entries refer to exists, and whether they come to the figures shown.
pub const ENTRIES: &str = "
    WITH entries AS MATERIALIZED (
        SELECT c.referral_id, c.affiliate_id, c.currency, sum(c.base - c.base_before) AS spent,
            bool_and(affiliate.is_sound(c.seq, c.rule, c.rate, c.base, c.refunded, c.base_before,
                    c.posted_before, c.amount, c.currency, c.paid_on, c.matures_on)
                AND c.binding_id IN (SELECT b.id FROM affiliate.binding b)) AS are_sound
        FROM affiliate.commission c GROUP BY c.referral_id, c.affiliate_id, c.currency),
    earned AS (
        SELECT e.affiliate_id, e.currency, sum(e.spent) AS spent, count(*) AS conversions
        FROM entries e GROUP BY e.affiliate_id, e.currency),
    users AS (
        SELECT r.affiliate_id, count(*) AS users FROM affiliate.referral r GROUP BY r.affiliate_id),
    shown AS MATERIALIZED (
        SELECT a.id AS affiliate_id, s.currency, s.total_users_referred, s.total_money_spent, s.total_conversions
        FROM @api@.affiliate_stats() s JOIN affiliate.affiliate a ON a.code = s.code)
    SELECT unnest(ARRAY['one_commission_per_payment', 'entries_recompute', 'entries_continue', 'references_exist'])
    WHERE EXISTS (SELECT FROM entries e WHERE NOT e.are_sound)
    UNION ALL
    SELECT 'entries_follow_referral' FROM entries e
    WHERE NOT EXISTS (SELECT FROM affiliate.referral r WHERE r.id = e.referral_id AND r.affiliate_id = e.affiliate_id)
    UNION ALL
    SELECT 'figures_equal_ledger'
    FROM shown s FULL JOIN earned e ON e.affiliate_id = s.affiliate_id AND e.currency = s.currency
        LEFT JOIN users u ON u.affiliate_id = s.affiliate_id
    WHERE s.affiliate_id IS NULL OR s.total_users_referred <> coalesce(u.users, 0)
        OR s.total_money_spent <> coalesce(e.spent, 0) OR s.total_conversions <> coalesce(e.conversions, 0)";

/// The payments that have several entries, and the index that keeps two from being one.
pub const HISTORIES: &str = "
    WITH entries AS MATERIALIZED (
        SELECT c.seq, c.base_before, c.posted_before, c.amount, c.paid_on, c.matures_on, c.rate, c.base,
            max(c.seq) OVER (payment RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING) AS seq_before,
            lag(c.base, 1, 0::numeric) OVER same AS base_then,
            sum(c.amount) OVER same AS posted_now,
            first_value(c.paid_on) OVER payment AS paid_first,
            first_value(c.matures_on) OVER payment AS matured_first,
            first_value(c.rate) OVER payment AS rate_first
        FROM (SELECT DISTINCT m.binding_id, m.payment_key FROM affiliate.commission m WHERE m.seq > 1) several
            JOIN affiliate.commission c USING (binding_id, payment_key)
        WINDOW payment AS (PARTITION BY c.binding_id, c.payment_key ORDER BY c.seq),
            same AS (PARTITION BY c.binding_id, c.payment_key, c.referral_id, c.currency ORDER BY c.seq))
    SELECT 'one_commission_per_payment' WHERE NOT affiliate.has_unique_index('affiliate.commission', '{binding_id,payment_key,seq}', NULL)
    UNION ALL
    SELECT 'one_commission_per_payment' FROM entries e WHERE e.seq > 1 AND e.seq_before IS NULL
    UNION ALL
    SELECT 'entries_continue' FROM entries e
    WHERE e.base_before <> e.base_then OR e.posted_before <> e.posted_now - e.amount OR e.posted_now < 0
        OR e.paid_on <> e.paid_first OR e.matures_on <> e.matured_first OR e.rate <> e.rate_first AND e.base <> 0";

pub const CHECKS: &[Check] = &[
    Check {
        name: "one_commission_per_payment",
        description: "The entries of a payment are numbered from 1 without a gap",
        asked: Asked::IfSuspected,
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
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE c.rule <> 'r' OR c.base < 0 OR c.refunded < 0 OR c.currency <> upper(c.currency)
                OR c.amount IS DISTINCT FROM
                    affiliate.commission_target(c.rate, c.base, c.currency) - c.posted_before
                OR scale(c.amount) IS DISTINCT FROM affiliate.minor_digits(c.currency)",
    },
    Check {
        name: "entries_continue",
        description: "An entry goes on from the one before: posted sum, base and frozen terms; no posted sum is negative",
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE c.seq = 1 AND (c.base_before <> 0 OR c.posted_before <> 0 OR c.amount < 0 OR c.matures_on < c.paid_on)
            UNION ALL
            SELECT format('binding %s, payment %s, entry %s', e.binding_id, e.payment_key, e.seq) FROM (
                SELECT c.binding_id, c.payment_key, c.seq, c.base_before, c.posted_before, c.amount, c.paid_on, c.matures_on,
                    lag(c.base, 1, 0::numeric) OVER same AS base_then,
                    sum(c.amount) OVER same AS posted_now,
                    first_value(c.paid_on) OVER payment AS paid_first,
            first_value(c.matures_on) OVER payment AS matured_first,
                    first_value(c.rate) OVER payment AS rate_first, c.rate, c.base
                FROM (SELECT DISTINCT m.binding_id, m.payment_key FROM affiliate.commission m WHERE m.seq > 1) several
                    JOIN affiliate.commission c USING (binding_id, payment_key)
                WINDOW payment AS (PARTITION BY c.binding_id, c.payment_key ORDER BY c.seq),
                    same AS (PARTITION BY c.binding_id, c.payment_key, c.referral_id, c.currency ORDER BY c.seq)) e
            WHERE e.base_before <> e.base_then OR e.posted_before <> e.posted_now - e.amount OR e.posted_now < 0
                OR e.paid_on <> e.paid_first OR e.matures_on <> e.matured_first OR e.rate <> e.rate_first AND e.base <> 0",
    },
    Check {
        name: "entries_follow_referral",
        description: "An entry belongs to the affiliate of its referral",
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE NOT EXISTS (SELECT FROM affiliate.referral r
                WHERE r.id = c.referral_id AND r.affiliate_id = c.affiliate_id)",
    },
    Check {
        name: REFERENCES_EXIST,
        description: REFERENCES_DESCRIPTION,
        asked: Asked::Always,
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
            ) AS r (kind, id)",
    },
    Check {
        name: REFERENCES_EXIST,
        description: REFERENCES_DESCRIPTION,
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('entry binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c
            WHERE NOT EXISTS (SELECT FROM affiliate.binding b WHERE b.id = c.binding_id)",
    },
];
