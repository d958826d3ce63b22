-- What must hold for every object of the extension, those to come included.
CREATE DATABASE regress_catalog_hygiene;
\c regress_catalog_hygiene
CREATE EXTENSION affiliate;
CREATE VIEW members AS
SELECT d.classid, d.objid, i.type, i.identity
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid, LATERAL pg_identify_object(d.classid, d.objid, 0) i
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'affiliate';
CREATE VIEW functions AS SELECT p.* FROM members m JOIN pg_proc p ON p.oid = m.objid WHERE m.classid = 'pg_proc'::regclass;
CREATE VIEW relations AS SELECT c.* FROM members m JOIN pg_class c ON c.oid = m.objid WHERE m.classid = 'pg_class'::regclass;

CREATE VIEW problems (problem, object) AS
-- nothing is granted to PUBLIC: not on functions, tables, views, sequences, columns, nor on the schema
SELECT 'PUBLIC may execute it', p.oid::regprocedure::text
FROM functions p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0
UNION ALL
SELECT 'PUBLIC has a right on it', c.oid::regclass::text
FROM relations c, aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a WHERE a.grantee = 0
UNION ALL
SELECT 'PUBLIC has a right on a column', c.oid::regclass || '.' || t.attname
FROM relations c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a WHERE a.grantee = 0
UNION ALL
SELECT 'PUBLIC has a right on the schema', n.nspname
FROM members m JOIN pg_namespace n ON n.oid = m.objid AND m.classid = 'pg_namespace'::regclass,
    aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE a.grantee = 0
UNION ALL
-- whatever runs with the owner's rights pins its search path; a procedure that commits can do neither
SELECT 'SECURITY DEFINER without a pinned search_path', p.oid::regprocedure::text
FROM functions p WHERE p.prosecdef AND coalesce(NOT 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig), true)
UNION ALL
-- whoever owns it could replace it by what runs as whoever fires it, a superuser's DROP included
SELECT 'a trigger function with its owner''s rights', p.oid::regprocedure::text
FROM functions p WHERE p.prosecdef AND p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
UNION ALL
SELECT 'a procedure that can''t commit', p.oid::regprocedure::text
FROM functions p WHERE p.prokind = 'p' AND (p.prosecdef OR p.proconfig IS NOT NULL)
UNION ALL
SELECT 'SQL or PL/pgSQL without a pinned search_path', p.oid::regprocedure::text
FROM functions p JOIN pg_language l ON l.oid = p.prolang
WHERE l.lanname NOT IN ('c', 'internal') AND p.prokind <> 'p' AND p.proconfig IS NULL
UNION ALL
-- a NULL must raise an error, not come back as NULL
SELECT 'a STRICT call', p.oid::regprocedure::text FROM functions p WHERE p.proisstrict AND p.proname LIKE 'affiliate\_%'
UNION ALL
-- calls read as sentences
SELECT 'parameters without names', p.oid::regprocedure::text
FROM functions p WHERE p.pronargs > 0 AND (p.proargnames IS NULL OR '' = ANY (p.proargnames[1:p.pronargs]))
UNION ALL
SELECT 'variants with different names of parameters', p.proname
FROM functions p WHERE p.pronargs > 0 GROUP BY p.proname HAVING count(DISTINCT p.proargnames[1:p.pronargs]::text) > 1
UNION ALL
-- every object has a comment; row types and constraints go with their tables
SELECT 'no comment', m.type || ' ' || m.identity
FROM members m WHERE m.type NOT LIKE '%type' AND coalesce(btrim(obj_description(m.objid, m.classid::regclass::name)), '') = ''
UNION ALL
SELECT 'no comment', 'trigger ' || t.tgname || ' on ' || c.oid::regclass
FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal AND coalesce(btrim(obj_description(t.oid, 'pg_trigger')), '') = ''
UNION ALL
SELECT 'no comment', 'index ' || i.indexrelid::regclass
FROM relations c JOIN pg_index i ON i.indrelid = c.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    AND coalesce(btrim(obj_description(i.indexrelid, 'pg_class')), '') = ''
UNION ALL
SELECT 'no comment', 'sequence ' || s.oid::regclass
FROM pg_class s WHERE s.relkind = 'S' AND s.relnamespace = 'affiliate'::regnamespace AND coalesce(btrim(obj_description(s.oid, 'pg_class')), '') = ''
UNION ALL
-- nothing lies about in the schema that is neither dropped nor dumped with the extension
SELECT 'not a member', c.oid::regclass::text
FROM pg_class c WHERE c.relnamespace = 'affiliate'::regnamespace AND c.relkind NOT IN ('i', 'S') AND c.oid NOT IN (SELECT oid FROM relations)
UNION ALL
SELECT 'not a member', p.oid::regprocedure::text
FROM pg_proc p WHERE p.pronamespace = 'affiliate'::regnamespace AND p.oid NOT IN (SELECT oid FROM functions)
UNION ALL
SELECT 'not dumped', c.oid::regclass::text
FROM pg_class c WHERE c.relnamespace = 'affiliate'::regnamespace AND c.relkind IN ('r', 'p', 'S')
    AND c.oid NOT IN (SELECT unnest(e.extconfig) FROM pg_extension e WHERE e.extname = 'affiliate')
