-- The fixed schema of the extension. API functions live in the target schema, @extschema@.
-- Everything below resolves in pg_catalog alone; whatever is ours is written with its schema.
SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA affiliate;

-- Texts are compared and measured as UTF-8 throughout; of other encodings none is guessed.
CREATE FUNCTION affiliate.require_utf8() RETURNS void
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'require_utf8';
SELECT affiliate.require_utf8();
DROP FUNCTION affiliate.require_utf8();

COMMENT ON SCHEMA affiliate IS 'Affiliate commissions: programs, affiliates, referrals, the ledger and payouts';

-- The tables refer to each other without foreign keys. A parallel pg_restore loads the tables of
-- an extension in any order and would fail at them, and payments must not queue for locks on
-- what they refer to. Nothing that is referred to is ever deleted, every reference is made by a
-- function that has just read what it refers to, and affiliate_verify() checks them all.
