-- Bad data of a referred customer: the payment goes through, the row stands in affiliate.quarantine with the reason.
CREATE DATABASE regress_quarantine;
\c regress_quarantine
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE VIEW quarantine AS
SELECT b.table_name, q.payment_key, q.reason, q.detail, q.resolved_at IS NOT NULL AS resolved
FROM affiliate.quarantine q JOIN affiliate.binding b ON b.id = q.binding_id;

-- Every payment is inserted, the good ones earn, the bad ones wait.
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at, refunded) VALUES
    (1, 'bob', 20, 'USD', '2024-02-01', 0),
    (2, 'bob', NULL, 'USD', '2024-02-01', 0),
    (3, 'bob', 'NaN', 'USD', '2024-02-01', 0),
    (4, 'bob', 'Infinity', 'USD', '2024-02-01', 0),
    (5, 'bob', '-Infinity', 'USD', '2024-02-01', 0),
    (6, 'bob', -5, 'USD', '2024-02-01', 0),
    (7, 'bob', -0.001, 'USD', '2024-02-01', 0),
    (8, 'bob', 20, 'DOGE', '2024-02-01', 0),
    (9, 'bob', 20, 'XXX', '2024-02-01', 0),
    (10, 'bob', 20, '', '2024-02-01', 0),
    (11, 'bob', 20, NULL, '2024-02-01', 0),
    (12, 'bob', 1e29, 'USD', '2024-02-01', 0),
    (13, 'bob', 1e400, 'USD', '2024-02-01', 0),
    (14, 'bob', 1e-29, 'USD', '2024-02-01', 0),
    (15, 'bob', 20, 'USD', 'infinity', 0),
    (16, 'bob', 20, 'USD', '2024-02-01', -1),
    (17, 'bob', 20, 'USD', '2024-02-01', 'NaN'),
    (18, 'bob', 20, 'USD', '2024-02-01', 'Infinity'),
    (19, 'bob', 20, 'USD', '2024-02-01', 1e30),
    (20, 'bob', 20, 'USD', '2024-02-01', NULL),
    (21, 'bob', 20, 'USD', '2024-02-01', 0);
SELECT count(*) AS inserted FROM affiliate.payment;
SELECT payment_key, amount FROM affiliate.commission ORDER BY payment_key::int;
SELECT payment_key, reason, length(detail) AS length, left(detail, 20) AS detail FROM quarantine ORDER BY payment_key::int;

-- The row as it was seen, when, and not yet resolved.
SELECT "row", seen_at > now() - interval '1 hour' AS seen, resolved_at FROM affiliate.quarantine WHERE payment_key = '8';

-- affiliate_verify() shows it. Nothing else is wrong: no figure has been touched by bad data.
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');

-- Bad data of customers nobody referred is nobody's concern, nor is that of payments that don't count.
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES
    (30, 'eve', 'NaN', 'DOGE', '2024-02-01'), (31, 'bob', 'NaN', 'USD', '2023-12-31');
SELECT count(*) FROM quarantine WHERE payment_key::int >= 30;

-- A row in quarantine that is mended posts at once and is resolved; the record stays.
UPDATE affiliate.payment SET amount = 100 WHERE id IN (2, 3);
UPDATE affiliate.payment SET currency = 'EUR' WHERE id = 8;
SELECT payment_key, reason, resolved FROM quarantine WHERE payment_key IN ('2', '3', '8') ORDER BY payment_key::int;
SELECT payment_key, currency, amount FROM affiliate.commission WHERE payment_key IN ('2', '3', '8') ORDER BY payment_key::int;

-- One that gets another fault waits with that one; it stands there once.
UPDATE affiliate.payment SET amount = -1 WHERE id = 4;
SELECT payment_key, reason, detail, resolved FROM quarantine WHERE payment_key = '4';

-- One that is deleted, or that does not count any more, is resolved too.
DELETE FROM affiliate.payment WHERE id = 5;
UPDATE affiliate.payment SET customer = 'eve' WHERE id = 6;
UPDATE affiliate.payment SET amount = 0 WHERE id = 7;
SELECT payment_key, reason, resolved FROM quarantine WHERE payment_key IN ('5', '6', '7') ORDER BY payment_key;

