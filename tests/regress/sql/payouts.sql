-- Payouts: from open entries to paid money.
CREATE DATABASE regress_payouts;
\c regress_payouts
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM unnest(ARRAY['alice', 'anton', 'agnes']) o, LATERAL affiliate_create(o, code => o);
SELECT customer, code FROM (VALUES ('a1', 'alice'), ('a2', 'alice'), ('b1', 'anton'), ('c1', 'agnes')) v (who, ref),
    LATERAL affiliate_attribute(who, code => ref, attributed_at => '2024-01-01');
CREATE VIEW payouts AS
SELECT o.id, a.code, o.currency, o.amount, o.entries, o.through, o.threshold, o.status
FROM affiliate.payout o JOIN affiliate.affiliate a ON a.id = o.affiliate_id;

-- The threshold is 50: alice has earned 60, anton 49.99 and agnes exactly 50.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES
    (1, 'a1', 100, '2024-01-10'), (2, 'a2', 100, '2024-01-31 23:59:59'), (3, 'b1', 166.63, '2024-01-20'),
    (4, 'c1', 166.66, '2024-01-20');
SELECT code, total_payout_amount FROM affiliate_stats();
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT * FROM payouts ORDER BY id;
SELECT code, total_payout_amount, processing_amount FROM affiliate_stats();

-- Running it again makes nothing twice.
CALL affiliate_run_payouts(through => '2024-01-31');
CALL affiliate_run_payouts('2024-01-31', 'default');
SELECT count(*) FROM payouts;

-- What is below the threshold waits until it reaches it.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (5, 'b1', 0.04, '2024-02-05');
CALL affiliate_run_payouts(through => '2024-02-04');
SELECT count(*) FROM payouts;
CALL affiliate_run_payouts(through => '2024-02-05');
SELECT * FROM payouts WHERE id > 2 ORDER BY id;

-- Only entries matured by the day are paid, and an entry is in one payout.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (10, 'a1', 200, '2024-02-10'), (11, 'a1', 300, '2024-02-29'), (12, 'a1', 400, '2024-03-01');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT * FROM payouts WHERE id > 3 ORDER BY id;
SELECT e.payout_id, e.payment_key, e.seq, e.live FROM affiliate.payout_entry e ORDER BY 1, payment_key::int, 3;

-- Without a day it is the last of the previous month, in the program's time zone.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES
    (20, 'c1', 1000, date_trunc('month', now())), (21, 'c1', 500, date_trunc('month', now()) - interval '1 microsecond');
CALL affiliate_run_payouts();
SELECT code, amount, through = (date_trunc('month', now()) - interval '1 day')::date AS end_of_last_month FROM payouts WHERE id > 4 ORDER BY id;
SELECT count(*), bool_and(period = to_char(date_trunc('month', now()) - interval '1 day', 'YYYY-MM')) AS of_last_month
FROM affiliate_payouts('agnes') WHERE amount > 100;

-- A day to come is refused: what matures until then may still be refunded.
\set VERBOSITY sqlstate
CALL affiliate_run_payouts(through => (now() AT TIME ZONE 'UTC')::date + 1);
\set VERBOSITY verbose
\echo :LAST_ERROR_MESSAGE
CREATE FUNCTION report(statement text) RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := regexp_replace(detail, '\d{4}-\d\d-\d\d', 'DAY', 'g');
    RETURN NEXT;
END $$;
SELECT * FROM report($$SELECT affiliate.payout_programs(NULL, (now() AT TIME ZONE 'UTC')::date + 1)$$) \gx
CALL affiliate_run_payouts(program => 'nobody');
-- it commits, so it can't be part of a transaction
BEGIN;
\set VERBOSITY sqlstate
CALL affiliate_run_payouts();
\set VERBOSITY verbose
ROLLBACK;
SELECT count(*) FROM payouts;

-- A session whose transactions are REPEATABLE READ by default runs it as well.
SET default_transaction_isolation = 'repeatable read';
CALL affiliate_run_payouts(through => '2024-02-29');
RESET default_transaction_isolation;

-- History, latest first, by any code of the affiliate.
SELECT payout_id, period, currency, amount, entries, status, external_reference, created_at = updated_at AS untouched FROM affiliate_payouts('ALICE')
WHERE payout_id < 5;
SELECT affiliate_add_code('anton', new_code => 'anton2');
SELECT payout_id, period, currency, amount, entries, status FROM affiliate_payouts('anton2');
SELECT affiliate_payouts('nobody');
SELECT affiliate_payouts(NULL);

