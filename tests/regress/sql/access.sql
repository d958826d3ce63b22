-- An admin attaches and detaches his own tables without being superuser; access is taken back.
CREATE DATABASE regress_access;
\c regress_access
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE SCHEMA api;
CREATE EXTENSION affiliate SCHEMA api;
SET search_path = public, api;
CREATE ROLE regress_admin;
CREATE ROLE regress_owners;
CREATE ROLE "Regress Other";
GRANT regress_owners TO regress_admin;
GRANT CREATE, USAGE ON SCHEMA public TO regress_admin, regress_owners, "Regress Other";
CREATE TABLE foreign_table (id int PRIMARY KEY, customer text, amount numeric);
ALTER TABLE foreign_table OWNER TO "Regress Other";
CREATE TABLE attached (id int PRIMARY KEY, customer text, amount numeric);
ALTER TABLE attached OWNER TO "Regress Other";
CREATE TABLE shared (id int PRIMARY KEY, customer text, amount numeric);
ALTER TABLE shared OWNER TO regress_owners;
-- the right to make triggers on a table is not enough
GRANT ALL ON foreign_table, attached TO regress_admin;
SELECT affiliate_attach_payments('attached', customer => 'customer', amount => 'amount') AS binding;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
SELECT has_schema_privilege('regress_admin', 'api', 'USAGE') AS may_use;
SELECT affiliate_grant('regress_admin', 'admin');
SELECT affiliate_grant('regress_admin', 'admin');
SELECT has_schema_privilege('regress_admin', 'api', 'USAGE') AS may_use;

