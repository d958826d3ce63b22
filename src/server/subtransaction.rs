//! Going on after an error.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, UnwindSafe};

use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

/// What an error said.
pub struct Failure {
    pub message: String,
    pub code: PgSqlErrorCode,
}

impl Failure {
    fn of(report: &ErrorReportWithLevel) -> Self {
        Self {
            message: report.message().to_owned(),
            code: report.sql_error_code(),
        }
    }

    /// Whether it is nobody's fault: the statement was canceled or gave up waiting, the server is
    /// shut down or has no disk or memory left, or the transaction is to be tried again.
    pub fn is_of_circumstances(&self) -> bool {
        const CIRCUMSTANCES: &[&str] = &["40", "53", "57", "55P03"];
        let state = self.sqlstate();
        CIRCUMSTANCES.iter().any(|class| state.starts_with(class))
    }

    /// Its SQLSTATE as it is written.
    pub fn sqlstate(&self) -> String {
        let text = unsafe { CStr::from_ptr(pg_sys::unpack_sql_state(self.code as i32)) };
        text.to_string_lossy().into_owned()
    }
}

/// Runs `body` in a subtransaction. If it fails with an error that may be caught, what it did is
/// undone, the error comes back and the transaction goes on; any other error leaves. Rows, probes
/// and whatever else `body` has opened must not be used after it failed.
pub fn catch<T>(
    may_catch: fn(&Failure) -> bool,
    body: impl FnOnce() -> T + UnwindSafe,
) -> Result<T, Failure> {
    attempt(may_catch, |_| true, body)
}

/// [`catch`], which undoes what `body` did as well if its result is none to keep.
pub fn attempt<T>(
    may_catch: fn(&Failure) -> bool,
    is_to_keep: fn(&T) -> bool,
    body: impl FnOnce() -> T + UnwindSafe,
) -> Result<T, Failure> {
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::CurrentMemoryContext = context;
        let result = PgTryBuilder::new(|| {
            let value = body();
            if is_to_keep(&value) {
                pg_sys::ReleaseCurrentSubTransaction();
            } else {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
            Ok(value)
        })
        .catch_others(|error| {
            pg_sys::CurrentMemoryContext = context;
            let failure = match &error {
                CaughtError::PostgresError(report)
                | CaughtError::ErrorReport(report)
                | CaughtError::RustPanic {
                    ereport: report, ..
                } => Failure::of(report),
            };
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::CurrentResourceOwner = owner;
            if !may_catch(&failure) {
                error.rethrow();
            }
            Err(failure)
        })
        .execute();
        pg_sys::CurrentMemoryContext = context;
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}

/// [`catch`] for errors that data, or code of a host, may raise: the message comes back.
pub fn in_subtransaction<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch(
        |failure| !failure.is_of_circumstances(),
        AssertUnwindSafe(body),
    )
    .map_err(|failure| failure.message)
}
