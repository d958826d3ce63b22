-- Partitioned payments tables: posted once whichever way a row comes in; a row that moves keeps its terms.
CREATE DATABASE regress_partitions;
\c regress_partitions
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key AS key, c.seq, r.customer, c.rate, c.base, c.amount, c.matures_on
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.referral r ON r.id = c.referral_id;

-- By range. The partitions differ: columns in another order, dropped ones, partitions of their own.
CREATE TABLE payments (id int NOT NULL, customer text NOT NULL, amount numeric, paid_on date NOT NULL) PARTITION BY RANGE (paid_on);
CREATE UNIQUE INDEX ON payments (id, paid_on, customer);
CREATE TABLE payments_02 PARTITION OF payments FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE payments_03 (junk int, paid_on date NOT NULL, amount numeric, junk2 text, id int NOT NULL, customer text NOT NULL);
ALTER TABLE payments_03 DROP COLUMN junk, DROP COLUMN junk2;
ALTER TABLE payments ATTACH PARTITION payments_03 FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
CREATE TABLE payments_04 PARTITION OF payments FOR VALUES FROM ('2024-04-01') TO ('2024-05-01') PARTITION BY LIST (customer);
CREATE TABLE payments_04_bob PARTITION OF payments_04 FOR VALUES IN ('bob');
CREATE TABLE payments_04_rest PARTITION OF payments_04 DEFAULT;
-- a partition can't be bound, nor a key that is not unique over all of them
SELECT affiliate_attach_payments('payments_02', customer => 'customer', amount => 'amount', payment_key => 'id, paid_on, customer');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on', payment_key => 'id');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on', payment_key => 'id, paid_on, customer') AS binding;

-- Through the parent, into many partitions at once; straight into a partition; COPY into both.
INSERT INTO payments VALUES (1, 'bob', 10, '2024-02-01'), (2, 'bob', 20, '2024-03-01'), (3, 'bob', 30, '2024-04-01'), (4, 'carol', 40, '2024-04-01'),
    (5, 'eve', 50, '2024-02-01'), (6, 'eve', 60, '2024-04-01');
INSERT INTO payments_02 VALUES (11, 'bob', 10, '2024-02-02'), (12, 'eve', 10, '2024-02-02');
INSERT INTO payments_03 (id, customer, amount, paid_on) VALUES (13, 'bob', 20, '2024-03-02'), (14, 'eve', 20, '2024-03-02');
INSERT INTO payments_04 VALUES (15, 'bob', 30, '2024-04-02'), (16, 'carol', 40, '2024-04-02');
INSERT INTO payments_04_bob VALUES (17, 'bob', 50, '2024-04-02');
COPY payments FROM stdin;
21	bob	10	2024-02-03
22	bob	20	2024-03-03
23	eve	20	2024-03-03
24	carol	30	2024-04-03
\.
COPY payments_03 (amount, customer, id, paid_on) FROM stdin;
20	carol	25	2024-03-03
\.
SELECT key, seq, customer, base, amount, matures_on FROM ledger ORDER BY key COLLATE "C";

