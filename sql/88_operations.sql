-- What an operator watches.

CREATE VIEW affiliate.operations AS
SELECT
    (SELECT count(*) FROM affiliate.commission c WHERE c.epoch > m.epoch) AS entries_not_folded,
    (SELECT count(*) FROM affiliate.referral r WHERE r.epoch > m.epoch) AS referrals_not_folded,
    m.folded_at AS last_folded_at,
    w.pid AS oldest_writer_pid, w.gid AS oldest_writer_prepared, w.since AS oldest_writer_since,
    s.pid AS oldest_snapshot_pid, s.since AS oldest_snapshot_since,
    (SELECT count(*) FROM affiliate.quarantine q WHERE q.resolved_at IS NULL) AS quarantined,
    (SELECT count(*) FROM affiliate.refund f WHERE f.waits) AS refunds_waiting,
    (SELECT count(*) FROM affiliate.binding_health h WHERE h.problem IS NOT NULL) AS binding_problems,
    (SELECT max(o.created_at) FROM affiliate.payout o) AS last_payout_at,
    (SELECT count(*) FROM affiliate.payout o WHERE o.status IN ('pending', 'processing')) AS payouts_unfinished
FROM (
    SELECT coalesce(max(f.mark), 0) AS epoch, max(f.folded_at) AS folded_at FROM affiliate.fold f) m
LEFT JOIN LATERAL (
    SELECT l.pid, x.gid, coalesce(a.xact_start, x.prepared) AS since
    FROM pg_locks l
        LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        LEFT JOIN pg_prepared_xacts x ON l.virtualtransaction = '-1/' || x.transaction::text
    WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.relation IN ('affiliate.commission'::regclass, 'affiliate.referral'::regclass)
    ORDER BY 3 LIMIT 1) w ON true
LEFT JOIN LATERAL (
    SELECT a.pid, a.xact_start AS since FROM pg_stat_activity a
    WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
    ORDER BY age(a.backend_xmin) DESC LIMIT 1) s ON true;
COMMENT ON VIEW affiliate.operations IS
    'What an operator watches: what is not folded and who is in the way, quarantine, waiting refunds, payouts';
COMMENT ON COLUMN affiliate.operations.entries_not_folded IS 'Entries that affiliate_stats() still adds up one by one';
COMMENT ON COLUMN affiliate.operations.oldest_writer_pid IS 'Session of the oldest transaction that writes to the ledger: a fold waits for it';
COMMENT ON COLUMN affiliate.operations.oldest_writer_prepared IS 'Its name, if that transaction is a prepared one';
COMMENT ON COLUMN affiliate.operations.oldest_snapshot_pid IS 'Session of the oldest snapshot: it keeps dead rows of the totals from being vacuumed';
