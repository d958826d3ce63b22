-- Who may do what: nothing is granted to PUBLIC; affiliate_grant() gives one of four kinds of access.
CREATE DATABASE regress_privileges;
\c regress_privileges
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE ROLE regress_app;
CREATE ROLE regress_reader;
CREATE ROLE regress_operator;
CREATE ROLE regress_admin;
CREATE ROLE "Regress Payer";
CREATE ROLE regress_stranger;
GRANT CREATE ON SCHEMA public TO regress_stranger;
CREATE TABLE payments (id bigserial PRIMARY KEY, customer text NOT NULL, amount numeric NOT NULL, paid_at date);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
GRANT INSERT ON payments TO "Regress Payer", regress_app;
GRANT USAGE ON SEQUENCE payments_id_seq TO "Regress Payer", regress_app;

SELECT affiliate_grant('regress_app', 'app');
SELECT affiliate_grant('regress_reader', access => 'reader');
SELECT affiliate_grant(role => 'regress_operator', access => 'operator');
SELECT affiliate_grant('regress_admin', 'admin');
-- once more does no harm
SELECT affiliate_grant('regress_app', 'app');
-- bad input
SELECT affiliate_grant('regress_app', 'owner');
SELECT affiliate_grant('regress_app', '');
SELECT affiliate_grant('regress_app', NULL);
SELECT affiliate_grant(NULL, 'app');
\set VERBOSITY sqlstate
SELECT affiliate_grant('regress_nobody', 'app');
SELECT affiliate_grant(99999999::regrole, 'app');
\set VERBOSITY verbose

-- Every function of the extension, and who may call it.
SELECT CASE WHEN n.nspname = 'affiliate' THEN 'affiliate.' ELSE '' END || p.proname COLLATE "C" AS call,
    max('x') FILTER (WHERE has_function_privilege('regress_app', p.oid, 'EXECUTE')) AS app,
    max('x') FILTER (WHERE has_function_privilege('regress_reader', p.oid, 'EXECUTE')) AS reader,
    max('x') FILTER (WHERE has_function_privilege('regress_operator', p.oid, 'EXECUTE')) AS operator,
    max('x') FILTER (WHERE has_function_privilege('regress_admin', p.oid, 'EXECUTE')) AS admin,
    max('x') FILTER (WHERE has_function_privilege('regress_stranger', p.oid, 'EXECUTE')) AS stranger
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'affiliate'
GROUP BY 1 ORDER BY 1;

-- Every table and view: readers and operators may read, nobody may write.
SELECT r.rolname, string_agg(DISTINCT k.kind, ', ') AS may
FROM pg_class c, pg_roles r, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS k (kind)
WHERE c.relnamespace = 'affiliate'::regnamespace AND c.relkind IN ('r', 'v') AND r.rolname ~* '^regress'
    AND has_table_privilege(r.oid, c.oid, k.kind)
GROUP BY r.rolname ORDER BY r.rolname;
SELECT r.rolname, count(*) AS tables_it_can_read FROM pg_class c, pg_roles r
WHERE c.relnamespace = 'affiliate'::regnamespace AND c.relkind IN ('r', 'v') AND r.rolname ~* '^regress'
    AND has_table_privilege(r.oid, c.oid, 'SELECT')
GROUP BY r.rolname HAVING count(*) <> (SELECT count(*) FROM pg_class WHERE relnamespace = 'affiliate'::regnamespace AND relkind IN ('r', 'v'));
SELECT count(*) AS sequences_anybody_can_use FROM pg_class c, pg_roles r
WHERE c.relnamespace = 'affiliate'::regnamespace AND c.relkind = 'S' AND r.rolname ~* '^regress' AND has_sequence_privilege(r.oid, c.oid, 'USAGE, SELECT, UPDATE');

