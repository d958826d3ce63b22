-- Repair: post exactly what is missing.

CREATE FUNCTION @extschema@.affiliate_backfill(
    payments regclass, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL
) RETURNS TABLE (posted bigint, reversed bigint, quarantined bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'affiliate_backfill_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_backfill(regclass, timestamptz, timestamptz)
    IS 'Posts eligible payments that have no entries, paid at or after since and before until; counts payments';
REVOKE ALL ON FUNCTION @extschema@.affiliate_backfill(regclass, timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_reconcile(max_payments bigint DEFAULT NULL, force boolean DEFAULT false)
RETURNS TABLE (posted bigint, reversed bigint, quarantined bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET hash_mem_multiplier = 1
AS 'MODULE_PATHNAME', 'affiliate_reconcile_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_reconcile(bigint, boolean)
    IS 'Settles every payment whose ledger is not what its row says, at most max_payments of them, and retries the quarantine; counts payments';
REVOKE ALL ON FUNCTION @extschema@.affiliate_reconcile(bigint, boolean) FROM PUBLIC;

-- Why a payment earned what it earned.

CREATE FUNCTION @extschema@.affiliate_explain(payments regclass, payment_key text) RETURNS jsonb
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_explain_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_explain(regclass, text)
    IS 'Why a payment earned what it earned, or why nothing';
REVOKE ALL ON FUNCTION @extschema@.affiliate_explain(regclass, text) FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_explain(payments regclass, payment_key bigint) RETURNS jsonb
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_explain_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_explain(regclass, bigint)
    IS 'Why a payment earned what it earned, or why nothing (payment key an integer)';
REVOKE ALL ON FUNCTION @extschema@.affiliate_explain(regclass, bigint) FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_explain(payments regclass, payment_key uuid) RETURNS jsonb
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_explain_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_explain(regclass, uuid)
    IS 'Why a payment earned what it earned, or why nothing (payment key a uuid)';
REVOKE ALL ON FUNCTION @extschema@.affiliate_explain(regclass, uuid) FROM PUBLIC;

-- DROP EXTENSION, or DROP SCHEMA ... CASCADE, would take the ledger along.
CREATE FUNCTION affiliate.protect_ledger() RETURNS event_trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'protect_ledger';
COMMENT ON FUNCTION affiliate.protect_ledger()
    IS 'Refuses to drop the extension while the ledger has entries, unless affiliate.allow_drop is on';

CREATE EVENT TRIGGER affiliate_protect_ledger ON ddl_command_start
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION affiliate.protect_ledger();
ALTER EVENT TRIGGER affiliate_protect_ledger ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER affiliate_protect_ledger
    IS 'Refuses to drop the extension while the ledger has entries, unless affiliate.allow_drop is on';

-- ALTER TABLE may change the texts of a bound table's keys.
CREATE FUNCTION affiliate.follow_key_types() RETURNS event_trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'follow_key_types';
COMMENT ON FUNCTION affiliate.follow_key_types()
    IS 'Takes the ledger along to the new texts of payment keys when the type of their column has changed';

CREATE EVENT TRIGGER affiliate_follow_key_types ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE')
    EXECUTE FUNCTION affiliate.follow_key_types();
ALTER EVENT TRIGGER affiliate_follow_key_types ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER affiliate_follow_key_types
    IS 'Takes the ledger along to the new texts of payment keys when the type of their column has changed';

-- What an operator watches.

-- Each affiliate's end of an index, as a fold looks for them: an index on the epoch would cost
-- every payment. Without jit, which would take longer than the count.
CREATE FUNCTION affiliate.not_folded(OUT entries bigint, OUT referrals bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $$
    SELECT coalesce(sum(c.entries), 0)::bigint, coalesce(sum(r.referrals), 0)::bigint
    FROM (SELECT coalesce(max(f.mark), 0) AS epoch FROM affiliate.fold f) m, affiliate.affiliate a,
        LATERAL (SELECT count(*) AS entries FROM affiliate.commission c
            WHERE c.affiliate_id = a.id AND c.epoch > m.epoch) c,
        LATERAL (SELECT count(*) AS referrals FROM affiliate.referral r
            WHERE r.affiliate_id = a.id AND r.epoch > m.epoch) r
$$;
COMMENT ON FUNCTION affiliate.not_folded() IS 'How many entries and referrals are not in the totals yet';

CREATE FUNCTION affiliate.library_version() RETURNS text
LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION affiliate.library_version() IS 'The version of the library that this session has loaded';
REVOKE ALL ON FUNCTION affiliate.library_version() FROM PUBLIC;

CREATE VIEW affiliate.operations AS
SELECT
    n.entries AS entries_not_folded, n.referrals AS referrals_not_folded,
    (SELECT max(f.folded_at) FROM affiliate.fold f) AS last_folded_at,
    w.pid AS oldest_writer_pid, w.gid AS oldest_writer_prepared, w.since AS oldest_writer_since,
    s.pid AS oldest_snapshot_pid, s.since AS oldest_snapshot_since,
    (SELECT count(*) FROM affiliate.quarantine q WHERE q.resolved_at IS NULL) AS quarantined,
    (SELECT count(*) FROM affiliate.refund f WHERE f.waits AND f.canceled_at IS NULL) AS refunds_waiting,
    (SELECT count(*) FROM affiliate.binding_health h WHERE h.problem IS NOT NULL) AS binding_problems,
    r.started_at AS payout_run_started_at, r.ended_at AS payout_run_ended_at,
    (SELECT count(*) FROM affiliate.payout o WHERE o.unfinished) AS payouts_unfinished,
    (SELECT o.created_at FROM affiliate.payout o WHERE o.unfinished ORDER BY o.id LIMIT 1)
        AS payouts_unfinished_since,
    (SELECT o.rolsuper FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner WHERE c.oid = 'affiliate.commission'::regclass)
        AS owner_is_superuser,
    (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'affiliate') AS extension_version,
    affiliate.library_version() AS library_version
FROM affiliate.not_folded() n
-- Whoever a fold waits for: conflicts with ShareLock, but for VACUUM. A prepared transaction has
-- no process, and mostly the virtual number of the session that prepared it.
LEFT JOIN LATERAL (
    SELECT l.pid, x.gid, coalesce(a.xact_start, x.prepared) AS since
    FROM pg_locks l
        LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        LEFT JOIN (pg_locks t JOIN pg_prepared_xacts x ON x.transaction = t.transactionid)
            ON l.pid IS NULL AND t.pid IS NULL AND t.virtualtransaction = l.virtualtransaction
    WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock',
            'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND l.relation IN ('affiliate.commission'::regclass, 'affiliate.referral'::regclass)
        AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.pid = l.pid)
    ORDER BY 3 LIMIT 1) w ON true
LEFT JOIN LATERAL (
    SELECT a.pid, a.xact_start AS since FROM pg_stat_activity a
    WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
        AND (a.datname IS NULL OR a.datname = current_database())
    ORDER BY age(a.backend_xmin) DESC LIMIT 1) s ON true
LEFT JOIN LATERAL (
    SELECT max(r.started_at) AS started_at,
        CASE WHEN bool_and(r.ended_at IS NOT NULL) THEN max(r.ended_at) END AS ended_at
    FROM affiliate.payout_run r) r ON true;
COMMENT ON VIEW affiliate.operations IS
    'What an operator watches: what is not folded and who is in the way, quarantine, waiting refunds, payouts';
COMMENT ON COLUMN affiliate.operations.entries_not_folded IS 'Entries that affiliate_stats() still adds up one by one';
COMMENT ON COLUMN affiliate.operations.oldest_writer_pid IS 'Session of the oldest transaction that a fold waits for: it writes to the ledger or to referrals, or holds a stronger lock on them';
COMMENT ON COLUMN affiliate.operations.oldest_writer_prepared IS 'Its name, if that transaction is a prepared one';
COMMENT ON COLUMN affiliate.operations.oldest_snapshot_pid IS 'Session of the oldest snapshot: it keeps dead rows of the totals from being vacuumed';
COMMENT ON COLUMN affiliate.operations.payout_run_ended_at IS 'NULL while the last run of a program runs, and if it was cut off';
COMMENT ON COLUMN affiliate.operations.owner_is_superuser IS 'Whether the ledger is owned by a superuser, whose rights posting then has: see affiliate_set_owner()';
COMMENT ON COLUMN affiliate.operations.extension_version IS 'The version of the SQL objects';
COMMENT ON COLUMN affiliate.operations.library_version IS 'The version of the library that this session has loaded';
COMMENT ON COLUMN affiliate.operations.payouts_unfinished IS 'Payouts that are pending or processing';
