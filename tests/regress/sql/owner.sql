-- The ledger handed over to a role that can do nothing else, and what its owner needs.
CREATE DATABASE regress_owner;
\c regress_owner
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
SET jit = off; -- binding_health is looked at often
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE ROLE regress_ledger;
CREATE ROLE regress_app;
CREATE ROLE regress_operator;
CREATE ROLE regress_cashier;
SELECT affiliate_grant('regress_app', 'app'), affiliate_grant('regress_operator', 'operator');

-- Nobody may become that role, and it has rights on nothing but the ledger.
CREATE ROLE regress_login LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS;
CREATE ROLE regress_group;
GRANT regress_group TO regress_login;
SELECT affiliate_set_owner(NULL);
SELECT affiliate_set_owner('-');
\set VERBOSITY sqlstate
SELECT affiliate_set_owner('regress_nobody');
\set VERBOSITY verbose
SELECT affiliate_set_owner('regress_login');
SELECT affiliate_set_owner('regress_group');
SELECT affiliate_set_owner('pg_read_all_data');
CREATE ROLE regress_super SUPERUSER;
SELECT affiliate_set_owner('regress_super');
CREATE TABLE mine ();
ALTER TABLE mine OWNER TO regress_ledger;
SELECT affiliate_set_owner('regress_ledger');
DROP TABLE mine;
GRANT EXECUTE ON FUNCTION affiliate_set_owner TO regress_operator;
SET ROLE regress_operator;
SELECT affiliate_set_owner('regress_ledger');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION affiliate_set_owner FROM regress_operator;
SELECT count(*) AS kept FROM affiliate.ledger_owner;
DROP ROLE regress_login, regress_group, regress_super;

-- What is stored and what runs with its owner's rights changes hands; what runs with its
-- caller's rights, which may be a superuser's, can't be replaced by the role.
SELECT owner_is_superuser FROM affiliate.operations;
SELECT affiliate_set_owner('regress_ledger') > 50 AS handed_over;
SELECT affiliate_set_owner('regress_ledger') AS handed_over;
SELECT role FROM affiliate.ledger_owner;
SELECT owner_is_superuser, binding_problems FROM affiliate.operations;
CREATE VIEW members AS
SELECT d.classid, d.objid, i.type FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid,
    LATERAL pg_identify_object(d.classid, d.objid, 0) i
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'affiliate';
SELECT m.type, c.relowner::regrole, count(*) > 0 AS has_any FROM members m JOIN pg_class c ON c.oid = m.objid
WHERE m.classid = 'pg_class'::regclass GROUP BY m.type, c.relowner ORDER BY m.type;
SELECT p.prosecdef AS definer, p.proowner::regrole, count(*) > 0 AS has_any FROM members m JOIN pg_proc p ON p.oid = m.objid
WHERE m.classid = 'pg_proc'::regclass GROUP BY p.prosecdef, p.proowner ORDER BY p.prosecdef;
SELECT evtname, evtowner::regrole FROM pg_event_trigger;
SET ROLE regress_ledger;
\set VERBOSITY sqlstate
CREATE OR REPLACE FUNCTION affiliate.post_payments() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION affiliate.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
\set VERBOSITY verbose
RESET ROLE;

-- Every write to a table of the extension, and every entry that is posted, notes as whom it runs.
CREATE TABLE ran (relation name, role name);
GRANT INSERT ON ran TO PUBLIC;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.ran VALUES (TG_RELNAME, current_user);
    RETURN NULL;
END $$;
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'affiliate'::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION public.note()', relation);
    END LOOP;
