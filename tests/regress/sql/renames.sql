-- Columns, tables and schemas renamed or moved: payments go on earning, and everything that looks at them goes on finding them.
CREATE DATABASE regress_renames;
\c regress_renames
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE SCHEMA shop;
CREATE TABLE shop.payments (
    id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD', refunded numeric DEFAULT 0,
    paid_at timestamptz DEFAULT '2024-02-01', product text, status text DEFAULT 'paid'
);
SELECT affiliate_attach_payments('shop.payments', customer => 'customer', amount => 'amount', currency => 'currency',
    paid_at => 'paid_at', refunded => 'refunded', product => 'product', paid_when => $$status = 'paid'$$) AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, c.currency, c.base, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
INSERT INTO shop.payments (id, customer, amount) VALUES (1, 'bob', 10), (2, 'bob', 20);

-- Every mapped column in turn, the key and that of the condition included, while the session goes on.
ALTER TABLE shop.payments RENAME customer TO account;
INSERT INTO shop.payments (id, account, amount) VALUES (3, 'bob', 30);
ALTER TABLE shop.payments RENAME amount TO "Total, net";
INSERT INTO shop.payments (id, account, "Total, net") VALUES (4, 'bob', 40);
ALTER TABLE shop.payments RENAME currency TO cur;
ALTER TABLE shop.payments RENAME refunded TO given_back;
ALTER TABLE shop.payments RENAME paid_at TO "when";
ALTER TABLE shop.payments RENAME product TO sku;
ALTER TABLE shop.payments RENAME status TO state;
ALTER TABLE shop.payments RENAME id TO number;
INSERT INTO shop.payments (number, account, "Total, net", cur, given_back, "when", sku, state) VALUES
    (5, 'bob', 50, 'EUR', 10, '2024-03-01', 'gold', 'paid'), (6, 'bob', 60, 'EUR', 10, '2024-03-01', 'gold', 'open'),
    (7, 'bob', 70, 'EUR', 10, '2023-03-01', 'gold', 'paid'), (8, 'eve', 80, 'EUR', 10, '2024-03-01', 'gold', 'paid');
UPDATE shop.payments SET "Total, net" = 15 WHERE number = 1;
UPDATE shop.payments SET given_back = 5 WHERE number = 2;
UPDATE shop.payments SET state = 'open' WHERE number = 3;
DELETE FROM shop.payments WHERE number = 4;
SELECT key, seq, currency, base, amount FROM ledger ORDER BY key, seq;

-- The table, its schema, and both; then the schema itself.
ALTER TABLE shop.payments RENAME TO "Sales 2024";
INSERT INTO shop."Sales 2024" (number, account, "Total, net") VALUES (10, 'bob', 10);
ALTER TABLE shop."Sales 2024" SET SCHEMA public;
INSERT INTO "Sales 2024" (number, account, "Total, net") VALUES (11, 'bob', 10);
ALTER TABLE "Sales 2024" RENAME TO sales;
ALTER TABLE sales SET SCHEMA shop;
ALTER SCHEMA shop RENAME TO store;
INSERT INTO store.sales (number, account, "Total, net") VALUES (12, 'bob', 10);
UPDATE store.sales SET "Total, net" = 20 WHERE number = 10;
DELETE FROM store.sales WHERE number = 11;
SELECT payments, key, seq, base, amount FROM ledger WHERE key IN ('10', '11', '12') ORDER BY key, seq;

