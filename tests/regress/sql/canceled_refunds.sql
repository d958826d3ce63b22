-- Recorded refunds are taken back, and a won dispute gives back what disputes took and no more.
CREATE DATABASE regress_canceled_refunds;
\c regress_canceled_refunds
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create(owner => 'maya', code => 'maya-tips');
SELECT affiliate_attribute(customer => c, code => 'maya-tips', attributed_at => '2024-01-01') IS NOT NULL FROM (VALUES ('ada'), ('bob')) v (c);
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount') AS binding \gset
CREATE VIEW ledger AS SELECT payment_key AS key, seq, base, refunded, amount FROM affiliate.commission WHERE binding_id = 2;
CREATE VIEW recorded AS SELECT payment_key AS key, kind, refund_key, amount, waits, canceled_at IS NOT NULL AS canceled,
    canceled_because, canceled_by = session_user AS by_me FROM affiliate.refund ORDER BY id;
INSERT INTO payments VALUES (1, 'ada', 100), (2, 'ada', 100), (3, 'bob', 100);

-- Each call says whether it made a difference.
SELECT affiliate_record_refund('payments', 1, 'r1', 40);
SELECT affiliate_record_refund('payments', 1, 'r1', 40);
SELECT affiliate_cancel_refund('payments', 'r1', reason => 'the bank has sent it back');
SELECT affiliate_cancel_refund('payments', 'r1', reason => 'again');
SELECT affiliate_record_refund('payments', 1, 'r1', 40);
SELECT affiliate_record_refund('payments', 1, 'r1', 41);
SELECT * FROM ledger WHERE key = '1' ORDER BY seq;
SELECT * FROM recorded;
SELECT affiliate_explain('payments', 1) #>> '{commission,refunded}' AS refunded;

-- A dispute that is won gives back what disputes took, whatever refunds took besides, and whichever comes first.
SELECT affiliate_record_refund('payments', 2, 'r2', 50), affiliate_record_refund('payments', 2, 'd2', 30, kind => 'dispute_won');
SELECT seq, base, refunded, amount FROM ledger WHERE key = '2' ORDER BY seq;
SELECT affiliate_record_refund('payments', 2, 'd2', 30, kind => 'dispute'), affiliate_record_refund('payments', 2, 'd3', 30, kind => 'dispute');
SELECT seq, base, refunded, amount FROM ledger WHERE key = '2' ORDER BY seq;
-- The kinds have keys of their own; one that was recorded as won by mistake takes again.
SELECT affiliate_cancel_refund('payments', 'd2', kind => 'dispute_won', reason => 'of another shop');
SELECT affiliate_cancel_refund('payments', 'd3', kind => 'dispute', reason => 'withdrawn');
SELECT affiliate_cancel_refund('payments', ' d3', kind => 'dispute', reason => 'withdrawn');
SELECT seq, base, refunded, amount FROM ledger WHERE key = '2' ORDER BY seq;

-- One whose payment is not there: it does not count when the payment comes.
SELECT affiliate_record_refund('payments', 9, 'early', 40), affiliate_cancel_refund('payments', 'early', reason => 'wrong key');
SELECT refunds_waiting FROM affiliate.operations;
INSERT INTO payments VALUES (9, 'ada', 100);
SELECT * FROM ledger WHERE key = '9';
SELECT affiliate_maintain() >= 0;
SELECT * FROM recorded WHERE key = '9';
-- It goes along with the key of its payment, and a payment of nobody has refunds as well.
UPDATE payments SET id = 11 WHERE id = 1;
SELECT affiliate_cancel_refund('payments', 'r1', reason => 'again');
SELECT affiliate_record_refund('payments', 3, 'r3', 100);
UPDATE payments SET id = 33 WHERE id = 3;
SELECT affiliate_cancel_refund('payments', 'r3', reason => 'refused by the bank');
SELECT * FROM ledger WHERE key IN ('11', '3', '33') ORDER BY key, seq;
DELETE FROM payments WHERE id = 33;
SELECT affiliate_record_refund('payments', 33, 'r4', 10), affiliate_cancel_refund('payments', 'r4', reason => 'gone');

-- What can't be canceled.
SELECT affiliate_cancel_refund('payments', 'r1', kind => 'dispute', reason => 'never recorded');
SELECT affiliate_cancel_refund('affiliate.payment', 'r1', reason => 'another table');
SELECT affiliate_cancel_refund('payments', 'r2');
SELECT affiliate_cancel_refund('payments', 'r2', reason => ' ');
SELECT affiliate_cancel_refund('payments', 'r2', reason => repeat('x', 257));
SELECT affiliate_cancel_refund('payments', NULL, reason => 'no key');
SELECT affiliate_cancel_refund('payments', '', reason => 'no key');
SELECT affiliate_cancel_refund('payments', 'r2', kind => NULL, reason => 'no kind');
SELECT affiliate_cancel_refund('payments', 'r2', kind => 'chargeback', reason => 'no such kind');
SELECT affiliate_cancel_refund(NULL, 'r2', reason => 'no table');
CREATE TABLE other (id int PRIMARY KEY);
SELECT affiliate_cancel_refund('other', 'r2', reason => 'not attached');
SELECT refund_key FROM recorded WHERE canceled ORDER BY 1;

-- Where every refund was taken back, a column may hold them from then on.
SELECT affiliate_cancel_refund('payments', 'r2', reason => 'in a column from now on');
ALTER TABLE payments ADD COLUMN refunded numeric;
SELECT affiliate_alter_binding('payments', refunded => 'refunded');
UPDATE payments SET refunded = 25 WHERE id = 2;
SELECT affiliate_explain('payments', 2) #>> '{commission,refunded}' AS refunded;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Other keys, minor units and spellings; the role that calls needs the access of an app.
CREATE TABLE lines (shop uuid, line int, customer text, cents bigint, PRIMARY KEY (shop, line)) PARTITION BY LIST (line);
CREATE TABLE lines_1 PARTITION OF lines FOR VALUES IN (1);
CREATE TABLE lines_2 PARTITION OF lines FOR VALUES IN (2);
SELECT affiliate_attach_payments('lines', customer => 'customer', amount => 'cents', minor_units => true, currency_code => 'JPY') AS lines \gset
INSERT INTO lines VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1, 'ada', 1000);
CREATE ROLE regress_canceling;
SELECT affiliate_grant('regress_canceling', 'app');
SET ROLE regress_canceling;
SELECT affiliate_record_refund('lines', '(A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11,1)', 'r1', 999);
RESET ROLE;
UPDATE lines SET line = 2;
SET ROLE regress_canceling;
SELECT affiliate_cancel_refund('lines_2', 'r1', reason => 'too much');
RESET ROLE;
SELECT payment_key, refund_key, canceled_by FROM affiliate.refund WHERE binding_id = :lines;
SELECT payment_key, sum(amount) FROM affiliate.commission WHERE binding_id = :lines GROUP BY 1 ORDER BY 1;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT affiliate_revoke('regress_canceling');
DROP ROLE regress_canceling;