-- Changed and deleted through the parent and straight in a partition; upserts and MERGE.
UPDATE payments SET amount = amount + 10 WHERE id IN (1, 2, 3, 5);
UPDATE payments_03 SET amount = 100 WHERE id = 13;
UPDATE payments_04 SET amount = 100 WHERE id = 16;
DELETE FROM payments WHERE id IN (11, 12, 15);
DELETE FROM payments_04_bob WHERE id = 17;
INSERT INTO payments VALUES (21, 'bob', 15, '2024-02-03'), (26, 'bob', 15, '2024-03-03')
ON CONFLICT (id, paid_on, customer) DO UPDATE SET amount = excluded.amount;
MERGE INTO payments p USING (VALUES (22, 'bob', 25, date '2024-03-03'), (27, 'bob', 25, '2024-04-03')) AS f (id, customer, amount, paid_on)
ON p.id = f.id AND p.paid_on = f.paid_on
WHEN MATCHED THEN UPDATE SET amount = f.amount
WHEN NOT MATCHED THEN INSERT VALUES (f.id, f.customer, f.amount, f.paid_on);
SELECT key, seq, base, amount FROM ledger WHERE seq > 1 OR key ~ '^.(26|27),' ORDER BY key COLLATE "C", seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- Row movement: net zero under the old key, the frozen terms under the new one, its day of maturity included.
SELECT rate FROM affiliate_set_program('default', rate => 0.50);
INSERT INTO payments VALUES (30, 'bob', 100, '2024-02-05');
UPDATE payments SET paid_on = '2024-03-05' WHERE id = 1;
UPDATE payments SET paid_on = '2024-04-05', amount = 30 WHERE id = 2;
UPDATE payments SET customer = 'carol' WHERE id = 3;
SELECT key, seq, customer, rate, base, amount, matures_on FROM ledger WHERE key ~ '^.(1|2|3|30),' ORDER BY key COLLATE "C", seq;
-- many rows at once, some of which stay where they are, and back again
UPDATE payments SET paid_on = paid_on + 28 WHERE id IN (1, 21, 22, 23, 26);
SELECT key, sum(amount), min(rate) AS rate FROM ledger WHERE key ~ '^.(1|21|22|23|26),' GROUP BY key ORDER BY key COLLATE "C";
UPDATE payments SET paid_on = paid_on - 28 WHERE id IN (1, 21, 22, 23, 26);
SELECT key, sum(amount), min(rate) AS rate FROM ledger WHERE key ~ '^.(1|21|22|23|26),' GROUP BY key ORDER BY key COLLATE "C";
-- to a customer nobody referred, and to one who is
UPDATE payments SET customer = 'eve', paid_on = '2024-02-06' WHERE id = 4;
UPDATE payments SET customer = 'carol', paid_on = '2024-02-06' WHERE id = 6;
SELECT key, seq, customer, rate, base, amount FROM ledger WHERE key ~ '^.(4|6),' ORDER BY key COLLATE "C", seq;
-- a move that is rolled back
BEGIN;
UPDATE payments SET paid_on = '2024-03-06' WHERE id = 30;
ROLLBACK;
SELECT key, seq, amount FROM ledger WHERE key ~ '^.30,';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- A row that a host's trigger lets vanish on its way into another partition is gone: reversed, and nobody inherits from it.
CREATE FUNCTION vanish() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN CASE WHEN NEW.amount <> 77 THEN NEW END; END$$;
CREATE TRIGGER vanish BEFORE INSERT ON payments_03 FOR EACH ROW EXECUTE FUNCTION vanish();
INSERT INTO payments VALUES (40, 'bob', 77, '2024-02-07'), (41, 'bob', 78, '2024-02-07'), (43, 'bob', 77, '2024-02-07');
SELECT rate FROM affiliate_set_program('default', rate => 0.10);
BEGIN;
UPDATE payments SET paid_on = '2024-03-07' WHERE id IN (40, 41);
INSERT INTO payments VALUES (42, 'bob', 100, '2024-02-07');
COMMIT;
BEGIN;
UPDATE payments SET paid_on = '2024-03-07' WHERE id = 43;
INSERT INTO payments VALUES (44, 'bob', 100, '2024-02-07');
COMMIT;
SELECT id, paid_on FROM payments WHERE id >= 40 ORDER BY id;
SELECT key, seq, rate, base, amount FROM ledger WHERE key ~ '^.4.,' ORDER BY key COLLATE "C", seq;
DROP TRIGGER vanish ON payments_03;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT rate FROM affiliate_set_program('default', rate => 0.30);

-- A new partition has the triggers; so has one that is attached, but nobody has seen its rows: verify does, reconcile posts them.
CREATE TABLE payments_05 PARTITION OF payments FOR VALUES FROM ('2024-05-01') TO ('2024-06-01');
INSERT INTO payments VALUES (50, 'bob', 10, '2024-05-01');
INSERT INTO payments_05 VALUES (51, 'bob', 10, '2024-05-01');
CREATE TABLE payments_06 (customer text NOT NULL, id int NOT NULL, paid_on date NOT NULL, amount numeric);
INSERT INTO payments_06 (customer, id, paid_on, amount) VALUES ('bob', 60, '2024-06-01', 10), ('eve', 61, '2024-06-01', 10), ('carol', 62, '2024-06-01', 20);
ALTER TABLE payments ATTACH PARTITION payments_06 FOR VALUES FROM ('2024-06-01') TO ('2024-07-01');
SELECT key, seq, amount FROM ledger WHERE key ~ '^.[56].,' ORDER BY key COLLATE "C", seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
INSERT INTO payments_06 (customer, id, paid_on, amount) VALUES ('bob', 63, '2024-06-02', 30);
UPDATE payments SET amount = 15 WHERE id = 60;
SELECT * FROM affiliate_reconcile();
SELECT * FROM affiliate_reconcile();
SELECT key, seq, amount FROM ledger WHERE key ~ '^.[56].,' ORDER BY key COLLATE "C", seq;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- A partition that is detached takes its rows out of the table: they are payments no more, as if deleted.
ALTER TABLE payments DETACH PARTITION payments_06;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'payments_06'::regclass AND tgname = 'zzz_affiliate_row';
INSERT INTO payments_06 (customer, id, paid_on, amount) VALUES ('bob', 64, '2024-06-02', 30);
DELETE FROM payments_06 WHERE id = 63;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE key ~ '^.6.,' GROUP BY key ORDER BY key COLLATE "C";
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
-- attached again, they are back, at their old terms
SELECT rate FROM affiliate_set_program('default', rate => 0.50);
ALTER TABLE payments ATTACH PARTITION payments_06 FOR VALUES FROM ('2024-06-01') TO ('2024-07-01');
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount), min(rate) AS rate FROM ledger WHERE key ~ '^.6.,' GROUP BY key ORDER BY key COLLATE "C";
DROP TABLE payments_06;
SELECT * FROM affiliate_reconcile();
SELECT key, sum(amount) FROM ledger WHERE key ~ '^.6.,' GROUP BY key ORDER BY key COLLATE "C";

