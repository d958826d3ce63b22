//! The one operation: bring the ledger of a payment to what its row says now. Whatever
//! happened to the row, and in whatever order, the answer depends on its present state alone.

use std::borrow::Cow;
use std::rc::Rc;

use rust_decimal::Decimal;

use crate::bindings::binding::{Binding, Mapped};
use crate::bindings::refunds_table::RefundsTable;
use crate::bindings::spelling;
use crate::ledger::payment_keys::key_fits;
use crate::ledger::reader::{Entries, Reader, Terms};
use crate::ledger::writer::{Duplicates, Writer};
use crate::posting::quarantine;
use crate::posting::referrals::Referrals;
use crate::posting::refund_spellings;
use crate::posting::refunds::{self, Recorded};
use crate::posting::row::{Judgement, Nothing, Refunds, Row};
use crate::rules::eligibility::Referral;
use crate::rules::fault::Fault;
use crate::rules::settlement::{self, Claim, Posting};
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

/// How the ledger and a bound table differ over a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Difference {
    /// An eligible payment has no entries.
    Unposted,
    /// The posted sum is not the target of the row as it is.
    OffTarget,
    /// There are entries that no row accounts for.
    NoPayment,
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
pub struct Options {
    /// Terms that the payment brings along from another key.
    pub inherited: Option<Terms>,
    /// A row that is gone is reversed whatever the binding's policy: it has moved away.
    pub moved_away: bool,
    /// Lock the row: the caller is not the statement that changed it, and asks for a payment by a
    /// text that need not be that of the row.
    pub lock: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What the ledger should say of a payment, and why.
pub enum Verdict {
    /// Nobody referred the customer, or the row has none.
    Unreferred,
    /// There is no such row.
    Missing,
    Nothing(Nothing),
    Claim(Claim, Terms),
    Fault(Fault, String),
}

/// The texts of the columns of a key, by which a payment is asked for.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// As a row has them.
    ByRow(&'a [String]),
    /// As somebody wrote them: they may be no values of the columns' types.
    ByText(&'a [String]),
}

/// What [`Settler::judge`] finds.
pub struct Judged {
    pub verdict: Verdict,
    pub key_columns: Vec<String>,
    pub customer: Option<String>,
}

/// Settles payments of one binding.
pub struct Settler {
    binding: Rc<Binding>,
    referrals: Referrals,
    reader: Reader,
    recorded: Recorded,
}

impl Settler {
    pub fn new(binding: Rc<Binding>) -> Self {
        let binding = binding.of_bound_table();
        let referrals = Referrals::of(&binding);
        Self {
            binding,
            referrals,
            reader: Reader::open(),
            recorded: Recorded::open(),
        }
    }

    /// The entries of a payment.
    pub fn entries(&mut self, key: &str) -> Entries {
        self.reader.entries(self.binding.id, key)
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
        let verdict = self.read_row(by, options.lock, |settler, slot| {
            // SAFETY: the slot holds a row of the bound table
            let columns = unsafe { Row::new(&settler.binding, slot) }.key_columns();
            if columns != asked {
                if options.moved_away {
                    return Verdict::Missing;
                }
                let own = settler.binding.key_text(columns.clone());
                settler.follow_spelling(&key, &own);
                key = own;
            }
            let verdict = settler.judge_slot(&key, slot, options.inherited);
            spelled = Some(columns);
            verdict
        });
        let mut json = None;
        if let (Verdict::Fault(..), Some(columns)) = (&verdict, &spelled) {
            json = self.row_json(columns);
        }
        self.apply(&key, verdict, json, options)
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
        let lock = Options {
            lock: true,
            ..Options::default()
        };
        self.settle(asked, lock)
    }

    /// The texts that the key columns of a payment have in its row, or would have if there was
    /// one; `None` if what is asked for is no key.
    pub fn find(&mut self, asked: &[String]) -> Option<Vec<String>> {
        let mut own = spelling::canonical(self.binding.table, &self.binding.columns.key, asked)?;
        self.read_row(Asked::ByText(asked), false, |settler, slot| {
            // SAFETY: the slot holds a row of the bound table
            own = unsafe { Row::new(&settler.binding, slot) }.key_columns();
            Verdict::Missing
        });
        Some(own)
    }

    /// The row of a payment as json, by the texts that its key columns have in it.
    fn row_json(&self, columns: &[String]) -> Option<String> {
        spi::connect(|connection| {
            let rows = self.binding.host.whole(connection, columns)?;
            let (datum, _) = rows.datum(0, 0).filter(|(_, is_null)| !is_null)?;
            // SAFETY: the datum is a row of the bound table
            unsafe { quarantine::composite_json(self.binding.table, datum) }
        })
    }

    /// Whether terms or refunds are known of a payment under another spelling of its key than its
    /// row has, although its entries come to nothing.
    fn is_left_behind(&mut self, key: &str, entries: &Entries, own: &str) -> bool {
        let id = self.binding.id;
        self.binding.has_recorded_refunds && self.recorded.has_any(id, key)
            || entries.terms.is_some() && self.entries(own).last_seq == 0
    }

    /// Takes what is known of a payment under one spelling of its key along to the one that its
    /// row has. Returns whether there are entries of other terms, so that the payment is to be
    /// settled under them.
    pub fn follow_spelling(&mut self, from: &str, to: &str) -> bool {
        if self.binding.has_recorded_refunds {
            refunds::move_recorded(self.binding.id, &[(from.to_owned(), to.to_owned())]);
        }
        refund_spellings::respell(&self.binding, from, to);
        quarantine::respell(&self.binding, from, to);
        let (before, there) = (self.entries(from), self.entries(to));
        let Some(terms) = before.terms else {
            return false;
        };
        let Ok(reversals) = settlement::reversals(&before.standings) else {
            return false;
        };
        let mut writer = Writer::open(Duplicates::Fail);
        for (n, posting) in reversals.iter().enumerate() {
            let seq = before.last_seq + 1 + n as i32;
            writer.add(self.binding.id, from, seq, terms, posting);
        }
        // it may have had this spelling before
        let is_new = there.last_seq == 0;
        let has_these_terms = there.terms == Some(terms) && !there.come_to_something();
        if is_new || has_these_terms {
            let mut seq = there.last_seq;
            for posting in settlement::restored(&before.standings, before.refunded) {
                if is_new || !posting.amount.is_zero() || !posting.base.is_zero() {
                    seq += 1;
                    writer.add(self.binding.id, to, seq, terms, &posting);
                }
            }
        }
        writer.close();
        !is_new && !has_these_terms
    }

    /// Freezes the terms of a payment under the key that it has moved to, if it earns nothing
    /// there for now: an entry of nothing keeps them.
    pub fn keep_terms(&mut self, key_columns: &[String], before: &Entries) {
        let key = self.binding.key_text(key_columns.to_vec());
        let (Some(terms), Some(standing)) = (before.terms, before.standings.last()) else {
            return;
        };
        if !key_fits(&key) || self.entries(&key).last_seq > 0 {
            return;
        }
        let nothing = Posting {
            account: standing.account,
            currency: standing.currency,
            base: Decimal::ZERO,
            refunded: Decimal::ZERO,
            base_before: Decimal::ZERO,
            posted_before: Decimal::ZERO,
            amount: Decimal::new(0, standing.currency.minor_digits()),
        };
        let mut writer = Writer::open(Duplicates::Fail);
        writer.add(self.binding.id, &key, 1, terms, &nothing);
        writer.close();
    }

    /// What the ledger should say of a payment whose row is in a slot.
    fn judge_slot(&mut self, key: &str, slot: Slot, inherited: Option<Terms>) -> Verdict {
        let binding = Rc::clone(&self.binding);
        let row = unsafe { Row::new(&binding, slot) };
        let Some(referral) = self.referrals.of_row(&row) else {
            // whose payment it is can't be told any more, but was known when it was posted
            if matches!(binding.columns.customer, Mapped::Gone) && self.entries(key).last_seq > 0 {
                let gone = "the column of the customer is gone".to_owned();
                return Verdict::Fault(Fault::ColumnUnusable, gone);
            }
            return Verdict::Unreferred;
        };
        if !key_fits(key) {
            let length = format!("{} bytes", key.len());
            return Verdict::Fault(Fault::PaymentKeyTooLong, length);
        }
        let entries = self.entries(key);
        if entries.is_unreadable {
            return Verdict::Fault(Fault::LedgerUnreadable, String::new());
        }
        let recorded = self.recorded.of_payment(binding.id, key);
        let refunds = Refunds::Some {
            recorded,
            known: if binding.has_lost_refunds {
                entries.refunded
            } else {
                Decimal::ZERO
            },
        };
        judge_row(&row, &referral, &entries, inherited, refunds)
    }

    /// How the ledger differs from a payment as it is now.
    pub fn difference(&mut self, asked: &[String]) -> Option<Difference> {
        let key = self.binding.key_text(asked.to_vec());
        let mut other = None;
        let verdict = self.read_row(Asked::ByText(asked), false, |settler, slot| {
            // SAFETY: the slot holds a row of the bound table
            let columns = unsafe { Row::new(&settler.binding, slot) }.key_columns();
            if columns != asked {
                // it is the payment of its own spelling
                other = Some(settler.binding.key_text(columns));
                return Verdict::Missing;
            }
            settler.judge_slot(&key, slot, None)
        });
        let entries = self.entries(&key);
        let keeps_deleted = self.binding.keeps_deleted && other.is_none();
        match plan(&verdict, &entries, keeps_deleted) {
            Ok((postings, _)) if postings.is_empty() => {
                let is_left = other.is_some_and(|own| self.is_left_behind(&key, &entries, &own));
                is_left.then_some(Difference::OffTarget)
            }
            Ok(_) if matches!(verdict, Verdict::Missing | Verdict::Unreferred) => {
                Some(Difference::NoPayment)
            }
            Ok(_) if entries.terms.is_none() => Some(Difference::Unposted),
            Ok(_) => Some(Difference::OffTarget),
            // verify shows what stands in quarantine
            Err(_) if quarantine::holds(&self.binding, &key) => None,
            Err(_) if entries.is_unreadable => Some(Difference::OffTarget),
            Err(_) => Some(Difference::Unposted),
        }
    }

    /// What the ledger should say of a payment, the texts of its key in its row, or those that its
    /// columns would have if there is none, and its customer.
    /// `None` if what is asked for is no key.
    pub fn judge(&mut self, asked: &[String]) -> Option<Judged> {
        let key = &self.binding.columns.key;
        let mut judged = Judged {
            verdict: Verdict::Missing,
            key_columns: spelling::canonical(self.binding.table, key, asked)?,
            customer: None,
        };
        judged.verdict = self.read_row(Asked::ByText(asked), false, |settler, slot| {
            // SAFETY: the slot holds a row of the bound table
            let row = unsafe { Row::new(&settler.binding, slot) };
            judged.customer = row.customer().map(|customer| customer.to_owned());
            judged.key_columns = row.key_columns();
            let key = row.key();
            settler.judge_slot(&key, slot, None)
        });
        Some(judged)
    }

    fn apply(
        &mut self,
        key: &str,
        verdict: Verdict,
        row: Option<String>,
        options: Options,
    ) -> Effect {
        let entries = self.entries(key);
        let keep = self.binding.keeps_deleted && !options.moved_away;
        let has_row = !matches!(verdict, Verdict::Missing);
        let (postings, terms) = match plan(&verdict, &entries, keep) {
            Ok(planned) => planned,
            Err((fault, detail)) => {
                let newly =
                    !options.dry_run && quarantine::put(&self.binding, key, fault, &detail, row);
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
        if let Some(terms) = terms
            && !postings.is_empty()
        {
            let mut writer = Writer::open(Duplicates::Fail);
            for (n, posting) in postings.iter().enumerate() {
                writer.add(
                    self.binding.id,
                    key,
                    entries.last_seq + 1 + n as i32,
                    terms,
                    posting,
                );
            }
            writer.close();
        }
        // should the row come again, its key may be spelled in another way
        if !has_row && self.binding.has_recorded_refunds && self.binding.has_many_spellings {
            refunds::wait(self.binding.id, key);
        }
        quarantine::resolve(&self.binding, key);
        effect
    }

    /// Reads the row of a payment as it is now.
    fn read_row(
        &mut self,
        asked: Asked,
        lock: bool,
        judge: impl FnOnce(&mut Self, Slot) -> Verdict,
    ) -> Verdict {
        let binding = Rc::clone(&self.binding);
        let key = match asked {
            Asked::ByRow(texts) => Cow::Borrowed(texts),
            Asked::ByText(texts) => {
                match spelling::canonical(binding.table, &binding.columns.key, texts) {
                    Some(key) => Cow::Owned(key),
                    None => return Verdict::Missing,
                }
            }
        };
        spi::connect(|connection| {
            let Some(rows) = binding.host.of_key(connection, &key, lock) else {
                return Verdict::Missing;
            };
            if rows.is_empty() {
                return Verdict::Missing;
            }
            binding.host.with_slot(|slot| {
                binding.host.fill(&rows, 0, 0, slot);
                judge(self, slot)
            })
        })
    }
}

/// What the ledger should say of a payment, from all that there is about it.
fn judge_row(
    row: &Row,
    referral: &Referral,
    entries: &Entries,
    inherited: Option<Terms>,
    refunds: Refunds,
) -> Verdict {
    let frozen = entries.terms.or(inherited);
    let is_known =
        entries.knows(referral.account) || (entries.terms.is_none() && inherited.is_some());
    match row.judge(referral, frozen, is_known, refunds) {
        Judgement::Nothing(nothing) => Verdict::Nothing(nothing),
        Judgement::Claim(claim, terms) => Verdict::Claim(claim, terms),
        Judgement::Fault(fault, detail) => Verdict::Fault(fault, detail),
    }
}

/// Whether settling a payment would change nothing.
pub fn agrees(row: &Row, referral: &Referral, entries: &Entries, refunds: Refunds) -> bool {
    let verdict = judge_row(row, referral, entries, None, refunds);
    matches!(plan(&verdict, entries, false), Ok((postings, _)) if postings.is_empty())
}

/// The entries that bring a payment to a verdict, and their terms.
#[allow(clippy::type_complexity)]
fn plan(
    verdict: &Verdict,
    entries: &Entries,
    keep: bool,
) -> Result<(Vec<Posting>, Option<Terms>), (Fault, String)> {
    if entries.is_unreadable {
        return Err((Fault::LedgerUnreadable, String::new()));
    }
    let (claim, terms) = match verdict {
        Verdict::Missing if keep => return Ok((Vec::new(), None)),
        Verdict::Missing | Verdict::Unreferred | Verdict::Nothing(_) => (None, entries.terms),
        Verdict::Claim(claim, terms) => (Some(claim), Some(*terms)),
        Verdict::Fault(fault, detail) => return Err((*fault, detail.clone())),
    };
    let rate = terms.map_or(Decimal::ZERO, |terms| terms.rate);
    let postings = settlement::settle(claim, rate, &entries.standings).map_err(|fault| {
        (
            fault,
            claim.map_or(String::new(), |claim| claim.amount.to_string()),
        )
    })?;
    Ok((postings, terms))
}