-- Each currency is paid by itself, with a threshold of its own or else the same number.
SELECT affiliate_set_payout_threshold('default', 'JPY', 7500);
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES
    (30, 'b1', 24997, 'JPY', '2024-04-01'), (31, 'b1', 166.66, 'EUR', '2024-04-01'), (32, 'b1', 166.63, 'CHF', '2024-04-01');
CALL affiliate_run_payouts(through => '2024-04-30');
SELECT code, currency, amount, threshold FROM payouts WHERE code = 'anton' AND through = '2024-04-30' ORDER BY currency;
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES (33, 'b1', 3, 'JPY', '2024-04-01');
CALL affiliate_run_payouts(through => '2024-04-30');
SELECT code, currency, amount, threshold FROM payouts WHERE code = 'anton' AND through = '2024-04-30' ORDER BY currency;

-- A program of its own: terms, and runs, are by program.
SELECT name FROM affiliate_set_program('big', payout_threshold => 1000);
SELECT code FROM affiliate_create('bill', code => 'bill', program => 'big');
SELECT customer FROM affiliate_attribute('x', code => 'bill', program => 'big', attributed_at => '2024-01-01');
CREATE TABLE big (id int PRIMARY KEY, customer text, amount numeric, paid_at date);
SELECT affiliate_attach_payments('big', customer => 'customer', amount => 'amount', paid_at => 'paid_at', program => 'big') AS binding;
INSERT INTO big VALUES (1, 'x', 3000, '2024-04-01'), (2, 'x', 333.33, '2024-04-01');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (40, 'b1', 1000, '2024-04-01');
CALL affiliate_run_payouts(through => '2024-04-30', program => 'big');
SELECT code, amount, threshold FROM payouts WHERE through = '2024-04-30' AND currency = 'USD' ORDER BY id;
CALL affiliate_run_payouts(through => '2024-04-30');
SELECT code, amount, threshold FROM payouts WHERE through = '2024-04-30' AND currency = 'USD' ORDER BY id;

-- Suspended affiliates earn and are not paid until they are active again; closed ones earn nothing new and are not paid.
SELECT status FROM affiliate_set_status('anton', 'suspended');
SELECT status FROM affiliate_set_status('agnes', 'closed');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (50, 'b1', 1000, '2024-05-01'), (51, 'c1', 1000, '2024-05-01');
CALL affiliate_run_payouts(through => '2024-05-31');
SELECT code, amount FROM payouts WHERE through = '2024-05-31' ORDER BY id;
SELECT code, total_payout_amount FROM affiliate_stats() WHERE currency = 'USD' AND code IN ('anton', 'agnes');
SELECT status FROM affiliate_set_status('anton', 'active');
CALL affiliate_run_payouts(through => '2024-05-31');
SELECT code, amount FROM payouts WHERE through = '2024-05-31' ORDER BY id;

-- Carried forward: what is refunded after its payout is netted from the next one.
UPDATE affiliate.payment SET refunded = 1000 WHERE id = 50;
SELECT total_payout_amount FROM affiliate_stats('anton') WHERE currency = 'USD';
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (52, 'b1', 1100, '2024-06-01');
CALL affiliate_run_payouts(through => '2024-06-30');
SELECT total_payout_amount FROM affiliate_stats('anton') WHERE currency = 'USD';
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (53, 'b1', 100, '2024-06-02');
CALL affiliate_run_payouts(through => '2024-06-30');
SELECT code, amount, entries FROM payouts WHERE through = '2024-06-30' ORDER BY id;
SELECT total_commission, total_payout_amount, processing_amount FROM affiliate_stats('anton') WHERE currency = 'USD';

-- The way of a payout: what may follow what. Everything else is an error.
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at)
SELECT 1000 + n, 'a1', 1000, c.code, '2024-01-01' FROM generate_series(1, 36) n,
    LATERAL (SELECT (ARRAY['AUD','BRL','CAD','CNY','CZK','DKK','GBP','HKD','HUF','ILS','INR','MXN','MYR','NOK','NZD','PHP','PLN','RON','SEK','SGD','THB','TRY','TWD','ZAR','AED','ARS','PEN','BOB','COP','CRC','DOP','EGP','GEL','GTQ','HNL','JMD'])[n] AS code) c;
