-- affiliate_backfill() posts what is older than the attachment, affiliate_reconcile() whatever is missing; nothing when nothing is.
CREATE DATABASE regress_backfill_and_reconcile;
\c regress_backfill_and_reconcile
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM unnest(ARRAY['alice', 'anna']) o, LATERAL affiliate_create(o, code => o);
SELECT count(*) FROM (VALUES ('bob', 'alice', '2024-01-01'), ('carol', 'anna', '2024-02-10 12:00')) v (who, ref, at), LATERAL affiliate_attribute(who, code => ref, attributed_at => at::timestamptz);
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, a.owner AS affiliate, c.rate, c.base, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.affiliate a ON a.id = c.affiliate_id;

-- A history: attaching scans nothing, verify counts it as missing.
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_at timestamptz);
INSERT INTO payments VALUES
    (1, 'bob', 10, '2024-02-01'), (2, 'bob', 20, '2024-02-02'), (3, 'bob', 30, '2024-02-03'), (4, 'bob', 40, '2024-02-03 23:59:59.999999'), (5, 'bob', 50, '2024-02-04'),
    (6, 'eve', 60, '2024-02-02'), (7, 'bob', 0, '2024-02-02'), (8, 'bob', 80, '2023-12-31'), (9, 'bob', -90, '2024-02-02'), (10, 'carol', 100, '2024-02-10'), (11, 'carol', 110, '2024-02-11'), (12, 'bob', 0.01, '2024-02-05');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
SELECT count(*) FROM ledger;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
INSERT INTO payments VALUES (13, 'bob', 130, '2024-02-06');

-- since is inclusive, until exclusive; a second run finds nothing; the terms are today's, the day of maturity that of the payment.
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.20, hold_days => 10);
SELECT * FROM affiliate_backfill('payments', since => '2024-02-02', until => '2024-02-04');
SELECT * FROM affiliate_backfill('payments', since => '2024-02-02', until => '2024-02-04');
SELECT key, seq, affiliate, rate, base, amount, matures_on FROM ledger ORDER BY key, seq;
SELECT payment_key, reason FROM affiliate.quarantine;
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.30, hold_days => 0);
-- windows with nothing in them
SELECT * FROM affiliate_backfill('payments', since => '2024-02-04', until => '2024-02-04');
SELECT * FROM affiliate_backfill('payments', since => '2024-02-04', until => '2024-02-02');
SELECT * FROM affiliate_backfill('payments', since => '2030-01-01');
SELECT * FROM affiliate_backfill('payments', until => '2024-01-01');
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
-- open ends
SELECT * FROM affiliate_backfill('payments', until => '2024-02-02');
SELECT * FROM affiliate_backfill('payments', since => '2024-02-10');
SELECT * FROM affiliate_backfill('payments');
SELECT * FROM affiliate_backfill('payments', since => '-infinity', until => 'infinity');
SELECT key, seq, affiliate, rate, base, amount, matures_on FROM ledger WHERE key NOT BETWEEN 2 AND 4 ORDER BY key, seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
DELETE FROM payments WHERE id = 9;

