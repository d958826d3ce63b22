//! Reading the ledger beside a table whose rows come, as they mostly do, in the order of their
//! keys: what is asked for next is then what is next in the index, and is not searched for.

use pgrx::pg_sys;

use crate::ledger::payment_keys::order;
use crate::ledger::reader::{Entries, Reader, column};
use crate::server::probe::Key;
use crate::server::text::{Text, bytes};

/// How many payments more than were found in order may come out of it, before all of them are
/// searched for. To go on from another key reads a page of the index as a whole.
const PATIENCE: u32 = 8;

/// Reads the entries of a binding's payments.
pub struct InOrder {
    binding_id: i32,
    any: Reader,
    /// Goes on from the key `from`, with which its scan compares by the function `at_least`.
    next: Reader,
    at_least: Option<pg_sys::Oid>,
    from: Box<Text>,
    /// `next` is at an entry.
    is_entry: bool,
    patience: u32,
}

impl InOrder {
    /// Reads what the active snapshot shows, for as long as it is the active one.
    pub fn of_active_snapshot(binding_id: i32) -> Self {
        let next = Reader::of_active_snapshot();
        Self {
            binding_id,
            any: Reader::of_active_snapshot(),
            at_least: next.probe.at_least(2),
            next,
            from: Box::new(Text::new("")),
            is_entry: false,
            patience: PATIENCE,
        }
    }

    /// The entries of a payment, summed up in their order.
    pub fn entries(&mut self, payment_key: &str) -> Entries {
        let key = payment_key.as_bytes();
        let at_least = self.at_least.filter(|_| self.patience > 0);
        let is_behind = self.next_key().is_some_and(|next| order(next, key).is_gt());
        let Some(at_least) = at_least.filter(|_| !is_behind) else {
            return self.any.entries(self.binding_id, payment_key);
        };
        if self.next_key() != Some(key) {
            self.patience -= 1;
            self.go_on_from(payment_key, at_least);
        }
        let mut entries = Entries::default();
        while self.next_key() == Some(key) {
            self.next.add_entry(&mut entries);
            self.is_entry = self.next.probe.next();
        }
        if entries.last_seq > 0 {
            self.patience = PATIENCE.min(self.patience + 1);
        }
        entries
    }

    fn next_key(&self) -> Option<&[u8]> {
        // SAFETY: the row, and so its key, stays until `next` is told to go on
        self.is_entry
            .then(|| unsafe { bytes(self.next.probe.get(column::PAYMENT_KEY as i16)) })
    }

    fn go_on_from(&mut self, payment_key: &str, at_least: pg_sys::Oid) {
        *self.from = Text::new(payment_key);
        let payment = Key::text_at_least(2, &self.from, at_least);
        let binding = Key::integer(1, self.binding_id);
        self.is_entry = self.next.probe.seek([binding, payment]);
    }
}
