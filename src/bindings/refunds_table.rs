//! An attached table of refunds: its columns, and what its rows say was refunded of a payment.

use pgrx::pg_sys;
use rust_decimal::Decimal;

use crate::bindings::amount::{self, Faults};
use crate::bindings::columns::{Column, Mapped, Resolver};
use crate::bindings::host_table::HostTable;
use crate::bindings::spelling;
use crate::rules::currency::Currency;
use crate::rules::fault::{Defect, Fault};
use crate::rules::money;
use crate::rules::unit::Unit;
use crate::server::args::regclass;
use crate::server::cache;
use crate::server::rows::{Row, Rows};
use crate::server::slot::Slot;
use crate::server::spi::{self, Connection, Sees};
use crate::server::text::attribute;

/// An attached table of refunds.
pub struct RefundsTable {
    pub table: pg_sys::Oid,
    amount: Mapped,
    currency: Mapped,
    /// The columns that name the payment, in the order of its key.
    pub payment_key: Vec<Column>,
    /// These columns are all there.
    has_payment_key: bool,
    unit: Unit,
    host: HostTable,
}

const COLUMNS: &str = "
    SELECT f.refunds::oid AS refunds, f.table_oid = f.refunds::oid AS attnums_hold, f.attnums,
        ARRAY[f.refund_key, f.amount, f.currency] || f.payment_key AS names, f.minor_units,
        b.payments::oid AS payments, b.minor_units_of
    FROM affiliate.refunds_binding f JOIN affiliate.binding b ON b.id = f.binding_id
    WHERE f.detached_at IS NULL AND EXISTS (SELECT FROM pg_class c WHERE c.oid = f.refunds)";

impl RefundsTable {
    /// The refunds table of a binding, if one is attached.
    pub fn of(binding_id: i32) -> Option<Self> {
        spi::connect(|connection| {
            let sql = format!("{COLUMNS} AND f.binding_id = $1");
            let rows = connection.run(&sql, Sees::Latest, &[binding_id.into()]);
            let row = rows.first()?;
            Some(Self::from_row(row, row.required("refunds")))
        })
    }

