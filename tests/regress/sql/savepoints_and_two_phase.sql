-- Savepoints and two-phase commit: a commission shares the fate of its payment, and nothing that was rolled back is remembered.
CREATE DATABASE regress_savepoints_and_two_phase;
\c regress_savepoints_and_two_phase
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
CREATE VIEW ledger AS
SELECT c.payment_key::int AS key, c.seq, c.rate, c.base, c.amount FROM affiliate.commission c WHERE c.binding_id = 2;

-- Rolled back to, released, nested.
BEGIN;
INSERT INTO payments VALUES (1, 'bob', 10);
SAVEPOINT a;
INSERT INTO payments VALUES (2, 'bob', 20);
UPDATE payments SET amount = 15 WHERE id = 1;
SAVEPOINT b;
INSERT INTO payments VALUES (3, 'bob', 30);
DELETE FROM payments WHERE id = 1;
RELEASE b;
SAVEPOINT c;
UPDATE payments SET amount = 100 WHERE id = 2;
ROLLBACK TO c;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;
ROLLBACK TO a;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;
INSERT INTO payments VALUES (2, 'bob', 25);
COMMIT;
SELECT key, seq, base, amount FROM ledger ORDER BY key, seq;

-- The first thing of a transaction happens within a savepoint, and is undone.
BEGIN;
SAVEPOINT a;
INSERT INTO payments VALUES (3, 'bob', 30);
ROLLBACK TO a;
INSERT INTO payments VALUES (4, 'bob', 40);
COMMIT;
SELECT key, seq, base, amount FROM ledger WHERE key IN (3, 4) ORDER BY key, seq;

-- The blocks of PL/pgSQL that catch errors are savepoints: retried, a payment is posted once.
DO $$
BEGIN
    FOR attempt IN 1..3 LOOP
        BEGIN
            INSERT INTO payments VALUES (5, 'bob', attempt * 10);
            INSERT INTO payments VALUES (6, 'bob', attempt * 10);
            IF attempt < 3 THEN
                RAISE EXCEPTION 'try again';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END $$;
SELECT key, seq, base, amount FROM ledger WHERE key IN (5, 6) ORDER BY key, seq;
-- an error of ours within one, caught by the host
DO $$
BEGIN
    INSERT INTO payments VALUES (7, 'bob', 70);
    BEGIN
        PERFORM affiliate_attribute('carol', code => 'nobody');
    EXCEPTION WHEN no_data_found THEN
        NULL;
    END;
    BEGIN
        TRUNCATE payments;
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
        UPDATE payments SET amount = 77 WHERE id = 7;
    END;
END $$;
SELECT key, seq, base, amount FROM ledger WHERE key = 7 ORDER BY seq;

-- A failed statement of a batch, as drivers that use savepoints see it.
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO payments VALUES (8, 'bob', 80);
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (9, 'bob', 90), (8, 'bob', 80);
\set VERBOSITY verbose
INSERT INTO payments VALUES (9, 'bob', 95);
COMMIT;
\set ON_ERROR_ROLLBACK off
SELECT key, seq, base, amount FROM ledger WHERE key IN (8, 9) ORDER BY key;

