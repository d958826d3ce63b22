-- What the owner of one bound table has done to it keeps neither the others nor the proof waiting, and runs as he.
CREATE DATABASE regress_unreadable_tables;
\c regress_unreadable_tables
SET client_min_messages = warning;
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('maya', code => 'maya');
SELECT customer FROM affiliate_attribute('bob', code => 'maya', attributed_at => '2024-01-01');
CREATE ROLE regress_host;
CREATE SCHEMA host AUTHORIZATION regress_host;
CREATE TABLE public.others (id int PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
SET ROLE regress_host;
CREATE TABLE host.payments (id int PRIMARY KEY, customer text, amount numeric, paid_at timestamptz DEFAULT '2024-02-01');
CREATE TABLE host.ran (who text);
CREATE TABLE host.fails (why text);
CREATE FUNCTION host.note(who text) RETURNS void LANGUAGE sql AS 'INSERT INTO host.ran VALUES (who)';
-- it says that it is immutable, and is not
CREATE FUNCTION host.spy(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
    reason text;
BEGIN
    PERFORM host.note(current_user::text);
    SELECT why INTO reason FROM host.fails;
    IF FOUND THEN RAISE EXCEPTION USING MESSAGE = reason; END IF;
    PERFORM set_config('search_path', 'host', false);
    RETURN $1;
END $$;
RESET ROLE;
SELECT affiliate_attach_payments('host.payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound,
    affiliate_attach_payments('others', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 0 AS bound;
INSERT INTO host.payments VALUES (1, 'bob', 100), (2, 'bob', 100);
INSERT INTO others VALUES (1, 'bob', 100);
-- the planner evaluates the condition of an index, and an update of the row its expression
SET ROLE regress_host;
CREATE INDEX ON host.payments (amount) WHERE host.spy(1) = id;
RESET ROLE;
TRUNCATE host.ran;
SELECT sum(violations) AS violations FROM affiliate_verify();
SELECT * FROM affiliate_reconcile();
SELECT affiliate_explain('host.payments', 1) #>> '{commission,target}' AS target;
SELECT * FROM affiliate_backfill('host.payments');
SELECT affiliate_maintain() > 0 AS folded;
SELECT sum(unposted + wrong_sum + without_payment) AS differ FROM affiliate.unposted;
SELECT who, count(*) > 0 AS ran FROM host.ran GROUP BY who;
SHOW search_path;
-- behind the triggers' back both tables get a payment, and that of the host can't be read any more
SET session_replication_role = replica;
INSERT INTO host.payments VALUES (3, 'bob', 100);
INSERT INTO others VALUES (2, 'bob', 100);
RESET session_replication_role;
SELECT affiliate_record_refund('host.payments', 4, 'early', 10);
SET ROLE regress_host;
INSERT INTO host.fails VALUES ('nobody may look');
ALTER INDEX host.payments_amount_idx SET (fillfactor = 90); -- every session evaluates the condition again
RESET ROLE;
\set VERBOSITY default
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT affiliate_maintain() > 0 AS folded;
SELECT sum(amount) FROM affiliate.commission WHERE binding_id = (SELECT id FROM affiliate.binding WHERE payments = 'others'::regclass);
\set VERBOSITY sqlstate
SELECT * FROM affiliate_backfill('host.payments');
\set VERBOSITY verbose
TRUNCATE host.fails;
ALTER INDEX host.payments_amount_idx RESET (fillfactor);
SELECT * FROM affiliate_reconcile();
SELECT sum(violations) AS violations FROM affiliate_verify();

-- A right that the owner takes from himself, and one table more in the place of the bound one.
REVOKE ALL ON host.payments FROM regress_host;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
GRANT ALL ON host.payments TO regress_host;
ALTER TABLE host.payments RENAME TO payments_then;
CREATE VIEW host.payments AS SELECT 9 AS id, 'bob' AS customer, 1000000.0 AS amount, now() AS paid_at;
SELECT * FROM affiliate_reconcile();
SELECT sum(violations) AS violations FROM affiliate_verify();
\c postgres
DROP DATABASE regress_unreadable_tables;
DROP ROLE regress_host;
