-- Triggers of ours on a table that is not bound, as a dump of the schema alone leaves them: payments go
-- through and earn nothing, health lists the triggers, attaching replaces them and detaching drops them.
CREATE DATABASE regress_unbound_triggers;
\c regress_unbound_triggers
SET timezone = 'UTC';
SET jit = off; -- binding_health is looked at often
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE VIEW strays AS
SELECT payments, table_name, relation, trigger_name, trigger_state, problem FROM affiliate.binding_health WHERE binding_id IS NULL;

CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
CREATE TABLE parts_21 PARTITION OF parts_2 FOR VALUES FROM (100) TO (200);
-- what a dump of the schema says
CREATE TRIGGER zzz_affiliate_insert AFTER INSERT ON payments REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments();
CREATE TRIGGER zzz_affiliate_update AFTER UPDATE ON payments REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments();
CREATE TRIGGER zzz_affiliate_delete AFTER DELETE ON payments REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments();
CREATE TRIGGER zzz_affiliate_truncate BEFORE TRUNCATE ON payments FOR EACH STATEMENT EXECUTE FUNCTION affiliate.refuse_truncate();
CREATE TRIGGER zzz_affiliate_insert AFTER INSERT ON refunds REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_refunds();
CREATE TRIGGER zzz_affiliate_update AFTER UPDATE ON refunds REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_refunds();
CREATE TRIGGER zzz_affiliate_delete AFTER DELETE ON refunds REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_refunds();
CREATE TRIGGER zzz_affiliate_truncate BEFORE TRUNCATE ON refunds FOR EACH STATEMENT EXECUTE FUNCTION affiliate.refuse_truncate();
CREATE TRIGGER zzz_affiliate_row AFTER INSERT OR UPDATE OR DELETE ON parts FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
CREATE TRIGGER zzz_affiliate_truncate BEFORE TRUNCATE ON parts FOR EACH STATEMENT EXECUTE FUNCTION affiliate.refuse_truncate();
CREATE TRIGGER zzz_affiliate_truncate BEFORE TRUNCATE ON parts_21 FOR EACH STATEMENT EXECUTE FUNCTION affiliate.refuse_truncate();
-- one that somebody made, on a partition, and one of a table that replication feeds
CREATE TRIGGER mine AFTER INSERT ON parts_1 FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
CREATE TABLE copied (id int PRIMARY KEY, customer text, amount numeric);
CREATE TRIGGER zzz_affiliate_row AFTER INSERT OR UPDATE OR DELETE ON copied FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
ALTER TABLE copied ENABLE ALWAYS TRIGGER zzz_affiliate_row;
SELECT * FROM strays ORDER BY table_name, trigger_name;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

INSERT INTO payments VALUES (1, 'bob', 20), (2, 'bob', 30), (3, 'carol', 30);
UPDATE payments SET amount = 40, id = 4 WHERE id = 2;
DELETE FROM payments WHERE id = 3;
INSERT INTO refunds VALUES (1, 1, 5);
UPDATE refunds SET amount = 6;
DELETE FROM refunds;
TRUNCATE refunds;
INSERT INTO parts VALUES (1, 'bob', 10), (101, 'bob', 20);
UPDATE parts SET id = 102 WHERE id = 1;
DELETE FROM parts WHERE id = 101;
INSERT INTO parts_21 VALUES (103, 'bob', 10);
INSERT INTO copied VALUES (1, 'bob', 10);
TRUNCATE copied;
SELECT count(*) FROM affiliate.commission;
SELECT * FROM affiliate_reconcile();

-- Attaching replaces them, wherever they are: each payment is posted once, as with triggers of its own.
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') AS binding;
SELECT table_name, trigger_name FROM strays ORDER BY table_name, trigger_name;
INSERT INTO payments VALUES (5, 'bob', 100);
INSERT INTO refunds VALUES (1, 5, 50);
INSERT INTO parts VALUES (2, 'bob', 10), (104, 'bob', 20);
SELECT binding_id, payment_key, seq, base, amount FROM affiliate.commission ORDER BY binding_id, payment_key, seq;
SELECT posted FROM affiliate_reconcile();
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- A table whose program did not come along earns nothing either, and says so.
BEGIN;
UPDATE affiliate.binding SET program = 'gone' WHERE id = 2;
INSERT INTO payments VALUES (6, 'bob', 100);
SELECT count(*) FROM affiliate.commission WHERE payment_key = '6';
SELECT table_name, problem FROM affiliate.binding_health WHERE problem IS NOT NULL GROUP BY table_name, problem ORDER BY problem COLLATE "C";
ROLLBACK;

-- A table of refunds is no payments table besides; nor is a partition attached as a part of its table.
SELECT affiliate_attach_payments('refunds', customer => 'payment', amount => 'amount');
CREATE TABLE later (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('later', customer => 'customer', amount => 'amount') AS binding;
CREATE TABLE above (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
ALTER TABLE above ATTACH PARTITION later FOR VALUES FROM (0) TO (10);
SELECT affiliate_attach_payments('above', customer => 'customer', amount => 'amount');
DROP TABLE above;
SELECT affiliate_detach(dropped => 'public.later');

-- A partition that was detached keeps the trigger against TRUNCATE, which does nothing any more; detaching the
-- table takes it along. That of a partition of a bound table stays.
SELECT affiliate_detach('parts_1');
ALTER TABLE parts DETACH PARTITION parts_1;
ALTER TABLE parts DETACH PARTITION parts_2;
TRUNCATE parts_1;
SELECT table_name, trigger_name, problem FROM strays ORDER BY table_name, trigger_name;
CREATE TABLE others (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE others_1 PARTITION OF others FOR VALUES FROM (0) TO (100);
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'amount') AS binding;
SELECT affiliate_detach('parts');
SELECT table_name, trigger_name FROM strays ORDER BY table_name, trigger_name;
INSERT INTO others VALUES (1, 'bob', 10);
TRUNCATE others_1;

-- Detaching a table that is not bound drops what is there, and says so.
\set VERBOSITY default
SELECT affiliate_detach('copied');
\set VERBOSITY verbose
SELECT affiliate_detach('copied');
SELECT table_name, trigger_name FROM strays ORDER BY table_name, trigger_name;
SELECT affiliate_detach('refunds'), affiliate_detach('payments'), affiliate_detach('others');
SELECT tgrelid::regclass, tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.pronamespace = 'affiliate'::regnamespace AND tgrelid NOT IN (SELECT oid FROM pg_class WHERE relnamespace = 'affiliate'::regnamespace);
