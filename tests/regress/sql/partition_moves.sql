-- Rows that move between partitions while triggers of the host do something else with attached tables: each keeps its own terms.
CREATE DATABASE regress_partition_moves;
\c regress_partition_moves
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01'));
CREATE VIEW ledger AS
SELECT b.table_name AS payments, c.payment_key AS key, string_agg(format('%s x %s', c.rate, c.base), ', ' ORDER BY c.seq) AS entries, sum(c.amount)
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id GROUP BY 1, 2;

CREATE TABLE orders (id int, customer text, amount numeric, paid_on date, PRIMARY KEY (id, paid_on)) PARTITION BY RANGE (paid_on);
CREATE TABLE orders_02 PARTITION OF orders FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE orders_03 PARTITION OF orders FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
CREATE TABLE fees (id int, region text, customer text, amount numeric, paid_on date, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE fees_eu PARTITION OF fees FOR VALUES IN ('eu');
CREATE TABLE fees_us PARTITION OF fees FOR VALUES IN ('us');
SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_payments('fees', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO orders SELECT n, 'bob', 100, date '2024-02-01' + n FROM generate_series(1, 20) n;
INSERT INTO fees SELECT n, 'eu', 'bob', 10, date '2024-02-01' FROM generate_series(1, 20) n;
SELECT rate FROM affiliate_set_program('default', rate => 0.50);

-- A trigger that fires after ours of the deletion inserts into another attached table; so does one before ours, and those of the insertion.
CREATE FUNCTION fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO fees VALUES (TG_ARGV[0]::int + coalesce(NEW.id, OLD.id), 'us', 'bob', 2, '2024-02-01'); RETURN NULL; END$$;
CREATE TRIGGER zz_fee AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION fee(100);
UPDATE orders SET paid_on = '2024-03-01' WHERE id = 1;
UPDATE orders SET paid_on = '2024-03-02' WHERE id IN (2, 3);
DROP TRIGGER zz_fee ON orders;
CREATE TRIGGER "AA fee" AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION fee(200);
CREATE TRIGGER "AA fee too" AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fee(300);
CREATE TRIGGER zz_fee AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fee(400);
UPDATE orders SET paid_on = '2024-03-01', amount = 110 WHERE id IN (4, 5);
DROP TRIGGER "AA fee" ON orders;
DROP TRIGGER "AA fee too" ON orders;
DROP TRIGGER zz_fee ON orders;
SELECT * FROM ledger WHERE key ~ '^.(1|2|3|4|5),|^....,' ORDER BY payments, key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- It moves a row of the other table, which keeps its terms as well; and other rows of the same table, before and after ours.
CREATE FUNCTION move_fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE fees SET region = 'us' WHERE id = OLD.id; RETURN NULL; END$$;
CREATE TRIGGER zz_move AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION move_fee();
UPDATE orders SET paid_on = '2024-03-03' WHERE id IN (6, 7);
DROP TRIGGER zz_move ON orders;
CREATE FUNCTION move_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id < 11 THEN
        UPDATE orders SET paid_on = '2024-03-05' WHERE id = NEW.id + 1;
        INSERT INTO orders VALUES (TG_ARGV[0]::int + NEW.id, 'bob', 1, '2024-02-01');
    END IF;
    RETURN NULL;
END$$;
CREATE TRIGGER "AA next" AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION move_next(500);
UPDATE orders SET paid_on = '2024-03-04' WHERE id = 8;
DROP TRIGGER "AA next" ON orders;
CREATE TRIGGER zz_next AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION move_next(550);
UPDATE orders SET paid_on = '2024-02-20' WHERE id = 8;
DROP TRIGGER zz_next ON orders;
SELECT * FROM ledger WHERE key ~ '^.(6|7|8|9|10|11),|^.5[05].,' ORDER BY payments, key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- What it moves is rolled back in between.
CREATE FUNCTION try_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        UPDATE orders SET paid_on = '2024-03-09' WHERE id = 12;
        UPDATE fees SET region = 'us' WHERE id = 12;
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO orders VALUES (TG_ARGV[0]::int + coalesce(NEW.id, OLD.id), 'bob', 1, '2024-02-01');
    END;
    RETURN NULL;
END$$;
CREATE TRIGGER zz_try AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION try_move(600);
CREATE TRIGGER "AA try" AFTER INSERT ON orders FOR EACH ROW WHEN (NEW.id < 100) EXECUTE FUNCTION try_move(700);
UPDATE orders SET paid_on = '2024-03-06' WHERE id IN (13, 14);
DROP TRIGGER zz_try ON orders;
DROP TRIGGER "AA try" ON orders;
BEGIN;
SAVEPOINT s;
UPDATE orders SET paid_on = '2024-03-06' WHERE id = 15;
ROLLBACK TO s;
INSERT INTO orders VALUES (615, 'bob', 1, '2024-02-01');
UPDATE orders SET paid_on = '2024-03-07' WHERE id = 15;
COMMIT;
SELECT * FROM ledger WHERE key ~ '^.(12|13|14|15),|^.[67]..,' ORDER BY payments, key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;

-- A row that a trigger swallows on its way is gone; neither the next one to move takes its terms, nor one that is inserted, in this statement or in one that it calls.
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id % 2 = 0 THEN
        INSERT INTO orders VALUES (NEW.id + 800, 'bob', 1, '2024-02-01');
        RETURN NULL;
    END IF;
    RETURN NEW;
END$$;
SELECT rate FROM affiliate_set_program('default', rate => 0.40);
INSERT INTO orders VALUES (31, 'bob', 100, '2024-02-01');
SELECT rate FROM affiliate_set_program('default', rate => 0.60);
CREATE TRIGGER swallow BEFORE INSERT ON orders_03 FOR EACH ROW EXECUTE FUNCTION swallow();
UPDATE orders SET paid_on = '2024-03-08' WHERE id IN (16, 18, 31);
WITH moved AS (UPDATE orders SET paid_on = '2024-03-08' WHERE id = 20 RETURNING id)
INSERT INTO fees SELECT 920, 'us', 'bob', 2, '2024-02-01' FROM (SELECT count(*) FROM moved) m;
DROP TRIGGER swallow ON orders_03;
SELECT * FROM ledger WHERE key ~ '^.(16|18|20|31),|^.[89]..,' ORDER BY payments, key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
