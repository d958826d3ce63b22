//! What SQL calls tables, types and operators, so that no search path can redirect it.

use pgrx::pg_sys;

use crate::server::spi::{self, Sees};

/// The qualified, quoted name of a table.
pub fn table_name(table: pg_sys::Oid) -> String {
    unsafe {
        let name = pg_sys::get_rel_name(table);
        if name.is_null() {
            return format!("table {}", table.to_u32());
        }
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(table));
        let text = |s| std::ffi::CStr::from_ptr(s).to_string_lossy().into_owned();
        format!(
            "{}.{}",
            quote_ident(&text(schema)),
            quote_ident(&text(name))
        )
    }
}

/// The name of a type as SQL, qualified unless it is the server's own; `bpchar` for any
/// `character(n)`, as `character` by itself is of one character.
pub fn type_name(type_oid: pg_sys::Oid) -> String {
    type_name_with(type_oid, -1)
}

/// The same with a type modifier: `numeric(10,2)`.
pub fn type_name_with(type_oid: pg_sys::Oid, typmod: i32) -> String {
    const FLAGS: u32 = pg_sys::FORMAT_TYPE_FORCE_QUALIFY | pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN;
    // SAFETY: the name is a C string in memory of the caller's context
    unsafe {
        let name = pg_sys::format_type_extended(type_oid, typmod, FLAGS as _);
        std::ffi::CStr::from_ptr(name)
            .to_string_lossy()
            .into_owned()
    }
}

/// The equality operator of a type, as SQL that no search path can redirect.
pub fn equality(type_oid: pg_sys::Oid) -> String {
    unsafe {
        let entry = pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_EQ_OPR as _);
        let sql = spi::connect(|connection| {
            let rows = connection.run(
                "SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname) AS sql
                 FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = $1",
                Sees::Now,
                &[(*entry).eq_opr.into()],
            );
            rows.first().map(|row| row.required::<String>("sql"))
        });
        // a type that has no equality is refused where it is compared
        sql.unwrap_or_else(|| "OPERATOR(pg_catalog.=)".to_owned())
    }
}

/// `"name"`, quoted where SQL needs it.
pub fn quote_ident(name: &str) -> String {
    pgrx::spi::quote_identifier(name)
}
