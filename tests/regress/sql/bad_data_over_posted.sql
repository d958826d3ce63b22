-- Bad data over a payment that is posted: the ledger stays as it is and the row is in quarantine, until it is mended or gone.
CREATE DATABASE regress_bad_data_over_posted;
\c regress_bad_data_over_posted
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id text PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD', refunded numeric DEFAULT 0, paid_at timestamptz DEFAULT '2024-02-01', n int DEFAULT 1);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', refunded => 'refunded', paid_at => 'paid_at', paid_when => '10 / n > 0') AS binding;
CREATE VIEW ledger AS SELECT c.payment_key AS key, c.seq, r.customer, c.currency, c.base, c.refunded, c.amount
FROM affiliate.commission c JOIN affiliate.referral r ON r.id = c.referral_id WHERE c.binding_id = 2;
CREATE VIEW quarantine AS SELECT payment_key AS key, reason, detail, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;
INSERT INTO payments (id, customer, amount) SELECT 'p' || lpad(n::text, 2, '0'), 'bob', 10 FROM generate_series(1, 20) n;
SELECT count(*), sum(amount) FROM ledger;

-- Every fault there is. The time of payment is not looked at any more.
UPDATE payments SET amount = NULL WHERE id = 'p01';
UPDATE payments SET amount = 'NaN' WHERE id = 'p02';
UPDATE payments SET amount = 'Infinity' WHERE id = 'p03';
UPDATE payments SET amount = -0.01 WHERE id = 'p04';
UPDATE payments SET amount = 1e29 WHERE id = 'p05';
UPDATE payments SET amount = 1e-29 WHERE id = 'p06';
UPDATE payments SET currency = NULL WHERE id = 'p07';
UPDATE payments SET currency = 'dollars' WHERE id = 'p08';
UPDATE payments SET currency = 'XAU' WHERE id = 'p09';
UPDATE payments SET refunded = -1 WHERE id = 'p10';
UPDATE payments SET refunded = 'NaN' WHERE id = 'p11';
UPDATE payments SET refunded = 1e29 WHERE id = 'p12';
UPDATE payments SET n = 0 WHERE id = 'p13';
UPDATE payments SET paid_at = 'infinity' WHERE id = 'p14';
UPDATE payments SET paid_at = NULL WHERE id = 'p15';
UPDATE payments SET id = repeat('k', 2001) WHERE id = 'p16';
SELECT left(key, 3) AS key, reason, left(detail, 12) AS detail, resolved FROM quarantine ORDER BY key;
SELECT left(key, 3) AS key, seq, base, amount FROM ledger WHERE seq > 1 ORDER BY key;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
-- it is in quarantine that they stand, and nothing else is wrong: the ledger is what it was when the rows were last good
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT count(*), sum(amount) FROM ledger;

-- One fault after the other: one record, with the latest reason and row.
UPDATE payments SET amount = 'NaN' WHERE id = 'p01';
UPDATE payments SET currency = 'dollars' WHERE id = 'p01';
UPDATE payments SET amount = -5 WHERE id = 'p01';
SELECT key, reason, detail, resolved FROM quarantine WHERE key = 'p01';
SELECT "row" FROM affiliate.quarantine WHERE payment_key = 'p01';
-- what is not mapped does not renew it
SELECT xmin AS written FROM affiliate.quarantine WHERE payment_key = 'p01' \gset
UPDATE payments SET paid_at = paid_at WHERE id = 'p01';
SELECT xmin = :written AS untouched FROM affiliate.quarantine WHERE payment_key = 'p01';

-- Meanwhile: paid out, disputed, explained, folded.
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, amount, entries, status FROM affiliate_payouts('alice');
SELECT affiliate_record_refund('payments', 'p02', 'dispute-2', 4, kind => 'dispute');
SELECT key, seq, base, amount FROM ledger WHERE key = 'p02' ORDER BY seq;
SELECT e ->> 'reason' AS reason, e ->> 'detail' AS detail, e -> 'commission' AS commission, e #>> '{entries,0,amount}' AS posted FROM affiliate_explain('payments', 'p02') e;
SELECT affiliate_maintain() > 0 AS folded;

