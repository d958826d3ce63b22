//! Refunds and disputes that are not in a column of the payment.

use pgrx::pg_sys;
use rust_decimal::Decimal;

use crate::pg::numeric;
use crate::pg::probe::{Key, Probe};
use crate::pg::relations::Relations;
use crate::pg::spi::{self, Sees};
use crate::pg::text::text_datum;

/// An attached table of refunds.
pub struct RefundsTable {}

impl RefundsTable {
    /// The refunds table of a binding, if one is attached.
    pub fn of(_binding_id: i32) -> Option<Self> {
        None
    }
}

mod column {
    pub const KIND: i16 = 4;
    pub const AMOUNT: i16 = 6;
}

/// Sums up recorded refunds.
pub struct Recorded {
    probe: Probe,
}

impl Recorded {
    pub fn open() -> Self {
        let relations = Relations::get();
        Self {
            probe: Probe::open(relations.refund, relations.refund_payment, 2),
        }
    }

    /// What is refunded of a payment on balance, in the unit of the binding's amounts; `None`
    /// if nothing was ever recorded.
    pub fn of_payment(&mut self, binding_id: i32, payment_key: &str) -> Option<Decimal> {
        let key = text_datum(payment_key);
        self.probe
            .seek(&mut [Key::integer(1, binding_id), Key::text(2, key)]);
        let mut sum = None;
        while self.probe.next() {
            let amount =
                unsafe { numeric::decode(self.probe.get(column::AMOUNT)) }.unwrap_or_default();
            let kind: Option<&str> =
                unsafe { pgrx::FromDatum::from_datum(self.probe.get(column::KIND), false) };
            let signed = if kind == Some("dispute_won") {
                -amount
            } else {
                amount
            };
            sum = Some(sum.unwrap_or(Decimal::ZERO) + signed);
        }
        unsafe {
            pg_sys::pfree(key.cast_mut_ptr());
        }
        sum
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
            Sees::Now,
            &[binding_id.into(), old.into(), new.into()],
        );
    });
}
