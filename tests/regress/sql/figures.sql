-- The figures an affiliate sees: right at once, in every currency, before and after a fold.
CREATE DATABASE regress_figures;
\c regress_figures
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');

-- An affiliate without a payment has one row of zeros, in the program's currency.
SELECT * FROM affiliate_stats('alice') \gx

-- An unknown code is an error; NULL too.
SELECT * FROM affiliate_stats('nobody');
SELECT * FROM affiliate_stats('not a code');
SELECT * FROM affiliate_stats(NULL);

-- Referred users count before they pay.
SELECT count(*) FROM unnest(ARRAY['bob', 'carol', 'dave']) c, LATERAL affiliate_attribute(c, code => 'alice', attributed_at => '2024-01-01');
SELECT total_users_referred, total_conversions, total_money_spent FROM affiliate_stats('alice');

-- Right inside the transaction that inserted the payment, and gone with it.
BEGIN;
INSERT INTO affiliate.payment (customer, amount, paid_at) VALUES ('bob', 20, '2024-02-01');
SELECT currency, total_users_referred, total_conversions, total_money_spent, total_commission, total_payout_amount FROM affiliate_stats('alice');
ROLLBACK;
SELECT currency, total_users_referred, total_conversions, total_money_spent, total_commission, total_payout_amount FROM affiliate_stats('alice');

-- A row per currency. total_conversions counts customers who ever paid in it; total_users_referred is the affiliate's.
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES
    (1, 'bob', 20, 'USD', '2024-02-01'), (2, 'bob', 20, 'USD', '2024-03-01'), (3, 'carol', 999, 'JPY', '2024-03-01'),
    (4, 'carol', 100.5, 'EUR', '2024-03-01'), (5, 'bob', 10, 'EUR', '2024-03-01'), (6, 'eve', 77, 'USD', '2024-03-01');
SELECT * FROM affiliate_stats('alice');

-- total_money_spent is net of refunds; a conversion stays one when refunded.
UPDATE affiliate.payment SET refunded = 999 WHERE id = 3;
UPDATE affiliate.payment SET refunded = 5 WHERE id = 2;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');

-- A payment that is deleted was never spent.
DELETE FROM affiliate.payment WHERE id = 4;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');

-- What is held is pending until it matures, in the program's time zone; then it is payable.
SELECT hold_days FROM affiliate_set_program('default', hold_days => 30);
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES
    (10, 'dave', 100, now()), (11, 'dave', 50, now() - interval '29 days'), (12, 'dave', 10, now() - interval '30 days');
SELECT currency, total_commission, pending_amount, total_payout_amount FROM affiliate_stats('alice');
-- a refund lowers what is pending while the payment is, and what is payable once it has matured
UPDATE affiliate.payment SET refunded = round(amount / 2, 2) WHERE id IN (10, 12);
SELECT currency, total_commission, pending_amount, total_payout_amount FROM affiliate_stats('alice');

-- A refund of what has been paid out makes the payable amount negative: it is carried forward.
SELECT payout_threshold FROM affiliate_set_program('default', payout_threshold => 0);
CALL affiliate_run_payouts(through => current_date);
SELECT currency, total_commission, pending_amount, total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice');
UPDATE affiliate.payment SET refunded = amount WHERE id IN (1, 5);
SELECT currency, total_commission, pending_amount, total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice');
SELECT p.currency, p.status FROM affiliate.payout o, LATERAL affiliate_set_payout_status(o.id, 'processing') p WHERE o.currency = 'EUR';
SELECT p.currency, p.status FROM affiliate.payout o, LATERAL affiliate_set_payout_status(o.id, 'paid') p WHERE o.currency = 'EUR';
SELECT currency, total_commission, pending_amount, total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice');

-- The same before and after folding, whoever is asked and by whichever code.
CREATE TABLE before AS SELECT * FROM affiliate_stats();
SELECT affiliate_maintain() AS folded;
SELECT count(*) > 0 AS has_totals FROM affiliate.total;
TABLE before EXCEPT SELECT * FROM affiliate_stats();
SELECT * FROM affiliate_stats() EXCEPT TABLE before;
-- twice is once
SELECT affiliate_maintain() AS folded;
TABLE before EXCEPT SELECT * FROM affiliate_stats();
-- and what comes after it is added to the totals
SELECT customer FROM affiliate_attribute('frank', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (20, 'frank', 1000, '2024-02-01'), (21, 'bob', 10, '2024-02-01');
UPDATE affiliate.payment SET refunded = 0 WHERE id = 1;
SELECT currency, total_users_referred, total_conversions, total_money_spent, total_commission, total_payout_amount FROM affiliate_stats('alice');
SELECT affiliate_maintain() AS folded;
SELECT currency, total_users_referred, total_conversions, total_money_spent, total_commission, total_payout_amount FROM affiliate_stats('alice');

-- A fold needs a new snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT affiliate_maintain();
ROLLBACK;

-- One that is rolled back has folded nothing.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (30, 'frank', 1, '2024-02-01');
BEGIN;
SELECT affiliate_maintain() AS folded;
ROLLBACK;
SELECT currency, total_money_spent FROM affiliate_stats('alice') WHERE currency = 'USD';
SELECT affiliate_maintain() AS folded;
SELECT currency, total_money_spent FROM affiliate_stats('alice') WHERE currency = 'USD';

-- Every affiliate at once, also those without a payment, in the order of their numbers.
SELECT code FROM affiliate_create('zoe', code => 'zoe');
SELECT name FROM affiliate_set_program('japan', currency => 'JPY', link_base => 'https://jp.example/');
SELECT code FROM affiliate_create('kenji', code => 'kenji', program => 'japan');
SELECT code, link, currency, total_users_referred, total_commission FROM affiliate_stats();

-- Any code of an affiliate finds it; the first one is shown. A read-only transaction may ask.
SELECT affiliate_add_code('alice', new_code => 'SPRING');
BEGIN READ ONLY;
SELECT DISTINCT code, link, total_users_referred FROM affiliate_stats(' spring ');
ROLLBACK;
SELECT sum(violations) AS violations FROM affiliate_verify();
