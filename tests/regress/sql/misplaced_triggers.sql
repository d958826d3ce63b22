-- Trigger functions of ours in triggers that somebody else has made: refused, never a crash, and no payment is swallowed.
CREATE DATABASE regress_misplaced_triggers;
\c regress_misplaced_triggers
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
CREATE TABLE refunds (id int PRIMARY KEY, payment int, amount numeric);
CREATE TABLE stray (id int PRIMARY KEY, customer text, amount numeric);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
SELECT affiliate_attach_refunds('refunds', payments => 'payments', payment_key => 'payment', refund_key => 'id', amount => 'amount') AS binding;
INSERT INTO payments VALUES (1, 'bob', 100);
INSERT INTO refunds VALUES (1, 1, 10);

CREATE TRIGGER a AFTER INSERT ON payments FOR EACH STATEMENT EXECUTE FUNCTION affiliate.post_payments();
INSERT INTO payments VALUES (2, 'bob', 100);
DROP TRIGGER a ON payments;
CREATE TRIGGER a BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
INSERT INTO payments VALUES (2, 'bob', 100);
DROP TRIGGER a ON payments;
-- one more of the right kind posts nothing twice
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW EXECUTE FUNCTION affiliate.post_payments();
INSERT INTO payments VALUES (2, 'bob', 100);
UPDATE payments SET amount = 50 WHERE id = 2;
DELETE FROM payments WHERE id = 2;
DROP TRIGGER a ON payments;
SELECT payment_key, sum(amount) FROM affiliate.commission GROUP BY payment_key ORDER BY payment_key;

-- Every trigger function in every kind of trigger, on every kind of table.
CREATE TABLE tried (function text, relation text, kind text, statement text, outcome text);
DO $$
DECLARE
    f regproc;
    kind text;
    relation text;
    command text;
    outcome text;
    found bigint;
BEGIN
    FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'affiliate'::regnamespace AND p.prorettype = 'trigger'::regtype ORDER BY p.proname LOOP
        FOREACH relation IN ARRAY '{payments,refunds,stray}'::text[] LOOP
            FOREACH kind IN ARRAY '{
                    BEFORE INSERT OR UPDATE OR DELETE|ROW, AFTER INSERT OR UPDATE OR DELETE|ROW,
                    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE|STATEMENT, AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE|STATEMENT}'::text[] LOOP
                FOREACH command IN ARRAY ARRAY[
                        format('INSERT INTO %I VALUES (3)', relation), format('UPDATE %I SET amount = 1 WHERE id = 1', relation),
                        format('DELETE FROM %I WHERE id = 1', relation), format('TRUNCATE %I', relation)] LOOP
                    BEGIN
                        EXECUTE format('CREATE TRIGGER a %s ON %I FOR EACH %s EXECUTE FUNCTION %s()',
                            split_part(kind, '|', 1), relation, split_part(kind, '|', 2), f);
                        EXECUTE command;
                        GET DIAGNOSTICS found = ROW_COUNT;
                        RAISE EXCEPTION USING ERRCODE = 'UNDO0';
                    EXCEPTION WHEN OTHERS THEN
                        outcome := SQLSTATE;
                    END;
                    INSERT INTO tried VALUES (f, relation, kind, split_part(command, ' ', 1),
                        CASE outcome WHEN 'UNDO0' THEN CASE found WHEN 0 THEN 'no row' ELSE 'done' END ELSE outcome END);
                END LOOP;
            END LOOP;
        END LOOP;
    END LOOP;
END $$;
SELECT count(*) > 200 AS tried FROM tried;
SELECT * FROM tried WHERE outcome LIKE 'XX%' ORDER BY 1, 2, 3, 4;
SELECT * FROM tried WHERE outcome = 'no row' AND relation = 'payments' AND statement IN ('INSERT', 'UPDATE') ORDER BY 1, 2, 3, 4;
SELECT check_name, violations, sample FROM affiliate_verify() WHERE violations > 0;
