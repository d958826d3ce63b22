-- The comparison of payments with the ledger sees the same in every kind of host table: what affiliate.unposted counts,
-- affiliate_verify() reports and affiliate_reconcile() mends.
CREATE DATABASE regress_comparison;
\c regress_comparison
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM unnest(ARRAY['7', '007', '-1', 'bob', md5('bob')::uuid::text, '10.0.0.1']) c, LATERAL affiliate_attribute(c, code => 'alice', attributed_at => '2024-01-01');
CREATE VIEW differences AS SELECT payments, unposted, wrong_sum, without_payment FROM affiliate.unposted WHERE unposted + wrong_sum + without_payment > 0;
CREATE VIEW violations AS SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Eight payments: 1 as it was posted, 2 changed, 3 deleted, 4 somebody else's, 5 refunded in part, 6 deleted and reversed,
-- 7 and 8 inserted; all but 5 and 6 while no trigger fires, and 8 of a customer whom nobody referred.
CREATE PROCEDURE play(payments regclass, key_columns text, key_of_n text, bob text, eve text) LANGUAGE plpgsql AS $$
DECLARE
    fill text := format('INSERT INTO %s (n, %s, customer, amount, refunded) SELECT n, %s, CASE WHEN n = 8 THEN %s ELSE %s END, 100 * n, 0 FROM generate_series($1, $2) n',
        payments, key_columns, key_of_n, eve, bob);
BEGIN
    PERFORM affiliate_attach_payments(payments, customer => 'customer', amount => 'amount', refunded => 'refunded', payment_key => key_columns);
    EXECUTE fill USING 1, 6;
    EXECUTE format('UPDATE %s SET refunded = 50 WHERE n = 5', payments);
    EXECUTE format('DELETE FROM %s WHERE n = 6', payments);
    SET LOCAL session_replication_role = replica;
    EXECUTE format('UPDATE %s SET amount = 250 WHERE n = 2', payments);
    EXECUTE format('DELETE FROM %s WHERE n = 3', payments);
    EXECUTE format('UPDATE %s SET customer = %s WHERE n = 4', payments, eve);
    EXECUTE fill USING 7, 8;
    RESET session_replication_role;
