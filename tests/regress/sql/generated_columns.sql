-- Generated columns: amount, currency, customer, key, time and condition as PostgreSQL computes them.
CREATE DATABASE regress_generated_columns;
\c regress_generated_columns
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('u-1'), ('u-2')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE lines (
    id int GENERATED ALWAYS AS IDENTITY,
    number text GENERATED ALWAYS AS ('R-' || nr) STORED NOT NULL UNIQUE,
    nr int, user_id int,
    customer text GENERATED ALWAYS AS ('u-' || user_id) STORED,
    quantity int, price numeric(12,4),
    total numeric GENERATED ALWAYS AS (quantity * price) STORED,
    returned int DEFAULT 0,
    given_back numeric GENERATED ALWAYS AS (returned * price) STORED,
    country text DEFAULT 'us',
    currency text GENERATED ALWAYS AS (CASE country WHEN 'us' THEN 'usd' WHEN 'jp' THEN 'jpy' ELSE 'eur' END) STORED,
    epoch bigint DEFAULT 1706745600,
    paid_on date GENERATED ALWAYS AS (date '1970-01-01' + (epoch / 86400)::int) STORED,
    state int DEFAULT 1,
    settled boolean GENERATED ALWAYS AS (state > 0) STORED
);
SELECT affiliate_attach_payments('lines', payment_key => 'number', customer => 'customer', amount => 'total', currency => 'currency', paid_at => 'paid_on',
    refunded => 'given_back', paid_when => 'settled') AS binding;
CREATE VIEW ledger AS SELECT c.payment_key AS key, c.seq, c.currency, c.base, c.refunded, c.amount, c.matures_on FROM affiliate.commission c WHERE c.binding_id = 2;
INSERT INTO lines (nr, user_id, quantity, price) VALUES (1, 1, 3, 6.6667), (2, 2, 1, 200), (3, 3, 1, 10), (4, NULL, 1, 10), (5, 1, NULL, 10);
INSERT INTO lines (nr, user_id, quantity, price, country, returned, epoch, state) VALUES (6, 1, 1, 999, 'jp', 0, 1709251200, 1), (7, 1, 2, 10, 'de', 1, 1709251200, 1),
    (8, 1, 2, 10, 'de', 0, 1672531200, 1), (9, 1, 2, 10, 'de', 0, 1709251200, 0);
SELECT key, seq, currency, base, refunded, amount, matures_on FROM ledger ORDER BY key, seq;
SELECT payment_key, reason FROM affiliate.quarantine;

-- The columns they are computed from are not mapped; a change of them is one all the same.
UPDATE lines SET quantity = 6 WHERE nr = 1;
UPDATE lines SET price = 100, returned = 1 WHERE nr = 2;
UPDATE lines SET user_id = 1 WHERE nr IN (3, 4);
UPDATE lines SET quantity = 1 WHERE nr = 5;
UPDATE lines SET country = 'us' WHERE nr = 6;
UPDATE lines SET nr = 70 WHERE nr = 7;
UPDATE lines SET state = 2 WHERE nr IN (1, 9);
UPDATE lines SET state = 0 WHERE nr = 2;
SELECT key, seq, currency, base, refunded, amount FROM ledger WHERE seq > 1 OR key IN ('R-3', 'R-4', 'R-5', 'R-70', 'R-9') ORDER BY key, seq;
DELETE FROM lines WHERE nr = 1;
COPY lines (nr, user_id, quantity, price) FROM stdin;
20	1	2	50
21	3	2	50
\.
MERGE INTO lines l USING (VALUES (20, 3), (22, 1)) f (nr, quantity) ON l.nr = f.nr
WHEN MATCHED THEN UPDATE SET quantity = f.quantity
WHEN NOT MATCHED THEN INSERT (nr, user_id, quantity, price) VALUES (f.nr, 1, f.quantity, 50);
SELECT key, seq, base, amount FROM ledger WHERE key IN ('R-1', 'R-20', 'R-21', 'R-22') ORDER BY key, seq;

-- A generated column over which another expression is laid.
ALTER TABLE lines DROP COLUMN total;
ALTER TABLE lines ADD COLUMN total numeric GENERATED ALWAYS AS (quantity * price * 2) STORED;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE key IN ('R-20', 'R-22') ORDER BY key, seq;
INSERT INTO lines (nr, user_id, quantity, price) VALUES (23, 1, 1, 50);
SELECT key, seq, base, amount FROM ledger WHERE key = 'R-23';
-- one that ceases to be generated
ALTER TABLE lines ALTER total DROP EXPRESSION;
UPDATE lines SET quantity = 100 WHERE nr = 23;
UPDATE lines SET total = 30 WHERE nr = 23;
SELECT key, seq, base, amount FROM ledger WHERE key = 'R-23' ORDER BY seq;

-- Partitioned, where rows are seen one by one.
CREATE TABLE parts (id int PRIMARY KEY, customer text, quantity int, price numeric, total numeric GENERATED ALWAYS AS (quantity * price) STORED) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'total') AS binding;
INSERT INTO parts VALUES (1, 'u-1', 2, 10), (2, 'u-3', 2, 10);
UPDATE parts SET quantity = 3;
UPDATE parts SET id = id + 100, quantity = 4;
SELECT payment_key, seq, base, amount FROM affiliate.commission WHERE binding_id = 3 ORDER BY payment_key, seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
