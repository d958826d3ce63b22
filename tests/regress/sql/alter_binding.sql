-- Options of a binding are changed without detaching; what is posted keeps its terms, and reconcile brings the rest along.
CREATE DATABASE regress_alter_binding;
\c regress_alter_binding
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT name FROM affiliate_set_program('other', rate => 0.1);
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, code text DEFAULT 'EUR', paid_on date DEFAULT '2024-02-01',
    settled_on date, back numeric, product text, status text DEFAULT 'paid', flag real, gone text);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount') AS binding;
CREATE VIEW ledger AS SELECT c.payment_key::int AS key, c.seq, c.currency, c.rate, c.matures_on, c.amount FROM affiliate.commission c;
CREATE VIEW binding AS
SELECT program, customer, amount, currency, paid_at, refunded, product, attnums, currency_code, minor_units, paid_when, paid_when_columns, paid_when_attnums, since, on_delete
FROM affiliate.binding WHERE id = 2;

-- Nothing is posted yet: everything goes.
SELECT affiliate_alter_binding('payments') AS nothing, affiliate_alter_binding('payments', clear => '{}') AS nothing,
    affiliate_alter_binding('payments', clear => '{since,product}') AS nothing, affiliate_alter_binding('payments', program => 'default', on_delete => 'reverse', minor_units => false) AS nothing;
SELECT affiliate_alter_binding('payments', currency => 'code', paid_at => 'paid_on', since => '2024-01-15', refunded => 'back', product => 'product',
    paid_when => $$status = 'paid'$$, program => 'other', on_delete => 'keep') AS changed;
SELECT * FROM binding \gx
SELECT affiliate_alter_binding('payments', currency_code => 'jpy ', clear => '{currency,refunded,paid_when,since,product,paid_at}', program => 'default', on_delete => 'reverse') AS changed;
SELECT * FROM binding \gx
SELECT affiliate_alter_binding('payments', clear => '{currency_code}', paid_at => 'paid_on') AS changed;

-- Bad input.
SELECT affiliate_alter_binding(NULL);
SELECT affiliate_alter_binding('pg_class');
SELECT affiliate_alter_binding('affiliate.payment', on_delete => 'keep');
SELECT affiliate_alter_binding('payments', currency => 'nothing');
SELECT affiliate_alter_binding('payments', currency => 'code', currency_code => 'DOGE');
SELECT affiliate_alter_binding('payments', currency_code => 'XXX');
SELECT affiliate_alter_binding('payments', paid_at => 'customer');
SELECT affiliate_alter_binding('payments', refunded => 'flag');
SELECT affiliate_alter_binding('payments', paid_when => 'now() > paid_on');
SELECT affiliate_alter_binding('payments', paid_when => ' ');
SELECT affiliate_alter_binding('payments', program => 'nothing');
SELECT affiliate_alter_binding('payments', on_delete => 'forget');
SELECT affiliate_alter_binding('payments', since => 'infinity');
SELECT affiliate_alter_binding('payments', minor_units_of => 'stripe');
SELECT affiliate_alter_binding('payments', clear => '{amount}');
SELECT affiliate_alter_binding('payments', clear => '{paid_at}', paid_at => 'settled_on');
SELECT * FROM binding \gx

