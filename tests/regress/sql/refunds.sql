-- Refunds and disputes, in a table of their own or recorded by a call: the commission follows what is left of the payment.
CREATE DATABASE regress_refunds;
\c regress_refunds
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, c.currency, c.base, c.refunded, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
CREATE VIEW waiting AS SELECT b.payments, q.payment_key AS key, q.reason, q.detail
FROM affiliate.quarantine q JOIN affiliate.binding b ON b.id = q.binding_id WHERE q.resolved_at IS NULL;

-- Recorded by a call: partly, again, the rest, and more than there is. Whatever the steps, a full refund nets to exactly nothing.
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD', paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_on') AS binding;
INSERT INTO payments VALUES (1, 'bob', 19.99, 'USD'), (2, 'bob', 999, 'JPY'), (3, 'bob', 1.005, 'KWD'), (4, 'bob', 20, 'USD'), (5, 'eve', 20, 'USD');
SELECT affiliate_record_refund('payments', 1, 'a', 6.66), affiliate_record_refund('payments', 1, 'b', 6.66), affiliate_record_refund('payments', 1, 'c', 6.67);
SELECT affiliate_record_refund('payments', 2, 'd', 333), affiliate_record_refund('payments', 2, 'e', 333), affiliate_record_refund('payments', 2, 'f', 333);
SELECT affiliate_record_refund('payments', 3, 'g', 0.335), affiliate_record_refund('payments', 3, 'h', 0.335), affiliate_record_refund('payments', 3, 'i', 0.335);
SELECT affiliate_record_refund('payments', 4, 'j', 15), affiliate_record_refund('payments', 4, 'k', 15), affiliate_record_refund('payments', 4, 'l', 15);
SELECT affiliate_record_refund('payments', 5, 'm', 20);
SELECT key, seq, currency, base, refunded, amount, sum(amount) OVER (PARTITION BY key ORDER BY seq) AS posted FROM ledger ORDER BY key, seq;
-- many small ones
INSERT INTO payments VALUES (6, 'bob', 10, 'USD');
DO $$BEGIN FOR n IN 1..1000 LOOP PERFORM affiliate_record_refund('payments', 6, 'small ' || n, 0.01); END LOOP; END$$;
SELECT count(*) > 300 AS entries, sum(amount) AS posted, min(base) FROM ledger WHERE key = '6';

-- Disputes take, won disputes give back, each under keys of its own kind; never more than the payment, never less than nothing.
INSERT INTO payments VALUES (10, 'bob', 100, 'USD');
SELECT affiliate_record_refund('payments', 10, 'x', 30);
SELECT affiliate_record_refund('payments', 10, 'x', 50, kind => 'dispute');
SELECT affiliate_record_refund('payments', 10, 'x', 50, kind => 'dispute_won');
SELECT affiliate_record_refund('payments', 10, 'y', 100, 'dispute', '2024-03-01');
SELECT affiliate_record_refund('payments', 10, 'y', 100, 'dispute_won', refunded_at => '2024-04-01');
SELECT affiliate_record_refund('payments', 10, 'z', 500, kind => 'dispute_won');
SELECT affiliate_record_refund('payments', 10, 'z', 470, kind => 'dispute');
SELECT seq, base, refunded, amount FROM ledger WHERE key = '10' ORDER BY seq;
SELECT kind, refund_key, amount, waits FROM affiliate.refund WHERE payment_key = '10' ORDER BY id;

