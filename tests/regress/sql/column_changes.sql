-- Columns of an attached table that get another type, go, or come back, while the session goes on.
CREATE DATABASE regress_column_changes;
\c regress_column_changes
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off; -- binding_health is looked at often
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('7'), ('bob')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01 12:00');
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, c.currency, c.base, c.refunded, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
CREATE VIEW waiting AS SELECT b.payments, q.payment_key AS key, q.reason, q.detail
FROM affiliate.quarantine q JOIN affiliate.binding b ON b.id = q.binding_id WHERE q.resolved_at IS NULL;

-- Types that grow or change with what they hold: the same payments, the same keys, the same customers.
CREATE TABLE payments (
    junk int, id smallint PRIMARY KEY, customer int, amount smallint, currency char(3) DEFAULT 'usd', refunded smallint, paid_at timestamptz DEFAULT '2024-02-01 12:00', status varchar(4) DEFAULT 'paid'
);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', refunded => 'refunded', paid_at => 'paid_at', paid_when => $$status = 'paid'$$) AS binding;
INSERT INTO payments (id, customer, amount) VALUES (1, 7, 10);
ALTER TABLE payments ALTER id TYPE int, ALTER customer TYPE bigint, ALTER amount TYPE int, ALTER currency TYPE varchar(3), ALTER refunded TYPE bigint;
UPDATE payments SET amount = 11 WHERE id = 1;
INSERT INTO payments (id, customer, amount) VALUES (2, 7, 20);
ALTER TABLE payments ALTER id TYPE bigint, ALTER customer TYPE text, ALTER amount TYPE numeric(10,2), ALTER currency TYPE text, ALTER refunded TYPE numeric, ALTER status TYPE text;
UPDATE payments SET amount = 11.55 WHERE id = 1;
UPDATE payments SET refunded = 5.5 WHERE id = 2;
INSERT INTO payments (id, customer, amount) VALUES (3, '7', 30.30), (4, 'bob', 40);
ALTER TABLE payments ALTER id TYPE text, ALTER amount TYPE numeric, ALTER paid_at TYPE timestamp;
UPDATE payments SET amount = 12 WHERE id = '1';
INSERT INTO payments (id, customer, amount) VALUES ('5a', 'bob', 50.55555);
ALTER TABLE payments ALTER paid_at DROP DEFAULT, ALTER paid_at TYPE date;
INSERT INTO payments (id, customer, amount, paid_at) VALUES ('6', 'bob', 60, '2024-01-01'), ('7', 'bob', 70, '2023-12-31');
ALTER TABLE payments ALTER paid_at TYPE bigint USING extract(epoch FROM paid_at);
INSERT INTO payments (id, customer, amount, paid_at) VALUES ('8', 'bob', 80, 1706745600), ('9', 'bob', 90, 1672531200);
ALTER TABLE payments ALTER amount TYPE bigint USING round(amount);
UPDATE payments SET amount = 100 WHERE id = '8';
DELETE FROM payments WHERE id = '2';
SELECT key, seq, currency, base, refunded, amount, matures_on FROM ledger WHERE payments = 'payments'::regclass ORDER BY key, seq;
-- a type that changes what is there is a change that no trigger sees: USING round(amount)
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Types that can't be used: the payment goes through, the row is in quarantine until the type is usable again.
ALTER TABLE payments ALTER amount TYPE float8;
INSERT INTO payments (id, customer, amount, paid_at) VALUES ('10', 'bob', 10, 1706745600), ('11', 'eve', 10, 1706745600);
UPDATE payments SET amount = 200 WHERE id = '8';
SELECT key, reason, detail FROM waiting ORDER BY payments, key;
SELECT key, sum(amount) FROM ledger WHERE key IN ('8', '10') GROUP BY key;
ALTER TABLE payments ALTER amount TYPE numeric, ALTER paid_at TYPE text;
INSERT INTO payments (id, customer, amount, paid_at) VALUES ('12', 'bob', 10, 'yesterday');
UPDATE payments SET amount = 300 WHERE id = '8';
SELECT key, reason, detail FROM waiting ORDER BY payments, key;
UPDATE payments SET paid_at = '1706745600' WHERE id = '12';
ALTER TABLE payments ALTER paid_at TYPE bigint USING paid_at::bigint;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE key IN ('8', '10', '12') GROUP BY key ORDER BY key;
-- a condition that has no operator for the new type
ALTER TABLE payments ALTER status DROP DEFAULT, ALTER status TYPE int USING 1;
INSERT INTO payments (id, customer, amount, paid_at, status) VALUES ('13', 'bob', 10, 1706745600, 1);
SELECT key, reason FROM waiting ORDER BY key;
ALTER TABLE payments ALTER status TYPE text USING 'paid', ALTER status SET DEFAULT 'paid';
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE key = '13' GROUP BY key;
-- minor units are integers
CREATE TABLE cents (id int PRIMARY KEY, customer text, amount int);
SELECT affiliate_attach_payments('cents', customer => 'customer', amount => 'amount', minor_units => true) AS binding;
INSERT INTO cents VALUES (1, 'bob', 1999);
ALTER TABLE cents ALTER amount TYPE bigint;
INSERT INTO cents VALUES (2, 'bob', 2999);
ALTER TABLE cents ALTER amount TYPE numeric;
INSERT INTO cents VALUES (3, 'bob', 39.99);
SELECT key, reason, detail FROM waiting ORDER BY payments, key;
SELECT key, base, amount FROM ledger WHERE payments = 'cents'::regclass ORDER BY key;
ALTER TABLE cents ALTER amount TYPE int USING CASE WHEN id = 3 THEN amount * 100 ELSE amount END;
SELECT * FROM affiliate_reconcile();
SELECT key, base, amount FROM ledger WHERE payments = 'cents'::regclass ORDER BY key;

