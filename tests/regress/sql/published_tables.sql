-- Every table is published: nothing that the extension does is refused for want of a replica identity.
CREATE DATABASE regress_published_tables;
\c regress_published_tables
SET timezone = 'UTC';
SET client_min_messages = error; -- that wal_level does not suffice to send it anywhere
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE PUBLICATION everything FOR ALL TABLES;

SELECT name FROM affiliate_set_program('default', rate => 0.5, payout_threshold => 10);
SELECT affiliate_set_payout_threshold('default', 'EUR', minimum) FROM unnest('{5,6,NULL,7}'::numeric[]) AS minimum;
SELECT a.code, b.code FROM affiliate_create('alice', code => 'alice') a, affiliate_create('bob', code => 'bobby') b;
SELECT affiliate_add_code('alice', new_code => 'spring'), affiliate_deactivate_code('spring');
SELECT affiliate_track_click('alice', visitor => 'cookie');
SELECT r.customer FROM generate_series(1, 3) AS n, affiliate_attribute('c' || n, code => 'alice', attributed_at => '2024-01-01') AS r;

CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments(t, customer => 'customer', amount => 'amount') FROM unnest('{payments,parts}'::regclass[]) AS t;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount');

-- payments and refunds, by every way
INSERT INTO payments SELECT n, 'c' || n % 4, 10 * n FROM generate_series(1, 20) AS n;
INSERT INTO parts SELECT n, 'c1', 10 FROM generate_series(95, 105) AS n;
INSERT INTO affiliate.payment (id, customer, amount, currency) VALUES (1, 'c1', 30, 'EUR'), (2, 'c2', -1, 'USD'), (3, 'c2', 7, 'USD');
UPDATE payments SET amount = amount + 1 WHERE id % 2 = 0;
UPDATE payments SET id = id + 100 WHERE id > 18;
UPDATE parts SET id = id + 20 WHERE id > 90;
DELETE FROM payments WHERE id = 1;
INSERT INTO payments VALUES (1, 'c1', 40) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
INSERT INTO refunds SELECT n, n, 5 FROM generate_series(1, 10) AS n;
UPDATE refunds SET payment = payment + 1, amount = 4 WHERE id > 5;
DELETE FROM refunds WHERE id = 1;
SELECT affiliate_record_refund('parts', 116, 'r', 2), affiliate_record_refund('parts', 150, 'early', 3);
INSERT INTO parts VALUES (150, 'c1', 30);
-- a key with several spellings
CREATE TABLE prices (id uuid PRIMARY KEY, customer text, amount numeric);
CREATE TABLE price_refunds (id int PRIMARY KEY, price text, amount numeric);
SELECT affiliate_attach_payments('prices', customer => 'customer', amount => 'amount') AS binding;
SELECT affiliate_attach_refunds('price_refunds', payments => 'prices', payment_key => 'price', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO prices VALUES ('00000000-0000-0000-0000-00000000000a', 'c1', 100);
INSERT INTO price_refunds VALUES (1, '00000000-0000-0000-0000-00000000000A', 10);
UPDATE prices SET amount = 90;
SELECT affiliate_maintain() > 0 AS folded;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;
UPDATE affiliate.payment SET amount = 20 WHERE id = 2;
SELECT resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;
ALTER TABLE payments DISABLE TRIGGER ALL;
INSERT INTO payments VALUES (200, 'c1', 10), (201, 'c2', 20);
DELETE FROM payments WHERE id = 2;
ALTER TABLE payments ENABLE TRIGGER ALL;
SELECT * FROM affiliate_backfill('payments');
SELECT * FROM affiliate_reconcile();

-- payouts through every status, and what re-opened is paid again
CREATE PROCEDURE pay(statuses text[]) LANGUAGE plpgsql AS $$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT p.id FROM affiliate.payout p WHERE p.status = 'pending' ORDER BY p.id LOOP
        FOR n IN 1 .. cardinality(statuses) LOOP
            PERFORM affiliate_set_payout_status(o.id, statuses[n], external_reference => 'r', reason => 'r');
        END LOOP;
    END LOOP;
END
$$;
CALL affiliate_run_payouts(through => current_date);
CALL pay('{failed}');
CALL affiliate_run_payouts(through => current_date);
CALL pay('{canceled}');
CALL affiliate_run_payouts(through => current_date);
CALL pay('{processing,failed}');
CALL affiliate_run_payouts(through => current_date);
CALL pay('{paid,returned}');
CALL affiliate_run_payouts(through => current_date);
CALL pay('{processing,paid}');
SELECT currency, status, count(*) FROM affiliate.payout GROUP BY currency, status ORDER BY currency, status;
SELECT affiliate_maintain() >= 0 AS folded;

-- the rest
SELECT entries > 0 AS entries, referrals > 0 AS referrals FROM affiliate_rebuild_figures();
INSERT INTO payments VALUES (300, 'c1', 10);
SELECT affiliate_maintain() AS folded;
CALL affiliate_run_payouts(through => current_date);
SELECT a.status, b.status FROM affiliate_set_status('alice', 'closed', reason => 'r') a, affiliate_set_status('bobby', 'suspended', reason => 'r') b;
SELECT affiliate_detach('refunds'), affiliate_detach('parts');
DROP TABLE parts;
DROP TABLE refunds;
SELECT affiliate_maintain() >= 0 AS folded;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
CREATE ROLE regress_published;
SELECT affiliate_set_owner('regress_published') > 0 AS handed_over;
-- no kind of table was left out: each one has rows
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'affiliate'::regnamespace AND c.relkind = 'r'
    AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text = '0'
ORDER BY c.relname;

SELECT affiliate_set_owner(current_user::regrole) > 0 AS handed_over;
DROP ROLE regress_published;
