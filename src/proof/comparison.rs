//! The comparison of a bound table with the ledger. Every row is judged by the rules that post,
//! against the entries that the same snapshot shows; the payments that do not agree are judged once
//! more, as they are by then. What the ledger has beyond the rows is looked for only where it comes
//! to more than what was seen of it. Memory does not grow with the table.

use std::ops::ControlFlow;
use std::rc::Rc;

use rust_decimal::Decimal;

use crate::bindings::binding::Binding;
use crate::bindings::host_table::{ROWS_PER_BATCH, Step};
use crate::bindings::row::Row;
use crate::bindings::spelling;
use crate::ledger::in_order::InOrder;
use crate::ledger::payment_keys::key_fits;
use crate::ledger::reader::{Entries, NOT_CANCELED_OUT};
use crate::posting::judge::{self, Difference};
use crate::posting::payment::{Beside, Payment};
use crate::posting::referrals::Referrals;
use crate::posting::refund_spellings;
use crate::posting::refunds::Recorded;
use crate::posting::settle::{self, Settler};
use crate::rules::money;
use crate::server::numeric;
use crate::server::slot::Slot;
use crate::server::snapshot;
use crate::server::spi::{self, Sees};

/// Calls `found` for every payment whose ledger is not what its row says, until it breaks.
///
/// One that has entries under another spelling than its row's comes up under that one, before it
/// comes up as having none.
pub fn differences(
    binding: &Rc<Binding>,
    mut found: impl FnMut(&mut Settler, Difference, &[String]) -> ControlFlow<()>,
) {
    // whose payments the rows are, or which, can't be told then
    if !binding.columns.has_key || binding.columns.customer.column().is_none() {
        return;
    }
    let mut settler = Settler::new(Rc::clone(binding));
    snapshot::with_latest(&binding.tables(), || {
        if binding.has_many_spellings
            && entries_without_row(binding, &mut settler, &mut found).is_break()
        {
            return;
        }
        let mut flow = ControlFlow::Continue(());
        misspelled(binding, &mut settler, |settler, own, _| {
            flow = found(settler, Difference::OffTarget, own);
            flow
        });
        let mut pass = Pass::new(binding);
        if flow.is_break() || pass.rows(&mut settler, &mut found).is_break() {
            return;
        }
        if !binding.has_many_spellings && !pass.has_seen_all() {
            // the last thing to do, whether it goes through or not
            let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
                entries_without_row(binding, &mut settler, &mut found);
        }
    });
}

/// Calls `found` for the payments that are known under another spelling than that of their row.
pub fn respelled(binding: &Rc<Binding>, mut found: impl FnMut(&mut Settler, &[String])) {
    if !binding.has_many_spellings {
        return;
    }
    let mut settler = Settler::new(Rc::clone(binding));
    let mut found = |settler: &mut Settler, _, key_columns: &[String]| {
        if settler
            .find(key_columns)
            .is_some_and(|own| own != key_columns)
        {
            found(settler, key_columns);
        }
        ControlFlow::Continue(())
    };
    snapshot::with_latest(&binding.tables(), || {
        // it never breaks off
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
            entries_without_row(binding, &mut settler, &mut found);
    });
}

/// A pass over the rows of a bound table.
struct Pass<'a> {
    binding: &'a Rc<Binding>,
    referrals: Referrals,
    ledger: InOrder,
    recorded: Option<Recorded>,
    /// Rows of this batch whose payments are to be looked at again.
    suspects: Vec<Vec<String>>,
    /// Rows of this batch that are in order unless the attached table has refunds of them.
    agreeing: Vec<Vec<String>>,
    /// What the entries of payments come to that have a row of a referred customer: commission,
    /// and base. `None` if that is out of range.
    seen: Option<(Decimal, Decimal)>,
}

impl<'a> Pass<'a> {
    /// Within the active snapshot.
    fn new(binding: &'a Rc<Binding>) -> Self {
        Self {
            binding,
            referrals: Referrals::for_rows(binding, i64::MAX),
            ledger: InOrder::of_active_snapshot(binding.id),
            recorded: binding.has_recorded_refunds.then(Recorded::open),
            suspects: Vec::new(),
            agreeing: Vec::new(),
            seen: Some((Decimal::ZERO, Decimal::ZERO)),
        }
    }

