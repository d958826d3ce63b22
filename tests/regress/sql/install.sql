-- What CREATE EXTENSION affiliate brings: two schemas, a program, a payments table of its own.
CREATE DATABASE regress_install;
\c regress_install
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose

CREATE EXTENSION affiliate;

-- Functions go where CREATE EXTENSION is pointed at, everything else into the schema affiliate.
SELECT n.nspname AS schema, e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'affiliate';
SELECT d.deptype AS schema_is_member FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname = 'affiliate' AND d.classid = 'pg_namespace'::regclass AND d.objid = 'affiliate'::regnamespace
    AND d.refclassid = 'pg_extension'::regclass;
CREATE VIEW members AS
SELECT i.type, i.schema, i.name, i.identity
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid,
    LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'affiliate';
SELECT type, schema, count(*) > 0 AS has_any FROM members
WHERE type IN ('function', 'procedure', 'table', 'view', 'sequence')
GROUP BY type, schema ORDER BY type, schema;

-- The tables and views.
SELECT type, name FROM members WHERE type IN ('table', 'view') ORDER BY type, name COLLATE "C";

-- Callable functions are named affiliate_...; nothing else of ours is in the target schema.
SELECT DISTINCT substring(identity FROM '^public\.(affiliate_[a-z_]+)\(') COLLATE "C" AS call
FROM members WHERE identity LIKE 'public.%' ORDER BY call;

-- The program "default": 30%, lifetime, hold 0 days, threshold 50, currency USD, UTC.
SELECT name, rate, hold_days, payout_threshold, currency, time_zone, link_base, self_referral, attribution, attribution_days
FROM affiliate.program \gx

-- A payments table for applications that have none, bound as number 1.
SELECT id, payments, program, payment_key, customer, amount, currency, paid_at, refunded, product, minor_units, on_delete
FROM affiliate.binding \gx

-- From nothing to a commission.
SELECT program, owner, code, status FROM affiliate_create('alice', code => 'alice');
SELECT customer, code, source FROM affiliate_attribute('user-2', code => 'alice');
INSERT INTO affiliate.payment (customer, amount) VALUES ('user-2', 20);
SELECT * FROM affiliate_stats('alice') \gx

-- A database that is new, and one that has history, is healthy.
SELECT sum(violations) AS violations FROM affiliate_verify();

-- Not relocatable: functions know the schemas of each other.
\set VERBOSITY sqlstate
ALTER EXTENSION affiliate SET SCHEMA pg_catalog;

-- Not trusted yet: the owner of a database can't install it.
CREATE ROLE regress_install_owner;
CREATE DATABASE regress_install_again OWNER regress_install_owner;
\c regress_install_again
SET ROLE regress_install_owner;
CREATE EXTENSION affiliate;
RESET ROLE;

-- A schema "affiliate" that somebody else made is not taken over.
CREATE SCHEMA affiliate;
CREATE EXTENSION affiliate;
\set VERBOSITY verbose
DROP SCHEMA affiliate;

-- Into a schema of its own.
CREATE SCHEMA partners;
CREATE EXTENSION affiliate SCHEMA partners;
SELECT code FROM partners.affiliate_create(7, code => 'seven');
SELECT partners.affiliate_link('SEVEN');
SELECT sum(violations) AS violations FROM partners.affiliate_verify();
SELECT nspname FROM pg_namespace n WHERE EXISTS (
    SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname LIKE 'affiliate\_%') ORDER BY nspname;

-- Without entries it can be dropped, and created again in the same session.
DROP EXTENSION affiliate;
SELECT to_regnamespace('affiliate') IS NULL AS is_gone;
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('bob', code => 'bob');
SELECT customer FROM affiliate_attribute(1, code => 'bob');
INSERT INTO affiliate.payment (customer, amount) VALUES ('1', 100);
SELECT code, total_users_referred, total_money_spent, total_commission FROM affiliate_stats();

\c postgres
DROP DATABASE regress_install_again;
DROP ROLE regress_install_owner;
