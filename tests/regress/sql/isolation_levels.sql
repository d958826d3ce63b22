-- Every isolation level: payments earn in each; figures can be read in each; what must see the latest state says so.
CREATE DATABASE regress_isolation_levels;
\c regress_isolation_levels
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
CREATE VIEW ledger AS
SELECT c.payment_key::int AS key, c.seq, c.base, c.amount FROM affiliate.commission c WHERE c.binding_id = 2;

-- The same in every one of them: what a statement did before is seen by the next.
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT customer FROM affiliate_attribute('rc', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments VALUES (1, 'rc', 10), (2, 'bob', 10), (3, 'bob', 10);
UPDATE payments SET amount = 20 WHERE id = 1;
UPDATE payments SET id = 4 WHERE id = 2;
DELETE FROM payments WHERE id = 3;
INSERT INTO payments VALUES (3, 'bob', 15);
INSERT INTO payments VALUES (3, 'bob', 30) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
SELECT affiliate_record_refund('payments', 4, 'refund-rc', 5);
COMMIT;
SELECT key, seq, base, amount FROM ledger WHERE key < 10 ORDER BY key, seq;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM payments;
SELECT customer FROM affiliate_attribute('rr', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments VALUES (11, 'rr', 10), (12, 'bob', 10), (13, 'bob', 10);
UPDATE payments SET amount = 20 WHERE id = 11;
UPDATE payments SET id = 14 WHERE id = 12;
DELETE FROM payments WHERE id = 13;
INSERT INTO payments VALUES (13, 'bob', 15);
INSERT INTO payments VALUES (13, 'bob', 30) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
SELECT affiliate_record_refund('payments', 14, 'refund-rr', 5);
COMMIT;
SELECT key - 10 AS key, seq, base, amount FROM ledger WHERE key BETWEEN 10 AND 19
EXCEPT SELECT key, seq, base, amount FROM ledger WHERE key < 10;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM payments;
SELECT customer FROM affiliate_attribute('sr', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments VALUES (21, 'sr', 10), (22, 'bob', 10), (23, 'bob', 10);
UPDATE payments SET amount = 20 WHERE id = 21;
UPDATE payments SET id = 24 WHERE id = 22;
DELETE FROM payments WHERE id = 23;
INSERT INTO payments VALUES (23, 'bob', 15);
INSERT INTO payments VALUES (23, 'bob', 30) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
SELECT affiliate_record_refund('payments', 24, 'refund-sr', 5);
COMMIT;
SELECT key - 20 AS key, seq, base, amount FROM ledger WHERE key BETWEEN 20 AND 29
EXCEPT SELECT key, seq, base, amount FROM ledger WHERE key < 10;
SELECT count(*), sum(amount) FROM ledger GROUP BY key / 10 ORDER BY key / 10;

-- Savepoints in them.
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO payments VALUES (31, 'bob', 10);
SAVEPOINT a;
UPDATE payments SET amount = 20 WHERE id = 31;
ROLLBACK TO a;
UPDATE payments SET amount = 30 WHERE id = 31;
PREPARE TRANSACTION 'serializable';
COMMIT PREPARED 'serializable';
SELECT key, seq, base, amount FROM ledger WHERE key = 31 ORDER BY seq;

-- A database whose default is one of them.
ALTER DATABASE regress_isolation_levels SET default_transaction_isolation = 'serializable';
\c
\set VERBOSITY verbose
SHOW transaction_isolation;
INSERT INTO payments VALUES (41, 'bob', 10), (42, 'bob', -1);
UPDATE payments SET amount = 20 WHERE id IN (41, 42);
DELETE FROM payments WHERE id = 42;
SELECT key, seq, base, amount FROM ledger WHERE key IN (41, 42) ORDER BY key, seq;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;
SELECT s.currency, s.total_conversions, s.total_money_spent, s.total_commission FROM affiliate_stats('alice') s;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT e -> 'commission' ->> 'target' AS target FROM affiliate_explain('payments', 41) e;
-- what waits for other sessions, and then must see what they did, refuses an older snapshot
SELECT affiliate_maintain();
SELECT * FROM affiliate_reconcile();
SELECT * FROM affiliate_backfill('payments');
-- the payout run chooses for itself
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, amount, entries, status FROM affiliate_payouts('alice');
SELECT o.status FROM affiliate_set_payout_status(1, 'paid') o;
ALTER DATABASE regress_isolation_levels RESET default_transaction_isolation;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT affiliate_maintain();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM affiliate_reconcile();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM affiliate_backfill('payments');
ROLLBACK;

-- Read-only transactions read everything, and write nothing.
\c
\set VERBOSITY verbose
BEGIN READ ONLY;
SELECT s.currency, s.total_conversions, s.total_money_spent, s.total_commission, s.paid_amount FROM affiliate_stats('alice') s;
SELECT count(*) FROM affiliate_stats();
SELECT currency, amount, status FROM affiliate_payouts('alice');
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT e -> 'commission' ->> 'target' AS target FROM affiliate_explain('payments', 41) e;
SELECT affiliate_link('alice');
SELECT length(affiliate_generate_code());
SELECT count(*) > 0 AS has_rows FROM affiliate.binding_health;
COMMIT;
\set VERBOSITY sqlstate
BEGIN READ ONLY;
SELECT affiliate_attribute('x', code => 'alice');
ROLLBACK;
BEGIN READ ONLY;
SELECT affiliate_record_refund('payments', 41, 'refund-ro', 1);
ROLLBACK;
BEGIN READ ONLY;
SELECT affiliate_maintain();
ROLLBACK;
\set VERBOSITY verbose
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT s.currency, s.total_conversions, s.total_money_spent, s.total_commission FROM affiliate_stats('alice') s;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
COMMIT;

SELECT affiliate_maintain() > 0 AS folded;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT s.currency, s.total_conversions, s.total_money_spent, s.total_commission FROM affiliate_stats('alice') s;
