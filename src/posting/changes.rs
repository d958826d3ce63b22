//! The updated or deleted rows of a statement, settled a batch at a time: memory does not grow with
//! the statement.

use std::rc::Rc;

use crate::bindings::binding::Binding;
use crate::bindings::columns;
use crate::bindings::host_table::ROWS_PER_BATCH;
use crate::bindings::row::Row;
use crate::ledger::reader::{Entries, Reader};
use crate::posting::referrals::Referrals;
use crate::posting::refunds;
use crate::posting::settle::{Options, Settler};
use crate::posting::transaction;
use crate::server::rights::as_owner;
use crate::server::slot::Slot;
use crate::server::snapshot::Kept;

/// Settles payments of a statement's own rows.
pub fn settle_all(binding: &Rc<Binding>, payments: &[Vec<String>], options: Options) {
    if payments.is_empty() {
        return;
    }
    as_owner(|| {
        let mut settler = Settler::new(Rc::clone(binding));
        for key_columns in payments {
            settler.settle(key_columns, options);
        }
    });
}

/// A payment whose key has changed.
struct Move {
    from: Vec<String>,
    to: Vec<String>,
}

/// The updated or deleted rows of a statement.
pub struct Changes<'a> {
    binding: &'a Rc<Binding>,
    referrals: Referrals,
    settle: Vec<Vec<String>>,
    moves: Vec<Move>,
    /// What there was before any of many moves was settled.
    before: Option<Kept>,
    /// The rows are not deleted but in another partition.
    pub has_moved_away: bool,
}

impl<'a> Changes<'a> {
    pub fn new(binding: &'a Rc<Binding>) -> Self {
        let referrals = Referrals::of(binding);
        Self {
            binding,
            referrals,
            settle: Vec::new(),
            moves: Vec::new(),
            before: None,
            has_moved_away: false,
        }
    }

    fn is_referred(&mut self, row: &Row) -> bool {
        self.referrals.of_row(row).is_some()
    }

    /// # Safety
    /// The slots must hold the old and the new version of a row of the table.
    pub unsafe fn updated(&mut self, old: Slot, new: Slot) {
        if unsafe { columns::read_the_same(&self.binding.columns.read, old, new) } {
            return;
        }
        let (old_row, new_row) =
            unsafe { (Row::new(self.binding, old), Row::new(self.binding, new)) };
        let is_referred = self.is_referred(&old_row) || self.is_referred(&new_row);
        let (from, to) = (old_row.key_columns(), new_row.key_columns());
        self.remember(&to);
        if from != to {
            self.remember(&from);
        }
        let takes_refunds_along = from != to && self.binding.has_recorded_refunds;
        if is_referred || takes_refunds_along {
            self.moved(from, to);
        }
    }

    /// A payment of a referred customer that had one key and has another, or the same.
    pub fn moved(&mut self, from: Vec<String>, to: Vec<String>) {
        if from == to {
            self.settle(to);
        } else {
            self.moves.push(Move { from, to });
            if self.moves.len() == ROWS_PER_BATCH {
                let binding = self.binding;
                self.before
                    .get_or_insert_with(|| Kept::latest(&binding.tables()));
                self.move_batch();
            }
        }
    }

    fn settle(&mut self, key_columns: Vec<String>) {
        self.settle.push(key_columns);
        // one that keeps its key has nothing to do with those that change theirs
        if self.settle.len() == ROWS_PER_BATCH {
            self.settle_batch();
        }
    }

    fn settle_batch(&mut self) {
        let options = Options {
            moved_away: self.has_moved_away,
            ..Options::default()
        };
        settle_all(self.binding, &std::mem::take(&mut self.settle), options);
    }

    /// # Safety
    /// The slot must hold a deleted row of the table.
    pub unsafe fn deleted(&mut self, old: Slot) {
        let row = unsafe { Row::new(self.binding, old) };
        let key_columns = row.key_columns();
        self.remember(&key_columns);
        // refunds of a payment that nobody referred wait for its row as well
        let may_leave_refunds =
            self.binding.has_recorded_refunds && self.binding.has_many_spellings;
        if self.is_referred(&row) || may_leave_refunds {
            self.settle(key_columns);
        }
    }

    fn remember(&self, key_columns: &[String]) {
        transaction::remember(self.binding.id, || {
            self.binding.key_text(key_columns.to_vec())
        });
    }

    /// Settles what is not settled yet.
    pub fn finish(mut self) {
        self.settle_batch();
        self.move_batch();
    }

    fn move_batch(&mut self) {
        let moves = std::mem::take(&mut self.moves);
        if !moves.is_empty() {
            as_owner(|| self.move_all(&moves));
        }
    }

    fn move_all(&self, moves: &[Move]) {
        let text = |columns: &Vec<String>| self.binding.key_text(columns.clone());
        let keys: Vec<(String, String)> =
            moves.iter().map(|m| (text(&m.from), text(&m.to))).collect();
        let before = self.know_before(&keys);
        let mut settler = Settler::new(Rc::clone(self.binding));
        for moved in moves {
            let moved_away = Options {
                moved_away: true,
                ..Options::default()
            };
            settler.settle(&moved.from, moved_away);
        }
        for (moved, before) in moves.iter().zip(&before) {
            let from_before = Options {
                before: Some(before),
                ..Options::default()
            };
            settler.settle(&moved.to, from_before);
            settler.ledger.keep_terms(&moved.to, before);
        }
    }

    /// What the ledger said of payments under the keys that they had before this statement, whose
    /// recorded refunds it takes along: a statement may exchange keys.
    fn know_before(&self, keys: &[(String, String)]) -> Vec<Entries> {
        let id = self.binding.id;
        let entries = |reader: &mut Reader| -> Vec<Entries> {
            keys.iter()
                .map(|(from, _)| reader.entries(id, from))
                .collect()
        };
        match &self.before {
            None => {
                refunds::move_recorded(id, keys);
                entries(&mut Reader::open())
            }
            Some(before) => {
                let (entries, recorded) = before.with(|| {
                    let entries = entries(&mut Reader::of_active_snapshot());
                    (entries, refunds::recorded_under(id, keys))
                });
                refunds::rename_recorded(recorded);
                entries
            }
        }
    }
}
