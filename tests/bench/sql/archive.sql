-- A ledger of :entries entries in epochs of a million, all folded, matured and paid, as years of
-- payments and monthly runs would leave it. The entries are generated instead of posted, and the
-- indexes built afterwards: the payments behind them are archived.
\set ON_ERROR_STOP on
SET maintenance_work_mem = '2GB';
SET max_parallel_maintenance_workers = 0;
SELECT pg_get_indexdef('affiliate.commission_key'::regclass) AS commission_key,
    pg_get_indexdef('affiliate.commission_affiliate'::regclass) AS commission_affiliate,
    pg_get_indexdef('affiliate.payout_entry_live'::regclass) AS payout_entry_live,
    pg_get_indexdef('affiliate.payout_entry_payout'::regclass) AS payout_entry_payout \gset
DROP INDEX affiliate.commission_key, affiliate.commission_affiliate, affiliate.payout_entry_live, affiliate.payout_entry_payout;
CREATE TEMP TABLE referred AS SELECT row_number() OVER (ORDER BY id) - 1 AS n, id, affiliate_id FROM affiliate.referral;
ANALYZE referred;
INSERT INTO affiliate.commission (posted_at, referral_id, affiliate_id, epoch, binding_id, seq, paid_on, matures_on, rule, payment_key,
    currency, rate, base, refunded, base_before, posted_before, amount)
SELECT '2020-02-01'::timestamptz + g * interval '1 second', r.id, r.affiliate_id, 1 + g / 1000000, b.id, 1,
    '2020-02-01'::date + g / 86400, '2020-02-01'::date + g / 86400, 'r', g::text, 'USD', 0.30, 100.00, 0, 0, 0, 30.00
FROM affiliate.binding b, generate_series(1, :entries) g JOIN referred r ON r.n = g::bigint * 7919 % 30000
WHERE b.payments = 'payments'::regclass;
:commission_key;
ALTER TABLE affiliate.commission REPLICA IDENTITY USING INDEX commission_key;
:commission_affiliate;

SELECT setval('affiliate.epoch', 2 + :entries / 1000000);
SELECT setval('payments_id_seq', :entries + 1);
INSERT INTO affiliate.fold (mark, folded_at) VALUES (1 + :entries / 1000000, now())
ON CONFLICT (singleton) DO UPDATE SET mark = excluded.mark;
INSERT INTO affiliate.conversion (referral_id, currency) SELECT DISTINCT referral_id, currency FROM affiliate.commission;
INSERT INTO affiliate.total (affiliate_id, currency, matures_on, commission, spent, conversions)
SELECT affiliate_id, currency, '-infinity', sum(amount), sum(base), count(DISTINCT referral_id)
FROM affiliate.commission GROUP BY affiliate_id, currency;

INSERT INTO affiliate.payout (affiliate_id, currency, amount, entries, through, threshold, status)
SELECT affiliate_id, currency, sum(amount), count(*), max(matures_on), 0, 'paid' FROM affiliate.commission GROUP BY affiliate_id, currency;
INSERT INTO affiliate.payout_entry (payout_id, binding_id, payment_key, seq)
SELECT o.id, c.binding_id, c.payment_key, c.seq
FROM affiliate.commission c JOIN affiliate.payout o ON o.affiliate_id = c.affiliate_id AND o.currency = c.currency;
:payout_entry_live;
:payout_entry_payout;
INSERT INTO affiliate.payout_mark (affiliate_id, epoch) SELECT a.id, f.mark FROM affiliate.affiliate a, affiliate.fold f;
VACUUM (FREEZE, ANALYZE);
