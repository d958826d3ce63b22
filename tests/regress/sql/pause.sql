-- A bound table is taken out of the way of its payments, and back; nothing is lost.
CREATE DATABASE regress_pause;
\c regress_pause
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
CREATE TABLE parts (LIKE payments INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, c.amount FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
CREATE VIEW problems AS
SELECT payments, relation, trigger_name, regexp_replace(problem, '[0-9-]{10} [0-9:]{8}', '<moment>') AS problem
FROM affiliate.binding_health WHERE problem IS NOT NULL;

-- Nothing to pause, or to resume.
SELECT affiliate_pause(NULL, 'because');
SELECT affiliate_pause('payments', NULL);
SELECT affiliate_pause('payments', ' ');
SELECT affiliate_pause('pg_class', 'because');
SELECT affiliate_pause('refunds', 'because');
SELECT * FROM affiliate_resume(NULL);
SELECT * FROM affiliate_resume('pg_class');
SELECT * FROM affiliate_resume('payments');

INSERT INTO payments VALUES (1, 'bob', 10), (2, 'bob', 20), (3, 'bob', 30), (4, 'eve', 40);
INSERT INTO parts VALUES (1, 'bob', 10), (2, 'bob', 20);
-- the ledger is broken: no payment goes through
ALTER TABLE affiliate.commission ADD CONSTRAINT broken CHECK (false) NOT VALID;
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (5, 'bob', 50);
\set VERBOSITY verbose
SELECT affiliate_pause('payments', reason => 'the ledger is broken') = now() AS since_now;
SELECT affiliate_pause('payments', 'once more');
INSERT INTO payments VALUES (5, 'bob', 50), (6, 'eve', 60), (7, 'bob', 'NaN');
COPY payments (id, customer, amount) FROM stdin;
8	bob	80
\.
UPDATE payments SET amount = 100 WHERE id = 1;
UPDATE payments SET amount = 5 WHERE id = 2;
DELETE FROM payments WHERE id = 3;
INSERT INTO refunds VALUES (1, 5, 10), (2, 99, 1);
DELETE FROM refunds WHERE id = 2;
-- TRUNCATE is refused as ever
TRUNCATE payments;
TRUNCATE refunds;
-- other tables are not concerned
\set VERBOSITY sqlstate
INSERT INTO parts VALUES (3, 'bob', 30);
\set VERBOSITY verbose
SELECT * FROM problems;
SELECT check_name, violations, regexp_replace(sample, '[0-9-]{10} [0-9:]{8}', '<moment>') AS sample
FROM affiliate_verify() WHERE violations > 0;
SELECT binding_problems FROM affiliate.operations;
SELECT paused_at IS NOT NULL AS paused, paused_because, paused_by = current_user AS by_me FROM affiliate.binding WHERE id = 2;

-- Resuming while it is broken still: nothing has changed.
\set VERBOSITY sqlstate
SELECT * FROM affiliate_resume('payments');
\set VERBOSITY verbose
SELECT count(*) FROM problems;
ALTER TABLE affiliate.commission DROP CONSTRAINT broken;
-- what is paused is not reconciled with the rest
INSERT INTO parts VALUES (3, 'bob', 30);
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger ORDER BY payments, key, seq;
SELECT * FROM affiliate_resume('payments');
SELECT * FROM affiliate_resume('payments');
SELECT * FROM ledger WHERE payments = 'payments'::regclass ORDER BY key, seq;
SELECT payment_key, reason FROM affiliate.quarantine WHERE resolved_at IS NULL;
INSERT INTO payments VALUES (9, 'bob', 90);
UPDATE payments SET amount = 70 WHERE id = 7;
SELECT * FROM ledger WHERE payments = 'payments'::regclass AND key IN (7, 9);
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM problems;

-- Within one transaction, with savepoints, and taken back.
BEGIN;
SELECT affiliate_pause('payments', 'a short moment') IS NOT NULL AS paused;
INSERT INTO payments VALUES (10, 'bob', 100);
SAVEPOINT s;
INSERT INTO payments VALUES (11, 'bob', 110);
ROLLBACK TO s;
SELECT * FROM affiliate_resume('payments');
INSERT INTO payments VALUES (12, 'bob', 120);
COMMIT;
BEGIN;
SELECT affiliate_pause('payments', 'a mistake') IS NOT NULL AS paused;
ROLLBACK;
INSERT INTO payments VALUES (13, 'bob', 130);
SELECT * FROM ledger WHERE payments = 'payments'::regclass AND key >= 10 ORDER BY key, seq;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM affiliate_resume('payments');
ROLLBACK;

-- A partitioned table, also by way of a partition; a row that moves keeps its key.
SELECT affiliate_pause('parts_1', 'partitions') IS NOT NULL AS paused;
INSERT INTO parts VALUES (4, 'bob', 40);
INSERT INTO parts_2 VALUES (104, 'bob', 40);
DELETE FROM parts_1 WHERE id = 1;
UPDATE parts SET id = 102 WHERE id = 2;
SELECT payments, relation, trigger_name, problem ~ '^paused by .* since .* UTC: partitions$' AS paused FROM problems;
SELECT * FROM affiliate_resume('parts');
SELECT * FROM ledger WHERE payments = 'parts'::regclass ORDER BY key, seq;

-- The extension's own table.
SELECT affiliate_pause('affiliate.payment', 'own') IS NOT NULL AS paused;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 10, '2024-02-01');
SELECT * FROM affiliate_resume('affiliate.payment');

-- Detached and attached again it posts.
SELECT affiliate_pause('payments', 'to be attached anew') IS NOT NULL AS paused;
BEGIN;
SELECT affiliate_detach('refunds');
SELECT affiliate_detach('payments');
SELECT count(*) FROM problems;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
COMMIT;
INSERT INTO payments VALUES (20, 'bob', 200);
SELECT * FROM ledger WHERE payments = 'payments'::regclass AND key = 20;
SELECT * FROM affiliate_resume('payments');
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
