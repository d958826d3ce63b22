-- Numbers that are more than a decimal holds, one by one or added up: quarantine or a clear error, never a wrong number.
CREATE DATABASE regress_out_of_range;
\c regress_out_of_range
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT rate FROM affiliate_set_program('default', rate => 1, currency => 'JPY', payout_threshold => 0);
SELECT count(affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01')) FROM unnest('{bob,carol}'::text[]) who;
CREATE VIEW state AS
SELECT b.table_name, coalesce(c.key, q.key) AS key, c.entries, c.posted, q.reason, q.detail
FROM (SELECT binding_id, payment_key AS key, count(*) AS entries, sum(amount) AS posted FROM affiliate.commission GROUP BY 1, 2) c
    FULL JOIN (SELECT binding_id, payment_key AS key, reason, detail FROM affiliate.quarantine WHERE resolved_at IS NULL) q USING (binding_id, key)
    JOIN affiliate.binding b ON b.id = binding_id;
\set most 79228162514264337593543950335

CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, currency text, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_on') AS binding;

-- Recorded refunds: each is a decimal, their sum is not; before their payment and after it, disputes as well.
INSERT INTO payments VALUES (1, 'bob', :most, 'JPY'), (2, 'bob', 100, 'JPY'), (3, 'bob', 100, 'JPY');
SELECT affiliate_record_refund('payments', 1, 'r1', 1), affiliate_record_refund('payments', 1, 'r2', :most);
SELECT affiliate_record_refund('payments', 2, 'd1', :most, kind => 'dispute'), affiliate_record_refund('payments', 2, 'd2', :most, kind => 'dispute');
SELECT affiliate_record_refund('payments', 3, 'w1', :most, kind => 'dispute_won'), affiliate_record_refund('payments', 3, 'w2', 1, kind => 'dispute_won');
SELECT affiliate_record_refund('payments', 4, 'r3', :most), affiliate_record_refund('payments', 4, 'r4', :most);
INSERT INTO payments VALUES (4, 'bob', 100, 'JPY');
-- what has digits so far apart that a decimal would have to round their sum
INSERT INTO payments VALUES (5, 'bob', 100, 'JPY'), (6, 'bob', 0.00000000000000000000000001, 'JPY');
SELECT affiliate_record_refund('payments', 5, 'r5', 10000000000000000000000000000), affiliate_record_refund('payments', 5, 'r6', 0.0000000000000000000000000001);
SELECT affiliate_record_refund('payments', 6, 'r7', 1e-28), affiliate_record_refund('payments', 6, 'r8', 10000000000000000000000000000);
SELECT * FROM state ORDER BY key;
SELECT affiliate_explain('payments', 1) ->> 'reason' AS reason, affiliate_explain('payments', 1) ->> 'detail' AS detail;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
-- larger than a decimal each
SELECT affiliate_record_refund('payments', 3, 'r9', 1e29);
SELECT affiliate_record_refund('payments', 3, 'r9', 'NaN');
DELETE FROM payments;
SELECT * FROM state ORDER BY key;

-- A column, and a table of refunds.
CREATE TABLE charges (id int PRIMARY KEY, customer text, amount numeric, refunded numeric, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('charges', customer => 'customer', amount => 'amount', refunded => 'refunded', paid_at => 'paid_on') AS binding;
INSERT INTO charges VALUES (1, 'bob', 100, 0), (2, 'bob', 100, 1e40);
SELECT affiliate_record_refund('charges', 1, 'd1', 1, kind => 'dispute');
UPDATE charges SET refunded = :most WHERE id = 1;
SELECT * FROM state ORDER BY key;
UPDATE charges SET refunded = 10;
SELECT * FROM state ORDER BY key;
DELETE FROM charges;
CREATE TABLE sales (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE returns (id int PRIMARY KEY, sale int, amount numeric);
SELECT affiliate_attach_payments('sales', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('returns', payments => 'sales', payment_key => 'sale', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO sales VALUES (1, 'bob', 100), (2, 'bob', 100), (3, 'bob', 100);
INSERT INTO returns VALUES (1, 1, :most), (2, 1, 1), (3, 2, 1e29), (4, 3, 10000000000000000000000000000), (5, 3, 1e-28);
SELECT * FROM state WHERE table_name = 'public.sales' ORDER BY key;
UPDATE returns SET amount = 10;
SELECT * FROM state WHERE table_name = 'public.sales' ORDER BY key;
DELETE FROM sales;

-- Minor units: an amount with many zeros behind the point is as many cents.
CREATE TABLE cents (id int PRIMARY KEY, customer text, amount bigint, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('cents', customer => 'customer', amount => 'amount', currency_code => 'USD', minor_units => true, paid_at => 'paid_on') AS binding;
INSERT INTO cents VALUES (1, 'bob', 20000), (2, 'bob', 9223372036854775807);
SELECT affiliate_record_refund('cents', 1, 'r1', 100.000000000000000000000000000);
SELECT affiliate_record_refund('cents', 2, 'r2', :most);
SELECT * FROM state WHERE table_name = 'public.cents' ORDER BY key;
DELETE FROM cents;

-- A commission that is none: the explanation says so, and does not make it 0.
INSERT INTO payments VALUES (11, 'bob', 79228162514264337593543950335, 'USD'), (12, 'bob', 9999999999999999999999999999, 'KWD'),
    (13, 'bob', 0.123456789012345678901234567, 'USD'), (14, 'bob', 1234567890123456789012345.678, 'USD');
SELECT * FROM state WHERE key > '1' ORDER BY key;
SELECT key, affiliate_explain('payments', key::int) ->> 'reason' AS reason, affiliate_explain('payments', key::int) #>> '{commission,target}' AS target
FROM state WHERE key > '1' ORDER BY key;
SELECT rate FROM affiliate_set_program('default', rate => 0.333333);
INSERT INTO payments VALUES (15, 'bob', 0.1234567890123456789012345679, 'USD');
SELECT c ->> 'rate' AS rate, c ->> 'base' AS base, c ->> 'unrounded' AS unrounded, c ->> 'target' AS target
FROM affiliate_explain('payments', 15) e, LATERAL (SELECT e -> 'commission' AS c) c;
SELECT rate FROM affiliate_set_program('default', rate => 1);

-- Commissions that each are a decimal and together none: figures, folds and payouts go on.
INSERT INTO payments SELECT n, CASE WHEN n < 35 THEN 'bob' ELSE 'carol' END, 79228162514264337593543950335, 'JPY' FROM generate_series(30, 39) n;
SELECT total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') WHERE currency = 'JPY';
SELECT affiliate_maintain() IS NOT NULL AS folded;
SELECT total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') WHERE currency = 'JPY';
CALL affiliate_run_payouts(through => '2024-12-31');
SELECT currency, amount, entries FROM affiliate_payouts('alice') ORDER BY currency;

UPDATE payments SET customer = 'carol', currency = 'KRW' WHERE id BETWEEN 30 AND 39;
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice') ORDER BY currency;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();

-- What somebody has put into the ledger past everything is not read as nothing: the payment waits in quarantine.
INSERT INTO payments VALUES (50, 'bob', 100, 'JPY'), (51, 'bob', 100, 'JPY'), (52, 'bob', 100, 'JPY'), (53, 'bob', 100, 'JPY');
SET session_replication_role = replica;
UPDATE affiliate.commission SET amount = 'NaN' WHERE payment_key = '50';
UPDATE affiliate.commission SET posted_before = :most WHERE payment_key = '51';
UPDATE affiliate.commission SET currency = 'XXX' WHERE payment_key = '52';
UPDATE affiliate.commission SET rate = 1e40 WHERE payment_key = '53';
RESET session_replication_role;
UPDATE payments SET amount = 200 WHERE id IN (50, 51, 52, 53);
SELECT * FROM state WHERE key ~ '^5.' ORDER BY key;
SELECT affiliate_explain('payments', 50) ->> 'reason' AS reason;
SELECT * FROM affiliate_reconcile();
