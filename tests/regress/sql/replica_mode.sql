-- Triggers that did not fire: verify raises it, reconcile posts what is missing, once. Triggers that always fire, where they were asked for.
CREATE DATABASE regress_replica_mode;
\c regress_replica_mode
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE collected (LIKE payments INCLUDING ALL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('collected', customer => 'customer', amount => 'amount', paid_at => 'paid_on', replica => true) AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, c.base, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
CREATE VIEW health AS SELECT table_name, trigger_name, trigger_state, problem FROM affiliate.binding_health WHERE binding_id > 1;
SELECT * FROM health ORDER BY table_name, trigger_name;

-- session_replication_role = replica: ordinary triggers are silent, the others are not.
INSERT INTO payments VALUES (1, 'bob', 10), (2, 'bob', 20), (3, 'bob', 30), (4, 'eve', 40);
INSERT INTO collected VALUES (1, 'bob', 10), (2, 'bob', 20), (3, 'bob', 30), (4, 'eve', 40);
SET session_replication_role = replica;
INSERT INTO payments VALUES (5, 'bob', 50), (6, 'eve', 60), (7, 'carol', 70);
UPDATE payments SET amount = 15 WHERE id = 1;
UPDATE payments SET customer = 'eve' WHERE id = 2;
DELETE FROM payments WHERE id = 3;
INSERT INTO collected VALUES (5, 'bob', 50), (6, 'eve', 60), (7, 'carol', 70);
UPDATE collected SET amount = 15 WHERE id = 1;
UPDATE collected SET customer = 'eve' WHERE id = 2;
DELETE FROM collected WHERE id = 3;
TRUNCATE collected;
RESET session_replication_role;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass ORDER BY key, seq;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'collected'::regclass ORDER BY key, seq;

-- Seen by verify: two not posted, one changed, two without a row that accounts for them. The triggers are all there.
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT problem FROM health WHERE problem IS NOT NULL;

-- Reconciled: each once, and nothing the second time.
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass ORDER BY key, seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT count(*) FROM ledger;

-- Bad data that no trigger saw goes to quarantine when it is found.
SET session_replication_role = replica;
INSERT INTO payments VALUES (8, 'bob', 'NaN');
RESET session_replication_role;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
UPDATE payments SET amount = 80 WHERE id = 8;

-- Triggers disabled, one and all: verify says so before a payment is lost, and which ones are lost after.
ALTER TABLE payments DISABLE TRIGGER zzz_affiliate_insert;
SELECT * FROM health WHERE problem IS NOT NULL;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
INSERT INTO payments VALUES (9, 'bob', 90);
UPDATE payments SET amount = 95 WHERE id = 9; -- this one fires, and settles the payment
INSERT INTO payments VALUES (10, 'bob', 100);
ALTER TABLE payments DISABLE TRIGGER ALL;
DELETE FROM payments WHERE id = 5;
UPDATE payments SET amount = 75 WHERE id = 7;
SELECT * FROM health WHERE problem IS NOT NULL ORDER BY 1, 2;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
ALTER TABLE payments ENABLE TRIGGER ALL;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass AND key IN (5, 7, 8, 9, 10) ORDER BY key, seq;

-- Enabled for replicas only, they are silent here; those of a collector must always fire. Either way verify raises it.
ALTER TABLE payments ENABLE REPLICA TRIGGER zzz_affiliate_update;
ALTER TABLE collected ENABLE TRIGGER zzz_affiliate_row;
SELECT * FROM health WHERE problem IS NOT NULL ORDER BY 1, 2;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
ALTER TABLE payments ENABLE TRIGGER zzz_affiliate_update;
ALTER TABLE collected ENABLE ALWAYS TRIGGER zzz_affiliate_row;
-- more often than asked for does no harm
ALTER TABLE payments ENABLE ALWAYS TRIGGER zzz_affiliate_update;
SELECT * FROM health WHERE problem IS NOT NULL ORDER BY 1, 2;
ALTER TABLE payments ENABLE TRIGGER zzz_affiliate_update;

-- A trigger that somebody dropped; attaching again puts it back under the same number, and the ledger goes on.
DROP TRIGGER zzz_affiliate_insert ON payments;
INSERT INTO payments VALUES (11, 'bob', 10);
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT affiliate_detach('payments');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT * FROM affiliate_reconcile();

-- Refunds of an attached table, too, are found though no trigger saw them; and so is that its triggers are off.
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
SET session_replication_role = replica;
INSERT INTO refunds VALUES (1, 7, 25), (2, 4, 10);
RESET session_replication_role;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass AND key = 7 ORDER BY seq;
ALTER TABLE refunds DISABLE TRIGGER zzz_affiliate_insert;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
ALTER TABLE refunds ENABLE TRIGGER zzz_affiliate_insert;

-- The extension's own table is watched as well.
SET session_replication_role = replica;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 10, '2024-02-01');
RESET session_replication_role;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
ALTER TABLE affiliate.payment DISABLE TRIGGER zzz_affiliate_delete;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
ALTER TABLE affiliate.payment ENABLE TRIGGER zzz_affiliate_delete;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
