-- Whom the ledger belongs to: what is stored, and what runs with its owner's rights.

-- A dump does not say who owned the members of an extension, so the choice is kept in a table.
CREATE TABLE affiliate.ledger_owner (
    singleton      boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    role           text COLLATE "C" NOT NULL,
    handed_over_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE affiliate.ledger_owner IS
    'The role that affiliate_set_owner() has handed the ledger over to; no row while it is that of CREATE EXTENSION';

CREATE FUNCTION @extschema@.affiliate_set_owner(role regrole) RETURNS bigint
LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'affiliate_set_owner_wrapper';
COMMENT ON FUNCTION @extschema@.affiliate_set_owner(regrole)
    IS 'Hands tables, views, sequences and the functions that run with their owner''s rights over to a role that can do nothing else; returns how many changed hands or have a right of their owner''s again';
REVOKE ALL ON FUNCTION @extschema@.affiliate_set_owner(regrole) FROM PUBLIC;

-- Payments are posted with the rights of the owner of the ledger. A superuser has every right.
CREATE FUNCTION affiliate.owner_problems() RETURNS SETOF text
LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH owner AS (
        SELECT r.oid, r.rolname, r.rolsuper FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
        WHERE c.oid = 'affiliate.commission'::regclass),
    member AS (
        SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'affiliate'),
    lacks (privilege, object) AS (
        SELECT 'USAGE', 'schema affiliate' FROM owner o
        WHERE NOT has_schema_privilege(o.oid, 'affiliate'::regnamespace, 'USAGE')
        UNION ALL
        SELECT 'USAGE', format('schema %I', n.nspname)
        FROM owner o, pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'affiliate' AND NOT has_schema_privilege(o.oid, n.oid, 'USAGE')
        UNION ALL
        SELECT string_agg(k.privilege, ', ' ORDER BY k.n), c.oid::regclass::text
        FROM owner o, member m JOIN pg_class c ON c.oid = m.objid, LATERAL unnest(CASE c.relkind
                WHEN 'v' THEN '{SELECT}'::text[] WHEN 'S' THEN '{SELECT,UPDATE}' ELSE '{SELECT,INSERT,UPDATE,DELETE}' END)
            WITH ORDINALITY AS k (privilege, n)
        WHERE m.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p', 'v', 'S')
            AND NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(o.oid, c.oid, k.privilege)
                ELSE has_table_privilege(o.oid, c.oid, k.privilege) END
        GROUP BY c.oid
        UNION ALL
        SELECT 'EXECUTE', p.oid::regprocedure::text
        FROM owner o, member m JOIN pg_proc p ON p.oid = m.objid
        WHERE m.classid = 'pg_proc'::regclass AND p.pronamespace = 'affiliate'::regnamespace
            AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
            AND NOT has_function_privilege(o.oid, p.oid, 'EXECUTE')
        UNION ALL
        SELECT 'EXECUTE WITH GRANT OPTION', f::text
        FROM owner o, unnest('{affiliate.post_payments(),affiliate.post_refunds(),affiliate.refuse_truncate()}'::regprocedure[]) f
        WHERE NOT has_function_privilege(o.oid, f, 'EXECUTE WITH GRANT OPTION'))
    SELECT format('%s, the owner of the ledger, lacks %s on %s', o.rolname, l.privilege, l.object)
    FROM owner o, lacks l
    UNION ALL
    SELECT format('%s runs with the rights of %s, but the ledger is owned by %s', p.oid::regprocedure, r.rolname, o.rolname)
    FROM owner o, member m JOIN pg_proc p ON p.oid = m.objid JOIN pg_roles r ON r.oid = p.proowner
    WHERE m.classid = 'pg_proc'::regclass AND p.prosecdef AND p.proowner <> o.oid AND NOT (o.rolsuper AND r.rolsuper)
    UNION ALL
    SELECT format('the ledger was handed over to %s, but is owned by %s', h.role, o.rolname)
    FROM owner o, affiliate.ledger_owner h WHERE h.role <> o.rolname
$$;
COMMENT ON FUNCTION affiliate.owner_problems()
    IS 'What is wrong with the rights of the role that owns the ledger; part of affiliate.binding_health';
