-- Posting: one commission per eligible payment, in the transaction of the payment.
CREATE DATABASE regress_posting;
\c regress_posting
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01 12:00');
SELECT customer FROM affiliate_attribute(42, code => 'alice', attributed_at => '2024-01-01 12:00');
SELECT customer FROM affiliate_attribute('00000000-0000-0000-0000-000000000042'::uuid, code => 'alice', attributed_at => '2024-01-01 12:00');
CREATE VIEW ledger AS
SELECT b.table_name, c.payment_key, c.currency, c.base, c.rate, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;

-- The extension's own table: one row, several rows, INSERT ... SELECT, COPY. Nobody referred eve.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 20, '2024-02-01');
INSERT INTO affiliate.payment (id, customer, amount, paid_at)
VALUES (2, 'bob', 20, '2024-02-02'), (3, 'eve', 20, '2024-02-02'), (4, 'bob', 200, '2024-02-02');
INSERT INTO affiliate.payment (id, customer, amount, paid_at)
SELECT n, CASE WHEN n % 2 = 0 THEN 'bob' ELSE 'eve' END, n, '2024-02-03' FROM generate_series(10, 15) n;
COPY affiliate.payment (id, customer, amount, currency, paid_at) FROM stdin;
20	bob	20	EUR	2024-02-04
21	eve	20	EUR	2024-02-04
22	bob	30	 eur 	2024-02-04
\.
SELECT payment_key, currency, base, rate, amount, matures_on FROM ledger ORDER BY payment_key::int;

-- What earns nothing: payments of customers nobody referred, of zero, and before the referral. The
-- moment of the referral itself counts.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES
    (30, 'eve', 20, '2024-02-01'), (31, 'bob', 0, '2024-02-01'),
    (32, 'bob', 20, '2024-01-01 11:59:59.999999'), (33, 'bob', 20, '2024-01-01 12:00');
SELECT payment_key, amount FROM ledger WHERE payment_key::int >= 30 ORDER BY payment_key::int;

-- Sign-up and first payment in one transaction.
BEGIN;
SELECT customer FROM affiliate_attribute('new', code => 'alice');
INSERT INTO affiliate.payment (id, customer, amount) VALUES (40, 'new', 10);
COMMIT;
SELECT payment_key, amount, matures_on = (now() AT TIME ZONE 'UTC')::date AS today FROM ledger WHERE payment_key = '40';

-- Payment and commission roll back together.
BEGIN;
INSERT INTO affiliate.payment (id, customer, amount) VALUES (41, 'bob', 10);
SELECT amount FROM ledger WHERE payment_key = '41';
ROLLBACK;
SELECT amount FROM ledger WHERE payment_key = '41';