-- Columns that nobody mapped come and go; those that are mapped are found wherever they stand.
ALTER TABLE payments DROP COLUMN junk;
INSERT INTO payments (id, customer, amount, paid_at) VALUES ('20', 'bob', 20, 1706745600);
ALTER TABLE payments ADD COLUMN note text DEFAULT 'none', ADD COLUMN extra numeric NOT NULL DEFAULT 0;
UPDATE payments SET amount = 25, note = 'some' WHERE id = '20';
ALTER TABLE payments DROP COLUMN note;
INSERT INTO payments (id, customer, amount, paid_at, status) VALUES ('21', 'bob', 30, 1706745600, 'paid'), ('22', 'bob', 30, 1706745600, 'open');
SELECT key, seq, base, amount FROM ledger WHERE key IN ('20', '21', '22') ORDER BY key, seq;
SELECT key, reason, detail FROM waiting ORDER BY payments, key;

-- A mapped column that is gone: payments go through, the rows are in quarantine, health and verify say so; what is posted stays.
CREATE FUNCTION problems(OUT what text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT table_name || ': ' || problem FROM affiliate.binding_health WHERE problem IS NOT NULL
    UNION SELECT check_name FROM affiliate_verify() WHERE violations > 0 ORDER BY 1 $$;
CREATE TABLE shop (id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'EUR', refunded numeric DEFAULT 0, paid_on date DEFAULT '2024-02-01', product text);
SELECT affiliate_attach_payments('shop', customer => 'customer', amount => 'amount', currency => 'currency', refunded => 'refunded', paid_at => 'paid_on', product => 'product') AS binding;
INSERT INTO shop (id, customer, amount) VALUES (1, 'bob', 10), (2, 'bob', 20), (3, 'eve', 30);
SELECT * FROM problems();
-- the currency
ALTER TABLE shop DROP COLUMN currency;
INSERT INTO shop (id, customer, amount) VALUES (4, 'bob', 40), (5, 'eve', 50);
UPDATE shop SET amount = 11 WHERE id = 1;
DELETE FROM shop WHERE id = 2;
SELECT key, reason, detail FROM waiting ORDER BY payments, key;
SELECT key, seq, currency, base, amount FROM ledger WHERE payments = 'shop'::regclass ORDER BY key, seq;
SELECT * FROM problems();
SELECT * FROM affiliate_reconcile();
-- back again under its name
ALTER TABLE shop ADD COLUMN currency text DEFAULT 'EUR';
SELECT * FROM affiliate_reconcile();
SELECT key, seq, currency, base, amount FROM ledger WHERE payments = 'shop'::regclass ORDER BY key, seq;
SELECT * FROM problems();
-- the amount
ALTER TABLE shop DROP COLUMN amount;
INSERT INTO shop (id, customer) VALUES (6, 'bob');
UPDATE shop SET refunded = 1 WHERE id = 1;
SELECT key, reason, detail FROM waiting ORDER BY payments, key;
SELECT * FROM problems();
ALTER TABLE shop ADD COLUMN amount numeric;
UPDATE shop SET amount = id * 10;
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'shop'::regclass AND key IN ('1', '4', '6') ORDER BY key, seq;
SELECT * FROM problems();
-- refunds, time and product; the product decides nothing
ALTER TABLE shop DROP COLUMN product;
INSERT INTO shop (id, customer, amount) VALUES (7, 'bob', 70);
SELECT key, seq, base, amount FROM ledger WHERE payments = 'shop'::regclass AND key = '7';
ALTER TABLE shop ADD COLUMN product text;
ALTER TABLE shop DROP COLUMN refunded;
INSERT INTO shop (id, customer, amount) VALUES (8, 'bob', 80);
ALTER TABLE shop ADD COLUMN refunded numeric DEFAULT 0, DROP COLUMN paid_on;
INSERT INTO shop (id, customer, amount) VALUES (9, 'bob', 90);
UPDATE shop SET amount = 71 WHERE id = 7; -- its terms are frozen: the time is not needed
SELECT key, reason, detail FROM waiting ORDER BY payments, key;
ALTER TABLE shop ADD COLUMN paid_on date DEFAULT '2024-02-02';
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount, matures_on FROM ledger WHERE payments = 'shop'::regclass AND key IN ('1', '7', '8', '9') AND seq > 3 OR payments = 'shop'::regclass AND key > '6' ORDER BY key, seq;

-- What the condition reads.
CREATE TABLE orders (id int PRIMARY KEY, junk text, customer text, amount numeric, status text DEFAULT 'paid');
SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'amount', paid_when => $$status = 'paid'$$) AS binding;
INSERT INTO orders (id, customer, amount) VALUES (1, 'bob', 10);
ALTER TABLE orders DROP COLUMN junk;
INSERT INTO orders (id, customer, amount, status) VALUES (2, 'bob', 20, 'paid'), (3, 'bob', 30, 'open');
UPDATE orders SET amount = 15 WHERE id = 1;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'orders'::regclass ORDER BY key, seq;
ALTER TABLE orders DROP COLUMN status;
INSERT INTO orders (id, customer, amount) VALUES (4, 'bob', 40);
UPDATE orders SET amount = 1000 WHERE id = 1;
SELECT key, reason, detail FROM waiting WHERE payments = 'orders'::regclass ORDER BY key;
SELECT key, sum(amount) FROM ledger WHERE payments = 'orders'::regclass GROUP BY key ORDER BY key;
ALTER TABLE orders ADD COLUMN status text DEFAULT 'paid';
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE payments = 'orders'::regclass GROUP BY key ORDER BY key;
SELECT * FROM problems();

