//! Rows of the host's tables, read by statements over nothing else, as the owner of the table
//! ([`as_table_owner`]). What the ledger knows is looked up beside them, never joined with them:
//! then neither side's rights reach what is the other's.

use std::cell::Cell;
use std::ffi::CStr;
use std::ops::ControlFlow;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

use crate::bindings::columns::{Column, Resolver};
use crate::server::cache;
use crate::server::error::Problem;
use crate::server::memory::Context;
use crate::server::names::{equality, quote_ident, table_name, type_name};
use crate::server::rights::{as_table_owner, as_table_owner_by_index};
use crate::server::rows::{Row, Rows};
use crate::server::slot::Slot;
use crate::server::spi::{self, Connection, Cursor, Sees};

/// Rows that are read, or looked up, at a time.
pub const ROWS_PER_BATCH: usize = 1000;

/// What [`HostTable::each`] has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A row is in the slot.
    Row,
    /// So many rows have been seen, and are about to go.
    EndOfBatch,
}

/// A table of the host, and the columns of it that are read.
pub struct HostTable {
    pub table: pg_sys::Oid,
    attnums: Vec<i16>,
    /// What the statements call the table and its columns, and the state of the catalog in which
    /// these names were last found to hold.
    name: String,
    column_names: Vec<(i16, String)>,
    checked: Cell<u64>,
    /// The rows whose key columns have the texts `$1`, `$2`, …
    of_key: String,
    /// The rows of many keys, whose texts are arrays, each behind the place of its key in them.
    of_keys: String,
    all: String,
    /// The row of a key as a whole.
    whole: String,
}

impl HostTable {
    /// For the columns `attnums`, and rows told apart by `key`.
    pub fn new(table: pg_sys::Oid, resolver: &Resolver, attnums: Vec<i16>, key: &[Column]) -> Self {
        let checked = Cell::new(cache::generation());
        let name = |attnum| quote_ident(&resolver.root_name_of(attnum));
        let key_attnums = key.iter().map(|column| column.attnum);
        let column_names = attnums.iter().copied().chain(key_attnums);
        let column_names = column_names
            .map(|n| (n, resolver.root_name_of(n)))
            .collect();
        let list: Vec<String> = attnums.iter().map(|n| format!("t.{}", name(*n))).collect();
        let list = list.join(", ");
        let from = format!("{} t", table_name(table));
        let same = |row: &str, text: &dyn Fn(usize) -> String| {
            let column = |(n, column): (usize, &Column)| {
                let (equals, bare) = (equality(column.type_oid), type_name(column.type_oid));
                format!("{row}.{} {equals} {}::{bare}", name(column.attnum), text(n))
            };
            let columns: Vec<String> = key.iter().enumerate().map(column).collect();
            columns.join(" AND ")
        };
        let numbered = |form: &dyn Fn(usize) -> String| -> String {
            let all: Vec<String> = (0..key.len()).map(form).collect();
            all.join(", ")
        };
        let parameter = |n: usize| format!("${}", n + 1);
        let is_one = same("t", &parameter);
        let is_any = same("t", &|n| format!("u.k{n}"));
        let arrays = numbered(&|n| format!("${}::text[]", n + 1));
        let aliases = numbered(&|n| format!("k{n}"));
        let row = row_alias(table);
        Self {
            table,
            name: table_name(table),
            column_names,
            checked,
            of_key: format!("SELECT {list} FROM {from} WHERE {is_one}"),
            of_keys: format!(
                "SELECT u.n AS place, {list} FROM unnest({arrays}) WITH ORDINALITY AS u ({aliases}, n)
                     JOIN {from} ON {is_any}"
            ),
            all: format!("SELECT {list} FROM {from}"),
            whole: format!(
                "SELECT {row} AS whole FROM {} {row} WHERE {}",
                table_name(table),
                same(&row, &parameter)
            ),
            attnums,
        }
    }

