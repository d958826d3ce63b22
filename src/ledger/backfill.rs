//! Posting payments that have no entries, many at a time.

use std::rc::Rc;

use pgrx::datum::DatumWithOid;

use super::binding::{self, Binding};
use super::insert::{Inserted, Inserts};
use super::payments::Payments;
use super::row::Row;
use super::settle::{Counts, Options, Settler, with_row_slot};
use crate::pg::memory::Context;
use crate::pg::names::table_name;
use crate::pg::spi;

const ROWS_PER_FETCH: usize = 1000;
const ROWS_PER_NOTICE: i64 = 100_000;

/// From when and until when payments were made, in microseconds since 2000-01-01 UTC; the
/// latter is not included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

/// Posts the eligible payments of a window that have no entries, at most `limit` of them. Their
/// rows are locked until the transaction ends, so that whoever changes one waits and then finds
/// its entries; no other row is, and none is kept from being inserted.
pub fn post_missing(binding: &Rc<Binding>, window: Window, limit: i64, counts: &mut Counts) {
    let Some(payments) = Payments::of(binding) else {
        return;
    };
    let Payments { t, from, .. } = &payments;
    let (key, customer) = (payments.key(), payments.customer());
    let sql = format!(
        "SELECT {t} FROM {from}
         WHERE EXISTS (SELECT FROM affiliate.referral r WHERE r.program = $1 AND r.customer = {customer})
             AND NOT EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = $2 AND c.payment_key = {key})
             AND NOT EXISTS (SELECT FROM affiliate.quarantine q
                 WHERE q.binding_id = $2 AND q.payment_key = {key} AND q.resolved_at IS NULL)
         FOR NO KEY UPDATE OF {t}",
    );
    let args: [DatumWithOid; 2] = [binding.program.as_str().into(), binding.id.into()];
    let mut others = Vec::new();
    spi::connect(|connection| {
        let mut cursor = connection.cursor(&sql, &args);
        let memory = Context::within_current(c"affiliate back-fill");
        let mut inserts = Inserts::new(binding, ROWS_PER_FETCH as i64);
        let mut next_notice = counts.posted + ROWS_PER_NOTICE;
        with_row_slot(binding.table, |slot| {
            while counts.posted < limit {
                let rows = cursor.fetch(ROWS_PER_FETCH);
                if rows.is_empty() {
                    break;
                }
                memory.with(|| {
                    for n in 0..rows.len() {
                        binding::store_row(&rows, n, 0, slot);
                        if !unsafe { Row::new(binding, slot) }.was_paid_within(window)
                            || counts.posted >= limit
                        {
                            continue;
                        }
                        match unsafe { inserts.add(slot) } {
                            Inserted::Nothing => {}
                            Inserted::Posted => counts.posted += 1,
                            Inserted::Quarantined => counts.quarantined += 1,
                            Inserted::NotNew(key_columns) => others.push(key_columns),
                        }
                    }
                });
                rows.free();
                memory.reset();
                if counts.posted >= next_notice {
                    next_notice += ROWS_PER_NOTICE;
                    pgrx::notice!(
                        "{}: {} payments posted",
                        table_name(binding.table),
                        counts.posted
                    );
                }
                pgrx::check_for_interrupts!();
            }
        });
        let had_entries = inserts.close();
        counts.posted -= had_entries.len() as i64;
        others.extend(had_entries);
        memory.delete();
        cursor.close();
    });
    let mut settler = Settler::new(Rc::clone(binding));
    for key_columns in others {
        counts.add(settler.settle(
            &key_columns,
            Options {
                lock: true,
                ..Options::default()
            },
        ));
    }
}
