-- Every way in which rows get into a payments table: each eligible row is posted once, in the same transaction.
CREATE DATABASE regress_insert_forms;
\c regress_insert_forms
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text NOT NULL, amount numeric NOT NULL CHECK (amount > -1), note text DEFAULT 'none', paid_at date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, c.seq, c.currency, c.base, c.amount
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id;

-- One row, several rows with mixed customers, none at all.
INSERT INTO payments (id, customer, amount) VALUES (1, 'bob', 20);
INSERT INTO payments (id, customer, amount) VALUES (2, 'bob', 10), (3, 'eve', 10), (4, 'carol', 200), (5, 'bob', 0), (6, 'bob', 0.01);
INSERT INTO payments (id, customer, amount) SELECT 7, 'bob', 10 WHERE false;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;

-- INSERT ... SELECT, from elsewhere and from the table itself.
CREATE TABLE staging (id int, who text, price numeric);
INSERT INTO staging VALUES (10, 'bob', 30), (11, 'eve', 30), (12, 'carol', 40);
INSERT INTO payments (id, customer, amount) SELECT * FROM staging;
INSERT INTO payments (id, customer, amount) SELECT id + 10, customer, amount + 1 FROM payments WHERE id IN (10, 11, 12);
SELECT key, seq, base, amount FROM ledger WHERE key BETWEEN 10 AND 29 ORDER BY key;

-- COPY in its formats, with columns left out and in another order.
COPY payments (id, customer, amount) FROM stdin;
30	bob	50
31	eve	50
32	carol	60
\.
COPY payments (amount, id, customer) FROM stdin WITH (FORMAT csv, HEADER);
amount,id,customer
"70",33,"bob"
80,34,dave
\.
SELECT key, seq, base, amount FROM ledger WHERE key BETWEEN 30 AND 39 ORDER BY key;

-- Many at once: more than are written, and than are freed, in one go.
INSERT INTO payments (id, customer, amount)
SELECT n, (ARRAY['bob', 'eve', 'carol', 'dave'])[n % 4 + 1], n % 100 + 1 FROM generate_series(10001, 13000) n;
SELECT count(*), count(DISTINCT key), min(seq), max(seq), sum(base), sum(amount) FROM ledger WHERE key > 10000;
SELECT count(*), sum(amount), sum(round(amount * 0.30, 2)) FROM payments WHERE id > 10000 AND customer IN ('bob', 'carol');

-- ON CONFLICT DO NOTHING: what is not inserted is not posted.
INSERT INTO payments (id, customer, amount) VALUES (1, 'bob', 1000), (40, 'bob', 20), (40, 'bob', 30) ON CONFLICT DO NOTHING;
INSERT INTO payments (id, customer, amount) VALUES (1, 'bob', 1000) ON CONFLICT (id) DO NOTHING;
SELECT key, seq, base, amount FROM ledger WHERE key IN (1, 40) ORDER BY key, seq;

-- ON CONFLICT DO UPDATE: one statement inserts some and changes others; a condition that fails changes nothing.
INSERT INTO payments (id, customer, amount) VALUES (1, 'bob', 25), (3, 'eve', 99), (41, 'bob', 30), (42, 'eve', 30)
ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
INSERT INTO payments (id, customer, amount) VALUES (4, 'carol', 1), (43, 'carol', 1)
ON CONFLICT (id) DO UPDATE SET amount = excluded.amount WHERE payments.amount < excluded.amount;
INSERT INTO payments (id, customer, amount) VALUES (2, 'bob', 5) ON CONFLICT (id) DO UPDATE SET amount = payments.amount + excluded.amount;
SELECT key, seq, base, amount FROM ledger WHERE key IN (1, 2, 3, 4, 41, 42, 43) ORDER BY key, seq;

-- MERGE: inserts, changes, deletes, and leaves alone, in one statement.
CREATE TABLE feed (id int, customer text, amount numeric, gone boolean DEFAULT false);
INSERT INTO feed VALUES (1, 'bob', 35, false), (4, 'carol', 0, true), (41, 'bob', 30, false), (50, 'bob', 10, false), (51, 'eve', 10, false), (52, 'carol', 0, true);
MERGE INTO payments p USING feed f ON f.id = p.id
WHEN MATCHED AND f.gone THEN DELETE
WHEN MATCHED AND p.amount <> f.amount THEN UPDATE SET amount = f.amount
WHEN MATCHED THEN DO NOTHING
WHEN NOT MATCHED AND f.gone THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT (id, customer, amount) VALUES (f.id, f.customer, f.amount);
SELECT key, seq, base, amount FROM ledger WHERE key IN (1, 4, 41, 50, 51, 52) ORDER BY key, seq;
-- the same feed again finds nothing to do
MERGE INTO payments p USING feed f ON f.id = p.id
WHEN MATCHED AND f.gone THEN DELETE
WHEN MATCHED AND p.amount <> f.amount THEN UPDATE SET amount = f.amount
WHEN NOT MATCHED AND NOT f.gone THEN INSERT (id, customer, amount) VALUES (f.id, f.customer, f.amount);
SELECT count(*) AS entries, sum(amount) FROM ledger WHERE key IN (1, 4, 41, 50, 51, 52);