    /// Whether it still is a table with rows of its own, under a lock that keeps it one. Its
    /// owner may have put a view, or a foreign table, in the place of what was attached.
    fn is_table(&self) -> bool {
        // SAFETY: the relation is open while its catalog row is read; the lock is kept.
        unsafe {
            let relation = pg_sys::try_relation_open(self.table, pg_sys::AccessShareLock as _);
            if relation.is_null() {
                return false;
            }
            let class = &*(*relation).rd_rel;
            let is_table = matches!(
                class.relkind as u8,
                pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE
            );
            pg_sys::relation_close(relation, pg_sys::NoLock as _);
            if is_table {
                self.require_names();
            }
            is_table
        }
    }

    /// The statements know table and columns by name. Until the lock was taken these could be
    /// given to others; from then on they can't.
    fn require_names(&self) {
        let generation = cache::generation();
        if self.checked.get() == generation {
            return;
        }
        let holds = |(attnum, name): &(i16, String)| {
            attribute_name(self.table, *attnum).is_some_and(|now| now == *name)
        };
        if table_name(self.table) != self.name || !self.column_names.iter().all(holds) {
            Problem::TableChanged {
                table: table_name(self.table),
            }
            .raise();
        }
        self.checked.set(generation);
    }

    /// The rows of a key, by the texts of its columns, which must be values of their types; locked
    /// if asked for. `None` if this is no table any more.
    pub fn of_key(&self, connection: &Connection, key: &[String], lock: bool) -> Option<Rows> {
        if !self.is_table() {
            return None;
        }
        let args: Vec<DatumWithOid> = key.iter().map(|text| text.as_str().into()).collect();
        let locking = if lock { " FOR NO KEY UPDATE" } else { "" };
        let sql = format!("{}{locking}", self.of_key);
        Some(as_table_owner_by_index(self.table, || {
            loop {
                let rows = connection.run(&sql, Sees::Latest, &args);
                // whoever held the row may have deleted it and inserted it again: a statement
                // that has waited does not see the new one
                let is_final = !lock || !rows.is_empty();
                if is_final || connection.run(&self.of_key, Sees::Latest, &args).is_empty() {
                    break rows;
                }
            }
        }))
    }

    /// The row of a key as a whole, a composite value, `whole`.
    pub fn whole(&self, connection: &Connection, key: &[String]) -> Option<Rows> {
        if !self.is_table() {
            return None;
        }
        let args: Vec<DatumWithOid> = key.iter().map(|text| text.as_str().into()).collect();
        Some(as_table_owner_by_index(self.table, || {
            connection.run(&self.whole, Sees::Latest, &args)
        }))
    }

    /// The rows of many keys; the first column, `place`, is the place of the row's key among them, from 1.
    pub fn of_keys(
        &self,
        connection: &Connection,
        keys: &[Vec<String>],
        lock: bool,
    ) -> Option<Rows> {
        if !self.is_table() {
            return None;
        }
        let args = by_column(keys);
        let locking = if lock { " FOR NO KEY UPDATE OF t" } else { "" };
        let sql = format!("{}{locking}", self.of_keys);
        Some(as_table_owner_by_index(self.table, || {
            connection.run(&sql, Sees::Latest, &args)
        }))
    }

    /// Puts every row, as the active snapshot shows it, into a slot, until `step` breaks. Memory
    /// that is allocated for a row lasts for its batch.
    pub fn each(&self, slot: Slot, step: impl FnMut(Step) -> ControlFlow<()>) {
        if self.is_table() {
            self.walk(
                |connection| as_table_owner(self.table, || connection.read_cursor(&self.all, &[])),
                slot,
                step,
            );
        }
    }

    /// The same for the rows in which a column has a value, by its text, which must be one of the
    /// column's type; through an index if there is one.
    pub fn each_with(
        &self,
        column: &Column,
        text: &str,
        slot: Slot,
        step: impl FnMut(Step) -> ControlFlow<()>,
    ) {
        let name = self.column_names.iter().find(|(n, _)| *n == column.attnum);
        let (true, Some((_, name))) = (self.is_table(), name) else {
            return;
        };
        let (equals, bare) = (equality(column.type_oid), type_name(column.type_oid));
        let name = quote_ident(name);
        let sql = format!("{} WHERE t.{name} {equals} $1::{bare}", self.all);
        let open = |connection: &Connection| {
            as_table_owner_by_index(self.table, || connection.read_cursor(&sql, &[text.into()]))
        };
        self.walk(open, slot, step);
    }