-- Bad data over a payment already posted: the ledger stays as it is until the row is mended.
UPDATE affiliate.payment SET amount = 'NaN' WHERE id = 1;
UPDATE affiliate.payment SET currency = NULL WHERE id = 21;
SELECT payment_key, reason, resolved FROM quarantine WHERE payment_key IN ('1', '21') ORDER BY payment_key::int;
SELECT payment_key, sum(amount) FROM affiliate.commission WHERE payment_key IN ('1', '21') GROUP BY 1 ORDER BY 1;
UPDATE affiliate.payment SET amount = 10 WHERE id = 1;
UPDATE affiliate.payment SET currency = 'USD' WHERE id = 21;
SELECT payment_key, reason, resolved FROM quarantine WHERE payment_key IN ('1', '21') ORDER BY payment_key::int;
SELECT payment_key, seq, amount FROM affiliate.commission WHERE payment_key IN ('1', '21') ORDER BY payment_key::int, seq;

-- It may come again: another record.
UPDATE affiliate.payment SET amount = NULL WHERE id = 1;
SELECT payment_key, reason, resolved FROM quarantine WHERE payment_key = '1' ORDER BY resolved, reason;

-- A rolled-back payment leaves no record.
BEGIN;
INSERT INTO affiliate.payment (id, customer, amount) VALUES (40, 'bob', 'NaN');
ROLLBACK;
SELECT count(*) FROM quarantine WHERE payment_key = '40';

-- Tables of the host: integers, days, epochs and keys have faults of their own.
CREATE TABLE cents (key text PRIMARY KEY, customer text, cents bigint, cur text, paid bigint);
SELECT affiliate_attach_payments('cents', customer => 'customer', amount => 'cents', currency => 'cur', paid_at => 'paid', minor_units => true) AS binding;
INSERT INTO cents VALUES
    ('ok', 'bob', 9223372036854775807, 'JPY', 1706745600), ('negative', 'bob', -1, 'USD', 1706745600),
    ('null', 'bob', NULL, 'USD', 1706745600), ('currency', 'bob', 100, 'bitcoin', 1706745600),
    ('epoch', 'bob', 100, 'USD', 9223372036854775807),
    ('before', 'bob', 100, 'USD', -9223372036854775808);
SELECT payment_key, reason, detail FROM quarantine WHERE table_name = 'public.cents' ORDER BY payment_key COLLATE "C";
SELECT payment_key, base, amount FROM affiliate.commission WHERE binding_id = 2 ORDER BY payment_key;

CREATE TABLE days (id int PRIMARY KEY, customer text, amount numeric, day date);
SELECT affiliate_attach_payments('days', customer => 'customer', amount => 'amount', paid_at => 'day') AS binding;
INSERT INTO days VALUES (1, 'bob', 10, 'infinity'), (2, 'bob', 10, '-infinity'), (3, 'bob', 10, '9999-12-31');
SELECT payment_key, reason, detail FROM quarantine WHERE table_name = 'public.days' ORDER BY payment_key;
SELECT payment_key, amount, matures_on FROM affiliate.commission WHERE binding_id = 3;

-- A key longer than an index can hold.
CREATE TABLE long_keys (id int, key text NOT NULL, customer text, amount numeric);
CREATE UNIQUE INDEX ON long_keys (key);
SELECT affiliate_attach_payments('long_keys', customer => 'customer', amount => 'amount', payment_key => 'key') AS binding;
INSERT INTO long_keys VALUES (1, repeat('k', 2000), 'bob', 10), (2, repeat('l', 2001), 'bob', 10);
SELECT left(payment_key, 3) AS key, length(payment_key), reason, detail FROM quarantine WHERE table_name = 'public.long_keys';
SELECT left(payment_key, 3) AS key, length(payment_key), amount FROM affiliate.commission WHERE binding_id = 4;
DELETE FROM long_keys WHERE id = 2;
SELECT left(payment_key, 3) AS key, resolved FROM quarantine WHERE table_name = 'public.long_keys';

SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT count(*) AS unresolved FROM affiliate.quarantine WHERE resolved_at IS NULL;
