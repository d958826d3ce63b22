-- A reconciliation that would reverse more than a tenth of a table's payments, and more than a hundred,
-- leaves the table as it is.
CREATE DATABASE regress_reconcile_many;
\c regress_reconcile_many
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
SELECT customer FROM affiliate_attribute('ada', 'maya-tips', attributed_at => '2024-01-01');
CREATE TABLE rewritten (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE emptied (id int PRIMARY KEY, customer text, amount numeric, note text);
CREATE TABLE mended (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments(t::regclass, customer => 'customer', amount => 'amount') FROM unnest(ARRAY['rewritten', 'emptied', 'mended']) t;
INSERT INTO rewritten SELECT n, 'ada', 10 FROM generate_series(1, 150) n;
INSERT INTO emptied SELECT n, 'ada', 10 FROM generate_series(1, 1020) n;
INSERT INTO mended SELECT n, 'ada', 10 FROM generate_series(1, 100) n;
CREATE VIEW sums AS SELECT b.table_name, sum(c.amount) AS earned, count(DISTINCT c.payment_key) AS payments
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id GROUP BY b.table_name;
SELECT rate FROM affiliate_set_program('default', rate => 0.1);
ALTER TABLE rewritten ALTER id TYPE text USING 'pay_' || id;
SET session_replication_role = replica;
DELETE FROM emptied WHERE id <= 103;
DELETE FROM mended;
RESET session_replication_role;
\set VERBOSITY default
-- two of them are left as they are; a hundred reversals are few, whatever their share
SELECT * FROM affiliate_reconcile();
SELECT * FROM sums ORDER BY table_name;
-- nor in parts
SELECT * FROM affiliate_reconcile(max_payments => 10);
SELECT * FROM sums ORDER BY table_name;
-- exactly a tenth is no more than a tenth
INSERT INTO emptied SELECT n, 'ada', 10 FROM generate_series(1021, 1030) n;
SELECT * FROM affiliate_reconcile();
SELECT * FROM sums ORDER BY table_name;
\set VERBOSITY verbose
-- the keys are back
ALTER TABLE rewritten ALTER id TYPE int USING substr(id, 5)::int;
SELECT * FROM affiliate_reconcile();
-- the end of a pause asks as well
SELECT affiliate_pause('rewritten', 'rows are moved') IS NOT NULL;
DELETE FROM rewritten;
SELECT * FROM affiliate_resume('rewritten');
SELECT * FROM affiliate_resume('rewritten', force => NULL);
SELECT * FROM affiliate_resume('rewritten', force => true);
-- as asked for
SET session_replication_role = replica;
DELETE FROM emptied;
RESET session_replication_role;
SELECT * FROM affiliate_reconcile(force => NULL);
SELECT * FROM affiliate_reconcile(force => true);
SELECT * FROM sums ORDER BY table_name;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
