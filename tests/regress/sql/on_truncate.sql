-- What TRUNCATE of a bound table does: refused, or left to reconciling, or nothing.
CREATE DATABASE regress_on_truncate;
\c regress_on_truncate
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
SELECT customer FROM affiliate_attribute('ada', 'maya-tips', attributed_at => '2024-01-01');
CREATE TABLE refused (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE loaded (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE kept (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
SELECT affiliate_attach_payments('refused', customer => 'customer', amount => 'amount'),
    affiliate_attach_payments('loaded', customer => 'customer', amount => 'amount', on_truncate => 'reconcile'),
    affiliate_attach_payments('kept', customer => 'customer', amount => 'amount', on_delete => 'keep'),
    affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', on_truncate => 'reconcile');
SELECT payments, on_delete, on_truncate FROM affiliate.binding ORDER BY id;
CREATE VIEW ledger AS SELECT b.payments, c.payment_key AS key, sum(c.amount) AS earned, min(c.rate) AS rate, count(*) AS entries
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id GROUP BY b.payments, c.payment_key;

-- An empty ledger never blocks a flush, nor does one that comes to nothing.
INSERT INTO refused VALUES (1, 'eve', 10);
TRUNCATE refused;
INSERT INTO refused VALUES (1, 'ada', 10);
TRUNCATE refused;
DELETE FROM refused;
TRUNCATE refused, kept;
-- what earns nothing by its rate is spending all the same
SELECT rate FROM affiliate_set_program('default', rate => 0);
INSERT INTO refused VALUES (2, 'ada', 10);
TRUNCATE refused;
SELECT rate FROM affiliate_set_program('default', rate => 0.3);

-- Truncated and loaded every night: what comes again is the payment that it was.
INSERT INTO loaded SELECT n, 'ada', 100 FROM generate_series(1, 3) n;
SELECT rate FROM affiliate_set_program('default', rate => 0.5);
BEGIN;
TRUNCATE loaded;
SELECT key, earned FROM ledger WHERE payments = 'loaded'::regclass ORDER BY key;
INSERT INTO loaded VALUES (1, 'ada', 100), (2, 'ada', 50), (4, 'ada', 10);
COMMIT;
SELECT key, earned, rate, entries FROM ledger WHERE payments = 'loaded'::regclass ORDER BY key;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, earned, rate, entries FROM ledger WHERE payments = 'loaded'::regclass ORDER BY key;
-- it may come back later
INSERT INTO loaded VALUES (3, 'ada', 100);
SELECT key, earned, rate, entries FROM ledger WHERE payments = 'loaded'::regclass AND key = '3';
-- a partition is truncated as its table is
INSERT INTO parts SELECT n, 'ada', 100 FROM generate_series(9, 11) n;
TRUNCATE parts_1;
TRUNCATE parts;
INSERT INTO parts VALUES (9, 'ada', 100), (10, 'ada', 100);
SELECT * FROM affiliate_reconcile();
SELECT key, earned FROM ledger WHERE payments = 'parts'::regclass ORDER BY key;
-- where deleted payments are kept
INSERT INTO kept VALUES (1, 'ada', 100);
TRUNCATE kept;
SELECT * FROM affiliate_reconcile();
SELECT key, earned FROM ledger WHERE payments = 'kept'::regclass;

-- Changing it.
SELECT affiliate_alter_binding('refused', on_truncate => 'reconcile'), affiliate_alter_binding('refused', on_truncate => 'reconcile');
TRUNCATE refused;
SELECT affiliate_alter_binding('kept', on_truncate => 'refuse');
INSERT INTO kept VALUES (2, 'ada', 100);
TRUNCATE kept;
SELECT affiliate_alter_binding('kept', on_delete => 'reverse'), affiliate_alter_binding('loaded', on_delete => 'keep');
SELECT payments, on_delete, on_truncate FROM affiliate.binding ORDER BY id;
-- what does not fit
SELECT affiliate_alter_binding('refused', on_truncate => 'keep');
SELECT affiliate_alter_binding('loaded', on_truncate => 'reconcile');
SELECT affiliate_alter_binding('loaded', on_truncate => 'forget');
SELECT affiliate_detach('refused');
SELECT affiliate_attach_payments('refused', customer => 'customer', amount => 'amount', on_truncate => 'keep');
SELECT affiliate_attach_payments('refused', customer => 'customer', amount => 'amount', on_delete => 'keep', on_truncate => 'reconcile');
SELECT affiliate_attach_payments('refused', customer => 'customer', amount => 'amount', on_truncate => '');
-- a table of refunds gives back what it took, which TRUNCATE does not tell
SELECT affiliate_attach_payments('refused', customer => 'customer', amount => 'amount');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
SELECT affiliate_attach_refunds('refunds', payments => 'refused', payment_key => 'payment', refund_key => 'id', amount => 'amount');
INSERT INTO refused VALUES (5, 'ada', 100);
INSERT INTO refunds VALUES (1, 5, 10);
TRUNCATE refunds;
SELECT affiliate_alter_binding('refused', on_truncate => 'reconcile');
TRUNCATE refunds;
SELECT * FROM affiliate_reconcile();
SELECT key, earned FROM ledger WHERE payments = 'refused'::regclass AND key = '5';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