-- The application enrolls, attributes, inserts payments, shows figures; it neither reads tables nor pays.
SET ROLE regress_app;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT affiliate_add_code('alice', new_code => 'spring');
SELECT affiliate_deactivate_code('spring');
SELECT affiliate_link('alice');
SELECT length(affiliate_generate_code());
SELECT affiliate_track_click('alice', 'browser-1');
SELECT customer, code FROM affiliate_attribute('bob', visitor => 'browser-1');
SELECT customer, code FROM affiliate_attribute('carol', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments (customer, amount, paid_at) VALUES ('carol', 200, '2024-02-01');
SELECT total_users_referred, total_commission FROM affiliate_stats('alice');
SELECT count(*) FROM affiliate_payouts('alice');
\set VERBOSITY sqlstate
SELECT * FROM affiliate.commission;
SELECT * FROM affiliate.referral;
INSERT INTO affiliate.payment (customer, amount) VALUES ('bob', 1e6);
SELECT * FROM affiliate_verify();
CALL affiliate_run_payouts();
SELECT affiliate_set_payout_status(1, 'paid');
SELECT affiliate_set_status('alice', 'active');
SELECT affiliate_set_program('default', rate => 1);
SELECT affiliate_set_payout_threshold('default', 'USD', 0);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount');
SELECT affiliate_detach('payments');
SELECT affiliate_grant('regress_app', 'operator');
SELECT affiliate_schedule_payouts();
SELECT affiliate_maintain();
\set VERBOSITY verbose
RESET ROLE;

-- A role with nothing but INSERT on the payments table: its payments earn all the same.
SET ROLE "Regress Payer";
INSERT INTO payments (customer, amount, paid_at) VALUES ('carol', 100, '2024-02-02');
COPY payments (customer, amount, paid_at) FROM stdin;
carol	100	2024-02-03
eve	100	2024-02-03
\.
\set VERBOSITY sqlstate
SELECT * FROM affiliate_stats('alice');
SELECT * FROM payments;
\set VERBOSITY verbose
RESET ROLE;

-- A reader sees figures, entries, payouts and proof, and changes nothing.
SET ROLE regress_reader;
SELECT code, total_commission FROM affiliate_stats();
SELECT payment_key, amount FROM affiliate.commission ORDER BY payment_key;
SELECT count(*) FROM affiliate.quarantine;
SELECT count(*) > 0 AS has_rows FROM affiliate.binding_health;
SELECT sum(violations) AS violations FROM affiliate_verify();
SELECT affiliate_link('alice');
SELECT count(*) FROM affiliate_payouts('alice');
\set VERBOSITY sqlstate
SELECT affiliate_create('mallory', code => 'mallory');
SELECT affiliate_attribute('eve', code => 'alice');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT affiliate.payout_batch('default', '2024-02-29', 0);
UPDATE affiliate.program SET rate = 1;
\set VERBOSITY verbose
RESET ROLE;

-- An operator reads all that, runs payouts, moves them on, suspends.
SET ROLE regress_operator;
SELECT sum(violations) AS violations FROM affiliate_verify();
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT payout_id, amount, status FROM affiliate_payouts('alice');
SELECT status FROM affiliate_set_payout_status(1, 'paid', external_reference => 'WISE-1');
SELECT status FROM affiliate_set_status('alice', 'suspended');
SELECT affiliate_maintain() > 0 AS folded;
SELECT count(*) FROM affiliate.payout_entry;
\set VERBOSITY sqlstate
SELECT affiliate_create('mallory', code => 'mallory');
SELECT affiliate_set_program('default', rate => 1);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount');
SELECT affiliate_grant('regress_operator', 'app');
UPDATE affiliate.payout SET amount = 1e6;
INSERT INTO affiliate.payout_entry VALUES (1, 1, 1, true, '1');
\set VERBOSITY verbose
RESET ROLE;

-- Forgeries. The trigger function on a table of one's own: EXECUTE is needed for that, and nobody has it.
SET ROLE regress_stranger;
CREATE TABLE forged (id bigint PRIMARY KEY, customer text, amount numeric, paid_at date);
\set VERBOSITY sqlstate
CREATE TRIGGER forge AFTER INSERT ON forged REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments();
\set VERBOSITY verbose
RESET ROLE;
GRANT USAGE ON SCHEMA affiliate TO regress_stranger;
SET ROLE regress_stranger;
\set VERBOSITY sqlstate
CREATE TRIGGER forge AFTER INSERT ON forged REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments();
SELECT affiliate.post_payments();
SELECT affiliate.commission_target(1, 1, 'USD');
INSERT INTO affiliate.commission SELECT * FROM affiliate.commission;
DELETE FROM affiliate.commission;
INSERT INTO affiliate.binding (payments) VALUES ('forged');
INSERT INTO affiliate.referral (customer) VALUES ('mallory');
SELECT nextval('affiliate.epoch');
SELECT affiliate_stats('alice');
DROP TRIGGER zzz_affiliate_insert ON payments;
ALTER TABLE payments DISABLE TRIGGER ALL;
CREATE TABLE affiliate.mine ();
ALTER EXTENSION affiliate ADD TABLE forged;
\set VERBOSITY verbose
RESET ROLE;
-- even with the function at hand: on a table that is not bound it posts nothing
CREATE TRIGGER forge AFTER INSERT ON forged REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments();
SET ROLE regress_stranger;
INSERT INTO forged VALUES (1, 'carol', 1000000, '2024-02-01');
RESET ROLE;
DROP TRIGGER forge ON forged;
-- nor does a trigger function work without a trigger
\set VERBOSITY sqlstate
SELECT affiliate.post_payments();
SELECT affiliate.refuse_truncate();
\set VERBOSITY verbose

-- A table that takes the name of the bound one is not bound: bindings follow the table, not its name.
ALTER TABLE payments RENAME TO real_payments;
ALTER TABLE forged RENAME TO payments;
SET ROLE regress_stranger;
INSERT INTO payments VALUES (2, 'carol', 1000000, '2024-02-01');
RESET ROLE;
SELECT code, total_money_spent, total_commission FROM affiliate_stats('alice');
SELECT sum(violations) AS violations FROM affiliate_verify();

-- Objects of one's own in front of the search path, or in pg_temp, are not what runs with the owner's rights.
GRANT CREATE ON DATABASE regress_privileges TO regress_stranger;
GRANT INSERT ON real_payments TO regress_stranger;
GRANT USAGE ON SEQUENCE payments_id_seq TO regress_stranger;
SET ROLE regress_stranger;
CREATE SCHEMA evil;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'run as %', current_user; END $$;
CREATE FUNCTION evil.equals(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'run as %', current_user; END $$;
CREATE OPERATOR evil.= (FUNCTION = evil.equals, LEFTARG = text, RIGHTARG = text);
CREATE TEMPORARY TABLE referral (id bigint, program text, customer text, affiliate_id int, attributed_at timestamptz);
CREATE TEMPORARY TABLE pg_class (oid oid);
SET search_path = evil, pg_temp, pg_catalog, public;
INSERT INTO public.real_payments (customer, amount, paid_at) VALUES ('carol', 10, '2024-02-04');
RESET search_path;
RESET ROLE;
SELECT code, total_money_spent, total_commission FROM affiliate_stats('alice');

-- Access can be taken away again, and roles dropped.
\c regress_privileges
DROP OWNED BY regress_app, regress_reader, regress_operator, regress_admin, "Regress Payer", regress_stranger;
DROP ROLE regress_app, regress_reader, regress_operator, regress_admin, "Regress Payer", regress_stranger;
