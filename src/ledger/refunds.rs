//! Refunds and disputes that are not in a column of the payment: recorded ones, and the rows
//! of an attached table.

use pgrx::datum::DatumWithOid;
use pgrx::{FromDatum, pg_sys};
use rust_decimal::Decimal;

use super::binding::{self, Column, Mapped, Resolver};
use crate::domain::currency::Currency;
use crate::domain::fault::Fault;
use crate::domain::money;
use crate::pg::args::regclass;
use crate::pg::numeric::{self, Unfit};
use crate::pg::probe::{Key, Probe};
use crate::pg::relations::Layout;
use crate::pg::spi::{self, Rows, Sees};
use crate::pg::text::{Text, attribute};

/// An attached table of refunds.
pub struct RefundsTable {
    pub table: pg_sys::Oid,
    amount: Mapped,
    currency: Mapped,
    /// The columns that name the payment, in the order of its key.
    pub payment_key: Vec<Column>,
    minor_units: bool,
    /// Reads the refunds of one payment; its parameters are the texts of the key columns.
    select_rows: String,
}

const COLUMNS: &str = "
    SELECT f.refunds::oid, f.table_oid = f.refunds::oid, f.attnums,
        ARRAY[f.refund_key, f.amount, f.currency] || f.payment_key, f.minor_units, b.payments::oid
    FROM affiliate.refunds_binding f JOIN affiliate.binding b ON b.id = f.binding_id
    WHERE f.detached_at IS NULL AND EXISTS (SELECT FROM pg_class c WHERE c.oid = f.refunds)";

impl RefundsTable {
    /// The refunds table of a binding, if one is attached.
    pub fn of(binding_id: i32) -> Option<Self> {
        spi::connect(|connection| {
            let sql = format!("{COLUMNS} AND f.binding_id = $1");
            let row = connection.run(&sql, Sees::Latest, &[binding_id.into()]);
            Self::from_row(&row, row.get(0, 0)?)
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
            let row = connection.run(&sql, Sees::Latest, &[regclass(table)]);
            let payments = row.get(0, 5)?;
            Some((Self::from_row(&row, table)?, payments))
        })
    }

    /// For rows of the table, or of a partition of it.
    fn from_row(row: &Rows, relation: pg_sys::Oid) -> Option<Self> {
        let table: pg_sys::Oid = row.get(0, 0)?;
        crate::pg::cache::watch(table);
        let resolver = Resolver::open(relation, table, row.get(0, 1).unwrap_or_default());
        let attnums: Vec<i16> = row.get(0, 2).unwrap_or_default();
        let names: Vec<Option<String>> = row.get(0, 3).unwrap_or_default();
        let mapped: Vec<Mapped> = resolver.columns(&names, &attnums);
        let payment_key: Vec<Column> = mapped.iter().skip(3).filter_map(Mapped::column).collect();
        Some(Self {
            table,
            amount: *mapped.get(1)?,
            currency: *mapped.get(2)?,
            select_rows: binding::select_row(table, &payment_key, &resolver),
            payment_key,
            minor_units: row.get(0, 4).unwrap_or_default(),
        })
    }

    /// The texts of the columns of a refund that name its payment; none if one is NULL.
    ///
    /// # Safety
    /// The slot must hold a row of this table.
    pub unsafe fn payment_of(&self, slot: *mut pg_sys::TupleTableSlot) -> Vec<String> {
        let text = |column: &Column| unsafe {
            let (datum, is_null) = attribute(slot, column.attnum);
            (!is_null).then(|| column.to_text.apply(datum).to_owned())
        };
        self.payment_key
            .iter()
            .map(text)
            .collect::<Option<_>>()
            .unwrap_or_default()
    }

    /// What the rows of the table say was refunded of a payment, in major units.
    pub fn of_payment(
        &self,
        key_columns: &[String],
        currency: Currency,
    ) -> Result<Decimal, (Fault, String)> {
        let args: Vec<DatumWithOid> = key_columns
            .iter()
            .map(|text| text.as_str().into())
            .collect();
        spi::connect(|connection| {
            let rows = connection.run(&self.select_rows, Sees::Latest, &args);
            super::settle::with_row_slot(self.table, |slot| {
                let mut sum = Decimal::ZERO;
                for row in 0..rows.len() {
                    binding::store_row(&rows, row, 0, slot);
                    let amount = unsafe { self.amount(slot, currency) }?;
                    sum = money::exact_add(sum, amount)
                        .ok_or_else(|| (Fault::RefundedOutOfRange, format!("{sum} + {amount}")))?;
                }
                Ok(sum)
            })
        })
    }

    /// Whether the table has a refund of a payment.
    pub fn has_refunds(&self, key_columns: &[String]) -> bool {
        let args: Vec<DatumWithOid> = key_columns
            .iter()
            .map(|text| text.as_str().into())
            .collect();
        spi::connect(|connection| {
            !connection
                .run(&self.select_rows, Sees::Latest, &args)
                .is_empty()
        })
    }

