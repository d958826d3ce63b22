-- Every look-up in the catalogs finds the caches emptied and their memory overwritten: whatever is held over one of a
-- descriptor, a relation or a term is read as garbage. One of each way that a payment or a refund takes to the ledger.
CREATE DATABASE assert_discarded_caches;
\c assert_discarded_caches
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
SELECT payout_threshold FROM affiliate_set_program('default', payout_threshold => 1);
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, c.currency, c.base, c.refunded, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;

CREATE TABLE payments (
    id int PRIMARY KEY, customer text, cents bigint, currency text DEFAULT 'USD', status text DEFAULT 'paid', paid_at timestamptz DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, cents bigint);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'cents', minor_units => true, currency => 'currency',
    paid_at => 'paid_at', paid_when => $$status IN ('paid', 'settled')$$) AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'cents', minor_units => true) AS binding;
CREATE TABLE split (shop uuid, id int, customer text, amount numeric, paid_on date DEFAULT '2024-02-01', PRIMARY KEY (shop, id)) PARTITION BY RANGE (id);
CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (100);
CREATE TABLE split_2 (customer text, shop uuid NOT NULL, id int NOT NULL, paid_on date DEFAULT '2024-02-01', amount numeric);
ALTER TABLE split ATTACH PARTITION split_2 FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments('split', customer => 'customer', amount => 'amount', currency_code => 'EUR', paid_at => 'paid_on') AS binding;

SET debug_discard_caches = 1;
INSERT INTO payments VALUES (1, 'bob', 1000, 'USD', 'paid'), (2, 'eve', 1000, 'USD', 'paid'), (3, 'carol', 1000, 'JPY', 'paid'),
    (4, 'bob', 1000, NULL, 'paid'), (5, 'bob', 1000, 'USD', 'open');
INSERT INTO payments SELECT n, CASE WHEN n % 10 = 0 THEN 'carol' ELSE 'eve' END, 100 * n FROM generate_series(10, 59) n;
UPDATE payments SET cents = 2000 WHERE id = 1;
UPDATE payments SET status = 'settled' WHERE id = 5;
UPDATE payments SET id = 100 + id WHERE id IN (1, 2);
INSERT INTO refunds VALUES (1, 101, 500), (2, 7, 100);
INSERT INTO payments VALUES (7, 'carol', 700);
DELETE FROM payments WHERE id = 3;
INSERT INTO split VALUES ('00000000-0000-0000-0000-000000000001', 1, 'bob', 9.99), ('00000000-0000-0000-0000-000000000001', 101, 'carol', 9.99);
UPDATE split SET id = id + 110, amount = 10 WHERE id = 1;
SELECT affiliate_record_refund('split', '(00000000-0000-0000-0000-000000000001,101)', 'r-1', 1.99);
SET debug_discard_caches = 0;

SELECT * FROM ledger ORDER BY payments::text, key, seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT payment_key, reason FROM affiliate.quarantine WHERE resolved_at IS NULL;

-- What keeps books, as well.
SET debug_discard_caches = 1;
SELECT * FROM affiliate_reconcile();
CALL affiliate_run_payouts(through => '2024-12-31');
SET debug_discard_caches = 0;
SELECT currency, amount, entries FROM affiliate_payouts('alice') ORDER BY currency;

\c postgres
DROP DATABASE assert_discarded_caches;
