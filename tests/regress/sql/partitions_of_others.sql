-- An attached partitioned table whose owner has no right on anything of ours: the owner goes on adding partitions, and they post.
CREATE DATABASE regress_partitions_of_others;
\c regress_partitions_of_others
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE ROLE regress_host;
CREATE ROLE regress_host_2;
CREATE SCHEMA host AUTHORIZATION regress_host;
SET ROLE regress_host;
CREATE TABLE host.payments (id int, customer text, amount numeric, paid_on date, PRIMARY KEY (id, paid_on)) PARTITION BY RANGE (paid_on);
CREATE TABLE host.january PARTITION OF host.payments FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE host.plain (id int PRIMARY KEY, customer text, amount numeric);
RESET ROLE;
SELECT affiliate_attach_payments('host.plain', customer => 'customer', amount => 'amount') AS binding;
SELECT has_function_privilege('regress_host', 'affiliate.post_payments()', 'EXECUTE') AS needs_it;
SELECT affiliate_attach_payments('host.payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;

SET ROLE regress_host;
CREATE TABLE host.february PARTITION OF host.payments FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE host.march (LIKE host.payments INCLUDING ALL);
ALTER TABLE host.payments ATTACH PARTITION host.march FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
INSERT INTO host.payments VALUES (1, 'bob', 100, '2024-02-10'), (2, 'bob', 100, '2024-03-10');
INSERT INTO host.march VALUES (3, 'bob', 100, '2024-03-11');
-- it forges nothing with that: it can't name the function, and where it could, the function refuses
CREATE TABLE host.forged (id int PRIMARY KEY, customer text, amount numeric);
\set VERBOSITY sqlstate
CREATE TRIGGER forge AFTER INSERT ON host.forged FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
RESET ROLE;
GRANT USAGE ON SCHEMA affiliate TO regress_host;
SET ROLE regress_host;
CREATE TRIGGER forge AFTER INSERT ON host.forged FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
INSERT INTO host.forged VALUES (9, 'bob', 1000000);
\set VERBOSITY verbose
CREATE TRIGGER twice AFTER INSERT ON host.payments FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
INSERT INTO host.payments VALUES (4, 'bob', 100, '2024-02-11');
DROP TRIGGER twice ON host.payments;
RESET ROLE;
SELECT payment_key, sum(amount) FROM affiliate.commission GROUP BY payment_key ORDER BY payment_key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- A new owner is given it by attaching again.
ALTER TABLE host.payments OWNER TO regress_host_2;
GRANT USAGE, CREATE ON SCHEMA host TO regress_host_2;
SET ROLE regress_host_2;
\set VERBOSITY sqlstate
CREATE TABLE host.april PARTITION OF host.payments FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
\set VERBOSITY verbose
RESET ROLE;
SELECT affiliate_detach('host.payments');
SELECT affiliate_attach_payments('host.payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SET ROLE regress_host_2;
CREATE TABLE host.april PARTITION OF host.payments FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
INSERT INTO host.payments VALUES (5, 'bob', 100, '2024-04-11');
RESET ROLE;
SELECT payment_key, sum(amount) FROM affiliate.commission GROUP BY payment_key ORDER BY payment_key;

\c postgres
DROP DATABASE regress_partitions_of_others;
DROP ROLE regress_host, regress_host_2;
