-- Row-level security on the payments table hides rows from whoever pays, not from the ledger.
CREATE DATABASE regress_row_level_security;
\c regress_row_level_security
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE ROLE regress_rls_owner;
CREATE ROLE regress_rls_tenant;
CREATE ROLE regress_rls_operator;
CREATE ROLE regress_rls_bypass BYPASSRLS;
SELECT affiliate_grant('regress_rls_operator', 'operator');
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
GRANT CREATE ON SCHEMA public TO regress_rls_owner;
SET ROLE regress_rls_owner;
CREATE TABLE payments (id int PRIMARY KEY, tenant text, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
-- a tenant sees its own payments of less than 1,000; nobody sees any other, the table's owner included
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_reads ON payments FOR SELECT USING (tenant = current_setting('app.tenant', true) AND amount < 1000);
CREATE POLICY tenant_writes ON payments FOR INSERT WITH CHECK (tenant = current_setting('app.tenant', true));
CREATE POLICY tenant_changes ON payments FOR UPDATE USING (tenant = current_setting('app.tenant', true));
CREATE POLICY tenant_deletes ON payments FOR DELETE USING (tenant = current_setting('app.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON payments TO regress_rls_tenant;
GRANT INSERT ON refunds TO regress_rls_tenant;
GRANT SELECT, UPDATE ON payments TO regress_rls_bypass;
RESET ROLE;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
CREATE VIEW ledger AS SELECT c.payment_key::int AS key, c.seq, c.base, c.amount FROM affiliate.commission c WHERE c.binding_id = 2;

-- What the tenant can't see is posted all the same.
SET ROLE regress_rls_tenant;
SET app.tenant = 'one';
INSERT INTO payments VALUES (1, 'one', 'bob', 10), (2, 'one', 'bob', 20), (3, 'one', 'eve', 30), (4, 'one', 'bob', 5000);
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (5, 'two', 'bob', 10);
\set VERBOSITY verbose
SET app.tenant = 'two';
INSERT INTO payments VALUES (6, 'two', 'bob', 60), (7, 'two', 'carol', -70);
UPDATE payments SET amount = 1;
UPDATE payments SET amount = 61 WHERE id = 6;
DELETE FROM payments WHERE id = 1;
SET app.tenant = 'one';
UPDATE payments SET amount = 15 WHERE id = 1;
UPDATE payments SET customer = 'carol', id = 12 WHERE id = 2;
UPDATE payments SET amount = amount - 0.5 WHERE tenant = 'one';
DELETE FROM payments WHERE id = 12;
INSERT INTO refunds VALUES (1, 1, 5), (2, 4, 1000);
INSERT INTO payments VALUES (2, 'one', 'bob', 25) ON CONFLICT DO NOTHING;
SELECT count(*) FROM payments;
\set VERBOSITY sqlstate
SELECT count(*) FROM refunds;
SELECT count(*) FROM affiliate.commission;
\set VERBOSITY verbose
-- with row security switched off, a statement that it would filter fails, whoever's it is; ours does not
INSERT INTO payments VALUES (8, 'one', 'bob', 80);
SET row_security = off;
INSERT INTO refunds VALUES (3, 8, 10);
RESET ROLE;
SET ROLE regress_rls_bypass;
UPDATE payments SET amount = 81 WHERE id = 8;
RESET row_security;
RESET ROLE;
SELECT id, tenant, customer, amount FROM payments ORDER BY id;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;
SELECT payment_key, reason FROM affiliate.quarantine WHERE resolved_at IS NULL;

-- Proof, repair and explanation see every row, whoever asks.
SET session_replication_role = replica;
INSERT INTO payments VALUES (9, 'three', 'bob', 90);
DELETE FROM payments WHERE id = 8;
RESET session_replication_role;
SET ROLE regress_rls_operator;
SET app.tenant = 'nobody';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT e -> 'commission' ->> 'target' AS target FROM affiliate_explain('payments', 4) e;
SELECT e ->> 'reason' AS reason FROM affiliate_explain('payments', 8) e;
\set VERBOSITY sqlstate
SELECT count(*) FROM payments;
\set VERBOSITY verbose
RESET ROLE;
-- the owner of the table, bound by its own policies, pays as well
SET ROLE regress_rls_owner;
SET app.tenant = 'four';
INSERT INTO payments VALUES (10, 'four', 'bob', 2000);
UPDATE payments SET amount = 100 WHERE id = 10;
SELECT count(*) FROM payments;
RESET ROLE;
SELECT key, seq, base, amount FROM ledger WHERE key IN (8, 9, 10) ORDER BY key, seq;

UPDATE payments SET amount = 70 WHERE id = 7;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
\c regress_row_level_security
DROP OWNED BY regress_rls_owner, regress_rls_tenant, regress_rls_operator, regress_rls_bypass;
DROP ROLE regress_rls_owner, regress_rls_tenant, regress_rls_operator, regress_rls_bypass;
