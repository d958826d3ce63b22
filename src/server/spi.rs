//! SQL from Rust: kept plans, and a choice of snapshot that `pgrx::Spi` does not offer. Its
//! reads before the first write of a transaction do not see what the current statement did,
//! and its writes assign a transaction id even to a SELECT, which fails on a standby.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CString, c_char};

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

use crate::server::rows::Rows;

/// What a statement sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// What the calling statement sees; for STABLE functions, and for standbys.
    Caller,
    /// A new snapshot, as a statement of its own would have: under REPEATABLE READ that is
    /// still the transaction's.
    Now,
    /// The latest committed state at any isolation level, as foreign keys do. Like a statement's
    /// own snapshot it is taken after the statement's locks: a table that has been rewritten, or
    /// a row changed, by whom the locks have waited for is seen as it is then.
    Latest,
}

thread_local! {
    /// Plans by their SQL, for the life of the session; the plan cache re-makes them when what
    /// they refer to changes.
    static PLANS: RefCell<HashMap<String, pg_sys::SPIPlanPtr>> = RefCell::new(HashMap::new());
}

pub struct Connection(());

/// Runs `body` connected to SPI. An error in it leaves through the abort of the transaction,
/// which disconnects.
pub fn connect<T>(body: impl FnOnce(&Connection) -> T) -> T {
    unsafe {
        pg_sys::SPI_connect();
    }
    let result = body(&Connection(()));
    unsafe {
        pg_sys::SPI_finish();
    }
    result
}

impl Connection {
    /// Runs a statement whose plan is kept for the session, whatever the arguments: none of ours
    /// has a better plan for some of them, and planning takes longer than most of them do.
    pub fn run(&self, sql: &str, sees: Sees, args: &[DatumWithOid]) -> Rows {
        let kept = PLANS.with_borrow(|plans| plans.get(sql).copied());
        let plan = kept.unwrap_or_else(|| {
            let plan = prepare(sql, args, pg_sys::CURSOR_OPT_GENERIC_PLAN as i32);
            unsafe {
                pg_sys::SPI_keepplan(plan);
            }
            PLANS.with_borrow_mut(|plans| plans.insert(sql.to_owned(), plan));
            plan
        });
        match sees {
            // where every statement takes a new snapshot, that is the latest state
            Sees::Latest if !transaction_keeps_its_snapshot() => execute(plan, Sees::Now, args),
            Sees::Latest => {
                lock_for(plan);
                execute(plan, sees, args)
            }
            Sees::Caller | Sees::Now => execute(plan, sees, args),
        }
    }

    /// Runs a statement once. It can't see the latest state where the transaction keeps a
    /// snapshot: that takes a plan that is kept.
    pub fn run_once(&self, sql: &str, sees: Sees, args: &[DatumWithOid]) -> Rows {
        debug_assert!(sees != Sees::Latest);
        let plan = prepare(sql, args, 0);
        let rows = execute(plan, sees, args);
        unsafe {
            pg_sys::SPI_freeplan(plan);
        }
        rows
    }

    /// Opens a cursor over a query that sees the latest state.
    pub fn cursor(&self, sql: &str, args: &[DatumWithOid]) -> Cursor {
        self.open_cursor(sql, args, false)
    }

    /// Opens a cursor over a query that sees what the active snapshot shows.
    pub fn read_cursor(&self, sql: &str, args: &[DatumWithOid]) -> Cursor {
        self.open_cursor(sql, args, true)
    }

    fn open_cursor(&self, sql: &str, args: &[DatumWithOid], read_only: bool) -> Cursor {
        let plan = prepare(sql, args, 0);
        let (mut values, nulls) = split(args);
        unsafe {
            let portal = pg_sys::SPI_cursor_open(
                std::ptr::null(),
                plan,
                values.as_mut_ptr(),
                nulls.as_ptr(),
                read_only,
            );
            Cursor { portal, plan }
        }
    }
}

fn prepare(sql: &str, args: &[DatumWithOid], options: i32) -> pg_sys::SPIPlanPtr {
    let mut types: Vec<pg_sys::Oid> = args.iter().map(DatumWithOid::oid).collect();
    let sql = CString::new(sql).unwrap_or_default();
    let (count, types) = (types.len() as i32, types.as_mut_ptr());
    unsafe { pg_sys::SPI_prepare_cursor(sql.as_ptr(), count, types, options) }
}

fn split(args: &[DatumWithOid]) -> (Vec<pg_sys::Datum>, Vec<c_char>) {
    args.iter()
        .map(|arg| match arg.datum() {
            Some(datum) => (datum.sans_lifetime(), b' ' as c_char),
            None => (pg_sys::Datum::null(), b'n' as c_char),
        })
        .unzip()
}

/// Whether a new snapshot of this transaction would be its first one again.
fn transaction_keeps_its_snapshot() -> bool {
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// Takes the locks of a kept plan, until the transaction ends. What it takes to run it is then
/// locked: the server re-makes a plan only when it notices a change, and it notices none where it
/// locks nothing new.
fn lock_for(plan: pg_sys::SPIPlanPtr) {
    unsafe {
        let owner = pg_sys::CurrentResourceOwner;
        let cached = pg_sys::SPI_plan_get_cached_plan(plan);
        if !cached.is_null() {
            pg_sys::ReleaseCachedPlan(cached, owner);
        }
    }
}

fn execute(plan: pg_sys::SPIPlanPtr, sees: Sees, args: &[DatumWithOid]) -> Rows {
    let (mut values, nulls) = split(args);
    unsafe {
        match sees {
            Sees::Caller => {
                pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), true, 0)
            }
            Sees::Now => {
                pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), false, 0)
            }
            Sees::Latest => pg_sys::SPI_execute_snapshot(
                plan,
                values.as_mut_ptr(),
                nulls.as_ptr(),
                pg_sys::GetLatestSnapshot(),
                std::ptr::null_mut(),
                false,
                true,
                0,
            ),
        };
    }
    Rows::of_last_statement()
}

pub struct Cursor {
    portal: pg_sys::Portal,
    plan: pg_sys::SPIPlanPtr,
}

impl Cursor {
    /// The next rows; the ones before are freed.
    pub fn fetch(&mut self, count: usize) -> Rows {
        unsafe {
            pg_sys::SPI_cursor_fetch(self.portal, true, count as _);
        }
        Rows::of_last_statement()
    }

    pub fn close(self) {
        unsafe {
            pg_sys::SPI_cursor_close(self.portal);
            pg_sys::SPI_freeplan(self.plan);
        }
    }
}
