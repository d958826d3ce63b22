-- What an operator watches.
CREATE DATABASE regress_operations;
\c regress_operations
SET timezone = 'UTC';
CREATE EXTENSION affiliate;
SELECT count(affiliate_create(o, code => o)) FROM unnest(ARRAY['alice', 'anton']) o;
SELECT count(affiliate_attribute(who, code => ref, attributed_at => '2024-01-01'))
FROM (VALUES ('a', 'alice'), ('b', 'anton')) v (who, ref);
CREATE VIEW folding AS
SELECT o.entries_not_folded, o.referrals_not_folded, o.last_folded_at IS NOT NULL AS was_folded,
    o.oldest_writer_pid = pg_backend_pid() AS own_session, o.oldest_writer_prepared, o.oldest_writer_since <= now() AS since
FROM affiliate.operations o;
-- Nothing has happened yet.
SELECT * FROM affiliate.operations \gx

-- What is not folded, and who is in the way: a session, or a prepared transaction.
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES
    (1, 'a', 200, '2024-01-10'), (2, 'a', 200, '2024-01-10'), (3, 'b', 200, '2024-01-10');
SELECT * FROM folding;
SELECT affiliate_maintain();
SELECT * FROM folding;
BEGIN;
INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES (4, 'b', 200, '2024-01-10');
SELECT * FROM folding;
PREPARE TRANSACTION 'forgotten';
SELECT * FROM folding;
ROLLBACK PREPARED 'forgotten';
SELECT * FROM folding;
BEGIN;
SELECT customer FROM affiliate_attribute('c', code => 'alice');
SELECT * FROM folding;
ROLLBACK;

-- Payout runs: ended, and cut off. Payouts that have not arrived.
CREATE VIEW paying AS
SELECT o.payout_run_started_at IS NOT NULL AS started, o.payout_run_started_at <= o.payout_run_ended_at AS ended,
    o.payouts_unfinished, o.payouts_unfinished_since <= now() AS since
FROM affiliate.operations o;
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT * FROM paying;
SELECT affiliate.payout_batch('default', '2024-01-31', 0) > 0 AS has_begun;
SELECT * FROM paying;
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT status FROM affiliate_set_payout_status(1, 'processing');
SELECT * FROM paying;
SELECT status FROM unnest(ARRAY[1, 2]) payout, LATERAL affiliate_set_payout_status(payout, 'paid');
SELECT * FROM paying;
-- A program whose last run was cut off shows although another one's has ended.
SELECT name FROM affiliate_set_program('other');
CALL affiliate_run_payouts(through => '2024-01-31');
SELECT affiliate.payout_batch('default', '2024-01-31', 0) > 0 AS has_begun;
CALL affiliate_run_payouts(through => '2024-01-31', program => 'other');
SELECT * FROM paying;

-- What needs a hand.
INSERT INTO affiliate.payment (id, customer, amount) VALUES (10, 'a', 'NaN');
SELECT affiliate_record_refund('affiliate.payment', 99, 'early', 1, kind => 'dispute');
ALTER TABLE affiliate.payment DISABLE TRIGGER zzz_affiliate_update;
SELECT quarantined, refunds_waiting, binding_problems FROM affiliate.operations;
ALTER TABLE affiliate.payment ENABLE TRIGGER zzz_affiliate_update;

-- A reader sees it, and nobody else.
CREATE ROLE regress_watcher;
SET ROLE regress_watcher;
SELECT entries_not_folded FROM affiliate.operations;
RESET ROLE;
SELECT affiliate_grant('regress_watcher', 'reader');
SET ROLE regress_watcher;
SELECT entries_not_folded, quarantined FROM affiliate.operations;
RESET ROLE;
DROP OWNED BY regress_watcher;
DROP ROLE regress_watcher;