    unsafe fn amount(
        &self,
        slot: *mut pg_sys::TupleTableSlot,
        currency: Currency,
    ) -> Result<Decimal, (Fault, String)> {
        let get = |column: Column| unsafe { attribute(slot, column.attnum) };
        let text = |column: Column, datum| unsafe { column.to_text.apply(datum) }.to_owned();
        if matches!(self.currency, Mapped::Gone) {
            let gone = "the column of the refund's currency is gone".to_owned();
            return Err((Fault::ColumnUnusable, gone));
        }
        if let Mapped::Yes(column) = self.currency
            && let (datum, false) = get(column)
        {
            let code = text(column, datum);
            if Currency::parse(&code) != Some(currency) {
                return Err((Fault::RefundCurrency, code));
            }
        }
        let Some(column) = self.amount.column() else {
            return Err((
                Fault::ColumnUnusable,
                "the column of the refunded amount is gone".to_owned(),
            ));
        };
        let (datum, is_null) = get(column);
        if is_null {
            return Ok(Decimal::ZERO);
        }
        let integer = match column.type_oid {
            pg_sys::INT2OID => Some(i64::from(datum.value() as i16)),
            pg_sys::INT4OID => Some(i64::from(datum.value() as i32)),
            pg_sys::INT8OID => Some(datum.value() as i64),
            _ => None,
        };
        let amount = match integer {
            Some(minor) if self.minor_units => money::from_minor_units(minor, currency),
            Some(major) => Decimal::from(major),
            None => unsafe { numeric::decode(datum) }.map_err(|unfit| {
                let fault = match unfit {
                    Unfit::NotFinite => Fault::RefundedNotFinite,
                    Unfit::OutOfRange => Fault::RefundedOutOfRange,
                };
                (fault, text(column, datum))
            })?,
        };
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err((Fault::RefundedNegative, amount.to_string()));
        }
        Ok(amount)
    }
}

mod column {
    pub const BINDING_ID: i16 = 2;
    pub const PAYMENT_KEY: i16 = 3;
    pub const KIND: i16 = 4;
    pub const AMOUNT: i16 = 6;
}

/// affiliate.refund, and the index of a payment's refunds.
static REFUNDS: Layout = Layout::new(
    |relations| relations.refund,
    &[
        ("id", pg_sys::INT8OID),
        ("binding_id", pg_sys::INT4OID),
        ("payment_key", pg_sys::TEXTOID),
        ("kind", pg_sys::TEXTOID),
        ("refund_key", pg_sys::TEXTOID),
        ("amount", pg_sys::NUMERICOID),
    ],
    |relations| relations.refund_payment,
    pg_sys::HASH_AM_OID,
    &[column::PAYMENT_KEY],
);

/// Sums up recorded refunds.
pub struct Recorded {
    probe: Probe,
}

impl Recorded {
    pub fn open() -> Self {
        Self {
            probe: Probe::open(&REFUNDS, 1, column::AMOUNT),
        }
    }

    /// Whether anything was ever recorded for a payment.
    pub fn has_any(&mut self, binding_id: i32, payment_key: &str) -> bool {
        let key = Text::new(payment_key);
        self.seek(binding_id, &key)
    }

    /// What is refunded of a payment on balance, in the unit of the binding's amounts; `None` if
    /// that is out of range.
    pub fn of_payment(&mut self, binding_id: i32, payment_key: &str) -> Option<Decimal> {
        let key = Text::new(payment_key);
        let (mut taken, mut given_back) = (Decimal::ZERO, Decimal::ZERO);
        let mut is_row = self.seek(binding_id, &key);
        while is_row {
            let amount = unsafe { numeric::decode(self.probe.get(column::AMOUNT)) }.ok()?;
            let kind: &str = unsafe { FromDatum::from_datum(self.probe.get(column::KIND), false) }?;
            let sum = if kind == "dispute_won" {
                &mut given_back
            } else {
                &mut taken
            };
            *sum = money::exact_add(*sum, amount)?;
            is_row = self.next(binding_id, &key);
        }
        money::exact_sub(taken, given_back)
    }

    fn seek(&mut self, binding_id: i32, key: &Text) -> bool {
        self.probe.seek([Key::hashed_text(1, key)]) && self.at_or_after_here(binding_id, key)
    }

    fn next(&mut self, binding_id: i32, key: &Text) -> bool {
        self.probe.next() && self.at_or_after_here(binding_id, key)
    }

    /// Goes on to a row of the payment, if the one at hand merely shares its hash.
    fn at_or_after_here(&mut self, binding_id: i32, key: &Text) -> bool {
        loop {
            let of: Option<&str> =
                unsafe { FromDatum::from_datum(self.probe.get(column::PAYMENT_KEY), false) };
            let is_of_binding = self.probe.get(column::BINDING_ID).value() as i32 == binding_id;
            if is_of_binding && of == Some(key) {
                return true;
            }
            if !self.probe.next() {
                return false;
            }
        }
    }
}

/// Takes the recorded refunds of payments whose keys have changed along, all at once: a
/// statement may exchange keys.
pub fn move_recorded(binding_id: i32, keys: &[(String, String)]) {
    const MOVE: &str = "
        UPDATE affiliate.refund r SET payment_key = m.new_key
        FROM unnest($2::text[], $3::text[]) AS m (old_key, new_key)
        WHERE r.binding_id = $1 AND r.payment_key = m.old_key";
    let (old, new): (Vec<String>, Vec<String>) = keys.iter().cloned().unzip();
    spi::connect(|connection| {
        connection.run(
            MOVE,
            Sees::Latest,
            &[binding_id.into(), old.into(), new.into()],
        );
    });
}
