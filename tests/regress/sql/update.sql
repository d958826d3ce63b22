-- UPDATE: the ledger moves by the difference, at the terms of the payment's first entry; what does not matter costs nothing.
CREATE DATABASE regress_update;
\c regress_update
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM unnest(ARRAY['alice', 'anna']) o, LATERAL affiliate_create(o, code => o);
SELECT count(*) FROM (VALUES ('bob', 'alice'), ('ben', 'alice'), ('carol', 'anna')) v (who, ref),
    LATERAL affiliate_attribute(who, code => ref, attributed_at => '2024-01-01');
CREATE TABLE payments (
    id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD', refunded numeric,
    paid_at timestamptz DEFAULT '2024-02-01', product text, note text
);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency',
    paid_at => 'paid_at', refunded => 'refunded', product => 'product') AS binding;
CREATE VIEW ledger AS
SELECT c.payment_key::int AS key, c.seq, a.owner AS affiliate, r.customer, c.currency, c.rate, c.base, c.refunded, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.affiliate a ON a.id = c.affiliate_id JOIN affiliate.referral r ON r.id = c.referral_id
WHERE c.binding_id = 2;

-- The amount: up, down, to nothing and back, to what it was.
INSERT INTO payments (id, customer, amount) VALUES (1, 'bob', 20);
UPDATE payments SET amount = 30 WHERE id = 1;
UPDATE payments SET amount = 10.05 WHERE id = 1;
UPDATE payments SET amount = 0 WHERE id = 1;
UPDATE payments SET amount = 20 WHERE id = 1;
UPDATE payments SET amount = 20 WHERE id = 1;
UPDATE payments SET amount = 20.00 WHERE id = 1;
SELECT seq, base, amount, sum(amount) OVER (ORDER BY seq) AS posted FROM ledger WHERE key = 1 ORDER BY seq;
-- a change too small for a cent counts as spending
UPDATE payments SET amount = 20.01 WHERE id = 1;
SELECT seq, base, amount FROM ledger WHERE key = 1 AND seq > 5 ORDER BY seq;

-- The refunded amount is cumulative: partly, more, less, all, more than all, none. NULL is 0.
INSERT INTO payments (id, customer, amount) VALUES (2, 'bob', 19.99);
UPDATE payments SET refunded = 0 WHERE id = 2;
UPDATE payments SET refunded = 5.55 WHERE id = 2;
UPDATE payments SET refunded = 11.11 WHERE id = 2;
UPDATE payments SET refunded = 10 WHERE id = 2;
UPDATE payments SET refunded = 19.99 WHERE id = 2;
UPDATE payments SET refunded = 50 WHERE id = 2;
SELECT seq, base, refunded, amount, sum(amount) OVER (ORDER BY seq) AS posted FROM ledger WHERE key = 2 ORDER BY seq;
UPDATE payments SET refunded = NULL WHERE id = 2;
-- amount and refund in one statement
UPDATE payments SET amount = 100, refunded = 50 WHERE id = 2;
SELECT seq, base, refunded, amount, sum(amount) OVER (ORDER BY seq) AS posted FROM ledger WHERE key = 2 AND seq > 5 ORDER BY seq;
-- inserted with a refund
INSERT INTO payments (id, customer, amount, refunded) VALUES (3, 'bob', 20, 5), (4, 'bob', 20, 20), (5, 'bob', 20, 30);
SELECT key, base, refunded, amount FROM ledger WHERE key IN (3, 4, 5) ORDER BY key;

-- The currency: reversed in the old one, posted in the new one, each in its decimals. Spelling is none.
INSERT INTO payments (id, customer, amount) VALUES (10, 'bob', 999);
UPDATE payments SET currency = 'JPY' WHERE id = 10;
UPDATE payments SET currency = ' jpy' WHERE id = 10;
UPDATE payments SET currency = 'KWD', amount = 1.005 WHERE id = 10;
UPDATE payments SET currency = 'USD', amount = 999 WHERE id = 10;
SELECT seq, currency, base, amount FROM ledger WHERE key = 10 ORDER BY seq;
SELECT currency, sum(amount) FROM ledger WHERE key = 10 GROUP BY currency ORDER BY currency;

-- The customer: to somebody nobody referred, to another customer of the same affiliate, to another's, and back.
INSERT INTO payments (id, customer, amount) VALUES (20, 'bob', 20);
UPDATE payments SET customer = 'eve' WHERE id = 20;
UPDATE payments SET customer = 'ben' WHERE id = 20;
UPDATE payments SET customer = 'carol' WHERE id = 20;
UPDATE payments SET customer = NULL WHERE id = 20;
UPDATE payments SET customer = 'bob', amount = 30 WHERE id = 20;
SELECT seq, affiliate, customer, base, amount FROM ledger WHERE key = 20 ORDER BY seq;
SELECT affiliate, customer, sum(amount) FROM ledger WHERE key = 20 GROUP BY 1, 2 ORDER BY 1, 2;
-- of somebody nobody referred it becomes a payment like any other
INSERT INTO payments (id, customer, amount) VALUES (21, 'eve', 20);
UPDATE payments SET amount = 25 WHERE id = 21;
UPDATE payments SET customer = 'carol' WHERE id = 21;
SELECT seq, affiliate, customer, base, amount FROM ledger WHERE key = 21 ORDER BY seq;

