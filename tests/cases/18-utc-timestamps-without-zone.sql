-- right: a payment in the transaction of the sign-up earns 30.00: a timestamp without zone is UTC, also where the program's month is Tokyo's
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
SELECT affiliate_set_program('default', time_zone => 'Asia/Tokyo');
SELECT affiliate_create('maya', 'maya-tips');
CREATE TABLE payments (id bigint PRIMARY KEY, user_id bigint, cents bigint, created_at timestamp(6) NOT NULL);
SELECT affiliate_attach_payments('payments', customer => 'user_id', amount => 'cents', minor_units => true, currency_code => 'USD', paid_at => 'created_at');
BEGIN;
SELECT affiliate_attribute(1, 'maya-tips');
INSERT INTO payments VALUES (1, 1, 10000, now() AT TIME ZONE 'UTC');
COMMIT;
SELECT affiliate_reconcile();
SELECT want('commission', commission_of('maya-tips'), 'USD 30.00');
SELECT want('verify', violations(), 'none');
