//! Tables of the host: which ones can be bound, by which columns, and their triggers.

use pgrx::PgTupleDesc;
use pgrx::prelude::*;

use crate::server::args::regclass;
use crate::server::error::Problem;
use crate::server::names::{quote_ident, table_name, type_name};
use crate::server::relations::Relations;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Connection, Rows, Sees};

const INTEGERS: &[pg_sys::Oid] = &[pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID];
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

/// A table that may be bound.
pub struct Host {
    pub oid: pg_sys::Oid,
    pub name: String,
    descriptor: PgTupleDesc<'static>,
    is_partitioned: bool,
}

/// A column of the host that is to be mapped.
pub struct Mapped {
    pub name: String,
    pub attnum: i16,
}

impl Host {
    /// Opens and locks a table as CREATE TRIGGER does; an error if it is none that can be bound.
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
        unsafe {
            let relation = pg_sys::relation_open(table, lock);
            let class = &*(*relation).rd_rel;
            let (kind, is_temporary) = (
                class.relkind as u8,
                class.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP,
            );
            let (is_partition, has_children) = (class.relispartition, class.relhassubclass);
            let descriptor =
                PgTupleDesc::from_pg_is_copy(pg_sys::CreateTupleDescCopy((*relation).rd_att));
            pg_sys::relation_close(relation, pg_sys::NoLock as _);
            let refuse = |kind, remedy| -> ! {
                Problem::NotATable {
                    table: name.clone(),
                    kind,
                    remedy,
                }
                .raise()
            };
            match kind {
                pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => {}
                pg_sys::RELKIND_VIEW => refuse("a view", "Attach the table that the view reads."),
                pg_sys::RELKIND_MATVIEW => refuse(
                    "a materialized view",
                    "Attach the table that the view reads.",
                ),
                pg_sys::RELKIND_FOREIGN_TABLE => refuse(
                    "a foreign table",
                    "Attach the table where it is stored, or replicate it into this database.",
                ),
                _ => refuse("something that is not a table", "Attach a table."),
            }
            if is_temporary {
                refuse("a temporary table", "Attach a permanent table.");
            }
            if is_partition {
                refuse(
                    "a partition",
                    "Attach the partitioned table; its partitions come along.",
                );
            }
            let is_partitioned = kind == pg_sys::RELKIND_PARTITIONED_TABLE;
            if !is_partitioned && (has_children || has_parents(table)) {
                refuse(
                    "a table in an inheritance tree",
                    "Use declarative partitioning instead of inheritance.",
                );
            }
            Self {
                oid: table,
                name,
                descriptor,
                is_partitioned,
            }
        }
    }

    fn column(&self, name: &str) -> Mapped {
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
        Mapped {
            name: name.to_owned(),
            attnum,
        }
    }

    /// A column that holds amounts of money.
    pub fn amount_column(&self, name: &str, minor_units: bool) -> Mapped {
        if minor_units {
            let allowed = "smallint, integer or bigint, since it holds minor units";
            return self.typed_column(name, INTEGERS, allowed);
        }
        let allowed = "numeric, smallint, integer or bigint; floating point can't hold money";
        self.typed_column(name, AMOUNTS, allowed)
    }

    /// A column that holds times of payments.
    pub fn time_column(&self, name: &str) -> Mapped {
        let allowed = "timestamptz, timestamp or date, or integer or bigint seconds since 1970";
        self.typed_column(name, TIMES, allowed)
    }

    /// A column whose type, or whose domain's, is one of these.
    fn typed_column(&self, name: &str, types: &[pg_sys::Oid], allowed: &'static str) -> Mapped {
        let column = self.column(name);
        let type_oid = self.type_of(&column);
        if !types.contains(&type_oid) || self.is_virtual(&column) {
            self.refuse_type(&column, allowed);
        }
        column
    }

    /// A column whose values are kept as text. Texts of floats depend on a setting, and those
    /// of rows, arrays and documents say nothing.
    pub fn text_column(&self, name: &str) -> Mapped {
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
        if UNUSABLE.contains(&type_oid) || is_array || is_composite || self.is_virtual(&column) {
            self.refuse_type(&column, "bigint, uuid or text");
        }
        column
    }

    fn type_of(&self, column: &Mapped) -> pg_sys::Oid {
        let attribute = self.descriptor.get(column.attnum as usize - 1);
        attribute.map_or(pg_sys::InvalidOid, |a| unsafe {
            pg_sys::getBaseType(a.atttypid)
        })
    }

    /// Columns computed when read are not in the rows that triggers see.
    fn is_virtual(&self, column: &Mapped) -> bool {
        self.descriptor
            .get(column.attnum as usize - 1)
            .is_some_and(|a| a.attgenerated as u8 == b'v')
    }

    fn refuse_type(&self, column: &Mapped, allowed: &'static str) -> ! {
        let type_oid = self
            .descriptor
            .get(column.attnum as usize - 1)
            .map_or(pg_sys::InvalidOid, |a| a.atttypid);
        Problem::UnusableColumn {
            table: self.name.clone(),
            column: column.name.clone(),
            type_name: type_name(type_oid)
                .trim_start_matches("pg_catalog.")
                .to_owned(),
            allowed,
        }
        .raise()
    }

    /// The columns that tell payments apart: the primary key, or columns named by the caller
    /// that are NOT NULL and have a unique index of their own.
    pub fn key(&self, connection: &Connection, wanted: Option<&str>) -> Vec<Mapped> {
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
                    SELECT a.attname::text FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY AS k (attnum, n)
                        JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = k.attnum
                    WHERE c.conrelid = $1 AND c.contype = 'p' ORDER BY k.n";
                let rows = connection.run(PRIMARY_KEY, Sees::Now, &[self.oid.into()]);
                (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
            }
        };
        if names.is_empty() {
            refuse(
                "Add a primary key, or pass payment_key with columns that are NOT NULL and have a unique index.",
            );
        }
        let columns: Vec<Mapped> = names.iter().map(|name| self.text_column(name)).collect();
        const UNIQUE: &str = "
            SELECT 1 FROM pg_index i
            WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                AND i.indimmediate
                AND (SELECT array_agg(k::int2 ORDER BY k::int2) FROM unnest(i.indkey[0:i.indnkeyatts - 1]) k)
                    = (SELECT array_agg(k ORDER BY k) FROM unnest($2::int2[]) k)
                AND NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = $1 AND a.attnum = ANY ($2::int2[]) AND NOT a.attnotnull)";
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

    /// The table and the partitions it has.
    fn truncatable(&self, connection: &Connection) -> Vec<pg_sys::Oid> {
        const TREE: &str = "SELECT $1::oid UNION SELECT p.relid::oid FROM pg_partition_tree($1) p";
        let rows = connection.run(TREE, Sees::Now, &[regclass(self.oid)]);
        (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
    }

    /// The triggers of a bound table. Statement triggers cost least; but they see neither what goes
    /// straight into a partition nor what logical replication applies. Those that a schema brought
    /// along, without a binding, give way.
    pub fn create_triggers(&self, connection: &Connection, function: &str, replica: bool) {
        drop_triggers(connection, triggers(connection, self.oid));
        let table = table_name(self.oid);
        let run = |sql: String| {
            connection.run_once(&sql, Sees::Now, &[]);
        };
        let body = format!("EXECUTE FUNCTION {function}");
        if self.is_partitioned || replica {
            run(format!(
                "CREATE TRIGGER affiliate_row AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW {body}"
            ));
        } else {
            run(format!(
                "CREATE TRIGGER affiliate_insert AFTER INSERT ON {table}
                 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {body}"
            ));
            run(format!(
                "CREATE TRIGGER affiliate_update AFTER UPDATE ON {table}
                 REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {body}"
            ));
            run(format!(
                "CREATE TRIGGER affiliate_delete AFTER DELETE ON {table}
                 REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {body}"
            ));
        }
        // a partition that comes later has none: TRUNCATE of it alone is found by affiliate_verify()
        for relation in self.truncatable(connection) {
            run(format!(
                "CREATE TRIGGER affiliate_truncate BEFORE TRUNCATE ON {}
             FOR EACH STATEMENT EXECUTE FUNCTION affiliate.refuse_truncate()",
                table_name(relation)
            ));
        }
        if replica {
            for (name, _) in triggers(connection, self.oid) {
                run(format!(
                    "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}",
                    quote_ident(&name)
                ));
            }
        }
    }
}