END $$;
-- entries are written without firing triggers: what checks, indexes and completes them runs as the owner of the ledger
CREATE FUNCTION write_down(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.ran VALUES (what, current_user);
    RETURN true;
END $$;
CREATE FUNCTION noted(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.write_down(what); END';
ALTER TABLE affiliate.commission ADD CONSTRAINT noted CHECK (public.noted('commission, its check'));
CREATE INDEX noted ON affiliate.commission (public.noted('commission, its index' || left(currency, 0)))
    WHERE public.noted('commission, its predicate' || left(currency, 0));
ALTER TABLE affiliate.commission ADD COLUMN noted boolean DEFAULT public.write_down('commission, its default');
TRUNCATE ran;
-- the payments of the own table are written by those who pay
DROP TRIGGER note ON affiliate.payment;
CREATE VIEW ran_as AS SELECT DISTINCT r.relation COLLATE "C" AS relation, r.role, p.rolsuper FROM ran r JOIN pg_roles p ON p.rolname = r.role;

-- Applications, operators and superusers call; cashiers and superusers pay.
SET ROLE regress_app;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT affiliate_add_code('alice', new_code => 'spring');
SELECT affiliate_deactivate_code('spring');
SELECT affiliate_track_click('alice', 'browser');
SELECT customer FROM affiliate_attribute('bob', visitor => 'browser');
SELECT customer FROM affiliate_attribute('carol', code => 'alice', attributed_at => '2024-01-01');
RESET ROLE;
GRANT USAGE ON SCHEMA affiliate TO regress_cashier;
GRANT SELECT, INSERT, UPDATE, DELETE ON affiliate.payment TO regress_cashier;
SET ROLE regress_cashier;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (101, 'carol', 100, '2024-02-01'), (102, 'carol', 200, '2024-02-01'), (103, 'carol', NULL, '2024-02-01');
UPDATE affiliate.payment SET refunded = 50 WHERE id = 101;
DELETE FROM affiliate.payment WHERE id = 102;
RESET ROLE;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (201, 'carol', 100, '2024-02-01'), (203, 'carol', NULL, '2024-02-01');
UPDATE affiliate.payment SET amount = 300 WHERE id IN (201, 203);
SET ROLE regress_app;
SELECT affiliate_record_refund('affiliate.payment', 201, 'dispute-1', 10, kind => 'dispute');
SELECT code, total_commission FROM affiliate_stats('alice');
RESET ROLE;
SET session_replication_role = replica;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (301, 'carol', 100, '2024-02-01');
RESET session_replication_role;
SET ROLE regress_operator;
SELECT * FROM affiliate_backfill('affiliate.payment');
SELECT * FROM affiliate_reconcile();
SELECT affiliate_maintain() > 0 AS folded;
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT status FROM affiliate_set_payout_status(1, 'failed');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT status FROM affiliate_set_payout_status(2, 'processing');
SELECT status FROM affiliate_set_payout_status(2, 'paid');
SELECT status FROM affiliate_set_payout_status(2, 'returned');
SELECT status FROM affiliate_set_status('alice', 'suspended');
SELECT status FROM affiliate_set_status('alice', 'active');
SELECT affiliate_explain('affiliate.payment', 201) -> 'commission' ->> 'target' AS target;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate.unposted;
RESET ROLE;
SELECT * FROM ran_as ORDER BY relation, role;
TRUNCATE ran;
-- the same by a superuser
SELECT code FROM affiliate_create('dave', code => 'dave');
SELECT customer FROM affiliate_attribute('erin', code => 'dave', attributed_at => '2024-01-01');
SELECT affiliate_track_click('dave', 'browser');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (401, 'erin', 1000, '2024-02-01');
SELECT affiliate_record_refund('affiliate.payment', 401, 'dispute-2', 10, kind => 'dispute');
SELECT * FROM affiliate_backfill('affiliate.payment');
SELECT * FROM affiliate_reconcile();
SELECT affiliate_maintain() > 0 AS folded;
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT status FROM affiliate_set_payout_status(3, 'processing');
SELECT status FROM affiliate_set_status('dave', 'closed');
SELECT * FROM ran_as ORDER BY relation, role;

-- Calls that only read run as the role too: without its right on a table they fail, also a superuser's.
REVOKE SELECT ON affiliate.commission, affiliate.code FROM regress_ledger;
\set VERBOSITY sqlstate
SELECT affiliate_stats('alice');
SELECT affiliate_stats();
SELECT affiliate_link('alice');
SELECT affiliate_payouts('alice');
SELECT affiliate_explain('affiliate.payment', 201);
SELECT affiliate_verify();
SELECT * FROM affiliate.unposted;
SELECT * FROM affiliate.operations;
\set VERBOSITY verbose
-- and it is said what is missing
SELECT table_name, relation, problem FROM affiliate.binding_health WHERE problem IS NOT NULL ORDER BY problem COLLATE "C";
GRANT SELECT ON affiliate.commission, affiliate.code TO regress_ledger;
SELECT count(*) AS problems FROM affiliate.binding_health WHERE problem IS NOT NULL;

-- So is whatever else an owner may lack, and functions that run as somebody else.
REVOKE USAGE ON SCHEMA affiliate FROM regress_ledger;
REVOKE INSERT, UPDATE ON affiliate.quarantine FROM regress_ledger;
REVOKE UPDATE ON SEQUENCE affiliate.epoch FROM regress_ledger;
REVOKE EXECUTE ON FUNCTION affiliate.key_types FROM regress_ledger;
ALTER FUNCTION affiliate_maintain() OWNER TO postgres;
ALTER TABLE affiliate.refund OWNER TO regress_app;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL ORDER BY problem COLLATE "C";
-- tables of others are altered and dropped all the same
CREATE TABLE of_others (id int);
ALTER TABLE of_others ALTER id TYPE bigint;
\set VERBOSITY terse
DROP TABLE of_others;
\set VERBOSITY verbose
-- handing over once more gives back whatever was taken from the owner
REVOKE EXECUTE ON FUNCTION affiliate.not_folded FROM regress_ledger;
SELECT affiliate_set_owner('regress_ledger') AS handed_over;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL ORDER BY problem COLLATE "C";
SELECT affiliate_set_owner('regress_ledger') AS handed_over;
-- the owner may use the schema of the functions, whether everybody may or not
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
REVOKE USAGE ON SCHEMA public FROM regress_ledger;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
SELECT affiliate_set_owner('regress_ledger') AS handed_over;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
GRANT USAGE ON SCHEMA public TO PUBLIC;

-- The ledger is protected as before, and the role can't be dropped from under it.
\set VERBOSITY terse
DROP EXTENSION affiliate;
DROP OWNED BY regress_ledger;
\set VERBOSITY sqlstate
DROP ROLE regress_ledger;
\set VERBOSITY verbose

-- Another role takes over; the one before keeps nothing.
CREATE ROLE regress_ledger_2;
SELECT affiliate_set_owner('regress_ledger_2') > 50 AS handed_over;
SELECT count(*) AS left_over FROM pg_shdepend WHERE refobjid = 'regress_ledger'::regrole;
UPDATE affiliate.payment SET refunded = 60 WHERE id = 101;
ALTER ROLE regress_ledger_2 RENAME TO regress_ledger_3;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
SELECT affiliate_set_owner('regress_ledger_3') AS handed_over;
SELECT problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- The owner of the extension takes it back.
SELECT affiliate_set_owner('postgres') > 50 AS handed_over;
SELECT count(*) AS left_over FROM pg_shdepend WHERE refobjid = 'regress_ledger_3'::regrole;
SELECT count(*) AS kept FROM affiliate.ledger_owner;
UPDATE affiliate.payment SET refunded = 70 WHERE id = 101;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

\c postgres
DROP DATABASE regress_owner;
DROP ROLE regress_ledger, regress_ledger_3, regress_app, regress_operator, regress_cashier;
