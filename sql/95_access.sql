-- Access: nothing is granted to PUBLIC; affiliate_grant gives a role one of four kinds.

-- Definer, as what runs with its owner's rights is the owner's, who is no reader.
CREATE FUNCTION affiliate.is_reader() RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT true';
COMMENT ON FUNCTION affiliate.is_reader()
    IS 'Only the access of a reader gives the right to call it: tells a reader from an operator, who has all else that a reader has';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA affiliate FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_grant(role regrole, access text) RETURNS boolean
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_grant_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_grant(regrole, text)
    IS 'Gives a role the access of an app, a reader, an operator or an admin; returns whether it lacked a function of it';
REVOKE ALL ON FUNCTION @extschema@.affiliate_grant(regrole, text) FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_revoke(role regrole, access text DEFAULT NULL) RETURNS boolean
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_revoke_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_revoke(regrole, text)
    IS 'Takes back an access that affiliate_grant() gave, or every one, but for what another one that the role has gives too; returns whether there was something to take';
REVOKE ALL ON FUNCTION @extschema@.affiliate_revoke(regrole, text) FROM PUBLIC;
