-- A sign-up that must not fail: what is not valid is passed over, and without a referral there is no row.
CREATE DATABASE regress_try_attribute;
\c regress_try_attribute
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT count(affiliate_create(owner => o, code => o || '-tips')) FROM unnest(ARRAY['ann', 'bob', 'zoe']) o;
SELECT status FROM affiliate_set_status('zoe-tips', 'closed');
SELECT affiliate_track_click('bob-tips', 'browser', clicked_at => now());
SELECT customer, code, source FROM affiliate_try_attribute('c1', code => 'ann-tips', coupon => 'bob-tips');
SELECT customer, code, source FROM affiliate_try_attribute('c2', code => 'no such code', coupon => 'ann-tips');
SELECT customer, code, source FROM affiliate_try_attribute('c3', code => '   ', coupon => '!', visitor => 'browser');
SELECT customer, code, source FROM affiliate_try_attribute(4, code => 'zoe-tips', visitor => 'browser');
SELECT customer, code, source FROM affiliate_try_attribute('00000000-0000-0000-0000-000000000005'::uuid, coupon => 'ann-tips');
-- nobody
SELECT customer, code, source FROM affiliate_try_attribute('c6', code => 'nope', coupon => 'zoe-tips', visitor => 'another');
SELECT customer, code, source FROM affiliate_try_attribute('c6');
SELECT customer, code, source FROM affiliate_try_attribute('ann', code => 'ann-tips');
SELECT customer, code, source FROM affiliate_try_attribute('c6', visitor => repeat('v', 1000));
-- the first referral stays
SELECT customer, code, source FROM affiliate_try_attribute('c1', code => 'bob-tips');
-- a transaction that goes on
BEGIN;
SELECT count(*) FROM affiliate_try_attribute('c7', code => 'nope');
SELECT count(*) FROM affiliate.referral;
COMMIT;
-- misuse is an error
SELECT affiliate_try_attribute(NULL::text, code => 'ann-tips');
SELECT affiliate_try_attribute('c8', code => 'ann-tips', program => 'nope');
SELECT affiliate_try_attribute('c8', code => 'ann-tips', attributed_at => NULL);
SELECT affiliate_try_attribute('', code => 'ann-tips');

-- A link has its code in the place that the base has for it.
SELECT link_base FROM affiliate_set_program('default', link_base => 'https://acme.example/?via={code}&utm={code}');
SELECT affiliate_link('ann-tips');
SELECT DISTINCT link FROM affiliate_stats() ORDER BY link;
SELECT link_base FROM affiliate_set_program('default', link_base => 'https://acme.example/ref///');
SELECT affiliate_link('ann-tips');
-- What a call changed, it says.
SELECT affiliate_deactivate_code('ann-tips'), affiliate_deactivate_code('ann-tips');
