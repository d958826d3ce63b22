//! Restoring a dump. The ledger comes with the payments: before them, after them or beside them,
//! and so do refunds, referrals and the sequence of epochs. What a trigger posted in between would
//! be of half a database, and stand in the way of the entries to come.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::server::names::table_name;
use crate::server::relations::Relations;

thread_local! {
    /// The table and the statement that was warned of last.
    static WARNED: Cell<(pg_sys::Oid, i64)> = const { Cell::new((pg_sys::Oid::INVALID, 0)) };
}

/// Whether the session restores a dump: pg_restore, and the script that psql runs, begin with
/// function bodies unchecked and no search path. To be asked before the path is pinned.
pub fn is_under_way() -> bool {
    !unsafe { pg_sys::check_function_bodies } && has_no_search_path() && is_owners()
}

/// The triggers of most tables are created after their rows. Where they are there already, somebody
/// must know that what a table is given is not posted.
pub fn warn(table: pg_sys::Oid) {
    let statement = (table, unsafe {
        pg_sys::GetCurrentStatementStartTimestamp()
    });
    if table != Relations::get().payment && WARNED.replace(statement) != statement {
        warning!(
            "{}: rows that a dump restores are not posted; affiliate_verify() tells whether their ledger came along",
            table_name(table)
        );
    }
}

/// A dump empties it for the session. Structures that an application loads from one set it again.
fn has_no_search_path() -> bool {
    unsafe {
        let path = pg_sys::namespace_search_path;
        path.is_null() || matches!(CStr::from_ptr(path).to_bytes(), b"" | b"\"\"")
    }
}

/// Whether the session's user has the rights of the ledger's owner, whatever function he is in:
/// who may just write payments can't have them go unposted.
fn is_owners() -> bool {
    unsafe {
        let ledger = Relations::get().commission;
        let relation = pg_sys::table_open(ledger, pg_sys::AccessShareLock as _);
        let owner = (*(*relation).rd_rel).relowner;
        pg_sys::table_close(relation, pg_sys::NoLock as _);
        pg_sys::has_privs_of_role(pg_sys::GetSessionUserId(), owner)
    }
}
