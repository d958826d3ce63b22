//! Whom the ledger belongs to. What is stored and what runs with its owner's rights is handed
//! over; what runs with its caller's rights stays with whoever installed it, so that the role
//! that owns the ledger can't replace what superusers and payments run.

use pgrx::prelude::*;

use crate::bindings::ownership::{let_owners_add_partitions, role_name};
use crate::server::calls::required;
use crate::server::error::Problem;
use crate::server::names::quote_ident;
use crate::server::spi::{self, Connection, Sees};

/// In the order in which payments lock them, so that the two wait for each other and don't
/// deadlock.
const LOCK: &str = "LOCK TABLE affiliate.payment, affiliate.referral, affiliate.binding, affiliate.program,
    affiliate.affiliate, affiliate.refund, affiliate.refunds_binding, affiliate.commission, affiliate.quarantine
    IN ACCESS EXCLUSIVE MODE";

/// Sequences of identity columns go with their tables.
const TO_HAND_OVER: &str = "
    SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        c.oid::regclass) AS what
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class c ON c.oid = d.objid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND e.extname = 'affiliate' AND c.relkind IN ('r', 'p', 'v', 'S') AND c.relowner <> $1
        AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_class'::regclass AND i.objid = c.oid
            AND i.refclassid = 'pg_class'::regclass AND i.deptype IN ('a', 'i') AND c.relkind = 'S')
    UNION ALL
    SELECT format('ROUTINE %s', p.oid::regprocedure)
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND e.extname = 'affiliate' AND p.prosecdef AND p.proowner <> $1
        AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)";

/// What the functions that were handed over call.
const TO_GRANT: &str = "
    SELECT format('EXECUTE ON ROUTINE %s', p.oid::regprocedure) AS what
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND e.extname = 'affiliate' AND p.pronamespace = 'affiliate'::regnamespace AND NOT p.prosecdef
        AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
    UNION ALL
    SELECT 'USAGE ON SCHEMA affiliate'
    UNION ALL
    SELECT format('USAGE ON SCHEMA %I', n.nspname)
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'affiliate'";

