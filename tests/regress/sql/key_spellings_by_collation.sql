-- needs: icu
-- Payment keys that a collation compares without case, as key_spellings does by a type.
CREATE DATABASE regress_key_spellings_by_collation;
\c regress_key_spellings_by_collation
SET client_min_messages = warning;
CREATE EXTENSION affiliate;
CREATE COLLATION ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT code FROM affiliate_create('maya', code => 'maya');
SELECT customer FROM affiliate_attribute('bob', code => 'maya', attributed_at => '2024-01-01');
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, count(*) AS entries, sum(c.amount) AS commission
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id GROUP BY b.payments, c.payment_key;
CREATE VIEW problems AS SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;

CREATE TABLE by_collation (id text COLLATE ignoring_case PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
SELECT affiliate_set_program('default', rate => 0.3) IS NOT NULL AS changed;
SELECT affiliate_attach_payments('by_collation', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
INSERT INTO by_collation VALUES ('abc', 'bob', 100), ('def', 'bob', 100);
SELECT affiliate_record_refund('by_collation', 'aBc', 'r1', 10);
SELECT affiliate_set_program('default', rate => 0.5) IS NOT NULL AS changed;
UPDATE by_collation SET id = 'ABC' WHERE id = 'abc';
SELECT key, commission FROM ledger WHERE payments = 'by_collation'::regclass ORDER BY key COLLATE "C";
SELECT * FROM problems;
-- behind the triggers' back: the comparison says so, and reconciling takes the terms along
SET session_replication_role = replica;
UPDATE by_collation SET id = 'DEF' WHERE id = 'def';
RESET session_replication_role;
SELECT * FROM problems;
SELECT * FROM affiliate_reconcile();
SELECT * FROM affiliate_reconcile();
SELECT key, commission FROM ledger WHERE payments = 'by_collation'::regclass ORDER BY key COLLATE "C";
DELETE FROM by_collation;
SELECT key, commission FROM ledger WHERE payments = 'by_collation'::regclass ORDER BY key COLLATE "C";
-- a table of refunds can be looked up by such a key only if its column compares in the same way
CREATE TABLE text_refunds (id int PRIMARY KEY, payment text, amount numeric);
CREATE TABLE collated_refunds (id int PRIMARY KEY, payment text COLLATE ignoring_case, amount numeric);
SELECT affiliate_attach_refunds('text_refunds', payments => 'by_collation', payment_key => 'payment', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('collated_refunds', payments => 'by_collation', payment_key => 'payment', refund_key => 'id', amount => 'amount') > 0 AS bound;
INSERT INTO collated_refunds VALUES (1, 'Ghi', 10);
INSERT INTO by_collation VALUES ('GHI', 'bob', 100);
SELECT key, commission FROM ledger WHERE payments = 'by_collation'::regclass ORDER BY key COLLATE "C";
SELECT * FROM problems;
\c postgres
DROP DATABASE regress_key_spellings_by_collation;
