-- Repair: post exactly what is missing.

CREATE FUNCTION @extschema@.affiliate_backfill(
    payments regclass, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL
) RETURNS TABLE (posted bigint, reversed bigint, quarantined bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'affiliate_backfill_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_backfill(regclass, timestamptz, timestamptz)
    IS 'Posts eligible payments that have no entries, paid at or after since and before until; counts payments';
REVOKE ALL ON FUNCTION @extschema@.affiliate_backfill(regclass, timestamptz, timestamptz) FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_reconcile(max_payments bigint DEFAULT NULL)
RETURNS TABLE (posted bigint, reversed bigint, quarantined bigint)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET hash_mem_multiplier = 1
AS 'MODULE_PATHNAME', 'affiliate_reconcile_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_reconcile(bigint)
    IS 'Settles every payment whose ledger is not what its row says, at most max_payments of them, and retries the quarantine; counts payments';
REVOKE ALL ON FUNCTION @extschema@.affiliate_reconcile(bigint) FROM PUBLIC;

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