-- The same key again changes nothing; with another payment or another amount it is an error, and so is what is no refund.
SELECT count(*) AS entries FROM affiliate.commission \gset
SELECT affiliate_record_refund('payments', 10, 'x', 30), affiliate_record_refund('payments', 10, 'x', 30.00, refunded_at => '2025-01-01');
SELECT affiliate_record_refund('payments', '10', 'y', 100, kind => 'dispute');
SELECT count(*) - :entries AS new_entries FROM affiliate.commission;
SELECT affiliate_record_refund('payments', 10, 'x', 31);
SELECT affiliate_record_refund('payments', 4, 'x', 30);
SELECT affiliate_record_refund('payments', 10, 'n', 0);
SELECT affiliate_record_refund('payments', 10, 'n', -1);
SELECT affiliate_record_refund('payments', 10, 'n', 'NaN');
SELECT affiliate_record_refund('payments', 10, 'n', 'Infinity');
SELECT affiliate_record_refund('payments', 10, 'n', 1e30);
SELECT affiliate_record_refund('payments', 10, 'n', NULL);
SELECT affiliate_record_refund('payments', NULL::int, 'n', 1);
SELECT affiliate_record_refund('payments', 10, NULL, 1);
SELECT affiliate_record_refund('payments', 10, '', 1);
SELECT affiliate_record_refund(NULL, 10, 'n', 1);
SELECT affiliate_record_refund('payments', 10, 'n', 1, kind => 'chargeback');
SELECT affiliate_record_refund('payments', 10, 'n', 1, kind => NULL);
SELECT affiliate_record_refund('payments', 10, 'n', 1, refunded_at => NULL);
CREATE TABLE unbound (id int PRIMARY KEY);
SELECT affiliate_record_refund('unbound', 10, 'n', 1);
\set VERBOSITY sqlstate
SELECT affiliate_record_refund('payments', 'ten', 'n', 1);
SELECT affiliate_record_refund('payments', 10000000000, 'n', 1);
\set VERBOSITY verbose
SELECT count(*) FROM affiliate.refund WHERE refund_key = 'n';

-- Before its payment: parked, and posted with it. That it waits is no violation.
SELECT affiliate_record_refund('payments', 20, 'early', 5), affiliate_record_refund('payments', 21, 'early 2', 50), affiliate_record_refund('payments', 22, 'early 3', 5);
SELECT payment_key, refund_key, waits FROM affiliate.refund WHERE payment_key LIKE '2_' ORDER BY payment_key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
INSERT INTO payments VALUES (20, 'bob', 20, 'USD'), (21, 'bob', 20, 'USD');
SELECT key, seq, base, refunded, amount FROM ledger WHERE key IN ('20', '21') ORDER BY key, seq;
SELECT affiliate_maintain() > 0 AS folded;
SELECT payment_key, refund_key, waits FROM affiliate.refund WHERE payment_key LIKE '2_' ORDER BY payment_key;
SELECT affiliate_record_refund('payments', 20, 'early', 5);
SELECT affiliate_record_refund('payments', 20, 'later', 5);
SELECT key, seq, base, refunded, amount FROM ledger WHERE key = '20' ORDER BY seq;

-- After the payout: a negative entry, carried forward, and netted from the next payout.
INSERT INTO payments VALUES (30, 'carol', 1000, 'EUR');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, amount, entries, status FROM affiliate_payouts('alice') ORDER BY payout_id;
SELECT o.currency, o.status FROM affiliate.payout p, affiliate_set_payout_status(p.id, 'paid', external_reference => 'wire-1') o WHERE p.currency = 'EUR';
SELECT affiliate_record_refund('payments', 30, 'late', 400);
SELECT currency, total_money_spent, total_commission, pending_amount, total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice') WHERE currency = 'EUR';
CALL affiliate_run_payouts(through => '2024-02-29');
INSERT INTO payments VALUES (31, 'carol', 500, 'EUR');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, total_money_spent, total_commission, pending_amount, total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice') WHERE currency = 'EUR';
INSERT INTO payments VALUES (32, 'carol', 100, 'EUR');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, amount, entries, status FROM affiliate_payouts('alice') WHERE currency = 'EUR' ORDER BY payout_id;
-- the commission of a payment that has not matured shrinks where it is
SELECT rate, hold_days FROM affiliate_set_program('default', hold_days => 3650);
INSERT INTO payments VALUES (33, 'carol', 100, 'GBP');
SELECT affiliate_record_refund('payments', 33, 'pending', 40);
SELECT currency, total_money_spent, total_commission, pending_amount, total_payout_amount FROM affiliate_stats('alice') WHERE currency = 'GBP';
SELECT count(DISTINCT matures_on) FROM affiliate.commission WHERE payment_key = '33';
SELECT rate, hold_days FROM affiliate_set_program('default', hold_days => 0);

