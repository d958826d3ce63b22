-- The affiliate program of a software company, from the first link to a paid affiliate.
-- `make demo` plays this file on a throw-away server. By hand, in an empty database of a server
-- that has the extension installed:  psql -f docs/demo.sql
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset linestyle unicode
\pset border 2
\pset null '–'
SET client_min_messages = warning;
SET datestyle = 'ISO';
SET timezone = 'UTC';
-- A year of payments that ends last month, so that everything in it has matured today.
SELECT (date_trunc('month', now()) - interval '12 months')::date AS start,
       (date_trunc('month', now()) - interval '12 months' + interval '2 days')::date AS first_payment,
       (date_trunc('month', now()) - interval '11 months' - interval '1 day')::date AS first_month_end,
       (date_trunc('month', now()) - interval '11 months' + interval '2 days')::date AS second_payment,
       (date_trunc('month', now()) - interval '2 days')::date AS last_payment \gset
\set ECHO queries

\echo
\echo '-- 1. INSTALL ------------------------------------------------------------------'
\echo '-- One statement. A program named "default" is there at once: 30% of every'
\echo '-- payment, for life, paid out monthly from $50. Only our link is missing.'
\echo
CREATE EXTENSION affiliate;
\echo
SELECT name, rate, payout_threshold, currency, link_base
FROM affiliate_set_program('default', link_base => 'https://convocore.ai/ref/');

\echo
\echo '-- The company has users and payments already. Attaching its table is all there is'
\echo '-- to do: the application goes on inserting payments as before.'
\echo
CREATE TABLE users (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  text,
    about text
);
CREATE TABLE payments (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id  bigint REFERENCES users,
    item     text,
    amount   numeric(12,2),
    currency text DEFAULT 'USD',
    paid_at  timestamptz DEFAULT now()
);
SELECT affiliate_attach_payments('payments',
    customer => 'user_id', amount => 'amount', currency => 'currency', paid_at => 'paid_at') AS binding;

\echo
\echo '-- 2. AN AFFILIATE AND HER LINK ------------------------------------------------'
\echo '-- Maya gets a code. (Without code => … it would be a fresh random one.)'
\echo
SELECT owner, code, status
FROM affiliate_create('maya', code => '9cc118df1c60e060551bbca96');
SELECT affiliate_link('9cc118df1c60e060551bbca96');

\echo
\echo '-- Sam is an affiliate too, with a code that is easier to say.'
\echo
SELECT owner, code, status FROM affiliate_create('sam', code => 'sam-tips');

\echo
\echo '-- 3. PEOPLE SIGN UP -----------------------------------------------------------'
\echo '-- Five users come through Maya''s link, one through Sam''s, one by herself.'
\echo
INSERT INTO users (name, about) VALUES
    ('Ada',  'will pay $20 a month for a year'),
    ('Ben',  'an agency: will add whitelabel, $200'),
    ('Cleo', 'will go to the $1,000 enterprise plan'),
    ('Dan',  'stays on the free plan'),
    ('Eve',  'stays on the free plan'),
    ('Finn', 'came through Sam'),
    ('Gina', 'nobody referred her');
SELECT u.name, u.about, r.code, r.attributed_at::date AS since
FROM users u,
     affiliate_attribute(u.id, '9cc118df1c60e060551bbca96', attributed_at => :'start') r
WHERE u.id <= 5 ORDER BY u.id;
SELECT customer, code FROM affiliate_attribute(6, 'sam-tips', attributed_at => :'start');

\echo
\echo '-- 4. THE FIRST MONTH ----------------------------------------------------------'
\echo '-- Ada starts at $20 a month, Gina pays as well. Nothing about affiliates in the SQL.'
\echo
INSERT INTO payments (user_id, item, amount, paid_at) VALUES
    (1, 'pay as you go', 20, :'first_payment'),
    (7, 'pay as you go', 20, :'first_payment');

\echo
\echo '-- The commission was posted in the same transaction: 30% of $20 is $6. Gina''s payment'
\echo '-- earned nobody anything.'
\echo
SELECT payment_key AS payment, base, rate, amount, currency, matures_on
FROM affiliate.commission;

\echo
\echo '-- The monthly payout run. $6 is below the minimum of $50: it makes no payout, and the'
\echo '-- money stays where it is.'
\echo
CALL affiliate_run_payouts(through => :'first_month_end');
SELECT count(*) AS payouts FROM affiliate_payouts('9cc118df1c60e060551bbca96');

