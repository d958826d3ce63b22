-- Tables of the extension that get further columns, as a later version or somebody adds them: payments go on, and the columns get what an INSERT would give them. Any other change is an error with its remedy, and never a wrong read.
CREATE DATABASE regress_ledger_columns;
\c regress_ledger_columns
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE ROLE regress_cashier;
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
GRANT SELECT, INSERT, UPDATE ON payments TO regress_cashier;
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO payments VALUES (1, 'bob', 10);

-- One column of each kind, between payments of one session. Defaults are evaluated for each entry, with the rights of the ledger's owner.
CREATE FUNCTION secret() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT current_user::text';
REVOKE ALL ON FUNCTION secret() FROM PUBLIC;
CREATE DOMAIN tax_rate AS numeric DEFAULT 0.19;
ALTER TABLE affiliate.commission ADD COLUMN plain text;
INSERT INTO payments VALUES (2, 'bob', 20);
ALTER TABLE affiliate.commission
    ADD COLUMN constant int NOT NULL DEFAULT 7,
    ADD COLUMN long text DEFAULT repeat('long', 20000),
    ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN tax tax_rate,
    ADD COLUMN cents bigint GENERATED ALWAYS AS ((amount * 100)::bigint) STORED,
    ADD COLUMN words text NOT NULL GENERATED ALWAYS AS (payment_key || ': ' || repeat(currency, 1000)) STORED,
    ADD COLUMN gone int NOT NULL DEFAULT 1;
ALTER TABLE affiliate.commission ADD COLUMN by_whom text DEFAULT secret();
ALTER TABLE affiliate.commission DROP COLUMN gone;
ALTER TABLE affiliate.commission ADD CONSTRAINT small CHECK (cents < 100000 AND constant = 7);
SET ROLE regress_cashier;
INSERT INTO payments VALUES (3, 'bob', 30);
INSERT INTO payments SELECT n, 'bob', n FROM generate_series(4, 1300) n;
UPDATE payments SET amount = 31 WHERE id = 3;
INSERT INTO payments VALUES (1, 'bob', 11) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
\set VERBOSITY sqlstate
INSERT INTO payments VALUES (1301, 'bob', 4000);
\set VERBOSITY verbose
RESET ROLE;
SELECT payment_key, seq, amount, plain, constant, length(long), number, tax, cents, length(words), by_whom = current_user AS by_owner
FROM affiliate.commission WHERE payment_key IN ('1', '2', '3', '4', '1300') ORDER BY payment_key, seq;
SELECT count(*), sum(cents), count(DISTINCT number), count(DISTINCT words), bool_and(words LIKE payment_key || ': USD%')
FROM affiliate.commission;
SELECT check_name FROM affiliate_verify() WHERE violations > 0;

-- The other tables that are read by position, and all again.
ALTER TABLE affiliate.referral ADD COLUMN campaign text NOT NULL DEFAULT 'none', ADD COLUMN note text;
ALTER TABLE affiliate.refund ADD COLUMN reason text NOT NULL DEFAULT 'none', ADD COLUMN note text;
SELECT customer FROM affiliate_attribute('carol', code => 'alice', attributed_at => '2024-01-01');
INSERT INTO payments VALUES (1400, 'carol', 100), (1401, 'nobody', 100);
SELECT affiliate_record_refund('payments', 1400, 'refund-1', 10);
INSERT INTO payments SELECT n, 'carol', 1 FROM generate_series(2001, 3500) n;
SELECT seq, amount FROM affiliate.commission WHERE payment_key = '1400' ORDER BY seq;
SELECT check_name FROM affiliate_verify() WHERE violations > 0;

-- A column that can't be filled: the payment fails with the remedy, and goes through when it is followed.
ALTER TABLE affiliate.commission ADD COLUMN demanded int NOT NULL DEFAULT 0;
ALTER TABLE affiliate.commission ALTER COLUMN demanded DROP DEFAULT;
INSERT INTO payments VALUES (1350, 'bob', 15);
UPDATE payments SET amount = 16 WHERE id = 1400;
INSERT INTO payments VALUES (1351, 'nobody', 15);
ALTER TABLE affiliate.commission ALTER COLUMN demanded SET DEFAULT 0;
INSERT INTO payments VALUES (1350, 'bob', 15);

