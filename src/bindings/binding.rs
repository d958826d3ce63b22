//! Bindings as a session knows them: which columns of which table mean what, with types
//! looked up once per session and table.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use rustc_hash::{FxHashMap, FxHashSet};

pub use crate::bindings::columns::{Column, Mapped, ReadColumn, Resolver};
use crate::bindings::condition::Condition;
use crate::bindings::host_table::HostTable;
use crate::bindings::refunds_table::RefundsTable;
use crate::rules::affiliate::Status;
use crate::rules::commission::{Offer, Rule};
use crate::rules::currency::Currency;
use crate::rules::deletion::OnDelete;
use crate::rules::unit::Unit;
use crate::rules::words::Word;
use crate::server::args::regclass;
use crate::server::cache;
use crate::server::error::Problem;
use crate::server::record_text;
use crate::server::relations::Relations;
use crate::server::rights::as_owner;
use crate::server::rows::Row;
use crate::server::slot::KeptSlot;
use crate::server::spi::{self, Sees};
use crate::server::zone::Zone;

/// The binding of affiliate.payment, which CREATE EXTENSION makes.
pub const OWN_PAYMENTS: i32 = 1;

pub struct Binding {
    pub id: i32,
    /// The table whose rows `columns` reads: the bound one or a partition of it.
    pub relation: pg_sys::Oid,
    /// The bound table; of a partition, the partitioned table above it.
    pub table: pg_sys::Oid,
    pub program: String,
    pub terms: ProgramTerms,
    pub columns: Columns,
    /// The unit of the amounts.
    pub unit: Unit,
    /// The zone of payment times that hold none.
    pub paid_at_zone: Zone,
    /// The currency of rows that do not say theirs.
    pub constant_currency: Option<Currency>,
    pub condition: Option<Condition>,
    /// Microseconds since 2000-01-01 UTC.
    pub since: Option<i64>,
    pub keeps_deleted: bool,
    /// Its triggers do nothing.
    pub is_paused: bool,
    /// Key or customer texts depend on settings of the session.
    pub depends_on_settings: bool,
    /// Affiliates of the program that are closed.
    pub closed_affiliates: FxHashSet<i32>,
    /// Refunds have been recorded for payments of this table.
    pub has_recorded_refunds: bool,
    /// A table of refunds was attached and is not any more, or is gone: what the ledger knows of
    /// its refunds stays.
    pub has_lost_refunds: bool,
    /// One payment may be spelled in several ways that the key's equality takes for the same.
    pub has_many_spellings: bool,
    /// Refunds of an attached table spell keys in ways of their own.
    pub has_spellings: Cell<bool>,
    /// The types of the key's columns, or what of them its texts depend on, are not those by
    /// which the ledger knows the payments.
    pub has_new_key_types: bool,
    /// A table of refunds is attached.
    pub refunds_table: Option<RefundsTable>,
    /// Reads rows of the bound table. Of a partition's binding it is not used.
    pub host: HostTable,
    /// For old and new rows of a statement.
    pub old_row: KeptSlot,
    pub new_row: KeptSlot,
}

/// The terms of a program for payments that have no entry yet.
#[derive(Clone, Copy)]
pub struct ProgramTerms {
    pub offer: Offer,
    pub zone: Zone,
}

pub struct Columns {
    pub customer: Mapped,
    pub amount: Mapped,
    pub currency: Mapped,
    pub paid_at: Mapped,
    pub refunded: Mapped,
    pub key: Vec<Column>,
    /// Everything that what a payment earns depends on.
    pub read: Vec<ReadColumn>,
    /// The key columns are all there.
    pub has_key: bool,
    /// The last attribute number among those of customer and key, and among all that are read.
    pub last_of_identity: i16,
    pub last_read: i16,
}

/// Bindings by the table that a trigger is on; `None` for one that is not bound.
type Known = FxHashMap<pg_sys::Oid, Option<Rc<Binding>>>;

thread_local! {
    static KNOWN: RefCell<(u64, Known)> = RefCell::default();
}

/// The bindings that are remembered, none of them of an older state.
fn known<T>(body: impl FnOnce(&mut Known) -> T) -> T {
    KNOWN.with_borrow_mut(|(generation, map)| {
        if *generation != cache::generation() {
            map.clear();
            *generation = cache::generation();
        }
        body(map)
    })
}

/// Has every session read bindings, terms and closed affiliates again when it next needs them.
pub fn forget_everywhere() {
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(Relations::get().binding) };
}

