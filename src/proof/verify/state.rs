//! What keeps the ledger going: triggers, sequences, no payment left in quarantine.

use crate::proof::verify::check::{Asked, Check};

pub const CHECKS: &[Check] = &[
    Check {
        name: "triggers_in_place",
        description: "A bound table has its triggers, enabled, on every partition, and the owner of the ledger its rights",
        asked: Asked::Always,
        violations: "
            SELECT format('%s: %s', h.table_name, h.problem) FROM affiliate.binding_health h
            WHERE h.problem IS NOT NULL AND h.detached_at IS NULL
                -- triggers on tables that are not bound do nothing
                AND (h.binding_id IS NOT NULL OR h.trigger_name IS NULL)",
    },
    Check {
        name: "sequences_ahead",
        description: "Sequences are ahead of what they have numbered",
        asked: Asked::Always,
        violations: "
            SELECT s.name FROM (
                SELECT 'affiliate.epoch', (SELECT last_value - (NOT is_called)::int FROM affiliate.epoch),
                    greatest((SELECT mark + 1 FROM affiliate.fold),
                        (SELECT max(e.epoch) FROM affiliate.affiliate a, LATERAL (
                            SELECT max(c.epoch) AS epoch FROM affiliate.commission c WHERE c.affiliate_id = a.id
                            UNION ALL
                            SELECT max(r.epoch) FROM affiliate.referral r WHERE r.affiliate_id = a.id) e))
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
        asked: Asked::Always,
        violations: "
            SELECT format('binding %s, payment %s: %s', q.binding_id, q.payment_key, q.reason)
            FROM affiliate.quarantine q JOIN affiliate.binding b ON b.id = q.binding_id
            WHERE q.resolved_at IS NULL AND b.detached_at IS NULL
                AND EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments)",
    },
];