\echo
\echo '-- 5. THE REST OF THE YEAR -----------------------------------------------------'
\echo '-- Ada stays for the year and buys credits once, Ben adds whitelabel, Cleo goes to'
\echo '-- enterprise, Finn pays a month, Gina buys a lot.'
\echo
INSERT INTO payments (user_id, item, amount, paid_at)
SELECT 1, 'pay as you go', 20, month
FROM generate_series(:'second_payment', :'last_payment', interval '1 month') AS month;
INSERT INTO payments (user_id, item, amount, paid_at) VALUES
    (1, 'credits',           50, :'last_payment'),
    (2, 'pay as you go',     20, :'last_payment'),
    (2, 'whitelabel add-on', 200, :'last_payment'),
    (3, 'enterprise',        1000, :'last_payment'),
    (6, 'pay as you go',     20, :'last_payment'),
    (7, 'enterprise',        5000, :'last_payment');

\echo
\echo '-- What each of Maya''s users has brought her: 30% of everything, to the cent.'
\echo
SELECT u.name, p.item, count(*) AS payments, sum(p.amount) AS paid, sum(c.amount) AS commission
FROM affiliate.commission c
JOIN payments p ON p.id::text = c.payment_key
JOIN users u ON u.id = p.user_id
WHERE u.name <> 'Finn'
GROUP BY u.id, u.name, p.item ORDER BY u.id, sum(p.amount) DESC;

\echo
\echo '-- 6. THE DASHBOARD ------------------------------------------------------------'
\echo '-- The link and the four figures.'
\echo
SELECT link,
       total_users_referred AS "users referred", total_conversions AS conversions,
       total_money_spent AS "money spent", total_payout_amount AS "payout amount"
FROM affiliate_stats('9cc118df1c60e060551bbca96');

\echo
\echo '-- A payment and its commission are one transaction: what is rolled back has never'
\echo '-- been earned.'
\echo
BEGIN;
INSERT INTO payments (user_id, item, amount) VALUES (3, 'enterprise', 1000);
SELECT total_commission AS "inside the transaction"
FROM affiliate_stats('9cc118df1c60e060551bbca96');
ROLLBACK;
SELECT total_commission AS "after the rollback"
FROM affiliate_stats('9cc118df1c60e060551bbca96');

\echo
\echo '-- 7. THE MONTHLY PAYOUT -------------------------------------------------------'
\echo '-- Again the run of the month (pg_cron calls it on the first of each). Maya is above'
\echo '-- the minimum now; Sam, with $6, is carried forward.'
\echo
CALL affiliate_run_payouts();
SELECT s.code, p.payout_id, p.amount, p.entries, p.status, s.total_payout_amount AS "still open"
FROM affiliate_stats() s LEFT JOIN affiliate_payouts(s.code) p ON true
ORDER BY p.amount;

\echo
\echo '-- It may be run twice, at once, or after a crash: nothing is paid twice.'
\echo
CALL affiliate_run_payouts();
SELECT count(*) AS payouts, sum(amount) AS amount
FROM affiliate_payouts('9cc118df1c60e060551bbca96');

\echo
\echo '-- Finance sends the money and says so.'
\echo
SELECT id, status, amount, currency
FROM affiliate_set_payout_status(1, 'processing');
SELECT id, status, external_reference
FROM affiliate_set_payout_status(1, 'paid', external_reference => 'wire 2210');

\echo
\echo '-- Life goes on: Ada renews just now. Every cent of commission is in one column.'
\echo
INSERT INTO payments (user_id, item, amount) VALUES (1, 'pay as you go', 20);
SELECT total_commission, pending_amount AS pending, total_payout_amount AS payable,
       processing_amount AS processing, paid_amount AS paid
FROM affiliate_stats('9cc118df1c60e060551bbca96');
\echo
\echo '-- Maya''s payout history.'
\echo
SELECT payout_id, period, amount, currency, entries, status, external_reference
FROM affiliate_payouts('9cc118df1c60e060551bbca96');

\echo
\echo '-- 8. THE PROOF ----------------------------------------------------------------'
\echo '-- Every invariant is recomputed from the payments, the ledger and the payouts: each'
\echo '-- payment has its commission, once, when all violations are 0.'
\echo
SELECT check_name, violations FROM affiliate_verify() ORDER BY check_name;
