-- One backend that serves many roles, as a connection pooler hands it around: nobody gains, loses or inherits anything.
CREATE DATABASE regress_pooled_backend;
\c regress_pooled_backend
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE ROLE regress_pool_a;
CREATE ROLE regress_pool_b;
CREATE ROLE "Regress Pool C";
CREATE ROLE regress_pool_app;
CREATE ROLE regress_pool_reader;
CREATE ROLE regress_pool_none;
SELECT affiliate_grant('regress_pool_app', 'app'), affiliate_grant('regress_pool_reader', 'reader');
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id serial PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01', paid_by text DEFAULT current_user);
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') AS binding;
GRANT INSERT ON payments, parts TO regress_pool_a, regress_pool_b, "Regress Pool C", regress_pool_app;
GRANT SELECT, UPDATE, DELETE ON payments TO regress_pool_b;
GRANT USAGE ON SEQUENCE payments_id_seq TO regress_pool_a, regress_pool_b, "Regress Pool C", regress_pool_app;
CREATE VIEW ledger AS SELECT c.binding_id, c.payment_key::int AS key, c.seq, c.base, c.amount FROM affiliate.commission c;

-- Roles with nothing but INSERT, one after the other; every kind of row.
SET ROLE regress_pool_a;
INSERT INTO payments (customer, amount) VALUES ('bob', 10), ('eve', 10), ('bob', 'NaN');
INSERT INTO parts VALUES (1, 'bob', 10), (2, 'bob', -1);
SELECT current_user, session_user = current_user AS is_session_user, current_setting('search_path');
SET ROLE "Regress Pool C";
INSERT INTO payments (customer, amount) VALUES ('carol', 20);
COPY payments (customer, amount) FROM stdin;
carol	30
eve	30
\.
\set VERBOSITY sqlstate
UPDATE payments SET amount = 1000;
SELECT * FROM payments;
SELECT * FROM affiliate.commission;
SELECT affiliate_stats('alice');
\set VERBOSITY verbose
SET ROLE regress_pool_b;
UPDATE payments SET amount = 40 WHERE id = 1;
UPDATE payments SET amount = 50 WHERE id = 3;
DELETE FROM payments WHERE id = 4;
SELECT current_user;
SET ROLE regress_pool_none;
\set VERBOSITY sqlstate
INSERT INTO payments (customer, amount) VALUES ('bob', 1000);
INSERT INTO affiliate.payment (customer, amount) VALUES ('bob', 1000);
INSERT INTO affiliate.commission SELECT * FROM affiliate.commission;
SELECT affiliate_create('mallory', code => 'mallory');
\set VERBOSITY verbose
RESET ROLE;
SELECT binding_id, key, seq, base, amount FROM ledger ORDER BY binding_id, key, seq;
SELECT id, paid_by FROM payments ORDER BY id;

