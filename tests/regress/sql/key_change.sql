-- A payment whose key changes: reversed under the old one, posted under the new one at its frozen terms, recorded refunds along with it.
CREATE DATABASE regress_key_change;
\c regress_key_change
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM unnest(ARRAY['alice', 'anna']) o, LATERAL affiliate_create(o, code => o);
SELECT count(*) FROM (VALUES ('bob', 'alice'), ('carol', 'anna')) v (who, ref), LATERAL affiliate_attribute(who, code => ref, attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE kept (LIKE payments INCLUDING ALL);
CREATE TABLE lines (invoice text, line int, customer text, amount numeric, paid_on date DEFAULT '2024-02-01', PRIMARY KEY (invoice, line));
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('kept', customer => 'customer', amount => 'amount', paid_at => 'paid_on', on_delete => 'keep') AS binding;
SELECT affiliate_attach_payments('lines', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, a.owner AS affiliate, c.rate, c.base, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.affiliate a ON a.id = c.affiliate_id;

-- One payment, and back again: its old terms everywhere, though others are in force.
INSERT INTO payments VALUES (1, 'bob', 20);
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.50, hold_days => 30);
UPDATE payments SET id = 101, paid_on = '2024-03-01' WHERE id = 1;
UPDATE payments SET amount = 40 WHERE id = 101;
UPDATE payments SET id = 1 WHERE id = 101;
SELECT key, seq, rate, base, amount, matures_on FROM ledger WHERE key IN ('1', '101') ORDER BY key, seq;
-- together with the amount, the customer, or both; to nobody's and back
UPDATE payments SET id = 102, amount = 10 WHERE id = 1;
UPDATE payments SET id = 103, customer = 'carol' WHERE id = 102;
UPDATE payments SET customer = 'eve' WHERE id = 103;
UPDATE payments SET id = 105, customer = 'bob', amount = 30 WHERE id = 103;
SELECT key, seq, affiliate, rate, base, amount, matures_on FROM ledger WHERE key BETWEEN '102' AND '105' ORDER BY key, seq;
-- one that has no entry yet has nothing to bring along
INSERT INTO payments VALUES (2, 'eve', 20, '2024-02-01'), (3, 'bob', 20, '2023-02-01'), (4, 'eve', 20, '2024-02-01');
UPDATE payments SET id = id + 200 WHERE id IN (2, 3);
UPDATE payments SET id = 204, customer = 'carol' WHERE id = 4;
SELECT key, seq, affiliate, rate, base, amount, matures_on FROM ledger WHERE key LIKE '20_' ORDER BY key, seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Many in one statement: every key in use moves on to the next one.
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.30, hold_days => 0);
INSERT INTO payments VALUES (14, 'carol', 40), (13, 'bob', 30), (12, 'eve', 20), (11, 'bob', 10);
UPDATE payments SET id = id + 1 WHERE id BETWEEN 11 AND 14;
SELECT id, customer, amount FROM payments WHERE id BETWEEN 11 AND 15 ORDER BY id;
SELECT key, affiliate, sum(amount) FROM ledger WHERE key BETWEEN '11' AND '15' GROUP BY key, affiliate ORDER BY key, affiliate;
-- some rows change their key, others their amount, others nothing
UPDATE payments SET id = CASE WHEN id = 15 THEN 16 ELSE id END, amount = CASE WHEN id = 14 THEN 35 ELSE amount END WHERE id BETWEEN 11 AND 15;
SELECT key, affiliate, sum(amount) FROM ledger WHERE key BETWEEN '11' AND '16' GROUP BY key, affiliate ORDER BY key, affiliate;

-- Keys exchanged in one statement, which a deferrable key allows; recorded refunds go along with their payments.
ALTER TABLE payments DROP CONSTRAINT payments_pkey, ADD PRIMARY KEY (id) DEFERRABLE;
INSERT INTO payments VALUES (21, 'bob', 100), (22, 'carol', 200), (23, 'bob', 300);
SELECT affiliate_record_refund('payments', 21, 'refund-21', 10), affiliate_record_refund('payments', 22, 'dispute-22', 20, kind => 'dispute');
UPDATE payments SET id = 43 - id WHERE id IN (21, 22);
SELECT payment_key, refund_key FROM affiliate.refund ORDER BY id;
SELECT key, seq, affiliate, base, amount FROM ledger WHERE key IN ('21', '22') ORDER BY key, seq;
-- a ring of three
UPDATE payments SET id = CASE id WHEN 23 THEN 21 ELSE id + 1 END WHERE id BETWEEN 21 AND 23;
SELECT payment_key, refund_key FROM affiliate.refund ORDER BY id;
SELECT p.id, p.customer, p.amount, l.affiliate, l.posted
FROM payments p JOIN (SELECT key, affiliate, sum(amount) AS posted FROM ledger GROUP BY key, affiliate HAVING sum(amount) <> 0) l ON l.key = p.id::text
WHERE p.id BETWEEN 21 AND 23 ORDER BY p.id;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
-- a refund of the payment by its new key
SELECT affiliate_record_refund('payments', 23, 'refund-23', 30);
SELECT key, affiliate, base, amount FROM ledger WHERE key = '23' ORDER BY seq DESC LIMIT 1;

