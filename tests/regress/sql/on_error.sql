-- What an internal error while posting does to the payment: it fails with it, or, where a superuser
-- has said so, goes through and stands in quarantine.
CREATE DATABASE regress_on_error;
\c regress_on_error
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (key text PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment text, amount numeric);
CREATE TABLE parts (LIKE payments INCLUDING ALL) PARTITION BY RANGE (key);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('a') TO ('m');
CREATE TABLE parts_m PARTITION OF parts FOR VALUES FROM ('m') TO ('z');
CREATE TABLE moments (at timestamptz PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('moments', customer => 'customer', amount => 'amount', paid_at => 'at') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, c.amount FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
CREATE VIEW aside AS
SELECT b.payments, q.payment_key AS key, q.reason, q.detail FROM affiliate.quarantine q JOIN affiliate.binding b ON b.id = q.binding_id
WHERE q.resolved_at IS NULL;
INSERT INTO payments VALUES ('one', 'bob', 10), ('two', 'bob', 20), ('three', 'bob', 30), ('four', 'bob', 40);
INSERT INTO parts VALUES ('d', 'bob', 10), ('e', 'bob', 20);

-- The setting is a superuser's: whoever inserts payments must not decide what becomes of the commission.
SHOW affiliate.on_error;
SET affiliate.on_error = 'ignore';
CREATE ROLE regress_cashier;
GRANT INSERT ON payments TO regress_cashier;
SET ROLE regress_cashier;
SET affiliate.on_error = 'quarantine';
SELECT set_config('affiliate.on_error', 'quarantine', false);
RESET ROLE;
ALTER ROLE regress_cashier SET affiliate.on_error = 'quarantine';
ALTER ROLE regress_cashier RESET affiliate.on_error;
-- nor by setting it before the library is there to know of it
\c
SET SESSION AUTHORIZATION regress_cashier;
SET affiliate.on_error = 'quarantine';
INSERT INTO payments VALUES ('five', 'bob', 50);
SHOW affiliate.on_error;
RESET SESSION AUTHORIZATION;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- The ledger fails for keys that are SQLSTATEs, and for some others.
CREATE FUNCTION fails(key text) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF key ~ '^[0-9A-Z]{5}$' THEN RAISE 'injected' USING ERRCODE = key; END IF;
    IF key ~ '^slow' THEN PERFORM pg_sleep(60); END IF;
    IF key ~ '^bad|01:00:00' THEN RETURN 1 / 0; END IF;
    RETURN 0;
END $$;
CREATE INDEX broken ON affiliate.commission (fails(payment_key));
\set VERBOSITY terse
INSERT INTO payments VALUES ('bad-0', 'bob', 10);
ALTER DATABASE regress_on_error SET affiliate.on_error = 'quarantine';
\c
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY terse
SET ROLE regress_cashier;
INSERT INTO payments VALUES ('bad-1', 'bob', 10);
INSERT INTO payments VALUES ('bad-2', 'eve', 10);
RESET ROLE;
INSERT INTO payments VALUES ('good-1', 'bob', 10), ('bad-3', 'bob', 10), ('bad-4', 'eve', 10);
COPY payments (key, customer, amount) FROM stdin;
good-2	bob	10
bad-5	bob	10
good-3	eve	10
\.
INSERT INTO payments SELECT 'many-' || n, 'bob', 1 FROM generate_series(1, 1200) n UNION ALL SELECT 'bad-6', 'bob', 1;
SELECT regexp_replace(key, '[0-9]+', '*') AS keys, reason, detail, count(*) FROM aside GROUP BY 1, 2, 3 ORDER BY 1;
SELECT count(*) AS payments FROM payments;
SELECT * FROM ledger WHERE payments = 'payments'::regclass AND key !~ '^many' ORDER BY key, seq;
-- what can be posted is
INSERT INTO payments VALUES ('good-4', 'bob', 10);
SELECT * FROM affiliate_reconcile();
SELECT key, reason, detail FROM aside ORDER BY key;
SELECT * FROM affiliate_reconcile();
SELECT count(*), sum(amount) FROM ledger WHERE key ~ '^(good|many)';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Changes, deletes, refunds, row triggers, keys whose text depends on settings.
UPDATE payments SET key = 'bad-7', amount = 15 WHERE key = 'one';
UPDATE payments SET amount = 7 WHERE key = 'bad-1';
UPDATE payments SET customer = 'eve' WHERE key = 'bad-3';
DELETE FROM payments WHERE key = 'bad-5';
INSERT INTO refunds VALUES (1, 'bad-1', 2), (2, 'two', 5), (3, 'bad-2', 1), (4, NULL, 1);
UPDATE parts SET key = 'bad-d' WHERE key = 'd';
UPDATE parts SET key = 'n' WHERE key = 'e';
INSERT INTO parts VALUES ('bad-e', 'bob', 10), ('f', 'bob', 10);
INSERT INTO moments VALUES ('2024-02-01 02:00+01', 'bob', 10), ('2024-02-02 02:00+00', 'eve', 10);
SELECT payments, key, reason, detail FROM aside ORDER BY payments, key;
SELECT * FROM ledger WHERE key !~ '^(many|good)' ORDER BY payments, key, seq;
BEGIN;
INSERT INTO payments VALUES ('bad-8', 'bob', 80);
SAVEPOINT s;
INSERT INTO payments VALUES ('bad-9', 'bob', 90);
ROLLBACK TO s;
INSERT INTO payments VALUES ('good-5', 'bob', 50);
COMMIT;
SELECT key FROM payments WHERE key IN ('bad-8', 'bad-9', 'good-5');
SELECT key, reason FROM aside WHERE key IN ('bad-8', 'bad-9', 'good-5');
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO payments VALUES ('bad-10', 'bob', 100);
PREPARE TRANSACTION 'bad';
COMMIT PREPARED 'bad';

-- Not an internal error: to be tried again, canceled, no disk, shut down, gave up waiting.
\set VERBOSITY sqlstate
INSERT INTO payments VALUES ('40001', 'bob', 10);
INSERT INTO payments VALUES ('40P01', 'bob', 10);
INSERT INTO payments VALUES ('53100', 'bob', 10);
INSERT INTO payments VALUES ('53200', 'bob', 10);
INSERT INTO payments VALUES ('57014', 'bob', 10);
INSERT INTO payments VALUES ('57P01', 'bob', 10);
INSERT INTO payments VALUES ('55P03', 'bob', 10);
SET statement_timeout = '50ms';
INSERT INTO payments VALUES ('slow', 'bob', 10);
UPDATE payments SET key = 'slow' WHERE key = 'two';
RESET statement_timeout;
BEGIN;
LOCK TABLE affiliate.commission;
PREPARE TRANSACTION 'maintenance';
SET lock_timeout = '20ms';
INSERT INTO payments VALUES ('locked', 'bob', 10);
RESET lock_timeout;
ROLLBACK PREPARED 'maintenance';
\set VERBOSITY terse
SELECT key FROM payments WHERE key ~ '^([0-9]|slow|locked)';
-- everything else is
INSERT INTO payments VALUES ('XX001', 'bob', 10);
INSERT INTO payments VALUES ('58030', 'bob', 10);
SELECT key, detail FROM aside WHERE key ~ '^[0-9X]{5}$|^XX' ORDER BY key;
-- bad data is bad data as ever, and a quarantine that can't be written fails the payment
INSERT INTO payments VALUES ('nan', 'bob', 'NaN');
SELECT key, reason FROM aside WHERE key = 'nan';
ALTER TABLE affiliate.quarantine ADD CONSTRAINT broken CHECK (payment_key <> 'bad-11') NOT VALID;
INSERT INTO payments VALUES ('bad-11', 'bob', 10);
ALTER TABLE affiliate.quarantine DROP CONSTRAINT broken;
-- a paused table is resumed as far as it goes
SELECT affiliate_pause('parts', 'broken') IS NOT NULL AS paused;
INSERT INTO parts VALUES ('bad-f', 'bob', 10), ('g', 'bob', 10);
SELECT * FROM affiliate_resume('parts');

-- Mended: everything is posted.
DROP INDEX affiliate.broken;
SELECT * FROM affiliate_reconcile();
SELECT payments, key, reason FROM aside ORDER BY payments, key;
DELETE FROM payments WHERE key = 'nan';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT total_money_spent, total_commission FROM affiliate_stats('alice');
ALTER DATABASE regress_on_error RESET affiliate.on_error;
DROP OWNED BY regress_cashier;
DROP ROLE regress_cashier;
