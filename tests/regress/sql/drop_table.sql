-- DROP TABLE of a bound table: the ledger stays and goes on being paid; health and verify say so until it is detached.
CREATE DATABASE regress_drop_table;
\c regress_drop_table
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off; -- binding_health is looked at often
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE VIEW ledger AS
SELECT b.table_name, c.payment_key AS key, c.seq, c.base, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;
CREATE VIEW health AS SELECT DISTINCT table_name, detached_at IS NOT NULL AS detached, problem FROM affiliate.binding_health WHERE binding_id > 1;
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO payments VALUES (1, 'bob', 200), (2, 'bob', 20), (3, 'bob', -1);
SELECT affiliate_record_refund('payments', 2, 'refund-2', 5), affiliate_record_refund('payments', 99, 'refund-99', 5);
SELECT * FROM health;

-- Rolled back, nothing has happened; in the same transaction all of it can be seen.
BEGIN;
DROP TABLE payments;
SELECT * FROM health;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;
ROLLBACK;
INSERT INTO payments VALUES (4, 'bob', 40);
SELECT * FROM health;

DROP TABLE payments;
SELECT * FROM health;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
-- nothing to repair, nothing in the way of what repairs others
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (1, 'bob', 10, '2024-02-01');
SELECT * FROM affiliate_reconcile();
SELECT affiliate_maintain() > 0 AS folded;
-- what it has earned is paid
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT currency, amount, entries, status FROM affiliate_payouts('alice');
SELECT o.status FROM affiliate_set_payout_status(1, 'paid') o;

-- A new table of the same name is another one: not bound, and bound under a number of its own.
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
INSERT INTO payments VALUES (1, 'bob', 100);
SELECT count(*) FROM affiliate.commission WHERE binding_id > 2;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO payments VALUES (2, 'bob', 100);
SELECT binding_id, payment_key, seq, amount FROM affiliate.commission ORDER BY binding_id, payment_key, seq;
SELECT * FROM affiliate_reconcile();
SELECT binding_id, table_name, problem FROM affiliate.binding_health WHERE problem IS NOT NULL;

-- The table that is gone can still be detached, by the name it had: then it is history.
SELECT affiliate_detach(dropped => 'public.payments');
SELECT affiliate_detach(dropped => 'public.payments');
SELECT affiliate_detach(dropped => 'payments');
SELECT affiliate_detach();
SELECT detached_at IS NOT NULL AS detached, problem FROM affiliate.binding_health WHERE binding_id = 2;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT payment_key, reason FROM affiliate.quarantine WHERE resolved_at IS NULL;

-- Detached before it is dropped, there is nothing to say at all.
CREATE TABLE briefly (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('briefly', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO briefly VALUES (1, 'bob', 10);
SELECT affiliate_detach('briefly');
DROP TABLE briefly;
SELECT key, amount FROM ledger WHERE table_name = 'public.briefly';

-- A schema with everything in it; a partitioned table, or one partition of it.
CREATE SCHEMA shop;
CREATE TABLE shop.payments (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('shop.payments', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO shop.payments VALUES (1, 'bob', 10);
SET client_min_messages = warning;
DROP SCHEMA shop CASCADE;
RESET client_min_messages;
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO parts VALUES (1, 'bob', 10), (101, 'bob', 20);
DROP TABLE parts_2;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
DROP TABLE parts;
SELECT key, sum(amount) FROM ledger WHERE table_name IN ('shop.payments', 'public.parts') GROUP BY table_name, key ORDER BY table_name, key;
SELECT * FROM health WHERE problem IS NOT NULL ORDER BY table_name;
SELECT affiliate_detach(dropped => name) FROM unnest('{shop.payments,public.parts}'::text[]) AS name;
SELECT * FROM health WHERE problem IS NOT NULL ORDER BY table_name;

-- A table of refunds that is dropped: what it has taken back stays taken back; verify says that it is gone.
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO refunds VALUES (1, 2, 30);
SELECT key, seq, base, amount FROM ledger WHERE table_name = 'public.payments' AND key = '2' ORDER BY seq DESC LIMIT 1;
DROP TABLE refunds;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE check_name = 'triggers_in_place';
SELECT table_name, problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
SELECT posted FROM affiliate_reconcile();
SELECT sum(amount) FROM affiliate.commission WHERE binding_id = 3 AND payment_key = '2';
SELECT affiliate_detach(dropped => 'public.refunds');
SELECT * FROM affiliate_reconcile();
SELECT sum(amount) FROM affiliate.commission WHERE binding_id = 3 AND payment_key = '2';

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT currency, total_conversions, total_money_spent, total_commission, total_payout_amount, paid_amount FROM affiliate_stats('alice');

-- Its number is forgotten with the table, whoever drops it and whatever takes it along: it may become another table's.
SELECT id, payments, table_name FROM affiliate.binding WHERE id > 1 AND payments IS NULL ORDER BY id;
SELECT refunds, table_name FROM affiliate.refunds_binding;
CREATE ROLE regress_host;
CREATE SCHEMA host AUTHORIZATION regress_host;
SET ROLE regress_host;
CREATE FUNCTION host.part_of(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x';
CREATE TYPE host.row AS (id int, customer text, amount numeric);
CREATE TABLE host.a (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE host.b OF host.row (PRIMARY KEY (id));
CREATE TABLE host.c (id int, customer text, amount numeric) PARTITION BY LIST (host.part_of(id));
CREATE TABLE host.d (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE host.e (id int PRIMARY KEY, payment int, amount numeric);
RESET ROLE;
CREATE TABLE of_superuser (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments(t::regclass, customer => 'customer', amount => 'amount') > 0 AS attached
    FROM unnest('{host.a,host.b,host.d,of_superuser}'::text[]) AS t;
SELECT affiliate_attach_refunds('host.e', payments => 'of_superuser', payment_key => 'payment', refund_key => 'id', amount => 'amount');
SET session_replication_role = replica;
SET ROLE regress_host;
\set VERBOSITY sqlstate
SET client_min_messages = error;
DROP TABLE host.a;
DROP TYPE host.row CASCADE;
DROP OWNED BY CURRENT_USER CASCADE;
RESET client_min_messages;
\set VERBOSITY verbose
RESET ROLE;
RESET session_replication_role;
SELECT table_name, payments, affiliate.living_table(table_oid, table_oid, table_name) IS NOT NULL AS lives FROM affiliate.binding WHERE table_name ~ '^host' OR table_name ~ 'superuser' ORDER BY table_name;
SELECT table_name, refunds FROM affiliate.refunds_binding ORDER BY table_name;
DROP ROLE regress_host;

-- Where event triggers are switched off, affiliate_maintain() finds it; health says it at once.
ALTER EVENT TRIGGER affiliate_forget_dropped_tables DISABLE;
DROP TABLE of_superuser;
ALTER EVENT TRIGGER affiliate_forget_dropped_tables ENABLE ALWAYS;
SELECT payments IS NULL AS forgotten FROM affiliate.binding WHERE table_name = 'public.of_superuser';
SELECT * FROM health WHERE table_name = 'public.of_superuser';
SELECT affiliate_maintain() >= 0 AS maintained;
SELECT payments IS NULL AS forgotten FROM affiliate.binding WHERE table_name = 'public.of_superuser';
SELECT * FROM health WHERE table_name = 'public.of_superuser';
