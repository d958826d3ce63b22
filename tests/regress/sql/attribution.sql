-- Attribution: this customer belongs to that affiliate from this moment.
CREATE DATABASE regress_attribution;
\c regress_attribution
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT code FROM affiliate_create('bob', code => 'bob');

-- At sign-up the application says whose code was in the link.
SELECT program, customer, affiliate_id, code, source, attributed_at = now() AS from_now
FROM affiliate_attribute('user-1', code => 'alice');

-- The customer's key is of any type, without a cast, and known by its text.
SELECT customer, code FROM affiliate_attribute(42, code => ' ALICE ');
SELECT customer, code FROM affiliate_attribute(9223372036854775807, code => 'alice');
SELECT customer, code FROM affiliate_attribute('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid, code => 'alice');
SELECT customer, code FROM affiliate_attribute('naïve ☂', code => 'alice');
CREATE TABLE accounts (id bigint, key uuid, name varchar(20));
INSERT INTO accounts VALUES (43, '00000000-0000-0000-0000-000000000001', 'carol');
SELECT r.customer FROM accounts, LATERAL (
    SELECT * FROM affiliate_attribute(accounts.id, code => 'bob')
    UNION ALL SELECT * FROM affiliate_attribute(accounts.key, code => 'bob')
    UNION ALL SELECT * FROM affiliate_attribute(accounts.name, code => 'bob')) r;

-- A second call returns the first referral unchanged, whatever it says.
SELECT code, source, attributed_at FROM affiliate_attribute('first', code => 'alice', attributed_at => '2024-01-01');
SELECT code, source, attributed_at FROM affiliate_attribute('first', code => 'alice');
SELECT code, source, attributed_at FROM affiliate_attribute('first', coupon => 'bob', attributed_at => '2023-01-01');
SELECT code FROM affiliate_attribute('first', code => 'nobody');
SELECT code FROM affiliate_attribute('42', code => 'bob');
SELECT count(*) FROM affiliate.referral WHERE customer IN ('first', '42');

-- Unknown and inactive codes get the same error: it does not tell which codes there are.
SELECT affiliate_add_code('bob', new_code => 'old-campaign');
SELECT affiliate_deactivate_code('old-campaign');
SELECT code FROM affiliate_create('closed', code => 'closed');
SELECT status FROM affiliate_set_status('closed', 'closed');
SELECT name FROM affiliate_set_program('partners');
SELECT code FROM affiliate_create('dave', code => 'dave', program => 'partners');
SELECT affiliate_attribute('new', code => 'nobody');
SELECT affiliate_attribute('new', code => 'old-campaign');
SELECT affiliate_attribute('new', code => 'closed');
-- a code of another program
SELECT affiliate_attribute('new', code => 'dave');
SELECT affiliate_attribute('new', coupon => 'nobody');

-- Codes of a suspended affiliate still attribute.
SELECT status FROM affiliate_set_status('bob', 'suspended');
SELECT customer, code FROM affiliate_attribute('late', code => 'bob');
SELECT status FROM affiliate_set_status('bob', 'active');

-- Malformed input.
SELECT affiliate_attribute('new', code => 'a b');
SELECT affiliate_attribute('new', code => '');
SELECT affiliate_attribute('new', coupon => 'x');
SELECT affiliate_attribute('new', visitor => ' ');
SELECT affiliate_attribute('new');
SELECT affiliate_attribute(NULL::text, code => 'alice');
SELECT affiliate_attribute(NULL::bigint, code => 'alice');
SELECT affiliate_attribute('', code => 'alice');
SELECT affiliate_attribute(repeat('x', 257), code => 'alice');
SELECT affiliate_attribute('new', code => 'alice', program => 'nowhere');
SELECT affiliate_attribute('new', code => 'alice', program => NULL);
SELECT affiliate_attribute('new', code => 'alice', attributed_at => NULL);
SELECT affiliate_attribute('new', code => 'alice', attributed_at => 'infinity');
SELECT affiliate_attribute('new', code => 'alice', attributed_at => '-infinity');
SELECT count(*) AS referred FROM affiliate.referral WHERE customer = 'new';

-- Nobody is their own affiliate, by whichever way, unless the program allows it.
SELECT affiliate_add_code('alice', new_code => 'ALICE10');
SELECT affiliate_attribute('alice', code => 'alice');
SELECT affiliate_attribute('alice', coupon => 'alice10');
SELECT affiliate_track_click('alice', 'browser-of-alice');
SELECT affiliate_attribute('alice', visitor => 'browser-of-alice');
SELECT self_referral FROM affiliate_set_program('default', self_referral => 'allow');
SELECT customer, code FROM affiliate_attribute('alice', code => 'alice');
SELECT self_referral FROM affiliate_set_program('default', self_referral => 'reject');

-- Each program has its own referral of a customer.
SELECT program, customer, code FROM affiliate_attribute('user-1', code => 'dave', program => 'partners');
SELECT program, code FROM affiliate.referral WHERE customer = 'user-1' ORDER BY program;

-- An explicit code wins over a coupon, a coupon over clicks.
SELECT affiliate_track_click('alice', 'browser-1', clicked_at => '2024-03-01');
SELECT code, source FROM affiliate_attribute('p1', code => 'bob', visitor => 'browser-1', attributed_at => '2024-03-02');
SELECT code, source FROM affiliate_attribute('p2', coupon => 'bob', visitor => 'browser-1', attributed_at => '2024-03-02');
SELECT code, source FROM affiliate_attribute('p3', code => 'bob', coupon => 'alice10', attributed_at => '2024-03-02');
SELECT code, source FROM affiliate_attribute('p4', visitor => 'browser-1', attributed_at => '2024-03-02');

-- A click counts for attribution_days, 30 at first, both ends included, and never backwards.
SELECT code FROM affiliate_attribute('w1', visitor => 'browser-1', attributed_at => '2024-03-31 00:00');
SELECT code FROM affiliate_attribute('w2', visitor => 'browser-1', attributed_at => '2024-03-31 00:00:00.000001');
SELECT code FROM affiliate_attribute('w3', visitor => 'browser-1', attributed_at => '2024-03-01 00:00');
SELECT code FROM affiliate_attribute('w4', visitor => 'browser-1', attributed_at => '2024-02-29 23:59:59');
SELECT code FROM affiliate_attribute('w5', visitor => 'browser-2');
SELECT attribution_days FROM affiliate_set_program('default', attribution_days => 60);
SELECT code FROM affiliate_attribute('w2', visitor => 'browser-1', attributed_at => '2024-03-31 00:00:00.000001');

-- Days are those of the program's time zone; the session's makes no difference, even where clocks change.
SELECT affiliate_track_click('alice', 'browser-4', clicked_at => '2024-03-01 00:00+00');
SELECT attribution_days FROM affiliate_set_program('default', attribution_days => 30);
SET timezone = 'America/Los_Angeles';
SELECT code FROM affiliate_attribute('z1', visitor => 'browser-4', attributed_at => '2024-03-31 00:00+00');
SET timezone = 'UTC';
SELECT attribution_days FROM affiliate_set_program('default', attribution_days => 60);

-- Of several clicks the last one counts, or the first one, as the program says.
SELECT affiliate_track_click('bob', 'browser-1', clicked_at => '2024-03-10');
SELECT affiliate_track_click('alice10', 'browser-1', clicked_at => '2024-03-20');
SELECT code FROM affiliate_attribute('m1', visitor => 'browser-1', attributed_at => '2024-03-15');
SELECT code FROM affiliate_attribute('m2', visitor => 'browser-1', attributed_at => '2024-03-25');
SELECT attribution FROM affiliate_set_program('default', attribution => 'first_click');
SELECT code FROM affiliate_attribute('m3', visitor => 'browser-1', attributed_at => '2024-03-25');
-- the first one within the window
SELECT code FROM affiliate_attribute('m4', visitor => 'browser-1', attributed_at => '2024-05-05');
-- clicks on codes that are out of use by now don't count
SELECT affiliate_deactivate_code('bob');
SELECT code FROM affiliate_attribute('m5', visitor => 'browser-1', attributed_at => '2024-05-05');

-- Clicks on what is no code in use are refused.
SELECT affiliate_track_click('nobody', 'browser-3');
SELECT affiliate_track_click('old-campaign', 'browser-3');
SELECT affiliate_track_click('closed', 'browser-3');
SELECT affiliate_track_click('a b', 'browser-3');
SELECT affiliate_track_click(NULL, 'browser-3');
SELECT affiliate_track_click('alice', NULL);
SELECT affiliate_track_click('alice', '');
SELECT affiliate_track_click('alice', repeat('x', 257));
SELECT affiliate_track_click('alice', 'browser-3', clicked_at => NULL);
SELECT affiliate_track_click('alice', 'browser-3', clicked_at => 'infinity');
SELECT count(*) AS clicks FROM affiliate.click WHERE visitor = 'browser-3';

SELECT sum(violations) AS violations FROM affiliate_verify();
