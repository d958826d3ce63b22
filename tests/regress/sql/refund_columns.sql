-- Columns of an attached table of refunds whose types change, and references that name no payment.
CREATE DATABASE regress_refund_columns;
\c regress_refund_columns
SET client_min_messages = warning;
CREATE EXTENSION affiliate;
SET timezone = 'UTC';
SELECT code FROM affiliate_create('maya', code => 'maya');
SELECT customer FROM affiliate_attribute('bob', code => 'maya', attributed_at => '2024-01-01');
CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount bigint, currency text, paid_at timestamptz DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment text, amount bigint);
CREATE INDEX ON refunds (payment);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_at', minor_units => true) > 0 AS bound;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') > 0 AS bound;
CREATE VIEW ledger AS SELECT payment_key AS key, sum(amount) AS commission FROM affiliate.commission GROUP BY payment_key;
CREATE VIEW waiting AS SELECT payment_key AS key, reason, detail FROM affiliate.quarantine WHERE resolved_at IS NULL;
INSERT INTO payments VALUES (1, 'bob', 10000, 'USD'), (2, 'bob', 10000, 'USD');
INSERT INTO refunds VALUES (1, '1', 1000);
SELECT * FROM ledger ORDER BY key;

-- The amount: every type is judged where it is read. A payment that can't be settled stays as it was, in quarantine.
ALTER TABLE refunds ALTER COLUMN amount TYPE numeric;
INSERT INTO refunds VALUES (2, '1', 1999.5);
SELECT * FROM waiting;
SELECT * FROM ledger ORDER BY key;
ALTER TABLE refunds ALTER COLUMN amount TYPE double precision;
INSERT INTO refunds VALUES (3, '1', 2000);
UPDATE refunds SET amount = amount + 0.5;
SELECT * FROM waiting;
ALTER TABLE refunds ALTER COLUMN amount TYPE real;
INSERT INTO refunds VALUES (4, '2', 2000);
SELECT * FROM waiting ORDER BY key;
ALTER TABLE refunds ALTER COLUMN amount TYPE money USING amount::numeric::money;
INSERT INTO refunds VALUES (5, '2', 2000);
ALTER TABLE refunds ALTER COLUMN amount TYPE text;
INSERT INTO refunds VALUES (6, '2', 'much');
ALTER TABLE refunds ALTER COLUMN amount TYPE interval USING '1 day';
INSERT INTO refunds VALUES (7, '2', '1 day');
ALTER TABLE refunds ALTER COLUMN amount TYPE jsonb USING '{}';
INSERT INTO refunds VALUES (8, '2', '{}');
ALTER TABLE refunds ALTER COLUMN amount TYPE boolean USING true;
INSERT INTO refunds VALUES (9, '2', true);
SELECT * FROM waiting ORDER BY key;
SELECT * FROM ledger ORDER BY key;
ALTER TABLE refunds ALTER COLUMN amount TYPE smallint USING 1000;
SELECT * FROM affiliate_reconcile();
SELECT * FROM waiting ORDER BY key;
SELECT * FROM ledger ORDER BY key;
-- the payments' amount in the same way
ALTER TABLE payments ALTER COLUMN amount TYPE double precision;
INSERT INTO payments VALUES (3, 'bob', 10000, 'USD');
UPDATE payments SET amount = 5000 WHERE id = 2;
SELECT * FROM waiting ORDER BY key;
ALTER TABLE payments ALTER COLUMN amount TYPE integer;
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger ORDER BY key;

-- The column gone, and back.
ALTER TABLE refunds DROP COLUMN amount;
INSERT INTO refunds VALUES (10, '3');
SELECT * FROM waiting ORDER BY key;
ALTER TABLE refunds ADD COLUMN amount bigint DEFAULT 500;
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger ORDER BY key;
ALTER TABLE refunds DROP COLUMN payment;
INSERT INTO refunds VALUES (11, 1);
UPDATE payments SET amount = 9000 WHERE id = 1;
SELECT * FROM waiting ORDER BY key;
ALTER TABLE refunds ADD COLUMN payment text;
UPDATE refunds SET payment = '1';
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger ORDER BY key;

-- A reference that is no value of the key's type names no payment, and keeps nobody's row from being written.
INSERT INTO refunds VALUES (20, 1, 'none'), (21, 1, ''), (22, 1, NULL), (23, 1, '99999999999999999999'), (24, 1, '1.5'), (25, 1000, ' 3 ');
UPDATE refunds SET payment = 'nobody' WHERE id = 20;
DELETE FROM refunds WHERE id = 20;
SELECT * FROM ledger ORDER BY key;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
-- one whose payment comes later is deducted then
INSERT INTO refunds VALUES (30, 1000, '04'), (31, 1000, '+4'), (32, 1000, '4');
INSERT INTO payments VALUES (4, 'bob', 10000, 'USD');
SELECT * FROM ledger ORDER BY key;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;

-- Many keys that change in one statement, in a chain: terms and recorded refunds go along.
CREATE TABLE many (id bigint PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
CREATE UNIQUE INDEX ON many (id);
SELECT affiliate_attach_payments('many', customer => 'customer', amount => 'amount', paid_at => 'paid_at', payment_key => 'id') AS many \gset
INSERT INTO many SELECT n, 'bob', n FROM generate_series(1000, 9000, 1000) n;
INSERT INTO many SELECT n, 'bob', 1 FROM generate_series(10001, 13500) n;
SELECT count(affiliate_record_refund('many', n, 'r' || n, 0.5)) FROM generate_series(10001, 13500, 100) n;
SELECT affiliate_set_program('default', rate => 0.5) IS NOT NULL AS changed;
UPDATE many SET id = id + 100000 WHERE id > 10000;
UPDATE many SET id = id - 1 WHERE id > 100000;
SELECT count(*), sum(commission) FROM (SELECT payment_key, sum(amount) AS commission FROM affiliate.commission WHERE binding_id = :many AND payment_key::bigint > 100000 GROUP BY 1) p WHERE commission > 0;
SELECT payment_key, refund_key FROM affiliate.refund WHERE binding_id = :many ORDER BY payment_key LIMIT 2;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
\c postgres
DROP DATABASE regress_refund_columns;