    fn walk(
        &self,
        open: impl FnOnce(&Connection) -> Cursor,
        slot: Slot,
        mut step: impl FnMut(Step) -> ControlFlow<()>,
    ) {
        spi::connect(|connection| {
            let mut cursor = open(connection);
            let memory = Context::within_current(c"affiliate rows");
            loop {
                let rows = as_table_owner(self.table, || cursor.fetch(ROWS_PER_BATCH));
                if rows.is_empty() {
                    break;
                }
                let flow = memory.with(|| {
                    for row in rows.iter() {
                        self.fill(row, 0, slot);
                        step(Step::Row)?;
                    }
                    step(Step::EndOfBatch)
                });
                rows.free();
                memory.reset();
                pgrx::check_for_interrupts!();
                if flow.is_break() {
                    break;
                }
            }
            memory.delete();
            cursor.close();
        });
    }

    /// Puts a row into a slot of [`HostTable::with_slot`]; `first` is the column of the result
    /// with which it begins. Good for as long as the rows are.
    pub fn fill(&self, row: Row, first: usize, slot: Slot) {
        let datums = row.datums();
        for (attnum, (datum, is_null)) in self.attnums.iter().zip(datums.iter().skip(first)) {
            let at = *attnum as usize - 1;
            // SAFETY: the slot has the attributes of this table, to which attnum belongs.
            unsafe {
                *(*slot).tts_values.add(at) = datum;
                *(*slot).tts_isnull.add(at) = is_null;
            }
        }
    }

    /// Runs `body` with a slot for rows of this table; in it, what is not read is NULL.
    pub fn with_slot<T>(&self, body: impl FnOnce(Slot) -> T) -> T {
        // SAFETY: the slot has a descriptor of its own and is dropped here; what is put into it is
        // owned by whoever puts it there. After an error the abort frees its memory.
        unsafe {
            let relation = pg_sys::relation_open(self.table, pg_sys::AccessShareLock as _);
            let descriptor = pg_sys::CreateTupleDescCopy((*relation).rd_att);
            pg_sys::relation_close(relation, pg_sys::NoLock as _);
            let slot =
                pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsVirtual);
            let count = (*descriptor).natts as usize;
            std::slice::from_raw_parts_mut((*slot).tts_isnull, count).fill(true);
            pg_sys::ExecStoreVirtualTuple(slot);
            let result = body(slot);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            result
        }
    }
}

/// The texts of many keys as arguments, an array for each column. All have as many columns.
pub fn by_column(keys: &[Vec<String>]) -> Vec<DatumWithOid<'_>> {
    let columns = keys.first().map_or(0, Vec::len);
    let text = |key: &'_ Vec<String>, n: usize| key.get(n).cloned().unwrap_or_default();
    (0..columns)
        .map(|n| keys.iter().map(|key| text(key, n)).collect::<Vec<String>>())
        .map(DatumWithOid::from)
        .collect()
}

/// The current name of a column; `None` if it is gone.
fn attribute_name(table: pg_sys::Oid, attnum: i16) -> Option<String> {
    // SAFETY: reads the catalog of attributes; the name is a C string
    unsafe {
        let name = pg_sys::get_attname(table, attnum, true);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// A name for a row of a table that none of its columns has: `SELECT t` is the row only where
/// there is no column `t`.
fn row_alias(table: pg_sys::Oid) -> String {
    let mut alias = String::from("t");
    let is_column = |name: &str| {
        let name = std::ffi::CString::new(name).unwrap_or_default();
        // SAFETY: reads the catalog of attributes
        unsafe { pg_sys::get_attnum(table, name.as_ptr()) != 0 }
    };
    while is_column(&alias) {
        alias.push('_');
    }
    alias
}
