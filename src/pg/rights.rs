//! Whose rights and which search path SQL of ours runs with when a trigger runs it.

use pgrx::pg_sys;

use super::error::Problem;
use super::relations::Relations;

/// Runs `body` as the owner of the ledger with the search path pinned. A payment's role has
/// INSERT on its own table and nothing else. If `body` fails, the abort of the transaction
/// puts role and path back.
pub fn as_owner<T>(body: impl FnOnce() -> T) -> T {
    unsafe {
        let owner = ledger_owner();
        let mut role = pg_sys::InvalidOid;
        let mut context = 0;
        pg_sys::GetUserIdAndSecContext(&mut role, &mut context);
        pg_sys::SetUserIdAndSecContext(
            owner,
            context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32,
        );
        let nest_level = pg_sys::NewGUCNestLevel();
        pin(c"search_path", c"pg_catalog, pg_temp");
        // texts of keys must not depend on the session
        pin(c"timezone", c"UTC");
        pin(c"datestyle", c"ISO, YMD");
        pin(c"intervalstyle", c"postgres");
        pin(c"extra_float_digits", c"1");
        pin(c"bytea_output", c"hex");

        let result = body();

        pg_sys::AtEOXact_GUC(true, nest_level);
        pg_sys::SetUserIdAndSecContext(role, context);
        result
    }
}

/// Who owns the ledger. Whoever hands it over locks the referrals before everything else that
/// payments lock, as payments do: the lock keeps the owner what it is, and nobody deadlocks.
fn ledger_owner() -> pg_sys::Oid {
    let relations = Relations::get();
    unsafe {
        pg_sys::LockRelationOid(relations.referral, pg_sys::AccessShareLock as _);
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::RELOID as _,
            relations.commission.into(),
        );
        if tuple.is_null() {
            Problem::NotInstalled.raise();
        }
        // the tuple is one of pg_class, and valid until it is released
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}

fn pin(name: &std::ffi::CStr, value: &std::ffi::CStr) {
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}
