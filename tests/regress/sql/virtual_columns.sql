-- from: 18
-- Virtual generated columns are computed when they are read, and in no row that a trigger sees.
CREATE DATABASE regress_virtual_columns;
\c regress_virtual_columns
SET timezone = 'UTC';
SET client_min_messages = warning;
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('u-1', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE lines (
    id int PRIMARY KEY, who text, amount numeric, returned numeric DEFAULT 0, state int DEFAULT 1, at timestamptz DEFAULT '2024-02-01',
    number text GENERATED ALWAYS AS ('R-' || id) VIRTUAL,
    customer text GENERATED ALWAYS AS (lower(who)) VIRTUAL,
    total numeric GENERATED ALWAYS AS (amount * 2) VIRTUAL,
    cents int GENERATED ALWAYS AS (state * 100) VIRTUAL,
    currency text GENERATED ALWAYS AS ('US' || 'D') VIRTUAL,
    paid_at timestamptz GENERATED ALWAYS AS (at) VIRTUAL,
    refunded numeric GENERATED ALWAYS AS (returned * 2) VIRTUAL,
    settled boolean GENERATED ALWAYS AS (state > 0) VIRTUAL
);

-- None of them can be mapped.
SELECT affiliate_attach_payments('lines', customer => 'customer', amount => 'amount');
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'total');
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'cents', minor_units => true);
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'amount', currency => 'currency');
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'amount', paid_at => 'paid_at');
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'amount', refunded => 'refunded');
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'amount', product => 'number');
SELECT affiliate_attach_payments('lines', payment_key => 'number', customer => 'who', amount => 'amount');
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'amount', paid_when => 'settled');
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'amount', paid_when => 'amount > 0 AND total > 0');

-- Beside mapped ones they are no hindrance, and those they are computed from can be mapped.
SELECT affiliate_attach_payments('lines', customer => 'who', amount => 'amount', refunded => 'returned', paid_at => 'at', paid_when => 'state > 0') AS binding;
INSERT INTO lines VALUES (1, 'u-1', 100, 0, 1), (2, 'u-1', 200, 50, 1), (3, 'u-1', 'NaN', 0, 1), (4, 'u-1', 400, 0, 0);
UPDATE lines SET amount = 150 WHERE id = 1;
INSERT INTO lines SELECT n, 'u-1', 1 FROM generate_series(1001, 3000) n;
SELECT payment_key, seq, base, amount FROM affiliate.commission WHERE payment_key::int < 1000 ORDER BY payment_key, seq;
SELECT count(*), sum(amount) FROM affiliate.commission WHERE payment_key::int > 1000;
SELECT payment_key, reason, "row" FROM affiliate.quarantine;
SELECT affiliate_explain('lines', '2') #>> '{commission,target}' AS target;
SELECT check_name, violations FROM affiliate_verify() WHERE violations <> 0;
-- past the triggers
SET session_replication_role = replica;
INSERT INTO lines VALUES (6, 'u-1', 10);
RESET session_replication_role;
SELECT * FROM affiliate_reconcile();
SELECT affiliate_explain('lines', '6') #>> '{commission,amount}' AS amount;

-- So for tables of refunds.
CREATE TABLE orders (id int PRIMARY KEY, who text, amount numeric, doubled numeric GENERATED ALWAYS AS (amount * 2) VIRTUAL);
CREATE TABLE refunds (id int PRIMARY KEY, order_id int, amount numeric, at timestamptz,
    number int GENERATED ALWAYS AS (id) VIRTUAL, of_order int GENERATED ALWAYS AS (order_id) VIRTUAL,
    total numeric GENERATED ALWAYS AS (amount) VIRTUAL, currency text GENERATED ALWAYS AS ('US' || 'D') VIRTUAL);
CREATE INDEX ON refunds (order_id);
SELECT affiliate_attach_payments('orders', customer => 'who', amount => 'amount') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id', refund_key => 'number', amount => 'amount');
SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'of_order', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id', refund_key => 'id', amount => 'total');
SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id', refund_key => 'id', amount => 'amount', currency => 'currency');
SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO orders VALUES (1, 'u-1', 100);
INSERT INTO refunds VALUES (1, 1, 40);
SELECT c.payment_key, c.seq, c.base, c.amount FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id
WHERE b.payments = 'orders'::regclass ORDER BY c.seq;

-- One that takes the name of a mapped column is not taken for it: it would read as NULL.
ALTER TABLE orders DROP COLUMN amount CASCADE, ADD amount numeric GENERATED ALWAYS AS (100) VIRTUAL;
INSERT INTO orders VALUES (2, 'u-1');
SELECT payment_key, reason, detail FROM affiliate.quarantine WHERE payment_key = '2';
ALTER TABLE lines DROP COLUMN state CASCADE, ADD state int GENERATED ALWAYS AS (1) VIRTUAL;
INSERT INTO lines VALUES (5, 'u-1', 100);
SELECT payment_key, reason, detail FROM affiliate.quarantine WHERE payment_key = '5';

-- Partitions, whose rows are another table's.
CREATE TABLE sales (id int, region text, who text, amount numeric, doubled numeric GENERATED ALWAYS AS (amount * 2) VIRTUAL, PRIMARY KEY (region, id))
    PARTITION BY LIST (region);
CREATE TABLE sales_eu (doubled numeric GENERATED ALWAYS AS (amount * 3) VIRTUAL, amount numeric, who text, region text NOT NULL, id int NOT NULL);
ALTER TABLE sales ATTACH PARTITION sales_eu FOR VALUES IN ('eu');
SELECT affiliate_attach_payments('sales', customer => 'who', amount => 'doubled');
SELECT affiliate_attach_payments('sales', customer => 'who', amount => 'amount', paid_when => 'doubled > 0');
SELECT affiliate_attach_payments('sales', customer => 'who', amount => 'amount', paid_when => 'amount > 0') AS binding;
INSERT INTO sales VALUES (1, 'eu', 'u-1', 10);
SELECT payment_key, amount FROM affiliate.commission WHERE payment_key LIKE '(%';

-- A further column of the ledger.
ALTER TABLE affiliate.commission ADD doubled numeric GENERATED ALWAYS AS (amount * 2) VIRTUAL;
INSERT INTO sales VALUES (2, 'eu', 'u-1', 20);
SELECT payment_key, amount, doubled FROM affiliate.commission WHERE payment_key LIKE '(%' ORDER BY 1;
\c postgres
DROP DATABASE regress_virtual_columns;
