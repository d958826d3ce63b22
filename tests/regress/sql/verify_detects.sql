-- affiliate_verify(): each check sees what it is there for. The database is broken on purpose, by a superuser and
-- past all constraints, in a transaction that is rolled back; exactly the check in question rises.
CREATE DATABASE regress_verify_detects;
\c regress_verify_detects
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set VERBOSITY verbose
CREATE EXTENSION affiliate;
CREATE FUNCTION detected(OUT check_name text, OUT violations bigint, OUT sample text) RETURNS SETOF record LANGUAGE sql
AS 'SELECT v.check_name, v.violations, v.sample FROM affiliate_verify() v WHERE v.violations > 0';

-- A history: payments of several kinds, refunds, payouts in several states, a fold.
SELECT code FROM unnest(ARRAY['alice', 'anton']) o, LATERAL affiliate_create(o, code => o);
SELECT count(*) FROM (VALUES ('bob', 'alice'), ('carol', 'alice'), ('dave', 'anton'), ('gone', 'alice')) v (who, ref),
    LATERAL affiliate_attribute(who, code => ref, attributed_at => '2024-01-01');
CREATE TABLE old_payments (id int PRIMARY KEY, customer text, amount numeric, paid_at date);
SELECT affiliate_attach_payments('old_payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
INSERT INTO old_payments VALUES (1, 'gone', 10, '2024-02-01');
SELECT affiliate_detach('old_payments');
-- paid: 1 and 2; failed: 3 and 4, where 4 earns 0.00; open: 5, 6, 7
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES
    (1, 'bob', 100, 'USD', '2024-02-01'), (2, 'carol', 100, 'USD', '2024-02-01'),
    (3, 'bob', 200, 'EUR', '2024-02-01'), (4, 'carol', 0.01, 'EUR', '2024-02-01');
CALL affiliate_run_payouts(through => '2024-02-29');
SELECT o.currency, o.status FROM affiliate_set_payout_status(1, 'failed') o;
SELECT o.currency, o.status FROM affiliate_set_payout_status(2, 'paid') o;
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES
    (5, 'dave', 20, 'USD', '2024-03-01'), (6, 'dave', 20, 'USD', '2024-03-01'), (7, 'bob', 20, 'USD', '2024-03-01');
UPDATE affiliate.payment SET refunded = 10 WHERE id = 6;
SELECT affiliate_maintain() > 0 AS folded;
INSERT INTO affiliate.payment (id, customer, amount, currency, paid_at) VALUES (8, 'dave', 30, 'USD', '2024-03-01');
SELECT id, currency, amount, entries, status FROM affiliate.payout ORDER BY id;
SELECT * FROM detected();

-- one_commission_per_payment: a number is missing, as if an entry had been deleted.
BEGIN;
UPDATE affiliate.commission SET seq = 2 WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;

-- entries_recompute: an amount that is not on the scale of its currency, a rule nobody knows, a negative input.
BEGIN;
UPDATE affiliate.commission SET amount = 6.000 WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.commission SET rule = 'x' WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.commission SET refunded = -1 WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;
-- an amount that is wrong makes the sum of its payment wrong too, and what was folded before is not the ledger any more
BEGIN;
UPDATE affiliate.commission SET amount = 7.00 WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;
-- the code of a currency is that of the standard, and no other spelling
BEGIN;
UPDATE affiliate.commission SET currency = 'usd' WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.commission SET amount = 'NaN' WHERE payment_key = '8';
SELECT * FROM detected();
ROLLBACK;

-- entries_continue: a later entry has another day of maturity than the first.
BEGIN;
UPDATE affiliate.commission SET matures_on = '2024-03-02' WHERE payment_key = '6' AND seq = 2;
SELECT * FROM detected();
ROLLBACK;
-- another day of the payment, or one after its maturity
BEGIN;
UPDATE affiliate.commission SET paid_on = '2024-01-02' WHERE payment_key = '6' AND seq = 2;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.commission SET paid_on = matures_on + 1 WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;
-- or another rate (0.31 x 0.01 rounds to what 0.30 x 0.01 does)
BEGIN;
UPDATE affiliate.payment SET refunded = 19.99 WHERE id = 6;
UPDATE affiliate.commission SET rate = 0.31 WHERE payment_key = '6' AND seq = 3;
SELECT * FROM detected();
ROLLBACK;

-- entries_follow_referral: an entry of a referral that is not there. Its table is detached, so no row says otherwise.
BEGIN;
UPDATE affiliate.commission SET referral_id = 999999 WHERE binding_id = 2;
SELECT * FROM detected();
ROLLBACK;

-- references_exist: a code of no affiliate, and a refund of no binding.
BEGIN;
INSERT INTO affiliate.code (code, affiliate_id) VALUES ('nobodys', 999999);
SELECT * FROM detected();
INSERT INTO affiliate.refund (binding_id, payment_key, kind, refund_key, amount, refunded_at) VALUES (999, '1', 'refund', 'r', 1, '2024-01-01');
SELECT * FROM detected();
ROLLBACK;

-- payouts_equal_entries: the count of a payout, and the sum of one that has failed; a link to no payout at all.
BEGIN;
UPDATE affiliate.payout SET entries = 4 WHERE id = 2;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.payout SET amount = 60.01 WHERE id = 1;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.payout_entry SET payout_id = 999999 WHERE payout_id = 1 AND payment_key = '4';
UPDATE affiliate.payout SET entries = 1 WHERE id = 1;
SELECT * FROM detected();
ROLLBACK;
-- the sum of one that is paid is shown as such: the balance does not hold either
BEGIN;
UPDATE affiliate.payout SET amount = 600 WHERE id = 2;
SELECT * FROM detected();
ROLLBACK;

-- entries_in_one_payout: an entry still held by a payout that failed. It is one of 0.00, so no sum moves.
BEGIN;
UPDATE affiliate.payout_entry SET live = true WHERE payout_id = 1 AND payment_key = '4';
SELECT * FROM detected();
ROLLBACK;
-- paid twice: both payouts' sums would have to be changed along
BEGIN;
DROP INDEX affiliate.payout_entry_live;
INSERT INTO affiliate.payout (affiliate_id, currency, amount, entries, through, threshold, status) VALUES (1, 'USD', 30, 1, '2024-02-29', 0, 'pending');
INSERT INTO affiliate.payout_entry (payout_id, binding_id, payment_key, seq) SELECT max(id), 1, '1', 1 FROM affiliate.payout;
SELECT check_name FROM detected();
ROLLBACK;

-- only_matured_paid: a payout through a day before its entries matured.
BEGIN;
UPDATE affiliate.payout SET through = '2024-01-31' WHERE id = 2;
SELECT * FROM detected();
ROLLBACK;

-- payouts_reach_threshold: one below its minimum.
BEGIN;
ALTER TABLE affiliate.payout DROP CONSTRAINT payout_amount;
UPDATE affiliate.payout SET threshold = 100 WHERE id = 2;
SELECT * FROM detected();
ROLLBACK;

-- payouts_agree: another currency, another affiliate.
BEGIN;
UPDATE affiliate.payout SET currency = 'USD' WHERE id = 1;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.payout SET affiliate_id = 2 WHERE id = 1;
SELECT * FROM detected();
ROLLBACK;

-- payout_states: a state that there is not.
BEGIN;
ALTER TABLE affiliate.payout DROP CONSTRAINT payout_status;
UPDATE affiliate.payout SET status = 'lost' WHERE id = 1;
SELECT * FROM detected();
ROLLBACK;

-- open_entries_after_mark: a payout run would pass over open entries.
BEGIN;
INSERT INTO affiliate.payout_mark (affiliate_id, epoch) VALUES (2, 1);
SELECT * FROM detected();
ROLLBACK;

-- balance: a folded total that is not the ledger's.
BEGIN;
UPDATE affiliate.total SET commission = commission + 1 WHERE affiliate_id = 2;
SELECT * FROM detected();
ROLLBACK;

-- figures_equal_ledger: money spent, conversions, users.
BEGIN;
UPDATE affiliate.total SET spent = spent + 1 WHERE affiliate_id = 2;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.total SET conversions = conversions + 1 WHERE affiliate_id = 2;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
UPDATE affiliate.referred SET users = users - 1 WHERE affiliate_id = 1;
SELECT * FROM detected();
ROLLBACK;

-- triggers_in_place: disabled, enabled for replicas only, dropped.
BEGIN;
ALTER TABLE affiliate.payment DISABLE TRIGGER zzz_affiliate_update;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
ALTER TABLE affiliate.payment ENABLE REPLICA TRIGGER zzz_affiliate_insert;
SELECT * FROM detected();
ROLLBACK;
CREATE TABLE payments (id int PRIMARY KEY, customer text, amount numeric, paid_at date);
SELECT affiliate_attach_payments('payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at') AS binding;
BEGIN;
DROP TRIGGER zzz_affiliate_delete ON payments;
SELECT * FROM detected();
ROLLBACK;
-- a trigger of somebody else's in its place
BEGIN;
DROP TRIGGER zzz_affiliate_delete ON payments;
CREATE TRIGGER zzz_affiliate_delete BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT * FROM detected();
ROLLBACK;

-- sequences_ahead. Sequences don't roll back, so each is put where it was.
SELECT affiliate_track_click('alice', 'browser-1');
SELECT affiliate_track_click('alice', 'browser-1');
SELECT status FROM unnest(ARRAY['suspended', 'active']) s, LATERAL affiliate_set_status('anton', s);
INSERT INTO affiliate.payment (id, customer, amount) VALUES (20, 'bob', -1), (21, 'bob', -1);
DELETE FROM affiliate.payment WHERE id IN (20, 21);
INSERT INTO affiliate.refund (binding_id, payment_key, kind, refund_key, amount, refunded_at) VALUES (1, '0', 'refund', 'a', 0, now()), (1, '0', 'refund', 'b', 0, now());
SELECT * FROM detected();
CREATE FUNCTION detected_when_behind(sequence regclass) RETURNS TABLE (check_name text, sample text) LANGUAGE plpgsql AS $$
DECLARE at bigint;
BEGIN
    EXECUTE format('SELECT last_value FROM %s', sequence) INTO at;
    PERFORM setval(sequence, 1);
    RETURN QUERY SELECT d.check_name, d.sample FROM detected() d;
    PERFORM setval(sequence, at);
END $$;
-- the numbers of affiliate.payment are the application's, which may choose them itself
SELECT s.oid::regclass AS sequence, d.* FROM pg_class s LEFT JOIN LATERAL detected_when_behind(s.oid) d ON true
WHERE s.relkind = 'S' AND s.relnamespace = 'affiliate'::regnamespace
    AND s.relname NOT IN ('payment_id_seq', 'refunds_binding_id_seq') ORDER BY s.relname;
SELECT * FROM detected();

-- quarantine_empty: a bad payment waits.
BEGIN;
INSERT INTO affiliate.payment (id, customer, amount) VALUES (9, 'bob', 'NaN');
SELECT * FROM detected();
ROLLBACK;

-- payments_have_entries, posted_equals_target, entries_have_payment: what happened while triggers were off.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (9, 'bob', 10, '2024-02-01'), (10, 'eve', 10, '2024-02-01'), (11, 'bob', 10, '2023-01-01');
RESET session_replication_role;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE affiliate.payment SET amount = 21 WHERE id = 5;
RESET session_replication_role;
SELECT * FROM detected();
ROLLBACK;
-- a difference too small to change the commission is one of the money spent
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE affiliate.payment SET amount = 20.01 WHERE id = 5;
RESET session_replication_role;
SELECT * FROM detected();
ROLLBACK;
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM affiliate.payment WHERE id = 5;
RESET session_replication_role;
SELECT * FROM detected();
ROLLBACK;

-- An entry that somebody deletes is missed, and the folded totals are no longer the ledger's.
BEGIN;
DELETE FROM affiliate.commission WHERE payment_key = '5';
SELECT * FROM detected();
ROLLBACK;
SELECT * FROM detected();

-- Every check there is has been seen to rise above.
SELECT check_name FROM affiliate_verify();