impl Binding {
    /// The binding of a table or of the partitioned table it belongs to. Terms that were committed
    /// before a statement began hold for it: the server has noticed their change when the
    /// statement locked the indexes that it adds to, which it does anew each time.
    pub fn of(table: pg_sys::Oid) -> Option<Rc<Self>> {
        if let Some(found) = known(|map| map.get(&table).cloned()) {
            return found;
        }
        cache::watch(table);
        let generation = cache::generation();
        let loaded = as_owner(|| load(table)).map(Rc::new);
        // what has changed since may have been read before it did: good enough for a statement
        // that runs beside the change, but for none that follows
        if generation == cache::generation() {
            known(|map| map.insert(table, loaded.clone()));
        }
        loaded
    }

    /// This binding for rows of the bound table, where it is one for rows of a partition, whose
    /// attribute numbers may be others.
    pub fn of_bound_table(self: &Rc<Self>) -> Rc<Self> {
        let is_partition = self.relation != self.table;
        let root = is_partition.then(|| Self::of(self.table)).flatten();
        root.unwrap_or_else(|| Rc::clone(self))
    }

    /// The host's tables that say what payments earn.
    pub fn tables(&self) -> Vec<pg_sys::Oid> {
        let refunds = self.refunds_table.as_ref().map(|refunds| refunds.table);
        std::iter::once(self.table).chain(refunds).collect()
    }

    /// The key of a payment as text, from the texts of its columns.
    pub fn key_text(&self, mut columns: Vec<String>) -> String {
        if columns.len() == 1 {
            columns.remove(0)
        } else {
            record_text::write(&columns)
        }
    }

    /// The texts of the key's columns from the text of a key; `None` if it is malformed.
    pub fn key_columns(&self, key: &str) -> Option<Vec<String>> {
        if self.columns.key.len() == 1 {
            return Some(vec![key.to_owned()]);
        }
        record_text::read(key).filter(|columns| columns.len() == self.columns.key.len())
    }
}

const LOAD: &str = "
    SELECT b.id, b.payments::oid AS payments, b.program, p.rate, p.hold_days, p.time_zone, b.minor_units,
        coalesce(b.currency_code, CASE WHEN b.currency IS NULL THEN p.currency END) AS currency, b.since,
        b.on_delete, b.table_oid = b.payments::oid AS attnums_hold, b.attnums,
        ARRAY[b.customer, b.amount, b.currency, b.paid_at, b.refunded, b.product] || b.payment_key AS names,
        b.paid_when, b.paid_when_columns, b.paid_when_attnums, (parse_ident(b.table_name))[2] AS table_name,
        ARRAY(SELECT a.id FROM affiliate.affiliate a WHERE a.program = b.program AND a.status = $2)
            AS closed_affiliates,
        EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id) AS has_recorded_refunds,
        EXISTS (SELECT FROM affiliate.refunds_binding f WHERE f.binding_id = b.id
            AND (f.detached_at IS NOT NULL OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = f.refunds)))
            AS has_lost_refunds,
        b.paused_at IS NOT NULL AS is_paused,
        EXISTS (SELECT FROM affiliate.refund_spelling s WHERE s.binding_id = b.id) AS has_spellings,
        affiliate.has_new_key_types(b) AS has_new_key_types, b.minor_units_of,
        coalesce(b.paid_at_zone, 'UTC') AS paid_at_zone
    FROM affiliate.binding b JOIN affiliate.program p ON p.name = b.program
    WHERE b.detached_at IS NULL
        AND (b.payments = $1 OR b.payments IN (SELECT a.relid FROM pg_partition_ancestors($1) a))";

fn load(table: pg_sys::Oid) -> Option<Binding> {
    spi::connect(|connection| {
        let args = [regclass(table), Status::Closed.as_str().into()];
        let rows = connection.run(LOAD, Sees::Latest, &args);
        rows.first().map(|row| from_row(table, row))
    })
}

