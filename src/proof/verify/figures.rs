//! The figures as shown, against ledger and payouts.

use crate::proof::verify::check::{Asked, Check};

pub const CHECKS: &[Check] = &[
    Check {
        name: "balance",
        description: "Total commission is pending + payable + processing + paid, summed up from the ledger",
        asked: Asked::IfSuspected,
        violations: "
            SELECT format('affiliate %s, %s', s.code, s.currency)
            FROM @api@.affiliate_stats() s JOIN affiliate.affiliate a ON a.code = s.code
                JOIN affiliate.program p ON p.name = a.program
                LEFT JOIN (
                    SELECT c.affiliate_id, c.currency, sum(c.amount) AS total,
                        sum(c.amount) FILTER (WHERE o.unfinished) AS processing,
                        sum(c.amount) FILTER (WHERE o.live AND NOT o.unfinished) AS paid,
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
        asked: Asked::IfSuspected,
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
];