-- In the unit of the payments: cents where they are in cents.
CREATE TABLE charges (id text PRIMARY KEY, customer text, amount bigint, currency text);
SELECT affiliate_attach_payments('charges', customer => 'customer', amount => 'amount', currency => 'currency', minor_units => true) AS binding;
INSERT INTO charges VALUES ('ch_1', 'bob', 1999, 'usd'), ('ch_2', 'bob', 999, 'jpy'), ('ch_3', 'bob', 1005, 'kwd');
SELECT affiliate_record_refund('charges', 'ch_1', 're_1', 1000), affiliate_record_refund('charges', 'ch_2', 're_2', 99), affiliate_record_refund('charges', 'ch_3', 're_3', 5);
SELECT affiliate_record_refund('charges', 'ch_1', 're_4', 0.5);
SELECT key, seq, currency, base, refunded, amount FROM ledger WHERE payments = 'charges'::regclass ORDER BY key, seq;

-- A column of the refunded amount: refunds are there already, disputes come on top.
CREATE TABLE sales (id uuid PRIMARY KEY, customer text, amount numeric, refunded numeric);
SELECT affiliate_attach_payments('sales', customer => 'customer', amount => 'amount', refunded => 'refunded') AS binding;
INSERT INTO sales VALUES ('00000000-0000-0000-0000-00000000000A', 'bob', 100, 10);
SELECT affiliate_record_refund('sales', '00000000-0000-0000-0000-00000000000A'::uuid, 'r', 10);
SELECT affiliate_record_refund('sales', '00000000-0000-0000-0000-00000000000A'::uuid, 'd', 20, kind => 'dispute');
UPDATE sales SET refunded = 50;
UPDATE sales SET refunded = 100;
SELECT affiliate_record_refund('sales', '{0000000000000000000000000000000A}', 'd', 20, kind => 'dispute_won');
UPDATE sales SET refunded = NULL;
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'sales'::regclass ORDER BY seq;
CREATE TABLE sale_refunds (id int PRIMARY KEY, sale uuid, amount numeric);
SELECT affiliate_attach_refunds('sale_refunds', payments => 'sales', payment_key => 'sale', refund_key => 'id', amount => 'amount');
-- the extension's own table has such a column
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 100, '2024-02-01');
SELECT affiliate_record_refund('affiliate.payment', 1, 'r', 10);
SELECT affiliate_record_refund('affiliate.payment', 1, 'd', 10, kind => 'dispute');
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'affiliate.payment'::regclass ORDER BY seq;