fn from_row(table: pg_sys::Oid, row: Row) -> Binding {
    let root: pg_sys::Oid = row.required("payments");
    let resolver = Resolver::open(table, root, row.required("attnums_hold"));
    let condition = condition(table, row, &resolver);
    let columns = Columns::of(row, &resolver, condition.as_ref());
    let read = columns.read.iter().map(|column| column.attnum).collect();
    let id = row.required("id");
    let since: Option<TimestampWithTimeZone> = row.get("since");
    Binding {
        id,
        relation: table,
        table: root,
        program: row.required("program"),
        terms: ProgramTerms::of(row),
        unit: Unit::of(
            row.required("minor_units"),
            row.optional_word("minor_units_of"),
        ),
        paid_at_zone: zone(row, "paid_at_zone"),
        constant_currency: row.get("currency").map(constant_currency),
        condition,
        since: since.map(i64::from),
        keeps_deleted: row.word::<OnDelete>("on_delete") == OnDelete::Keep,
        is_paused: row.required("is_paused"),
        depends_on_settings: columns.depend_on_settings(),
        closed_affiliates: row.array("closed_affiliates").into_iter().collect(),
        has_recorded_refunds: row.required("has_recorded_refunds"),
        has_lost_refunds: row.required("has_lost_refunds"),
        has_many_spellings: !columns.key.iter().all(Column::has_one_spelling),
        has_spellings: Cell::new(row.required("has_spellings")),
        has_new_key_types: row.required("has_new_key_types"),
        refunds_table: RefundsTable::of(id),
        host: HostTable::new(root, &resolver, read, &columns.key),
        columns,
        old_row: KeptSlot::default(),
        new_row: KeptSlot::default(),
    }
}

impl ProgramTerms {
    fn of(row: Row) -> Self {
        Self {
            offer: Offer {
                rule: Rule::Rate(row.decimal("rate")),
                hold_days: row.required("hold_days"),
            },
            zone: zone(row, "time_zone"),
        }
    }
}

fn zone(row: Row, column: &str) -> Zone {
    let zone: String = row.required(column);
    Zone::named(&zone).unwrap_or_else(|| Problem::UnknownTimeZone { zone }.raise())
}

fn constant_currency(currency: String) -> Currency {
    Currency::parse(&currency).unwrap_or_else(|| Problem::UnknownCurrency { currency }.raise())
}

fn condition(table: pg_sys::Oid, row: Row, resolver: &Resolver) -> Option<Condition> {
    let sql: String = row.get("paid_when")?;
    let names: Vec<String> = row.array("paid_when_columns");
    let numbers: Vec<i16> = row.array("paid_when_attnums");
    let columns = names.iter().enumerate().map(|(n, name)| {
        let found = resolver.column(name, numbers.get(n).copied().unwrap_or(0));
        (name.clone(), found.column().map_or(0, |c| c.attnum))
    });
    let table_name: String = row.required("table_name");
    Some(Condition::new(table, &table_name, sql, columns.collect()))
}

impl Columns {
    fn of(row: Row, resolver: &Resolver, condition: Option<&Condition>) -> Self {
        let attnums: Vec<i16> = row.array("attnums");
        let names: Vec<Option<String>> = row.required("names");
        let mut mapped = resolver.columns(&names, &attnums).into_iter();
        let mut next = || mapped.next().unwrap_or(Mapped::No);
        let (customer, amount, currency, paid_at, refunded, _product) =
            (next(), next(), next(), next(), next(), next());
        let keys: Vec<Mapped> = mapped.collect();
        let key: Vec<Column> = keys.iter().filter_map(Mapped::column).collect();

        let attnum = |column: Column| column.attnum;
        let customers = customer.column().into_iter();
        let identity = customers.chain(key.iter().copied()).map(attnum);
        let last_of_identity = identity.max().unwrap_or(1);
        let mut read: Vec<i16> = [customer, amount, currency, paid_at, refunded]
            .iter()
            .filter_map(Mapped::column)
            .chain(key.iter().copied())
            .map(attnum)
            .collect();
        read.extend(condition.into_iter().flat_map(Condition::attnums));
        read.sort_unstable();
        read.dedup();
        Self {
            customer,
            amount,
            currency,
            paid_at,
            refunded,
            has_key: key.len() == keys.len(),
            key,
            last_of_identity,
            last_read: read.last().copied().unwrap_or(1),
            read: read
                .into_iter()
                .filter_map(|attnum| resolver.read_column(attnum))
                .collect(),
        }
    }

    /// Whether the text of a key, a customer or a currency may be another one in another session.
    fn depend_on_settings(&self) -> bool {
        let (customer, currency) = (self.customer.column(), self.currency.column());
        let mut texts = customer.iter().chain(&self.key).chain(&currency);
        texts.any(|column| !is_text_stable(column.type_oid))
    }
}

/// Types whose text is the same in every session.
fn is_text_stable(type_oid: pg_sys::Oid) -> bool {
    matches!(
        type_oid,
        pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::TEXTOID
            | pg_sys::VARCHAROID
            | pg_sys::BPCHAROID
            | pg_sys::UUIDOID
            | pg_sys::NUMERICOID
    )
}
