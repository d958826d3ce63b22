-- What affiliate_attach_payments() and affiliate_detach() refuse: with the reason and the remedy, changing nothing.
CREATE DATABASE regress_attach_bad_input;
\c regress_attach_bad_input
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE TABLE payments (
    id bigint PRIMARY KEY,
    number text NOT NULL UNIQUE,
    nullable text UNIQUE,
    customer text NOT NULL,
    amount numeric NOT NULL,
    cents bigint,
    price float8,
    real_price real,
    fee money,
    currency text,
    paid_at timestamptz,
    status text,
    flag boolean,
    doc jsonb,
    tags text[],
    at time,
    "user" int
);

-- NULLs and empty texts.
SELECT affiliate_attach_payments(NULL, customer => 'customer', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => NULL, amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => NULL);
SELECT affiliate_attach_payments('payments', customer => '', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => ' ');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => '');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', replica => NULL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', minor_units => NULL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', program => NULL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', on_delete => NULL);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => '');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => 'id,');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_when => '');
SELECT affiliate_attach_payments('payments', customer => repeat('x', 300), amount => 'amount');

-- Columns that don't exist. Names are as the catalog has them, not folded.
SELECT affiliate_attach_payments('payments', customer => 'client', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'CUSTOMER', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'total');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'USD');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'created_at');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', refunded => 'refunded');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', product => 'product');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => 'id, part');
SELECT affiliate_attach_payments('payments', customer => 'ctid', amount => 'amount');

-- Unusable types: floating point can't hold money, and a text of cents is no number.
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'price');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'real_price');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'fee');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'number');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'price', minor_units => true);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'cents', minor_units => true, refunded => 'price');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', refunded => 'price');
SELECT affiliate_attach_payments('payments', customer => 'price', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'doc', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'tags', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'flag', amount => 'amount');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'doc');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'at');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'number');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'price');

-- Currencies, programs, policies.
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency => 'currency', currency_code => 'dollars');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency_code => 'DOGE');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', currency_code => '');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', program => 'partners');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', on_delete => 'ignore');
BEGIN;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', since => 'infinity');
ROLLBACK;

-- Payments must be told apart: a primary key, or columns that are NOT NULL and have a unique index.
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => 'customer');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => 'nullable');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => 'id, number');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => 'id, id');
CREATE TABLE no_key (id int, customer text, amount numeric);
SELECT affiliate_attach_payments('no_key', customer => 'customer', amount => 'amount');
CREATE TABLE deferrable_key (id int PRIMARY KEY DEFERRABLE, customer text, amount numeric);
SELECT affiliate_attach_payments('deferrable_key', customer => 'customer', amount => 'amount');
CREATE TABLE partial (id int NOT NULL, customer text, amount numeric);
CREATE UNIQUE INDEX ON partial (id) WHERE amount > 0;
CREATE UNIQUE INDEX ON partial (abs(id));
SELECT affiliate_attach_payments('partial', customer => 'customer', amount => 'amount', payment_key => 'id');
CREATE TABLE float_key (id float8 PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('float_key', customer => 'customer', amount => 'amount');

-- What is no ordinary table.
\set VERBOSITY sqlstate
SELECT affiliate_attach_payments('nowhere', customer => 'customer', amount => 'amount');
SELECT affiliate_attach_payments(0::regclass, customer => 'customer', amount => 'amount');
SELECT affiliate_attach_payments(99999999::regclass, customer => 'customer', amount => 'amount');
\set VERBOSITY verbose
CREATE VIEW a_view AS SELECT * FROM payments;
SELECT affiliate_attach_payments('a_view', customer => 'customer', amount => 'amount');
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM payments;
SELECT affiliate_attach_payments('a_matview', customer => 'customer', amount => 'amount');
CREATE FOREIGN DATA WRAPPER dummy;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER dummy;
CREATE FOREIGN TABLE a_foreign_table (id bigint, customer text, amount numeric) SERVER elsewhere;
SELECT affiliate_attach_payments('a_foreign_table', customer => 'customer', amount => 'amount');
CREATE SEQUENCE a_sequence;
SELECT affiliate_attach_payments('a_sequence', customer => 'customer', amount => 'amount');
SELECT affiliate_attach_payments('payments_pkey', customer => 'customer', amount => 'amount');
CREATE TYPE a_type AS (id bigint, customer text, amount numeric);
SELECT affiliate_attach_payments('a_type', customer => 'customer', amount => 'amount');
CREATE TEMPORARY TABLE a_temporary_table (id bigint PRIMARY KEY, customer text, amount numeric);
\set VERBOSITY sqlstate
SELECT affiliate_attach_payments('a_temporary_table', customer => 'customer', amount => 'amount');
\echo :LAST_ERROR_MESSAGE
SELECT affiliate_attach_payments('pg_class', customer => 'relname', amount => 'relpages', payment_key => 'oid');
\set VERBOSITY verbose

-- Inheritance: an INSERT into a child would not be seen. Partitioning is fine, but by its root.
CREATE TABLE a_parent (id bigint PRIMARY KEY, customer text, amount numeric);
CREATE TABLE a_child (PRIMARY KEY (id)) INHERITS (a_parent);
SELECT affiliate_attach_payments('a_parent', customer => 'customer', amount => 'amount');
SELECT affiliate_attach_payments('a_child', customer => 'customer', amount => 'amount');
CREATE TABLE partitioned (id bigint PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE partition_1 PARTITION OF partitioned FOR VALUES FROM (0) TO (100);
SELECT affiliate_attach_payments('partition_1', customer => 'customer', amount => 'amount');

-- The extension's own tables.
SELECT affiliate_attach_payments('affiliate.payment', customer => 'customer', amount => 'amount');
\set VERBOSITY sqlstate
BEGIN;
SELECT affiliate_attach_payments('affiliate.commission', customer => 'payment_key', amount => 'amount', payment_key => 'binding_id, payment_key, seq');
ROLLBACK;
\set VERBOSITY verbose
SELECT affiliate_detach('affiliate.payment');

-- None of that left a binding or a trigger.
SELECT id, payments FROM affiliate.binding;
SELECT tgrelid::regclass, tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.pronamespace = 'affiliate'::regnamespace AND tgrelid::regclass::text NOT LIKE 'affiliate.%';

-- Attached twice; detached twice; attached again.
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') > 1 AS attached;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at');
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice');
INSERT INTO payments (id, number, customer, amount) VALUES (1, 'R-1', 'bob', 20);
SELECT affiliate_detach('payments');
SELECT affiliate_detach('payments');
SELECT affiliate_detach('no_key');
SELECT affiliate_detach(NULL);
SELECT affiliate_detach(99999999::regclass);
-- the ledger knows its payments by their key: it can't be another one now
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', payment_key => 'number');
SELECT id AS number FROM affiliate.binding WHERE payments = 'payments'::regclass \gset
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount') = :number AS the_same_number;
SELECT affiliate_detach('payments');
SELECT sum(violations) AS violations FROM affiliate_verify();