    /// The attached table with this OID or partition, for reading rows of it, and the payments
    /// table it belongs to.
    pub fn attached(table: pg_sys::Oid) -> Option<(Self, pg_sys::Oid)> {
        spi::connect(|connection| {
            let sql = format!(
                "{COLUMNS} AND (f.refunds = $1
                    OR f.refunds IN (SELECT a.relid FROM pg_partition_ancestors($1) a))"
            );
            let rows = connection.run(&sql, Sees::Latest, &[regclass(table)]);
            let row = rows.first()?;
            Some((Self::from_row(row, table), row.required("payments")))
        })
    }

    /// For rows of the table, or of a partition of it.
    fn from_row(row: Row, relation: pg_sys::Oid) -> Self {
        let table: pg_sys::Oid = row.required("refunds");
        cache::watch(table);
        let resolver = Resolver::open(relation, table, row.required("attnums_hold"));
        let attnums: Vec<i16> = row.array("attnums");
        let names: Vec<Option<String>> = row.required("names");
        let mut mapped = resolver.columns(&names, &attnums).into_iter();
        let mut next = || mapped.next().unwrap_or(Mapped::No);
        let (_refund_key, amount, currency) = (next(), next(), next());
        let key: Vec<Mapped> = mapped.collect();
        let payment_key: Vec<Column> = key.iter().filter_map(Mapped::column).collect();
        let read = [amount, currency].into_iter().chain(key.iter().copied());
        let read = read.filter_map(|mapped| mapped.column());
        let mut attnums: Vec<i16> = read.map(|column| column.attnum).collect();
        attnums.sort_unstable();
        attnums.dedup();
        Self {
            table,
            amount,
            currency,
            host: HostTable::new(table, &resolver, attnums, &payment_key),
            has_payment_key: payment_key.len() == key.len(),
            payment_key,
            unit: Unit::of(
                row.required("minor_units"),
                row.optional_word("minor_units_of"),
            ),
        }
    }

    /// Whether a refund names its payment by the same texts as the payment's row, or by texts
    /// that its columns' equality finds.
    pub fn spells_like(&self, key: &[Column]) -> bool {
        let pairs = self.payment_key.iter().zip(key);
        pairs
            .into_iter()
            .all(|(refund, key)| refund.spells_like(key))
    }

    /// The texts of the columns of a refund that name its payment; `None` if one is NULL or gone.
    ///
    /// # Safety
    /// The slot must hold a row of this table.
    pub unsafe fn payment_of(&self, slot: Slot) -> Option<Vec<String>> {
        if !self.has_payment_key {
            return None;
        }
        // SAFETY: the slot holds a row that has the columns
        let text = |column: &Column| unsafe {
            let (datum, is_null) = attribute(slot, column.attnum);
            (!is_null).then(|| column.to_text.apply(datum).to_owned())
        };
        self.payment_key.iter().map(text).collect()
    }

    /// The refunds of a payment that is spelled in one of these ways.
    fn rows(&self, connection: &Connection, spellings: &[Vec<String>]) -> Option<Found> {
        let spell = |key: &Vec<String>| spelling::canonical(self.table, &self.payment_key, key);
        let mut keys: Vec<Vec<String>> = spellings.iter().filter_map(spell).collect();
        keys.sort_unstable();
        keys.dedup();
        match &keys[..] {
            [] => None,
            [key] => {
                let rows = self.host.of_key(connection, key, false)?;
                Some(Found { rows, first: 0 })
            }
            keys => {
                let rows = self.host.of_keys(connection, keys, false)?;
                Some(Found { rows, first: 1 })
            }
        }
    }

    /// What the rows of the table say was refunded of a payment, in major units.
    pub fn of_payment(
        &self,
        spellings: &[Vec<String>],
        currency: Currency,
    ) -> Result<Decimal, Defect> {
        if !self.has_payment_key {
            let gone = "a column of the refunds that names the payment is gone";
            return Err(Fault::ColumnUnusable.of(gone));
        }
        spi::connect(|connection| {
            let Some(found) = self.rows(connection, spellings) else {
                return Ok(Decimal::ZERO);
            };
            self.host.with_slot(|slot| {
                let mut sum = Decimal::ZERO;
                for row in found.rows.iter() {
                    self.host.fill(row, found.first, slot);
                    // SAFETY: the slot holds a row of this table
                    let amount = unsafe { self.amount(slot, currency) }?;
                    sum = money::sum(sum, amount)
                        .ok_or_else(|| Fault::RefundedOutOfRange.of(format!("{sum} + {amount}")))?;
                }
                Ok(sum)
            })
        })
    }

    /// Whether the table has a refund of a payment.
    pub fn has_refunds(&self, spellings: &[Vec<String>]) -> bool {
        self.has_payment_key
            && spi::connect(|connection| {
                self.rows(connection, spellings)
                    .is_some_and(|found| !found.rows.is_empty())
            })
    }

    /// Which of many payments the table has refunds of, by their places.
    pub fn refunded_among(&self, keys: &[Vec<String>]) -> Vec<usize> {
        let spell = |(n, key): (usize, &Vec<String>)| {
            Some((n, spelling::canonical(self.table, &self.payment_key, key)?))
        };
        let (places, keys): (Vec<usize>, Vec<Vec<String>>) =
            keys.iter().enumerate().filter_map(spell).unzip();
        if keys.is_empty() {
            return Vec::new();
        }
        spi::connect(|connection| {
            let Some(rows) = self.host.of_keys(connection, &keys, false) else {
                return Vec::new();
            };
            let refunded = rows.places("place");
            refunded.filter_map(|n| places.get(n).copied()).collect()
        })
    }

    /// The table with what of it is read.
    pub fn host(&self) -> &HostTable {
        &self.host
    }

    unsafe fn amount(&self, slot: Slot, currency: Currency) -> Result<Decimal, Defect> {
        let get = |column: Column| unsafe { attribute(slot, column.attnum) };
        let text = |column: Column, datum| unsafe { column.to_text.apply(datum) }.to_owned();
        if matches!(self.currency, Mapped::Gone) {
            return Err(Fault::ColumnUnusable.of("the column of the refund's currency is gone"));
        }
        if let Mapped::Yes(column) = self.currency
            && let (datum, false) = get(column)
        {
            let code = text(column, datum);
            if Currency::parse(&code) != Some(currency) {
                return Err(Fault::RefundCurrency.of(code));
            }
        }
        let Some(column) = self.amount.column() else {
            return Err(Fault::ColumnUnusable.of("the column of the refunded amount is gone"));
        };
        let (datum, is_null) = get(column);
        if is_null {
            return Ok(Decimal::ZERO);
        }
        // SAFETY: the slot holds a row that has the column
        unsafe { amount::read(column, datum, self.unit, currency, Faults::REFUNDED) }
    }
}

/// Rows of refunds, in the columns from `first` on.
struct Found {
    rows: Rows,
    first: usize,
}
