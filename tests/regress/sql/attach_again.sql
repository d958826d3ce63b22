-- Attaching a table again must neither lose nor change what the ledger knows of its payments.
CREATE DATABASE regress_attach_again;
\c regress_attach_again
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT name FROM affiliate_set_program('other', rate => 0.1);
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount bigint, back bigint DEFAULT 0, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount bigint);
CREATE TABLE others (LIKE payments INCLUDING ALL);
CREATE FUNCTION again(name text, relation regclass, program text DEFAULT 'default', minor_units boolean DEFAULT true, refunded text DEFAULT 'back')
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM affiliate_detach(relation);
    RETURN affiliate_attach_payments(relation, customer => 'customer', amount => 'amount', paid_at => 'paid_on',
        program => again.program, minor_units => again.minor_units, refunded => again.refunded);
END
$$;

-- While the ledger knows nothing of it, everything can change.
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on', refunded => 'back') AS binding;
SELECT again('other program', 'payments', program => 'other', minor_units => false, refunded => NULL);
SELECT again('back again', 'payments');
INSERT INTO payments VALUES (1, 'bob', 1000);
-- What entries depend on can't, and the table stays attached as it was.
SELECT again('other program', 'payments', program => 'other');
SELECT again('other units', 'payments', minor_units => false);
SELECT again('no refunds', 'payments', refunded => NULL);
SELECT program, minor_units, refunded, detached_at FROM affiliate.binding WHERE payments = 'payments'::regclass;
SELECT again('as before', 'payments');
INSERT INTO payments VALUES (2, 'bob', 2000, 500);
SELECT payment_key, seq, rate, base, amount FROM affiliate.commission ORDER BY payment_key, seq;
-- Refunds that are recorded, or in a table, are not in a column besides.
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'amount', paid_at => 'paid_on', minor_units => true) AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'others', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
SELECT again('column besides a table', 'others');
SELECT affiliate_detach('refunds');
INSERT INTO others VALUES (1, 'bob', 3000);
SELECT affiliate_record_refund('others', 1, 'r', 100);
SELECT again('column besides recorded ones', 'others');
SELECT again('still none', 'others', refunded => NULL);
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;

-- A binding is not there, as after a restore without its data: nothing is attached under another number.
SELECT affiliate_detach('payments'), affiliate_detach('others');
CREATE TABLE kept AS SELECT * FROM affiliate.binding;
DELETE FROM affiliate.binding WHERE payments = 'payments'::regclass;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on', minor_units => true, refunded => 'back');
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'amount', paid_at => 'paid_on', minor_units => true);
INSERT INTO affiliate.binding SELECT * FROM kept WHERE payments = 'payments'::regclass;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on', minor_units => true, refunded => 'back') AS binding;
-- also where it has recorded refunds alone
INSERT INTO affiliate.refund (binding_id, payment_key, kind, refund_key, amount, refunded_at) VALUES (99, 1, 'refund', 'r', 1, now());
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'amount', paid_at => 'paid_on', minor_units => true);
DELETE FROM affiliate.refund WHERE binding_id = 99;
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'amount', paid_at => 'paid_on', minor_units => true) AS binding;
SELECT count(*) AS entries, sum(amount) AS commission FROM affiliate.commission;
