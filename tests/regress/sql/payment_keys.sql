-- The order of payment keys in the ledger's index: shorter ones first, then by their bytes.
CREATE DATABASE regress_payment_keys;
\c regress_payment_keys
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
-- PostgreSQL finds nothing amiss with the operator class.
SELECT c.opcname, amvalidate(c.oid) FROM pg_opclass c WHERE c.opcname = 'payment_key_ops';
SELECT string_agg(k, ' ' ORDER BY k USING OPERATOR(affiliate.#<))
FROM unnest(ARRAY['10', '9', '100', 'b', '2', 'a', '11', '', '(1,x)', 'ü', 'zz', '99']) k;
SELECT string_agg(k, ' ' ORDER BY k USING OPERATOR(affiliate.#>)) FROM unnest(ARRAY['10', '9', '100', '2', '99']) k;
-- All operators say the same as the function, and equality is that of text.
SELECT count(*) AS pairs, count(*) FILTER (WHERE
    (a.k OPERATOR(affiliate.#<) b.k) <> (n < 0) OR (a.k OPERATOR(affiliate.#<=) b.k) <> (n <= 0) OR (a.k = b.k) <> (n = 0)
    OR (a.k OPERATOR(affiliate.#>=) b.k) <> (n >= 0) OR (a.k OPERATOR(affiliate.#>) b.k) <> (n > 0)
    OR n <> -affiliate.payment_key_cmp(b.k, a.k)) AS wrong
FROM unnest(ARRAY['10', '9', '100', 'b', '', 'ü', repeat('x', 1000), repeat('x', 3000), repeat('y', 3000), repeat('é', 1500)]) a (k),
    unnest(ARRAY['10', '9', '100', 'b', '', 'ü', repeat('x', 1000), repeat('x', 3000), repeat('y', 3000), repeat('é', 1500)]) b (k),
    LATERAL affiliate.payment_key_cmp(a.k, b.k) n;
SELECT affiliate.payment_key_cmp(NULL, 'a') IS NULL AS nothing_of_null;

-- Keys that an index compresses, beside short ones: each is found by equality, through the index.
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01'));
CREATE TABLE payments (k text PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO payments SELECT n::text, 'bob', 1 FROM generate_series(1, 3000) n;
INSERT INTO payments SELECT repeat('a', 1000 + n), 'bob', 2 FROM generate_series(1, 900) n;
INSERT INTO payments SELECT repeat('b', 1500) || n, 'bob', 3 FROM generate_series(1, 300) n;
DELETE FROM payments WHERE amount = 2 AND length(k) <= 1100;
INSERT INTO payments SELECT repeat('a', 1000 + n), 'bob', 4 FROM generate_series(1, 100) n;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT FROM affiliate.commission WHERE binding_id = 2 AND payment_key = '17';
SELECT seq, amount FROM affiliate.commission WHERE binding_id = 2 AND payment_key = repeat('a', 1050) ORDER BY seq;
SELECT count(*), count(DISTINCT c.payment_key) FROM payments p, LATERAL (
    SELECT c.payment_key FROM affiliate.commission c WHERE c.binding_id = 2 AND c.payment_key = p.k COLLATE "C" OFFSET 0) c;
RESET enable_seqscan;
-- a merge of sorted texts goes by the order of text
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT count(*) FROM affiliate.commission c JOIN payments p ON p.k COLLATE "C" = c.payment_key;
-- published, an entry is identified by this key
SELECT c.relreplident, i.indexrelid::regclass, i.indisunique FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident
WHERE c.oid = 'affiliate.commission'::regclass;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
