//! Whose rights and which search path SQL of ours runs with when a trigger runs it.

use pgrx::pg_sys;

/// Runs `body` as the owner of the ledger with the search path pinned. A payment's role has
/// INSERT on its own table and nothing else. If `body` fails, the abort of the transaction
/// puts role and path back.
pub fn as_owner<T>(body: impl FnOnce() -> T) -> T {
    unsafe {
        let ledger = super::relations::Relations::get().commission;
        let relation = pg_sys::table_open(ledger, pg_sys::AccessShareLock as _);
        let owner = (*(*relation).rd_rel).relowner;
        pg_sys::table_close(relation, pg_sys::NoLock as _);

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
