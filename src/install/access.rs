//! The kinds of access.

use pgrx::prelude::*;

use crate::bindings::ownership::role_name;
use crate::server::calls::{required, required_text};
use crate::server::error::Problem;
use crate::server::names::quote_ident;
use crate::server::spi::{self, Connection, Sees};

/// A kind of access: what whoever has it may call and read.
struct Kind {
    name: &'static str,
    /// API functions.
    functions: &'static [&'static [&'static str]],
    /// Functions that views, and procedures that don't run as their owner, call.
    internal: &'static [&'static [&'static str]],
    reads_tables: bool,
    /// A function that no other kind may call: who may has this kind.
    sign: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "app",
        functions: &[APP],
        internal: &[],
        reads_tables: false,
        sign: "affiliate_create",
    },
    Kind {
        name: "reader",
        functions: &[READER],
        internal: &[READER_INTERNAL, &["is_reader"]],
        reads_tables: true,
        sign: "is_reader",
    },
    Kind {
        name: "operator",
        functions: &[READER, REPAIR, OPERATOR],
        internal: &[READER_INTERNAL, PAYOUT_INTERNAL],
        reads_tables: true,
        sign: "affiliate_set_payout_status",
    },
    Kind {
        name: "admin",
        functions: &[READER, REPAIR, ADMIN],
        internal: &[READER_INTERNAL, PAYOUT_INTERNAL],
        reads_tables: true,
        sign: "affiliate_attach_payments",
    },
];

/// Functions that an application calls.
const APP: &[&str] = &[
    "affiliate_generate_code",
    "affiliate_create",
    "affiliate_add_code",
    "affiliate_deactivate_code",
    "affiliate_link",
    "affiliate_attribute",
    "affiliate_try_attribute",
    "affiliate_track_click",
    "affiliate_record_refund",
    "affiliate_cancel_refund",
    "affiliate_stats",
    "affiliate_payouts",
    "affiliate_timeseries",
    "affiliate_leaderboard",
];
/// Functions that show what there is; a reader also reads the tables.
const READER: &[&str] = &[
    "affiliate_link",
    "affiliate_stats",
    "affiliate_payouts",
    "affiliate_timeseries",
    "affiliate_leaderboard",
    "affiliate_verify",
    "affiliate_explain",
];
/// What keeps the ledger going; a scheduler calls some of it.
const REPAIR: &[&str] = &[
    "affiliate_run_payouts",
    "affiliate_backfill",
    "affiliate_reconcile",
    "affiliate_maintain",
    "affiliate_rebuild_figures",
    "affiliate_pause",
    "affiliate_resume",
];
/// What whoever pays calls besides.
const OPERATOR: &[&str] = &[
    "affiliate_set_payout_status",
    "affiliate_export_payouts",
    "affiliate_adjust",
    "affiliate_set_status",
];
/// What migrations call besides; of tables, for their own alone.
const ADMIN: &[&str] = &[
    "affiliate_attach_payments",
    "affiliate_attach_refunds",
    "affiliate_alter_binding",
    "affiliate_detach",
    "affiliate_set_program",
    "affiliate_set_payout_threshold",
    "affiliate_schedule_payouts",
    "affiliate_unschedule_payouts",
];
/// What views call with the reader's rights.
const READER_INTERNAL: &[&str] = &[
    "compare_payments",
    "library_version",
    "mapping_problem",
    "not_folded",
    "owner_problems",
    "with_partitions",
];
/// What the procedure calls with the rights of whoever runs payouts.
const PAYOUT_INTERNAL: &[&str] = &["payout_programs", "payout_batch"];

impl Kind {
    fn of(access: &str) -> &'static Self {
        let found = KINDS.iter().find(|kind| kind.name == access);
        found.unwrap_or_else(|| {
            let names: Vec<String> = KINDS.iter().map(|k| format!("'{}'", k.name)).collect();
            Problem::NotOneOf {
                name: "access",
                value: access.to_owned(),
                allowed: names.join(", "),
            }
            .raise()
        })
    }

    /// The names of its functions, with a point before those in the schema affiliate.
    fn members(&self) -> impl Iterator<Item = String> {
        let api = self.functions.iter().copied().flatten();
        let internal = self.internal.iter().copied().flatten();
        api.map(ToString::to_string)
            .chain(internal.map(|name| format!(".{name}")))
    }
}

/// Those functions and procedures, as SQL, that a role has been given, or has not. What it owns
/// it has not been given.
fn members(
    connection: &Connection,
    role: pg_sys::Oid,
    names: Vec<String>,
    is_given: bool,
) -> Vec<String> {
    const MEMBERS: &str = "
        SELECT format('%s %s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure) AS member
        FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
            AND e.extname = 'affiliate'
            AND CASE WHEN p.pronamespace = 'affiliate'::regnamespace THEN '.' ELSE '' END || p.proname = ANY ($1)
            AND p.proowner <> $3
            AND $2 = EXISTS (SELECT FROM aclexplode(p.proacl) a
                WHERE a.grantee = $3 AND a.privilege_type = 'EXECUTE')
        ORDER BY p.oid";
    let args = [names.into(), is_given.into(), role.into()];
    let rows = connection.run(MEMBERS, Sees::Now, &args);
    rows.values("member").collect()
}

/// The kinds of access that a role has.
fn held(connection: &Connection, role: pg_sys::Oid) -> Vec<&'static Kind> {
    let has = |kind: &&Kind| {
        let is_sign = |name: &String| name.trim_start_matches('.') == kind.sign;
        let sign = kind.members().filter(is_sign).collect();
        !members(connection, role, sign, true).is_empty()
    };
    KINDS.iter().filter(has).collect()
}

