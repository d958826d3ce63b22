-- Keys of up to 2,000 bytes are posted, refunded and explained; longer ones wait in quarantine, whatever comes to them, and no index fails.
CREATE DATABASE regress_long_keys;
\c regress_long_keys
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01'));
-- text that can't be compressed, so that an index has to hold all of it
CREATE FUNCTION noise(seed int, bytes int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT left(string_agg(md5(seed || ':' || n), '' ORDER BY n), bytes) FROM generate_series(0, bytes / 32) n
$$;
CREATE VIEW state AS
SELECT coalesce(c.binding_id, q.binding_id) AS binding, length(coalesce(c.key, q.key)) AS length, left(coalesce(c.key, q.key), 6) AS key, c.entries, c.posted, q.reason, q.detail
FROM (SELECT binding_id, payment_key AS key, count(*) AS entries, sum(amount) AS posted FROM affiliate.commission GROUP BY 1, 2) c
    FULL JOIN (SELECT binding_id, payment_key AS key, reason, detail FROM affiliate.quarantine WHERE resolved_at IS NULL) q USING (binding_id, key);

CREATE TABLE payments (id int UNIQUE, key text NOT NULL, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE UNIQUE INDEX ON payments (md5(key));
ALTER TABLE payments ADD COLUMN hash text GENERATED ALWAYS AS (md5(key)) STORED;
-- an index of the key itself would hold no more than 2,704 bytes
CREATE UNIQUE INDEX payments_key ON payments (key);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on', payment_key => 'key') AS binding;
DROP INDEX payments_key;

INSERT INTO payments SELECT n, noise(n, bytes), 'bob', 10
FROM (VALUES (1, 256), (2, 257), (3, 1000), (4, 2000), (5, 2001), (6, 2704), (7, 40000)) v (n, bytes);
SELECT * FROM state ORDER BY length, key;
SELECT id, e ->> 'payment_key' = key AS same, e #>> '{commission,target}' AS target, e ->> 'reason' AS reason, e ->> 'detail' AS detail
FROM payments p, LATERAL affiliate_explain('payments', p.key) e ORDER BY id;
SELECT id, affiliate_record_refund('payments', key, 'refund-' || id, 1) FROM payments WHERE id < 5 ORDER BY id;
SELECT * FROM state ORDER BY length, key;
-- a refund of a payment that can't be posted, and one by a key that no payment may have
SELECT affiliate_record_refund('payments', noise(5, 2001), 'refund-5', 1);
SELECT affiliate_record_refund('payments', noise(7, 40000), 'refund-7', 1);
SELECT affiliate_explain('payments', noise(8, 40000)) ->> 'reason' AS reason;

-- Keys of refunds have the same limit.
SELECT affiliate_record_refund('payments', noise(4, 2000), noise(9, 2000), 1);
SELECT affiliate_record_refund('payments', noise(4, 2000), noise(9, 2000), 1);
SELECT affiliate_record_refund('payments', noise(4, 2000), noise(9, 2000), 1, kind => 'dispute_won');
SELECT affiliate_record_refund('payments', noise(4, 2000), noise(9, 2001), 1);

-- A key that becomes too long takes its refunds along, and brings them back.
UPDATE payments SET key = noise(17, 40000) WHERE id = 4;
UPDATE payments SET key = noise(13, 40000) WHERE id = 3;
SELECT * FROM state ORDER BY length, key;
SELECT length(payment_key), length(refund_key), kind, amount FROM affiliate.refund ORDER BY id;
UPDATE payments SET key = noise(27, 100) WHERE id = 4;
UPDATE payments SET key = noise(28, 100), amount = 20 WHERE id = 7;
SELECT * FROM state ORDER BY length, key;
DELETE FROM payments WHERE id IN (3, 5);
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;

-- Composite keys: what counts is the text of the row, whatever the caller writes.
CREATE TABLE parts (a text, b text, customer text, amount numeric, paid_on date DEFAULT '2024-02-01', PRIMARY KEY (a, b));
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO parts VALUES (noise(1, 990), noise(2, 1000), 'bob', 10), (repeat(',', 1000), noise(3, 994), 'bob', 10), (noise(4, 1000), noise(5, 1000), 'bob', 10);
SELECT * FROM state WHERE binding = 3 ORDER BY length;
SELECT affiliate_record_refund('parts', format('("%s","%s")', noise(1, 990), noise(2, 1000)), 'refund-1', 1);
SELECT e #>> '{commission,target}' AS target FROM affiliate_explain('parts', format('("%s","%s")', repeat(',', 1000), noise(3, 994))) e;
SELECT e ->> 'reason' AS reason FROM affiliate_explain('parts', format('(%s,%s)', noise(4, 1000), noise(5, 1000))) e;

-- The shortest key is a key as well, and so are blanks.
CREATE TABLE blanks (key text PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('blanks', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO blanks VALUES ('', 'bob', 10), (' ', 'bob', 20);
SELECT key, affiliate_record_refund('blanks', key, format('%L', key), 5), affiliate_explain('blanks', key) #>> '{commission,refunded}' AS refunded FROM blanks ORDER BY key;
SELECT affiliate_explain('parts', '');
SELECT affiliate_explain('blanks', NULL::text);

-- In a table of refunds.
CREATE TABLE sales (key text PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE returns (id int PRIMARY KEY, sale text, amount numeric);
SELECT affiliate_attach_payments('sales', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('returns', payments => 'sales', payment_key => 'sale', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO returns VALUES (1, noise(1, 2000), 1), (2, noise(2, 2500), 1), (3, noise(3, 40000), 1), (4, repeat('x', 40000), 1);
INSERT INTO sales VALUES (noise(1, 2000), 'bob', 10), (noise(2, 2500), 'bob', 10), (repeat('x', 40000), 'bob', 10);
UPDATE returns SET amount = 2;
SELECT * FROM state WHERE binding = 5 ORDER BY length;
DELETE FROM returns WHERE id > 1;
UPDATE sales SET amount = 20;
SELECT * FROM state WHERE binding = 5 ORDER BY length;
UPDATE sales SET key = 'short' WHERE length(key) = 40000;
SELECT * FROM state WHERE binding = 5 ORDER BY length;
SELECT * FROM affiliate_reconcile();
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
