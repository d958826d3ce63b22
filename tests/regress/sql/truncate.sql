-- TRUNCATE tells no trigger which rows are gone: refused, unless deletes are kept.
CREATE DATABASE regress_truncate;
\c regress_truncate
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE users (id text PRIMARY KEY);
CREATE TABLE payments (id int PRIMARY KEY, customer text REFERENCES users, amount numeric, paid_at date DEFAULT '2024-02-01');
CREATE TABLE kept (id int PRIMARY KEY, customer text, amount numeric, paid_at date DEFAULT '2024-02-01');
CREATE TABLE other (id int);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
SELECT affiliate_attach_payments('kept', customer => 'customer', amount => 'amount', paid_at => 'paid_at', on_delete => 'keep') AS binding;
INSERT INTO users VALUES ('bob'), ('eve');
INSERT INTO payments VALUES (1, 'bob', 20), (2, 'eve', 20);
INSERT INTO kept VALUES (1, 'bob', 20), (2, 'bob', 30);
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, c.base, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;

-- Refused: alone, with others, by cascade, restarting sequences; and the other tables keep their rows.
TRUNCATE payments;
INSERT INTO other VALUES (1);
TRUNCATE other, payments;
TRUNCATE ONLY payments;
TRUNCATE payments RESTART IDENTITY;
INSERT INTO affiliate.payment (customer, amount, paid_at) VALUES ('bob', 10, '2024-02-01');
SET client_min_messages = warning; -- which tables are reached is PostgreSQL's to say
TRUNCATE users CASCADE;
TRUNCATE affiliate.payment CASCADE;
RESET client_min_messages;
\set VERBOSITY sqlstate
TRUNCATE affiliate.payment;
\set VERBOSITY verbose
SELECT (SELECT count(*) FROM payments) AS payments, (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM other) AS other;
-- one that has earned nothing is nobody's loss
CREATE TABLE empty (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('empty', customer => 'customer', amount => 'amount') AS binding;
TRUNCATE empty;

-- Kept: the rows go, the ledger stays.
TRUNCATE kept;
SELECT key, base, amount FROM ledger WHERE payments = 'kept'::regclass ORDER BY key;
-- the same keys again: the difference
INSERT INTO kept VALUES (1, 'bob', 20), (2, 'bob', 20), (3, 'bob', 20);
SELECT key, seq, base, amount FROM ledger WHERE payments = 'kept'::regclass ORDER BY key, seq;

-- Rolled back, nothing has happened.
BEGIN;
TRUNCATE kept;
ROLLBACK;
UPDATE kept SET amount = 10 WHERE id = 1;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'kept'::regclass AND key = 1 ORDER BY seq;

-- A table of refunds: commissions would have to be posted again.
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO refunds VALUES (1, 1, 5);
TRUNCATE refunds;
SELECT count(*) FROM refunds;

-- A partitioned table, and each partition it had when it was attached. One that came later can be truncated by itself:
-- verify finds that its payments are gone, and reconcile reverses them.
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric, paid_at date DEFAULT '2024-02-01') PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts VALUES (1, 'bob', 20), (101, 'bob', 20);
TRUNCATE parts;
TRUNCATE parts_1;
TRUNCATE parts_2;
SELECT count(*) FROM parts;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE payments = 'parts'::regclass ORDER BY key, seq;

-- As the hint says: DELETE, or detach first.
DELETE FROM payments;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass ORDER BY key, seq;
INSERT INTO payments VALUES (3, 'bob', 20);
SELECT affiliate_detach('payments');
TRUNCATE payments;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass AND key = 3;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