    fn rows(
        &mut self,
        settler: &mut Settler,
        found: &mut impl FnMut(&mut Settler, Difference, &[String]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let host = &self.binding.host;
        let mut flow = ControlFlow::Continue(());
        host.with_slot(|slot| {
            host.each(slot, |step| {
                match step {
                    Step::Row => self.look(slot),
                    Step::EndOfBatch => flow = self.judge(settler, found),
                }
                flow
            });
        });
        flow
    }

    fn look(&mut self, slot: Slot) {
        // SAFETY: the slot holds a row of the bound table
        let row = unsafe { Row::new(self.binding, slot) };
        let Some(referral) = self.referrals.of_row(&row) else {
            return;
        };
        let key = row.key();
        let entries = self.ledger.entries(&key);
        self.add(&entries);
        let beside = if self.binding.has_lost_refunds {
            Beside::Lost(entries.refunded)
        } else {
            Beside::Nothing
        };
        let payment = Payment {
            binding: self.binding,
            row: &row,
            beside,
        };
        let (id, recorded) = (self.binding.id, self.recorded.as_mut());
        let is_suspect = !key_fits(&key)
            || recorded.is_some_and(|recorded| recorded.has_any(id, &key))
            || !settle::agrees(&payment, &referral, &entries);
        if is_suspect {
            self.suspects.push(row.key_columns());
        } else if self.binding.refunds_table.is_some() {
            self.agreeing.push(row.key_columns());
        }
    }

    fn add(&mut self, entries: &Entries) {
        for standing in &entries.standings {
            self.seen = self.seen.and_then(|(posted, base)| {
                let posted = money::sum(posted, standing.posted)?;
                Some((posted, money::sum(base, standing.base)?))
            });
        }
    }

    /// Whether the entries of all other payments cancel out. Neither a posted sum nor a base is
    /// ever below 0, so that their sums tell, over all currencies, and without a group for each
    /// payment.
    fn has_seen_all(&self) -> bool {
        const IS_ALL: &str = "
            SELECT coalesce(sum(c.amount), 0) = $2 AND coalesce(sum(c.base - c.base_before), 0) = $3 AS is_all
            FROM affiliate.commission c WHERE c.binding_id = $1";
        let Some((posted, base)) = self.seen else {
            return false;
        };
        spi::connect(|connection| {
            let args = [
                self.binding.id.into(),
                numeric::arg(posted),
                numeric::arg(base),
            ];
            let rows = connection.run(IS_ALL, Sees::Caller, &args);
            rows.only().required("is_all")
        })
    }

    fn judge(
        &mut self,
        settler: &mut Settler,
        found: &mut impl FnMut(&mut Settler, Difference, &[String]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(table) = &self.binding.refunds_table {
            let agreeing = std::mem::take(&mut self.agreeing);
            let mut places = table.refunded_among(&agreeing);
            places.extend(refund_spellings::respelled_among(self.binding, &agreeing));
            places.sort_unstable();
            places.dedup();
            let refunded = places
                .iter()
                .filter_map(|place| agreeing.get(*place).cloned());
            self.suspects.extend(refunded);
        }
        for key_columns in std::mem::take(&mut self.suspects) {
            if let Some(difference) = judge::difference(settler, &key_columns) {
                found(settler, difference, &key_columns)?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// The payments of a binding, `$1`, whose entries do not cancel out.
fn with_entries() -> String {
    format!(
        "SELECT DISTINCT a.payment_key FROM (
             SELECT c.payment_key FROM affiliate.commission c WHERE c.binding_id = $1 {NOT_CANCELED_OUT}) a"
    )
}

/// All that is known of payments of a binding, `$1`.
const KNOWN: &str = "
    SELECT c.payment_key FROM affiliate.commission c WHERE c.binding_id = $1
    UNION SELECT r.payment_key FROM affiliate.refund r WHERE r.binding_id = $1";

/// Payments that have entries and no row of a referred customer under the same spelling. Where the
/// row may have another one, also those whose entries come to nothing: terms and refunds are to go
/// along.
fn entries_without_row(
    binding: &Rc<Binding>,
    settler: &mut Settler,
    found: &mut impl FnMut(&mut Settler, Difference, &[String]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut referrals = Referrals::of(binding);
    spi::connect(|connection| {
        let sql = if binding.has_many_spellings {
            KNOWN.to_owned()
        } else {
            with_entries()
        };
        let mut cursor = connection.read_cursor(&sql, &[binding.id.into()]);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            let rows = cursor.fetch(ROWS_PER_BATCH);
            if rows.is_empty() {
                break;
            }
            let keys: Vec<_> = rows
                .values::<String>("payment_key")
                .filter_map(|text| binding.key_columns(&text))
                .collect();
            rows.free();
            let has_row = have_rows(binding, &mut referrals, &keys);
            let others = keys.iter().zip(has_row).filter(|(_, has_row)| !has_row);
            flow = others.map(|(key, _)| key).try_for_each(|key_columns| {
                match judge::difference(settler, key_columns) {
                    Some(difference) => found(settler, difference, key_columns),
                    None => ControlFlow::Continue(()),
                }
            });
            pgrx::check_for_interrupts!();
        }
        cursor.close();
        flow
    })
}

/// Which of these keys are spelled as a row of a referred customer spells its own.
fn have_rows(binding: &Binding, referrals: &mut Referrals, keys: &[Vec<String>]) -> Vec<bool> {
    let mut have = vec![false; keys.len()];
    let own = spelling::canonical_many(binding.table, &binding.columns.key, keys);
    let (places, values): (Vec<usize>, Vec<Vec<String>>) = own
        .into_iter()
        .enumerate()
        .filter_map(|(place, key)| Some((place, key?)))
        .unzip();
    if values.is_empty() {
        return have;
    }
    spi::connect(|connection| {
        let Some(rows) = binding.host.of_keys(connection, &values, false) else {
            return;
        };
        binding.host.with_slot(|slot| {
            for (found, place) in rows.iter().zip(rows.places("place")) {
                binding.host.fill(found, 1, slot);
                // SAFETY: the slot holds a row of the bound table
                let row = unsafe { Row::new(binding, slot) };
                let place = places.get(place);
                let Some((key, has_row)) =
                    place.and_then(|place| Some((keys.get(*place)?, have.get_mut(*place)?)))
                else {
                    continue;
                };
                *has_row |= row.key_columns() == *key && referrals.of_row(&row).is_some();
            }
        });
        rows.free();
    });
    have
}

/// Calls `found` with the payments, as their rows spell them, that refunds of the attached table
/// spell otherwise, and with that spelling, where it is not known yet.
pub fn misspelled(
    binding: &Rc<Binding>,
    settler: &mut Settler,
    mut found: impl FnMut(&mut Settler, &[String], &[String]) -> ControlFlow<()>,
) {
    let columns = &binding.columns.key;
    let Some(table) = &binding.refunds_table else {
        return;
    };
    if table.spells_like(columns) {
        return;
    }
    let host = table.host();
    let mut asked: Vec<Vec<String>> = Vec::new();
    host.with_slot(|slot| {
        host.each(slot, |step| {
            if step == Step::Row {
                // SAFETY: the slot holds a row of the refunds table
                asked.extend(unsafe { table.payment_of(slot) });
                return ControlFlow::Continue(());
            }
            asked.sort_unstable();
            asked.dedup();
            let own = spelling::canonical_many(binding.table, columns, &asked);
            let spelled = std::mem::take(&mut asked).into_iter().zip(own);
            let other = spelled.filter(|(asked, own)| own.as_ref().is_some_and(|own| own != asked));
            let other: Vec<Vec<String>> = other.map(|(asked, _)| asked).collect();
            for asked in refund_spellings::unknown_spellings(binding, other) {
                if let Some(own) = settler.find(&asked).filter(|own| *own != asked) {
                    found(settler, &own, &asked)?;
                }
            }
            ControlFlow::Continue(())
        });
    });
}
