//! DROP EXTENSION must not silently destroy a ledger.

use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::server::calls::raw_function;
use crate::server::error::Problem;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

static ALLOW_DROP: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Defines the setting; once, when the library is loaded.
pub fn init() {
    GucRegistry::define_bool_guc(
        c"affiliate.allow_drop",
        c"Whether dropping the extension may destroy a ledger that has entries.",
        c"",
        &ALLOW_DROP,
        GucContext::Userset,
        GucFlags::default(),
    );
}

raw_function!(protect_ledger, pg_finfo_protect_ledger, |fcinfo| unsafe {
    let context = (*fcinfo).context;
    if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
        Problem::NotATrigger.raise();
    }
    let data = &*context.cast::<pg_sys::EventTriggerData>();
    if !ALLOW_DROP.get() && drops_extension(data.parsetree) {
        let entries = as_owner(|| {
            const ENTRIES: &str = "SELECT count(*) AS entries FROM affiliate.commission";
            spi::connect(|connection| {
                let rows = connection.run(ENTRIES, Sees::Now, &[]);
                rows.only().required("entries")
            })
        });
        if entries > 0 {
            Problem::LedgerWouldBeLost { entries }.raise();
        }
    }
    pg_sys::Datum::null()
});

/// Whether a command would take the extension along.
unsafe fn drops_extension(command: *mut pg_sys::Node) -> bool {
    unsafe {
        match (*command).type_ {
            pg_sys::NodeTag::T_DropStmt => {
                let drop = &*command.cast::<pg_sys::DropStmt>();
                let names = strings(drop.objects);
                match drop.removeType {
                    pg_sys::ObjectType::OBJECT_EXTENSION => {
                        let cascades = drop.behavior == pg_sys::DropBehavior::DROP_CASCADE;
                        // the payout procedure is written in it
                        let takes_along = |name: &String| cascades && name == "plpgsql";
                        names
                            .iter()
                            .any(|name| name == "affiliate" || takes_along(name))
                    }
                    pg_sys::ObjectType::OBJECT_SCHEMA => {
                        drop.behavior == pg_sys::DropBehavior::DROP_CASCADE
                            && holds_extension(names)
                    }
                    _ => false,
                }
            }
            pg_sys::NodeTag::T_DropOwnedStmt => {
                owns_extension((*command.cast::<pg_sys::DropOwnedStmt>()).roles)
            }
            _ => false,
        }
    }
}

fn holds_extension(schemas: Vec<String>) -> bool {
    const HOLDS: &str = "
        SELECT 1 FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'affiliate' AND n.nspname = ANY ($1)";
    spi::connect(|connection| {
        !connection
            .run(HOLDS, Sees::Now, &[schemas.into()])
            .is_empty()
    })
}

/// Whether one of the roles that DROP OWNED names owns the extension.
unsafe fn owns_extension(roles: *mut pg_sys::List) -> bool {
    const OWNS: &str =
        "SELECT 1 FROM pg_extension e WHERE e.extname = 'affiliate' AND e.extowner = ANY ($1)";
    let roles: Vec<pg_sys::Oid> = unsafe {
        let ids = pg_sys::roleSpecsToIds(roles);
        let length = if ids.is_null() {
            0
        } else {
            (*ids).length as usize
        };
        (0..length)
            .map(|n| (*(*ids).elements.add(n)).oid_value)
            .collect()
    };
    spi::connect(|connection| !connection.run(OWNS, Sees::Now, &[roles.into()]).is_empty())
}

/// The strings of a list of names.
unsafe fn strings(list: *mut pg_sys::List) -> Vec<String> {
    if list.is_null() {
        return Vec::new();
    }
    unsafe {
        (0..(*list).length as usize)
            .map(|n| {
                (*(*list).elements.add(n))
                    .ptr_value
                    .cast::<pg_sys::String>()
            })
            .filter(|node| (**node).type_ == pg_sys::NodeTag::T_String)
            .map(|node| CStr::from_ptr((*node).sval).to_string_lossy().into_owned())
            .collect()
    }
}
