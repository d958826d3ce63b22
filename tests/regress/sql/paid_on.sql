-- The day of a payment: in the program's zone, fixed by the first entry, the same for all of them.
CREATE DATABASE regress_paid_on;
\c regress_paid_on
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT affiliate_set_program('default', time_zone => 'America/New_York', hold_days => 30) IS NOT NULL;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
SELECT affiliate_attribute('ada', code => 'maya-tips', attributed_at => '2024-01-01') IS NOT NULL;
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, refunded numeric, at timestamptz, day date);
INSERT INTO payments VALUES (1, 'ada', 10, 0, '2024-03-02 04:59+00', NULL), (2, 'ada', 10, 0, '2024-03-02 05:00+00', NULL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', refunded => 'refunded', paid_at => 'at');
CREATE VIEW ledger AS SELECT payment_key::int AS key, seq, amount, paid_on, matures_on, posted_at::date = paid_on AS today
FROM affiliate.commission WHERE binding_id = (SELECT max(binding_id) FROM affiliate.commission);
-- a year that is back-filled is a year, not one day
SELECT * FROM affiliate_backfill('payments');
SELECT key, paid_on, matures_on FROM ledger ORDER BY key;
-- later entries keep the day, whatever becomes of the column and of the program
UPDATE payments SET at = '2024-06-01', refunded = 5 WHERE id = 1;
SELECT affiliate_set_program('default', time_zone => 'Asia/Tokyo', hold_days => 0) IS NOT NULL;
UPDATE payments SET refunded = 10 WHERE id = 1;
SELECT key, seq, amount, paid_on, matures_on FROM ledger WHERE key = 1 ORDER BY seq;
-- so does a key that changes
UPDATE payments SET id = 3 WHERE id = 2;
SELECT key, seq, amount, paid_on, matures_on FROM ledger WHERE key IN (2, 3) ORDER BY key, seq;
-- without a time it is the day of the transaction; a date is that day in any zone
INSERT INTO payments VALUES (4, 'ada', 10, 0, NULL, NULL);
SELECT key, paid_on = (now() AT TIME ZONE 'Asia/Tokyo')::date AS today FROM ledger WHERE key = 4;
SELECT affiliate_detach('payments');
CREATE TABLE invoices (id int PRIMARY KEY, customer text, amount numeric, day date);
SELECT affiliate_attach_payments('invoices', customer => 'customer', amount => 'amount', paid_at => 'day');
INSERT INTO invoices VALUES (1, 'ada', 10, '2024-02-29');
SELECT key, paid_on, matures_on FROM ledger;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
