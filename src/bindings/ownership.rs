//! Whose tables a caller may attach, change and detach: his own.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::server::error::Problem;
use crate::server::locks::{LEND_LOCK, advisory_lock};
use crate::server::names::{quote_ident, table_name};
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

/// Raises an error unless the caller has the rights of the owner of a table, or, of one that is
/// gone, of the owner of the ledger.
pub fn require_owner(table: pg_sys::Oid) {
    let caller = unsafe { pg_sys::GetUserId() };
    let Some(owner) = owner_of(table) else {
        return require_ledger_owner(&table_name(table));
    };
    if !unsafe { pg_sys::has_privs_of_role(caller, owner) } {
        Problem::NotTheOwner {
            table: table_name(table),
            owner: Some(role_name(owner)),
        }
        .raise();
    }
}

/// Raises an error unless the caller has the rights of the owner of the ledger, who sees to tables
/// that are gone.
pub fn require_ledger_owner(table: &str) {
    let caller = unsafe { pg_sys::GetUserId() };
    let owner = as_owner(|| unsafe { pg_sys::GetUserId() });
    if !unsafe { pg_sys::has_privs_of_role(caller, owner) } {
        let table = table.to_owned();
        Problem::NotTheOwner { table, owner: None }.raise();
    }
}

fn owner_of(table: pg_sys::Oid) -> Option<pg_sys::Oid> {
    const OWNER: &str = "SELECT c.relowner FROM pg_class c WHERE c.oid = $1";
    spi::connect(|connection| {
        let rows = connection.run(OWNER, Sees::Now, &[table.into()]);
        rows.first().map(|row| row.required("relowner"))
    })
}

/// The name of a role as SQL.
pub fn role_name(role: pg_sys::Oid) -> String {
    let name = unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)) };
    quote_ident(&name.to_string_lossy())
}

/// Runs `body`, which makes triggers, as the caller, with the right to call our trigger
/// functions, which CREATE TRIGGER asks for. It is given and taken back within the transaction,
/// so nobody else ever sees it, and `body` runs nothing that the caller could have written.
pub fn lending_triggers<T>(body: impl FnOnce() -> T) -> T {
    const TRIGGERS: &str = "
        SELECT p.oid::regprocedure::text AS function
        FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
            AND e.extname = 'affiliate' AND p.prorettype = 'trigger'::regtype
            AND p.proname IN ('post_payments', 'post_refunds', 'refuse_truncate')
            AND NOT has_function_privilege(p.oid, 'EXECUTE')
        ORDER BY p.oid";
    let lent: Vec<String> = spi::connect(|connection| {
        let rows = connection.run(TRIGGERS, Sees::Now, &[]);
        rows.values("function").collect()
    });
    // two at once would change the same rows of the catalog
    if !lent.is_empty() {
        advisory_lock(LEND_LOCK);
    }
    let caller = role_name(unsafe { pg_sys::GetUserId() });
    let change = |verb: &str, direction: &str| {
        for function in &lent {
            change_right(&format!(
                "{verb} EXECUTE ON FUNCTION {function} {direction} {caller}"
            ));
        }
    };
    change("GRANT", "TO");
    let result = body();
    change("REVOKE", "FROM");
    let_owners_add_partitions();
    result
}

/// A partition that is made or attached gets the triggers of its table, for which PostgreSQL asks
/// whoever does so for EXECUTE. So the owners of attached partitioned tables have it for good: the
/// functions refuse tables that are not bound, and triggers of other kinds than ours.
pub fn let_owners_add_partitions() {
    const LACKING: &str = "
        SELECT DISTINCT b.function::text AS function, quote_ident(r.rolname) AS owner
        FROM (SELECT b.payments, 'affiliate.post_payments()'::regprocedure FROM affiliate.binding b
                WHERE b.detached_at IS NULL
            UNION ALL
            SELECT b.refunds, 'affiliate.post_refunds()'::regprocedure FROM affiliate.refunds_binding b
                WHERE b.detached_at IS NULL) b (bound, function)
            JOIN pg_class c ON c.oid = b.bound AND c.relkind = 'p' JOIN pg_roles r ON r.oid = c.relowner
        WHERE NOT has_function_privilege(r.oid, b.function, 'EXECUTE') ORDER BY 1, 2";
    let lacking: Vec<(String, String)> = as_owner(|| {
        spi::connect(|connection| {
            let rows = connection.run(LACKING, Sees::Now, &[]);
            rows.iter()
                .map(|row| (row.required("function"), row.required("owner")))
                .collect()
        })
    });
    if !lacking.is_empty() {
        advisory_lock(LEND_LOCK);
    }
    for (function, owner) in lacking {
        change_right(&format!("GRANT EXECUTE ON FUNCTION {function} TO {owner}"));
    }
}

/// Grants or revokes as the owner of the ledger, who may pass on the right to our triggers.
fn change_right(sql: &str) {
    as_owner(|| spi::connect(|connection| connection.run_once(sql, Sees::Now, &[]).len()));
}