END $$;
CREATE TABLE template (n int, amount numeric, refunded numeric);
CREATE TABLE by_int (LIKE template, id int PRIMARY KEY, customer int);
CALL play('by_int', 'id', 'n', '7', '8');
CREATE TABLE by_smallint (LIKE template, id smallint PRIMARY KEY, customer bigint);
CALL play('by_smallint', 'id', '-n', '-1', '1');
CREATE DOMAIN number AS bigint CHECK (VALUE <> 0);
CREATE TABLE by_domain (LIKE template, id number PRIMARY KEY, customer number);
CALL play('by_domain', 'id', 'n', '7', '8');
-- 007 was referred as well, 07 was not; nobody takes them for 7
CREATE TABLE by_text (LIKE template, id text PRIMARY KEY, customer varchar(40));
CALL play('by_text', 'id', $$'0' || n$$, $$'007'$$, $$'07'$$);
CREATE TABLE by_char (LIKE template, id char(9) PRIMARY KEY, customer char(9));
CALL play('by_char', 'id', $$'pay' || n$$, $$'bob'$$, $$'eve'$$);
CREATE TABLE by_collation (LIKE template, id text COLLATE "POSIX" PRIMARY KEY, customer text COLLATE "ucs_basic");
CALL play('by_collation', 'id', $$'pay' || n$$, $$'bob'$$, $$'eve'$$);
CREATE TABLE by_uuid (LIKE template, id uuid PRIMARY KEY, customer uuid);
CALL play('by_uuid', 'id', 'md5(n::text)::uuid', $$md5('bob')::uuid$$, $$md5('eve')::uuid$$);
-- a cast to text is not their text
CREATE TABLE by_inet (LIKE template, id inet PRIMARY KEY, customer inet);
CALL play('by_inet', 'id', $$'10.0.0.0'::inet + n$$, $$inet '10.0.0.1'$$, $$inet '10.0.0.2'$$);
CREATE TABLE by_time (LIKE template, id timestamptz PRIMARY KEY, customer name);
CALL play('by_time', 'id', $$'2024-01-01'::timestamptz + n * interval '1 day'$$, $$'bob'$$, $$'eve'$$);
CREATE TABLE by_two (LIKE template, id int, shop text COLLATE "POSIX", customer int, PRIMARY KEY (shop, id));
CALL play('by_two', 'shop, id', $$'a "b" (c), ' || n, n$$, '7', '8');
-- a column t, and names that need quotes
CREATE TABLE "By ""Name""" (LIKE template, t int PRIMARY KEY, customer text);
CALL play('"By ""Name"""', 't', 'n', $$'bob'$$, $$'eve'$$);
-- partitions with other attribute numbers
CREATE TABLE by_part (n int, customer int, refunded numeric, amount numeric, id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE by_part_1 (id int NOT NULL, junk text, amount numeric, n int, customer int, refunded numeric);
ALTER TABLE by_part_1 DROP COLUMN junk;
ALTER TABLE by_part ATTACH PARTITION by_part_1 FOR VALUES FROM (0) TO (5);
CREATE TABLE by_part_2 PARTITION OF by_part FOR VALUES FROM (5) TO (100);
CALL play('by_part', 'id', 'n', '7', '8');
ALTER TABLE by_part DISABLE TRIGGER ALL;
SELECT * FROM differences ORDER BY payments::text;
ALTER TABLE by_part ENABLE TRIGGER ALL;
-- 4 is reversed for alice; 7 is posted, 2 rises, 3 falls
SELECT * FROM affiliate_reconcile();
SELECT * FROM differences;
SELECT * FROM violations;
SELECT b.payments, sum(c.amount), string_agg(c.amount::text, ' ' ORDER BY c.base + c.base_before, c.seq) AS entries
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id GROUP BY b.payments ORDER BY b.payments::text;

-- Minor units and currencies of the rows' own: a cent, a yen, another currency.
CREATE TABLE minor (id int PRIMARY KEY, customer text, amount bigint, currency char(3));
SELECT affiliate_attach_payments('minor', customer => 'customer', amount => 'amount', currency => 'currency', minor_units => true) AS binding;
INSERT INTO minor VALUES (1, 'bob', 1000, 'USD'), (2, 'bob', 1000, 'JPY'), (3, 'bob', 1000, 'KWD'), (4, 'bob', 1000, 'usd');
SET session_replication_role = replica;
UPDATE minor SET amount = 1001 WHERE id = 1;
UPDATE minor SET currency = 'USD' WHERE id = 2;
UPDATE minor SET currency = 'EUX' WHERE id = 3;
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
-- the one without a currency waits in quarantine
SELECT * FROM differences;
SELECT * FROM violations;
DELETE FROM minor WHERE id = 3;

-- A condition that raises an error, and one that no longer holds. The trigger sees neither.
CREATE TABLE conditional (id int PRIMARY KEY, customer text, amount numeric, part int, whole int);
SELECT affiliate_attach_payments('conditional', customer => 'customer', amount => 'amount', paid_when => '100 * part / whole > 50') AS binding;
INSERT INTO conditional SELECT n, 'bob', 10, 1, 1 FROM generate_series(1, 4) n;
SET session_replication_role = replica;
UPDATE conditional SET whole = 0 WHERE id = 1;
UPDATE conditional SET whole = 3 WHERE id = 2;
UPDATE conditional SET whole = NULL WHERE id = 3;
INSERT INTO conditional VALUES (5, 'bob', 10, 1, 2), (6, 'bob', 10, 1, 0), (7, 'eve', 10, 1, 0), (8, 'bob', 10, 2, 3);
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM violations;
SELECT * FROM affiliate_reconcile();
SELECT * FROM differences;
SELECT payment_key, detail FROM affiliate.quarantine WHERE resolved_at IS NULL ORDER BY payment_key;
UPDATE conditional SET whole = 1;
SELECT * FROM violations;

-- Recorded refunds that are not in the ledger: of a payment with one entry, of one with two; one for no payment.
CREATE TABLE refunded (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('refunded', customer => 'customer', amount => 'amount') AS binding;
SELECT affiliate_record_refund('refunded', 1, 'before', 4);
INSERT INTO refunded SELECT n, 'bob', 10 FROM generate_series(1, 4) n;
SELECT affiliate_record_refund('refunded', 2, 'after', 5);
SELECT * FROM differences;
INSERT INTO affiliate.refund (binding_id, payment_key, kind, refund_key, amount, refunded_at)
SELECT b.id, k, 'refund', 'lost ' || k, 1, now() FROM affiliate.binding b, unnest(ARRAY['2', '3', '9', '04']) k WHERE b.payments = 'refunded'::regclass;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
SELECT * FROM differences;

-- The same in a table of refunds, by keys of another type, of several columns, and in another collation.
CREATE TABLE sold (id int PRIMARY KEY, customer text, amount numeric);
CREATE TABLE sold_refund (id text PRIMARY KEY, payment bigint, amount numeric);
CREATE TABLE sold_text (id text COLLATE "POSIX", shop int, customer text, amount numeric, PRIMARY KEY (shop, id));
CREATE TABLE sold_text_refund (id text PRIMARY KEY, shop smallint, payment varchar(20) COLLATE "ucs_basic", amount numeric);
CREATE TABLE sold_mixed (id text PRIMARY KEY, customer text, amount numeric);
CREATE TABLE sold_mixed_refund (id text PRIMARY KEY, payment int, amount numeric);
SELECT count(affiliate_attach_payments(t, customer => 'customer', amount => 'amount')) FROM unnest(ARRAY['sold', 'sold_text', 'sold_mixed']::regclass[]) t;
SELECT affiliate_attach_refunds('sold_refund', 'sold', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS sold,
    affiliate_attach_refunds('sold_text_refund', 'sold_text', payment_key => 'shop, payment', refund_key => 'id', amount => 'amount') AS sold_text,
    affiliate_attach_refunds('sold_mixed_refund', 'sold_mixed', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS sold_mixed;
INSERT INTO sold SELECT n, 'bob', 10 FROM generate_series(1, 3) n;
INSERT INTO sold_text SELECT 'p' || n, 1, 'bob', 10 FROM generate_series(1, 3) n;
INSERT INTO sold_mixed SELECT '0' || n, 'bob', 10 FROM generate_series(1, 3) n;
INSERT INTO sold_refund VALUES ('a', 1, 1);
INSERT INTO sold_text_refund VALUES ('a', 1, 'p1', 1);
INSERT INTO sold_mixed_refund VALUES ('a', 1, 1);
SET session_replication_role = replica;
INSERT INTO sold_refund VALUES ('b', 1, 1), ('c', 2, 1), ('d', 2, 1), ('e', 9, 1), ('f', NULL, 1);
INSERT INTO sold_text_refund VALUES ('b', 1, 'p1', 1), ('c', 1, 'p2', 1), ('d', 1, 'p2', 1), ('e', 2, 'p3', 1), ('f', NULL, 'p3', 1);
INSERT INTO sold_mixed_refund VALUES ('c', 2, 1);
RESET session_replication_role;
SELECT * FROM differences ORDER BY payments::text;
SELECT * FROM affiliate_reconcile();
SELECT * FROM differences;
-- what a table took back that is detached stays; what it still says does not count
SELECT affiliate_detach('sold_refund');
SET session_replication_role = replica;
INSERT INTO sold_refund VALUES ('g', 3, 1);
UPDATE sold SET amount = 20 WHERE id = 2;
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
SELECT c.payment_key, c.seq, c.base, c.refunded, c.amount FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id
WHERE b.payments = 'sold'::regclass ORDER BY c.payment_key, c.seq;

-- Kept entries of deleted rows are no difference; those of a row that is somebody else's are.
CREATE TABLE kept (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('kept', customer => 'customer', amount => 'amount', on_delete => 'keep') AS binding;
INSERT INTO kept SELECT n, 'bob', 10 FROM generate_series(1, 5) n;
DELETE FROM kept WHERE id = 1;
SET session_replication_role = replica;
DELETE FROM kept WHERE id = 2;
UPDATE kept SET customer = 'eve' WHERE id = 3;
UPDATE kept SET amount = 11 WHERE id = 4;
INSERT INTO kept VALUES (6, 'bob', 10), (7, 'eve', 10);
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
SELECT * FROM differences;

-- Keys too long for the ledger, whether the payment counts or not, and a key that is almost too long.
CREATE TABLE long (id text PRIMARY KEY, customer text, amount numeric, paid boolean);
SELECT affiliate_attach_payments('long', customer => 'customer', amount => 'amount', paid_when => 'paid') AS binding;
SET session_replication_role = replica;
INSERT INTO long VALUES (repeat('x', 2001), 'bob', 10, true), (repeat('y', 2001), 'bob', 10, false), (repeat('z', 2001), 'eve', 10, true), (repeat('z', 2000), 'bob', 10, true);
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
SELECT * FROM differences;
SELECT left(payment_key, 1), reason FROM affiliate.quarantine WHERE resolved_at IS NULL ORDER BY payment_key;
DELETE FROM long;

-- Values out of line, and compressed ones.
CREATE TABLE toasted (id text PRIMARY KEY, customer text, amount numeric, status text);
ALTER TABLE toasted ALTER status SET STORAGE EXTERNAL;
SELECT affiliate_attach_payments('toasted', customer => 'customer', amount => 'amount', paid_when => 'length(status) > 9000') AS binding;
INSERT INTO toasted SELECT repeat(n::text, 1500), 'bob', 10, repeat('paid', 2500) FROM generate_series(1, 3) n;
SELECT * FROM differences;
SET session_replication_role = replica;
UPDATE toasted SET status = repeat('lost', 2000) WHERE id ^@ '2';
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
SELECT * FROM violations;

-- More columns than a function takes arguments: 20 of the key, 66 of the condition.
CREATE VIEW names AS SELECT 'k' || n AS key, NULL AS read FROM generate_series(1, 20) n UNION ALL SELECT NULL, (ARRAY['q', 'x', 'z'])[1 + n / 26] || chr(97 + n % 26) FROM generate_series(0, 65) n;
SELECT format('CREATE TABLE wide (customer text, amount numeric, %s, PRIMARY KEY (%s))', string_agg(coalesce(key, read) || ' int DEFAULT 1', ', '), string_agg(key, ', ')) AS create_wide FROM names \gset
:create_wide;
SELECT affiliate_attach_payments('wide', customer => 'customer', amount => 'amount', payment_key => string_agg(key, ', '), paid_when => format('num_nulls(%s)=0', string_agg(read, ','))) AS binding FROM names;
INSERT INTO wide VALUES ('bob', 10, 1), ('bob', 10, 2);
SET session_replication_role = replica;
UPDATE wide SET zn = NULL WHERE k1 = 2;
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
SELECT * FROM violations;

-- A closed affiliate: what is posted goes on, what is not stays so.
INSERT INTO by_int VALUES (9, 900, 0, 9, 7);
SELECT o.status FROM affiliate_set_status('alice', 'closed') o;
SET session_replication_role = replica;
UPDATE by_int SET amount = 90 WHERE n = 9;
INSERT INTO by_int VALUES (10, 1000, 0, 10, 7);
RESET session_replication_role;
SELECT * FROM differences;
SELECT * FROM affiliate_reconcile();
SELECT * FROM differences;

-- It writes nothing.
BEGIN READ ONLY;
SELECT count(*) AS tables, sum(unposted + wrong_sum + without_payment) AS differences FROM affiliate.unposted;
SELECT sum(violations) FROM affiliate_verify();
ROLLBACK;