-- Our own columns renamed, retyped and dropped; each is undone but for the last.
CREATE PROCEDURE attempt(change text) LANGUAGE plpgsql AS $$
DECLARE
    statement text;
    what text;
    detail text;
BEGIN
    EXECUTE change;
    FOREACH statement IN ARRAY ARRAY[
        'INSERT INTO payments VALUES (1600, ''bob'', 16)', 'INSERT INTO payments VALUES (1600, ''nobody'', 16)',
        'UPDATE payments SET amount = 17 WHERE id = 1400', 'SELECT affiliate_record_refund(''payments'', 1400, ''refund-2'', 10)',
        'INSERT INTO payments SELECT n, ''bob'', 1 FROM generate_series(4000, 6000) n', 'SELECT affiliate_backfill(''payments'')']
    LOOP
        BEGIN
            EXECUTE statement;
            RAISE NOTICE '%: done', left(statement, 52);
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS what = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            RAISE NOTICE '%: % %: %', left(statement, 52), SQLSTATE, what, detail;
        END;
    END LOOP;
    ROLLBACK;
END
$$;
\set VERBOSITY terse
CALL attempt('ALTER TABLE affiliate.commission DROP COLUMN rate CASCADE');
CALL attempt('ALTER TABLE affiliate.commission RENAME COLUMN base TO net');
CALL attempt('ALTER TABLE affiliate.commission ALTER COLUMN refunded TYPE numeric(12,2)');
CALL attempt('ALTER TABLE affiliate.commission RENAME COLUMN rate TO base_; ALTER TABLE affiliate.commission RENAME COLUMN base TO rate; ALTER TABLE affiliate.commission RENAME COLUMN base_ TO base');
CALL attempt('ALTER TABLE affiliate.commission RENAME COLUMN affiliate_id TO affiliate');
CALL attempt('ALTER TABLE affiliate.commission ALTER COLUMN rate DROP NOT NULL; UPDATE affiliate.commission SET rate = NULL WHERE payment_key = ''1400''');
CALL attempt('ALTER TABLE affiliate.referral RENAME COLUMN affiliate_id TO affiliate');
CALL attempt('ALTER TABLE affiliate.referral ALTER COLUMN attributed_at TYPE timestamp');
CALL attempt('ALTER TABLE affiliate.referral ALTER COLUMN customer DROP NOT NULL, ALTER COLUMN attributed_at DROP NOT NULL; UPDATE affiliate.referral SET attributed_at = NULL');
CALL attempt('ALTER TABLE affiliate.refund ALTER COLUMN amount TYPE double precision');
CALL attempt('ALTER TABLE affiliate.refund ALTER COLUMN amount DROP NOT NULL; UPDATE affiliate.refund SET amount = NULL');
CALL attempt('SELECT 1');

-- Indexes of ours that are gone, or are others.
CALL attempt('ALTER INDEX affiliate.referral_probe RENAME TO other');
CALL attempt('ALTER INDEX affiliate.referral_probe RENAME TO other; CREATE INDEX referral_probe ON affiliate.referral (customer)');
CALL attempt('ALTER INDEX affiliate.commission_key RENAME TO other; CREATE INDEX commission_key ON affiliate.commission (payment_key, binding_id)');
CALL attempt('ALTER INDEX affiliate.commission_key RENAME TO other; CREATE INDEX commission_key ON affiliate.commission (binding_id, payment_key) WHERE seq = 1');
CALL attempt('ALTER INDEX affiliate.refund_payment RENAME TO other; CREATE INDEX refund_payment ON affiliate.refund (binding_id)');
CALL attempt('UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''affiliate.commission_key''::regclass');
\set VERBOSITY verbose
SELECT check_name FROM affiliate_verify() WHERE violations > 0;

-- An index of the owner's that keeps something between its rows.
CREATE INDEX posted ON affiliate.commission USING brin (posted_at) WITH (pages_per_range = 1, autosummarize = on);
INSERT INTO payments SELECT n, 'bob', 1 FROM generate_series(10001, 20000) n;
INSERT INTO payments VALUES (20001, 'bob', 1);
SELECT check_name FROM affiliate_verify() WHERE violations > 0;

\c postgres
DROP DATABASE regress_ledger_columns;
DROP ROLE regress_cashier;
