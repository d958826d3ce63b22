-- What is not the data's fault: when the ledger can't be written or read, or the statement is canceled, payment and entry fail together.
CREATE DATABASE regress_infrastructure_errors;
\c regress_infrastructure_errors
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE parts (LIKE payments INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, c.base, c.amount FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
INSERT INTO payments VALUES (1, 'bob', 10), (2, 'bob', 20), (3, 'eve', 30);
INSERT INTO parts VALUES (1, 'bob', 10), (2, 'bob', 20);

-- The ledger refuses an entry: so does the payments table the row, and with it the statement.
CREATE INDEX full_disk ON affiliate.commission ((1 / (payment_key::int - 13)), sqrt(amount));
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (13, 'bob', 10);
INSERT INTO payments VALUES (12, 'bob', 10), (13, 'bob', 10), (14, 'eve', 10);
INSERT INTO payments SELECT n, 'bob', 1 FROM generate_series(10, 2000) n;
COPY payments (id, customer, amount) FROM stdin;
11	bob	10
13	bob	10
\.
UPDATE payments SET amount = 5 WHERE id = 1;
UPDATE payments SET amount = amount / 2;
UPDATE payments SET id = 13 WHERE id = 2;
DELETE FROM payments WHERE id = 1;
SELECT affiliate_record_refund('payments', 1, 'refund-1', 5);
INSERT INTO parts VALUES (12, 'bob', 10), (13, 'bob', 10);
UPDATE parts SET amount = 5 WHERE id = 1;
DELETE FROM parts WHERE id = 1;
SET session_replication_role = replica;
DELETE FROM parts WHERE id = 2;
INSERT INTO parts VALUES (5, 'bob', 50);
RESET session_replication_role;
SELECT * FROM affiliate_reconcile();
\set VERBOSITY verbose
SELECT * FROM payments ORDER BY id;
SELECT payments, key, seq, base, amount FROM ledger ORDER BY payments, key, seq;
SELECT count(*) FROM affiliate.refund;
-- what the host catches is undone as a whole
DO $$
BEGIN
    INSERT INTO payments VALUES (15, 'bob', 150);
    BEGIN
        INSERT INTO payments VALUES (16, 'bob', 160);
        INSERT INTO payments VALUES (13, 'bob', 130);
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO payments VALUES (17, 'bob', 170);
    END;
END $$;
-- and nobody else is disturbed
INSERT INTO payments VALUES (18, 'eve', -180);
UPDATE payments SET amount = 1 WHERE customer = 'eve';
DELETE FROM payments WHERE customer = 'eve';
DROP INDEX affiliate.full_disk;
INSERT INTO payments VALUES (13, 'bob', 130);
SELECT id FROM payments WHERE id > 10 ORDER BY id;
SELECT key, seq, base, amount FROM ledger WHERE key > 10 ORDER BY key, seq;
SELECT * FROM affiliate_reconcile();

-- Bad data that can't be put into quarantine.
ALTER TABLE affiliate.quarantine ADD CONSTRAINT full_disk CHECK (payment_key <> '20') NOT VALID;
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (20, 'bob', 'NaN');
\set VERBOSITY verbose
INSERT INTO payments VALUES (21, 'bob', 'NaN');
ALTER TABLE affiliate.quarantine DROP CONSTRAINT full_disk;
SELECT id FROM payments WHERE id IN (20, 21);
UPDATE payments SET amount = 210 WHERE id = 21;

-- Somebody holds the ledger: a payment waits, and gives up as it was told to; one of nobody's does not even wait.
BEGIN;
LOCK TABLE affiliate.commission;
PREPARE TRANSACTION 'maintenance';
SET lock_timeout = '20ms';
INSERT INTO payments VALUES (30, 'eve', 300);
UPDATE payments SET amount = 310 WHERE id = 30;
DELETE FROM payments WHERE id = 30;
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (31, 'bob', 310);
UPDATE payments SET amount = 310 WHERE id = 1;
DELETE FROM payments WHERE id = 1;
\set VERBOSITY verbose
ROLLBACK PREPARED 'maintenance';
RESET lock_timeout;
SELECT id, amount FROM payments WHERE id IN (1, 30, 31);
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass AND key IN (1, 30, 31);
INSERT INTO payments VALUES (31, 'bob', 310);

-- Canceled in the middle.
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN NULL; END$$;
CREATE TRIGGER z_slow AFTER INSERT OR UPDATE OR DELETE ON payments FOR EACH STATEMENT EXECUTE FUNCTION slow();
SET statement_timeout = '20ms';
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (40, 'bob', 400);
UPDATE payments SET amount = 400 WHERE id = 31;
DELETE FROM payments WHERE id = 31;
\set VERBOSITY verbose
RESET statement_timeout;
DROP TRIGGER z_slow ON payments;
SELECT id, amount FROM payments WHERE id >= 31;
SELECT key, seq, base, amount FROM ledger WHERE key >= 31 ORDER BY key, seq;

-- A read-only session writes neither.
SET default_transaction_read_only = on;
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (50, 'bob', 500);
\set VERBOSITY verbose
RESET default_transaction_read_only;
INSERT INTO payments VALUES (50, 'bob', 500);

-- A constraint of the ledger that an entry breaks.
ALTER TABLE affiliate.commission ADD CONSTRAINT unlucky CHECK (payment_key <> '60') NOT VALID;
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (60, 'bob', 600);
UPDATE payments SET id = 60 WHERE id = 50;
\set VERBOSITY verbose
ALTER TABLE affiliate.commission DROP CONSTRAINT unlucky;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