-- A table of refunds: inserted, changed, deleted, moved to another payment, before their payment.
CREATE TABLE orders (shop text, id int, customer text, amount numeric, currency text DEFAULT 'USD', PRIMARY KEY (shop, id));
CREATE TABLE order_refunds (id serial PRIMARY KEY, shop text, "order" int, amount numeric, currency text, note text);
SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'amount', currency => 'currency') AS binding;
INSERT INTO orders VALUES ('a', 1, 'bob', 100), ('a', 2, 'bob', 100), ('b', 1, 'eve', 100);
-- what is attached is looked at when a payment is; there is none here yet
SELECT affiliate_attach_refunds('order_refunds', payments => 'orders', payment_key => 'shop, order', refund_key => 'id', amount => 'amount', currency => 'currency') AS binding;
INSERT INTO order_refunds (shop, "order", amount, currency) VALUES ('a', 1, 10, 'USD'), ('a', 1, 20, 'USD'), ('b', 1, 30, 'USD'), ('a', 9, 40, 'USD'), (NULL, 1, 5, 'USD'), ('a', NULL, 5, 'USD');
UPDATE order_refunds SET amount = 15, currency = ' usd' WHERE id = 1;
UPDATE order_refunds SET note = 'as agreed';
UPDATE order_refunds SET "order" = 2 WHERE id = 2;
INSERT INTO orders VALUES ('a', 9, 'bob', 100);
COPY order_refunds (shop, "order", amount, currency) FROM stdin;
a	2	500	USD
a	9	10	USD
\.
DELETE FROM order_refunds WHERE id = 1;
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'orders'::regclass ORDER BY key, seq;
-- disputes are recorded all the same, refunds are not
SELECT affiliate_record_refund('orders', '(a,1)', 'd', 30, kind => 'dispute');
SELECT affiliate_record_refund('orders', '(a,1)', 'r', 30);
UPDATE orders SET amount = 200 WHERE id = 1;
SELECT key, seq, base, refunded, amount FROM ledger WHERE key = '(a,1)' AND seq > 3 ORDER BY seq;

-- A refund in another currency, of a negative amount, or of none that is a number: never counted 1:1; the payment waits with what is posted.
INSERT INTO orders VALUES ('c', 1, 'bob', 100, 'USD'), ('c', 2, 'bob', 100, 'USD'), ('c', 3, 'bob', 100, 'USD'), ('c', 4, 'bob', 100, 'USD'), ('c', 5, 'bob', 100, 'USD'), ('c', 6, 'eve', 100, 'USD');
INSERT INTO order_refunds (id, shop, "order", amount, currency) VALUES (101, 'c', 1, 10, 'EUR'), (102, 'c', 2, -10, 'USD'), (103, 'c', 3, 'NaN', 'USD'), (104, 'c', 4, 10, 'coins'), (105, 'c', 5, 10, 'USD'), (106, 'c', 6, 'NaN', 'x');
SELECT key, reason, detail FROM waiting ORDER BY key;
SELECT key, sum(amount) FROM ledger WHERE key LIKE '(c,%' GROUP BY key ORDER BY key;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
UPDATE order_refunds SET currency = 'USD', amount = 10 WHERE id BETWEEN 101 AND 104;
UPDATE orders SET currency = 'EUR' WHERE shop = 'c' AND id = 5;
SELECT key, reason, detail FROM waiting ORDER BY key;
UPDATE order_refunds SET currency = 'EUR' WHERE id = 105;
SELECT key, currency, sum(amount) FROM ledger WHERE key LIKE '(c,%' GROUP BY key, currency ORDER BY key, currency;
-- a payment that was inserted after such a refund
INSERT INTO order_refunds (id, shop, "order", amount, currency) VALUES (110, 'c', 10, 10, 'EUR'), (111, 'c', 11, 10, 'USD');
INSERT INTO orders VALUES ('c', 10, 'bob', 100, 'USD'), ('c', 11, 'bob', 100, 'USD');
SELECT key, reason, detail FROM waiting ORDER BY key;
SELECT key, base, refunded, amount FROM ledger WHERE key IN ('(c,10)', '(c,11)') ORDER BY key, base DESC;
DELETE FROM order_refunds WHERE id = 110;
SELECT key, base, refunded, amount FROM ledger WHERE key IN ('(c,10)', '(c,11)') ORDER BY key, base DESC;

