-- Affiliates, their codes, and the links they share.
CREATE DATABASE regress_codes_and_links;
\c regress_codes_and_links
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT name FROM affiliate_set_program('default', link_base => 'https://convocore.ai/ref/');

-- A generated code is 25 lowercase hex digits, a new one each time.
SELECT count(DISTINCT code), bool_and(code ~ '^[0-9a-f]{25}$')
FROM (SELECT affiliate_generate_code() AS code FROM generate_series(1, 1000)) g;

-- Enrolling an account gives it a code and a link.
SELECT id, program, owner, code ~ '^[0-9a-f]{25}$' AS has_generated_code, status, created_at = now() AS created_now
FROM affiliate_create('user-1');
SELECT affiliate_link(code) = 'https://convocore.ai/ref/' || code AS is_the_link FROM affiliate.affiliate WHERE owner = 'user-1';

-- A second call returns the same affiliate.
SELECT count(DISTINCT (a.id, a.code)) FROM generate_series(1, 3), LATERAL affiliate_create('user-1') a;

-- The owner is the application's own key: bigint, uuid and text need no cast.
SELECT owner, code FROM affiliate_create(42, code => 'forty-two');
SELECT owner, code FROM affiliate_create(9223372036854775807, code => 'largest');
SELECT owner, code FROM affiliate_create('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid, code => 'uuid');
SELECT owner, code FROM affiliate_create('naïve ☂'::varchar, code => 'naive');
SELECT owner, code FROM affiliate_create('42');

-- Vanity codes: 3 to 64 ASCII letters, digits, - or _; blanks around them don't count.
SELECT code FROM affiliate_create('vanity', code => '  Summer_Sale-24 ');
SELECT code FROM affiliate_create('short', code => 'abc');
SELECT length(code) FROM affiliate_create('long', code => repeat('x', 64));
SELECT affiliate_create('new', code => 'ab');
SELECT affiliate_create('new', code => repeat('x', 65));
SELECT affiliate_create('new', code => '');
SELECT affiliate_create('new', code => 'with blank');
SELECT affiliate_create('new', code => 'naïve');
SELECT affiliate_create('new', code => '../admin');

-- Codes are unique whatever their case.
SELECT affiliate_create('new', code => 'SUMMER_sale-24');

-- An owner keeps the codes it has; its own code in another case is no other code.
SELECT owner, code FROM affiliate_create('vanity', code => 'summer_sale-24');
SELECT affiliate_create('vanity', code => 'winter');

-- Whom to enroll must be said, and in which program.
SELECT affiliate_create(NULL::text);
SELECT affiliate_create(NULL::bigint);
SELECT affiliate_create('');
SELECT affiliate_create(E' \t');
SELECT affiliate_create(repeat('x', 257));
SELECT affiliate_create('new', program => 'partners');
SELECT affiliate_create('new', program => NULL);
SELECT count(*) AS not_enrolled FROM affiliate.affiliate WHERE owner = 'new';

-- Further codes of the same affiliate: campaigns, coupons.
SELECT affiliate_add_code('Summer_Sale-24', new_code => 'BLACKFRIDAY', label => 'coupon on the podcast');
SELECT affiliate_add_code('blackfriday') ~ '^[0-9a-f]{25}$' AS generated;
SELECT affiliate_add_code('summer_sale-24', new_code => 'BlackFriday');
SELECT affiliate_add_code('summer_sale-24', new_code => 'forty-two');
SELECT affiliate_add_code('summer_sale-24', new_code => 'x');
SELECT affiliate_add_code('summer_sale-24', new_code => 'unlabelled', label => ' ');
SELECT affiliate_add_code('nobody');
SELECT affiliate_add_code(NULL);
SELECT c.code, c.label, c.active FROM affiliate.code c JOIN affiliate.affiliate a ON a.id = c.affiliate_id
WHERE a.owner = 'vanity' AND c.code !~ '^[0-9a-f]{25}$' ORDER BY c.code;
-- owner and first code stay
SELECT owner, code FROM affiliate_create('vanity');

-- A link is the link base of the program, one slash, and the code as it was given.
SELECT affiliate_link(' SUMMER_SALE-24 ');
SELECT affiliate_link('blackfriday');
SELECT link FROM affiliate_stats('blackfriday');
SELECT link_base FROM affiliate_set_program('default', link_base => 'https://a.example');
SELECT affiliate_link('abc');
SELECT link_base FROM affiliate_set_program('default', link_base => 'https://a.example/r//');
SELECT affiliate_link('abc');
SELECT affiliate_link('nobody');
SELECT affiliate_link('');
SELECT affiliate_link(NULL);

-- A deactivated code attributes nobody from then on, but still finds its affiliate.
SELECT affiliate_deactivate_code('BLACKfriday');
SELECT affiliate_deactivate_code('blackfriday');
SELECT affiliate_attribute('user-9', code => 'blackfriday');
SELECT affiliate_link('blackfriday');
SELECT code FROM affiliate_stats('blackfriday');
SELECT active FROM affiliate.code WHERE code = 'BLACKFRIDAY';
SELECT affiliate_deactivate_code('nobody');
SELECT affiliate_deactivate_code(NULL);

-- Taken out of use: suspended earns and is not paid, closed earns nothing new and is final.
SELECT status FROM affiliate_set_status('blackfriday', 'suspended', reason => 'invoice missing');
SELECT status FROM affiliate_set_status('summer_sale-24', 'suspended');
SELECT status FROM affiliate_set_status('summer_sale-24', 'active');
SELECT status FROM affiliate_set_status('summer_sale-24', status => 'closed', reason => 'left');
SELECT status FROM affiliate_set_status('summer_sale-24', 'closed');
SELECT affiliate_set_status('summer_sale-24', 'active');
SELECT affiliate_set_status('summer_sale-24', 'suspended');
SELECT affiliate_add_code('summer_sale-24');
SELECT status, reason FROM affiliate.status_change ORDER BY id;
SELECT status FROM affiliate_create('vanity');
SELECT affiliate_set_status('forty-two', 'deleted');
SELECT affiliate_set_status('forty-two', NULL);
SELECT affiliate_set_status('nobody', 'closed');
SELECT affiliate_set_status(NULL, 'closed');
SELECT count(*) AS closed FROM affiliate.affiliate WHERE status <> 'active';