-- Mended: the difference is posted, what was disputed meanwhile taken into account; the record is resolved and stays.
UPDATE payments SET amount = 10, currency = 'USD' WHERE id = 'p01';
UPDATE payments SET amount = 20 WHERE id IN ('p02', 'p03', 'p04', 'p05', 'p06');
UPDATE payments SET currency = 'EUR' WHERE id = 'p07';
UPDATE payments SET currency = 'USD' WHERE id IN ('p08', 'p09');
UPDATE payments SET refunded = 5 WHERE id IN ('p10', 'p11', 'p12');
UPDATE payments SET n = 11 WHERE id = 'p13';
UPDATE payments SET id = 'p16' WHERE id LIKE 'kkk%';
SELECT left(key, 3) AS key, seq, currency, base, refunded, amount FROM ledger WHERE key BETWEEN 'p01' AND 'p16' AND seq > 1 ORDER BY key, seq;
SELECT left(key, 3) AS key, reason, resolved FROM quarantine ORDER BY key;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;

-- Deleted, of nobody's, of another customer's, not paid, or of nothing while it is bad: it is not bad any more, and the ledger follows.
UPDATE payments SET amount = 'NaN' WHERE id IN ('p01', 'p02', 'p03', 'p04', 'p05', 'p17');
DELETE FROM payments WHERE id = 'p01';
UPDATE payments SET customer = 'eve' WHERE id = 'p02';
UPDATE payments SET customer = 'carol', amount = 30 WHERE id = 'p03';
UPDATE payments SET n = 11 WHERE id = 'p04';
UPDATE payments SET amount = 0 WHERE id = 'p05';
-- of another customer's and still bad: the ledger stays with the first
UPDATE payments SET customer = 'carol' WHERE id = 'p17';
SELECT key, seq, customer, base, amount FROM ledger WHERE key IN ('p01', 'p02', 'p03', 'p04', 'p05', 'p17') AND seq > 1 ORDER BY key, seq;
SELECT key, reason, count(*), bool_and(resolved) AS resolved FROM quarantine WHERE key IN ('p01', 'p02', 'p03', 'p04', 'p05', 'p17') GROUP BY key, reason ORDER BY key, reason;
UPDATE payments SET amount = 40 WHERE id = 'p17';
SELECT key, seq, customer, base, amount FROM ledger WHERE key = 'p17' ORDER BY seq;

-- Rolled back, there is no record; bad and mended in one transaction leaves one that is resolved; in one statement there are both.
BEGIN;
UPDATE payments SET amount = 'NaN' WHERE id = 'p18';
ROLLBACK;
BEGIN;
UPDATE payments SET amount = 'NaN' WHERE id = 'p19';
UPDATE payments SET amount = 11 WHERE id = 'p19';
COMMIT;
UPDATE payments SET amount = CASE WHEN id = 'p18' THEN 'NaN'::numeric ELSE 12 END WHERE id IN ('p18', 'p19');
SELECT key, reason, resolved FROM quarantine WHERE key IN ('p18', 'p19') ORDER BY key, resolved;
SELECT key, seq, base, amount FROM ledger WHERE key IN ('p18', 'p19') ORDER BY key, seq;

-- Inserted again over what is posted: by an upsert, and after a deletion.
INSERT INTO payments (id, customer, amount) VALUES ('p20', 'bob', 'NaN') ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
DELETE FROM payments WHERE id = 'p18';
INSERT INTO payments (id, customer, amount) VALUES ('p18', 'bob', 'NaN');
SELECT key, reason, resolved FROM quarantine WHERE key IN ('p18', 'p20') ORDER BY key, resolved;
SELECT key, seq, base, amount FROM ledger WHERE key IN ('p18', 'p20') ORDER BY key, seq;

-- Retried by reconcile when it was mended where no trigger saw it.
SET session_replication_role = replica;
UPDATE payments SET amount = 50 WHERE id = 'p20';
DELETE FROM payments WHERE id = 'p18';
RESET session_replication_role;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE key IN ('p18', 'p20') ORDER BY key, seq;
SELECT count(*) FROM quarantine WHERE NOT resolved;

-- Where rows are seen one by one, and in the extension's own table.
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO parts VALUES (1, 'bob', 10), (2, 'bob', 20);
UPDATE parts SET amount = 'NaN' WHERE id = 1;
UPDATE parts SET amount = 'NaN', id = 102 WHERE id = 2;
SELECT payment_key, seq, base, amount FROM affiliate.commission WHERE binding_id = 3 ORDER BY payment_key, seq;
UPDATE parts SET amount = 30;
SELECT payment_key, sum(amount) FROM affiliate.commission WHERE binding_id = 3 GROUP BY payment_key ORDER BY payment_key;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 10, '2024-02-01');
UPDATE affiliate.payment SET currency = 'dollars', amount = 100;
SELECT amount FROM affiliate.commission WHERE binding_id = 1;
UPDATE affiliate.payment SET currency = 'USD';
SELECT seq, amount FROM affiliate.commission WHERE binding_id = 1 ORDER BY seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
