-- A payment that comes to a customer it has not earned for is a new one there, whether its customer
-- changes alone, with its key, or before or after its key: it earns if it was made since the customer
-- was referred and the affiliate is not closed. Terms go along.
CREATE DATABASE regress_moved_payments;
\c regress_moved_payments
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT count(affiliate_create(owner => o, code => o || '-tips')) FROM unnest(ARRAY['ann', 'bob', 'zoe']) o;
SELECT affiliate_attribute('early', code => 'ann-tips', attributed_at => '2026-01-01') IS NOT NULL;
SELECT affiliate_attribute('later', code => 'bob-tips', attributed_at => '2026-06-01') IS NOT NULL;
SELECT affiliate_attribute('left', code => 'zoe-tips', attributed_at => '2026-01-01') IS NOT NULL;
SELECT affiliate_attribute('other', code => 'bob-tips', attributed_at => '2026-01-01') IS NOT NULL;
SELECT status FROM affiliate_set_status('zoe-tips', 'closed');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_at timestamptz);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at');
CREATE VIEW ledger AS
SELECT c.payment_key::int AS key, c.seq, r.customer, c.rate, c.amount, c.paid_on, c.matures_on
FROM affiliate.commission c JOIN affiliate.referral r ON r.id = c.referral_id;

INSERT INTO payments SELECT n, 'early', 100, '2026-02-01' FROM generate_series(1, 8) n;
SELECT affiliate_set_program('default', rate => 0.5, hold_days => 90) IS NOT NULL;
-- the customer, then the key
UPDATE payments SET customer = 'later' WHERE id = 1;
UPDATE payments SET customer = 'left' WHERE id = 2;
UPDATE payments SET id = id + 10 WHERE id IN (1, 2);
-- both at once
UPDATE payments SET customer = 'later', id = 13 WHERE id = 3;
UPDATE payments SET customer = 'left', id = 14 WHERE id = 4;
-- the key, then the customer
UPDATE payments SET id = id + 10 WHERE id IN (5, 6);
UPDATE payments SET customer = 'later' WHERE id = 15;
UPDATE payments SET customer = 'left' WHERE id = 16;
SELECT key, sum(amount) AS earned FROM ledger WHERE key > 10 GROUP BY key ORDER BY key;

-- Back to the customer that it has earned for, it earns by its old terms; so it does for another one
-- who was referred before it was made.
UPDATE payments SET customer = 'early' WHERE id IN (11, 12, 14);
UPDATE payments SET customer = 'other' WHERE id IN (13, 15, 16);
SELECT key, customer, sum(amount) AS earned, min(rate) AS rate, min(paid_on) AS paid_on, min(matures_on) AS matures_on
FROM ledger WHERE key > 10 GROUP BY key, customer HAVING sum(amount) <> 0 ORDER BY key;
-- What it has earned once for a customer it goes on earning, even where the affiliate was closed since.
SELECT status FROM affiliate_set_status('ann-tips', 'closed');
UPDATE payments SET id = 17, amount = 50 WHERE id = 7;
UPDATE payments SET customer = 'other' WHERE id = 8;
UPDATE payments SET customer = 'early', id = 18 WHERE id = 8;
SELECT key, customer, sum(amount) AS earned FROM ledger WHERE key IN (7, 8, 17, 18) GROUP BY key, customer ORDER BY key, customer;
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
