-- What somebody has changed in the extension's tables so that it can't be read is an error that names it, never a default: no payment earns at a rate of 0.
BEGIN;
SET timezone = 'UTC';
CREATE EXTENSION affiliate;
SELECT (affiliate_set_program('default', rate => 0.3, time_zone => 'Europe/Berlin')).rate;
SELECT code FROM affiliate_create('alice', code => 'alice');
SELECT customer FROM affiliate_attribute('bob', code => 'alice', attributed_at => '2024-01-01');
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_on date DEFAULT '2024-02-01');
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_on') AS binding;
INSERT INTO payments VALUES (1, 'bob', 100);
SELECT affiliate_record_refund('payments', 1, 'refund-1', 5, kind => 'dispute');
INSERT INTO affiliate.payout (affiliate_id, currency, amount, entries, through, threshold) VALUES (1, 'USD', 1, 1, '2024-02-29', 0);

-- The terms of the program.
\set VERBOSITY verbose
\set SHOW_CONTEXT never
SAVEPOINT whole;
ALTER TABLE affiliate.program ALTER COLUMN rate DROP NOT NULL;
UPDATE affiliate.program SET rate = NULL;
INSERT INTO payments VALUES (2, 'bob', 100);
ROLLBACK TO whole;
ALTER TABLE affiliate.program DROP CONSTRAINT program_rate;
UPDATE affiliate.program SET rate = 'NaN';
INSERT INTO payments VALUES (2, 'bob', 100);
ROLLBACK TO whole;
ALTER TABLE affiliate.program ALTER COLUMN hold_days TYPE bigint;
UPDATE affiliate.program SET hold_days = 7;
INSERT INTO payments VALUES (2, 'bob', 100);
ROLLBACK TO whole;
-- as when the server gets time zone files without it
UPDATE affiliate.program SET time_zone = 'Europe/Atlantis';
INSERT INTO payments VALUES (2, 'bob', 100);
ROLLBACK TO whole;
UPDATE affiliate.program SET currency = 'XXX';
INSERT INTO payments VALUES (2, 'bob', 100);
ROLLBACK TO whole;

-- The binding.
ALTER TABLE affiliate.binding ALTER COLUMN minor_units DROP NOT NULL;
UPDATE affiliate.binding SET minor_units = NULL;
INSERT INTO payments VALUES (2, 'bob', 100);
ROLLBACK TO whole;
ALTER TABLE affiliate.binding DROP CONSTRAINT binding_on_delete;
UPDATE affiliate.binding SET on_delete = 'forget';
DELETE FROM payments;
ROLLBACK TO whole;
UPDATE affiliate.binding SET attnums = '{2,NULL,3}';
INSERT INTO payments VALUES (2, 'bob', 100);
ROLLBACK TO whole;

-- Refunds, payouts, affiliates.
ALTER TABLE affiliate.refund DROP CONSTRAINT refund_kind;
UPDATE affiliate.refund SET kind = 'gift';
UPDATE payments SET amount = 50 WHERE id = 1;
ROLLBACK TO whole;
ALTER TABLE affiliate.payout DROP CONSTRAINT payout_status;
UPDATE affiliate.payout SET status = 'lost';
SELECT live, unfinished FROM affiliate.payout;
SELECT affiliate_set_payout_status(id, 'paid') FROM affiliate.payout;
ROLLBACK TO whole;
ALTER TABLE affiliate.affiliate DROP CONSTRAINT affiliate_status;
UPDATE affiliate.affiliate SET status = 'asleep';
SELECT affiliate_add_code('alice', new_code => 'alice-2');
ROLLBACK TO whole;

-- With nothing changed it goes on.
INSERT INTO payments VALUES (2, 'bob', 100);
SELECT payment_key, seq, rate, amount FROM affiliate.commission ORDER BY payment_key, seq;
ROLLBACK;