-- What is called by the table's name knows its new one.
SELECT e ->> 'table' AS "table", e -> 'commission' ->> 'target' AS target FROM affiliate_explain('store.sales', 12) e;
SELECT e ->> 'reason' AS reason FROM affiliate_explain('store.sales', 6) e;
SELECT affiliate_record_refund('store.sales', 12, 'dispute-1', 5, kind => 'dispute');
SELECT key, seq, base, amount FROM ledger WHERE key = '12' ORDER BY seq;
SELECT * FROM affiliate_backfill('store.sales');
SELECT DISTINCT payments, problem FROM affiliate.binding_health WHERE binding_id = 2;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- What verify and reconcile find is found under the new names too.
SET session_replication_role = replica;
INSERT INTO store.sales (number, account, "Total, net") VALUES (13, 'bob', 10);
UPDATE store.sales SET "Total, net" = 25 WHERE number = 10;
DELETE FROM store.sales WHERE number = 1;
RESET session_replication_role;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Names that change places: it is the columns that were mapped, not their names.
ALTER TABLE store.sales RENAME "Total, net" TO gross;
ALTER TABLE store.sales RENAME given_back TO amount;
INSERT INTO store.sales (number, account, gross, amount) VALUES (20, 'bob', 100, 10);
ALTER TABLE store.sales RENAME amount TO refunded;
ALTER TABLE store.sales ADD amount numeric DEFAULT 1000;
INSERT INTO store.sales (number, account, gross, refunded, amount) VALUES (21, 'bob', 100, 20, 5000);
BEGIN;
ALTER TABLE store.sales RENAME gross TO x;
ALTER TABLE store.sales RENAME state TO gross;
ALTER TABLE store.sales RENAME x TO state;
INSERT INTO store.sales (number, account, state, refunded, gross) VALUES (22, 'bob', 100, 30, 'paid');
ROLLBACK;
INSERT INTO store.sales (number, account, gross, refunded, state) VALUES (22, 'bob', 100, 40, 'paid');
-- a new column with the name that the condition was written with
ALTER TABLE store.sales ADD status text DEFAULT 'open';
INSERT INTO store.sales (number, account, gross, status, state) VALUES (23, 'bob', 100, 'open', 'paid'), (24, 'bob', 100, 'paid', 'open');
SELECT key, seq, base, amount FROM ledger WHERE key >= '20' AND key <= '29' ORDER BY key, seq;

-- A table with the old name is another table.
CREATE SCHEMA shop;
CREATE TABLE shop.payments (id int PRIMARY KEY, customer text, amount numeric);
INSERT INTO shop.payments VALUES (30, 'bob', 10);
SELECT count(*) FROM ledger WHERE key = '30';
SELECT affiliate_attach_payments('shop.payments', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO shop.payments VALUES (1, 'bob', 10);
SELECT payments, seq, base, amount FROM ledger WHERE key = '1' ORDER BY payments, seq;
DELETE FROM shop.payments WHERE id = 30;

-- Tables of refunds and their columns.
CREATE TABLE shop.refunds (id int PRIMARY KEY, payment int, amount numeric, currency text);
SELECT affiliate_attach_refunds('shop.refunds', payments => 'shop.payments', payment_key => 'payment', refund_key => 'id', amount => 'amount', currency => 'currency') AS binding;
INSERT INTO shop.refunds VALUES (1, 1, 1, 'USD');
ALTER TABLE shop.refunds RENAME payment TO "of";
ALTER TABLE shop.refunds RENAME amount TO value;
ALTER TABLE shop.refunds RENAME currency TO cur;
ALTER TABLE shop.refunds RENAME id TO number;
ALTER TABLE shop.refunds RENAME TO returns;
ALTER TABLE shop.returns SET SCHEMA public;
INSERT INTO returns VALUES (2, 1, 2, 'USD');
UPDATE returns SET value = 3 WHERE number = 2;
SELECT payments, seq, base, amount FROM ledger WHERE payments = 'shop.payments'::regclass ORDER BY seq;

-- Partitions, and a column of the partitioned table: it is renamed in each of them.
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO parts VALUES (1, 'bob', 10);
ALTER TABLE parts RENAME amount TO total;
ALTER TABLE parts RENAME id TO number;
ALTER TABLE parts_1 RENAME TO "first part";
ALTER TABLE parts RENAME TO pieces;
INSERT INTO pieces VALUES (2, 'bob', 20);
INSERT INTO "first part" VALUES (3, 'bob', 30);
UPDATE "first part" SET total = 40 WHERE number = 1;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'pieces'::regclass ORDER BY key, seq;

-- What a dump saves are the names of today, at the latest once affiliate_maintain() has run: restored, a binding finds its columns by them.
SELECT affiliate_maintain() > 0 AS folded;
SELECT payments, payment_key, customer, amount, currency, paid_at, refunded, product FROM affiliate.binding WHERE id > 1 ORDER BY id;
SELECT refunds, payment_key, refund_key, amount, currency FROM affiliate.refunds_binding;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