/// What an owner has by itself, where it has been taken from it.
const TO_GIVE_BACK: &str = "
    SELECT format('ALL ON %s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS what
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class c ON c.oid = d.objid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND e.extname = 'affiliate' AND c.relkind IN ('r', 'p', 'v', 'S') AND c.relowner = $1
        AND NOT CASE c.relkind
            WHEN 'S' THEN has_sequence_privilege($1, c.oid, 'SELECT') AND has_sequence_privilege($1, c.oid, 'UPDATE')
            WHEN 'v' THEN has_table_privilege($1, c.oid, 'SELECT')
            ELSE has_table_privilege($1, c.oid, 'SELECT') AND has_table_privilege($1, c.oid, 'INSERT')
                AND has_table_privilege($1, c.oid, 'UPDATE') AND has_table_privilege($1, c.oid, 'DELETE') END
    UNION ALL
    SELECT format('EXECUTE ON ROUTINE %s', p.oid::regprocedure)
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND e.extname = 'affiliate' AND p.proowner = $1 AND NOT has_function_privilege($1, p.oid, 'EXECUTE')
    ORDER BY 1";

/// What it passes on to whoever attaches tables.
const TO_PASS_ON: &str = "
    SELECT format('EXECUTE ON FUNCTION %s', f) AS what
    FROM unnest('{affiliate.post_payments(),affiliate.post_refunds(),affiliate.refuse_truncate()}'::regprocedure[]) f";

#[pg_extern(sql = false)]
fn affiliate_set_owner(role: Option<pg_sys::Oid>) -> i64 {
    let role = required("role", role);
    if !unsafe { pg_sys::superuser() } {
        let role = role_name(unsafe { pg_sys::GetUserId() });
        Problem::NotSuperuser { role }.raise();
    }
    spi::connect(|connection| hand_over(connection, role))
}

fn hand_over(connection: &Connection, role: pg_sys::Oid) -> i64 {
    let Role {
        name,
        installed_extension,
    } = usable(connection, role);
    let run = |sql: String| {
        connection.run_once(&sql, Sees::Now, &[]);
    };
    connection.run_once(LOCK, Sees::Now, &[]);
    let former = former_owner(connection);

    // whoever owns the ledger has its rights all the time: ALTER TABLE has event triggers
    let rights = |sql| texts(connection, sql, role);
    if !installed_extension {
        for (rights, option) in [
            (rights(TO_GRANT), ""),
            (rights(TO_PASS_ON), "WITH GRANT OPTION"),
        ] {
            for right in rights {
                run(format!("GRANT {right} TO {} {option}", quote_ident(&name)));
            }
        }
    }
    let objects = texts(connection, TO_HAND_OVER, role);
    for object in &objects {
        run(format!("ALTER {object} OWNER TO {}", quote_ident(&name)));
    }
    let given_back = rights(TO_GIVE_BACK);
    for right in &given_back {
        run(format!("GRANT {right} TO {}", quote_ident(&name)));
    }
    if let Some(former) = former.filter(|former| *former != name) {
        for right in rights(TO_GRANT).into_iter().chain(rights(TO_PASS_ON)) {
            // what it has passed on goes along, and is given anew
            run(format!(
                "REVOKE {right} FROM {} CASCADE",
                quote_ident(&former)
            ));
        }
    }
    let_owners_add_partitions();

    if installed_extension {
        connection.run("DELETE FROM affiliate.ledger_owner", Sees::Now, &[]);
    } else {
        const KEEP: &str = "
            INSERT INTO affiliate.ledger_owner AS o (role) VALUES ($1)
            ON CONFLICT (singleton) DO UPDATE SET role = excluded.role, handed_over_at = now()
            WHERE o.role <> excluded.role";
        connection.run(KEEP, Sees::Now, &[name.into()]);
    }
    (objects.len() + given_back.len()) as i64
}

struct Role {
    name: String,
    /// It owns the extension, and so takes back what it has handed over.
    installed_extension: bool,
}

/// A role that the ledger may be handed over to: nobody can become it, and it can do nothing
/// but what the ledger needs. Were it to own a bound table, code of that table would run as it.
fn usable(connection: &Connection, role: pg_sys::Oid) -> Role {
    const FIND: &str = "
        SELECT r.rolname::text AS name, e.extowner = r.oid AS installed_extension, concat_ws(', ',
            CASE WHEN r.oid < 16384 THEN 'is one of the server''s own' END,
            CASE WHEN r.rolsuper THEN 'is a superuser' END,
            CASE WHEN r.rolcanlogin THEN 'can log in' END,
            CASE WHEN r.rolcreaterole THEN 'can create roles' END,
            CASE WHEN r.rolcreatedb THEN 'can create databases' END,
            CASE WHEN r.rolreplication THEN 'can replicate' END,
            CASE WHEN r.rolbypassrls THEN 'bypasses row security' END,
            (SELECT 'has members such as ' || quote_ident(min(u.rolname))
                FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member WHERE m.roleid = r.oid HAVING count(*) > 0),
            (SELECT 'is a member of ' || quote_ident(min(u.rolname))
                FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.roleid WHERE m.member = r.oid HAVING count(*) > 0),
            (SELECT 'owns ' || min(pg_describe_object(s.classid, s.objid, s.objsubid))
                FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid AND s.deptype = 'o'
                    AND s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                    AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = s.classid AND x.objid = s.objid
                        AND x.refclassid = 'pg_extension'::regclass AND x.refobjid = e.oid AND x.deptype = 'e')
                    AND NOT EXISTS (SELECT FROM pg_class c WHERE s.classid = 'pg_class'::regclass AND c.oid = s.objid
                        AND c.relnamespace = 'affiliate'::regnamespace)
                HAVING count(*) > 0)) AS why
        FROM pg_roles r, pg_extension e WHERE r.oid = $1 AND e.extname = 'affiliate'";
    let rows = connection.run(FIND, Sees::Now, &[role.into()]);
    let refuse = |role: String, why: String| -> ! { Problem::UnusableOwner { role, why }.raise() };
    let Some(row) = rows.first() else {
        refuse(role.to_u32().to_string(), "does not exist".to_owned());
    };
    let (name, why): (String, String) = (row.required("name"), row.required("why"));
    let installed_extension: bool = row.required("installed_extension");
    if !installed_extension && !why.is_empty() {
        refuse(name, why);
    }
    Role {
        name,
        installed_extension,
    }
}

/// Who owns the ledger, if that role had to be given the rights of an owner.
fn former_owner(connection: &Connection) -> Option<String> {
    const FORMER: &str = "
        SELECT r.rolname::text AS name FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner, pg_extension e
        WHERE c.oid = 'affiliate.commission'::regclass AND e.extname = 'affiliate' AND e.extowner <> c.relowner";
    let rows = connection.run(FORMER, Sees::Now, &[]);
    rows.first().map(|row| row.required("name"))
}

fn texts(connection: &Connection, sql: &str, role: pg_sys::Oid) -> Vec<String> {
    let rows = connection.run(sql, Sees::Now, &[role.into()]);
    rows.values("what").collect()
}
