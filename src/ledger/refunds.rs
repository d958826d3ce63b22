//! Refunds and disputes that are not in a column of the payment: recorded ones, and the rows
//! of an attached table.

use std::collections::HashSet;

use pgrx::{FromDatum, pg_sys};
use rust_decimal::Decimal;

use super::amount::{self, Faults};
use super::binding::{Binding, forget_everywhere};
use super::columns::{Column, Mapped, Resolver};
use super::host::HostTable;
use super::spelling;
use crate::domain::currency::Currency;
use crate::domain::fault::Fault;
use crate::domain::money;
use crate::pg::args::regclass;
use crate::pg::numeric;
use crate::pg::probe::{Key, Probe};
use crate::pg::relations::Layout;
use crate::pg::slot::Slot;
use crate::pg::spi::{self, Connection, Rows, Sees};
use crate::pg::text::{Text, attribute};

/// An attached table of refunds.
pub struct RefundsTable {
    pub table: pg_sys::Oid,
    amount: Mapped,
    currency: Mapped,
    /// The columns that name the payment, in the order of its key.
    pub payment_key: Vec<Column>,
    /// These columns are all there.
    has_payment_key: bool,
    minor_units: bool,
    host: HostTable,
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
        let key = mapped.get(3..)?;
        let payment_key: Vec<Column> = key.iter().filter_map(Mapped::column).collect();
        let read = mapped.iter().skip(1).filter_map(Mapped::column);
        let mut attnums: Vec<i16> = read.map(|column| column.attnum).collect();
        attnums.sort_unstable();
        attnums.dedup();
        Some(Self {
            table,
            amount: *mapped.get(1)?,
            currency: *mapped.get(2)?,
            host: HostTable::new(table, &resolver, attnums, &payment_key),
            has_payment_key: payment_key.len() == key.len(),
            payment_key,
            minor_units: row.get(0, 4).unwrap_or_default(),
        })
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
    ) -> Result<Decimal, (Fault, String)> {
        if !self.has_payment_key {
            let gone = "a column of the refunds that names the payment is gone".to_owned();
            return Err((Fault::ColumnUnusable, gone));
        }
        spi::connect(|connection| {
            let Some(found) = self.rows(connection, spellings) else {
                return Ok(Decimal::ZERO);
            };
            self.host.with_slot(|slot| {
                let mut sum = Decimal::ZERO;
                for row in 0..found.rows.len() {
                    self.host.fill(&found.rows, row, found.first, slot);
                    // SAFETY: the slot holds a row of this table
                    let amount = unsafe { self.amount(slot, currency) }?;
                    sum = money::exact_add(sum, amount)
                        .ok_or_else(|| (Fault::RefundedOutOfRange, format!("{sum} + {amount}")))?;
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
            let place = |row| places.get(rows.place(row)?).copied();
            (0..rows.len()).filter_map(place).collect()
        })
    }

    /// The table with what of it is read.
    pub fn host(&self) -> &HostTable {
        &self.host
    }

    unsafe fn amount(&self, slot: Slot, currency: Currency) -> Result<Decimal, (Fault, String)> {
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
        // SAFETY: the slot holds a row that has the column
        unsafe { amount::read(column, datum, self.minor_units, currency, Faults::REFUNDED) }
    }
}

/// Rows of refunds, in the columns from `first` on.
struct Found {
    rows: Rows,
    first: usize,
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

/// The recorded refunds that the active snapshot shows under the first of two keys, by their
/// numbers, and the second one.
pub fn recorded_under(binding_id: i32, keys: &[(String, String)]) -> Vec<(i64, String)> {
    const UNDER: &str = "
        SELECT r.id, m.new_key FROM unnest($2::text[], $3::text[]) AS m (old_key, new_key)
            JOIN affiliate.refund r ON r.binding_id = $1 AND r.payment_key = m.old_key";
    let (old, new): (Vec<String>, Vec<String>) = keys.iter().cloned().unzip();
    spi::connect(|connection| {
        let args = [binding_id.into(), old.into(), new.into()];
        let rows = connection.run(UNDER, Sees::Caller, &args);
        let refund = |row| Some((rows.get(row, 0)?, rows.get(row, 1)?));
        (0..rows.len()).filter_map(refund).collect()
    })
}

/// Gives recorded refunds the keys that their payments have now.
pub fn rename_recorded(refunds: Vec<(i64, String)>) {
    const RENAME: &str = "
        UPDATE affiliate.refund r SET payment_key = m.new_key
        FROM unnest($1::int8[], $2::text[]) AS m (id, new_key) WHERE r.id = m.id";
    if refunds.is_empty() {
        return;
    }
    let (ids, keys): (Vec<i64>, Vec<String>) = refunds.into_iter().unzip();
    spi::connect(|connection| {
        connection.run(RENAME, Sees::Latest, &[ids.into(), keys.into()]);
    });
}

/// Has the refunds of a payment whose row is gone wait for it.
pub fn wait(binding_id: i32, key: &str) {
    const WAIT: &str = "
        UPDATE affiliate.refund SET waits = true WHERE binding_id = $1 AND payment_key = $2 AND NOT waits";
    spi::connect(|connection| {
        connection.run(WAIT, Sees::Now, &[binding_id.into(), key.into()]);
    });
}

/// Takes refunds that wait for a payment along to it, where they were recorded under a spelling
/// that the key's equality takes for the same. Returns whether there were any.
pub fn adopt_waiting(binding: &Binding, key: &str, key_columns: &[String]) -> bool {
    const WAITING: &str = "
        SELECT DISTINCT r.payment_key FROM affiliate.refund r
        WHERE r.binding_id = $1 AND r.waits AND r.payment_key <> $2";
    spi::connect(|connection| {
        let rows = connection.run(WAITING, Sees::Latest, &[binding.id.into(), key.into()]);
        let texts = (0..rows.len()).filter_map(|row| rows.get::<String>(row, 0));
        let (texts, keys): (Vec<String>, Vec<Vec<String>>) = texts
            .filter_map(|text| Some((text.clone(), binding.key_columns(&text)?)))
            .unzip();
        let same = spelling::same_as(binding.table, &binding.columns.key, key_columns, &keys);
        let moves: Vec<(String, String)> = texts
            .into_iter()
            .zip(same)
            .filter(|(_, is_same)| *is_same)
            .map(|(text, _)| (text, key.to_owned()))
            .collect();
        if !moves.is_empty() {
            move_recorded(binding.id, &moves);
        }
        !moves.is_empty()
    })
}

/// The ways in which refunds of an attached table spell the key of a payment, that of its row
/// first.
pub fn spellings(binding: &Binding, key_columns: Vec<String>) -> Vec<Vec<String>> {
    const SPELLINGS: &str = "
        SELECT s.spelling FROM affiliate.refund_spelling s WHERE s.binding_id = $1 AND s.payment_key = $2";
    let mut spellings = Vec::new();
    if binding.has_spellings.get() {
        let key = binding.key_text(key_columns.clone());
        spi::connect(|connection| {
            let args = [binding.id.into(), key.as_str().into()];
            let rows = connection.run(SPELLINGS, Sees::Latest, &args);
            let texts = (0..rows.len()).filter_map(|row| rows.get::<String>(row, 0));
            spellings.extend(texts.filter_map(|text| binding.key_columns(&text)));
        });
    }
    spellings.insert(0, key_columns);
    spellings
}

/// Remembers that refunds of an attached table spell the key of a payment in a way that its
/// equality does not find.
pub fn remember_spelling(binding: &Binding, payment_key: &str, spelling: &str) {
    const REMEMBER: &str = "
        INSERT INTO affiliate.refund_spelling (binding_id, payment_key, spelling) VALUES ($1, $2, $3)
        ON CONFLICT (binding_id, spelling) DO UPDATE SET payment_key = excluded.payment_key
        WHERE refund_spelling.payment_key <> excluded.payment_key";
    spi::connect(|connection| {
        let args = [binding.id.into(), payment_key.into(), spelling.into()];
        connection.run(REMEMBER, Sees::Now, &args);
    });
    if !binding.has_spellings.replace(true) {
        forget_everywhere();
    }
}

/// The same when it is the text of the row that has changed.
pub fn respell(binding: &Binding, from: &str, to: &str) {
    const RESPELL: &str = "UPDATE affiliate.refund_spelling SET payment_key = $3 WHERE binding_id = $1 AND payment_key = $2";
    if binding.has_spellings.get() {
        spi::connect(|connection| {
            let args = [binding.id.into(), from.into(), to.into()];
            connection.run(RESPELL, Sees::Now, &args);
        });
    }
    let key = &binding.columns.key;
    if binding
        .refunds_table
        .as_ref()
        .is_some_and(|table| !table.spells_like(key))
    {
        remember_spelling(binding, to, from);
    }
}

/// Which of many payments the attached table has refunds of under another spelling, by their
/// places.
pub fn respelled_among(binding: &Binding, keys: &[Vec<String>]) -> Vec<usize> {
    const RESPELLED: &str = "
        SELECT k.n FROM unnest($2::text[]) WITH ORDINALITY AS k (payment_key, n)
        WHERE EXISTS (SELECT FROM affiliate.refund_spelling s
            WHERE s.binding_id = $1 AND s.payment_key = k.payment_key)";
    if !binding.has_spellings.get() || keys.is_empty() {
        return Vec::new();
    }
    let texts: Vec<String> = keys
        .iter()
        .map(|key| binding.key_text(key.clone()))
        .collect();
    spi::connect(|connection| {
        let rows = connection.run(RESPELLED, Sees::Latest, &[binding.id.into(), texts.into()]);
        (0..rows.len()).filter_map(|row| rows.place(row)).collect()
    })
}

/// Those of some spellings that are not remembered yet.
pub fn unknown_spellings(binding: &Binding, spellings: Vec<Vec<String>>) -> Vec<Vec<String>> {
    const KNOWN: &str = "
        SELECT s.spelling FROM affiliate.refund_spelling s
        WHERE s.binding_id = $1 AND s.spelling = ANY ($2)";
    if spellings.is_empty() {
        return spellings;
    }
    let text = |key: &Vec<String>| binding.key_text(key.clone());
    let texts: Vec<String> = spellings.iter().map(text).collect();
    let known: HashSet<String> = spi::connect(|connection| {
        let rows = connection.run(KNOWN, Sees::Latest, &[binding.id.into(), texts.into()]);
        (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
    });
    let is_unknown = |key: &Vec<String>| !known.contains(&text(key));
    spellings.into_iter().filter(is_unknown).collect()
}