-- Cents beside units, a table that was there before, and rows no trigger saw.
CREATE TABLE invoices (id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD');
CREATE TABLE invoice_refunds (id text PRIMARY KEY, invoice int, cents int);
SELECT affiliate_attach_payments('invoices', customer => 'customer', amount => 'amount', currency => 'currency') AS binding;
INSERT INTO invoices VALUES (1, 'bob', 100, 'USD'), (2, 'bob', 999, 'JPY');
INSERT INTO invoice_refunds VALUES ('r1', 1, 1050);
SELECT affiliate_attach_refunds('invoice_refunds', payments => 'invoices', payment_key => 'invoice', refund_key => 'id', amount => 'cents', minor_units => true) AS binding;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
INSERT INTO invoice_refunds VALUES ('r2', 2, 99);
SET session_replication_role = replica;
INSERT INTO invoice_refunds VALUES ('r3', 1, 50);
RESET session_replication_role;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, currency, base, refunded, amount FROM ledger WHERE payments = 'invoices'::regclass ORDER BY key, seq;
-- recorded before it was attached, a refund counts beside those of the table
CREATE TABLE bills (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE bill_refunds (id int PRIMARY KEY, bill int, amount numeric);
SELECT affiliate_attach_payments('bills', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO bills VALUES (1, 'bob', 100);
SELECT affiliate_record_refund('bills', 1, 'before', 10);
SELECT affiliate_attach_refunds('bill_refunds', payments => 'bills', payment_key => 'bill', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO bill_refunds VALUES (1, 1, 20);
SELECT seq, base, refunded, amount FROM ledger WHERE payments = 'bills'::regclass ORDER BY seq;

-- What can't be attached.
SELECT affiliate_attach_refunds('bill_refunds', payments => 'bills', payment_key => 'bill', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('invoice_refunds', payments => 'payments', payment_key => 'invoice', refund_key => 'id', amount => 'cents');
SELECT affiliate_attach_refunds('unbound', payments => 'bills', payment_key => 'id', refund_key => 'id', amount => 'id');
SELECT affiliate_attach_refunds('payments', payments => 'payments', payment_key => 'id', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('bill_refunds', payments => 'unbound', payment_key => 'bill', refund_key => 'id', amount => 'amount');
CREATE TABLE more_refunds (id int PRIMARY KEY, payment int, amount numeric, price float8, currency text);
SELECT affiliate_attach_refunds('more_refunds', payments => 'payments', payment_key => 'payment, id', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('more_refunds', payments => 'payments', payment_key => 'paid', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('more_refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'price');
SELECT affiliate_attach_refunds('more_refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'price', minor_units => true);
SELECT affiliate_attach_refunds('more_refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount', currency => 'price');
SELECT affiliate_attach_refunds(NULL, payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('more_refunds', payments => NULL, payment_key => 'payment', refund_key => 'id', amount => 'amount');
CREATE VIEW refund_view AS SELECT * FROM more_refunds;
SELECT affiliate_attach_refunds('refund_view', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'more_refunds'::regclass;

-- A partitioned table of refunds.
CREATE TABLE part_refunds (id int, payment int, amount numeric, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part_refunds_1 (amount numeric, junk int, id int NOT NULL, payment int);
ALTER TABLE part_refunds_1 DROP COLUMN junk;
ALTER TABLE part_refunds ATTACH PARTITION part_refunds_1 FOR VALUES FROM (0) TO (100);
CREATE TABLE part_refunds_2 PARTITION OF part_refunds FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_refunds('part_refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO payments VALUES (41, 'bob', 100, 'USD'), (42, 'bob', 100, 'USD'), (43, 'bob', 100, 'USD');
INSERT INTO part_refunds VALUES (1, 41, 10), (101, 42, 20);
INSERT INTO part_refunds_1 (id, payment, amount) VALUES (2, 43, 30);
UPDATE part_refunds SET amount = amount + 1;
UPDATE part_refunds SET id = 102 WHERE id = 1;
DELETE FROM part_refunds WHERE id = 101;
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'payments'::regclass AND key IN ('41', '42', '43') ORDER BY key, seq;

-- Detached, its refunds stay taken back.
SELECT affiliate_detach('bill_refunds');
INSERT INTO bill_refunds VALUES (2, 1, 40);
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT sum(amount) FROM ledger WHERE payments = 'bills'::regclass;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