fn has_parents(table: pg_sys::Oid) -> bool {
    spi::connect(|connection| {
        const PARENTS: &str = "SELECT 1 FROM pg_inherits WHERE inhrelid = $1";
        !connection
            .run(PARENTS, Sees::Now, &[table.into()])
            .is_empty()
    })
}

/// Refuses a table that is bound, or that a bound table or partition is a part of.
pub fn refuse_bound(connection: &Connection, host: &Host) {
    const BOUND: &str = "
        SELECT t.oid FROM (SELECT $1::oid UNION SELECT p.relid::oid FROM pg_partition_tree($1) p) t (oid)
        WHERE t.oid IN (SELECT b.payments::oid FROM affiliate.binding b WHERE b.detached_at IS NULL
            UNION ALL SELECT f.refunds::oid FROM affiliate.refunds_binding f WHERE f.detached_at IS NULL)
        ORDER BY t.oid <> $1, t.oid";
    let bound: Option<pg_sys::Oid> = connection
        .run(BOUND, Sees::Now, &[regclass(host.oid)])
        .get(0, 0);
    if let Some(bound) = bound {
        Problem::AlreadyAttached {
            table: table_name(bound),
        }
        .raise();
    }
}

/// Whether a table is bound, or a partition of one that is.
pub fn is_bound(connection: &Connection, table: pg_sys::Oid) -> bool {
    let sql = format!("SELECT 1 WHERE NOT {}", not_bound("$1::oid"));
    let bound = as_owner(|| connection.run(&sql, Sees::Now, &[regclass(table)]));
    !bound.is_empty()
}

