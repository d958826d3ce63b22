//! A table of the host before it is attached: whether it can be, and by which columns.

use pgrx::PgTupleDesc;
use pgrx::prelude::*;

use crate::server::error::Problem;
use crate::server::majors;
use crate::server::names::{table_name, type_name};
use crate::server::relations::Relations;
use crate::server::spi::{self, Connection, Sees};

const AMOUNTS: &[pg_sys::Oid] = &[
    pg_sys::NUMERICOID,
    pg_sys::INT2OID,
    pg_sys::INT4OID,
    pg_sys::INT8OID,
];
const TIMES: &[pg_sys::Oid] = &[
    pg_sys::TIMESTAMPTZOID,
    pg_sys::TIMESTAMPOID,
    pg_sys::DATEOID,
    pg_sys::INT4OID,
    pg_sys::INT8OID,
];

/// A table that can be attached.
pub struct Candidate {
    pub oid: pg_sys::Oid,
    pub name: String,
    pub is_partitioned: bool,
    descriptor: PgTupleDesc<'static>,
}

/// A column that the caller has named.
pub struct NamedColumn {
    pub name: String,
    pub attnum: i16,
}

impl Candidate {
    /// Opens and locks a table as CREATE TRIGGER does; an error if it can't be attached.
    pub fn open(table: pg_sys::Oid) -> Self {
        Self::open_with(table, pg_sys::ShareRowExclusiveLock as _)
    }

    /// The same with another lock.
    pub fn open_with(table: pg_sys::Oid, lock: pg_sys::LOCKMODE) -> Self {
        let name = table_name(table);
        if unsafe { pg_sys::get_rel_name(table) }.is_null() {
            Problem::NoSuchTable { table: name }.raise();
        }
        if unsafe { pg_sys::get_rel_namespace(table) } == Relations::get().schema {
            Problem::NotATable {
                table: name,
                kind: "a table of the extension",
                remedy: "Attach a table of your own.",
            }
            .raise();
        }
        // SAFETY: the class and the descriptor are those of an open relation; the descriptor is
        // copied, and the lock is kept.
        let (class, descriptor) = unsafe {
            let relation = pg_sys::relation_open(table, lock);
            let class = *(*relation).rd_rel;
            let copy = pg_sys::CreateTupleDescCopy((*relation).rd_att);
            pg_sys::relation_close(relation, pg_sys::NoLock as _);
            (class, PgTupleDesc::from_pg_is_copy(copy))
        };
        if let Some((kind, remedy)) = unfit(table, &class) {
            Problem::NotATable {
                table: name,
                kind,
                remedy,
            }
            .raise();
        }
        Self {
            oid: table,
            name,
            is_partitioned: class.relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE,
            descriptor,
        }
    }

    fn column(&self, name: &str) -> NamedColumn {
        let found = self
            .descriptor
            .iter()
            .find(|a| !a.attisdropped && a.name() == name);
        let attnum = found.map(|a| a.attnum).unwrap_or_else(|| {
            Problem::UnknownColumn {
                table: self.name.clone(),
                column: name.to_owned(),
            }
            .raise()
        });
        if majors::is_virtual(self.oid, attnum) {
            Problem::ColumnNotStored {
                table: self.name.clone(),
                column: name.to_owned(),
            }
            .raise();
        }
        NamedColumn {
            name: name.to_owned(),
            attnum,
        }
    }

    /// A column that holds amounts of money.
    pub fn amount_column(&self, name: &str) -> NamedColumn {
        let allowed = "numeric, smallint, integer or bigint; floating point can't hold money";
        self.typed_column(name, AMOUNTS, allowed)
    }

    /// A column that holds times of payments.
    pub fn time_column(&self, name: &str) -> NamedColumn {
        let allowed = "timestamptz, timestamp or date, or integer or bigint seconds since 1970";
        self.typed_column(name, TIMES, allowed)
    }

    /// A column of times of payments that hold no zone.
    pub fn zoneless_column(&self, name: &str, zone: &str) -> NamedColumn {
        let column = self.column(name);
        if self.type_of(&column) != pg_sys::TIMESTAMPOID {
            Problem::ZoneWithoutTimestamp {
                zone: zone.to_owned(),
                column: Some((name.to_owned(), self.type_name(&column))),
            }
            .raise();
        }
        column
    }

    /// A column whose type, or whose domain's, is one of these.
    fn typed_column(
        &self,
        name: &str,
        types: &[pg_sys::Oid],
        allowed: &'static str,
    ) -> NamedColumn {
        let column = self.column(name);
        let type_oid = self.type_of(&column);
        if !types.contains(&type_oid) {
            self.refuse_type(&column, allowed);
        }
        column
    }

    /// A column whose values are kept as text. Texts of floats depend on a setting, and those
    /// of rows, arrays and documents say nothing.
    pub fn text_column(&self, name: &str) -> NamedColumn {
        const UNUSABLE: &[pg_sys::Oid] = &[
            pg_sys::FLOAT4OID,
            pg_sys::FLOAT8OID,
            pg_sys::JSONOID,
            pg_sys::JSONBOID,
            pg_sys::XMLOID,
            pg_sys::BOOLOID,
        ];
        let column = self.column(name);
        let type_oid = self.type_of(&column);
        let is_array = unsafe { pg_sys::get_element_type(type_oid) } != pg_sys::InvalidOid;
        let is_composite = unsafe { pg_sys::type_is_rowtype(type_oid) };
        if UNUSABLE.contains(&type_oid) || is_array || is_composite {
            self.refuse_type(&column, "bigint, uuid or text");
        }
        column
    }

