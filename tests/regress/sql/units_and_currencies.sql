-- In which unit and currency an amount is: Stripe's minor units, minor units in numeric columns, a currency for rows that name none, currencies of the past.
CREATE DATABASE regress_units_and_currencies;
\c regress_units_and_currencies
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
SELECT affiliate_attribute('ada', code => 'maya-tips', attributed_at => '2024-01-01') IS NOT NULL;
CREATE VIEW ledger AS SELECT b.payments::text AS host, c.payment_key AS key, c.seq, c.currency, c.base, c.refunded, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
CREATE VIEW quarantined AS SELECT payment_key, reason, detail, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;

-- Stripe's minor units: of amounts, refunded amounts, refunds in a table, recorded disputes.
CREATE TABLE charges (id int PRIMARY KEY, customer text, amount bigint, currency text, refunded numeric);
CREATE TABLE iso (id int PRIMARY KEY, customer text, amount bigint, currency text);
CREATE TABLE back (id int PRIMARY KEY, charge int, amount bigint);
SELECT affiliate_attach_payments('charges', customer => 'customer', amount => 'amount', currency => 'currency', refunded => 'refunded', minor_units => true, minor_units_of => 'stripe');
SELECT affiliate_attach_payments('iso', customer => 'customer', amount => 'amount', currency => 'currency', minor_units => true);
INSERT INTO charges SELECT n, 'ada', 10000, c, 0 FROM unnest(ARRAY['usd', 'ugx', 'isk', 'mga', 'jpy', 'kwd', 'huf', 'twd', 'clp']) WITH ORDINALITY AS u (c, n);
INSERT INTO iso SELECT id, customer, amount, currency FROM charges;
SELECT host, currency, base, amount FROM ledger ORDER BY currency, host;
UPDATE charges SET refunded = 5000 WHERE currency IN ('ugx', 'mga');
SELECT affiliate_record_refund('charges', 3, 'dp_1', 2500, kind => 'dispute');
SELECT key, seq, currency, base, refunded, amount FROM ledger WHERE host = 'charges' AND seq > 1 ORDER BY key;
CREATE TABLE refunded (LIKE iso INCLUDING ALL);
SELECT affiliate_attach_payments('refunded', customer => 'customer', amount => 'amount', currency => 'currency', minor_units => true, minor_units_of => 'stripe');
SELECT affiliate_attach_refunds('back', payments => 'refunded', payment_key => 'charge', refund_key => 'id', amount => 'amount');
INSERT INTO refunded SELECT * FROM iso;
INSERT INTO back VALUES (1, 2, 5000), (2, 4, 5000);
SELECT key, seq, currency, base, refunded, amount FROM ledger WHERE host = 'refunded' AND seq > 1 ORDER BY key, seq;

-- Minor units in numeric columns: whole ones however they are written, and no others.
CREATE TABLE cents (id int PRIMARY KEY, customer text, amount numeric, refunded numeric, currency text);
CREATE TABLE cents_back (id int PRIMARY KEY, cents int, amount numeric);
SELECT affiliate_attach_payments('cents', customer => 'customer', amount => 'amount', refunded => 'refunded', currency => 'currency', minor_units => true);
INSERT INTO cents VALUES (1, 'ada', 1000, NULL, 'USD'), (2, 'ada', 1000.000, 500.0, 'USD'), (3, 'ada', 1e3, 0, 'JPY'), (4, 'ada', 1000.5, 0, 'USD'),
    (5, 'ada', 1000, 0.5, 'USD'), (6, 'ada', 1000.5, 0, 'JPY'), (7, 'ada', 'NaN', 0, 'USD'), (8, 'ada', -1, 0, 'USD'), (9, 'ada', 1e30, 0, 'USD'),
    (10, 'ada', 7922816251426433759354395033, 0, 'USD'), (11, 'eve', 0.5, 0, 'USD');
SELECT key, currency, base, refunded, amount FROM ledger WHERE host = 'cents' ORDER BY key::int;
SELECT * FROM quarantined ORDER BY payment_key::int;
UPDATE cents SET amount = 1000, refunded = 0 WHERE id BETWEEN 4 AND 9;
UPDATE cents SET refunded = 0.1 WHERE id = 1;
SELECT * FROM quarantined WHERE NOT resolved;
SELECT key, seq, base, amount FROM ledger WHERE host = 'cents' AND key = '1';
UPDATE cents SET refunded = 1000 WHERE id = 1;
-- the type of the column changes
ALTER TABLE cents ALTER amount TYPE bigint USING least(amount, 1000000);
INSERT INTO cents VALUES (12, 'ada', 1000, 0, 'USD');
ALTER TABLE cents ALTER amount TYPE numeric(20,2);
INSERT INTO cents VALUES (13, 'ada', 1000, 0, 'USD');
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE host = 'cents' AND key IN ('1', '10', '12', '13') ORDER BY key::int, seq;
CREATE TABLE cents_too (LIKE cents INCLUDING ALL);
SELECT affiliate_attach_payments('cents_too', customer => 'customer', amount => 'amount', currency => 'currency', minor_units => true);
INSERT INTO cents_too SELECT * FROM cents WHERE id > 11;
SELECT affiliate_record_refund('cents_too', 12, 'r', 0.5);
SELECT affiliate_attach_refunds('cents_back', payments => 'cents_too', payment_key => 'cents', refund_key => 'id', amount => 'amount');
INSERT INTO cents_back VALUES (1, 12, 300.0), (2, 13, 0.5);
SELECT key, seq, base, amount FROM ledger WHERE host = 'cents_too' AND key IN ('12', '13') ORDER BY key::int, seq;
SELECT * FROM quarantined WHERE NOT resolved;
UPDATE cents_back SET amount = 1000 WHERE id = 2;
SELECT key, seq, base, amount FROM ledger WHERE host = 'cents_too' AND key = '13' ORDER BY seq;

