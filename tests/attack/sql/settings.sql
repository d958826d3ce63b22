-- Settings of the session, whoever set them, and what is first in its search path.

-- attack: search path with functions like the server's
-- session: SET search_path = {s}, public, pg_catalog
CALL lie('format(text, text)', 'text', '''x''');
CALL lie('format(text, bigint)', 'text', '''x''');
CALL lie('md5(text)', 'text', '''x''');
CALL lie('now()', 'timestamptz', 'pg_catalog.now()');
CALL lie('lower(text)', 'text', '$1');
CALL lie('upper(text)', 'text', '$1');
CALL lie('btrim(text)', 'text', '$1');
CALL lie('greatest_day(date)', 'date', '$1');
CALL lie('round(numeric, int)', 'numeric', '$1');
CALL lie('to_jsonb(record)', 'jsonb', '''{}''');
CALL lie('current_database()', 'name', '''x''');
CALL lie('quote_ident(text)', 'text', '$1');
CALL lie('quote_ident(name)', 'text', '$1::text');
CALL lie('nextval(regclass)', 'bigint', '1');
CALL lie('pg_advisory_xact_lock(bigint)', 'void', '');
CALL lie('count_all(bigint)', 'bigint', '1');

-- attack: search path with operators like the server's
-- session: SET search_path = {s}, public, pg_catalog
CALL lie('eq(text, text)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = eq);
CALL lie('eq(bigint, bigint)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = eq);
CALL lie('eq(oid, oid)', 'boolean', 'true');
CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = eq);
CALL lie('gt(numeric, numeric)', 'boolean', 'true');
CREATE OPERATOR > (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = gt);
CALL lie('minus(numeric, numeric)', 'numeric', '$1');
CREATE OPERATOR - (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = minus);
CALL lie('concat(text, text)', 'text', '$1');
CREATE OPERATOR || (LEFTARG = text, RIGHTARG = text, FUNCTION = concat);
CALL lie('short(text, text)', 'boolean', 'true');
CREATE OPERATOR #< (LEFTARG = text, RIGHTARG = text, FUNCTION = short);

-- attack: search path with types and tables like the server's and ours
-- session: SET search_path = {s}, public, pg_catalog
CALL lie('is_text(text)', 'boolean', 'true');
CREATE DOMAIN "text" AS pg_catalog.text CHECK ({s}.is_text(value));
CREATE DOMAIN "numeric" AS pg_catalog.numeric CHECK ({s}.is_text(value::pg_catalog.text));
CREATE DOMAIN "bigint" AS pg_catalog.int8 CHECK ({s}.is_text(value::pg_catalog.text));
CREATE DOMAIN "int8" AS pg_catalog.int8 CHECK ({s}.is_text(value::pg_catalog.text));
CREATE DOMAIN "regclass" AS pg_catalog.regclass CHECK ({s}.is_text(value::pg_catalog.text));
CREATE VIEW pg_class AS SELECT {s}.is_text('x') AS oid;
CREATE VIEW pg_proc AS SELECT {s}.is_text('x') AS oid;
CREATE VIEW pg_attribute AS SELECT {s}.is_text('x') AS attrelid;
GRANT SELECT ON pg_class, pg_proc, pg_attribute TO PUBLIC;

-- attack: functions of the owner's in the schema of our functions
-- superuser: GRANT CREATE ON SCHEMA public TO mallory
DO $$
DECLARE
    signature text;
BEGIN
    FOREACH signature IN ARRAY ARRAY['affiliate_stats(VARIADIC int[])', 'affiliate_maintain(VARIADIC int[])',
        'affiliate_reconcile(int)', 'affiliate_reconcile()', 'affiliate_explain(regclass, varchar)',
        'affiliate_backfill(regclass)', 'affiliate_run_payouts()', 'affiliate_verify(VARIADIC text[])']
    LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION public.%s RETURNS bigint LANGUAGE plpgsql AS %L', signature,
            'BEGIN PERFORM attached.canary(''overloaded''); RETURN 1; END');
    END LOOP;
END
$$;

-- attack: row security off
-- session: SET row_security = off
CALL lie('is_visible(text)', 'boolean', 'true');
ALTER TABLE payments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spy ON payments USING (is_visible(customer));

-- attack: serializable by default
-- session: SET default_transaction_isolation = 'serializable'
CALL lie('of_nothing(int)', 'text', '''x''');
CREATE INDEX ON payments (of_nothing(1));

-- attack: planner, executor and compiler
-- session: SET plan_cache_mode = force_custom_plan; SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET constraint_exclusion = on; SET from_collapse_limit = 1
CALL lie('of_nothing(int)', 'text', '''x''');
CALL lie('is_constant(int)', 'boolean', 'true');
CREATE INDEX ON payments (of_nothing(1));
ALTER TABLE payments ADD CHECK (is_constant(1));

-- attack: parallel workers
-- session: SET max_parallel_workers_per_gather = 4; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0
CALL lie('of_nothing(int)', 'text', '''x''');
ALTER FUNCTION of_nothing(int) PARALLEL SAFE;
CREATE INDEX ON payments (of_nothing(1));
CALL lie('to_text(payments)', 'text', '''x''');
ALTER FUNCTION to_text(payments) PARALLEL SAFE;
CREATE CAST (payments AS text) WITH FUNCTION to_text(payments) AS IMPLICIT;

-- attack: formats
-- session: SET extra_float_digits = -15; SET datestyle = 'German, DMY'; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape'; SET timezone = 'Pacific/Kiritimati'; SET quote_all_identifiers = on; SET array_nulls = off; SET xmloption = 'document'
-- expect: SELECT pg_catalog.bool_and(c.base % 1 = 0 AND c.currency = 'USD') FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id WHERE b.table_name ~ 'attached'
CALL make_enum('kind');
ALTER TABLE payments ADD kind kind DEFAULT '1';

-- attack: strings with backslashes
-- only: before
-- attach: currency => 'currency', paid_when => $c$note <> '\' AND status = ' OR note<>' -- ' OR true$c$
-- session: SET standard_conforming_strings = off; SET escape_string_warning = off; SET backslash_quote = on
-- expect: SELECT count(*) = 0 FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id WHERE b.table_name ~ 'attached'
ALTER TABLE payments ALTER note SET DEFAULT 'x';

-- attack: = NULL as IS NULL
-- only: before
-- attach: currency => 'currency', paid_when => 'note = NULL'
-- session: SET transform_null_equals = on
-- expect: SELECT count(*) = 0 FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id WHERE b.table_name ~ 'attached'
ALTER TABLE payments ALTER note SET DEFAULT NULL;

-- attack: bytes as text in another format
-- only: before
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note bytea DEFAULT 'a')
-- attach: currency => 'currency', paid_when => $c$note::text = '\x61'$c$
-- session: SET bytea_output = 'escape'
-- expect: SELECT count(*) > 0 FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id WHERE b.table_name ~ 'attached'
ALTER TABLE payments ALTER flag SET DEFAULT false;

-- attack: dates of the condition read in another order
-- only: before
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note date DEFAULT '2001-02-03')
-- attach: currency => 'currency', paid_when => $c$note = '01/02/03'::date$c$
-- session: SET datestyle = 'SQL, DMY'
-- expect: SELECT count(*) > 0 FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id WHERE b.table_name ~ 'attached'
ALTER TABLE payments ALTER flag SET DEFAULT false;

-- attack: limits and checks
-- session: SET lock_timeout = '10s'; SET check_function_bodies = off; SET client_min_messages = warning
CALL lie('of_nothing(int)', 'text', '''x''');
CREATE INDEX ON payments (of_nothing(1));
