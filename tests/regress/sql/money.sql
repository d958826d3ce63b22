-- Money: exact decimals, rounded once, half away from zero, to the minor unit of the currency.
CREATE DATABASE regress_money;
\c regress_money
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');

-- $20 earns $6.00, $200 earns $60.00, ¥999 earns ¥300; KWD has three decimals, CLF has four.
INSERT INTO affiliate.payment (id, customer, amount, currency) VALUES
    (1, 'bob', 20, 'USD'), (2, 'bob', 200, 'USD'), (3, 'bob', 1000.00, 'USD'), (4, 'bob', 999, 'JPY'),
    (5, 'bob', 1.005, 'KWD'), (6, 'bob', 0.0005, 'CLF');
SELECT payment_key, currency, base, amount FROM affiliate.commission ORDER BY payment_key::int;

-- Halves go away from zero: 30% of 0.05 is 0.015, so 0.02; a hair less is 0.01.
INSERT INTO affiliate.payment (id, customer, amount) VALUES
    (10, 'bob', 0.05), (11, 'bob', 0.15), (12, 'bob', 0.25), (13, 'bob', 0.0499999999999999999999999),
    (14, 'bob', 0.35), (15, 'bob', 1.15);
SELECT payment_key, base, rate * base AS exact, amount FROM affiliate.commission
WHERE payment_key::int BETWEEN 10 AND 19 ORDER BY payment_key::int;

-- A commission that rounds to 0 has an entry: it counts as conversion and spending.
INSERT INTO affiliate.payment (id, customer, amount) VALUES (20, 'bob', 0.01);
SELECT payment_key, base, amount FROM affiliate.commission WHERE payment_key = '20';

-- Decimals are never lost on the way, however many there are, and large amounts stay exact.
INSERT INTO affiliate.payment (id, customer, amount, currency) VALUES
    (30, 'bob', 10.0000000000000000000000001, 'USD'), (31, 'bob', 123456789012345678901234.56, 'USD'),
    (32, 'bob', 79228162514264337593543950335, 'JPY');
SELECT payment_key, base, amount FROM affiliate.commission WHERE payment_key::int BETWEEN 30 AND 39 ORDER BY payment_key::int;

-- Whatever the amount, the commission is what round() of numeric says.
DELETE FROM affiliate.payment;
SELECT rate FROM affiliate_set_program('default', rate => 0.123456);
INSERT INTO affiliate.payment (id, customer, amount, currency)
SELECT 1000 + n, 'bob', (n * 7919 % 100003) / 10.0 ^ (n % 5), (ARRAY['USD', 'JPY', 'KWD'])[1 + n % 3]
FROM generate_series(1, 3000) n;
SELECT c.currency, count(*) AS entries,
    count(*) FILTER (WHERE c.amount = round(0.123456 * p.amount, CASE c.currency WHEN 'JPY' THEN 0 WHEN 'KWD' THEN 3 ELSE 2 END)) AS as_rounded
FROM affiliate.commission c JOIN affiliate.payment p ON p.id = c.payment_key::bigint
WHERE c.payment_key::int > 1000 GROUP BY c.currency ORDER BY c.currency;
DELETE FROM affiliate.payment;

-- A refund lowers the target; a full one nets to exactly 0, whatever the steps on the way.
SELECT rate FROM affiliate_set_program('default', rate => 0.30);
INSERT INTO affiliate.payment (id, customer, amount, currency) VALUES (40, 'bob', 9.99, 'USD'), (41, 'bob', 1000, 'JPY'), (42, 'bob', 1.001, 'KWD');
UPDATE affiliate.payment SET refunded = amount / 3;
UPDATE affiliate.payment SET refunded = round(amount * 2 / 3, 5);
UPDATE affiliate.payment SET refunded = amount;
SELECT payment_key, seq, base, refunded, posted_before, amount FROM affiliate.commission
WHERE payment_key::int BETWEEN 40 AND 49 ORDER BY payment_key::int, seq;
SELECT payment_key, sum(amount) FROM affiliate.commission WHERE payment_key::int BETWEEN 40 AND 49 GROUP BY 1 ORDER BY 1;
-- more than everything is everything
UPDATE affiliate.payment SET refunded = amount * 2;
SELECT payment_key, max(seq) AS entries, sum(amount) FROM affiliate.commission WHERE payment_key::int BETWEEN 40 AND 49 GROUP BY 1 ORDER BY 1;

-- Amounts of different currencies are never added, and shown with the decimals of each.
INSERT INTO affiliate.payment (id, customer, amount, currency) VALUES (43, 'bob', 20, 'USD'), (44, 'bob', 999, 'JPY'), (45, 'bob', 2, 'KWD');
SELECT currency, total_conversions, trim_scale(total_money_spent) AS total_money_spent, total_commission FROM affiliate_stats('alice');

-- Rates: 0 earns entries of 0, 1 earns everything.
SELECT rate FROM affiliate_set_program('default', rate => 0);
INSERT INTO affiliate.payment (id, customer, amount) VALUES (50, 'bob', 100);
SELECT rate FROM affiliate_set_program('default', rate => 1);
INSERT INTO affiliate.payment (id, customer, amount) VALUES (51, 'bob', 0.005), (52, 'bob', 100);
SELECT payment_key, rate, base, amount FROM affiliate.commission WHERE payment_key::int BETWEEN 50 AND 59 ORDER BY payment_key::int;

-- Every entry has its inputs: anybody can recompute it.
SELECT count(*) > 3000 AS many, count(*) FILTER (WHERE amount <> affiliate.commission_target(rate, base, currency) - posted_before) AS not_recomputable
FROM affiliate.commission;
SELECT affiliate.commission_target(0.30, 999, 'jpy'), affiliate.commission_target(0.30, 999, 'XXX'), affiliate.commission_target(0.30, 'NaN', 'USD'),
    affiliate.commission_target(1, 1e28, 'USD');
SELECT affiliate.minor_digits(c) FROM unnest(ARRAY['USD', 'JPY', 'KWD', 'CLF', ' eur', 'XAU', 'XXX', '']) c;
SELECT sum(violations) AS violations FROM affiliate_verify();
