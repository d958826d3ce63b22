-- affiliate_explain(): why a payment earned what it earned, or why nothing; in the words of the rules.
CREATE DATABASE regress_explain;
\c regress_explain
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM unnest(ARRAY['alice', 'anna']) o, LATERAL affiliate_create(o, code => o);
SELECT affiliate_add_code('alice', new_code => 'Summer24');
SELECT customer FROM affiliate_attribute('bob', code => 'summer24', attributed_at => '2024-01-01 12:00');
SELECT affiliate_track_click('anna', 'browser-1', clicked_at => '2024-01-01') IS NOT NULL AS tracked;
SELECT customer FROM affiliate_attribute('carol', visitor => 'browser-1', attributed_at => '2024-01-02');
SELECT customer FROM affiliate_attribute('dave', coupon => 'anna', attributed_at => '2024-01-03');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, currency text DEFAULT 'USD', refunded numeric DEFAULT 0, paid_at timestamptz DEFAULT '2024-02-01', status text DEFAULT 'paid');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', refunded => 'refunded', paid_at => 'paid_at',
    paid_when => $$100 / length(status) > 0 AND status = 'paid'$$, since => '2024-01-05') AS binding;
-- What does not depend on when this runs.
CREATE FUNCTION shown(e jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_pretty(jsonb_set(e, '{entries}', coalesce((SELECT jsonb_agg(x - 'posted_at' ORDER BY n) FROM jsonb_array_elements(e -> 'entries') WITH ORDINALITY AS y (x, n)), '[]'))) $$;

-- Everything there is to say.
INSERT INTO payments VALUES (1, 'bob', 19.99);
UPDATE payments SET refunded = 5 WHERE id = 1;
SELECT affiliate_record_refund('payments', 1, 'd-1', 2.50, kind => 'dispute');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT affiliate_set_payout_threshold('default', 'USD', 1);
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT shown(affiliate_explain('payments', 1));
SELECT o.status FROM affiliate_set_payout_status(1, 'failed', reason => 'bounced') o;
SELECT e #> '{entries,0,payout}' AS payout, e #> '{entries,0,payout_status}' AS status FROM affiliate_explain('payments', 1) e;
-- the terms that are frozen, not today's; a day that is still to come
SELECT rate FROM affiliate_set_program('default', rate => 0.125, hold_days => 3650);
INSERT INTO payments VALUES (2, 'carol', 0.99, 'KWD'), (3, 'dave', 999, 'JPY');
SELECT e #>> '{commission,rate}' AS rate, e #>> '{commission,matures_on}' AS matures_on, e #>> '{commission,is_matured}' AS matured FROM affiliate_explain('payments', 1) e;
SELECT e -> 'commission' AS commission, e #> '{referral,source}' AS source, e #> '{referral,code}' AS code FROM payments, affiliate_explain('payments', id) e WHERE id IN (2, 3) ORDER BY id;
SELECT rate FROM affiliate_set_program('default', rate => 0.30, hold_days => 0);

-- Every reason for which a payment earns nothing.
INSERT INTO payments VALUES
    (10, 'eve', 10), (11, NULL, 10), (12, 'bob', 0), (20, 'carol', 10), (21, 'bob', 10);
INSERT INTO payments (id, customer, amount, paid_at, status) VALUES
    (13, 'bob', 10, '2024-01-01 11:59:59', 'paid'), (14, 'bob', 10, '2024-01-04', 'paid'), (15, 'bob', 10, '2024-02-01', 'open'), (16, 'bob', 10, '2024-02-01', NULL);
INSERT INTO payments (id, customer, amount, currency, refunded, paid_at, status) VALUES
    (30, 'bob', NULL, 'USD', 0, '2024-02-01', 'paid'), (31, 'bob', 'NaN', 'USD', 0, '2024-02-01', 'paid'), (32, 'bob', -1, 'USD', 0, '2024-02-01', 'paid'), (33, 'bob', 1e29, 'USD', 0, '2024-02-01', 'paid'),
    (34, 'bob', 10, NULL, 0, '2024-02-01', 'paid'), (35, 'bob', 10, 'doge', 0, '2024-02-01', 'paid'), (36, 'bob', 10, 'USD', -1, '2024-02-01', 'paid'), (37, 'bob', 10, 'USD', 'NaN', '2024-02-01', 'paid'),
    (38, 'bob', 10, 'USD', 1e29, '2024-02-01', 'paid'), (39, 'bob', 10, 'USD', 0, 'infinity', 'paid');
INSERT INTO payments (id, customer, amount, status) VALUES (40, 'bob', 10, '');
SELECT o.status FROM affiliate_set_status('anna', 'closed') o;
INSERT INTO payments VALUES (22, 'carol', 10);
DELETE FROM payments WHERE id = 21;
SELECT id, e ->> 'reason' AS reason, left(e ->> 'detail', 20) AS detail, e #>> '{commission,target}' AS target, jsonb_array_length(e -> 'entries') AS entries
FROM generate_series(10, 41) id, affiliate_explain('payments', id) e WHERE id NOT BETWEEN 17 AND 19 AND id NOT BETWEEN 23 AND 29 ORDER BY id;
-- who has no referral, and a row that is not there
SELECT shown(affiliate_explain('payments', 10));
SELECT shown(affiliate_explain('payments', 41));
-- deleted: the entries are still told
SELECT shown(affiliate_explain('payments', 21));
-- closed, but posted before: goes on
SELECT e ->> 'reason' AS reason, e #>> '{commission,target}' AS target, e #>> '{referral,affiliate_status}' AS status FROM affiliate_explain('payments', 20) e;
-- bad data over a payment that is posted
UPDATE payments SET amount = 'NaN' WHERE id = 1;
SELECT e ->> 'reason' AS reason, e ->> 'detail' AS detail, e -> 'commission' AS commission, jsonb_array_length(e -> 'entries') AS entries FROM affiliate_explain('payments', 1) e;
UPDATE payments SET amount = 19.99, customer = 'eve' WHERE id = 1;
SELECT e ->> 'reason' AS reason, e -> 'referral' AS referral, jsonb_array_length(e -> 'entries') AS entries FROM affiliate_explain('payments', 1) e;
DELETE FROM payments WHERE id BETWEEN 30 AND 40;

-- Fully refunded, it earns 0, and says so; a commission that rounds to 0.
INSERT INTO payments VALUES (50, 'bob', 10, 'USD', 10), (51, 'bob', 0.01, 'USD', 0), (52, 'bob', 10, 'USD', 99);
SELECT id, e ->> 'reason' AS reason, e -> 'commission' AS commission FROM payments, affiliate_explain('payments', id) e WHERE id >= 50 ORDER BY id;

-- Kept when deleted; a refund that waits for its payment; a refund in another currency.
CREATE TABLE kept (number text PRIMARY KEY, customer text, amount numeric);
CREATE TABLE kept_refunds (id int PRIMARY KEY, number text, amount numeric, currency text);
SELECT affiliate_attach_payments('kept', customer => 'customer', amount => 'amount', on_delete => 'keep') AS binding;
SELECT affiliate_attach_refunds('kept_refunds', payments => 'kept', payment_key => 'number', refund_key => 'id', amount => 'amount', currency => 'currency') AS binding;
INSERT INTO kept VALUES ('A', 'bob', 10), ('B', 'bob', 20);
DELETE FROM kept WHERE number = 'A';
SELECT e ->> 'reason' AS reason, e -> 'commission' AS commission, jsonb_array_length(e -> 'entries') AS entries FROM affiliate_explain('kept', 'A') e;
SELECT e ->> 'reason' AS reason, e -> 'commission' AS commission, jsonb_array_length(e -> 'entries') AS entries FROM affiliate_explain('kept', 'never there') e;
INSERT INTO kept_refunds VALUES (1, 'B', 5, 'EUR');
SELECT e ->> 'reason' AS reason, e ->> 'detail' AS detail FROM affiliate_explain('kept', 'B') e;
UPDATE kept_refunds SET currency = 'USD';
SELECT e #>> '{commission,refunded}' AS refunded, e #>> '{commission,target}' AS target FROM affiliate_explain('kept', 'B') e;

-- Keys of every type, as they are written; composite ones as a row.
CREATE TABLE keyed (a uuid, b date, c text, customer text, amount numeric, PRIMARY KEY (a, b, c));
SELECT affiliate_attach_payments('keyed', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO keyed VALUES ('00000000-0000-0000-0000-00000000000A', '2024-02-01', 'x, "y"', 'bob', 10);
SELECT e ->> 'payment_key' AS key, e #>> '{commission,target}' AS target FROM affiliate_explain('keyed', '(00000000-0000-0000-0000-00000000000a,2024-02-01,"x, ""y""")') e;
SELECT e ->> 'payment_key' AS key, e #>> '{commission,target}' AS target FROM affiliate_explain('keyed', '({0000000000000000000000000000000A},"Feb 1, 2024","x, \"y\"")') e;
SELECT e ->> 'payment_key' AS key, e #>> '{commission,target}' AS target FROM affiliate_explain('payments', ' 50 ') e;
SELECT e ->> 'payment_key' AS key, e #>> '{commission,target}' AS target FROM affiliate_explain('payments', 50::smallint) e;
CREATE TABLE by_uuid (id uuid PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('by_uuid', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO by_uuid VALUES ('00000000-0000-0000-0000-00000000000A', 'bob', 10);
SELECT e ->> 'payment_key' AS key, e #>> '{commission,target}' AS target FROM by_uuid u, affiliate_explain('by_uuid', u.id) e;

-- What it can't explain.
CREATE TABLE unbound (id int PRIMARY KEY);
SELECT affiliate_explain('unbound', 1);
SELECT affiliate_explain(NULL, 1);
SELECT affiliate_explain('payments', NULL::text);
SELECT affiliate_explain('payments', '');
SELECT affiliate_explain('keyed', '1,2,3');
SELECT affiliate_explain('keyed', '(1,2)');
SELECT affiliate_explain('keyed', '(00000000-0000-0000-0000-00000000000a,,x)');
\set VERBOSITY sqlstate
SELECT affiliate_explain('payments', 'fifty');
SELECT affiliate_explain('nowhere', 1);
SELECT affiliate_explain('keyed', '(x,y,z)');
\set VERBOSITY verbose

-- It changes nothing.
SELECT count(*) FROM affiliate.quarantine WHERE resolved_at IS NULL;
SET session_replication_role = replica;
INSERT INTO payments VALUES (60, 'bob', 10), (61, 'bob', 'NaN');
RESET session_replication_role;
BEGIN READ ONLY;
SELECT id, e ->> 'reason' AS reason, e #>> '{commission,target}' AS target, e -> 'entries' AS entries FROM payments, affiliate_explain('payments', id) e WHERE id >= 60 ORDER BY id;
COMMIT;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
DELETE FROM payments WHERE id = 61;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