-- A currency for the rows that name none; an empty text names one that is not known.
CREATE TABLE sales (id int PRIMARY KEY, customer text, amount numeric, currency text);
SELECT affiliate_attach_payments('sales', customer => 'customer', amount => 'amount', currency => 'currency', currency_code => ' eur');
INSERT INTO sales VALUES (1, 'ada', 10, NULL), (2, 'ada', 10, 'jpy'), (3, 'ada', 10, ''), (4, 'ada', 10, ' ');
SELECT key, currency, amount FROM ledger WHERE host = 'sales' ORDER BY key;
SELECT * FROM quarantined WHERE NOT resolved ORDER BY 1;
UPDATE sales SET currency = NULL WHERE id > 1;
SELECT key, seq, currency, amount FROM ledger WHERE host = 'sales' AND key <> '1' ORDER BY key, seq;
SELECT affiliate_alter_binding('sales', clear => '{currency_code}') AS changed;
INSERT INTO sales VALUES (5, 'ada', 10, NULL);
SELECT * FROM quarantined WHERE NOT resolved ORDER BY 1;
SELECT affiliate_alter_binding('sales', currency_code => 'GBP') AS changed;
SELECT * FROM affiliate_reconcile();
SELECT key, currency, sum(amount) FROM ledger WHERE host = 'sales' GROUP BY key, currency ORDER BY key, currency;

-- Currencies that are no more have the decimals that they had.
INSERT INTO affiliate.payment (id, customer, amount, currency)
SELECT n, 'ada', 99.99, c FROM unnest('{ANG,BYR,EEK,LTL,LVL,MRO,STD,VEF,ZMK,SLL,HRK,DEM,ITL,TRL,XCG,ZWL,BGN}'::text[]) WITH ORDINALITY AS u (c, n);
INSERT INTO affiliate.payment (id, customer, amount, currency) VALUES (50, 'ada', 10, 'XBA'), (51, 'ada', 10, 'XFO');
SELECT currency, base, amount FROM ledger WHERE host = 'affiliate.payment' ORDER BY key::int;
SELECT * FROM quarantined WHERE NOT resolved ORDER BY 1;
SELECT affiliate_set_program('default', currency => 'VEF') IS NOT NULL AS set;
DELETE FROM affiliate.payment WHERE id >= 50;

-- What does not fit is refused and changes nothing.
CREATE TABLE other (id int PRIMARY KEY, customer text, amount numeric, currency text);
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', minor_units_of => 'stripe');
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', minor_units => true, minor_units_of => 'paypal');
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', minor_units => true, minor_units_of => '');
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', minor_units => true, minor_units_of => 'stripe', currency => 'currency', currency_code => 'YEN');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'other'::regclass;
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', minor_units => true, minor_units_of => 'stripe', currency => 'currency', currency_code => 'ISK');
SELECT affiliate_alter_binding('other', minor_units => false);
SELECT affiliate_alter_binding('other', minor_units => false, clear => '{minor_units_of}') AS changed;
SELECT affiliate_alter_binding('other', minor_units_of => 'stripe');
SELECT affiliate_alter_binding('other', minor_units => true, minor_units_of => 'stripe') AS changed;
INSERT INTO other VALUES (1, 'ada', 1000, NULL);
SELECT currency, base, amount FROM ledger WHERE host = 'other';
SELECT affiliate_alter_binding('other', minor_units_of => 'stripe') AS changed;
SELECT affiliate_alter_binding('other', clear => '{minor_units_of}');
SELECT affiliate_alter_binding('charges', clear => '{minor_units_of}');
SELECT affiliate_detach('charges');
SELECT affiliate_attach_payments('charges', customer => 'customer', amount => 'amount', currency => 'currency', refunded => 'refunded', minor_units => true);
SELECT affiliate_attach_payments('charges', customer => 'customer', amount => 'amount', currency => 'currency', refunded => 'refunded', minor_units => true, minor_units_of => 'stripe');
SELECT affiliate_alter_binding('sales', minor_units_of => 'stripe');
SELECT payments, minor_units, minor_units_of FROM affiliate.binding WHERE minor_units ORDER BY id;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
\c postgres
DROP DATABASE regress_units_and_currencies;