CALL affiliate_run_payouts(through => '2024-01-01');
CREATE TABLE tried (from_status text, to_status text, result text);
DO $$
DECLARE
    statuses text[] := '{pending,processing,paid,failed,canceled,returned}';
    -- the shortest way to each status
    ways jsonb := '{"pending": [], "processing": ["processing"], "paid": ["paid"], "failed": ["failed"], "canceled": ["canceled"], "returned": ["paid", "returned"]}';
    payout bigint; step text; first text; next text; result text;
BEGIN
    SELECT min(id) INTO payout FROM affiliate.payout WHERE through = '2024-01-01';
    FOREACH first IN ARRAY statuses LOOP
        FOREACH next IN ARRAY statuses LOOP
            FOR step IN SELECT jsonb_array_elements_text(ways -> first) LOOP
                PERFORM affiliate_set_payout_status(payout, step);
            END LOOP;
            BEGIN
                PERFORM affiliate_set_payout_status(payout, next);
                result := 'ok';
            EXCEPTION WHEN OTHERS THEN
                result := SQLSTATE;
            END;
            INSERT INTO tried VALUES (first, next, result);
            payout := payout + 1;
        END LOOP;
    END LOOP;
END $$;
SELECT from_status, string_agg(to_status, ', ' ORDER BY to_status) FILTER (WHERE result = 'ok') AS may_become,
    string_agg(DISTINCT result, ', ') FILTER (WHERE result <> 'ok') AS else_error, count(*) FILTER (WHERE result <> 'ok') AS refused
FROM tried GROUP BY from_status ORDER BY from_status;
-- a payout that failed, was canceled or returned has let go of its entries
SELECT o.status, count(DISTINCT o.id) AS payouts, count(*) FILTER (WHERE e.live) AS live_entries, count(*) FILTER (WHERE NOT e.live) AS open_again
FROM affiliate.payout o JOIN affiliate.payout_entry e ON e.payout_id = o.id WHERE o.through = '2024-01-01' GROUP BY o.status ORDER BY o.status;

-- The messages.
SELECT status FROM affiliate_set_payout_status(1, 'processing');
SELECT affiliate_set_payout_status(1, 'processing');
SELECT affiliate_set_payout_status(1, 'canceled');
SELECT status, external_reference FROM affiliate_set_payout_status(1, 'paid', external_reference => 'PAYPAL-123');
SELECT affiliate_set_payout_status(1, 'paid');
SELECT status, external_reference, reason FROM affiliate_set_payout_status(1, 'returned', reason => 'account closed');
SELECT affiliate_set_payout_status(1, 'paid');
SELECT affiliate_set_payout_status(1, 'done');
SELECT affiliate_set_payout_status(999999, 'paid');
SELECT affiliate_set_payout_status(NULL, 'paid');
SELECT affiliate_set_payout_status(2, NULL);
SELECT status, external_reference FROM affiliate_payouts('alice') WHERE payout_id = 1;

-- What was returned is open again, and in the next payout.
SELECT total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice') WHERE currency = 'USD';
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT amount, entries, through, status FROM payouts WHERE code = 'alice' AND currency = 'USD' AND through < '2024-03-01' ORDER BY id;
SELECT total_payout_amount, processing_amount, paid_amount FROM affiliate_stats('alice') WHERE currency = 'USD';

-- A threshold of 0 pays every positive sum, never nothing and never a debt.
SELECT payout_threshold FROM affiliate_set_program('default', payout_threshold => 0);
SELECT code FROM affiliate_create('debtor', code => 'debtor');
SELECT customer FROM affiliate_attribute('d1', code => 'debtor', attributed_at => '2024-01-01');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (60, 'd1', 0.01, '2024-07-01');
CALL affiliate_run_payouts(through => '2024-07-31');
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (61, 'd1', 0.02, '2024-07-01');
CALL affiliate_run_payouts(through => '2024-07-31');
UPDATE affiliate.payment SET refunded = amount WHERE id = 61;
CALL affiliate_run_payouts(through => '2024-07-31');
SELECT amount, entries, status FROM payouts WHERE code = 'debtor' ORDER BY id;
SELECT total_payout_amount FROM affiliate_stats('debtor');

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
