//! Where errors leave Rust. In a file of its own, so that the LOCATION that a client sees at
//! full verbosity stays the same when other code moves.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

pub fn raise(
    code: PgSqlErrorCode,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
) -> ! {
    let mut report = ErrorReport::new(code, message, "affiliate");
    if let Some(detail) = detail {
        report = report.set_detail(detail);
    }
    if let Some(hint) = hint {
        report = report.set_hint(hint);
    }
    report.report(PgLogLevel::ERROR);
    #[expect(
        clippy::unreachable,
        reason = "the types do not know that an ERROR does not return"
    )]
    {
        unreachable!()
    }
}
