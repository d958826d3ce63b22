-- Programs: sets of terms. One named "default" is there after installation.
CREATE DATABASE regress_programs;
\c regress_programs
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;

-- A new program has the terms of the one that comes with the extension, but for those given.
SELECT * FROM affiliate_set_program('partners', rate => 0.2, hold_days => 30) \gset program_
SELECT name, rate, hold_days, payout_threshold, currency, time_zone, link_base, self_referral, attribution, attribution_days
FROM affiliate.program WHERE name = 'partners' \gx

-- Changing one: what is NULL or left out stays as it is.
SELECT (affiliate_set_program(
    'partners', rate => 0.125, link_base => 'http://localhost:8080/r', payout_threshold => 99.99, currency => ' eur ',
    hold_days => 0, time_zone => 'Europe/Berlin', self_referral => 'allow', attribution => 'first_click',
    attribution_days => 90)).name;
SELECT name, rate, hold_days, payout_threshold, currency, time_zone, link_base, self_referral, attribution, attribution_days
FROM affiliate_set_program('partners', rate => NULL) \gx
SELECT name, rate FROM affiliate_set_program('partners', 1);
SELECT name, rate FROM affiliate_set_program('partners', 0);
SELECT name, rate FROM affiliate_set_program('partners', 0.123456);
SELECT name, rate = 0.3 AS is_30_percent FROM affiliate_set_program('partners', 0.30000000000);

-- A rate is a fraction with at most 6 decimals.
SELECT affiliate_set_program('partners', rate => 30);
SELECT affiliate_set_program('partners', rate => -0.1);
SELECT affiliate_set_program('partners', rate => 1.000001);
SELECT affiliate_set_program('partners', rate => 0.1234567);
SELECT affiliate_set_program('partners', rate => 'NaN');
SELECT affiliate_set_program('partners', rate => 'Infinity');

-- Everything else that is no term.
SELECT affiliate_set_program('partners', payout_threshold => -1);
SELECT affiliate_set_program('partners', payout_threshold => 'NaN');
SELECT affiliate_set_program('partners', payout_threshold => 'Infinity');
SELECT affiliate_set_program('partners', payout_threshold => 1e40);
SELECT affiliate_set_program('partners', hold_days => -1);
SELECT affiliate_set_program('partners', hold_days => 3651);
SELECT affiliate_set_program('partners', currency => 'dollars');
SELECT affiliate_set_program('partners', currency => 'XYZ');
-- gold has a code, but no minor unit
SELECT affiliate_set_program('partners', currency => 'XAU');
SELECT affiliate_set_program('partners', currency => '');
SELECT affiliate_set_program('partners', time_zone => 'Europe/Atlantis');
SELECT affiliate_set_program('partners', time_zone => '');
SELECT affiliate_set_program('partners', link_base => 'javascript:alert(1)');
SELECT affiliate_set_program('partners', link_base => 'https://a.example/a b');
SELECT affiliate_set_program('partners', link_base => 'https://');
SELECT affiliate_set_program('partners', link_base => '');
SELECT affiliate_set_program('partners', self_referral => 'maybe');
SELECT affiliate_set_program('partners', attribution => 'linear');
SELECT affiliate_set_program('partners', attribution_days => 0);
SELECT affiliate_set_program('partners', attribution_days => 3651);

-- A program needs a name.
SELECT affiliate_set_program(NULL);
SELECT affiliate_set_program('');
SELECT affiliate_set_program(' ');
SELECT affiliate_set_program(repeat('x', 257));

-- Nothing of that changed anything.
SELECT name, rate, hold_days, payout_threshold, currency, time_zone, link_base, self_referral, attribution, attribution_days
FROM affiliate.program ORDER BY name;

-- The threshold is in the program's currency; another currency may have its own.
SELECT affiliate_set_payout_threshold('partners', 'jpy', 7500);
SELECT affiliate_set_payout_threshold('partners', currency => 'KWD', minimum => 15.5);
SELECT affiliate_set_payout_threshold('partners', 'JPY', 8000);
SELECT * FROM affiliate.payout_threshold ORDER BY currency;
-- without one it has the same number again
SELECT affiliate_set_payout_threshold('partners', 'KWD', NULL);
SELECT affiliate_set_payout_threshold('partners', 'CHF', NULL);
SELECT * FROM affiliate.payout_threshold ORDER BY currency;
SELECT affiliate_set_payout_threshold('nobody', 'USD', 1);
SELECT affiliate_set_payout_threshold(NULL, 'USD', 1);
SELECT affiliate_set_payout_threshold('partners', NULL, 1);
SELECT affiliate_set_payout_threshold('partners', 'U$D', 1);
SELECT affiliate_set_payout_threshold('partners', 'USD', -0.01);
SELECT affiliate_set_payout_threshold('partners', 'USD', 'NaN');
SELECT affiliate_set_payout_threshold('partners', 'USD', 'Infinity');

-- New terms hold for payments that have no entry yet, at once and in sessions that posted before.
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.30, hold_days => 0);
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 100, '2024-01-10 12:00');
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.10, hold_days => 14);
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (2, 'bob', 100, '2024-01-10 12:00');

-- What has entries keeps its terms: rate and maturity are those of the first entry.
UPDATE affiliate.payment SET amount = 50 WHERE id IN (1, 2);
SELECT payment_key, seq, rate, amount, matures_on FROM affiliate.commission ORDER BY payment_key, seq;

-- The day of a payment is the day in the program's time zone.
SELECT time_zone FROM affiliate_set_program('default', hold_days => 0, time_zone => 'Asia/Tokyo');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (3, 'bob', 10, '2024-01-31 15:00+00');
SELECT time_zone FROM affiliate_set_program('default', time_zone => 'America/Los_Angeles');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (4, 'bob', 10, '2024-01-31 15:00+00');
SELECT payment_key, matures_on FROM affiliate.commission WHERE payment_key IN ('3', '4') ORDER BY payment_key;

-- A program for another currency: payments that name none are in it.
SELECT currency FROM affiliate_set_program('japan', currency => 'JPY', rate => 0.30);
CREATE TABLE orders (id bigint PRIMARY KEY, account text NOT NULL, total numeric NOT NULL);
SELECT affiliate_attach_payments('orders', customer => 'account', amount => 'total', program => 'japan') > 1 AS is_attached;
SELECT code FROM affiliate_create('kenji', code => 'kenji', program => 'japan');
SELECT customer FROM affiliate_attribute('bob', code => 'kenji', program => 'japan');
INSERT INTO orders VALUES (1, 'bob', 999);
SELECT currency, total_money_spent, total_commission FROM affiliate_stats('kenji');
SELECT sum(violations) AS violations FROM affiliate_verify();
