//! The one operation: bring the ledger of a payment to what its row says now. Whatever
//! happened to the row, and in whatever order, the answer depends on its present state alone.

use std::borrow::Cow;
use std::rc::Rc;

use rust_decimal::Decimal;

use crate::bindings::binding::{Binding, Mapped};
use crate::bindings::refunds_table::RefundsTable;
use crate::bindings::row::Row;
use crate::bindings::spelling;
use crate::ledger::payment_keys::key_fits;
use crate::ledger::reader::Entries;
use crate::posting::bound_ledger::BoundLedger;
use crate::posting::payment::{Beside, Payment};
use crate::posting::quarantine;
use crate::posting::referrals::Referrals;
use crate::posting::refund_spellings;
use crate::posting::refunds::{self, Recorded};
use crate::rules::eligibility::{self, History, Referral, Verdict};
use crate::rules::fault::{Defect, Fault};
use crate::rules::settlement::{self, Posting};
use crate::server::slot::Slot;
use crate::server::spi;

/// What settling a payment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The payment has a row.
    pub has_row: bool,
    /// What it added to the posted sum, over all accounts and currencies.
    pub change: Decimal,
    pub entries: usize,
    pub newly_quarantined: bool,
    /// The data can't be turned into a commission.
    pub is_faulty: bool,
}

/// Counts of payments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub posted: i64,
    pub reversed: i64,
    pub quarantined: i64,
}

impl Counts {
    pub fn add(&mut self, effect: Effect) {
        if effect.entries > 0 {
            self.posted += i64::from(effect.change >= Decimal::ZERO);
            self.reversed += i64::from(effect.change < Decimal::ZERO);
        }
        self.quarantined += i64::from(effect.newly_quarantined);
    }
}

/// How a payment is settled.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// What the ledger said of the payment under another key that it had before.
    pub before: Option<&'a Entries>,
    /// A row that is gone is reversed whatever the binding's policy: it has moved away.
    pub moved_away: bool,
    /// Lock the row: the caller is not the statement that changed it, and asks for a payment by a
    /// text that need not be that of the row.
    pub lock: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

impl Options<'static> {
    const PLAIN: Self = Self {
        before: None,
        moved_away: false,
        lock: false,
        dry_run: false,
    };
    /// For a call: no statement has locked the row before.
    pub const LOCKED: Self = Self {
        lock: true,
        ..Self::PLAIN
    };
    pub const DRY_RUN: Self = Self {
        dry_run: true,
        ..Self::PLAIN
    };
}

