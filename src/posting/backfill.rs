//! Posting payments that have no entries, many at a time.

use std::ops::ControlFlow;
use std::rc::Rc;

use crate::bindings::binding::Binding;
use crate::bindings::host_table::{ROWS_PER_BATCH, Step};
use crate::bindings::row::{Row, Window};
use crate::ledger::reader::Reader;
use crate::posting::insert::{Inserted, Inserts};
use crate::posting::quarantine;
use crate::posting::referrals::Referrals;
use crate::posting::settle::{Counts, Options, Settler};
use crate::server::names::table_name;
use crate::server::slot::Slot;
use crate::server::snapshot;
use crate::server::spi;

const ROWS_PER_NOTICE: i64 = 100_000;

/// Posts the eligible payments of a window that have no entries, at most `limit` of them. Their
/// rows are locked until the transaction ends, so that whoever changes one waits and then finds
/// its entries; no other row is, and none is kept from being inserted.
pub fn post_missing(binding: &Rc<Binding>, window: Window, limit: i64, counts: &mut Counts) {
    if !binding.columns.has_key {
        return;
    }
    let mut missing = Missing {
        binding,
        window,
        limit,
        referrals: Referrals::for_rows(binding, i64::MAX),
        reader: Reader::open(),
        keys: Vec::new(),
        others: Vec::new(),
        next_notice: counts.posted + ROWS_PER_NOTICE,
        counts,
    };
    snapshot::with_latest(&binding.tables(), || {
        let host = &binding.host;
        host.with_slot(|slot| {
            host.each(slot, |step| match step {
                Step::Row => missing.look(slot),
                Step::EndOfBatch => missing.post_batch(),
            });
        });
    });
    missing.settle_others();
}

struct Missing<'a> {
    binding: &'a Rc<Binding>,
    window: Window,
    limit: i64,
    referrals: Referrals,
    reader: Reader,
    /// Payments of this batch that have no entries, as far as can be seen without their lock.
    keys: Vec<Vec<String>>,
    /// Payments about which there was something already.
    others: Vec<Vec<String>>,
    next_notice: i64,
    counts: &'a mut Counts,
}

impl Missing<'_> {
    fn look(&mut self, slot: Slot) -> ControlFlow<()> {
        // SAFETY: the slot holds a row of the bound table
        let row = unsafe { Row::new(self.binding, slot) };
        if self.referrals.of_row(&row).is_some()
            && row.was_paid_within(self.window)
            && !self.reader.has_entries(self.binding.id, &row.key())
        {
            self.keys.push(row.key_columns());
        }
        ControlFlow::Continue(())
    }

    /// Locks the rows of a batch and posts what they are by then.
    fn post_batch(&mut self) -> ControlFlow<()> {
        let mut keys = std::mem::take(&mut self.keys);
        quarantine::leave_out(self.binding, &mut keys);
        if keys.is_empty() {
            return ControlFlow::Continue(());
        }
        let (binding, host) = (self.binding, &self.binding.host);
        let mut inserts = Inserts::new(binding, ROWS_PER_BATCH as i64);
        spi::connect(|connection| {
            let Some(rows) = host.of_keys(connection, &keys, true) else {
                return;
            };
            host.with_slot(|slot| {
                for row in rows.iter() {
                    host.fill(row, 1, slot);
                    // SAFETY: the slot holds a row of the bound table
                    let is_due = unsafe { Row::new(binding, slot) }.was_paid_within(self.window)
                        && self.counts.posted < self.limit;
                    if !is_due {
                        continue;
                    }
                    // SAFETY: as above
                    match unsafe { inserts.add(slot) } {
                        Inserted::Nothing => {}
                        Inserted::Posted => self.counts.posted += 1,
                        Inserted::Quarantined => self.counts.quarantined += 1,
                        Inserted::NotNew(key_columns) => self.others.push(key_columns),
                    }
                }
            });
            // what is posted refers to the rows until it is written
            let had_entries = inserts.close();
            self.counts.posted -= had_entries.len() as i64;
            self.others.extend(had_entries);
            rows.free();
        });
        if self.others.len() >= ROWS_PER_BATCH {
            self.settle_others();
        }
        if self.counts.posted >= self.next_notice {
            self.next_notice += ROWS_PER_NOTICE;
            let (table, posted) = (table_name(binding.table), self.counts.posted);
            pgrx::notice!("{table}: {posted} payments posted");
        }
        if self.counts.posted >= self.limit {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn settle_others(&mut self) {
        let mut settler = Settler::new(Rc::clone(self.binding));
        for key_columns in std::mem::take(&mut self.others) {
            self.counts
                .add(settler.settle(&key_columns, Options::LOCKED));
        }
    }
}