-- It posts payments without entries; those that have some and are off are reconcile's.
SET session_replication_role = replica;
UPDATE payments SET amount = 15 WHERE id = 1;
UPDATE payments SET amount = 15 WHERE id = 2;
UPDATE payments SET customer = 'eve' WHERE id = 3;
DELETE FROM payments WHERE id = 4;
UPDATE payments SET amount = 'NaN' WHERE id = 5;
INSERT INTO payments VALUES (14, 'bob', 140, '2024-02-06'), (15, 'bob', 'NaN', '2024-02-06'), (16, 'eve', 160, '2024-02-06');
UPDATE payments SET paid_at = '2024-02-07' WHERE id = 8;
RESET session_replication_role;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_backfill('payments');
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, affiliate, rate, base, amount FROM ledger WHERE key IN (1, 2, 3, 4, 5, 8, 14, 15) ORDER BY key, seq;
UPDATE payments SET amount = 50 WHERE amount = 'NaN';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- A referral that is recorded late, and one that moved back in time, are made good; not so what was paid before.
INSERT INTO payments VALUES (20, 'dave', 10, '2024-03-01'), (21, 'dave', 20, '2024-03-05'), (22, 'dave', 30, '2024-03-10');
SELECT customer FROM affiliate_attribute('dave', code => 'alice', attributed_at => '2024-03-05');
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE key BETWEEN 20 AND 29 ORDER BY key;
-- an affiliate that is closed before it was made good earns nothing from it
INSERT INTO payments VALUES (23, 'fay', 10, '2024-03-01');
SELECT customer FROM affiliate_attribute('fay', code => 'anna', attributed_at => '2024-03-01');
SELECT o.status FROM affiliate_set_status('anna', 'closed') o;
SELECT * FROM affiliate_reconcile();
SELECT count(*) FROM ledger WHERE key = 23;

-- Days are of the program's zone; epoch seconds and timestamps are moments.
SELECT name FROM affiliate_set_program('tokyo', time_zone => 'Asia/Tokyo');
SELECT code FROM affiliate_create('aki', code => 'aki', program => 'tokyo');
SELECT customer FROM affiliate_attribute('bob', code => 'aki', program => 'tokyo', attributed_at => '2024-01-01');
CREATE TABLE by_day (id int PRIMARY KEY, customer text, amount numeric, day date);
CREATE TABLE by_time (id int PRIMARY KEY, customer text, amount numeric, at timestamp);
CREATE TABLE by_epoch (id int PRIMARY KEY, customer text, amount numeric, epoch bigint);
INSERT INTO by_day VALUES (1, 'bob', 10, '2024-02-01'), (2, 'bob', 20, '2024-02-02'), (3, 'bob', 30, '2024-02-03');
INSERT INTO by_time VALUES (1, 'bob', 10, '2024-02-01 12:00'), (2, 'bob', 20, '2024-02-02 00:00'), (3, 'bob', 30, '2024-02-02 08:59:59');
INSERT INTO by_epoch VALUES (1, 'bob', 10, extract(epoch FROM timestamptz '2024-02-01 14:59:59+00')), (2, 'bob', 20, extract(epoch FROM timestamptz '2024-02-01 15:00+00'));
SELECT affiliate_attach_payments('by_day', customer => 'customer', amount => 'amount', paid_at => 'day', program => 'tokyo') AS binding;
SELECT affiliate_attach_payments('by_time', customer => 'customer', amount => 'amount', paid_at => 'at', paid_at_zone => 'Asia/Tokyo', program => 'tokyo') AS binding;
SELECT affiliate_attach_payments('by_epoch', customer => 'customer', amount => 'amount', paid_at => 'epoch', program => 'tokyo') AS binding;
-- midnight in Tokyo is 15:00 in UTC
SELECT * FROM affiliate_backfill('by_day', since => '2024-02-02 00:00+09', until => '2024-02-03 00:00+09');
SELECT * FROM affiliate_backfill('by_time', since => '2024-02-01 15:00+00', until => '2024-02-02 00:00+00');
SELECT * FROM affiliate_backfill('by_epoch', since => '2024-02-01 15:00+00');
SELECT payments, key, matures_on FROM ledger WHERE affiliate = 'aki' ORDER BY payments, key;
SELECT * FROM affiliate_reconcile();

