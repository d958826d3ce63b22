//! Whose tables a caller may attach, change and detach: his own.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::fold::advisory_lock;
use crate::pg::error::Problem;
use crate::pg::names::table_name;
use crate::pg::rights::as_owner;
use crate::pg::spi::{self, Sees};
use crate::pg::text::quote_ident;

/// Key of the advisory lock under which rights on trigger functions are lent.
const LEND_LOCK: i32 = 4;

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
    spi::connect(|connection| connection.run(OWNER, Sees::Now, &[table.into()]).value())
}

/// The name of a role as SQL.
pub fn role_name(role: pg_sys::Oid) -> String {
    let name = unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(role, false)) };
    quote_ident(&name.to_string_lossy())
}

/// Runs `body`, which makes triggers, as the caller, with the right to call our trigger
/// functions, which CREATE TRIGGER asks for. Nobody may keep it, since he could put our triggers
/// on tables of his own; it is given and taken back within the transaction, so nobody else
/// ever sees it, and `body` runs nothing that the caller could have written.
pub fn lending_triggers<T>(body: impl FnOnce() -> T) -> T {
    const TRIGGERS: &str = "
        SELECT p.oid::regprocedure::text, p.proowner
        FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
            AND e.extname = 'affiliate' AND p.prorettype = 'trigger'::regtype
            AND p.proname IN ('post_payments', 'post_refunds', 'refuse_truncate')
            AND NOT has_function_privilege(p.oid, 'EXECUTE')
        ORDER BY p.oid";
    let lent: Vec<(String, pg_sys::Oid)> = spi::connect(|connection| {
        let rows = connection.run(TRIGGERS, Sees::Now, &[]);
        (0..rows.len())
            .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
            .collect()
    });
    if lent.is_empty() {
        return body();
    }
    // two at once would change the same rows of the catalog
    advisory_lock(LEND_LOCK);
    let caller = role_name(unsafe { pg_sys::GetUserId() });
    let change = |verb: &str, direction: &str| {
        for (function, owner) in &lent {
            let sql = format!("{verb} EXECUTE ON FUNCTION {function} {direction} {caller}");
            unsafe {
                as_role(*owner, || {
                    spi::connect(|connection| connection.run_once(&sql, Sees::Now, &[]));
                });
            }
        }
    };
    change("GRANT", "TO");
    let result = body();
    change("REVOKE", "FROM");
    result
}

/// Runs `body` as a role. If it fails, the abort puts the caller back.
///
/// # Safety
/// `body` must run nothing but SQL of our own that calls nobody's code.
unsafe fn as_role(role: pg_sys::Oid, body: impl FnOnce()) {
    unsafe {
        let (mut before, mut context) = (pg_sys::InvalidOid, 0);
        pg_sys::GetUserIdAndSecContext(&mut before, &mut context);
        let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        pg_sys::SetUserIdAndSecContext(role, context | local);
        body();
        pg_sys::SetUserIdAndSecContext(before, context);
    }
}
