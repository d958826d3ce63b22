-- Access: nothing is granted to PUBLIC; affiliate_grant gives a role one of three kinds.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA affiliate FROM PUBLIC;

CREATE FUNCTION @extschema@.affiliate_grant(role regrole, access text) RETURNS void
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_grant_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_grant(regrole, text)
    IS 'Gives a role the access of an app, a reader or an operator';
REVOKE ALL ON FUNCTION @extschema@.affiliate_grant(regrole, text) FROM PUBLIC;
