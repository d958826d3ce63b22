-- A referral that is recorded after the payments it covers: they are posted at once where an index
-- finds them, and by reconciling elsewhere.
CREATE DATABASE regress_attributed_later;
\c regress_attributed_later
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
CREATE TABLE payments (id int PRIMARY KEY, customer bigint, amount numeric, paid_at timestamptz);
CREATE INDEX ON payments (customer, paid_at);
CREATE TABLE lines (invoice text, line int, customer text, cents int, PRIMARY KEY (invoice, line));
CREATE INDEX ON lines USING hash (customer);
CREATE TABLE parts (id int, customer int, amount numeric, paid_at date, PRIMARY KEY (id, paid_at)) PARTITION BY RANGE (paid_at);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2024-02-01');
CREATE TABLE parts_new PARTITION OF parts DEFAULT;
CREATE INDEX ON parts (customer);
CREATE TABLE plain (id int PRIMARY KEY, customer bigint, amount numeric);
CREATE TABLE partly (id int PRIMARY KEY, customer bigint, amount numeric);
CREATE INDEX ON partly (customer) WHERE amount > 100;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at'),
    affiliate_attach_payments('lines', customer => 'customer', amount => 'cents', minor_units => true),
    affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_at => 'paid_at'),
    affiliate_attach_payments('plain', customer => 'customer', amount => 'amount'),
    affiliate_attach_payments('partly', customer => 'customer', amount => 'amount');
CREATE VIEW ledger AS SELECT b.payments, c.payment_key, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
INSERT INTO payments VALUES (1, 7, 10, '2024-01-01'), (2, 7, 20, '2024-03-01'), (3, 8, 30, '2024-03-01'), (4, 7, -1, '2024-03-02');
INSERT INTO lines VALUES ('a', 1, '7', 1000), ('a', 2, '8', 1000);
INSERT INTO parts VALUES (1, 7, 40, '2024-01-15'), (2, 7, 50, '2024-03-15');
INSERT INTO plain VALUES (1, 7, 60);
INSERT INTO partly VALUES (1, 7, 70);
SELECT affiliate_record_refund('payments', 2, 'r', 5) IS NOT NULL;

SELECT customer, code FROM affiliate_attribute(7, 'maya-tips', attributed_at => '2024-02-10');
SELECT * FROM ledger ORDER BY payments, payment_key;
SELECT payment_key, reason FROM affiliate.quarantine;
-- a second call changes nothing
SELECT customer, code FROM affiliate_attribute(7, 'maya-tips', attributed_at => '2020-01-01');
SELECT count(*) FROM ledger;
-- what no index finds is reconciled
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger WHERE payments IN ('plain'::regclass, 'partly'::regclass) ORDER BY payments;

-- Payment and referral in one transaction, in this order; a table that is paused waits.
BEGIN;
INSERT INTO payments VALUES (5, 9, 50, now());
SELECT customer, code FROM affiliate_attribute(9, 'maya-tips');
COMMIT;
SELECT payment_key, amount FROM ledger WHERE payments = 'payments'::regclass AND payment_key = '5';
INSERT INTO payments VALUES (6, 10, 60, now() + interval '1 hour');
SELECT affiliate_pause('payments', 'a look at it') IS NOT NULL;
SELECT customer, code FROM affiliate_attribute(10, 'maya-tips');
SELECT count(*) FROM ledger WHERE payment_key = '6';
SELECT * FROM affiliate_resume('payments');
-- A customer whose text is no value of the column's type is nobody in that table.
INSERT INTO lines VALUES ('b', 1, 'x', 2000);
SELECT customer, code FROM affiliate_attribute('x', 'maya-tips');
SELECT payment_key, amount FROM ledger WHERE payments = 'lines'::regclass ORDER BY payment_key;
-- A trigger of the host may attribute.
CREATE FUNCTION by_amount() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN PERFORM affiliate_attribute(NEW.customer::bigint, 'maya-tips', attributed_at => '2024-01-01'); RETURN NULL; END $$;
CREATE TRIGGER by_amount AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION by_amount();
CREATE TRIGGER by_amount AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION by_amount();
INSERT INTO payments VALUES (11, 20, 10, '2024-05-01'), (12, 21, 20, '2024-05-01');
INSERT INTO parts VALUES (11, 22, 10, '2024-05-01'), (12, 20, 20, '2024-05-01');
SELECT payments, payment_key, amount FROM ledger WHERE payment_key ~ '^.?1[12]' ORDER BY payments, payment_key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