UNION ALL
SELECT 'no unique key', c.oid::regclass::text
FROM relations c WHERE c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique)
UNION ALL
-- published, a row that is changed or deleted is found again by all of its columns or by an index that has it for certain
SELECT 'no replica identity', c.oid::regclass::text
FROM relations c WHERE c.relkind IN ('r', 'p') AND c.relreplident <> 'f'
    AND NOT EXISTS (SELECT FROM pg_index i
        WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
            AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
            AND NOT EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull))
UNION ALL
SELECT 'inexact numbers', c.oid::regclass || '.' || a.attname
FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.atttypid IN ('float4'::regtype, 'float8'::regtype, 'money'::regtype)
UNION ALL
SELECT 'depends on somebody else''s schema', m.identity
FROM members m JOIN pg_depend d ON d.classid = m.classid AND d.objid = m.objid
WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid NOT IN ('affiliate'::regnamespace, 'public'::regnamespace, 'pg_catalog'::regnamespace)
UNION ALL
SELECT 'can be moved to another schema', e.extname FROM pg_extension e WHERE e.extname = 'affiliate' AND e.extrelocatable;

SELECT count(DISTINCT type) > 5 AS kinds, count(*) > 60 AS objects FROM members;
SELECT * FROM problems;

-- The queries do find what is wrong.
BEGIN;
CREATE FUNCTION public.affiliate_bad(int) RETURNS int STRICT SECURITY DEFINER LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.affiliate_bad(number bigint) RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER EXTENSION affiliate ADD FUNCTION public.affiliate_bad(int);
ALTER EXTENSION affiliate ADD FUNCTION public.affiliate_bad(bigint);
CREATE PROCEDURE affiliate.bad() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
ALTER EXTENSION affiliate ADD PROCEDURE affiliate.bad();
CREATE FUNCTION affiliate.bad_trigger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN END';
ALTER EXTENSION affiliate ADD FUNCTION affiliate.bad_trigger();
CREATE TABLE affiliate.bad (amount float8, number bigserial);
ALTER EXTENSION affiliate ADD TABLE affiliate.bad;
CREATE INDEX ON affiliate.bad (amount);
CREATE TRIGGER bad AFTER INSERT ON affiliate.bad EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE VIEW affiliate.stray AS SELECT 1;
GRANT SELECT ON affiliate.bad TO PUBLIC;
GRANT SELECT (customer) ON affiliate.referral TO PUBLIC;
GRANT USAGE ON SCHEMA affiliate TO PUBLIC;
COMMENT ON TABLE affiliate.code IS '';
SELECT * FROM problems ORDER BY problem COLLATE "C", object COLLATE "C";
ROLLBACK;