-- Rights given to one role are not there for the next; functions that one has called are refused to the other, and again allowed.
SET ROLE regress_pool_app;
SELECT customer FROM affiliate_attribute('dave', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments (customer, amount) VALUES ('dave', 60);
SELECT total_users_referred, total_commission FROM affiliate_stats('alice');
SELECT affiliate_record_refund('payments', 7, 'refund-7', 10);
SET ROLE regress_pool_a;
\set VERBOSITY sqlstate
SELECT affiliate_record_refund('payments', 7, 'refund-8', 10);
SELECT total_users_referred, total_commission FROM affiliate_stats('alice');
SET ROLE regress_pool_reader;
SELECT affiliate_record_refund('payments', 7, 'refund-8', 10);
\set VERBOSITY verbose
SELECT total_users_referred, total_commission FROM affiliate_stats('alice');
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SET ROLE regress_pool_app;
SELECT affiliate_record_refund('payments', 7, 'refund-8', 10);
RESET ROLE;

-- What a pooler does between its clients.
SET SESSION AUTHORIZATION regress_pool_a;
SET search_path = nowhere;
SET timezone = 'Asia/Tokyo';
SET datestyle = 'German';
PREPARE pay AS INSERT INTO public.payments (customer, amount) VALUES ('bob', $1);
EXECUTE pay(70);
DISCARD ALL;
SELECT current_user = session_user AS is_session_user, current_setting('search_path');
INSERT INTO payments (customer, amount) VALUES ('bob', 80);
SET SESSION AUTHORIZATION regress_pool_b;
INSERT INTO payments (customer, amount) VALUES ('bob', 90);
UPDATE payments SET amount = 91 WHERE amount = 90;
RESET SESSION AUTHORIZATION;
RESET ALL;
DISCARD PLANS;
INSERT INTO payments (customer, amount) VALUES ('bob', 100);
DISCARD TEMP;
DISCARD SEQUENCES;
DEALLOCATE ALL;
CLOSE ALL;
UNLISTEN *;
SELECT pg_advisory_unlock_all();
INSERT INTO payments (customer, amount) VALUES ('bob', 110);
SELECT key, seq, base, amount FROM ledger WHERE binding_id = 2 AND key >= 7 ORDER BY key, seq;

-- Transactions that end badly leave role and settings as they were.
SET ROLE regress_pool_a;
BEGIN;
INSERT INTO payments (customer, amount) VALUES ('bob', 120);
\set VERBOSITY sqlstate
INSERT INTO payments (customer, amount) VALUES ('bob', 1 / 0);
\set VERBOSITY verbose
ROLLBACK;
SELECT current_user, current_setting('search_path');
BEGIN;
SET LOCAL ROLE regress_pool_none;
\set VERBOSITY sqlstate
INSERT INTO payments (customer, amount) VALUES ('bob', 120);
\set VERBOSITY verbose
ROLLBACK;
SELECT current_user;
BEGIN;
SAVEPOINT s;
INSERT INTO payments (customer, amount) VALUES ('bob', 'NaN');
ROLLBACK TO s;
SELECT current_user, current_setting('search_path');
COMMIT;
BEGIN;
INSERT INTO payments (customer, amount) VALUES ('bob', 'NaN');
INSERT INTO payments (customer, amount) VALUES ('bob', 130);
COMMIT;
RESET ROLE;
SELECT payment_key IS NOT NULL AS waits, reason FROM affiliate.quarantine WHERE resolved_at IS NULL AND binding_id = 2;
SELECT count(*), sum(amount) FROM ledger WHERE binding_id = 2 AND base IN (120, 130);

-- Through functions of the host that run with somebody else's rights.
CREATE FUNCTION pay(customer text, amount numeric) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS 'INSERT INTO public.payments (customer, amount) VALUES ($1, $2) RETURNING paid_by';
ALTER FUNCTION pay(text, numeric) OWNER TO regress_pool_b;
SET ROLE regress_pool_none;
SELECT pay('bob', 140);
SELECT current_user;
RESET ROLE;
-- a role that loses its rights, a role that goes away and comes back
REVOKE INSERT ON payments FROM "Regress Pool C";
SET ROLE "Regress Pool C";
\set VERBOSITY sqlstate
INSERT INTO payments (customer, amount) VALUES ('bob', 1000);
\set VERBOSITY verbose
RESET ROLE;
DROP OWNED BY "Regress Pool C";
DROP ROLE "Regress Pool C";
CREATE ROLE "Regress Pool C";
SET ROLE "Regress Pool C";
\set VERBOSITY sqlstate
INSERT INTO payments (customer, amount) VALUES ('bob', 1000);
\set VERBOSITY verbose
RESET ROLE;
GRANT INSERT ON payments TO "Regress Pool C";
GRANT USAGE ON SEQUENCE payments_id_seq TO "Regress Pool C";
SET ROLE "Regress Pool C";
INSERT INTO payments (customer, amount) VALUES ('bob', 150);
RESET ROLE;
SELECT key IS NOT NULL AS posted, base, amount FROM ledger WHERE base IN (140, 150, 1000) ORDER BY base;

-- Tables attached and detached by the owner while other roles' plans are kept.
CREATE TABLE later (id int PRIMARY KEY, customer text, amount numeric);
GRANT INSERT ON later TO regress_pool_a;
SET ROLE regress_pool_a;
INSERT INTO later VALUES (1, 'bob', 10);
RESET ROLE;
SELECT affiliate_attach_payments('later', customer => 'customer', amount => 'amount') AS binding;
SET ROLE regress_pool_a;
INSERT INTO later VALUES (2, 'bob', 20);
RESET ROLE;
SELECT affiliate_detach('later');
SET ROLE regress_pool_a;
INSERT INTO later VALUES (3, 'bob', 30);
RESET ROLE;
SELECT key, amount FROM ledger WHERE binding_id = 4;

UPDATE payments SET amount = 160 WHERE amount = 'NaN';
UPDATE parts SET amount = 20 WHERE amount < 0;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_users_referred, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
\c regress_pooled_backend
DROP FUNCTION pay(text, numeric);
DROP OWNED BY regress_pool_a, regress_pool_b, "Regress Pool C", regress_pool_app, regress_pool_reader, regress_pool_none;
DROP ROLE regress_pool_a, regress_pool_b, "Regress Pool C", regress_pool_app, regress_pool_reader, regress_pool_none;