-- A table of the application's own: bind it, and go on inserting as before. Attaching scans nothing.
CREATE TABLE payments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL,
    total numeric(12,2) NOT NULL,
    cur char(3) NOT NULL DEFAULT 'usd',
    created_at timestamptz NOT NULL
);
INSERT INTO payments (user_id, total, created_at) VALUES (42, 5, '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'user_id', amount => 'total', currency => 'cur', paid_at => 'created_at') AS binding;
SELECT count(*) FROM ledger WHERE table_name = 'public.payments';
INSERT INTO payments (user_id, total, created_at) VALUES (42, 19.99, '2024-02-02');
INSERT INTO payments (user_id, total, cur, created_at) VALUES (42, 10, 'EUR', '2024-02-03'), (7, 10, 'EUR', '2024-02-03'), (42, 30, 'Eur', '2024-02-03');
INSERT INTO payments (user_id, total, created_at) SELECT 42, n, '2024-02-04' FROM generate_series(1, 3) n;
COPY payments (user_id, total, cur, created_at) FROM stdin WITH (FORMAT csv);
42,100,USD,2024-02-05
8,100,USD,2024-02-05
42,200,USD,2024-02-05
\.
SELECT payment_key, currency, base, amount, matures_on FROM ledger WHERE table_name = 'public.payments' ORDER BY payment_key::int;

-- Amounts in minor units: integers in cents, or whatever the currency has.
CREATE TABLE charges (id text PRIMARY KEY, customer uuid, amount bigint, currency text, created bigint);
SELECT affiliate_attach_payments('charges', customer => 'customer', amount => 'amount', currency => 'currency',
    paid_at => 'created', minor_units => true) AS binding;
-- as Stripe has them: epoch seconds, lower-case currencies, keys of text
INSERT INTO charges VALUES
    ('ch_1', '00000000-0000-0000-0000-000000000042', 1999, 'usd', extract(epoch FROM timestamptz '2024-02-01 23:59:59+00')),
    ('ch_2', '00000000-0000-0000-0000-000000000042', 999, 'jpy', extract(epoch FROM timestamptz '2024-02-02 00:00+00')),
    ('ch_3', '00000000-0000-0000-0000-000000000042', 1005, 'kwd', extract(epoch FROM timestamptz '2024-02-03 00:00+00')),
    ('ch_4', '00000000-0000-0000-0000-000000000043', 1999, 'usd', extract(epoch FROM timestamptz '2024-02-03 00:00+00')),
    ('ch_5', '00000000-0000-0000-0000-000000000042', 1999, 'usd', extract(epoch FROM timestamptz '2024-01-01 11:59:59+00'));
SELECT payment_key, currency, base, amount, matures_on FROM ledger WHERE table_name = 'public.charges' ORDER BY payment_key;

-- Integers in major units, a constant currency, epoch seconds of 4 bytes, a uuid as key.
CREATE TABLE orders (key uuid PRIMARY KEY, account int, total smallint, paid int);
SELECT affiliate_attach_payments('orders', customer => 'account', amount => 'total', paid_at => 'paid', currency_code => ' jpy ') AS binding;
INSERT INTO orders VALUES ('A0000000-0000-0000-0000-000000000001', 42, 999, extract(epoch FROM timestamptz '2024-02-01 00:00+00'));
SELECT payment_key, currency, base, amount, matures_on FROM ledger WHERE table_name = 'public.orders';

-- Without a currency they are in the program's; without a time they are of the moment of posting.
CREATE TABLE plain (id serial PRIMARY KEY, customer text, amount integer);
SELECT affiliate_attach_payments('plain', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO plain (customer, amount) VALUES ('bob', 50);
SELECT currency, base, amount, matures_on = (now() AT TIME ZONE 'UTC')::date AS today FROM ledger WHERE table_name = 'public.plain';

-- A timestamp is in the program's time zone, and a date is a day there, whatever the session's is.
-- A day counts from its start: a payment dated on the day of the sign-up is eligible. NULL is now.
SELECT name FROM affiliate_set_program('berlin', time_zone => 'Europe/Berlin', hold_days => 14);
SELECT code FROM affiliate_create('anna', code => 'anna', program => 'berlin');
-- 23:30 on January 1st in UTC is half past midnight on the 2nd in Berlin
SELECT customer FROM affiliate_attribute('bob', code => 'anna', program => 'berlin', attributed_at => '2024-01-01 23:30+00');
CREATE TABLE by_timestamp (id int PRIMARY KEY, customer text, amount numeric, paid_at timestamp);
CREATE TABLE by_date (id int PRIMARY KEY, customer text, amount numeric, paid_on date);
SELECT affiliate_attach_payments('by_timestamp', customer => 'customer', amount => 'amount', paid_at => 'paid_at', paid_at_zone => 'Europe/Berlin', program => 'berlin') AS binding;
SELECT affiliate_attach_payments('by_date', customer => 'customer', amount => 'amount', paid_at => 'paid_on', program => 'berlin') AS binding;
SET timezone = 'America/Los_Angeles';
INSERT INTO by_timestamp VALUES (1, 'bob', 10, '2024-01-02 00:29:59'), (2, 'bob', 10, '2024-01-02 00:30:00'), (3, 'bob', 10, '2024-01-02 23:59:59');
INSERT INTO by_date VALUES (1, 'bob', 10, '2024-01-01'), (2, 'bob', 10, '2024-01-02'), (3, 'bob', 10, NULL);
SET timezone = 'UTC';
SELECT table_name, payment_key, amount, CASE WHEN payment_key <> '3' OR table_name <> 'public.by_date' THEN matures_on END AS matures_on
FROM ledger WHERE table_name LIKE 'public.by_%' ORDER BY table_name, payment_key;

-- Payments before "since" never count; it is inclusive.
CREATE TABLE since (id int PRIMARY KEY, customer text, amount numeric, paid_at timestamptz);
SELECT affiliate_attach_payments('since', customer => 'customer', amount => 'amount', paid_at => 'paid_at', since => '2024-03-01') AS binding;
INSERT INTO since VALUES (1, 'bob', 10, '2024-02-29 23:59:59'), (2, 'bob', 10, '2024-03-01');
SELECT payment_key FROM ledger WHERE table_name = 'public.since';

-- A composite key is written as PostgreSQL writes a row, and never depends on settings of the session.
CREATE TABLE lines (
    at timestamptz, "order" text, n int, customer text NOT NULL, amount numeric NOT NULL, paid_on date, PRIMARY KEY ("order", n, at)
);
SELECT affiliate_attach_payments('lines', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO lines VALUES ('2024-02-01 12:00+00', 'A-1', 1, 'bob', 10, '2024-02-01');
SET timezone = 'Asia/Kolkata';
SET datestyle = 'German, DMY';
INSERT INTO lines VALUES ('2024-02-01 12:00+00', 'A-1', 2, 'bob', 10, '2024-02-01'), ('2024-02-01 12:00+00', 'a "b", (c)', 1, 'bob', 10, '2024-02-01');
-- the same payment in another session: its difference is posted, not a second commission
UPDATE lines SET amount = 20 WHERE n = 1 AND "order" = 'A-1';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT payment_key, base, amount FROM ledger WHERE table_name = 'public.lines' ORDER BY payment_key COLLATE "C", base;

-- The key may be any columns that are NOT NULL and unique, in the order given.
CREATE TABLE invoices (id bigserial PRIMARY KEY, number text NOT NULL, year int NOT NULL, customer varchar(20), amount numeric, UNIQUE (year, number));
SELECT affiliate_attach_payments('invoices', customer => 'customer', amount => 'amount', payment_key => 'number, year') AS binding;
INSERT INTO invoices (number, year, customer, amount) VALUES ('R-7', 2024, 'bob', 10);
SELECT payment_key FROM ledger WHERE table_name = 'public.invoices';

-- Keys of char(n) lose their padding, as they do everywhere in PostgreSQL.
CREATE TABLE padded (id char(8) PRIMARY KEY, customer char(10), amount numeric);
SELECT affiliate_attach_payments('padded', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO padded VALUES ('ab', 'bob', 10);
SELECT payment_key, amount FROM ledger WHERE table_name = 'public.padded';

-- Whoever is referred in several programs earns for each: the binding says for which.
SELECT code, currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats() ORDER BY code, currency;
SELECT sum(violations) FILTER (WHERE check_name <> 'payments_have_entries') AS violations,
    sum(violations) FILTER (WHERE check_name = 'payments_have_entries') AS older_than_the_attachment
FROM affiliate_verify();