/// The schema of the API functions, as SQL, if a role may not use it (`lacks`), or else if it
/// was given the right to and nothing but the extension's is in there.
fn api_schema(connection: &Connection, role: pg_sys::Oid, lacks: bool) -> Option<String> {
    const LACKS: &str = "
        SELECT n.nspname::text AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'affiliate' AND NOT has_schema_privilege($1, n.oid, 'USAGE')";
    const GIVEN: &str = "
        SELECT n.nspname::text AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'affiliate'
            AND EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = $1 AND a.privilege_type = 'USAGE')
            AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
                    AND d.classid <> 'pg_extension'::regclass
                    AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.classid AND m.objid = d.objid
                        AND m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid AND m.deptype = 'e'))";
    let sql = if lacks { LACKS } else { GIVEN };
    let rows = connection.run(sql, Sees::Now, &[role.into()]);
    let name = rows.first().map(|row| row.required::<String>("schema"));
    name.map(|name| quote_ident(&name))
}

#[pg_extern(sql = false)]
fn affiliate_grant(role: Option<pg_sys::Oid>, access: Option<String>) -> bool {
    let role = required("role", role);
    let kind = Kind::of(&required_text("access", access));
    let grantee = role_name(role);
    spi::connect(|connection| {
        let run = |sql: String| {
            connection.run_once(&sql, Sees::Now, &[]);
        };
        let lacking = members(connection, role, kind.members().collect(), false);
        for member in &lacking {
            run(format!("GRANT EXECUTE ON {member} TO {grantee}"));
        }
        run(format!("GRANT USAGE ON SCHEMA affiliate TO {grantee}"));
        if let Some(schema) = api_schema(connection, role, true) {
            run(format!("GRANT USAGE ON SCHEMA {schema} TO {grantee}"));
        }
        if kind.reads_tables {
            run(format!(
                "GRANT SELECT ON ALL TABLES IN SCHEMA affiliate TO {grantee}"
            ));
        }
        !lacking.is_empty()
    })
}

#[pg_extern(sql = false)]
fn affiliate_revoke(role: Option<pg_sys::Oid>, access: Option<String>) -> bool {
    let role = required("role", role);
    let kind = access.map(|access| Kind::of(&required_text("access", Some(access))));
    let grantee = role_name(role);
    spi::connect(|connection| {
        let run = |sql: String| {
            connection.run_once(&sql, Sees::Now, &[]);
        };
        let is_taken = |held: &&Kind| kind.is_none_or(|kind| kind.name == held.name);
        let (taken, stay): (Vec<&Kind>, Vec<&Kind>) =
            held(connection, role).into_iter().partition(is_taken);
        if taken.is_empty() {
            return false;
        }
        // what another kind gives stays
        let keep: Vec<String> = stay.iter().flat_map(|kind| kind.members()).collect();
        let names = taken.iter().flat_map(|kind| kind.members());
        let names = names.filter(|name| !keep.contains(name)).collect();
        let given = members(connection, role, names, true);
        for member in &given {
            run(format!("REVOKE EXECUTE ON {member} FROM {grantee}"));
        }
        let reads_tables = |kinds: &[&Kind]| kinds.iter().any(|kind| kind.reads_tables);
        if reads_tables(&taken) && !reads_tables(&stay) {
            run(format!(
                "REVOKE SELECT ON ALL TABLES IN SCHEMA affiliate FROM {grantee}"
            ));
        }
        if stay.is_empty() {
            take_schemas(connection, role, &grantee);
        }
        !given.is_empty()
    })
}

/// The right to use our schemas goes with the last kind of access, unless the role has been
/// given something else in there.
fn take_schemas(connection: &Connection, role: pg_sys::Oid, grantee: &str) {
    const OTHER_RIGHTS: &str = "
        SELECT 1 FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = 'affiliate'::regnamespace AND a.grantee = $1
        UNION ALL
        SELECT 1 FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
        WHERE c.relnamespace = 'affiliate'::regnamespace AND a.grantee = $1
        UNION ALL
        SELECT 1 FROM pg_proc p, aclexplode(p.proacl) a
        WHERE p.pronamespace = 'affiliate'::regnamespace AND a.grantee = $1";
    let mut schemas: Vec<String> = api_schema(connection, role, false).into_iter().collect();
    if connection
        .run(OTHER_RIGHTS, Sees::Now, &[role.into()])
        .is_empty()
    {
        schemas.push("affiliate".to_owned());
    }
    for schema in schemas {
        let sql = format!("REVOKE USAGE ON SCHEMA {schema} FROM {grantee}");
        connection.run_once(&sql, Sees::Now, &[]);
    }
}
