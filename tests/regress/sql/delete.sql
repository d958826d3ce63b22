-- DELETE: reversed to zero, or kept, by the policy of the binding.
CREATE DATABASE regress_delete;
\c regress_delete
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD', refunded numeric, paid_at date DEFAULT '2024-02-01');
CREATE TABLE kept (LIKE payments INCLUDING ALL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_at', refunded => 'refunded') AS binding;
SELECT affiliate_attach_payments('kept', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_at', refunded => 'refunded', on_delete => 'keep') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, c.currency, c.base, c.refunded, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;

-- Reversed: a row, several of them, of which some earned nothing, one partly refunded, one fully, one in another currency.
INSERT INTO payments (id, customer, amount, currency, refunded) VALUES
    (1, 'bob', 20, 'USD', 0), (2, 'bob', 20, 'USD', 5), (3, 'bob', 20, 'USD', 20), (4, 'bob', 999, 'JPY', 0),
    (5, 'eve', 20, 'USD', 0), (6, 'bob', 0, 'USD', 0), (7, 'bob', 50, 'USD', 0), (8, 'bob', 0.01, 'USD', 0);
DELETE FROM payments WHERE id = 1;
DELETE FROM payments WHERE id BETWEEN 2 AND 6 OR id = 8;
DELETE FROM payments WHERE id = 1;
SELECT key, seq, currency, base, refunded, amount FROM ledger ORDER BY key, seq;

-- With RETURNING, through USING, in a WITH, in a transaction that is rolled back.
INSERT INTO payments (id, customer, amount) VALUES (10, 'bob', 10), (11, 'bob', 11), (12, 'bob', 12), (13, 'bob', 13);
DELETE FROM payments WHERE id = 10 RETURNING id, amount;
DELETE FROM payments p USING (VALUES (11)) v (id) WHERE p.id = v.id;
WITH gone AS (DELETE FROM payments WHERE id = 12 RETURNING id) SELECT id FROM gone;
BEGIN;
DELETE FROM payments WHERE id = 13;
SELECT sum(amount) FROM ledger WHERE key = 13;
ROLLBACK;
SELECT key, count(*), sum(amount) FROM ledger WHERE key BETWEEN 10 AND 19 GROUP BY key ORDER BY key;

-- Changed and deleted in one transaction, inserted and deleted in one, thousands at once.
BEGIN;
UPDATE payments SET amount = 14 WHERE id = 13;
DELETE FROM payments WHERE id = 13;
INSERT INTO payments (id, customer, amount) VALUES (14, 'bob', 14);
DELETE FROM payments WHERE id = 14;
COMMIT;
SELECT key, seq, base, amount FROM ledger WHERE key IN (13, 14) ORDER BY key, seq;
INSERT INTO payments (id, customer, amount) SELECT n, 'bob', 1 FROM generate_series(1001, 3500) n;
DELETE FROM payments WHERE id > 1000 AND id % 2 = 0;
SELECT seq, count(*), sum(amount) FROM ledger WHERE key > 1000 GROUP BY seq ORDER BY seq;
DELETE FROM payments WHERE id > 1000;
SELECT count(*), sum(amount) FROM ledger WHERE key > 1000;

-- A deleted row that stood in quarantine is resolved.
INSERT INTO payments (id, customer, amount) VALUES (20, 'bob', -1);
DELETE FROM payments WHERE id = 20;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;

-- After the payout: the reversal is owed, and carried forward.
INSERT INTO payments (id, customer, amount) VALUES (30, 'bob', 400);
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, amount, entries, status FROM affiliate_payouts('alice');
SELECT o.status FROM affiliate_set_payout_status(1, 'paid') o;
DELETE FROM payments WHERE id = 30;
SELECT currency, total_money_spent, total_commission, total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice') ORDER BY currency;
INSERT INTO payments (id, customer, amount) VALUES (31, 'bob', 700);
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, amount, entries, status FROM affiliate_payouts('alice') ORDER BY payout_id;
SELECT currency, total_money_spent, total_commission, total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice') ORDER BY currency;

-- Kept: whatever is deleted, its commission stays, as it was at that moment.
INSERT INTO kept (id, customer, amount, refunded) VALUES (1, 'bob', 20, 0), (2, 'bob', 20, 5), (3, 'eve', 20, 0), (4, 'bob', 40, 0), (5, 'bob', 50, 0);
UPDATE kept SET amount = 30 WHERE id = 1;
DELETE FROM kept WHERE id < 5;
SELECT key, seq, base, refunded, amount FROM ledger WHERE payments = 'kept'::regclass ORDER BY key, seq;
-- nothing is missing, so nothing is to be repaired
SELECT * FROM affiliate_reconcile();
-- those that are there go on following their rows
UPDATE kept SET amount = 60 WHERE id = 5;
SELECT seq, base, amount FROM ledger WHERE payments = 'kept'::regclass AND key = 5 ORDER BY seq;
-- a refund of one that is gone changes nothing: only its row could say what is left of it
SELECT affiliate_record_refund('kept', 4, 'dispute-1', 10, kind => 'dispute');
SELECT seq, base, amount FROM ledger WHERE payments = 'kept'::regclass AND key = 4 ORDER BY seq;
SELECT refund_key, waits FROM affiliate.refund;

-- The extension's own table reverses.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 20, '2024-02-01'), (2, 'bob', 20, '2024-02-01');
DELETE FROM affiliate.payment WHERE id = 1;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'affiliate.payment'::regclass ORDER BY key, seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
