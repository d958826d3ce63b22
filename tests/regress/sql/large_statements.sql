-- Statements of few and of many rows find the same referrals, whatever the type of the customer and however much of
-- them fits into work_mem.
CREATE DATABASE regress_large_statements;
\c regress_large_statements
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT name FROM affiliate_set_program('partners');
SELECT code FROM affiliate_create('paul', code => 'paul', program => 'partners');
-- every tenth customer, some texts that only look like one, and one of another program
SELECT count(affiliate_attribute(n, code => 'alice', attributed_at => '2024-01-01')) FROM generate_series(10, 20000, 10) n;
SELECT count(affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01'))
FROM unnest(ARRAY['011', '+12', '13.0', '-14', '9223372036854775808']) who;
SELECT count(affiliate_attribute('15', code => 'paul', program => 'partners', attributed_at => '2024-01-01'));

CREATE TABLE numbered (id int PRIMARY KEY, customer bigint NOT NULL, amount numeric NOT NULL, paid_at date DEFAULT '2024-02-01');
CREATE TABLE lettered (id int PRIMARY KEY, customer text NOT NULL, amount numeric NOT NULL, paid_at date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('numbered', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
SELECT affiliate_attach_payments('lettered', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;

CREATE FUNCTION customer(n int) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN CASE WHEN n % 97 = 0 THEN -14 ELSE 1 + n % 25000 END;
-- by payment, what was posted
CREATE FUNCTION posted(first int, last int, OUT payments regclass, OUT entries bigint, OUT customers bigint, OUT earned numeric, OUT wrong bigint)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT b.payments, count(*), count(DISTINCT r.customer), sum(c.amount), count(*) FILTER (WHERE r.customer <> p.customer)
    FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.referral r ON r.id = c.referral_id
        JOIN (SELECT 'numbered'::regclass AS payments, id, customer::text FROM numbered
            UNION ALL SELECT 'lettered', id, customer FROM lettered) p ON p.payments = b.payments AND p.id = c.payment_key::int
    WHERE c.payment_key::int BETWEEN first AND last GROUP BY 1 ORDER BY 1::text DESC
$$;
-- what should have been
CREATE FUNCTION expected(first int, last int, OUT entries bigint, OUT customers bigint, OUT earned numeric) LANGUAGE sql AS $$
    SELECT count(*), count(DISTINCT customer(n)), sum(round(0.30 * (n % 100 + 1), 2)) FROM generate_series(first, last) n
    WHERE customer(n) % 10 = 0 AND customer(n) BETWEEN 10 AND 20000 OR customer(n) = -14
$$;

-- A few, some that are asked for one by one, and enough to read all referrals.
INSERT INTO numbered SELECT n, customer(n), n % 100 + 1 FROM generate_series(1, 30) n;
INSERT INTO lettered SELECT n, customer(n), n % 100 + 1 FROM generate_series(1, 30) n;
SELECT * FROM posted(1, 30);
SELECT * FROM expected(1, 30);
INSERT INTO numbered SELECT n, customer(n), n % 100 + 1 FROM generate_series(101, 1000) n;
INSERT INTO lettered SELECT n, customer(n), n % 100 + 1 FROM generate_series(101, 1000) n;
SELECT * FROM posted(101, 1000);
SELECT * FROM expected(101, 1000);
INSERT INTO numbered SELECT n, customer(n), n % 100 + 1 FROM generate_series(1001, 30000) n;
INSERT INTO lettered SELECT n, customer(n), n % 100 + 1 FROM generate_series(1001, 30000) n;
SELECT * FROM posted(1001, 30000);
SELECT * FROM expected(1001, 30000);

-- Without room for all of them.
SET work_mem = '64kB';
INSERT INTO numbered SELECT n, customer(n), n % 100 + 1 FROM generate_series(30001, 60000) n;
INSERT INTO lettered SELECT n, customer(n), n % 100 + 1 FROM generate_series(30001, 60000) n;
SELECT * FROM posted(30001, 60000);
SELECT * FROM expected(30001, 60000);
RESET work_mem;

-- Inserted again after they were deleted, among others that are new: that they have entries already is found out when
-- one is added.
CREATE TEMP TABLE kept AS SELECT * FROM numbered WHERE id <= 3000;
DELETE FROM numbered WHERE id <= 3000;
INSERT INTO numbered SELECT * FROM kept UNION ALL SELECT n, customer(n), n % 100 + 1, '2024-02-01' FROM generate_series(60001, 62000) n;
SELECT c.seq, count(*) AS entries, sum(c.amount) FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id
WHERE b.payments = 'numbered'::regclass AND c.payment_key::int <= 3000 GROUP BY c.seq ORDER BY c.seq;
SELECT entries, earned FROM posted(60001, 62000);
SELECT entries, earned FROM expected(60001, 62000);

-- Transition tables that go to disk, old and new rows side by side.
ALTER TABLE numbered ADD note text;
SET work_mem = '64kB';
INSERT INTO numbered SELECT n, customer(n), n % 100 + 1, '2024-02-01', repeat('x', n % 700) FROM generate_series(100001, 130000) n;
UPDATE numbered SET note = repeat('y', id % 900) WHERE id > 100000;
UPDATE numbered SET note = 'z', amount = amount + 1 WHERE id > 100000;
SELECT * FROM posted(100001, 130000) WHERE payments = 'numbered'::regclass;
SELECT 2 * entries AS entries, customers, earned + 0.30 * entries AS earned FROM expected(100001, 130000);
DELETE FROM numbered WHERE id > 100000;
SELECT count(*) AS entries, sum(amount) AS earned FROM affiliate.commission WHERE payment_key::int > 100000;
RESET work_mem;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
