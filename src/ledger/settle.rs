//! The one operation: bring the ledger of a payment to what its row says now. Whatever
//! happened to the row, and in whatever order, the answer depends on its present state alone.

use std::rc::Rc;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use rust_decimal::Decimal;

use super::audit::Difference;
use super::binding::{self, Binding, Mapped};
use super::book::{Entries, Reader, Terms};
use super::quarantine;
use super::referrals::{Referral, Referrals};
use super::refunds::Recorded;
use super::row::{self, Judgement, Nothing, Refunds, Row};
use super::writer::{Duplicates, Writer};
use crate::domain::fault::Fault;
use crate::domain::settlement::{self, Claim, Posting};
use crate::pg::spi::{self, Sees};

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
pub struct Options {
    /// Terms that the payment brings along from another key.
    pub inherited: Option<Terms>,
    /// A row that is gone is reversed whatever the binding's policy: it has moved away.
    pub moved_away: bool,
    /// Lock the row: the caller is not the statement that changed it.
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

    /// Settles the payment with these key columns. Runs with the owner's rights.
    pub fn settle(&mut self, key_columns: &[String], options: Options) -> Effect {
        // without the columns of its key a payment can't be told from one that is gone
        if !self.binding.columns.has_key {
            return Effect::default();
        }
        let key = self.binding.key_text(key_columns.to_vec());
        let mut json = None;
        let verdict = self.read_row(key_columns, options.lock, |settler, slot| {
            let verdict = settler.judge_slot(&key, slot, options.inherited);
            if matches!(verdict, Verdict::Fault(..)) && !options.dry_run {
                json = unsafe { quarantine::row_json(slot) };
            }
            verdict
        });
        self.apply(&key, verdict, json, options)
    }

    /// Freezes the terms of a payment under the key that it has moved to, if it earns nothing
    /// there for now: an entry of nothing keeps them.
    pub fn keep_terms(&mut self, key_columns: &[String], before: &Entries) {
        let key = self.binding.key_text(key_columns.to_vec());
        let (Some(terms), Some(standing)) = (before.terms, before.standings.last()) else {
            return;
        };
        if !row::key_fits(&key) || self.entries(&key).last_seq > 0 {
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
    fn judge_slot(
        &mut self,
        key: &str,
        slot: *mut pg_sys::TupleTableSlot,
        inherited: Option<Terms>,
    ) -> Verdict {
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
        if !row::key_fits(key) {
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
    pub fn difference(&mut self, key_columns: &[String]) -> Option<Difference> {
        let key = self.binding.key_text(key_columns.to_vec());
        let verdict = self.read_row(key_columns, false, |settler, slot| {
            settler.judge_slot(&key, slot, None)
        });
        let entries = self.entries(&key);
        match plan(&verdict, &entries, self.binding.keeps_deleted) {
            Ok((postings, _)) if postings.is_empty() => None,
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

    /// What the ledger should say of a payment, and its customer.
    pub fn judge(&mut self, key_columns: &[String]) -> (Verdict, Option<String>) {
        let key = self.binding.key_text(key_columns.to_vec());
        let mut customer = None;
        let verdict = self.read_row(key_columns, false, |settler, slot| {
            customer = unsafe { Row::new(&settler.binding, slot) }
                .customer()
                .map(|c| c.to_owned());
            settler.judge_slot(&key, slot, None)
        });
        (verdict, customer)
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
        quarantine::resolve(&self.binding, key);
        effect
    }

    /// Reads the row of a payment as it is now.
    fn read_row(
        &mut self,
        key_columns: &[String],
        lock: bool,
        judge: impl FnOnce(&mut Self, *mut pg_sys::TupleTableSlot) -> Verdict,
    ) -> Verdict {
        let binding = Rc::clone(&self.binding);
        if key_columns.len() != binding.columns.key.len() {
            return Verdict::Missing;
        }
        let args: Vec<DatumWithOid> = key_columns
            .iter()
            .map(|text| text.as_str().into())
            .collect();
        spi::connect(|connection| {
            let locking = if lock { " FOR NO KEY UPDATE" } else { "" };
            let sql = format!("{}{locking}", binding.select_row);
            let rows = loop {
                let rows = connection.run(&sql, Sees::Latest, &args);
                // whoever held the row may have deleted it and inserted it again: a statement
                // that has waited does not see the new one
                let is_final = !lock || !rows.is_empty();
                if is_final
                    || connection
                        .run(&binding.select_row, Sees::Latest, &args)
                        .is_empty()
                {
                    break rows;
                }
            };
            with_row_slot(binding.table, |slot| {
                if binding::store_row(&rows, 0, 0, slot) {
                    judge(self, slot)
                } else {
                    Verdict::Missing
                }
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

/// Runs `body` with an empty slot for rows of a table.
pub fn with_row_slot<T>(
    table: pg_sys::Oid,
    body: impl FnOnce(*mut pg_sys::TupleTableSlot) -> T,
) -> T {
    unsafe {
        let relation = pg_sys::relation_open(table, pg_sys::AccessShareLock as _);
        let slot = pg_sys::MakeSingleTupleTableSlot(
            (*relation).rd_att,
            &raw const pg_sys::TTSOpsHeapTuple,
        );
        let result = body(slot);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as _);
        result
    }
}