/// The texts of the columns of a key, by which a payment is asked for.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// As a row has them.
    ByRow(&'a [String]),
    /// As somebody wrote them: they may be no values of the columns' types.
    ByText(&'a [String]),
}

/// A payment and what the ledger should say of it, and says.
pub struct Case {
    pub verdict: Verdict,
    pub entries: Entries,
}

/// Settles payments of one binding.
pub struct Settler {
    pub binding: Rc<Binding>,
    pub ledger: BoundLedger,
    referrals: Referrals,
    pub recorded: Recorded,
}

impl Settler {
    pub fn new(binding: Rc<Binding>) -> Self {
        let binding = binding.of_bound_table();
        let referrals = Referrals::of(&binding);
        Self {
            ledger: BoundLedger::open(Rc::clone(&binding)),
            binding,
            referrals,
            recorded: Recorded::open(),
        }
    }

    /// Settles the payment that these texts of key columns ask for. Runs with the owner's rights.
    ///
    /// They may be another spelling than the row's. The payment is known by that of its row: what
    /// the ledger has under the other one goes along, unless the payment that had it has moved
    /// away and the row found is another one's.
    pub fn settle(&mut self, asked: &[String], options: Options) -> Effect {
        // without the columns of its key a payment can't be told from one that is gone
        if !self.binding.columns.has_key {
            return Effect::default();
        }
        let mut key = self.binding.key_text(asked.to_vec());
        let mut spelled = None;
        let by = if options.lock {
            Asked::ByText(asked)
        } else {
            Asked::ByRow(asked)
        };
        let found = self.read_row(by, options.lock, |settler, slot| {
            // SAFETY: the slot holds a row of the bound table
            let columns = unsafe { Row::new(&settler.binding, slot) }.key_columns();
            if columns != asked {
                if options.moved_away {
                    return None;
                }
                let own = settler.binding.key_text(columns.clone());
                settler.ledger.follow_spelling(&key, &own);
                key = own;
            }
            let case = settler.judge_slot(&key, slot, options.before);
            spelled = Some(columns);
            Some(case)
        });
        let case = found.flatten().unwrap_or_else(|| self.without_row(&key));
        let mut json = None;
        if let (Verdict::Faulty(_), Some(columns)) = (&case.verdict, &spelled) {
            json = self.row_json(columns);
        }
        self.apply(&key, case, json, options)
    }

    /// Locks the row of a payment, if there is one, until the transaction ends.
    pub fn lock(&mut self, asked: &[String]) {
        self.read_row(Asked::ByText(asked), true, |_, _| ());
    }

    /// The row of a payment as json, by the texts that its key columns have in it.
    fn row_json(&self, columns: &[String]) -> Option<String> {
        spi::connect(|connection| {
            let rows = self.binding.host.whole(connection, columns)?;
            let datum = rows.first()?.datum("whole")?;
            // SAFETY: the datum is a row of the bound table
            unsafe { quarantine::composite_json(self.binding.table, datum) }
        })
    }

    /// A payment that has no row.
    pub fn without_row(&mut self, key: &str) -> Case {
        Case {
            verdict: Verdict::Missing,
            entries: self.ledger.entries(key),
        }
    }

    /// A payment whose row is in a slot; `before` as in [`Options`].
    pub fn judge_slot(&mut self, key: &str, slot: Slot, before: Option<&Entries>) -> Case {
        let binding = Rc::clone(&self.binding);
        let entries = self.ledger.entries(key);
        // SAFETY: the slot holds a row of the bound table
        let row = unsafe { Row::new(&binding, slot) };
        let verdict = match self.referrals.of_row(&row) {
            None => without_referral(&binding, &entries),
            Some(_) if !key_fits(key) => {
                Verdict::Faulty(Fault::PaymentKeyTooLong.of(format!("{} bytes", key.len())))
            }
            Some(_) if entries.is_unreadable => Verdict::Faulty(Fault::LedgerUnreadable.of("")),
            Some(referral) => {
                let beside = Beside::Some {
                    recorded: self.recorded.of_payment(binding.id, key),
                    known: if binding.has_lost_refunds {
                        entries.refunded
                    } else {
                        Decimal::ZERO
                    },
                };
                let payment = Payment {
                    binding: &binding,
                    row: &row,
                    beside,
                };
                let history = history(&referral, &entries, before);
                eligibility::judge(&payment, &referral, history)
            }
        };
        Case { verdict, entries }
    }

    fn apply(&mut self, key: &str, case: Case, row: Option<String>, options: Options) -> Effect {
        let Case { verdict, entries } = case;
        let keep = self.binding.keeps_deleted && !options.moved_away;
        let has_row = verdict != Verdict::Missing;
        let postings = match plan(&verdict, &entries, keep) {
            Ok(postings) => postings,
            Err(defect) => {
                let newly = !options.dry_run && quarantine::put(&self.binding, key, &defect, row);
                return Effect {
                    has_row,
                    newly_quarantined: newly,
                    is_faulty: true,
                    ..Effect::default()
                };
            }
        };
        // only its sign is asked for
        let change = postings
            .iter()
            .fold(Decimal::ZERO, |sum, p| sum.saturating_add(p.amount));
        let effect = Effect {
            has_row,
            change,
            entries: postings.len(),
            ..Effect::default()
        };
        if options.dry_run {
            return effect;
        }
        self.ledger.write(key, entries.last_seq, &postings);
        // should the row come again, its key may be spelled in another way
        if !has_row && self.binding.has_recorded_refunds && self.binding.has_many_spellings {
            refunds::wait(self.binding.id, key);
        }
        quarantine::resolve(&self.binding, key);
        effect
    }

    /// Settles the payment that a refund of an attached table names, in whatever spelling. One that
    /// is not there is nothing to wait for: its refunds are looked up when it comes.
    pub fn settle_refunded(&mut self, refunds: &RefundsTable, asked: &[String]) -> Effect {
        let binding = Rc::clone(&self.binding);
        if !refunds.spells_like(&binding.columns.key) {
            // what is no value of the key's type names no payment
            let Some(own) = self.find(asked) else {
                return Effect::default();
            };
            if own != asked {
                let (own, asked) = (binding.key_text(own), binding.key_text(asked.to_vec()));
                refund_spellings::remember_spelling(&binding, &own, &asked);
            }
        }
        self.settle(asked, Options::LOCKED)
    }

    /// The texts that the key columns of a payment have in its row, or would have if there was
    /// one; `None` if what is asked for is no key.
    pub fn find(&mut self, asked: &[String]) -> Option<Vec<String>> {
        let mut own = spelling::canonical(self.binding.table, &self.binding.columns.key, asked)?;
        self.read_row(Asked::ByText(asked), false, |settler, slot| {
            // SAFETY: the slot holds a row of the bound table
            own = unsafe { Row::new(&settler.binding, slot) }.key_columns();
        });
        Some(own)
    }

    /// Reads the row of a payment as it is now; `None` if there is none.
    pub fn read_row<T>(
        &mut self,
        asked: Asked,
        lock: bool,
        look: impl FnOnce(&mut Self, Slot) -> T,
    ) -> Option<T> {
        let binding = Rc::clone(&self.binding);
        let key = match asked {
            Asked::ByRow(texts) => Cow::Borrowed(texts),
            Asked::ByText(texts) => Cow::Owned(spelling::canonical(
                binding.table,
                &binding.columns.key,
                texts,
            )?),
        };
        spi::connect(|connection| {
            let rows = binding.host.of_key(connection, &key, lock)?;
            let row = rows.first()?;
            Some(binding.host.with_slot(|slot| {
                binding.host.fill(row, 0, slot);
                look(self, slot)
            }))
        })
    }
}

/// What is known of a payment of a referral from its entries, or else from those that it had under
/// another key.
fn history(referral: &Referral, entries: &Entries, before: Option<&Entries>) -> History {
    let known = match before {
        Some(before) if entries.terms.is_none() => before,
        _ => entries,
    };
    History {
        frozen: known.terms,
        is_known: known.knows(referral.account),
    }
}

fn without_referral(binding: &Binding, entries: &Entries) -> Verdict {
    // whose payment it is can't be told any more, but was known when it was posted
    if matches!(binding.columns.customer, Mapped::Gone) && entries.last_seq > 0 {
        return Verdict::Faulty(Fault::ColumnUnusable.of("the column of the customer is gone"));
    }
    Verdict::Unreferred
}

/// Whether settling a payment would change nothing.
pub fn agrees(payment: &Payment, referral: &Referral, entries: &Entries) -> bool {
    let verdict = eligibility::judge(payment, referral, history(referral, entries, None));
    plan(&verdict, entries, false).is_ok_and(|postings| postings.is_empty())
}

/// The entries that bring a payment to a verdict.
pub fn plan(verdict: &Verdict, entries: &Entries, keep: bool) -> Result<Vec<Posting>, Defect> {
    if entries.is_unreadable {
        return Err(Fault::LedgerUnreadable.of(""));
    }
    let claim = match verdict {
        Verdict::Missing if keep => return Ok(Vec::new()),
        Verdict::Missing | Verdict::Unreferred | Verdict::Nothing(_) => None,
        Verdict::Claim(claim) => Some(claim),
        Verdict::Faulty(defect) => return Err(defect.clone()),
    };
    settlement::settle(claim, &entries.standings)
        .map_err(|fault| fault.of(claim.map_or(String::new(), |claim| claim.amount.to_string())))
}
