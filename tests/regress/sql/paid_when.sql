-- paid_when: a payment counts while a condition over its row holds; what the condition may be, and what happens when it can't be evaluated.
CREATE DATABASE regress_paid_when;
\c regress_paid_when
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, status text, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on', paid_when => $$status = 'succeeded'$$) AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, c.rate, c.base, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;

-- It posts when the condition holds, reverses when it ceases to, and posts again. NULL is not true.
INSERT INTO payments VALUES (1, 'bob', 10, 'succeeded'), (2, 'bob', 20, 'pending'), (3, 'bob', 30, NULL), (4, 'eve', 40, 'succeeded'), (5, 'carol', 50, 'failed');
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;
UPDATE payments SET status = 'succeeded' WHERE id IN (2, 3);
UPDATE payments SET status = 'reversed' WHERE id = 1;
UPDATE payments SET status = NULL WHERE id = 3;
UPDATE payments SET status = 'succeeded' WHERE id = 1;
UPDATE payments SET status = 'succeeded', amount = 15 WHERE id = 1;
UPDATE payments SET status = 'failed', amount = 500 WHERE id = 2;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;
-- what does not count has no faults either
INSERT INTO payments VALUES (6, 'bob', 'NaN', 'pending');
SELECT count(*) FROM affiliate.quarantine;
UPDATE payments SET status = 'succeeded' WHERE id = 6;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;
UPDATE payments SET status = 'canceled' WHERE id = 6;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine;
-- terms are those of the moment in which it first counted, its day of maturity that of the payment
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.50, hold_days => 7);
UPDATE payments SET status = 'succeeded' WHERE id IN (2, 5);
SELECT key, seq, rate, base, amount, matures_on FROM ledger WHERE key IN (2, 5) ORDER BY key, seq;
SELECT rate, hold_days FROM affiliate_set_program('default', rate => 0.30, hold_days => 0);
SELECT id, e ->> 'reason' AS reason FROM payments, affiliate_explain('payments', id) e ORDER BY id;
-- figures count what is paid
SELECT total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');