-- A key that is free again: who takes it over brings its terms only where the key has none; each key's entries have one set of terms.
INSERT INTO payments VALUES (31, 'bob', 100);
SELECT rate FROM affiliate_set_program('default', rate => 0.10);
INSERT INTO payments VALUES (32, 'bob', 100);
DELETE FROM payments WHERE id = 31;
UPDATE payments SET id = 31 WHERE id = 32;
SELECT key, seq, rate, base, amount FROM ledger WHERE key IN ('31', '32') ORDER BY key, seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT rate FROM affiliate_set_program('default', rate => 0.30);

-- Where deletes are kept, a payment that changes its key is not deleted: nothing is left under the old one.
INSERT INTO kept VALUES (1, 'bob', 20), (2, 'bob', 30), (3, 'bob', 40);
UPDATE kept SET id = id + 10 WHERE id IN (1, 2);
DELETE FROM kept WHERE id IN (3, 11);
SELECT key, seq, base, amount FROM ledger WHERE payments = 'kept'::regclass ORDER BY key, seq;
-- upwards, so that a key is taken that another payment has just left
INSERT INTO kept VALUES (24, 'bob', 40), (23, 'bob', 30);
UPDATE kept SET id = id + 1 WHERE id IN (23, 24);
SELECT key, sum(amount) FROM ledger WHERE payments = 'kept'::regclass AND key LIKE '2_' GROUP BY key ORDER BY key;

-- Composite keys, any part of them.
INSERT INTO lines VALUES ('A-1', 1, 'bob', 10), ('A-1', 2, 'bob', 20), ('A 2', 1, 'carol', 30);
SELECT affiliate_record_refund('lines', '(A-1,2)', 'refund-1', 5);
UPDATE lines SET invoice = 'B "1"' WHERE invoice = 'A-1';
UPDATE lines SET line = line + 10 WHERE line = 1;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'lines'::regclass ORDER BY key COLLATE "C", seq;
SELECT payment_key FROM affiliate.refund WHERE binding_id = 4;

-- A payment in quarantine moves with its key, and is mended there.
INSERT INTO payments VALUES (51, 'bob', -1);
UPDATE payments SET id = 52 WHERE id = 51;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine ORDER BY id;
UPDATE payments SET amount = 50, id = 53 WHERE id = 52;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine ORDER BY id;
-- one that has entries becomes bad under a new key: the ledger stays with the old one until it is mended
INSERT INTO payments VALUES (54, 'bob', 50);
UPDATE payments SET id = 55, amount = 'NaN' WHERE id = 54;
UPDATE payments SET amount = 60 WHERE id = 55;
SELECT key, sum(amount), count(DISTINCT rate) FROM ledger WHERE key IN ('53', '54', '55') GROUP BY key ORDER BY key;

-- A closed affiliate's payment follows its row under a new key as well; what had no entry has none after.
INSERT INTO payments VALUES (61, 'carol', 100, '2024-02-01'), (62, 'carol', 100, '2023-01-01');
SELECT o.status FROM affiliate_set_status('anna', 'closed') o;
UPDATE payments SET id = id + 10, paid_on = '2024-02-01' WHERE id IN (61, 62);
SELECT key, seq, affiliate, base, amount FROM ledger WHERE key IN ('61', '62', '71', '72') ORDER BY key, seq;

-- Its terms are frozen though it earns nothing under its new key at first: bad data, nobody's, an amount of 0.
INSERT INTO payments VALUES (81, 'bob', 100), (82, 'bob', 100), (83, 'bob', 100);
SELECT rate FROM affiliate_set_program('default', rate => 0.50);
UPDATE payments SET id = 91, amount = 'NaN' WHERE id = 81;
UPDATE payments SET id = 92, customer = 'eve' WHERE id = 82;
UPDATE payments SET id = 93, amount = 0 WHERE id = 83;
UPDATE payments SET amount = 100, customer = 'bob' WHERE id IN (91, 92, 93);
SELECT key, sum(amount) FROM ledger WHERE key BETWEEN '81' AND '93' GROUP BY key ORDER BY key;
SELECT rate FROM affiliate_set_program('default', rate => 0.30);

-- Row triggers do the same.
CREATE TABLE replicated (LIKE payments);
ALTER TABLE replicated ADD PRIMARY KEY (id);
SELECT affiliate_attach_payments('replicated', customer => 'customer', amount => 'amount', paid_at => 'paid_on', replica => true) AS binding;
INSERT INTO replicated VALUES (3, 'bob', 30), (2, 'eve', 20), (1, 'bob', 10);
SELECT affiliate_record_refund('replicated', 3, 'refund-3', 3), affiliate_record_refund('replicated', 1, 'refund-1', 1);
UPDATE replicated SET id = id + 1;
SELECT key, sum(amount) FROM ledger WHERE payments = 'replicated'::regclass GROUP BY key ORDER BY key;
SELECT payment_key, refund_key FROM affiliate.refund WHERE binding_id = 5 ORDER BY id;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT code, currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats() ORDER BY code, currency;