SET ROLE regress_admin;
CREATE TABLE mine (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE mine_refunds (id int PRIMARY KEY, payment int, amount numeric);
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
SELECT affiliate_attach_payments('mine', customer => 'customer', amount => 'amount', paid_when => 'amount < 1000') AS binding;
SELECT affiliate_attach_refunds('mine_refunds', payments => 'mine', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') AS binding;
SELECT affiliate_attach_payments('shared', customer => 'customer', amount => 'amount', replica => true) AS binding;
INSERT INTO mine VALUES (1, 'bob', 100), (2, 'bob', 2000);
INSERT INTO mine_refunds VALUES (1, 1, 50);
INSERT INTO parts VALUES (1, 'bob', 10);
INSERT INTO shared VALUES (1, 'bob', 10);
SELECT binding_id, payment_key, amount FROM affiliate.commission ORDER BY binding_id, seq;
SELECT sum(violations) AS violations FROM affiliate_verify();
-- nobody keeps the right to put our triggers on tables, but for that of payments the owner of a partitioned one, who adds partitions
SELECT p.proname, has_function_privilege(p.oid, 'EXECUTE') AS may, p.proacl::text ~ 'regress' AS is_left
FROM pg_proc p WHERE p.pronamespace = 'affiliate'::regnamespace AND p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) ORDER BY 1;
CREATE TRIGGER forged AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_refunds();
BEGIN;
SAVEPOINT s;
CREATE TABLE again (id int PRIMARY KEY, customer text, amount numeric);
ALTER TABLE again ADD CONSTRAINT positive CHECK (amount > 0);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
-- our triggers can't be made: what was lent goes back with the rest
CREATE TRIGGER zzz_affiliate_truncate BEFORE TRUNCATE ON again EXECUTE FUNCTION nothing();
SELECT affiliate_attach_payments('again', customer => 'customer', amount => 'amount') AS binding;
ROLLBACK TO s;
CREATE TABLE again (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('again', customer => 'customer', amount => 'amount') AS binding;
CREATE TRIGGER forged AFTER INSERT ON mine REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_refunds();
ROLLBACK;
-- tables of others are not his: neither to attach nor to detach, nor is what is gone
SELECT affiliate_attach_payments('foreign_table', customer => 'customer', amount => 'amount');
SELECT affiliate_detach('attached');
SELECT affiliate_attach_refunds('mine_refunds', payments => 'attached', payment_key => 'payment', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_refunds('foreign_table', payments => 'shared', payment_key => 'id', refund_key => 'id', amount => 'amount');
SELECT affiliate_attach_payments('affiliate.payment', customer => 'customer', amount => 'amount');
SELECT affiliate_detach('affiliate.payment');
SELECT affiliate_attach_payments('affiliate.affiliate', customer => 'owner', amount => 'id');
SELECT affiliate_attach_payments('pg_class', customer => 'relname', amount => 'relpages');
RESET ROLE;
DROP TABLE attached;
SET ROLE regress_admin;
\set VERBOSITY sqlstate
SELECT affiliate_detach(dropped => 'public.attached');
SELECT affiliate_detach(4294967295::regclass);
\set VERBOSITY verbose
-- programs, thresholds, what keeps the ledger going; but what was earned is not his to pay
SELECT name, rate FROM affiliate_set_program('default', rate => 0.25);
SELECT * FROM affiliate_set_payout_threshold('default', 'EUR', 20);
SELECT * FROM affiliate_set_payout_threshold('default', 'EUR', NULL);
SELECT affiliate_set_payout_threshold('default', 'EUR', NULL) IS NULL AS nothing;
SELECT affiliate_pause('parts', 'migration') IS NOT NULL AS paused;
SELECT * FROM affiliate_resume('parts');
SELECT * FROM affiliate_backfill('mine');
CALL affiliate_run_payouts();
\set VERBOSITY sqlstate
SELECT affiliate_schedule_payouts();
SELECT affiliate_set_payout_status(1, 'paid');
SELECT affiliate_set_status('alice', 'closed');
SELECT affiliate_create('mallory');
SELECT affiliate_grant('regress_admin', 'operator');
SELECT affiliate_revoke('regress_admin', 'admin');
SELECT affiliate_set_owner('regress_admin');
UPDATE affiliate.binding SET program = 'default';
INSERT INTO affiliate.program SELECT * FROM affiliate.program;
\set VERBOSITY verbose
SELECT affiliate_detach('mine_refunds');
SELECT affiliate_detach('mine');
SELECT affiliate_detach('parts');
SELECT affiliate_detach('shared');
SELECT count(*) AS triggers FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.pronamespace = 'affiliate'::regnamespace AND t.tgrelid::regclass::text IN ('mine', 'mine_refunds', 'parts', 'parts_1', 'shared');
RESET ROLE;
SELECT affiliate_detach(dropped => 'public.attached');

-- Access is taken back, but for what another access gives.
CREATE VIEW has AS
SELECT r.rolname, count(*) FILTER (WHERE has_function_privilege(r.oid, p.oid, 'EXECUTE')) AS functions,
    (SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'affiliate'::regnamespace AND has_table_privilege(r.oid, c.oid, 'SELECT')) > 0 AS tables,
    has_schema_privilege(r.oid, 'affiliate', 'USAGE') AS schema, has_schema_privilege(r.oid, 'api', 'USAGE') AS api
FROM pg_roles r, pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'affiliate'
WHERE r.rolname ~ '^regress_(app|reader|operator|admin|all|both)$' GROUP BY r.oid, r.rolname;
CREATE ROLE regress_app; CREATE ROLE regress_reader; CREATE ROLE regress_operator; CREATE ROLE regress_all; CREATE ROLE regress_both;
SELECT role, access, affiliate_grant(role::regrole, access) FROM (VALUES
    ('regress_app', 'app'), ('regress_reader', 'reader'), ('regress_operator', 'operator'), ('regress_all', 'app'), ('regress_all', 'reader'),
    ('regress_all', 'operator'), ('regress_all', 'admin'), ('regress_both', 'reader'), ('regress_both', 'operator')) g (role, access);
SELECT * FROM has ORDER BY rolname COLLATE "C";
CREATE TEMP TABLE before AS SELECT * FROM has;
-- one by one: what is left is what is left of the others
SELECT affiliate_revoke('regress_both', 'operator');
SELECT (SELECT array_agg(p.oid ORDER BY p.oid) FROM pg_proc p WHERE has_function_privilege('regress_both', p.oid, 'EXECUTE'))
    = (SELECT array_agg(p.oid ORDER BY p.oid) FROM pg_proc p WHERE has_function_privilege('regress_reader', p.oid, 'EXECUTE')) AS as_reader;
SELECT affiliate_grant('regress_both', 'operator');
SELECT affiliate_revoke('regress_both', 'reader');
SELECT (SELECT array_agg(p.oid ORDER BY p.oid) FROM pg_proc p WHERE has_function_privilege('regress_both', p.oid, 'EXECUTE'))
    = (SELECT array_agg(p.oid ORDER BY p.oid) FROM pg_proc p WHERE has_function_privilege('regress_operator', p.oid, 'EXECUTE')) AS as_operator;
SELECT affiliate_revoke('regress_all', 'admin'), affiliate_revoke('regress_all', 'reader'), affiliate_revoke('regress_all', 'operator');
SELECT (SELECT array_agg(p.oid ORDER BY p.oid) FROM pg_proc p WHERE has_function_privilege('regress_all', p.oid, 'EXECUTE'))
    = (SELECT array_agg(p.oid ORDER BY p.oid) FROM pg_proc p WHERE has_function_privilege('regress_app', p.oid, 'EXECUTE')) AS as_app;
SELECT * FROM has WHERE rolname IN ('regress_all', 'regress_both') ORDER BY rolname COLLATE "C";
-- what it does not have can't be taken
SELECT affiliate_revoke('regress_all', 'admin'), affiliate_revoke('regress_app', 'reader'), affiliate_revoke('regress_operator', 'reader');
SELECT affiliate_revoke('"Regress Other"');
SELECT affiliate_revoke('regress_all', 'owner');
SELECT affiliate_revoke('regress_all', '');
SELECT affiliate_revoke(NULL);
SELECT count(*) AS same FROM has JOIN before USING (rolname, functions, tables, schema, api) WHERE rolname IN ('regress_app', 'regress_operator', 'regress_reader');
-- a right of its own in the schema keeps the schema, something else in the other one keeps that
GRANT INSERT ON affiliate.payment TO regress_operator;
SELECT affiliate_revoke('regress_operator');
SELECT affiliate_revoke('regress_operator');
SELECT affiliate_revoke('regress_reader');
CREATE TABLE api.of_the_host ();
SELECT affiliate_revoke('regress_app');
SELECT * FROM has ORDER BY rolname COLLATE "C";
-- what nothing is left of can be dropped
SELECT affiliate_revoke('regress_all'), affiliate_revoke('regress_both'), affiliate_revoke('regress_admin');
DROP TABLE api.of_the_host;
DROP ROLE regress_reader;
-- the owner of the ledger has no access that could be taken
CREATE ROLE regress_ledger;
SELECT affiliate_set_owner('regress_ledger') > 0 AS handed_over;
SELECT affiliate_revoke('regress_ledger');
SELECT affiliate_grant('regress_admin', 'admin');
SET ROLE regress_admin;
SELECT affiliate_attach_payments('mine', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO mine VALUES (3, 'bob', 10);
SELECT name, rate FROM affiliate_set_program('default', rate => 0.3);
RESET ROLE;
SELECT * FROM affiliate.binding_health WHERE problem IS NOT NULL;
SELECT affiliate_set_owner(current_user::regrole) > 0 AS taken_back;

SET affiliate.allow_drop = on;
DROP EXTENSION affiliate CASCADE;
DROP OWNED BY regress_admin, regress_owners, "Regress Other", regress_app, regress_operator, regress_all, regress_both, regress_ledger CASCADE;
DROP ROLE regress_admin, regress_owners, "Regress Other", regress_app, regress_operator, regress_all, regress_both, regress_ledger;
