//! What a payment earns, and the difference that is posted.

use std::collections::BTreeMap;

use super::{Binding, Currency, Entry, Money, PaidAt, PaymentId, RefundKind, Status, Terms, World};
use super::{day_in_zone, payouts::Counts};
use crate::support::money::{commission, whole};

/// What the present state of a payment calls for.
enum Verdict {
    /// The row is gone and its commission stays.
    Kept,
    /// The row can't be read; the ledger stays as it is.
    Unusable,
    Nothing,
    Earns(Target),
}

struct Target {
    affiliate: usize,
    customer: String,
    currency: Currency,
    base: Money,
    amount: Money,
    terms: Terms,
}

/// What is to be done about a payment.
enum Plan {
    Leave,
    Quarantine,
    /// The payment's terms from now on, and its new entries.
    Post(Option<Terms>, Vec<Entry>),
}

/// How the posted sum of a payment changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Rose,
    Fell,
    Quarantined,
    None,
}

impl World {
    /// Posts the difference between what the payment has earned and what was posted for it.
    pub fn post(&mut self, id: &PaymentId) -> Change {
        let plan = self.plan(id);
        let Some(payment) = self.payments.get_mut(id) else {
            return Change::None;
        };
        match plan {
            Plan::Leave => Change::None,
            Plan::Quarantine => {
                let new = !std::mem::replace(&mut payment.quarantined, true);
                if new {
                    Change::Quarantined
                } else {
                    Change::None
                }
            }
            Plan::Post(terms, entries) => {
                payment.quarantined = false;
                payment.terms = terms;
                let nothing = entries.is_empty();
                // in whole units of whatever currency, where it has changed
                let thousandths = |entry: &Entry| entry.amount * 1000 / whole(1, entry.currency);
                let moved: Money = entries.iter().map(thousandths).sum();
                for entry in entries {
                    payment.entries.push(self.entries.len());
                    payment.known.insert(entry.customer.clone());
                    self.entries.push(entry);
                }
                match moved {
                    _ if nothing => Change::None,
                    // An entry of 0 is one more than there was.
                    0.. => Change::Rose,
                    _ => Change::Fell,
                }
            }
        }
    }

    /// Whether the ledger is behind the payment's present state.
    pub fn is_behind(&self, id: &PaymentId) -> bool {
        let quarantined = self
            .payments
            .get(id)
            .is_some_and(|payment| payment.quarantined);
        match self.plan(id) {
            Plan::Leave => false,
            Plan::Quarantine => !quarantined,
            Plan::Post(_, entries) => !entries.is_empty(),
        }
    }

    /// Whether the payment earned once and does not now.
    pub fn is_dormant(&self, id: &PaymentId) -> bool {
        let has_terms = self
            .payments
            .get(id)
            .is_some_and(|payment| payment.terms.is_some());
        has_terms && !matches!(self.judge(id), Verdict::Earns(_))
    }

    /// Whether the entries of a table's payments do not cancel out.
    pub fn has_earned(&self, table: usize) -> bool {
        let of_table = self.payments.iter().filter(|((of, _), _)| *of == table);
        let mut sums: BTreeMap<(&PaymentId, usize, &str, Currency), (Money, Money)> =
            BTreeMap::new();
        for (id, payment) in of_table {
            for entry in payment.entries.iter().map(|index| &self.entries[*index]) {
                let account = (id, entry.affiliate, entry.customer.as_str(), entry.currency);
                let sum = sums.entry(account).or_default();
                sum.0 += entry.base;
                sum.1 += entry.amount;
            }
        }
        sums.values().any(|sum| *sum != (0, 0))
    }

    fn plan(&self, id: &PaymentId) -> Plan {
        let target = match self.judge(id) {
            Verdict::Kept => {
                let terms = self.payments.get(id).and_then(|payment| payment.terms);
                return Plan::Post(terms, Vec::new());
            }
            Verdict::Unusable => return Plan::Quarantine,
            Verdict::Nothing => None,
            Verdict::Earns(target) => Some(target),
        };
        let Some(payment) = self.payments.get(id) else {
            return Plan::Leave;
        };
        let terms = payment.terms.or(target.as_ref().map(|target| target.terms));

        // Per affiliate, customer and currency: a payment that changes one of them is reversed
        // there and posted here.
        let mut owed: BTreeMap<(usize, String, Currency), (Money, Money, bool)> = BTreeMap::new();
        if let Some(target) = target {
            let key = (target.affiliate, target.customer, target.currency);
            owed.insert(key, (target.base, target.amount, true));
        }
        for entry in payment.entries.iter().map(|index| &self.entries[*index]) {
            let customer = entry.customer.clone();
            let sum = owed
                .entry((entry.affiliate, customer, entry.currency))
                .or_default();
            sum.0 -= entry.base;
            sum.1 -= entry.amount;
            sum.2 = false;
        }
        let frozen = || terms.expect("entries come with terms");
        let entries = owed
            .into_iter()
            // The first entry exists even when it is of 0: it counts as conversion.
            .filter(|(_, (base, amount, first))| *base != 0 || *amount != 0 || *first)
            .map(
                |((affiliate, customer, currency), (base, amount, _))| Entry {
                    affiliate,
                    customer,
                    currency,
                    base,
                    amount,
                    paid_on: frozen().paid_on,
                    matures_on: frozen().matures_on,
                    payout: None,
                },
            )
            .collect();
        Plan::Post(terms, entries)
    }

