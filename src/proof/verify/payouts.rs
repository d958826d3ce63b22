//! Payouts and the entries they are made of.

use crate::proof::verify::check::{Asked, Check};

/// One pass over the ledger and the links of payouts, grouped so that payouts and the balances
/// shown can be compared with them. Days that are past everywhere are one, as in the totals.
pub const LINKS: &str = "
    WITH links AS MATERIALIZED (
        SELECT l.payout_id, true AS live, c.affiliate_id, c.currency,
            CASE WHEN l.payout_id IS NOT NULL OR c.matures_on <= (SELECT (now() AT TIME ZONE 'Etc/GMT+12')::date)
                THEN '-infinity' ELSE c.matures_on END AS day,
            max(c.matures_on) AS last_day, min(c.epoch) AS first_epoch, sum(c.amount) AS amount,
            count(c.seq) AS entries, count(*) AS links
        FROM affiliate.commission c
            FULL JOIN (SELECT l.* FROM affiliate.payout_entry l WHERE l.live) l
                ON l.binding_id = c.binding_id AND l.payment_key = c.payment_key AND l.seq = c.seq
        GROUP BY 1, 3, 4, 5
        UNION ALL
        SELECT l.payout_id, false, c.affiliate_id, c.currency, '-infinity',
            max(c.matures_on), min(c.epoch), sum(c.amount), count(c.seq), count(*)
        FROM affiliate.payout_entry l LEFT JOIN affiliate.commission c
                ON c.binding_id = l.binding_id AND c.payment_key = l.payment_key AND c.seq = l.seq
        WHERE NOT l.live
        GROUP BY l.payout_id, c.affiliate_id, c.currency),
    payouts AS (
        SELECT k.payout_id, sum(k.amount) AS amount, sum(k.entries) AS entries FROM links k GROUP BY k.payout_id),
    balances AS (
        SELECT k.affiliate_id, k.currency, sum(k.amount) AS total,
            sum(k.amount) FILTER (WHERE o.unfinished) AS processing,
            sum(k.amount) FILTER (WHERE o.live AND NOT o.unfinished) AS paid,
            sum(k.amount) FILTER (WHERE o.id IS NULL AND k.day <= (now() AT TIME ZONE p.time_zone)::date) AS payable,
            sum(k.amount) FILTER (WHERE o.id IS NULL AND k.day > (now() AT TIME ZONE p.time_zone)::date) AS pending
        FROM links k JOIN affiliate.affiliate a ON a.id = k.affiliate_id JOIN affiliate.program p ON p.name = a.program
            LEFT JOIN affiliate.payout o ON o.id = k.payout_id
        WHERE k.live GROUP BY k.affiliate_id, k.currency)
    SELECT 'payouts_equal_entries' FROM affiliate.payout o LEFT JOIN payouts e ON e.payout_id = o.id
    WHERE o.amount IS DISTINCT FROM e.amount OR o.entries IS DISTINCT FROM e.entries
    UNION ALL
    SELECT 'payouts_equal_entries' FROM links k LEFT JOIN affiliate.payout o ON o.id = k.payout_id
    WHERE k.payout_id IS NOT NULL AND (o.id IS NULL OR k.entries <> k.links)
    UNION ALL
    SELECT 'entries_in_one_payout'
    WHERE NOT affiliate.has_unique_index('affiliate.payout_entry', '{binding_id,payment_key,seq}', 'live')
    UNION ALL
    SELECT 'entries_in_one_payout' FROM links k JOIN affiliate.payout o ON o.id = k.payout_id
    WHERE k.live <> coalesce(o.live, false)
    UNION ALL
    SELECT 'only_matured_paid' FROM links k JOIN affiliate.payout o ON o.id = k.payout_id WHERE k.last_day > o.through
    UNION ALL
    SELECT 'payouts_agree' FROM links k JOIN affiliate.payout o ON o.id = k.payout_id
    WHERE k.currency <> o.currency OR k.affiliate_id <> o.affiliate_id
    UNION ALL
    SELECT 'open_entries_after_mark' FROM links k JOIN affiliate.payout_mark m ON m.affiliate_id = k.affiliate_id
    WHERE k.payout_id IS NULL AND k.first_epoch <= m.epoch
    UNION ALL
    SELECT 'balance'
    FROM @api@.affiliate_stats() s JOIN affiliate.affiliate a ON a.code = s.code
        LEFT JOIN balances e ON e.affiliate_id = a.id AND e.currency = s.currency
    WHERE s.total_commission <> s.pending_amount + s.total_payout_amount + s.processing_amount + s.paid_amount
        OR s.total_commission <> coalesce(e.total, 0) OR s.pending_amount <> coalesce(e.pending, 0)
        OR s.total_payout_amount <> coalesce(e.payable, 0)
        OR s.processing_amount <> coalesce(e.processing, 0) OR s.paid_amount <> coalesce(e.paid, 0)";

pub const CHECKS: &[Check] = &[
    Check {
        name: "payouts_equal_entries",
        description: "A payout is the sum of its entries",
        asked: Asked::IfSuspected,
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
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('binding %s, payment %s, entry %s', l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l WHERE l.live
            GROUP BY l.binding_id, l.payment_key, l.seq HAVING count(*) > 1
            UNION ALL
            SELECT format('payout %s, binding %s, payment %s, entry %s', l.payout_id, l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id
            WHERE l.live <> coalesce(o.live, false)",
    },
    Check {
        name: "only_matured_paid",
        description: "A payout has only entries matured on or before its day",
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('payout %s, binding %s, payment %s, entry %s', l.payout_id, l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id
                JOIN affiliate.commission c USING (binding_id, payment_key, seq)
            WHERE c.matures_on > o.through",
    },
    Check {
        name: "payouts_reach_threshold",
        description: "A payout is positive and at or above the minimum that applied",
        asked: Asked::Always,
        violations: "
            SELECT format('payout %s', o.id) FROM affiliate.payout o
            WHERE NOT (o.amount > 0 AND o.amount < 'Infinity' AND o.amount >= o.threshold)",
    },
    Check {
        name: "payouts_agree",
        description: "A payout and its entries have one currency and one affiliate",
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('payout %s, binding %s, payment %s, entry %s', l.payout_id, l.binding_id, l.payment_key, l.seq)
            FROM affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id
                JOIN affiliate.commission c USING (binding_id, payment_key, seq)
            WHERE c.currency <> o.currency OR c.affiliate_id <> o.affiliate_id",
    },
    Check {
        name: "payout_states",
        description: "A payout has a state that there is",
        asked: Asked::Always,
        violations: "
            SELECT format('payout %s is %s', o.id, o.status) FROM affiliate.payout o
            WHERE o.live IS NULL OR o.live IS DISTINCT FROM affiliate.payout_is_live(o.status)
                OR o.unfinished IS DISTINCT FROM affiliate.payout_is_unfinished(o.status)
                OR o.updated_at < o.created_at",
    },
    Check {
        name: "open_entries_after_mark",
        description: "An open entry comes after its affiliate's payout mark",
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('binding %s, payment %s, entry %s', c.binding_id, c.payment_key, c.seq)
            FROM affiliate.commission c JOIN affiliate.payout_mark m ON m.affiliate_id = c.affiliate_id AND c.epoch <= m.epoch
            WHERE NOT EXISTS (SELECT FROM affiliate.payout_entry l
                WHERE l.binding_id = c.binding_id AND l.payment_key = c.payment_key AND l.seq = c.seq AND l.live)",
    },
];
