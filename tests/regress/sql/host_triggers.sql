-- Triggers of the host before, beside and after ours: what counts is the row as the statement leaves it.
CREATE DATABASE regress_host_triggers;
\c regress_host_triggers
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT count(*) FROM (VALUES ('bob'), ('carol')) v (who), LATERAL affiliate_attribute(who, code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, note text, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
CREATE VIEW ledger AS
SELECT b.payments, c.payment_key::int AS key, r.customer, sum(c.amount) AS posted, min(c.rate) AS rate
FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id JOIN affiliate.referral r ON r.id = c.referral_id
GROUP BY b.payments, key, r.customer HAVING sum(c.amount) <> 0;

-- BEFORE triggers: ours see what they have made of the row, and no row where they refuse it.
CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RETURN CASE WHEN OLD.note = 'stays' THEN NULL ELSE OLD END;
    END IF;
    IF NEW.note = 'refuse' THEN
        RETURN NULL;
    END IF;
    NEW.customer := lower(trim(NEW.customer));
    NEW.amount := round(NEW.amount, 1);
    RETURN NEW;
END $$;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW EXECUTE FUNCTION before();
INSERT INTO payments VALUES (1, ' BOB ', 10.04, NULL), (2, 'Eve', 10, NULL), (3, 'bob', 10, 'refuse'), (4, 'BOB', 20, 'stays'), (5, 'bob', 30, NULL);
UPDATE payments SET amount = 20.06 WHERE id = 1;
UPDATE payments SET amount = 1000, note = 'refuse' WHERE id = 5;
DELETE FROM payments WHERE id IN (4, 5);
SELECT id, customer, amount FROM payments ORDER BY id;
SELECT key, customer, posted FROM ledger ORDER BY key;
DROP TRIGGER tidy ON payments;

-- AFTER ROW triggers that change or delete rows of the statement that fired them. Their own statement ends before ours.
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE CASE NEW.note
        WHEN 'double' THEN format('UPDATE %s SET amount = amount * 2, note = NULL WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'zero' THEN format('UPDATE %s SET amount = 0, note = NULL WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'eve' THEN format('UPDATE %s SET customer = ''eve'', note = NULL WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'carol' THEN format('UPDATE %s SET customer = ''carol'', note = NULL WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'key' THEN format('UPDATE %s SET id = id + 5000, note = NULL WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'bad' THEN format('UPDATE %s SET amount = ''NaN'', note = NULL WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'delete' THEN format('DELETE FROM %s WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'again' THEN format('WITH d AS (DELETE FROM %1$s WHERE id = $1.id RETURNING *) INSERT INTO %1$s SELECT id, customer, 7 FROM d', TG_RELID::regclass)
        WHEN 'twice' THEN format('UPDATE %s SET amount = 50, note = ''zero'' WHERE id = $1.id', TG_RELID::regclass)
        WHEN 'next' THEN format('UPDATE %s SET customer = ''eve'' WHERE id = $1.id + 1', TG_RELID::regclass)
        WHEN 'previous' THEN format('DELETE FROM %s WHERE id = $1.id - 1', TG_RELID::regclass)
        WHEN 'more' THEN format('INSERT INTO %s VALUES ($1.id + 6000, $1.customer, 60), ($1.id + 7000, ''eve'', 70)', TG_RELID::regclass)
        ELSE 'SELECT' END USING NEW;
    RETURN NULL;
END $$;
-- Expected of a payment of 10 with each note, and so of every table below.
CREATE VIEW notes AS SELECT * FROM unnest(ARRAY['double', 'zero', 'eve', 'carol', 'key', 'bad', 'delete', 'again', 'twice', 'more', 'next', NULL, NULL, 'previous', NULL])
    WITH ORDINALITY AS n (note, id);
CREATE TRIGGER a_host AFTER INSERT OR UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION act();
INSERT INTO payments SELECT 100 + id, 'bob', 10, note FROM notes;
SELECT p.id, p.customer, p.amount, l.customer AS posted_for, l.posted
FROM (SELECT * FROM payments WHERE id >= 100) p FULL JOIN (SELECT * FROM ledger WHERE key >= 100) l ON l.key = p.id ORDER BY coalesce(p.id, l.key);
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
UPDATE payments SET amount = 1 WHERE amount = 'NaN';

-- The same when rows are changed. What changes here is no mapped column: it is the host's trigger that does the rest.
INSERT INTO payments SELECT 200 + id, 'bob', 10 FROM notes;
UPDATE payments p SET note = n.note FROM notes n WHERE p.id = 200 + n.id;
SELECT p.id, p.customer, p.amount, l.customer AS posted_for, l.posted
FROM (SELECT * FROM payments WHERE id BETWEEN 200 AND 299) p FULL JOIN (SELECT * FROM ledger WHERE key BETWEEN 200 AND 299) l ON l.key = p.id
ORDER BY coalesce(p.id, l.key);
-- here it is
UPDATE payments SET amount = 1 WHERE amount = 'NaN';
INSERT INTO payments SELECT 300 + id, 'eve', 5 FROM notes;
UPDATE payments p SET note = n.note, amount = 10, customer = 'bob' FROM notes n WHERE p.id = 300 + n.id;
SELECT p.id, p.customer, p.amount, l.customer AS posted_for, l.posted
FROM (SELECT * FROM payments WHERE id BETWEEN 300 AND 399) p FULL JOIN (SELECT * FROM ledger WHERE key BETWEEN 300 AND 399) l ON l.key = p.id
ORDER BY coalesce(p.id, l.key);
UPDATE payments SET amount = 1 WHERE amount = 'NaN';
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
DROP TRIGGER a_host ON payments;

-- Our row triggers, with the host's before and after them by name.
CREATE TABLE earlier (LIKE payments INCLUDING ALL);
CREATE TABLE later (LIKE payments INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE later_1 PARTITION OF later DEFAULT;
SELECT affiliate_attach_payments('earlier', customer => 'customer', amount => 'amount', paid_at => 'paid_on', replica => true) AS binding;
SELECT affiliate_attach_payments('later', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
CREATE TRIGGER a_host AFTER INSERT OR UPDATE ON earlier FOR EACH ROW EXECUTE FUNCTION act();
CREATE TRIGGER zzzz_host AFTER INSERT OR UPDATE ON later FOR EACH ROW EXECUTE FUNCTION act();
INSERT INTO earlier SELECT 100 + id, 'bob', 10, note FROM notes;
INSERT INTO later SELECT 100 + id, 'bob', 10, note FROM notes;
SELECT p.id, p.customer, p.amount, l.customer AS posted_for, l.posted
FROM earlier p FULL JOIN (SELECT * FROM ledger WHERE payments = 'earlier'::regclass) l ON l.key = p.id ORDER BY coalesce(p.id, l.key);
-- each is as the other, but for the bad data: that came after a payment was posted, or before
SELECT key, customer, posted FROM ledger WHERE payments = 'earlier'::regclass EXCEPT SELECT key, customer, posted FROM ledger WHERE payments = 'later'::regclass;
SELECT key, customer, posted FROM ledger WHERE payments = 'later'::regclass EXCEPT SELECT key, customer, posted FROM ledger WHERE payments = 'earlier'::regclass;
UPDATE earlier SET note = NULL, amount = CASE WHEN amount = 'NaN' THEN 1 ELSE amount END;
UPDATE later SET note = NULL, amount = CASE WHEN amount = 'NaN' THEN 1 ELSE amount END;
UPDATE earlier p SET note = n.note FROM notes n WHERE p.id = 100 + n.id AND n.note <> 'more';
UPDATE later p SET note = n.note FROM notes n WHERE p.id = 100 + n.id AND n.note <> 'more';
SELECT id, customer, amount FROM later ORDER BY id;
SELECT id, customer, amount FROM earlier EXCEPT SELECT id, customer, amount FROM later;
SELECT key, customer, posted FROM ledger WHERE payments = 'earlier'::regclass EXCEPT SELECT key, customer, posted FROM ledger WHERE payments = 'later'::regclass;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
UPDATE earlier SET amount = 1 WHERE amount = 'NaN';
UPDATE later SET amount = 1 WHERE amount = 'NaN';
DROP TRIGGER a_host ON earlier;
DROP TRIGGER zzzz_host ON later;

-- AFTER STATEMENT triggers of the host, before and after ours by name, that change rows of the statement.
CREATE FUNCTION act_on_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments SET customer = 'eve' WHERE id = 400;
    UPDATE payments SET amount = 40 WHERE id = 401 AND amount <> 40;
    DELETE FROM payments WHERE id = 402;
    RETURN NULL;
END $$;
CREATE TRIGGER a_statement AFTER INSERT ON payments FOR EACH STATEMENT EXECUTE FUNCTION act_on_all();
INSERT INTO payments VALUES (400, 'bob', 10), (401, 'bob', 10), (402, 'bob', 10), (403, 'bob', 10);
SELECT key, customer, posted FROM ledger WHERE payments = 'payments'::regclass AND key BETWEEN 400 AND 409 ORDER BY key;
DELETE FROM payments WHERE id BETWEEN 400 AND 409;
ALTER TRIGGER a_statement ON payments RENAME TO zzzz_statement;
INSERT INTO payments VALUES (400, 'bob', 10), (401, 'bob', 10), (402, 'bob', 10), (403, 'bob', 10);
SELECT key, customer, posted FROM ledger WHERE payments = 'payments'::regclass AND key BETWEEN 400 AND 409 ORDER BY key;
DROP TRIGGER zzzz_statement ON payments;

-- A deferred constraint trigger acts when the transaction ends.
CREATE FUNCTION act_later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments SET amount = amount + 1 WHERE id = NEW.id AND NEW.note = 'add';
    DELETE FROM payments WHERE id = NEW.id AND NEW.note = 'delete';
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON payments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION act_later();
BEGIN;
INSERT INTO payments VALUES (410, 'bob', 9, 'add'), (411, 'bob', 10, 'delete');
SELECT key, customer, posted FROM ledger WHERE payments = 'payments'::regclass AND key BETWEEN 410 AND 419 ORDER BY key;
COMMIT;
SELECT key, customer, posted FROM ledger WHERE payments = 'payments'::regclass AND key BETWEEN 410 AND 419 ORDER BY key;
DROP TRIGGER deferred ON payments;

-- No trigger at all: functions called by the statement itself, for each row it inserts, while it runs.
CREATE FUNCTION waive(id int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments SET customer = 'eve' WHERE payments.id = waive.id;
    RETURN 'waived';
END $$;
CREATE FUNCTION cancel(id int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM payments WHERE payments.id = cancel.id;
    RETURN 'canceled';
END $$;
CREATE FUNCTION discount(id int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments SET amount = amount / 2 WHERE payments.id = discount.id;
    RETURN 'discounted';
END $$;
INSERT INTO payments VALUES (420, 'bob', 10) RETURNING waive(id);
INSERT INTO payments VALUES (421, 'bob', 10) RETURNING cancel(id);
INSERT INTO payments VALUES (422, 'bob', 10) RETURNING discount(id);
INSERT INTO payments (id, customer, amount, note) SELECT n, 'bob', 10, cancel(n - 1) FROM generate_series(423, 425) n;
UPDATE payments SET amount = 20 WHERE id IN (422, 425) RETURNING waive(id);
SELECT id, customer, amount FROM payments WHERE id BETWEEN 420 AND 429 ORDER BY id;
SELECT key, customer, posted FROM ledger WHERE payments = 'payments'::regclass AND key BETWEEN 420 AND 429 ORDER BY key;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();

-- INSTEAD OF triggers of a view.
CREATE VIEW sales AS SELECT id AS number, customer AS client, amount AS total FROM payments;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments VALUES (NEW.number, NEW.client, NEW.total);
    RETURN NEW;
END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON sales FOR EACH ROW EXECUTE FUNCTION instead();
INSERT INTO sales VALUES (430, 'bob', 10), (431, 'eve', 10), (432, 'carol', 10);
SELECT key, customer, posted FROM ledger WHERE payments = 'payments'::regclass AND key BETWEEN 430 AND 439 ORDER BY key;

-- A trigger that makes payments out of orders; an error in one that the host catches.
CREATE TABLE orders (id int PRIMARY KEY, customer text, total numeric);
CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        INSERT INTO payments VALUES (NEW.id, NEW.customer, 1);
        INSERT INTO payments VALUES (NEW.id, NEW.customer, 2);
    EXCEPTION WHEN unique_violation THEN
        INSERT INTO payments VALUES (NEW.id, NEW.customer, NEW.total);
    END;
    RETURN NULL;
END $$;
CREATE TRIGGER pay AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pay();
INSERT INTO orders VALUES (440, 'bob', 10), (441, 'eve', 10), (442, 'carol', 20);
SELECT key, customer, posted FROM ledger WHERE payments = 'payments'::regclass AND key BETWEEN 440 AND 449 ORDER BY key;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT currency, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
