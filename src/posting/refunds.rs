//! Recorded refunds: summed up for a payment, waiting for one, and going along with its key.

use pgrx::{FromDatum, pg_sys};
use rust_decimal::Decimal;

use crate::bindings::binding::Binding;
use crate::bindings::spelling;
use crate::rules::refund::{self, Kind};
use crate::rules::words::Word;
use crate::server::error::Problem;
use crate::server::numeric;
use crate::server::probe::{Key, Probe};
use crate::server::relations::Layout;
use crate::server::rows::Row;
use crate::server::spi::{self, Sees};
use crate::server::text::Text;

mod column {
    pub const BINDING_ID: i16 = 2;
    pub const PAYMENT_KEY: i16 = 3;
    pub const KIND: i16 = 4;
    pub const AMOUNT: i16 = 6;
    pub const CANCELED_AT: i16 = 9;
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
        ("refunded_at", pg_sys::TIMESTAMPTZOID),
        ("waits", pg_sys::BOOLOID),
        ("canceled_at", pg_sys::TIMESTAMPTZOID),
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
            probe: Probe::open(&REFUNDS, 1, column::CANCELED_AT),
        }
    }

    /// Whether anything was ever recorded for a payment.
    pub fn has_any(&mut self, binding_id: i32, payment_key: &str) -> bool {
        let key = Text::new(payment_key);
        self.seek(binding_id, &key)
    }

    /// What is refunded of a payment, in the unit of the binding's amounts; `None` if that is out of
    /// range.
    pub fn of_payment(&mut self, binding_id: i32, payment_key: &str) -> Option<Decimal> {
        let key = Text::new(payment_key);
        let mut recorded = refund::Recorded::default();
        let mut is_row = self.seek(binding_id, &key);
        while is_row {
            if self.probe.is_null(column::CANCELED_AT) {
                let amount = unsafe { numeric::decode(self.probe.get(column::AMOUNT)) }.ok()?;
                let kind: &str =
                    unsafe { FromDatum::from_datum(self.probe.get(column::KIND), false) }?;
                let kind = Kind::parse(kind).unwrap_or_else(|| unknown(kind));
                recorded.add(kind, amount)?;
            }
            is_row = self.next(binding_id, &key);
        }
        recorded.refunded()
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

fn unknown(kind: &str) -> ! {
    Problem::NotAsInstalled {
        object: "affiliate.refund".to_owned(),
        what: format!("has a refund of kind \"{kind}\""),
    }
    .raise()
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
        let refund = |row: Row| (row.required("id"), row.required("new_key"));
        rows.iter().map(refund).collect()
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
        UPDATE affiliate.refund SET waits = true WHERE binding_id = $1 AND payment_key = $2 AND NOT waits
            AND canceled_at IS NULL";
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
        let (texts, keys): (Vec<String>, Vec<Vec<String>>) = rows
            .values::<String>("payment_key")
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
