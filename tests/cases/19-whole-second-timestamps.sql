-- right: sign-up and payment in one transaction earn 30.00 each: times are compared to the second
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\o /dev/null
CREATE EXTENSION affiliate;
CREATE FUNCTION want(what text, got text, expected text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN IF got IS DISTINCT FROM expected THEN RAISE EXCEPTION '%: is %, should be %', what, got, expected; END IF; END $$;
CREATE FUNCTION commission_of(c text) RETURNS text LANGUAGE sql AS
  $$ SELECT string_agg(currency||' '||total_commission, ', ' ORDER BY currency) FROM affiliate_stats(c) $$;
CREATE FUNCTION violations() RETURNS text LANGUAGE sql AS
  $$ SELECT coalesce(string_agg(check_name||' '||violations, ', ' ORDER BY check_name), 'none') FROM affiliate_verify() WHERE violations > 0 $$;
SELECT affiliate_create('maya', 'maya-tips');
CREATE TABLE payments (id int PRIMARY KEY, user_id int, cents int, created_at timestamp(0));
CREATE TABLE charges (id text PRIMARY KEY, user_id int, cents int, created integer);
SELECT affiliate_attach_payments('payments', customer => 'user_id', amount => 'cents', minor_units => true, currency_code => 'USD', paid_at => 'created_at');
SELECT affiliate_attach_payments('charges', customer => 'user_id', amount => 'cents', minor_units => true, currency_code => 'USD', paid_at => 'created');
BEGIN; -- date_trunc, as the host writes the clock of this second
SELECT affiliate_attribute(1, 'maya-tips');
INSERT INTO payments VALUES (1, 1, 10000, date_trunc('second', now() AT TIME ZONE 'UTC'));
COMMIT;
BEGIN;
SELECT affiliate_attribute(2, 'maya-tips');
INSERT INTO charges VALUES ('ch', 2, 10000, floor(extract(epoch FROM now())));
COMMIT;
SELECT affiliate_reconcile();
SELECT want('commission ('||(affiliate_explain('payments', 1) ->> 'reason')||'; verify: '||violations()||')', commission_of('maya-tips'), 'USD 60.00');