-- All kinds of conditions.
CREATE TYPE state AS ENUM ('open', 'paid', 'lost');
CREATE DOMAIN flag AS text;
CREATE FUNCTION counted(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    posted text;
BEGIN
    CREATE TABLE rich (
        id int PRIMARY KEY, customer text, amount numeric, st state, f flag, ok boolean, n int, doc jsonb, tags text[], day date, "At" timestamp,
        "weird "" name" text, c char(4), u uuid, i interval
    );
    PERFORM affiliate_attach_payments('rich', customer => 'customer', amount => 'amount', paid_when => condition);
    INSERT INTO rich VALUES
        (1, 'bob', 10, 'paid', 'y', true, 1, '{"paid": true}', '{a,b}', '2024-02-01', '2024-02-01 12:00', 'x', 'ab', '00000000-0000-0000-0000-000000000001', '1 day'),
        (2, 'bob', 10, 'open', 'n', false, 2, '{"paid": false}', '{c}', '2023-02-01', '2023-02-01 12:00', 'y', 'cd', '00000000-0000-0000-0000-000000000002', '1 hour'),
        (3, 'bob', 10, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    SELECT string_agg(c.payment_key, ',' ORDER BY c.payment_key) INTO posted FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id WHERE b.payments = 'rich'::regclass;
    PERFORM affiliate_detach('rich');
    DROP TABLE rich;
    RETURN posted;
END $$;
SELECT condition, counted(condition) FROM unnest(ARRAY[
    'true', 'false', 'NULL', 'ok', 'NOT ok', 'ok IS NOT FALSE', 'ok IS NULL', $$st = 'paid'$$, $$st <> 'open'$$, $$st IN ('paid', 'lost')$$, $$st > 'open'$$,
    $$st = 'paid'::public.state$$, $$f = 'y'$$, 'n = 1', 'n BETWEEN 1 AND 1', 'n = ANY (ARRAY[1, 5])', 'n = ANY (''{1,5}'')', 'n NOT IN (2, 3)', 'n % 2 = 1', 'coalesce(n, 7) > 5',
    'nullif(n, 1) IS NULL', 'greatest(n, 5) = 5', 'CASE WHEN n = 1 THEN ok ELSE NULL END', 'CASE n WHEN 1 THEN true END', 'n IS DISTINCT FROM 1', '(n, amount) < (2, 0)', 'ROW(n, amount) = ROW(1, 10)',
    $$doc ->> 'paid' = 'true'$$, $$(doc -> 'paid')::boolean$$, $$doc @> '{"paid": true}'$$, $$doc ? 'paid'$$, $$doc @? '$.paid ? (@ == true)'$$, $$'a' = ANY (tags)$$, $$tags && '{a}'$$, $$tags[1] = 'a'$$, 'cardinality(tags) = 2',
    $$day > '2023-12-31' AND "weird "" name" <> 'known'$$, $$f = 'today' OR ok$$, $$f <> 'now'$$, $$day = ANY ('{2024-02-01,infinity}')$$, $$day >= '2024-01-01'$$, $$day + 1 > date '2024-01-01'$$, $$"At" < '2024-01-01'$$, $$extract(year FROM "At") = 2024$$, $$"weird "" name" = 'x'$$, $$"weird "" name" ~ '^x'$$, $$"weird "" name" LIKE 'x%'$$, $$"weird "" name" COLLATE "C" < 'y'$$,
    $$lower("weird "" name") || 'z' = 'xz'$$, $$c = 'ab'$$, $$u = '00000000-0000-0000-0000-000000000001'$$, $$i = '24 hours'$$, 'amount > 5 AND ok OR n = 2', 'rich.n = 1',
    'n = 1 -- a comment', 'n = /* another */ 1', ' (n) = (1) ', 'n = 1) AND (ok', $$'2024-02-01' = day$$, 'amount::int = 10 AND n::text = ''1'''
]) WITH ORDINALITY AS u (condition, position) ORDER BY position;

-- What is refused: anything but an expression over the row that has the same value for ever and for everybody.
CREATE FUNCTION public.mine(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 = 1';
CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE CAST (int AS state) WITH INOUT;
CREATE FUNCTION public.to_flag(int) RETURNS flag IMMUTABLE LANGUAGE sql AS $$SELECT 'y'::flag$$;
CREATE AGGREGATE public.first(int) (SFUNC = int4larger, STYPE = int);
CREATE FUNCTION refused(condition text, OUT code text, OUT because text) LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE rich (id int PRIMARY KEY, customer text, amount numeric, st state, f flag, ok boolean, n int, at timestamptz);
    BEGIN
        PERFORM affiliate_attach_payments('rich', customer => 'customer', amount => 'amount', paid_when => condition);
        because := 'ACCEPTED';
    EXCEPTION WHEN others THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, because = PG_EXCEPTION_DETAIL;
        -- PostgreSQL's own words differ from version to version
        because := CASE WHEN condition LIKE '% INTO %' THEN 'in one version for another reason than in the next'
            ELSE coalesce(substring(because FROM '": (it .*)\.$'), 'PostgreSQL can''t make sense of it') END;
    END;
    DROP TABLE rich;
END $$;
SELECT condition, r.* FROM unnest(ARRAY[
    'now() > at', 'at < current_date', 'at::date = ''2024-01-01''', 'current_user = ''x''', 'random() > 0.5', 'pg_sleep(10) IS NULL', 'current_setting(''x'') = ''y''', 'nextval(''s'') > 0',
    'pg_read_file(''/etc/passwd'') IS NULL', 'mine(n)', 'public.mine(n)', 'n OPERATOR(public.===) 1', 'n::public.state = ''paid''', 'to_flag(n) = ''y''', '''y''::public.flag = f', 'n::public.flag = ''y''',
    'EXISTS (SELECT 1)', '(SELECT true)', 'n IN (SELECT 1)', 'ARRAY(SELECT 1) IS NULL', 'count(*) > 0', 'public.first(n) = 1', 'row_number() OVER () = 1', 'generate_series(1, 2) = 1', 'unnest(ARRAY[true])',
    $$at < 'now'$$, $$at > timestamptz 'Today 10:00'$$, $$at::date IS NULL OR at > 'yesterday'::timestamptz$$, $$date('tomorrow') IS NULL$$, $$at <@ '[today,tomorrow)'::tstzrange$$,
    $$'{2024-01-01,now}'::date[] IS NULL$$, $$at < E't\x6fday'$$, $$at < U&'\006eow'$$, $$at BETWEEN $a$NOW$a$ AND 'infinity'$$,
    'n', 'amount', '''maybe''', 'customer', 'nothing = 1', 'NEW.ok', 'other.ok', 'rich IS NOT NULL', 'rich.* IS NOT NULL', 'ctid IS NULL', 'tableoid = 0', 'xmin IS NULL', '$1', '$1 = n',
    'true) FROM pg_class WHERE (true', 'true); DROP TABLE payments; --', 'true; SELECT true', 'true) AS a, (false', 'true) AS a --', 'true) UNION SELECT (false', 'true) INTO x FROM (SELECT 1', 'true) LIMIT (1',
    'true) FOR UPDATE --', 'DISTINCT true', '*', '', ' ', '(', ')', 'VALUES (true)', 'DELETE FROM payments', 'ok = ', 'ok ok ok'
]) WITH ORDINALITY AS u (condition, position), refused(condition) r ORDER BY position;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_when => 'now() IS NULL');
CREATE TABLE other (id int PRIMARY KEY, customer text, amount numeric, n int);
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', paid_when => 'random() > n');
DROP FUNCTION public.mine(int);

-- A condition that raises when it is evaluated: the payment goes through, the row is in quarantine with the error, until it is mended.
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', paid_when => '100 / n > 1 AND (amount::int)::smallint > 0') AS attached \gset
INSERT INTO other VALUES (1, 'bob', 10, 5), (2, 'bob', 20, 0), (3, 'bob', 1e6, 5), (4, 'bob', 40, 99), (5, 'eve', 50, 0), (6, 'bob', 60, NULL), (7, 'bob', 70, 50);
SELECT id FROM other ORDER BY id;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'other'::regclass ORDER BY key;
SELECT payment_key, reason, detail, "row" ->> 'n' AS n FROM affiliate.quarantine WHERE resolved_at IS NULL ORDER BY payment_key;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT e ->> 'reason' AS reason, e ->> 'detail' AS detail, e -> 'commission' AS commission FROM affiliate_explain('other', 2) e;
-- over one that is posted: the ledger stays
UPDATE other SET n = 0 WHERE id = 1;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'other'::regclass ORDER BY key, seq;
SELECT * FROM affiliate_reconcile();
UPDATE other SET n = 10, amount = 30 WHERE n = 0;
UPDATE other SET amount = 300 WHERE id = 3;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'other'::regclass ORDER BY key, seq;
SELECT count(*) FROM affiliate.quarantine WHERE resolved_at IS NULL;
-- many of them in one statement, at a stricter isolation level, and none of it remembered after a rollback
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO other SELECT i, 'bob', 1, i % 2 FROM generate_series(1001, 1100) i;
SELECT count(*) FROM ledger WHERE payments = 'other'::regclass AND key > 1000;
SELECT count(*), count(DISTINCT detail) FROM affiliate.quarantine WHERE resolved_at IS NULL;
ROLLBACK;
SELECT count(*) FROM affiliate.quarantine WHERE resolved_at IS NULL;

-- Attached again with another condition: verify compares with that one, reconcile follows it.
SELECT affiliate_detach('other');
SELECT affiliate_attach_payments('other', customer => 'customer', amount => 'amount', paid_when => 'n = 50') = :attached AS same_number;
SELECT check_name, violations FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE payments = 'other'::regclass GROUP BY key ORDER BY key;

-- The condition may name the table; partitions have other names, and tables are renamed.
CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric, status text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 (status text, junk int, amount numeric, id int NOT NULL, customer text);
ALTER TABLE parts_2 DROP COLUMN junk;
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (100) TO (200);
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', paid_when => $$parts.status = 'paid'$$) AS attached \gset
INSERT INTO parts VALUES (1, 'bob', 10, 'paid'), (2, 'bob', 10, 'open'), (101, 'bob', 10, 'paid'), (102, 'bob', 10, 'open');
UPDATE parts SET status = CASE status WHEN 'paid' THEN 'open' ELSE 'paid' END WHERE id IN (1, 102);
ALTER TABLE parts RENAME TO pieces;
INSERT INTO pieces VALUES (3, 'bob', 30, 'paid'), (103, 'bob', 30, 'paid'), (104, 'bob', 30, 'open');
SELECT key, sum(amount) FROM ledger WHERE payments = 'pieces'::regclass GROUP BY key ORDER BY key;
SELECT payment_key, reason, detail FROM affiliate.quarantine WHERE resolved_at IS NULL ORDER BY payment_key;

-- Where rows are seen one by one.
CREATE TABLE collected (id int PRIMARY KEY, customer text, amount numeric, n int);
SELECT affiliate_attach_payments('collected', customer => 'customer', amount => 'amount', paid_when => '10 / n = 5', replica => true) AS attached \gset
INSERT INTO collected VALUES (1, 'bob', 10, 2), (2, 'bob', 20, 0), (3, 'bob', 30, 1);
UPDATE collected SET n = 2 WHERE id = 2;
UPDATE collected SET n = 3 WHERE id = 1;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'collected'::regclass ORDER BY key, seq;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