    /// Posts whatever is missing anywhere but in tables that are paused.
    pub fn reconcile(&mut self) -> Counts {
        let paused: Vec<bool> = self.bindings.iter().map(|binding| binding.paused).collect();
        self.reconcile_some(|id| !paused[id.0])
    }

    /// Posts whatever is missing of some payments.
    pub fn reconcile_some(&mut self, which: impl Fn(&PaymentId) -> bool) -> Counts {
        let ids = self.payments.keys().filter(|id| which(id));
        let ids: Vec<PaymentId> = ids.cloned().collect();
        let mut counts = Counts::default();
        for id in &ids {
            match self.post(id) {
                Change::Rose => counts.posted += 1,
                Change::Fell => counts.reversed += 1,
                Change::Quarantined => counts.quarantined += 1,
                Change::None => {}
            }
        }
        counts
    }

    fn judge(&self, id: &PaymentId) -> Verdict {
        let Some(payment) = self.payments.get(id) else {
            return Verdict::Nothing;
        };
        let binding = &self.bindings[id.0];
        let program = &self.programs[binding.program];
        let Some(row) = &payment.row else {
            return if binding.keeps_deleted && !payment.moved_away {
                Verdict::Kept
            } else {
                Verdict::Nothing
            };
        };
        let Some(customer) = &row.customer else {
            return Verdict::Nothing;
        };
        let Some(referral) = self.referrals.get(&(binding.program, customer.clone())) else {
            return Verdict::Nothing;
        };
        if !row.counted {
            return Verdict::Nothing;
        }
        // A payment's first entry fixes when it was made.
        let paid_at = payment.terms.map_or(row.paid_at, |terms| terms.paid_at);
        // What the payment has earned for this very customer is neither undone by its time nor by
        // closing the affiliate.
        if !payment.known.contains(customer) {
            let is_since = |moment| not_before(paid_at, moment, program.offset);
            let closed = self.affiliates[referral.affiliate].status == Status::Closed;
            if closed || !is_since(referral.attributed_at) || !binding.since.is_none_or(is_since) {
                return Verdict::Nothing;
            }
        }
        if row.flaw.is_some() {
            return Verdict::Unusable;
        }
        if row.amount <= 0 {
            return Verdict::Nothing;
        }

        let sum_of = |of: RefundKind| -> Money {
            let counts = |id: &&(RefundKind, String)| id.0 == of && !payment.canceled.contains(*id);
            let ids = payment.refunds.keys().filter(counts);
            ids.map(|id| payment.refunds[id]).sum()
        };
        // A won dispute gives back what disputes took, and no more.
        let disputed = (sum_of(RefundKind::Dispute) - sum_of(RefundKind::DisputeWon)).max(0);
        let recorded = sum_of(RefundKind::Refund) + disputed;
        let refunded = row.refunded + recorded + payment.credits.values().sum::<Money>();
        let base = row.amount - refunded.clamp(0, row.amount);
        let paid_on = self.day_paid(paid_at, binding);
        let terms = payment.terms.unwrap_or(Terms {
            rate: program.rate,
            paid_at,
            paid_on,
            matures_on: paid_on + program.hold_days,
        });
        Verdict::Earns(Target {
            affiliate: referral.affiliate,
            customer: customer.clone(),
            currency: row.currency,
            base,
            amount: commission(terms.rate, base),
            terms,
        })
    }

    fn day_paid(&self, paid_at: PaidAt, binding: &Binding) -> i64 {
        match paid_at {
            PaidAt::Moment(moment) => day_in_zone(moment, self.programs[binding.program].offset),
            PaidAt::Day(day) => day,
            PaidAt::Posting => self.today,
        }
    }
}

/// Both ends included; a date counts from its day on.
fn not_before(paid_at: PaidAt, moment: i64, offset: i64) -> bool {
    match paid_at {
        PaidAt::Moment(paid) => paid >= moment,
        PaidAt::Day(day) => day >= day_in_zone(moment, offset),
        PaidAt::Posting => true,
    }
}