    fn type_of(&self, column: &NamedColumn) -> pg_sys::Oid {
        let attribute = self.descriptor.get(column.attnum as usize - 1);
        attribute.map_or(pg_sys::InvalidOid, |a| unsafe {
            pg_sys::getBaseType(a.atttypid)
        })
    }

    /// What the type is called.
    fn type_name(&self, column: &NamedColumn) -> String {
        let type_oid = self
            .descriptor
            .get(column.attnum as usize - 1)
            .map_or(pg_sys::InvalidOid, |a| a.atttypid);
        let name = type_name(type_oid);
        name.trim_start_matches("pg_catalog.").to_owned()
    }

    fn refuse_type(&self, column: &NamedColumn, allowed: &'static str) -> ! {
        Problem::UnusableColumn {
            table: self.name.clone(),
            column: column.name.clone(),
            type_name: self.type_name(column),
            allowed,
        }
        .raise()
    }

    /// The columns that tell payments apart: the primary key, or columns named by the caller
    /// that are NOT NULL and have a unique index of their own.
    pub fn key(&self, connection: &Connection, wanted: Option<&str>) -> Vec<NamedColumn> {
        let refuse = |remedy| -> ! {
            Problem::NoPaymentKey {
                table: self.name.clone(),
                remedy,
            }
            .raise()
        };
        let names: Vec<String> = match wanted {
            Some(wanted) => wanted
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect(),
            None => {
                const PRIMARY_KEY: &str = "
                    SELECT a.attname::text AS attname FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY AS k (attnum, n)
                        JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = k.attnum
                    WHERE c.conrelid = $1 AND c.contype = 'p' ORDER BY k.n";
                let rows = connection.run(PRIMARY_KEY, Sees::Now, &[self.oid.into()]);
                rows.values("attname").collect()
            }
        };
        if names.is_empty() {
            refuse(
                "Add a primary key, or pass payment_key with columns that are NOT NULL and have a unique index.",
            );
        }
        let columns: Vec<NamedColumn> = names.iter().map(|name| self.text_column(name)).collect();
        const UNIQUE: &str = "
            SELECT 1 FROM pg_index i
            WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                AND i.indimmediate
                AND (SELECT array_agg(k::int2 ORDER BY k::int2) FROM unnest(i.indkey[0:i.indnkeyatts - 1]) k)
                    = (SELECT array_agg(k ORDER BY k) FROM unnest($2::int2[]) k)
                AND NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = $1 AND a.attnum = ANY ($2::int2[]) AND NOT a.attnotnull)
                -- since 18 a column is NOT NULL before all of its rows are known to be
                AND NOT EXISTS (SELECT FROM pg_constraint c
                    WHERE c.conrelid = $1 AND c.contype = 'n' AND c.conkey <@ $2 AND NOT c.convalidated)";
        let attnums: Vec<i16> = columns.iter().map(|column| column.attnum).collect();
        if connection
            .run(UNIQUE, Sees::Now, &[self.oid.into(), attnums.into()])
            .is_empty()
        {
            refuse(
                "Name columns that are NOT NULL and that together have a unique index, not deferrable and without a condition.",
            );
        }
        columns
    }
}

/// What a relation is that can't be attached, and what can be done about it; `None` if it can.
fn unfit(
    table: pg_sys::Oid,
    class: &pg_sys::FormData_pg_class,
) -> Option<(&'static str, &'static str)> {
    let is_partitioned = class.relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE;
    match class.relkind as u8 {
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => {}
        pg_sys::RELKIND_VIEW => return Some(("a view", "Attach the table that the view reads.")),
        pg_sys::RELKIND_MATVIEW => {
            let remedy = "Attach the table that the view reads.";
            return Some(("a materialized view", remedy));
        }
        pg_sys::RELKIND_FOREIGN_TABLE => {
            let remedy = "Attach the table where it is stored, or replicate it into this database.";
            return Some(("a foreign table", remedy));
        }
        _ => return Some(("something that is not a table", "Attach a table.")),
    }
    if class.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP {
        return Some(("a temporary table", "Attach a permanent table."));
    }
    if class.relispartition {
        let remedy = "Attach the partitioned table; its partitions come along.";
        return Some(("a partition", remedy));
    }
    if !is_partitioned && (class.relhassubclass || has_parents(table)) {
        let remedy = "Use declarative partitioning instead of inheritance.";
        return Some(("a table in an inheritance tree", remedy));
    }
    None
}

fn has_parents(table: pg_sys::Oid) -> bool {
    spi::connect(|connection| {
        const PARENTS: &str = "SELECT 1 FROM pg_inherits WHERE inhrelid = $1";
        !connection
            .run(PARENTS, Sees::Now, &[table.into()])
            .is_empty()
    })
}
