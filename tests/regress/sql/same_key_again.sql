-- The same key deleted and inserted again: the difference is posted, at the terms of the first entry; never twice.
CREATE DATABASE regress_same_key_again;
\c regress_same_key_again
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM unnest(ARRAY['alice', 'anna']) o, LATERAL affiliate_create(o, code => o);
SELECT count(*) FROM (VALUES ('bob', 'alice'), ('carol', 'anna')) v (who, ref), LATERAL affiliate_attribute(who, code => ref, attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD', paid_on date DEFAULT '2024-02-01');
CREATE TABLE kept (LIKE payments INCLUDING ALL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('kept', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_on', on_delete => 'keep') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, a.owner AS affiliate, c.currency, c.rate, c.base, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.affiliate a ON a.id = c.affiliate_id;

-- In statements of their own, in one transaction, and in one statement.
INSERT INTO payments VALUES (1, 'bob', 20);
DELETE FROM payments WHERE id = 1;
INSERT INTO payments VALUES (1, 'bob', 20);
DELETE FROM payments WHERE id = 1;
INSERT INTO payments VALUES (1, 'bob', 30);
INSERT INTO payments VALUES (2, 'bob', 20);
BEGIN;
DELETE FROM payments WHERE id = 2;
INSERT INTO payments VALUES (2, 'bob', 30);
COMMIT;
INSERT INTO payments VALUES (3, 'bob', 20);
WITH gone AS (DELETE FROM payments WHERE id = 3 RETURNING *)
INSERT INTO payments SELECT id, customer, amount + 10 FROM gone;
BEGIN;
INSERT INTO payments VALUES (4, 'bob', 20);
DELETE FROM payments WHERE id = 4;
INSERT INTO payments VALUES (4, 'bob', 30);
COMMIT;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'payments'::regclass AND key < 10 ORDER BY key, seq;
-- in one statement that changes nothing
WITH gone AS (DELETE FROM payments WHERE id = 3 RETURNING *)
INSERT INTO payments SELECT * FROM gone;
SELECT key, sum(amount) FROM ledger WHERE payments = 'payments'::regclass AND key = 3 GROUP BY key;

-- It comes back as somebody else's, in another currency, as nobody's, as nothing.
INSERT INTO payments VALUES (10, 'bob', 20), (11, 'bob', 20), (12, 'bob', 20), (13, 'bob', 20), (14, 'eve', 20), (15, 'bob', 0);
DELETE FROM payments WHERE id BETWEEN 10 AND 19;
INSERT INTO payments VALUES (10, 'carol', 20, 'USD'), (11, 'bob', 20, 'EUR'), (12, 'eve', 20, 'USD'), (13, 'bob', 0, 'USD'), (14, 'bob', 20, 'USD'), (15, 'bob', 20, 'USD');
SELECT key, seq, affiliate, currency, base, amount FROM ledger WHERE key BETWEEN 10 AND 19 ORDER BY key, seq;

-- At the terms of the first entry, whatever they are today and whenever it says it was paid.
INSERT INTO payments VALUES (20, 'bob', 100);
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.50, hold_days => 30);
DELETE FROM payments WHERE id = 20;
INSERT INTO payments VALUES (20, 'bob', 200, 'USD', '2024-03-01');
DELETE FROM payments WHERE id = 20;
INSERT INTO payments VALUES (20, 'bob', 50, 'USD', '2023-03-01');
SELECT key, seq, rate, base, amount, matures_on FROM ledger WHERE key = 20 ORDER BY seq;
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.30, hold_days => 0);

-- A payment that was never posted is none until it is eligible.
INSERT INTO payments VALUES (21, 'bob', 100, 'USD', '2023-03-01');
DELETE FROM payments WHERE id = 21;
INSERT INTO payments VALUES (21, 'bob', 100);
SELECT key, seq, rate, base, amount, matures_on FROM ledger WHERE key = 21;

-- Kept when deleted: it goes on from what is posted.
INSERT INTO kept VALUES (1, 'bob', 20), (2, 'bob', 20), (3, 'bob', 20), (4, 'bob', 20);
DELETE FROM kept;
INSERT INTO kept VALUES (1, 'bob', 20), (2, 'bob', 30), (3, 'bob', 10), (4, 'carol', 20);
SELECT key, seq, affiliate, base, amount FROM ledger WHERE payments = 'kept'::regclass ORDER BY key, seq;
TRUNCATE kept;
INSERT INTO kept VALUES (1, 'bob', 20), (2, 'bob', 20);
SELECT key, seq, affiliate, base, amount FROM ledger WHERE payments = 'kept'::regclass AND seq > 1 ORDER BY key, seq;

-- Bad data comes back as good, and good as bad: then the ledger stays as the deletion has left it.
INSERT INTO payments VALUES (30, 'bob', -1), (31, 'bob', 20);
DELETE FROM payments WHERE id IN (30, 31);
INSERT INTO payments VALUES (30, 'bob', 20), (31, 'bob', -1);
SELECT key, seq, base, amount FROM ledger WHERE key IN (30, 31) ORDER BY key, seq;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine ORDER BY id;
DELETE FROM payments WHERE id = 31;

-- Refunds that were recorded belong to the key.
INSERT INTO payments VALUES (40, 'bob', 20);
SELECT affiliate_record_refund('payments', 40, 'refund-1', 5);
DELETE FROM payments WHERE id = 40;
INSERT INTO payments VALUES (40, 'bob', 20);
SELECT key, seq, base, amount FROM ledger WHERE key = 40 ORDER BY seq;

-- After it was paid out, and after its affiliate was closed.
INSERT INTO payments VALUES (50, 'carol', 400);
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT o.status FROM affiliate.payout p, affiliate_set_payout_status(p.id, 'paid') o;
DELETE FROM payments WHERE id = 50;
SELECT currency, total_payout_amount, paid_amount FROM affiliate_stats('anna');
SELECT o.status FROM affiliate_set_status('anna', 'closed') o;
INSERT INTO payments VALUES (50, 'carol', 400), (51, 'carol', 400);
SELECT currency, total_payout_amount, paid_amount FROM affiliate_stats('anna');
SELECT key, seq, base, amount FROM ledger WHERE key IN (50, 51) ORDER BY key, seq;

-- Thousands, twice over.
INSERT INTO payments SELECT n, 'bob', 1 FROM generate_series(1001, 3000) n;
DELETE FROM payments WHERE id > 1000;
INSERT INTO payments SELECT n, 'bob', 2 FROM generate_series(1001, 3000) n;
SELECT seq, count(*), sum(amount) FROM ledger WHERE key > 1000 GROUP BY seq ORDER BY seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT code, currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats() ORDER BY code, currency;
