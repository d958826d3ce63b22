-- DROP EXTENSION, whatever it is called, does not destroy a ledger unless it is told to; made again, all of it works again.
CREATE DATABASE regress_drop_protection;
\c regress_drop_protection
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE ROLE regress_dropper SUPERUSER;
CREATE ROLE regress_nobody;

-- While there is nothing to lose, it goes; and comes again.
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
DROP EXTENSION affiliate;
CREATE EXTENSION affiliate;
SELECT count(*) FROM affiliate.affiliate;
DROP EXTENSION IF EXISTS affiliate CASCADE;
SELECT count(*) FROM pg_event_trigger;
SELECT count(*) FROM pg_namespace WHERE nspname = 'affiliate';

-- With an entry it does not, in a schema of its own or in public.
SET ROLE regress_dropper;
CREATE SCHEMA ext;
CREATE EXTENSION affiliate SCHEMA ext;
SET search_path = ext, public;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE public.payments (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO payments VALUES (1, 'bob', 10), (2, 'bob', 20);
RESET ROLE;
SHOW affiliate.allow_drop;
DROP EXTENSION affiliate;
DROP EXTENSION affiliate CASCADE;
DROP EXTENSION IF EXISTS affiliate CASCADE;
DROP EXTENSION plpgsql, affiliate CASCADE;
DROP SCHEMA ext CASCADE;
DROP SCHEMA IF EXISTS nowhere, ext CASCADE;
DROP OWNED BY regress_dropper;
DROP OWNED BY regress_dropper CASCADE;
SET ROLE regress_dropper;
DROP OWNED BY CURRENT_USER CASCADE;
DROP OWNED BY SESSION_USER, CURRENT_ROLE;
RESET ROLE;
-- PostgreSQL itself refuses to take single pieces out
\set VERBOSITY sqlstate
DROP SCHEMA ext;
DROP SCHEMA affiliate CASCADE;
DROP TABLE affiliate.commission CASCADE;
DROP FUNCTION affiliate.protect_ledger() CASCADE;
DROP EVENT TRIGGER affiliate_protect_ledger;
DROP FUNCTION affiliate.post_payments() CASCADE;
\set VERBOSITY verbose
SELECT count(*) AS entries, sum(amount) FROM affiliate.commission;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Others are dropped as ever.
CREATE SCHEMA other;
CREATE TABLE other.things (id int);
SET client_min_messages = warning;
DROP SCHEMA other CASCADE;
RESET client_min_messages;
SET ROLE regress_nobody;
DROP OWNED BY regress_nobody;
\set VERBOSITY sqlstate
DROP EXTENSION affiliate;
DROP SCHEMA ext CASCADE;
\set VERBOSITY verbose
RESET ROLE;

-- Allowed, in one transaction, which is rolled back: the session goes on as if nothing had been.
BEGIN;
SET LOCAL affiliate.allow_drop = on;
SET LOCAL client_min_messages = warning;
DROP EXTENSION affiliate CASCADE;
INSERT INTO payments VALUES (3, 'bob', 30);
ROLLBACK;
SHOW affiliate.allow_drop;
INSERT INTO payments VALUES (3, 'bob', 30);
UPDATE payments SET amount = 15 WHERE id = 1;
SELECT payment_key, seq, amount FROM affiliate.commission ORDER BY payment_key, seq;
-- and made again in the transaction that dropped it
BEGIN;
SET LOCAL affiliate.allow_drop = on;
SET LOCAL client_min_messages = warning;
DROP EXTENSION affiliate CASCADE;
CREATE EXTENSION affiliate SCHEMA ext;
SELECT code FROM affiliate_create('bert', code => 'bert');
SELECT customer FROM affiliate_attribute('bob', code => 'bert', attributed_at => '2024-01-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO payments VALUES (4, 'bob', 40);
SELECT a.code, c.payment_key, c.seq, c.amount FROM affiliate.commission c JOIN affiliate.affiliate a ON a.id = c.affiliate_id;
ROLLBACK;
INSERT INTO payments VALUES (4, 'bob', 40);
SELECT a.code, c.payment_key, c.seq, c.amount FROM affiliate.commission c JOIN affiliate.affiliate a ON a.id = c.affiliate_id WHERE c.payment_key = '4';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Not everybody may tell it to.
SET ROLE regress_nobody;
SET affiliate.allow_drop = on;
\set VERBOSITY sqlstate
DROP EXTENSION affiliate CASCADE;
\set VERBOSITY verbose
RESET ROLE;
RESET affiliate.allow_drop;
\set VERBOSITY sqlstate
SET affiliate.allow_drop = 'perhaps';
\set VERBOSITY verbose

-- A schema that is dropped with it.
SET affiliate.allow_drop = on;
SET client_min_messages = warning;
DROP SCHEMA ext CASCADE;
RESET client_min_messages;
RESET affiliate.allow_drop;
RESET search_path;
SELECT count(*) FROM pg_extension WHERE extname = 'affiliate';
SELECT tgname FROM pg_trigger WHERE tgrelid = 'payments'::regclass AND NOT tgisinternal;
INSERT INTO payments VALUES (5, 'bob', 50);

-- Made again in the same session: everything that it remembered is forgotten, and posting works.
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('anna', code => 'anna');
SELECT customer FROM affiliate_attribute('bob', code => 'anna', attributed_at => '2024-01-01');
SELECT rate FROM affiliate_set_program('default', rate => 0.10);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO payments VALUES (6, 'bob', 60), (7, 'bob', -70), (8, 'eve', 80);
UPDATE payments SET amount = 70 WHERE id = 6;
DELETE FROM payments WHERE id = 5;
SELECT affiliate_record_refund('payments', 6, 'refund-1', 10);
INSERT INTO affiliate.payment (id, customer, amount) VALUES (1, 'bob', 100);
SELECT c.binding_id, c.payment_key, c.seq, c.rate, c.base, c.amount FROM affiliate.commission c ORDER BY c.binding_id, c.payment_key, c.seq;
SELECT payment_key, reason FROM affiliate.quarantine;
UPDATE payments SET amount = 70 WHERE id = 7;
SELECT * FROM affiliate_backfill('payments');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT affiliate_maintain() > 0 AS folded;
SELECT code, currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats();
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
DROP EXTENSION affiliate;

-- The protection does not end with the session that made it, nor with triggers that are off.
\c
\set VERBOSITY verbose
DROP EXTENSION affiliate CASCADE;
SET session_replication_role = replica;
DROP EXTENSION affiliate CASCADE;
RESET session_replication_role;
SELECT sum(amount) FROM affiliate.commission;

-- Without attached tables or dependants, no CASCADE is needed once it is allowed.
SELECT affiliate_detach('payments');
SET affiliate.allow_drop = on;
DROP EXTENSION affiliate;
SELECT count(*) FROM pg_namespace WHERE nspname = 'affiliate';
RESET affiliate.allow_drop;
CREATE EXTENSION affiliate;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
\c regress_drop_protection
SET client_min_messages = warning;
DROP OWNED BY regress_dropper, regress_nobody;
DROP ROLE regress_dropper, regress_nobody;