/// The condition that neither a table nor a partitioned table above it is bound.
fn not_bound(table: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM (
                SELECT b.payments FROM affiliate.binding b WHERE b.detached_at IS NULL
                UNION ALL SELECT f.refunds FROM affiliate.refunds_binding f WHERE f.detached_at IS NULL) b (bound)
            WHERE b.bound = {table} OR b.bound IN (SELECT a.relid FROM pg_partition_ancestors({table}) a))"
    )
}

/// A trigger of ours: its name, and the table it is on.
type Trigger = (String, pg_sys::Oid);

fn read_triggers(rows: &Rows) -> Vec<Trigger> {
    (0..rows.len())
        .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
        .collect()
}

/// Our triggers on a table and its partitions, but for those that follow from another one.
pub fn triggers(connection: &Connection, table: pg_sys::Oid) -> Vec<Trigger> {
    const TRIGGERS: &str = "
        SELECT t.tgname::text, t.tgrelid FROM pg_trigger t
            JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE t.tgrelid IN (SELECT $1::oid UNION SELECT r.relid::oid FROM pg_partition_tree($1) r)
            AND t.tgparentid = 0 AND n.nspname = 'affiliate'
        ORDER BY t.tgrelid, t.tgname";
    read_triggers(&connection.run(TRIGGERS, Sees::Now, &[regclass(table)]))
}

/// Our triggers on tables that were partitions of a bound one. Detaching a partition leaves it
/// what is against TRUNCATE, which no table has alone, and does not say whose partition it was.
/// Those of tables that the caller may not alter stay; they do nothing.
pub fn left_on_partitions(connection: &Connection) -> Vec<Trigger> {
    let sql = format!(
        "SELECT t.tgname::text, t.tgrelid
         FROM pg_depend d JOIN pg_trigger t ON t.oid = d.objid JOIN pg_class c ON c.oid = t.tgrelid
         WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = 'affiliate.refuse_truncate()'::regprocedure
            AND d.classid = 'pg_trigger'::regclass AND pg_has_role($1, c.relowner, 'USAGE')
            AND NOT EXISTS (SELECT FROM pg_trigger o WHERE o.tgrelid = t.tgrelid
                AND o.tgfoid IN ('affiliate.post_payments()'::regprocedure, 'affiliate.post_refunds()'::regprocedure))
            AND {}
         ORDER BY t.tgrelid, t.tgname",
        not_bound("t.tgrelid")
    );
    let caller = unsafe { pg_sys::GetUserId() };
    read_triggers(&as_owner(|| {
        connection.run(&sql, Sees::Now, &[caller.into()])
    }))
}

pub fn drop_triggers(connection: &Connection, triggers: Vec<Trigger>) {
    for (trigger, relation) in triggers {
        let sql = format!(
            "DROP TRIGGER {} ON {}",
            quote_ident(&trigger),
            table_name(relation)
        );
        connection.run_once(&sql, Sees::Now, &[]);
    }
}