-- A referral that is rolled back is none.
BEGIN;
SAVEPOINT a;
SELECT customer FROM affiliate_attribute('dave', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments VALUES (10, 'dave', 10);
SELECT key FROM ledger WHERE key = 10;
ROLLBACK TO a;
INSERT INTO payments VALUES (10, 'dave', 10);
COMMIT;
SELECT key FROM ledger WHERE key = 10;

-- Nor do terms count that were, nor a closed affiliate, nor a binding, nor a column's name.
BEGIN;
SAVEPOINT a;
SELECT rate FROM affiliate_set_program('default', rate => 0.50);
INSERT INTO payments VALUES (11, 'bob', 100);
SELECT rate, amount FROM ledger WHERE key = 11;
ROLLBACK TO a;
INSERT INTO payments VALUES (11, 'bob', 100);
COMMIT;
SELECT rate, amount FROM ledger WHERE key = 11;
BEGIN;
SAVEPOINT a;
SELECT o.status FROM affiliate_set_status('alice', 'closed') o;
INSERT INTO payments VALUES (12, 'bob', 100);
SELECT rate, amount FROM ledger WHERE key = 12;
ROLLBACK TO a;
INSERT INTO payments VALUES (12, 'bob', 100);
COMMIT;
SELECT rate, amount FROM ledger WHERE key = 12;
CREATE TABLE others (id int PRIMARY KEY, customer text, amount numeric, other numeric);
BEGIN;
SAVEPOINT a;
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'amount') AS binding;
INSERT INTO others VALUES (1, 'bob', 10, 1000);
ROLLBACK TO a;
INSERT INTO others VALUES (1, 'bob', 10, 1000);
SELECT affiliate_attach_payments('others', customer => 'customer', amount => 'other') > 2 AS attached;
INSERT INTO others VALUES (2, 'bob', 10, 1000);
SAVEPOINT b;
SELECT affiliate_detach('others');
INSERT INTO others VALUES (3, 'bob', 10, 1000);
ROLLBACK TO b;
INSERT INTO others VALUES (3, 'bob', 10, 1000);
SAVEPOINT c;
ALTER TABLE others RENAME other TO x;
ALTER TABLE others RENAME amount TO other;
INSERT INTO others VALUES (4, 'bob', 10, 1000);
ROLLBACK TO c;
INSERT INTO others VALUES (4, 'bob', 20, 2000);
COMMIT;
SELECT payment_key, amount FROM affiliate.commission WHERE binding_id > 2 ORDER BY payment_key;
DELETE FROM others WHERE id = 1;

-- A change within a trigger that is rolled back.
CREATE FUNCTION discount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        UPDATE payments SET customer = 'eve' WHERE id = NEW.id;
        RAISE EXCEPTION 'no';
    EXCEPTION WHEN raise_exception THEN
        RETURN NULL;
    END;
END $$;
CREATE TRIGGER discount AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION discount();
INSERT INTO payments VALUES (15, 'bob', 10);
DROP TRIGGER discount ON payments;
SELECT key, seq, base, amount FROM ledger WHERE key = 15;

-- Refunds in a savepoint.
BEGIN;
SAVEPOINT a;
SELECT affiliate_record_refund('payments', 15, 'refund-1', 10);
ROLLBACK TO a;
SELECT affiliate_record_refund('payments', 15, 'refund-1', 5);
COMMIT;
SELECT key, seq, base, amount FROM ledger WHERE key = 15 ORDER BY seq;

-- Two-phase commit: prepared, nobody sees payment or commission; committed, both are there; rolled back, neither.
BEGIN;
INSERT INTO payments VALUES (20, 'bob', 20), (21, 'bob', -1);
UPDATE payments SET amount = 16 WHERE id = 15;
SELECT customer FROM affiliate_attribute('fay', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments VALUES (22, 'fay', 22);
PREPARE TRANSACTION 'payment-20';
BEGIN;
INSERT INTO payments VALUES (23, 'bob', 23);
DELETE FROM payments WHERE id = 1;
PREPARE TRANSACTION 'payment-23';
SELECT (SELECT count(*) FROM payments WHERE id >= 20) AS payments, (SELECT count(*) FROM ledger WHERE key >= 20) AS entries;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT total_users_referred, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
INSERT INTO payments VALUES (24, 'bob', 24);
COMMIT PREPARED 'payment-20';
ROLLBACK PREPARED 'payment-23';
SELECT key, seq, base, amount FROM ledger WHERE key >= 15 OR key = 1 ORDER BY key, seq;
SELECT payment_key, reason FROM affiliate.quarantine WHERE resolved_at IS NULL;
UPDATE payments SET amount = 21 WHERE id = 21;
SELECT total_users_referred, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
SELECT affiliate_maintain() > 0 AS folded;
SELECT total_users_referred, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');

-- Prepared in a session, committed after another one has begun.
BEGIN;
INSERT INTO payments VALUES (25, 'bob', 25);
PREPARE TRANSACTION 'payment-25';
\c
\set VERBOSITY verbose
INSERT INTO payments VALUES (26, 'bob', 26);
COMMIT PREPARED 'payment-25';
SELECT key, seq, base, amount FROM ledger WHERE key IN (25, 26) ORDER BY key;

SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
SELECT * FROM affiliate_reconcile();
SELECT total_users_referred, total_conversions, total_money_spent, total_commission FROM affiliate_stats('alice');
