//! Whose rights and which search path SQL runs with: ours over our own tables, those of a host's
//! table over that table.

use std::cell::Cell;
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;

use crate::server::error::Problem;
use crate::server::relations::Relations;
use crate::server::subtransaction::{Failure, attempt};

thread_local! {
    static HOST_RUNS: Cell<bool> = const { Cell::new(false) };
}

/// What names, and texts of keys and constants, stand for.
const SAME_IN_EVERY_SESSION: &[(&CStr, &CStr)] = &[
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"timezone", c"UTC"),
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"extra_float_digits", c"1"),
    (c"bytea_output", c"hex"),
];

/// Runs `body` as the owner of the ledger with the search path pinned. A payment's role has
/// INSERT on its own table and nothing else. If `body` fails, the abort of the transaction
/// puts role and settings back.
pub fn as_owner<T>(body: impl FnOnce() -> T) -> T {
    as_role(
        ledger_owner(),
        pg_sys::SECURITY_LOCAL_USERID_CHANGE,
        SAME_IN_EVERY_SESSION,
        body,
    )
}

/// Runs `body` as the owner of a table of the host, within [`as_owner`], whose settings stay.
///
/// The owner decides what reading or planning over the table runs: functions of index
/// expressions, of types, casts and operators, of policies. So it runs with his rights and none of
/// ours, as it would in his own session, and in a security-restricted operation, which may neither
/// change roles nor leave anything behind for a later moment of the transaction. What it sets is
/// undone. Policies do not apply to the owner, forced or not: a row hidden from us would be
/// reversed.
pub fn as_table_owner<T>(table: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    const RESTRICTED: u32 = pg_sys::SECURITY_LOCAL_USERID_CHANGE
        | pg_sys::SECURITY_RESTRICTED_OPERATION
        | pg_sys::SECURITY_NOFORCE_RLS;
    as_role(owner_of(table), RESTRICTED, &[], || {
        // stays set if `body` unwinds: then what failed is the owner's
        HOST_RUNS.set(true);
        let result = body();
        HOST_RUNS.set(false);
        result
    })
}

/// Runs `body`, in a subtransaction. If it fails within [`as_table_owner`], what it did is undone
/// and the message comes back: what the owner of a table has done to it must not keep others
/// waiting. Any other error leaves.
pub fn unless_host_fails<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    while_host_goes_on(|_| true, body)
}

/// The same, and what `body` did is undone as well if it refuses.
pub fn unless_host_fails_or_refused<T, E>(
    body: impl FnOnce() -> Result<T, E>,
) -> Result<Result<T, E>, String> {
    while_host_goes_on(Result::is_ok, body)
}

fn while_host_goes_on<T>(
    is_to_keep: fn(&T) -> bool,
    body: impl FnOnce() -> T,
) -> Result<T, String> {
    HOST_RUNS.set(false);
    let is_of_host = |failure: &Failure| HOST_RUNS.get() && !failure.is_of_circumstances();
    let result = attempt(is_of_host, is_to_keep, AssertUnwindSafe(body));
    HOST_RUNS.set(false);
    result.map_err(|failure| failure.message)
}

/// [`as_table_owner`] for statements that look rows up by a key. A table that was small when such
/// a statement was planned would be read as a whole for every row once it has grown.
pub fn as_table_owner_by_index<T>(table: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    as_table_owner(table, || {
        pin(c"enable_seqscan", c"off");
        // a plan that has no index to use costs so much that it would be compiled
        pin(c"jit", c"off");
        body()
    })
}

/// [`as_table_owner`] for parsing SQL that whoever attached the table has written: it must say the
/// same in every session, whatever the session has set.
pub fn as_table_owner_parsing<T>(table: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    as_table_owner(table, || {
        pin(c"standard_conforming_strings", c"on");
        pin(c"backslash_quote", c"on");
        pin(c"transform_null_equals", c"off");
        pin(c"array_nulls", c"on");
        pin(c"xmloption", c"content");
        with_same_settings(body)
    })
}

/// Runs `body` with what names and texts stand for pinned.
pub fn with_same_settings<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the level ends below, or with the abort of the (sub)transaction if `body` unwinds
    unsafe {
        let nest_level = pg_sys::NewGUCNestLevel();
        for (name, value) in SAME_IN_EVERY_SESSION {
            pin(name, value);
        }
        let result = body();
        pg_sys::AtEOXact_GUC(false, nest_level);
        result
    }
}

/// Runs `body` with one setting of another value.
pub fn with_setting<T>(name: &CStr, value: &CStr, body: impl FnOnce() -> T) -> T {
    // SAFETY: the level ends below, or with the abort of the (sub)transaction if `body` unwinds
    unsafe {
        let nest_level = pg_sys::NewGUCNestLevel();
        pin(name, value);
        let result = body();
        pg_sys::AtEOXact_GUC(false, nest_level);
        result
    }
}

fn as_role<T>(
    role: pg_sys::Oid,
    flags: u32,
    settings: &[(&CStr, &CStr)],
    body: impl FnOnce() -> T,
) -> T {
    let mut previous = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: role and context are put back below, and by the abort of the (sub)transaction if
    // `body` unwinds, which also ends the nested level of settings.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut previous, &mut context);
        pg_sys::SetUserIdAndSecContext(role, context | flags as i32);
        let nest_level = pg_sys::NewGUCNestLevel();
        for (name, value) in settings {
            pin(name, value);
        }
        let result = body();
        // as if aborted: nothing that was set inside stays, whoever set it
        pg_sys::AtEOXact_GUC(false, nest_level);
        pg_sys::SetUserIdAndSecContext(previous, context);
        result
    }
}

/// Who owns the ledger. Whoever hands it over locks the referrals before everything else that
/// payments lock, as payments do: the lock keeps the owner what it is, and nobody deadlocks.
fn ledger_owner() -> pg_sys::Oid {
    let relations = Relations::get();
    // SAFETY: the tuple is one of pg_class, and valid until it is released.
    unsafe {
        pg_sys::LockRelationOid(relations.referral, pg_sys::AccessShareLock as _);
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::RELOID as _,
            relations.commission.into(),
        );
        if tuple.is_null() {
            Problem::NotInstalled.raise();
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}

/// Who owns a table of the host, under a lock that keeps him its owner.
fn owner_of(table: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: the relation is open while its catalog row is read.
    unsafe {
        let relation = pg_sys::relation_open(table, pg_sys::AccessShareLock as _);
        let owner = (*(*relation).rd_rel).relowner;
        pg_sys::relation_close(relation, pg_sys::NoLock as _);
        owner
    }
}

fn pin(name: &CStr, value: &CStr) {
    // SAFETY: both are C strings, and the caller has opened a nested level that ends the setting.
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