-- A binding's own since holds for every way; without a time of payment everything is of now.
CREATE TABLE recent (id int PRIMARY KEY, customer text, amount numeric, paid_at timestamptz);
INSERT INTO recent VALUES (1, 'bob', 10, '2024-02-01'), (2, 'bob', 20, '2024-06-01');
SELECT affiliate_attach_payments('recent', customer => 'customer', amount => 'amount', paid_at => 'paid_at', since => '2024-05-01') AS binding;
SELECT * FROM affiliate_backfill('recent', since => '2024-01-01');
SELECT key, amount FROM ledger WHERE payments = 'recent'::regclass;
CREATE TABLE timeless (id int PRIMARY KEY, customer text, amount numeric);
INSERT INTO timeless VALUES (1, 'bob', 10), (2, 'gil', 20);
SELECT affiliate_attach_payments('timeless', customer => 'customer', amount => 'amount') AS binding;
SELECT * FROM affiliate_backfill('timeless', until => now() - interval '1 day');
SELECT * FROM affiliate_backfill('timeless');
SELECT customer FROM affiliate_attribute('gil', code => 'alice');
SELECT * FROM affiliate_reconcile();
SELECT key, amount FROM ledger WHERE payments = 'timeless'::regclass ORDER BY key;

-- A limit: so many payments and no more; the next call goes on.
CREATE TABLE many (id int PRIMARY KEY, customer text, amount numeric, paid_at date DEFAULT '2024-02-01');
INSERT INTO many SELECT n, CASE WHEN n % 5 = 0 THEN 'eve' ELSE 'bob' END, 1 FROM generate_series(1, 5000) n;
SELECT affiliate_attach_payments('many', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
SELECT * FROM affiliate_reconcile(0);
SELECT * FROM affiliate_reconcile(1);
SELECT * FROM affiliate_reconcile(max_payments => 1499);
SELECT count(*), sum(amount) FROM ledger WHERE payments = 'many'::regclass;
BEGIN;
SELECT * FROM affiliate_reconcile(1000);
ROLLBACK;
SELECT * FROM affiliate_reconcile();
SELECT * FROM affiliate_reconcile(10);
SELECT count(*), sum(amount) FROM ledger WHERE payments = 'many'::regclass;
SET session_replication_role = replica;
UPDATE many SET amount = 2 WHERE id <= 100;
DELETE FROM many WHERE id > 4900;
RESET session_replication_role;
SELECT posted + reversed AS settled FROM affiliate_reconcile(50);
SELECT sum(violations) FROM affiliate_verify();
SELECT * FROM affiliate_reconcile(NULL);

-- Several bindings, a detached one left alone, one call.
SELECT affiliate_detach('timeless');
INSERT INTO timeless VALUES (3, 'bob', 30);
SET session_replication_role = replica;
INSERT INTO payments VALUES (30, 'bob', 10, '2024-04-01');
INSERT INTO many VALUES (6000, 'bob', 10);
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 10, '2024-02-01');
RESET session_replication_role;
SELECT * FROM affiliate_reconcile();
SELECT count(*) FROM ledger WHERE payments = 'timeless'::regclass;

-- What they refuse.
SELECT * FROM affiliate_backfill('timeless');
SELECT * FROM affiliate_backfill(NULL);
SELECT * FROM affiliate_backfill(0::regclass);
\set VERBOSITY sqlstate
SELECT * FROM affiliate_backfill('nowhere');
\set VERBOSITY verbose

-- A partition's name stands for its table.
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 (amount numeric, junk text, customer text, id int NOT NULL);
ALTER TABLE parts_1 DROP COLUMN junk;
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts VALUES (1, 'bob', 10), (2, 'eve', 20), (101, 'bob', 30);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') AS binding;
SELECT * FROM affiliate_backfill('parts_1');
SELECT affiliate_record_refund('parts_2', 1, 'refund-1', 5);
SELECT e ->> 'table' AS "table", e -> 'commission' ->> 'target' AS target FROM affiliate_explain('parts_1', 101) e;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'parts'::regclass ORDER BY key, seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT affiliate_maintain() > 0 AS folded;
SELECT code, currency, total_users_referred, total_conversions, total_money_spent, total_commission FROM affiliate_stats() ORDER BY code, currency;
