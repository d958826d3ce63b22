-- The type of a key's column changes: the ledger follows what ALTER TABLE does, by the text of the
-- value or by a cast of it, with terms, entries, refunds and quarantined rows.
CREATE DATABASE regress_key_type_changes;
\c regress_key_type_changes
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
SELECT customer FROM affiliate_attribute('ada', 'maya-tips', attributed_at => '2024-01-01');
CREATE TABLE scaled (id numeric(10,2) PRIMARY KEY, customer text, amount numeric);
CREATE TABLE pairs (a numeric(8,1), b int, customer text, amount numeric, PRIMARY KEY (a, b));
CREATE TABLE dates (id timestamptz PRIMARY KEY, customer text, amount numeric);
CREATE TABLE numbers (id bigint PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments(t::regclass, customer => 'customer', amount => 'amount')
FROM unnest(ARRAY['scaled', 'pairs', 'dates', 'numbers']) t;
CREATE VIEW ledger AS SELECT b.payments, c.payment_key AS key, sum(c.amount) AS earned, min(c.rate) AS rate
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id
GROUP BY b.payments, c.payment_key HAVING sum(c.amount) <> 0 OR sum(c.base - c.base_before) <> 0;
INSERT INTO scaled VALUES (1, 'ada', 100), (2, 'ada', 100), (3, 'ada', -1), (40, 'ada', 100);
INSERT INTO pairs VALUES (1, 1, 'ada', 100), (2, 1, 'ada', 100);
INSERT INTO dates VALUES ('2024-02-01 00:00:00+00', 'ada', 100), ('2024-02-02 00:00:00+00', 'ada', 100);
INSERT INTO numbers VALUES (1, 'ada', 100), (2, 'ada', 100);
SELECT affiliate_record_refund('scaled', 1, 'r1', 100), affiliate_record_refund('scaled', 2, 'r2', 10),
    affiliate_record_refund('pairs', '(2.0,1)'::text, 'r1', 50);
SELECT rate FROM affiliate_set_program('default', rate => 0.5);

ALTER TABLE scaled ALTER id TYPE bigint;
ALTER TABLE pairs ALTER a TYPE smallint, ALTER b TYPE numeric(6,3);
ALTER TABLE dates ALTER id TYPE date;
ALTER TABLE numbers ALTER id TYPE numeric(12,2);
SELECT * FROM affiliate_reconcile();
SELECT * FROM ledger ORDER BY payments, key;
SELECT b.payments, r.payment_key, r.refund_key FROM affiliate.refund r JOIN affiliate.binding b ON b.id = r.binding_id ORDER BY 1, 2;
SELECT b.payments, q.payment_key FROM affiliate.quarantine q JOIN affiliate.binding b ON b.id = q.binding_id WHERE q.resolved_at IS NULL;
-- the same with an open session's next statement, and back
UPDATE scaled SET amount = 200 WHERE id > 1;
ALTER TABLE scaled ALTER id TYPE numeric(14,3);
UPDATE scaled SET amount = 100 WHERE id = 40;
SELECT key, earned, rate FROM ledger WHERE payments = 'scaled'::regclass ORDER BY key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
