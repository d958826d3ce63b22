-- Foreign keys that reach into the payments table: what they delete, change or clear is followed, whoever started it.
CREATE DATABASE regress_foreign_key_cascade;
\c regress_foreign_key_cascade
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE ROLE regress_fk_clerk;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('ben'), ('carol'), ('dan'), ('dora'), ('fay')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE users (name text PRIMARY KEY);
CREATE TABLE currencies (code text PRIMARY KEY);
CREATE TABLE orders (id int PRIMARY KEY);
CREATE TABLE payments (
    order_id int REFERENCES orders ON UPDATE CASCADE ON DELETE CASCADE, n int,
    customer text REFERENCES users ON UPDATE CASCADE ON DELETE CASCADE,
    amount numeric, currency text DEFAULT 'USD' REFERENCES currencies ON UPDATE CASCADE ON DELETE SET DEFAULT,
    paid_on date DEFAULT '2024-02-01', PRIMARY KEY (order_id, n)
);
CREATE TABLE gifts (id int PRIMARY KEY, giver text REFERENCES users ON UPDATE CASCADE ON DELETE SET NULL, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (
    id int PRIMARY KEY, order_id int, n int, amount numeric,
    FOREIGN KEY (order_id, n) REFERENCES payments ON UPDATE CASCADE ON DELETE CASCADE
);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('gifts', customer => 'giver', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'order_id, n', refund_key => 'id', amount => 'amount') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, r.customer, c.currency, c.base, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.referral r ON r.id = c.referral_id;
INSERT INTO users VALUES ('bob'), ('ben'), ('carol'), ('dan'), ('eve');
INSERT INTO currencies VALUES ('USD'), ('EUR'), ('DM');
INSERT INTO orders SELECT generate_series(1, 9);
INSERT INTO payments VALUES (1, 1, 'bob', 10, 'USD'), (1, 2, 'bob', 20, 'USD'), (2, 1, 'ben', 30, 'USD'), (3, 1, 'carol', 40, 'EUR'), (4, 1, 'eve', 50, 'USD'),
    (5, 1, 'dan', 60, 'USD'), (6, 1, 'dan', 70, 'EUR'), (7, 1, 'carol', 80, 'DM');
INSERT INTO gifts VALUES (1, 'bob', 10), (2, 'ben', 20), (3, 'eve', 30), (4, 'carol', 40);
SELECT payments, key, customer, currency, base, amount FROM ledger ORDER BY payments, key COLLATE "C", seq;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;

-- By a role that may touch nothing but the referenced tables.
GRANT SELECT, DELETE, UPDATE ON users, orders, currencies TO regress_fk_clerk;
SET ROLE regress_fk_clerk;
-- ON DELETE CASCADE and SET NULL
DELETE FROM users WHERE name = 'bob';
-- ON UPDATE CASCADE: to a name that nobody referred, and to one that is
UPDATE users SET name = 'bernie' WHERE name = 'ben';
UPDATE users SET name = 'dora' WHERE name = 'dan';
-- a key that other tables hand down: the payment keeps its terms under its new one, and its refunds
UPDATE orders SET id = 33 WHERE id = 3;
-- a currency that is renamed, and one that is given up for the default
UPDATE currencies SET code = 'KWD' WHERE code = 'DM';
DELETE FROM currencies WHERE code = 'EUR';
DELETE FROM orders WHERE id = 5;
RESET ROLE;
SELECT * FROM payments ORDER BY order_id;
SELECT * FROM gifts ORDER BY id;
SELECT payments, key, seq, customer, currency, base, amount FROM ledger WHERE seq > 1 OR key IN ('(33,1)', '(7,1)') ORDER BY payments, key COLLATE "C", seq;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Refunds that go with their payment, and those whose payment gets another key.
INSERT INTO payments VALUES (8, 1, 'carol', 100, 'USD'), (8, 2, 'carol', 100, 'USD'), (9, 1, 'carol', 100, 'USD');
INSERT INTO refunds VALUES (1, 8, 1, 10), (2, 8, 2, 20), (3, 9, 1, 30);
UPDATE orders SET id = 80 WHERE id = 8;
UPDATE payments SET n = 3 WHERE order_id = 80 AND n = 2;
DELETE FROM payments WHERE order_id = 9;
SELECT key, sum(amount) FROM ledger WHERE key ~ '^.(8|9|80),' GROUP BY key ORDER BY key COLLATE "C";
SELECT * FROM refunds ORDER BY id;
DELETE FROM refunds WHERE id = 1;
SELECT key, sum(amount) FROM ledger WHERE key = '(80,1)' GROUP BY key;

-- Deferred constraints act at the end of the transaction.
CREATE TABLE invoices (id int PRIMARY KEY);
CREATE TABLE items (id int PRIMARY KEY, invoice int REFERENCES invoices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('items', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
BEGIN;
INSERT INTO items VALUES (1, 1, 'carol', 10), (2, 2, 'carol', 20);
INSERT INTO invoices VALUES (1), (2);
COMMIT;
BEGIN;
DELETE FROM invoices WHERE id = 1;
SELECT key, sum(amount) FROM ledger WHERE payments = 'items'::regclass GROUP BY key ORDER BY key;
COMMIT;
SELECT key, sum(amount) FROM ledger WHERE payments = 'items'::regclass GROUP BY key ORDER BY key;
\set VERBOSITY sqlstate
BEGIN;
INSERT INTO items VALUES (3, 3, 'carol', 30);
COMMIT;
\set VERBOSITY verbose
SELECT count(*) FROM ledger WHERE payments = 'items'::regclass AND key = '3';

-- A partitioned table behind a cascade.
CREATE TABLE parts (id int PRIMARY KEY, customer text REFERENCES users ON UPDATE CASCADE ON DELETE CASCADE, amount numeric, paid_on date DEFAULT '2024-02-01') PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO parts VALUES (1, 'dora', 10), (101, 'dora', 20), (2, 'carol', 30), (102, 'carol', 40);
SET ROLE regress_fk_clerk;
UPDATE users SET name = 'fay' WHERE name = 'dora';
DELETE FROM users WHERE name = 'carol';
RESET ROLE;
SELECT key, customer, sum(amount) FROM ledger WHERE payments = 'parts'::regclass GROUP BY key, customer ORDER BY key, customer;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
\c regress_foreign_key_cascade
DROP OWNED BY regress_fk_clerk;
DROP ROLE regress_fk_clerk;