-- The customer: nobody knows whose payments these are. Nothing is posted, and nothing that was is taken back.
SELECT count(*) AS entries FROM affiliate.commission \gset
UPDATE shop SET amount = 'NaN' WHERE id = 4; -- in quarantine when the customer is lost
ALTER TABLE shop DROP COLUMN customer;
INSERT INTO shop (id, amount) VALUES (11, 110);
UPDATE shop SET amount = 1 WHERE id = 9;
UPDATE shop SET amount = 'NaN' WHERE id = 7;
DELETE FROM shop WHERE id = 6;
SELECT affiliate_record_refund('shop', 8, 'dispute-8', 10, kind => 'dispute');
SELECT * FROM affiliate_reconcile();
SELECT count(*) - :entries AS new_entries FROM affiliate.commission;
SELECT * FROM problems();
ALTER TABLE shop ADD COLUMN customer text;
UPDATE shop SET customer = 'bob', amount = CASE WHEN amount = 'NaN' THEN 1 ELSE amount END WHERE id NOT IN (3, 5);
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE payments = 'shop'::regclass GROUP BY key ORDER BY key::int;
SELECT * FROM problems();

-- The key: payments can't be told apart, and none is posted until it is back.
ALTER TABLE shop DROP COLUMN id;
INSERT INTO shop (customer, amount) VALUES ('bob', 120);
UPDATE shop SET amount = amount + 1;
SELECT * FROM problems();
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE payments = 'shop'::regclass GROUP BY key ORDER BY key::int;
DELETE FROM shop;
ALTER TABLE shop ADD COLUMN id int PRIMARY KEY;
INSERT INTO shop (id, customer, amount) VALUES (1, 'bob', 10), (20, 'bob', 20);
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE payments = 'shop'::regclass GROUP BY key HAVING sum(amount) <> 0 ORDER BY key::int;

-- Columns of an attached table of refunds.
CREATE TABLE refunds (junk int, id int PRIMARY KEY, payment int, amount int, currency char(3));
SELECT affiliate_detach('shop');
CREATE TABLE store (LIKE shop INCLUDING ALL);
SELECT affiliate_attach_payments('store', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'store', payment_key => 'payment', refund_key => 'id', amount => 'amount', currency => 'currency') AS binding;
INSERT INTO store (id, customer, amount) VALUES (20, 'bob', 20);
INSERT INTO refunds VALUES (0, 1, 20, 1, 'EUR');
ALTER TABLE refunds DROP COLUMN junk, ALTER payment TYPE bigint, ALTER amount TYPE numeric, ALTER currency TYPE text;
INSERT INTO refunds VALUES (2, 20, 1.5, 'eur');
ALTER TABLE refunds DROP COLUMN currency;
INSERT INTO refunds VALUES (3, 20, 2); -- of what currency, nobody knows
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'store'::regclass AND key = '20' ORDER BY seq;
SELECT key, reason FROM waiting ORDER BY payments, key;
ALTER TABLE refunds ADD COLUMN currency text DEFAULT 'EUR';
SELECT * FROM affiliate_reconcile();
ALTER TABLE refunds DROP COLUMN amount;
INSERT INTO refunds (id, payment) VALUES (4, 20);
SELECT key, reason, detail FROM waiting ORDER BY payments, key;
SELECT * FROM problems();
ALTER TABLE refunds ADD COLUMN amount numeric;
UPDATE refunds SET amount = id;
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'store'::regclass AND key = '20' ORDER BY seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
