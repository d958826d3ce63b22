//! Binding the host's payments table, and letting it go.

use pgrx::PgTupleDesc;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use super::programs::require_program;
use super::{required, required_text};
use crate::domain::currency::Currency;
use crate::ledger::binding::{regclass, table_name, timestamptz, type_name};
use crate::ledger::condition;
use crate::pg::error::Problem;
use crate::pg::spi::{self, Connection, Sees};
use crate::pg::text::quote_ident;

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
struct Host {
    oid: pg_sys::Oid,
    name: String,
    descriptor: PgTupleDesc<'static>,
    is_partitioned: bool,
}

/// A column of the host that is to be mapped.
struct Mapped {
    name: String,
    attnum: i16,
}

impl Host {
    /// Opens and locks a table as CREATE TRIGGER does; an error if it is none that can be bound.
    fn open(table: pg_sys::Oid) -> Self {
        let name = table_name(table);
        unsafe {
            let relation = pg_sys::relation_open(table, pg_sys::ShareRowExclusiveLock as _);
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
    fn text_column(&self, name: &str) -> Mapped {
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
    fn key(&self, connection: &Connection, wanted: Option<&str>) -> Vec<Mapped> {
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
}

fn has_parents(table: pg_sys::Oid) -> bool {
    spi::connect(|connection| {
        const PARENTS: &str = "SELECT 1 FROM pg_inherits WHERE inhrelid = $1";
        !connection
            .run(PARENTS, Sees::Now, &[table.into()])
            .is_empty()
    })
}

/// A mapping as the caller wrote it.
struct Mapping {
    customer: String,
    amount: String,
    currency: Option<String>,
    paid_at: Option<String>,
    payment_key: Option<String>,
    since: Option<TimestampWithTimeZone>,
    replica: bool,
    refunded: Option<String>,
    product: Option<String>,
    paid_when: Option<String>,
    minor_units: bool,
    currency_code: Option<String>,
    program: String,
    on_delete: String,
}

#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn affiliate_attach_payments(
    payments: Option<pg_sys::Oid>,
    customer: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    paid_at: Option<String>,
    payment_key: Option<String>,
    since: Option<TimestampWithTimeZone>,
    replica: Option<bool>,
    refunded: Option<String>,
    product: Option<String>,
    paid_when: Option<String>,
    minor_units: Option<bool>,
    currency_code: Option<String>,
    program: Option<String>,
    on_delete: Option<String>,
) -> i64 {
    let table = required("payments", payments);
    let mapping = Mapping {
        customer: required_text("customer", customer),
        amount: required_text("amount", amount),
        currency,
        paid_at,
        payment_key,
        since,
        replica: required("replica", replica),
        refunded,
        product,
        paid_when,
        minor_units: required("minor_units", minor_units),
        currency_code,
        program: required_text("program", program),
        on_delete: required_text("on_delete", on_delete),
    };
    if !matches!(mapping.on_delete.as_str(), "reverse" | "keep") {
        let allowed = "'reverse', 'keep'".to_owned();
        Problem::NotOneOf {
            name: "on_delete",
            value: mapping.on_delete,
            allowed,
        }
        .raise();
    }
    spi::connect(|connection| attach(connection, table, mapping))
}

fn attach(connection: &Connection, table: pg_sys::Oid, mapping: Mapping) -> i64 {
    let host = Host::open(table);
    require_program(connection, &mapping.program);
    let before = binding_of(connection, table);
    if before.as_ref().is_some_and(|before| !before.is_detached) {
        Problem::AlreadyAttached {
            table: host.name.clone(),
        }
        .raise();
    }

    let (amounts, allowed) = if mapping.minor_units {
        (
            INTEGERS,
            "smallint, integer or bigint, since it holds minor units",
        )
    } else {
        (
            AMOUNTS,
            "numeric, or smallint, integer or bigint; floating point can't hold money",
        )
    };
    let customer = host.text_column(&mapping.customer);
    let amount = host.typed_column(&mapping.amount, amounts, allowed);
    if mapping.currency.is_some() && mapping.currency_code.is_some() {
        Problem::CurrencyTwice.raise();
    }
    let currency = mapping
        .currency
        .as_deref()
        .map(|name| host.text_column(name));
    let currency_code = mapping
        .currency_code
        .map(|code| match Currency::parse(&code) {
            Some(currency) => currency.code().to_owned(),
            None => Problem::UnknownCurrency { currency: code }.raise(),
        });
    let times = "timestamptz, timestamp, date, or integer or bigint seconds since 1970";
    let paid_at = mapping
        .paid_at
        .as_deref()
        .map(|name| host.typed_column(name, TIMES, times));
    let refunded = mapping
        .refunded
        .as_deref()
        .map(|name| host.typed_column(name, amounts, allowed));
    let product = mapping
        .product
        .as_deref()
        .map(|name| host.text_column(name));
    let key = host.key(connection, mapping.payment_key.as_deref());
    let condition = mapping
        .paid_when
        .as_deref()
        .map(|sql| condition::check(table, sql))
        .unwrap_or_default();
    let (condition_names, condition_attnums): (Vec<String>, Vec<i16>) =
        condition.into_iter().unzip();

    let name_of = |column: &Option<Mapped>| column.as_ref().map(|column| column.name.clone());
    let number_of = |column: &Option<Mapped>| column.as_ref().map_or(0, |column| column.attnum);
    let mut attnums = vec![customer.attnum, amount.attnum];
    attnums.extend([&currency, &paid_at, &refunded, &product].map(number_of));
    attnums.extend(key.iter().map(|column| column.attnum));
    let key_names: Vec<String> = key.iter().map(|column| column.name.clone()).collect();
    if let Some(before) = &before
        && before.key_names != key_names
    {
        Problem::OtherPaymentKey {
            table: host.name.clone(),
            before: before.key_names.join(", "),
        }
        .raise();
    }

    // attached again, the table keeps its number, and so the ledger of its payments
    const BIND: &str = "
        INSERT INTO affiliate.binding AS b (payments, table_oid, table_name, program, payment_key, customer, amount,
            currency, paid_at, refunded, product, attnums, currency_code, minor_units, paid_when, paid_when_columns,
            paid_when_attnums, since, on_delete, replica)
        VALUES ($1, $1::oid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT (payments) DO UPDATE SET
            (table_oid, table_name, program, payment_key, customer, amount, currency, paid_at, refunded, product,
                attnums, currency_code, minor_units, paid_when, paid_when_columns, paid_when_attnums, since,
                on_delete, replica, attached_at, detached_at)
            = (excluded.table_oid, excluded.table_name, excluded.program, excluded.payment_key, excluded.customer,
                excluded.amount, excluded.currency, excluded.paid_at, excluded.refunded, excluded.product,
                excluded.attnums, excluded.currency_code, excluded.minor_units, excluded.paid_when,
                excluded.paid_when_columns, excluded.paid_when_attnums, excluded.since, excluded.on_delete,
                excluded.replica, now(), NULL)
        RETURNING b.id";
    let bound = connection.run(
        BIND,
        Sees::Now,
        &[
            regclass(table),
            host.name.as_str().into(),
            mapping.program.into(),
            key_names.into(),
            customer.name.into(),
            amount.name.into(),
            name_of(&currency).into(),
            name_of(&paid_at).into(),
            name_of(&refunded).into(),
            name_of(&product).into(),
            attnums.into(),
            currency_code.into(),
            mapping.minor_units.into(),
            mapping.paid_when.into(),
            condition_names.into(),
            condition_attnums.into(),
            timestamptz(mapping.since.map(i64::from)),
            mapping.on_delete.into(),
            mapping.replica.into(),
        ],
    );
    let id: i32 = bound.value().unwrap_or_default();
    create_triggers(connection, &host, mapping.replica);
    i64::from(id)
}

struct Before {
    id: i32,
    key_names: Vec<String>,
    is_detached: bool,
}

fn binding_of(connection: &Connection, table: pg_sys::Oid) -> Option<Before> {
    const FIND: &str = "SELECT id, payment_key, detached_at IS NOT NULL FROM affiliate.binding WHERE payments = $1 FOR UPDATE";
    let rows = connection.run(FIND, Sees::Now, &[regclass(table)]);
    Some(Before {
        id: rows.get(0, 0)?,
        key_names: rows.get(0, 1).unwrap_or_default(),
        is_detached: rows.get(0, 2).unwrap_or_default(),
    })
}

/// The triggers of a bound table. Statement triggers cost least; but they see neither what goes
/// straight into a partition nor what logical replication applies.
fn create_triggers(connection: &Connection, host: &Host, replica: bool) {
    let table = table_name(host.oid);
    let run = |sql: String| {
        connection.run_once(&sql, Sees::Now, &[]);
    };
    let body = "EXECUTE FUNCTION affiliate.post_payments()";
    if host.is_partitioned || replica {
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
    run(format!(
        "CREATE TRIGGER affiliate_truncate BEFORE TRUNCATE ON {table}
         FOR EACH STATEMENT EXECUTE FUNCTION affiliate.refuse_truncate()"
    ));
    if replica {
        for name in trigger_names(connection, host.oid) {
            run(format!(
                "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}",
                quote_ident(&name)
            ));
        }
    }
}

/// The names of our triggers on a table.
fn trigger_names(connection: &Connection, table: pg_sys::Oid) -> Vec<String> {
    const NAMES: &str = "
        SELECT t.tgname::text FROM pg_trigger t
            JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE t.tgrelid = $1 AND t.tgparentid = 0 AND n.nspname = 'affiliate'
        ORDER BY t.tgname";
    let rows = connection.run(NAMES, Sees::Now, &[table.into()]);
    (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
}

#[pg_extern(sql = false)]
fn affiliate_detach(table: Option<pg_sys::Oid>) {
    let table = required("table", table);
    spi::connect(|connection| {
        let name = table_name(table);
        let Some(binding) = binding_of(connection, table).filter(|binding| !binding.is_detached)
        else {
            Problem::NotAttached { table: name }.raise();
        };
        if binding.id == crate::ledger::binding::OWN_PAYMENTS {
            Problem::OwnPayments.raise();
        }
        for trigger in trigger_names(connection, table) {
            connection.run_once(
                &format!("DROP TRIGGER {} ON {name}", quote_ident(&trigger)),
                Sees::Now,
                &[],
            );
        }
        const DETACH: &str = "UPDATE affiliate.binding SET detached_at = now() WHERE id = $1";
        connection.run(DETACH, Sees::Now, &[binding.id.into()]);
    });
}