-- WITH: several statements in one, RETURNING what was inserted.
WITH moved AS (DELETE FROM staging WHERE id <> 11 RETURNING *),
    more AS (INSERT INTO payments (id, customer, amount) SELECT id + 50, who, price FROM moved RETURNING id),
    changed AS (UPDATE payments SET amount = 11 WHERE id = 2 RETURNING id)
INSERT INTO payments (id, customer, amount) VALUES (63, 'bob', 100) RETURNING id, amount;
SELECT key, seq, base, amount FROM ledger WHERE key BETWEEN 60 AND 69 OR key = 2 ORDER BY key, seq;

-- A prepared statement, a function, a view, a rule, a cursor loop.
PREPARE pay (int, text, numeric) AS INSERT INTO payments (id, customer, amount) VALUES ($1, $2, $3);
EXECUTE pay(70, 'bob', 10);
EXECUTE pay(71, 'eve', 10);
EXECUTE pay(72, 'carol', 10);
CREATE FUNCTION charge(id int, who text, amount numeric) RETURNS int LANGUAGE sql
AS 'INSERT INTO payments (id, customer, amount) VALUES ($1, $2, $3) RETURNING id';
SELECT charge(n, 'bob', n) FROM generate_series(73, 74) n;
CREATE VIEW paid AS SELECT id, customer, amount FROM payments;
INSERT INTO paid VALUES (75, 'bob', 10);
CREATE TABLE inbox (id int, customer text, amount numeric);
CREATE RULE forward AS ON INSERT TO inbox DO INSTEAD INSERT INTO payments (id, customer, amount) VALUES (NEW.id, NEW.customer, NEW.amount);
INSERT INTO inbox VALUES (76, 'bob', 10), (77, 'eve', 10);
DO $$
BEGIN
    FOR n IN 78..79 LOOP
        INSERT INTO payments (id, customer, amount) VALUES (n, 'bob', 10);
    END LOOP;
END $$;
SELECT key, seq, base, amount FROM ledger WHERE key BETWEEN 70 AND 79 ORDER BY key;

-- A statement that fails midway posts nothing.
\set VERBOSITY sqlstate
INSERT INTO payments (id, customer, amount) VALUES (80, 'bob', 10), (81, 'bob', -13);
INSERT INTO payments (id, customer, amount) VALUES (82, 'bob', 10), (1, 'bob', 10);
COPY payments (id, customer, amount) FROM stdin;
83	bob	10
84	bob	ten
\.
\set VERBOSITY verbose
SELECT count(*) FROM ledger WHERE key BETWEEN 80 AND 89;

-- The extension's own table, its defaults included.
INSERT INTO affiliate.payment (customer, amount) VALUES ('bob', 20), ('eve', 20);
INSERT INTO affiliate.payment AS p (id, customer, amount) VALUES (1, 'bob', 30), (100, 'carol', 30)
ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
MERGE INTO affiliate.payment p USING (VALUES (1, 'bob', 40), (101, 'bob', 40)) AS f (id, customer, amount) ON f.id = p.id
WHEN MATCHED THEN UPDATE SET amount = f.amount
WHEN NOT MATCHED THEN INSERT (id, customer, amount) VALUES (f.id, f.customer, f.amount);
SELECT key, seq, currency, base, amount FROM ledger WHERE payments = 'affiliate.payment'::regclass ORDER BY key, seq;

-- Each commission is what the rows say, and the figures are what the entries say.
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT s.total_conversions, s.total_money_spent = p.spent AS spent, s.total_commission = p.commission AS commission
FROM affiliate_stats('alice') s, (
    SELECT sum(amount) AS spent, sum(round(amount * 0.30, 2)) AS commission
    FROM (SELECT customer, amount FROM payments UNION ALL SELECT customer, amount FROM affiliate.payment) a
    WHERE customer IN ('bob', 'carol')) p;
