-- The fixed schema of the extension. API functions live in the target schema, @extschema@.
-- Everything below resolves in pg_catalog alone; whatever is ours is written with its schema.
SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA affiliate;
COMMENT ON SCHEMA affiliate IS 'Affiliate commissions: programmes, affiliates, referrals, the ledger and payouts';