-- The time of payment makes it eligible; after the first entry neither time nor product change anything, its day of maturity included.
INSERT INTO payments (id, customer, amount, paid_at) VALUES (30, 'bob', 20, '2023-12-31 23:59:59');
SELECT count(*) FROM ledger WHERE key = 30;
UPDATE payments SET paid_at = '2024-03-01' WHERE id = 30;
UPDATE payments SET paid_at = '2023-06-01' WHERE id = 30;
UPDATE payments SET paid_at = '2024-04-01', product = 'gold' WHERE id = 30;
SELECT seq, base, amount, matures_on FROM ledger WHERE key = 30 ORDER BY seq;
UPDATE payments SET amount = 10 WHERE id = 30;
SELECT seq, base, amount, matures_on FROM ledger WHERE key = 30 ORDER BY seq;

-- Terms are frozen by the first entry, for the changes that follow and for another customer too; a payment without one has today's.
INSERT INTO payments (id, customer, amount) VALUES (40, 'bob', 100), (41, 'eve', 100);
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.50, hold_days => 30);
UPDATE payments SET amount = 200 WHERE id IN (40, 41);
UPDATE payments SET customer = 'carol' WHERE id IN (40, 41);
UPDATE payments SET currency = 'EUR' WHERE id IN (40, 41);
SELECT key, seq, affiliate, currency, rate, base, amount, matures_on FROM ledger WHERE key IN (40, 41) ORDER BY key, seq;
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.30, hold_days => 0);

-- Columns that are not mapped: no entry, no quarantine, not even for rows that are not what the ledger says.
INSERT INTO payments (id, customer, amount, note) VALUES (50, 'bob', 20, 'first'), (51, 'eve', 20, 'first');
SELECT count(*) AS entries FROM affiliate.commission \gset
UPDATE payments SET note = repeat('long ', 10000);
UPDATE payments SET note = 'short', product = 'silver';
UPDATE payments SET id = id, customer = customer, amount = amount;
UPDATE payments SET amount = amount + 0, customer = customer || '' WHERE id < 50;
SELECT count(*) - :entries AS new_entries FROM affiliate.commission;
SELECT count(*) FROM affiliate.quarantine;

-- Many rows, mixed effects, one statement: up, down, unchanged, reversed, newly posted, nobody's.
INSERT INTO payments (id, customer, amount) VALUES
    (60, 'bob', 10), (61, 'bob', 10), (62, 'bob', 10), (63, 'bob', 10), (64, 'eve', 10), (65, 'eve', 10), (66, 'carol', 10);
UPDATE payments p SET amount = v.amount, customer = v.customer, currency = v.currency
FROM (VALUES (60, 'bob', 20, 'USD'), (61, 'bob', 5, 'USD'), (62, 'bob', 10, 'USD'), (63, 'eve', 10, 'USD'),
    (64, 'bob', 10, 'USD'), (65, 'eve', 20, 'USD'), (66, 'bob', 10, 'EUR')) AS v (id, customer, amount, currency)
WHERE p.id = v.id;
SELECT key, seq, affiliate, currency, base, amount FROM ledger WHERE key BETWEEN 60 AND 69 ORDER BY key, seq;
-- the same row twice in one transaction, and a statement that is rolled back
BEGIN;
UPDATE payments SET amount = 40 WHERE id = 60;
UPDATE payments SET amount = 50 WHERE id = 60;
COMMIT;
BEGIN;
UPDATE payments SET amount = 60 WHERE id = 60;
ROLLBACK;
SELECT seq, base, amount FROM ledger WHERE key = 60 ORDER BY seq;
-- thousands
INSERT INTO payments (id, customer, amount) SELECT n, 'ben', 1 FROM generate_series(1001, 3500) n;
UPDATE payments SET amount = 2 WHERE id > 1000 AND id % 2 = 0;
SELECT seq, count(*), sum(amount) FROM ledger WHERE key > 1000 GROUP BY seq ORDER BY seq;

-- A closed affiliate's payments go on following their rows; one that moves to its customer earns nothing.
INSERT INTO payments (id, customer, amount) VALUES (70, 'carol', 100), (71, 'carol', 100), (72, 'bob', 100), (73, 'eve', 100);
SELECT o.status FROM affiliate_set_status('anna', 'closed', reason => 'fraud') o;
UPDATE payments SET amount = 200 WHERE id = 70;
UPDATE payments SET refunded = 100 WHERE id = 71;
UPDATE payments SET customer = 'carol' WHERE id IN (72, 73);
SELECT key, seq, affiliate, base, amount FROM ledger WHERE key BETWEEN 70 AND 79 ORDER BY key, seq;

-- The extension's own table.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 20, '2024-02-01');
UPDATE affiliate.payment SET amount = 40 WHERE id = 1;
UPDATE affiliate.payment SET refunded = 10, product = 'gold' WHERE id = 1;
UPDATE affiliate.payment SET currency = 'EUR' WHERE id = 1;
UPDATE affiliate.payment SET customer = 'ben' WHERE id = 1;
SELECT seq, referral_id, currency, base, refunded, amount FROM affiliate.commission WHERE binding_id = 1 ORDER BY seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT code, currency, total_users_referred, total_conversions, total_money_spent, total_commission, total_payout_amount
FROM affiliate_stats() ORDER BY code, currency;
SELECT affiliate_maintain() > 0 AS folded;
SELECT code, currency, total_users_referred, total_conversions, total_money_spent, total_commission, total_payout_amount
FROM affiliate_stats() ORDER BY code, currency;
