//! The extension's own relations: their OIDs, and the tables whose columns are known by their
//! positions.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use pgrx::{PgTupleDesc, pg_sys};

use crate::server::cache;
use crate::server::error::Problem;
use crate::server::names::{table_name, type_name};
use crate::server::raw;
use crate::server::version;

#[derive(Clone, Copy)]
pub struct Relations {
    pub schema: pg_sys::Oid,
    pub binding: pg_sys::Oid,
    pub commission: pg_sys::Oid,
    pub commission_key: pg_sys::Oid,
    pub epoch: pg_sys::Oid,
    pub payment: pg_sys::Oid,
    pub referral: pg_sys::Oid,
    pub referral_probe: pg_sys::Oid,
    pub refund: pg_sys::Oid,
    pub refund_payment: pg_sys::Oid,
}

thread_local! {
    static KNOWN: Cell<Option<(u64, Relations)>> = const { Cell::new(None) };
}

impl Relations {
    /// What the names say. An index may be replaced by another one of its name until its table
    /// is locked: see [`Layout::open`].
    pub fn get() -> Self {
        if let Some((generation, known)) = KNOWN.get()
            && generation == cache::generation()
        {
            return known;
        }
        loop {
            let generation = cache::generation();
            let known = Self::look_up();
            let watched = [
                known.binding,
                known.commission,
                known.commission_key,
                known.epoch,
                known.referral,
                known.referral_probe,
                known.refund,
                known.refund_payment,
            ]
            .map(cache::watch);
            // a change before it was watched went unnoticed
            if watched.iter().all(|was_watched| *was_watched) {
                KNOWN.set(Some((generation, known)));
                version::compare();
                return known;
            }
        }
    }

    fn look_up() -> Self {
        let schema = unsafe { pg_sys::get_namespace_oid(c"affiliate".as_ptr(), true) };
        let oid = |name: &CStr| {
            let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
            if oid == pg_sys::InvalidOid {
                if schema == pg_sys::InvalidOid {
                    Problem::NotInstalled.raise();
                }
                Problem::NotAsInstalled {
                    object: format!("affiliate.{}", name.to_string_lossy()),
                    what: "is missing".to_owned(),
                }
                .raise();
            }
            oid
        };
        Self {
            schema,
            binding: oid(c"binding"),
            commission: oid(c"commission"),
            commission_key: oid(c"commission_key"),
            epoch: oid(c"epoch"),
            payment: oid(c"payment"),
            referral: oid(c"referral"),
            referral_probe: oid(c"referral_probe"),
            refund: oid(c"refund"),
            refund_payment: oid(c"refund_payment"),
        }
    }
}

/// A table that is read or written by the positions of its columns, without the executor, which
/// would know them by name, and the index that it is read by.
pub struct Layout {
    table: fn(&Relations) -> pg_sys::Oid,
    index: fn(&Relations) -> pg_sys::Oid,
    /// The names and types of its columns. Others may follow: of a later version, or the owner's.
    columns: &'static [(&'static str, pg_sys::Oid)],
    /// The access method of the index, and the columns it begins with.
    method: pg_sys::Oid,
    key: &'static [i16],
    /// The generation in which all this was found to be so.
    found: AtomicU64,
}

impl Layout {
    pub const fn new(
        table: fn(&Relations) -> pg_sys::Oid,
        columns: &'static [(&'static str, pg_sys::Oid)],
        index: fn(&Relations) -> pg_sys::Oid,
        method: pg_sys::Oid,
        key: &'static [i16],
    ) -> Self {
        Self {
            table,
            index,
            columns,
            method,
            key,
            found: AtomicU64::new(cache::NEVER),
        }
    }

    /// Opens and locks the table, and calls `then` with it and the OID of the index within a
    /// guard. Until the lock, REINDEX CONCURRENTLY may put another index in the place of this one
    /// and drop it, and ALTER TABLE may change the columns; after it, neither. So what was found
    /// out before the lock counts only if nothing has been invalidated since.
    ///
    /// # Safety
    /// `then` must own nothing that is dropped, and call nothing that unwinds.
    pub unsafe fn open<T>(
        &self,
        lock: pg_sys::LOCKMODE,
        then: impl Fn(pg_sys::Relation, pg_sys::Oid) -> T,
    ) -> T {
        let relations = Relations::get();
        let (table, index) = ((self.table)(&relations), (self.index)(&relations));
        let opened = unsafe {
            raw::guarded(|| {
                let table = raw::table_open(table, lock);
                if self.found.load(Ordering::Relaxed) == cache::generation() {
                    Ok(then(table, index))
                } else {
                    Err(table)
                }
            })
        };
        opened.unwrap_or_else(|table| unsafe {
            let (table, index) = self.find(table, lock);
            raw::guarded(|| then(table, index))
        })
    }

    /// The table, open and locked, and its index, by their names as they are now that something
    /// is locked. Raises an error if they are not what this says.
    #[cold]
    unsafe fn find(
        &self,
        mut table: pg_sys::Relation,
        lock: pg_sys::LOCKMODE,
    ) -> (pg_sys::Relation, pg_sys::Oid) {
        loop {
            let generation = cache::generation();
            let relations = Relations::get();
            let named = (self.table)(&relations);
            unsafe {
                if (*table).rd_id != named {
                    // the extension was dropped and made again
                    pg_sys::table_close(table, lock);
                    table = pg_sys::table_open(named, lock);
                    continue;
                }
                self.check_columns(table);
                let index = (self.index)(&relations);
                if let Err(what) = self.check_index(index, named) {
                    if (self.index)(&Relations::get()) != index {
                        continue;
                    }
                    Problem::NotAsInstalled {
                        object: table_name(index),
                        what,
                    }
                    .raise();
                }
                self.found.store(generation, Ordering::Relaxed);
                return (table, index);
            }
        }
    }

    unsafe fn check_columns(&self, table: pg_sys::Relation) {
        let descriptor = unsafe { PgTupleDesc::from_pg_unchecked((*table).rd_att) };
        for (at, (name, type_oid)) in self.columns.iter().enumerate() {
            let is_there = descriptor.get(at).is_some_and(|column| {
                !column.attisdropped
                    && column.name() == *name
                    && column.atttypid == *type_oid
                    && column.atttypmod == -1
                    && column.attgenerated == 0
            });
            if !is_there {
                let (number, type_name) = (at + 1, type_name(*type_oid));
                Problem::NotAsInstalled {
                    object: table_name(unsafe { (*table).rd_id }),
                    what: format!(
                        "has no column \"{name}\" of type {type_name} as number {number}"
                    ),
                }
                .raise();
            }
        }
    }

    unsafe fn check_index(&self, index: pg_sys::Oid, table: pg_sys::Oid) -> Result<(), String> {
        unsafe {
            let index = pg_sys::index_open(index, pg_sys::AccessShareLock as _);
            let definition = &*(*index).rd_index;
            let keys = definition.indnkeyatts as usize;
            let is_ours = definition.indrelid == table
                && (*(*index).rd_rel).relam == self.method
                && definition
                    .indkey
                    .values
                    .as_slice(keys)
                    .starts_with(self.key)
                && pg_sys::RelationGetIndexPredicate(index).is_null();
            let is_valid = definition.indisvalid;
            pg_sys::index_close(index, pg_sys::NoLock as _);
            if !is_ours {
                Err("is another index than that of the extension".to_owned())
            } else if !is_valid {
                Err("is not valid".to_owned())
            } else {
                Ok(())
            }
        }
    }
}
