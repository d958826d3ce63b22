-- Rows that COPY puts back: into the ledger, the quarantine and affiliate.payment. Nothing is removed for them.
CREATE DATABASE regress_restored_rows;
\c regress_restored_rows
SET timezone = 'UTC';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 20, '2024-02-01'), (2, 'bob', 30, '2024-02-01'), (3, 'bob', -1, '2024-02-01'), (4, 'bob', -2, '2024-02-01');
CREATE VIEW ledger AS SELECT payment_key AS key, seq, amount FROM affiliate.commission;
CREATE VIEW quarantine AS SELECT id, payment_key AS key, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;

-- A row of the ledger and one of the quarantine are lost, and put back as a dump spells it.
DELETE FROM affiliate.commission WHERE payment_key = '2';
DELETE FROM affiliate.quarantine WHERE payment_key = '4';
COPY affiliate.commission (posted_at, referral_id, affiliate_id, epoch, binding_id, seq, paid_on, matures_on, rule, payment_key, currency, rate, base, refunded, base_before, posted_before, amount) FROM stdin;
2024-02-01 00:00:00+00	1	1	1	1	1	2024-02-01	2024-02-01	r	2	USD	0.30	30.00	0	0	0	9.00
\.
COPY affiliate.quarantine (id, binding_id, payment_key, reason, detail, "row", seen_at, resolved_at) FROM stdin;
2	1	4	amount is negative	-2	\N	2024-02-01 00:00:00+00	\N
\.
SELECT * FROM ledger ORDER BY key, seq;
SELECT * FROM quarantine ORDER BY id;
-- a second time is an error, and nothing is gone for it
\set VERBOSITY sqlstate
COPY affiliate.commission (posted_at, referral_id, affiliate_id, epoch, binding_id, seq, paid_on, matures_on, rule, payment_key, currency, rate, base, refunded, base_before, posted_before, amount) FROM stdin;
2024-02-01 00:00:00+00	1	1	1	1	1	2024-02-01	2024-02-01	r	2	USD	0.30	30.00	0	0	0	9.00
\.
SET application_name = 'pg_restore';
COPY affiliate.commission (posted_at, referral_id, affiliate_id, epoch, binding_id, seq, paid_on, matures_on, rule, payment_key, currency, rate, base, refunded, base_before, posted_before, amount) FROM stdin;
\.
COPY affiliate.quarantine (id, binding_id, payment_key, reason, detail, "row", seen_at, resolved_at) FROM stdin;
\.
\set VERBOSITY verbose
SELECT * FROM ledger ORDER BY key, seq;
SELECT * FROM quarantine ORDER BY id;

-- The name of an application is nothing: payments are posted.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (5, 'bob', 50, '2024-02-01');
RESET application_name;
COPY affiliate.payment (id, customer, amount, paid_at) FROM stdin;
6	bob	60	2024-02-01
\.
SELECT * FROM ledger WHERE key IN ('5', '6') ORDER BY key;

-- Nor can a role that may only write payments have them go unposted, whatever it sets,
-- not even with the rights of a function of the owner's.
CREATE ROLE regress_cashier LOGIN;
GRANT USAGE ON SCHEMA affiliate TO regress_cashier;
GRANT INSERT ON affiliate.payment TO regress_cashier;
CREATE FUNCTION sell(id bigint) RETURNS void SECURITY DEFINER LANGUAGE sql AS $$ INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (id, 'bob', 70, '2024-02-01') $$;
SET SESSION AUTHORIZATION regress_cashier;
SET application_name = 'pg_restore';
SET check_function_bodies = off;
SET row_security = off;
SELECT set_config('search_path', '', false);
COPY affiliate.payment (id, customer, amount, paid_at) FROM stdin;
7	bob	70	2024-02-01
\.
SELECT public.sell(8);
RESET SESSION AUTHORIZATION;
RESET search_path;
SELECT * FROM ledger WHERE key IN ('7', '8') ORDER BY key;

-- What a script of pg_dump sets up, with the owner's rights: its ledger comes along. Changes and deletions are no restore.
-- Of a table that is attached, where the triggers mostly come later, a warning says so.
CREATE TABLE orders (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
CREATE TABLE parts (id int, customer text, amount numeric, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE days (day date PRIMARY KEY, customer text, amount numeric); -- a key whose text depends on settings
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments(t, customer => 'customer', amount => 'amount') FROM unnest('{orders,parts,days}'::regclass[]) AS t;
SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'payment', refund_key => 'id', amount => 'amount');
INSERT INTO orders VALUES (1, 'bob', 10);
INSERT INTO parts VALUES (1, 'bob', 10);
SELECT set_config('search_path', '', false);
COPY affiliate.payment (id, customer, amount, paid_at) FROM stdin;
9	bob	90	2024-02-01
\.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (10, 'bob', 100, '2024-02-01');
UPDATE affiliate.payment SET amount = 200 WHERE id = 1;
DELETE FROM affiliate.payment WHERE id = 6;
\set VERBOSITY default
COPY public.orders FROM stdin;
2	bob	20
3	bob	30
\.
COPY public.parts FROM stdin;
2	bob	20
3	bob	30
102	bob	40
\.
COPY public.days FROM stdin;
2024-02-01	bob	50
\.
INSERT INTO public.refunds VALUES (1, 1, 5);
-- a row that moves is not one that is restored
UPDATE public.parts SET id = 101 WHERE id = 1;
\set VERBOSITY verbose
RESET search_path;
SELECT binding_id, payment_key AS key, seq, amount FROM affiliate.commission ORDER BY binding_id, length(payment_key), payment_key, seq;
-- rows restored without their ledger are missing, and found; a search path makes a session an application's
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
UPDATE affiliate.payment SET amount = 1 WHERE id IN (3, 4);
SELECT * FROM affiliate_reconcile();
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (11, 'bob', 110, '2024-02-01');
SELECT * FROM ledger WHERE key IN ('9', '10', '11') ORDER BY length(key), key;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
RESET check_function_bodies;
DROP OWNED BY regress_cashier;
DROP ROLE regress_cashier;
