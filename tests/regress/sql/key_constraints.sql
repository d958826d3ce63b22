-- from: 18
-- Payment keys by constraints that earlier versions do not have.
CREATE DATABASE regress_key_constraints;
\c regress_key_constraints
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE EXTENSION btree_gist;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('u-1', code => 'alice', attributed_at => '2024-01-01');

-- NOT NULL, but not of the rows that are there.
CREATE TABLE imported (id int UNIQUE, customer text, amount numeric);
INSERT INTO imported VALUES (NULL, 'u-1', 10), (NULL, 'u-1', 20), (1, 'u-1', 30);
ALTER TABLE imported ADD CONSTRAINT has_id NOT NULL id NOT VALID;
SELECT affiliate_attach_payments('imported', payment_key => 'id', customer => 'customer', amount => 'amount');
DELETE FROM imported WHERE id IS NULL;
ALTER TABLE imported VALIDATE CONSTRAINT has_id;
SELECT affiliate_attach_payments('imported', payment_key => 'id', customer => 'customer', amount => 'amount') AS binding;

-- A key of which a part is a range that overlaps no other.
CREATE TABLE booking (room int, during daterange, customer text, amount numeric, PRIMARY KEY (room, during WITHOUT OVERLAPS));
SELECT affiliate_attach_payments('booking', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO booking VALUES (1, '[2024-01-01,2024-01-02]', 'u-1', 100), (1, '[2024-02-01,2024-02-02]', 'u-1', 200);
UPDATE booking SET amount = 300 WHERE amount = 200;
SELECT affiliate_record_refund('booking', '(1,"[2024-02-01,2024-02-02]")', 'r1', 100);
DELETE FROM booking WHERE amount = 100;
SELECT payment_key, seq, amount FROM affiliate.commission ORDER BY payment_key, seq;
SELECT affiliate_backfill('imported');
SELECT check_name, violations FROM affiliate_verify() WHERE violations <> 0;
\c postgres
DROP DATABASE regress_key_constraints;