-- Payments go on, by the options of the moment; older ones follow when they are reconciled, on their own terms.
INSERT INTO payments VALUES (1, 'bob', 100, 'EUR', '2024-02-01', '2024-03-01', NULL, NULL, 'paid'), (2, 'bob', 200, 'EUR', '2024-02-01', '2024-03-01', 50, NULL, 'open');
SELECT name, rate, hold_days FROM affiliate_set_program('default', rate => 0.2, hold_days => 10);
SELECT affiliate_alter_binding('payments', currency => 'code', paid_at => 'settled_on', refunded => 'back', paid_when => $$status = 'paid'$$) AS changed;
INSERT INTO payments VALUES (3, 'bob', 300, 'EUR', '2024-02-01', '2024-03-01', 100, NULL, 'paid'), (4, 'bob', 400, 'EUR', '2024-02-01', '2024-03-01', NULL, NULL, 'open');
SELECT * FROM ledger ORDER BY key, seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger ORDER BY key, seq;
SELECT affiliate_alter_binding('payments', since => '2024-03-02', clear => '{paid_when}') AS changed;
INSERT INTO payments VALUES (5, 'bob', 500, 'EUR', '2024-02-01', '2024-03-01');
SELECT * FROM affiliate_reconcile();
SELECT affiliate_alter_binding('payments', clear => '{since}', on_delete => 'keep') AS changed;
DELETE FROM payments WHERE id = 1;
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger ORDER BY key, seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- What entries depend on stays.
SELECT affiliate_alter_binding('payments', program => 'other');
SELECT affiliate_alter_binding('payments', minor_units => true);
SELECT affiliate_alter_binding('payments', clear => '{refunded}');
SELECT affiliate_alter_binding('payments', program => 'default', minor_units => false) AS nothing;

-- Renamed columns are found by what they are called now, the condition by what it knows; one that is gone is said.
SELECT affiliate_alter_binding('payments', paid_when => $$status = 'paid'$$, product => 'gone') AS changed;
ALTER TABLE payments RENAME COLUMN status TO state;
ALTER TABLE payments RENAME COLUMN code TO currency_code;
ALTER TABLE payments ADD COLUMN code int, ADD COLUMN status int;
SELECT affiliate_alter_binding('payments', since => '2023-01-01') AS changed;
SELECT * FROM binding \gx
INSERT INTO payments (id, customer, amount, currency_code, settled_on, state) VALUES (6, 'bob', 600, 'EUR', '2024-03-01', 'paid'), (7, 'bob', 700, 'EUR', '2024-03-01', 'open');
SELECT * FROM ledger WHERE key > 5;
ALTER TABLE payments DROP COLUMN gone;
SELECT affiliate_alter_binding('payments', since => '2022-01-01');
SELECT affiliate_alter_binding('payments', since => '2022-01-01', clear => '{product}') AS changed;

-- A table of refunds, or recorded refunds, and a column would count twice.
CREATE TABLE others (LIKE payments INCLUDING ALL);
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'amount') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'others', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
SELECT affiliate_alter_binding('others', refunded => 'back');
SELECT affiliate_detach('refunds');
INSERT INTO others (id, customer, amount) VALUES (1, 'bob', 100);
SELECT affiliate_record_refund('others', 1, 'r', 10);
SELECT affiliate_alter_binding('others', refunded => 'back');
SELECT affiliate_detach('others');
SELECT affiliate_alter_binding('others', on_delete => 'keep');

-- A partitioned table, also by a partition; a paused one.
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric, ok boolean) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', currency_code => 'USD') AS binding;
SELECT affiliate_pause('parts', 'altering') IS NOT NULL AS paused;
SELECT affiliate_alter_binding('parts_1', paid_when => 'ok') AS changed;
INSERT INTO parts VALUES (1, 'bob', 10, true), (2, 'bob', 20, false);
SELECT * FROM affiliate_resume('parts');

-- It asks for no more than the owner of the table has, and locks the table as reading it does.
CREATE ROLE regress_alters;
SELECT affiliate_grant('regress_alters', 'admin');
SET ROLE regress_alters;
SELECT affiliate_alter_binding('parts', clear => '{paid_when}');
RESET ROLE;
ALTER TABLE parts OWNER TO regress_alters;
SET ROLE regress_alters;
BEGIN;
SELECT affiliate_alter_binding('parts', clear => '{paid_when}') AS changed;
SELECT DISTINCT mode FROM pg_locks WHERE relation = 'parts'::regclass AND granted;
COMMIT;
RESET ROLE;
SELECT paid_when FROM affiliate.binding WHERE payments = 'parts'::regclass;
SELECT affiliate_revoke('regress_alters');
DROP OWNED BY regress_alters CASCADE;
DROP ROLE regress_alters;
