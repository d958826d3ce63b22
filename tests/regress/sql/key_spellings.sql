-- A payment has one key: the text that its row has. Whatever else is written for it finds that payment.
CREATE DATABASE regress_key_spellings;
\c regress_key_spellings
SET client_min_messages = warning;
CREATE EXTENSION affiliate;
CREATE EXTENSION citext;
SET timezone = 'UTC';
SELECT code FROM affiliate_create('maya', code => 'maya');
SELECT customer FROM affiliate_attribute('bob', code => 'maya', attributed_at => '2024-01-01');
-- The net commission of every payment, by the text that the ledger knows it by, and what is wrong.
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, count(*) AS entries, sum(c.amount) AS commission
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id GROUP BY b.payments, c.payment_key;
CREATE VIEW problems AS SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;

-- A uuid in upper case, by a call and in a table of refunds that keeps it as text, before and after the payment.
CREATE TABLE by_uuid (id uuid PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
CREATE TABLE uuid_refunds (id int PRIMARY KEY, payment text, amount numeric);
CREATE INDEX ON uuid_refunds (payment);
SELECT affiliate_attach_payments('by_uuid', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
SELECT affiliate_attach_refunds('uuid_refunds', payments => 'by_uuid', payment_key => 'payment', refund_key => 'id', amount => 'amount') > 0 AS bound;
INSERT INTO by_uuid VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a01', 'bob', 100);
INSERT INTO uuid_refunds VALUES (1, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A01', 10);
INSERT INTO uuid_refunds VALUES (2, '{a0eebc999c0b4ef8bb6d6bb9bd380a01}', 20), (3, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a01', 30);
INSERT INTO uuid_refunds VALUES (4, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A02', 50);
INSERT INTO by_uuid VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a02', 'bob', 100);
SELECT key, commission FROM ledger WHERE payments = 'by_uuid'::regclass ORDER BY key;
-- what is no uuid names no payment, and does not keep the refund from being written
INSERT INTO uuid_refunds VALUES (5, 'none', 1), (6, NULL, 1), (7, '', 1);
-- one that no trigger has seen is found by the comparison and settled by reconciling
SET session_replication_role = replica;
INSERT INTO uuid_refunds VALUES (8, 'A0EEBC99-9C0B-4EF8-BB6D-6bb9bd380a02', 25);
RESET session_replication_role;
SELECT * FROM problems;
SELECT * FROM affiliate_reconcile();
SELECT key, commission FROM ledger WHERE payments = 'by_uuid'::regclass ORDER BY key;
UPDATE by_uuid SET amount = 200;
UPDATE uuid_refunds SET amount = 0 WHERE id = 1;
DELETE FROM uuid_refunds WHERE id = 4;
SELECT key, commission FROM ledger WHERE payments = 'by_uuid'::regclass ORDER BY key;
SELECT affiliate_record_refund('by_uuid', 'A0EEBC999C0B4EF8BB6D6BB9BD380A02', 'd1', 75, kind => 'dispute');
SELECT key, commission FROM ledger WHERE payments = 'by_uuid'::regclass ORDER BY key;
SELECT affiliate_explain('by_uuid', '{A0EEBC999C0B4EF8BB6D6BB9BD380A02}') ->> 'payment_key' AS key;
SELECT * FROM problems;
SELECT * FROM affiliate_reconcile();

-- Integers.
CREATE TABLE by_bigint (id bigint PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
CREATE TABLE bigint_refunds (id int PRIMARY KEY, payment text, amount numeric);
SELECT affiliate_attach_payments('by_bigint', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
INSERT INTO by_bigint VALUES (1, 'bob', 100), (2, 'bob', 100), (3, 'bob', 100);
SELECT affiliate_record_refund('by_bigint', '001', 'r1', 10);
SELECT affiliate_record_refund('by_bigint', ' 1', 'r2', 10);
SELECT affiliate_record_refund('by_bigint', '+1', 'r1', 10); -- the same again
SELECT affiliate_record_refund('by_bigint', '004', 'r3', 40); -- waits
INSERT INTO by_bigint VALUES (4, 'bob', 100);
\set VERBOSITY sqlstate
SELECT affiliate_record_refund('by_bigint', 'one', 'r4', 10);
SELECT affiliate_record_refund('by_bigint', '99999999999999999999', 'r4', 10);
\set VERBOSITY default
SELECT key, commission FROM ledger WHERE payments = 'by_bigint'::regclass ORDER BY key;
SELECT * FROM problems;

-- What the equality of the key takes for the same: trailing zeros.
CREATE TABLE by_numeric (id numeric PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('by_numeric', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
SELECT affiliate_record_refund('by_numeric', '3.00', 'early', 30);
INSERT INTO by_numeric VALUES (1.10, 'bob', 100), (2, 'bob', 100), (3.0, 'bob', 100);
SELECT affiliate_record_refund('by_numeric', '1.1', 'r1', 10);
SELECT affiliate_record_refund('by_numeric', '2.000', 'r2', 20);
SELECT affiliate_record_refund('by_numeric', '003', 'early', 30);
SELECT key, commission FROM ledger WHERE payments = 'by_numeric'::regclass ORDER BY key;
SELECT affiliate_set_program('default', rate => 0.5) IS NOT NULL AS changed;
UPDATE by_numeric SET id = 1.1 WHERE id = 1.1;
SELECT key, commission FROM ledger WHERE payments = 'by_numeric'::regclass ORDER BY key;
SELECT * FROM problems;
SELECT * FROM affiliate_reconcile();
SELECT payment_key, amount FROM affiliate.refund WHERE binding_id = (SELECT id FROM affiliate.binding WHERE payments = 'by_numeric'::regclass) ORDER BY payment_key;

-- Case, by a type: terms, refunds and entries go along.
CREATE TABLE by_citext (id citext PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
SELECT affiliate_set_program('default', rate => 0.3) IS NOT NULL AS changed;
SELECT affiliate_attach_payments('by_citext', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
INSERT INTO by_citext VALUES ('abc', 'bob', 100), ('def', 'bob', 100);
SELECT affiliate_record_refund('by_citext', 'aBc', 'r1', 10);
SELECT affiliate_set_program('default', rate => 0.5) IS NOT NULL AS changed;
UPDATE by_citext SET id = 'ABC' WHERE id = 'abc';
SELECT key, commission FROM ledger WHERE payments = 'by_citext'::regclass ORDER BY key COLLATE "C";
SELECT * FROM problems;
-- behind the triggers' back: the comparison says so, and reconciling takes the terms along
SET session_replication_role = replica;
UPDATE by_citext SET id = 'DEF' WHERE id = 'def';
RESET session_replication_role;
SELECT * FROM problems;
SELECT * FROM affiliate_reconcile();
SELECT * FROM affiliate_reconcile();
SELECT key, commission FROM ledger WHERE payments = 'by_citext'::regclass ORDER BY key COLLATE "C";
UPDATE by_citext SET amount = 200;
SELECT key, commission FROM ledger WHERE payments = 'by_citext'::regclass ORDER BY key COLLATE "C";
-- a table of refunds can be looked up by such a key only if its column compares in the same way
CREATE TABLE text_refunds (id int PRIMARY KEY, payment text, amount numeric);
CREATE TABLE citext_refunds (id int PRIMARY KEY, payment citext, amount numeric);
SELECT affiliate_attach_refunds('text_refunds', payments => 'by_citext', payment_key => 'payment', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('citext_refunds', payments => 'by_citext', payment_key => 'payment', refund_key => 'id', amount => 'amount') > 0 AS bound;
INSERT INTO citext_refunds VALUES (1, 'Abc', 10), (2, 'ghi', 50);
INSERT INTO by_citext VALUES ('GHI', 'bob', 100);
SELECT payments, key, commission FROM ledger WHERE payments = 'by_citext'::regclass ORDER BY key COLLATE "C";
SELECT * FROM problems;

-- ALTER TABLE changes the texts of all keys: the ledger follows at once, with the frozen rate of 30%.
SELECT affiliate_set_program('default', rate => 0.3) IS NOT NULL AS changed;
CREATE TABLE altered (id text PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
CREATE TABLE scaled (id numeric(10,2) PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('altered', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
SELECT affiliate_attach_payments('scaled', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
INSERT INTO altered VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'bob', 100), ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'bob', 100), ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A13', 'bob', 'NaN');
INSERT INTO scaled VALUES (1.1, 'bob', 100);
SELECT affiliate_record_refund('altered', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'r1', 10);
SELECT affiliate_set_program('default', rate => 0.5) IS NOT NULL AS changed;
ALTER TABLE altered ALTER COLUMN id TYPE uuid USING id::uuid;
ALTER TABLE scaled ALTER COLUMN id TYPE numeric(12,4);
SELECT payments, key, entries, commission FROM ledger WHERE payments IN ('altered'::regclass, 'scaled'::regclass) ORDER BY payments::text, key COLLATE "C";
SELECT payment_key, reason FROM affiliate.quarantine WHERE resolved_at IS NULL;
UPDATE altered SET amount = 100 WHERE amount = 'NaN';
SELECT * FROM problems;
SELECT * FROM affiliate_reconcile();
UPDATE altered SET amount = 200 WHERE id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
UPDATE scaled SET amount = 200;
SELECT affiliate_record_refund('altered', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'r2', 10);
SELECT payments, key, commission FROM ledger WHERE payments IN ('altered'::regclass, 'scaled'::regclass) AND commission <> 0 ORDER BY payments::text, key COLLATE "C";
-- without the event trigger, whoever posts next sees to it
ALTER EVENT TRIGGER affiliate_follow_key_types DISABLE;
ALTER TABLE scaled ALTER COLUMN id TYPE numeric(12,1);
ALTER EVENT TRIGGER affiliate_follow_key_types ENABLE ALWAYS;
INSERT INTO scaled VALUES (2, 'bob', 10);
SELECT key, commission FROM ledger WHERE payments = 'scaled'::regclass AND commission <> 0 ORDER BY key COLLATE "C";
SELECT * FROM problems;

-- A spelling that the payment had before, and has again.
CREATE TABLE again (id numeric PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
SELECT affiliate_set_program('default', rate => 0.3) IS NOT NULL AS changed;
SELECT affiliate_attach_payments('again', customer => 'customer', amount => 'amount', paid_at => 'paid_at', on_delete => 'keep') > 0 AS bound;
INSERT INTO again VALUES (1.5000, 'bob', 100), (2.5000, 'bob', 100);
UPDATE again SET id = trim_scale(id);
DELETE FROM again WHERE id = 2.5;
SELECT affiliate_set_program('default', rate => 0.5) IS NOT NULL AS changed;
ALTER TABLE again ALTER COLUMN id TYPE numeric(12,4);
SELECT key, commission FROM ledger WHERE payments = 'again'::regclass ORDER BY key;
SELECT * FROM affiliate_reconcile();
UPDATE again SET amount = 200;
SELECT key, commission FROM ledger WHERE payments = 'again'::regclass ORDER BY key;

-- Composite keys, of columns of each kind.
CREATE TABLE composite (tenant bigint, ref numeric, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01', PRIMARY KEY (tenant, ref));
SELECT affiliate_attach_payments('composite', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
INSERT INTO composite VALUES (1, 1.10, 'bob', 100);
SELECT affiliate_record_refund('composite', '(01,1.1)', 'r1', 10);
UPDATE composite SET ref = 1.100;
SELECT key, commission FROM ledger WHERE payments = 'composite'::regclass AND commission <> 0;
SELECT affiliate_explain('composite', '(" 1",1.1000)') ->> 'payment_key' AS key;
SELECT * FROM problems;
\c postgres
DROP DATABASE regress_key_spellings;