-- Where deletes are kept, so is what a detached partition has earned.
CREATE TABLE archive (id int PRIMARY KEY, customer text, amount numeric, paid_on date) PARTITION BY RANGE (id);
CREATE TABLE archive_1 PARTITION OF archive FOR VALUES FROM (0) TO (100);
SELECT affiliate_attach_payments('archive', customer => 'customer', amount => 'amount', paid_at => 'paid_on', on_delete => 'keep') AS binding;
INSERT INTO archive VALUES (1, 'bob', 10, '2024-02-01');
ALTER TABLE archive DETACH PARTITION archive_1;
SELECT * FROM affiliate_reconcile();
SELECT key, amount FROM ledger WHERE payments = 'archive'::regclass;

-- By list, with a default partition that is split: the rows are in quarantine, or posted, wherever they are.
CREATE TABLE sales (number text, region text, customer text NOT NULL, amount numeric, paid_on date, PRIMARY KEY (region, number)) PARTITION BY LIST (region);
CREATE TABLE sales_eu PARTITION OF sales FOR VALUES IN ('eu', 'uk');
CREATE TABLE sales_us PARTITION OF sales FOR VALUES IN ('us');
CREATE TABLE sales_rest PARTITION OF sales DEFAULT;
SELECT affiliate_attach_payments('sales', customer => 'customer', amount => 'amount', paid_at => 'paid_on', program => 'default') AS binding;
SELECT rate FROM affiliate_set_program('default', rate => 0.30);
INSERT INTO sales VALUES ('A 1', 'eu', 'bob', 10, '2024-02-01'), ('A 1', 'us', 'bob', 20, '2024-02-01'), ('A 1', 'jp', 'bob', 30, '2024-02-01'), ('A 2', 'jp', 'bob', -1, '2024-02-01');
UPDATE sales SET region = 'uk' WHERE region = 'eu';
UPDATE sales SET region = 'us', number = 'A 2' WHERE region = 'uk';
UPDATE sales SET region = 'eu' WHERE amount < 0;
SELECT key, seq, base, amount FROM ledger WHERE payments = 'sales'::regclass ORDER BY key COLLATE "C", seq;
SELECT payment_key, reason, resolved_at IS NOT NULL AS resolved FROM affiliate.quarantine ORDER BY id;
UPDATE sales SET amount = 40 WHERE amount < 0;
-- the default partition hands over to a new one
BEGIN;
ALTER TABLE sales DETACH PARTITION sales_rest;
CREATE TABLE sales_jp PARTITION OF sales FOR VALUES IN ('jp');
INSERT INTO sales SELECT * FROM sales_rest WHERE region = 'jp';
DELETE FROM sales_rest WHERE region = 'jp';
ALTER TABLE sales ATTACH PARTITION sales_rest DEFAULT;
COMMIT;
SELECT key, count(*), sum(amount) FROM ledger WHERE payments = 'sales'::regclass GROUP BY key ORDER BY key COLLATE "C";

-- Explained and refunded by their keys, wherever they are.
SELECT e -> 'commission' ->> 'target' AS target, e ->> 'payment_key' AS key FROM affiliate_explain('sales', '(jp,"A 1")') e;
SELECT affiliate_record_refund('sales', '(jp,"A 1")', 'refund-1', 10);
UPDATE sales SET region = 'us', number = 'A 3' WHERE region = 'jp';
SELECT key, seq, base, amount FROM ledger WHERE key IN ('(jp,"A 1")', '(us,"A 3")') ORDER BY key COLLATE "C", seq;
SELECT payment_key, refund_key FROM affiliate.refund;

-- The state of the triggers is that of every partition.
SELECT table_name, relation, trigger_name, trigger_state, problem FROM affiliate.binding_health
WHERE table_name = 'public.sales' AND trigger_name = 'zzz_affiliate_row' ORDER BY relation::text COLLATE "C";
ALTER TABLE sales_us DISABLE TRIGGER zzz_affiliate_row;
SELECT relation, trigger_name, trigger_state, problem FROM affiliate.binding_health WHERE problem IS NOT NULL;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
ALTER TABLE sales_us ENABLE TRIGGER zzz_affiliate_row;

-- Detached, all of it is as before.
SELECT affiliate_detach('archive');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid::regclass::text ~ '^archive' AND tgname = 'zzz_affiliate_row';

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
