-- A bound table whose columns by now are none that could be attached is listed, before a payment tells.
CREATE DATABASE regress_health_columns;
\c regress_health_columns
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE TYPE mood AS ENUM ('fine');
CREATE TYPE pair AS (a int, b int);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE DOMAIN price AS numeric CHECK (value > 0);
CREATE DOMAIN dear AS price;
CREATE DOMAIN list AS int[];
CREATE TABLE shop (id int PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz, refunded numeric, product text, flag text);
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount bigint, currency text);
CREATE FUNCTION attach(minor_units boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM affiliate_attach_payments('shop', customer => 'customer', amount => 'amount', currency => 'currency', paid_at => 'paid_at',
        refunded => 'refunded', product => 'product', paid_when => 'flag IS NOT NULL', minor_units => attach.minor_units);
END
$$;
SELECT attach(false);
CREATE VIEW problems AS SELECT DISTINCT table_name, problem FROM affiliate.binding_health WHERE problem IS NOT NULL;

-- Whatever attaching says of a type of a column, binding_health says too.
CREATE FUNCTION compare(name text, type text, minor_units boolean, OUT problem text, OUT is_refused boolean) LANGUAGE plpgsql AS $$
BEGIN
    IF minor_units THEN
        ALTER TABLE shop ALTER amount TYPE int, ALTER refunded TYPE bigint;
    END IF;
    EXECUTE format('ALTER TABLE shop ALTER %I TYPE %s USING NULL', name, type);
    UPDATE affiliate.binding b SET minor_units = compare.minor_units WHERE b.payments = 'shop'::regclass;
    problem := (SELECT string_agg(p.problem, '; ') FROM problems p);
    PERFORM affiliate_detach('shop');
    is_refused := false;
    PERFORM attach(minor_units);
    RAISE EXCEPTION 'undo';
EXCEPTION
    WHEN raise_exception THEN NULL;
    WHEN undefined_object THEN problem := 'can be no key'; is_refused := true;
    WHEN datatype_mismatch OR invalid_parameter_value THEN is_refused := true;
END
$$;
CREATE TABLE compared AS
SELECT name, type, minor_units, c.* FROM
    unnest('{id,customer,amount,currency,paid_at,refunded,product,flag}'::text[]) name,
    unnest('{smallint,bigint,"numeric(10,2)",real,money,text,"varchar(5)",boolean,date,timestamp,uuid,jsonb,xml,bytea,int[],mood,mood[],pair,span,
        dear,list}'::text[]) type,
    unnest('{false,true}'::boolean[]) minor_units, compare(name, type, minor_units) c
WHERE name IN ('amount', 'refunded') OR NOT minor_units;
SELECT * FROM compared WHERE (problem IS NOT NULL) <> is_refused;
SELECT name, minor_units, count(*) FILTER (WHERE is_refused) AS refused, count(*) FILTER (WHERE NOT is_refused) AS accepted
FROM compared GROUP BY name, minor_units ORDER BY name, minor_units;
SELECT problem FROM compared WHERE name IN ('amount', 'flag') GROUP BY problem ORDER BY problem COLLATE "C";
SELECT * FROM problems;

-- The columns of the key: one index on all of them, and no NULL.
ALTER TABLE shop DROP CONSTRAINT shop_pkey;
SELECT * FROM problems;
CREATE UNIQUE INDEX by_part ON shop (id) WHERE flag = 'x';
CREATE UNIQUE INDEX by_more ON shop (id, customer);
CREATE UNIQUE INDEX by_expression ON shop ((id + 0));
SELECT * FROM problems;
CREATE UNIQUE INDEX whole ON shop (id) INCLUDE (product);
SELECT * FROM problems;
ALTER TABLE shop ALTER id DROP NOT NULL;
SELECT * FROM problems;
SELECT binding_problems FROM affiliate.operations;
ALTER TABLE shop ALTER id SET NOT NULL;
CREATE TABLE parts (b int, a text, customer text, amount numeric, PRIMARY KEY (a, b)) PARTITION BY LIST (a);
CREATE TABLE part PARTITION OF parts DEFAULT;
SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount') > 0 AS attached;
SELECT * FROM problems;
ALTER TABLE parts DROP CONSTRAINT parts_pkey;
CREATE UNIQUE INDEX on_part ON part (b, a);
CREATE UNIQUE INDEX on_parts ON ONLY parts (b, a);
SELECT * FROM problems;
ALTER INDEX on_parts ATTACH PARTITION on_part;
SELECT * FROM problems;
DROP INDEX on_parts;
SELECT * FROM problems;
SELECT affiliate_detach('parts');

-- A renamed column is found by its number, one in a restored table by its name; a table of refunds has columns too.
ALTER TABLE shop RENAME amount TO total;
ALTER TABLE shop ADD amount text;
SELECT * FROM problems;
ALTER TABLE shop ALTER total TYPE float8;
SELECT * FROM problems;
ALTER TABLE shop DROP total, DROP amount;
SELECT * FROM problems;
ALTER TABLE shop ADD amount numeric;
ALTER TABLE shop DROP flag;
SELECT * FROM problems;
SELECT affiliate_detach('shop');
SELECT affiliate_attach_payments('shop', customer => 'customer', amount => 'amount', payment_key => 'id') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'shop', payment_key => 'payment', refund_key => 'id', amount => 'amount', currency => 'currency', minor_units => true) AS binding;
SELECT * FROM problems;
ALTER TABLE refunds ALTER amount TYPE numeric;
SELECT * FROM problems;
ALTER TABLE refunds ALTER amount TYPE int, ALTER currency TYPE jsonb USING NULL;
SELECT * FROM problems;
ALTER TABLE refunds ALTER currency TYPE text, ALTER payment TYPE text;
SELECT * FROM problems;

-- It waits for nobody: it takes no lock on the table. And nothing is compiled for it.
BEGIN;
SELECT count(*) FROM affiliate.binding_health;
SELECT l.mode FROM pg_locks l WHERE l.relation = 'shop'::regclass;
COMMIT;
CREATE FUNCTION compiled(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        IF line ~ 'JIT' THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
SET jit = on;
SELECT compiled('SELECT * FROM affiliate.binding_health') AS health, compiled('SELECT * FROM affiliate.operations') AS operations,
    compiled('SELECT * FROM affiliate.unposted') AS unposted, compiled('SELECT * FROM affiliate_verify()') AS verify;
