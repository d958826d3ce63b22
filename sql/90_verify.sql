-- Proof. A hash takes no more than work_mem, whatever multiple of it others may take.

CREATE FUNCTION @extschema@.affiliate_verify() RETURNS TABLE (
    check_name text, description text, violations bigint, sample text)
LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET hash_mem_multiplier = 1
AS 'MODULE_PATHNAME', 'affiliate_verify_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_verify()
    IS 'Every invariant as a count of its violations and one of them as a sample; all zero in a healthy database';
REVOKE ALL ON FUNCTION @extschema@.affiliate_verify() FROM PUBLIC;
