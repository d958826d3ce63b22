//! The version of this library, and of the SQL objects that call it. They differ between the
//! installation of a package and ALTER EXTENSION UPDATE, and after that in sessions that keep the
//! library they have loaded. Payments go on meanwhile.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{FromDatum, PgLogLevel, PgSqlErrorCode, pg_sys};

pub const LIBRARY: &str = env!("CARGO_PKG_VERSION");

thread_local! {
    static COMPARED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Writes to the server's log if the extension is of another version; once in a session, and
/// once more after each update of the extension.
pub fn compare() {
    let installed = installed();
    let is_known = COMPARED.with_borrow(|compared| *compared == installed);
    if is_known {
        return;
    }
    if let Some(installed) = installed.as_deref().filter(|version| *version != LIBRARY) {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("extension affiliate {installed} works with a library of version {LIBRARY}"),
            "affiliate",
        )
        .set_hint("Run ALTER EXTENSION affiliate UPDATE after installing a package, and have sessions with the old library reconnect.")
        .report(PgLogLevel::LOG);
    }
    COMPARED.replace(installed);
}

/// The version that the catalog says, read without SQL: this is called where a statement of ours
/// would have effects of its own.
fn installed() -> Option<String> {
    unsafe {
        let table = pg_sys::table_open(pg_sys::ExtensionRelationId, pg_sys::AccessShareLock as _);
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_extension_extname as i16,
            pg_sys::BTEqualStrategyNumber as _,
            pg_sys::F_NAMEEQ.into(),
            c"affiliate".as_ptr().into(),
        );
        let scan = pg_sys::systable_beginscan(
            table,
            pg_sys::ExtensionNameIndexId.into(),
            true,
            std::ptr::null_mut(),
            1,
            &mut key,
        );
        let tuple = pg_sys::systable_getnext(scan);
        let version = NonZeroUsize::new(pg_sys::Anum_pg_extension_extversion as usize)
            .filter(|_| !tuple.is_null())
            .and_then(|column| pgrx::htup::heap_getattr_raw(tuple, column, (*table).rd_att))
            .and_then(|datum| String::from_datum(datum, false));
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(table, pg_sys::AccessShareLock as _);
        version
    }
}
