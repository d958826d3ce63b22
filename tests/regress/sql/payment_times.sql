-- When a payment was made: to the second, and in which zone.
CREATE DATABASE regress_payment_times;
\c regress_payment_times
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT affiliate_set_program('default', time_zone => 'Asia/Tokyo') IS NOT NULL;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
SELECT affiliate_attribute('ada', code => 'maya-tips', attributed_at => '2024-03-02 12:00:00.9') IS NOT NULL;
CREATE VIEW ledger AS SELECT binding_id, payment_key AS key, amount, paid_on FROM affiliate.commission;

-- Every kind of column: the second of the sign-up earns, the one before does not.
CREATE TABLE moments (id int PRIMARY KEY, customer text, amount numeric, at timestamptz);
CREATE TABLE clocks (id int PRIMARY KEY, customer text, amount numeric, at timestamp(0));
CREATE TABLE seconds (id int PRIMARY KEY, customer text, amount numeric, at bigint);
CREATE TABLE days (id int PRIMARY KEY, customer text, amount numeric, at date);
SELECT affiliate_attach_payments('moments', customer => 'customer', amount => 'amount', paid_at => 'at');
SELECT affiliate_attach_payments('clocks', customer => 'customer', amount => 'amount', paid_at => 'at');
SELECT affiliate_attach_payments('seconds', customer => 'customer', amount => 'amount', paid_at => 'at');
SELECT affiliate_attach_payments('days', customer => 'customer', amount => 'amount', paid_at => 'at');
INSERT INTO moments VALUES (1, 'ada', 10, '2024-03-02 12:00:00'), (2, 'ada', 10, '2024-03-02 11:59:59.999999'), (3, 'ada', 10, '2024-03-02 12:00:00.899999');
INSERT INTO clocks VALUES (1, 'ada', 10, '2024-03-02 12:00:00'), (2, 'ada', 10, '2024-03-02 11:59:59');
INSERT INTO seconds VALUES (1, 'ada', 10, extract(epoch FROM timestamptz '2024-03-02 12:00:00')), (2, 'ada', 10, extract(epoch FROM timestamptz '2024-03-02 11:59:59'));
INSERT INTO days VALUES (1, 'ada', 10, '2024-03-02'), (2, 'ada', 10, '2024-03-01');
SELECT * FROM ledger ORDER BY binding_id, key;
SELECT affiliate_explain('moments', 2) ->> 'reason' AS reason;

-- So does the second of the binding's since; the bounds of a back-fill are exact.
SELECT affiliate_alter_binding('moments', since => '2024-03-03 00:00:00.5');
INSERT INTO moments VALUES (4, 'ada', 10, '2024-03-03 00:00:00'), (5, 'ada', 10, '2024-03-02 23:59:59.9');
ALTER TABLE moments DISABLE TRIGGER USER;
INSERT INTO moments VALUES (6, 'ada', 10, '2024-03-04 00:00:00.4'), (7, 'ada', 10, '2024-03-04 00:00:00.6'), (8, 'ada', 10, '2024-03-05 00:00:00.4'), (9, 'ada', 10, '2024-03-05 00:00:00.6');
ALTER TABLE moments ENABLE TRIGGER USER;
SELECT * FROM affiliate_backfill('moments', since => '2024-03-04 00:00:00.5', until => '2024-03-05 00:00:00.5');
SELECT key FROM ledger WHERE binding_id = 2 AND key::int > 3 ORDER BY key;

-- A timestamp is in UTC, whatever the zone of the program, or in the zone that is named; the day is the program's.
CREATE TABLE local (id int PRIMARY KEY, customer text, amount numeric, at timestamp, moment timestamptz, day date);
SELECT affiliate_attach_payments('local', customer => 'customer', amount => 'amount', paid_at => 'at', paid_at_zone => 'America/New_York');
INSERT INTO local VALUES (1, 'ada', 10, '2024-03-02 07:00:00'), (2, 'ada', 10, '2024-03-02 06:59:59'), (3, 'ada', 10, '2024-03-02 10:00:00'), (4, 'ada', 10, '2024-03-02 09:59:59');
SELECT key, paid_on FROM ledger WHERE binding_id = 6 ORDER BY key;
SELECT affiliate_alter_binding('local', clear => '{paid_at_zone}') AS changed, affiliate_alter_binding('local', clear => '{paid_at_zone}') AS again;
INSERT INTO local VALUES (5, 'ada', 10, '2024-03-02 12:00:00'), (6, 'ada', 10, '2024-03-02 11:59:59'), (7, 'ada', 10, '2024-03-02 15:00:00');
SELECT key, paid_on FROM ledger WHERE binding_id = 6 AND key::int > 4 ORDER BY key;
SELECT affiliate_alter_binding('local', paid_at_zone => 'Asia/Tokyo') AS changed, affiliate_alter_binding('local', paid_at_zone => 'Asia/Tokyo') AS again;
INSERT INTO local VALUES (8, 'ada', 10, '2024-03-02 21:00:00'), (9, 'ada', 10, '2024-03-02 20:59:59');
SELECT key FROM ledger WHERE binding_id = 6 AND key::int > 7 ORDER BY key;
-- hours that a clock skips or shows twice
SELECT affiliate_alter_binding('local', paid_at_zone => 'Europe/Berlin') AS changed;
INSERT INTO local VALUES (10, 'ada', 10, '2024-03-31 02:30:00'), (11, 'ada', 10, '2024-10-27 02:30:00'), (12, 'ada', 10, 'infinity');
SELECT key, paid_on FROM ledger WHERE binding_id = 6 AND key::int > 9 ORDER BY key;
SELECT payment_key, reason, detail FROM affiliate.quarantine;
DELETE FROM local WHERE id = 12;

-- What does not fit is refused and changes nothing.
SELECT affiliate_alter_binding('local', paid_at_zone => 'Mars/Olympus');
SELECT affiliate_alter_binding('local', paid_at_zone => '');
SELECT affiliate_alter_binding('local', paid_at => 'moment');
SELECT affiliate_alter_binding('local', paid_at => 'day');
SELECT affiliate_alter_binding('local', clear => '{paid_at}');
SELECT affiliate_alter_binding('local', paid_at_zone => 'UTC', clear => '{paid_at_zone}');
SELECT affiliate_alter_binding('moments', paid_at_zone => 'UTC');
SELECT paid_at, paid_at_zone FROM affiliate.binding WHERE id IN (2, 6) ORDER BY id;
SELECT affiliate_alter_binding('local', paid_at => 'moment', clear => '{paid_at_zone}') AS changed;
SELECT affiliate_detach('local');
SELECT affiliate_attach_payments('local', customer => 'customer', amount => 'amount', paid_at => 'at', paid_at_zone => 'Mars/Olympus');
SELECT affiliate_attach_payments('local', customer => 'customer', amount => 'amount', paid_at => 'moment', paid_at_zone => 'UTC');
SELECT affiliate_attach_payments('local', customer => 'customer', amount => 'amount', paid_at_zone => 'UTC');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'local'::regclass;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
\c postgres
DROP DATABASE regress_payment_times;
