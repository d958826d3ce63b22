//! Whether a payment earns, and what it claims: the questions, in the order in which they are
//! asked.

use std::fmt;

use rust_decimal::Decimal;

use crate::rules::commission::Terms;
use crate::rules::facts::Facts;
use crate::rules::fault::Defect;
use crate::rules::settlement::{Account, Claim};
use crate::rules::terms::terms_for;

/// Who referred a customer, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Referral {
    pub account: Account,
    /// Microseconds since 2000-01-01 UTC.
    pub attributed_at: i64,
    pub is_closed: bool,
}

/// What is known of a payment beside its row.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    /// The terms of the payment's entries, or those that it brings along from another key.
    pub frozen: Option<Terms>,
    /// It has earned for this very referral: neither its time nor the affiliate's status matter
    /// any more.
    pub is_known: bool,
}

/// Why a payment of a referred customer earns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    NotPaid,
    ZeroAmount,
    BeforeReferral,
    BeforeSince,
    AffiliateClosed,
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPaid => "the condition paid_when does not hold",
            Self::ZeroAmount => "the amount is 0",
            Self::BeforeReferral => "it was paid before the customer was referred",
            Self::BeforeSince => {
                "it was paid before the time from which payments of this table count"
            }
            Self::AffiliateClosed => "the affiliate is closed",
        })
    }
}

/// What the ledger should say of a payment, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no such row.
    Missing,
    /// Nobody referred the customer, or the row has none.
    Unreferred,
    Nothing(Nothing),
    Claim(Claim),
    Faulty(Defect),
}

/// What a payment of a referred customer comes to.
pub fn judge(payment: &impl Facts, referral: &Referral, history: History) -> Verdict {
    ask(payment, referral, history).unwrap_or_else(Verdict::Faulty)
}

fn ask(payment: &impl Facts, referral: &Referral, history: History) -> Result<Verdict, Defect> {
    let nothing = |why| Ok(Verdict::Nothing(why));
    if !payment.is_paid()? {
        return nothing(Nothing::NotPaid);
    }
    if !history.is_known {
        if referral.is_closed {
            return nothing(Nothing::AffiliateClosed);
        }
        let paid_at = payment.paid_at()?;
        let is_since = |moment| paid_at.is_since(moment, |moment| payment.day_of(moment));
        if !is_since(referral.attributed_at) {
            return nothing(Nothing::BeforeReferral);
        }
        if !payment.counts_since().is_none_or(is_since) {
            return nothing(Nothing::BeforeSince);
        }
    }
    let currency = payment.currency()?;
    let amount = payment.amount(currency)?;
    let refunded = payment.refunded(currency, amount)?;
    if amount.is_zero() {
        return nothing(Nothing::ZeroAmount);
    }
    Ok(Verdict::Claim(Claim {
        account: referral.account,
        currency,
        amount,
        refunded: refunded.clamp(Decimal::ZERO, amount),
        terms: terms_for(payment, history.frozen)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::calendar::PaidAt;
    use crate::rules::commission::{Offer, Rule};
    use crate::rules::currency::Currency;
    use crate::rules::fault::Fault;
    use proptest::prelude::*;
    use std::cell::RefCell;

    const DAY: i64 = 86_400_000_000;
    const ATTRIBUTED_AT: i64 = 10 * DAY;
    const ACCOUNT: Account = Account {
        affiliate_id: 3,
        referral_id: 4,
    };
    const REFERRAL: Referral = Referral {
        account: ACCOUNT,
        attributed_at: ATTRIBUTED_AT,
        is_closed: false,
    };
    const FROZEN: Terms = Terms {
        rule: Rule::Rate(Decimal::ONE),
        paid_on: 1,
        matures_on: 2,
    };

    /// A payment that notes what it is asked.
    #[derive(Clone)]
    struct Told {
        is_paid: Result<bool, Defect>,
        paid_at: Result<PaidAt, Defect>,
        currency: Result<Currency, Defect>,
        amount: Result<Decimal, Defect>,
        refunded: Result<Decimal, Defect>,
        counts_since: Option<i64>,
        offer: Offer,
        asked: RefCell<Vec<&'static str>>,
    }

    impl Told {
        /// One that earns.
        fn good() -> Self {
            Self {
                is_paid: Ok(true),
                paid_at: Ok(PaidAt::Moment(20 * DAY)),
                currency: Ok(Currency::parse("USD").expect("a currency")),
                amount: Ok(Decimal::from(20)),
                refunded: Ok(Decimal::ZERO),
                counts_since: Some(5 * DAY),
                offer: Offer {
                    rule: Rule::Rate(Decimal::new(30, 2)),
                    hold_days: 30,
                },
                asked: RefCell::default(),
            }
        }

        fn note(&self, fact: &'static str) {
            self.asked.borrow_mut().push(fact);
        }

        fn judged(&self, referral: Referral, history: History) -> (Verdict, Vec<&'static str>) {
            let verdict = judge(self, &referral, history);
            (verdict, self.asked.take())
        }
    }

    impl Facts for Told {
        fn is_paid(&self) -> Result<bool, Defect> {
            self.note("paid");
            self.is_paid.clone()
        }
        fn paid_at(&self) -> Result<PaidAt, Defect> {
            self.note("time");
            self.paid_at.clone()
        }
        fn currency(&self) -> Result<Currency, Defect> {
            self.note("currency");
            self.currency.clone()
        }
        fn amount(&self, _: Currency) -> Result<Decimal, Defect> {
            self.note("amount");
            self.amount.clone()
        }
        fn refunded(&self, _: Currency, _: Decimal) -> Result<Decimal, Defect> {
            self.note("refunded");
            self.refunded.clone()
        }
        fn counts_since(&self) -> Option<i64> {
            self.counts_since
        }
        fn day_of(&self, moment: i64) -> Option<i32> {
            i32::try_from(moment / DAY).ok()
        }
        fn offer(&self) -> Offer {
            self.note("offer");
            self.offer
        }
    }

    const fn history(frozen: Option<Terms>, is_known: bool) -> History {
        History { frozen, is_known }
    }
    const KNOWN: History = history(Some(FROZEN), true);
    const NEW: History = history(None, false);

    #[test]
    fn a_new_payment_is_asked_everything_and_gets_what_is_offered() {
        let (verdict, asked) = Told::good().judged(REFERRAL, NEW);
        let all = [
            "paid", "time", "currency", "amount", "refunded", "offer", "time",
        ];
        assert_eq!(asked, all);
        let Verdict::Claim(claim) = verdict else {
            panic!("{verdict:?}");
        };
        let terms = Terms {
            rule: Rule::Rate(Decimal::new(30, 2)),
            paid_on: 20,
            matures_on: 50,
        };
        assert_eq!((claim.account, claim.terms), (ACCOUNT, terms));
    }

    #[test]
    fn a_known_payment_keeps_its_terms_whatever_its_time_and_affiliate() {
        let mut payment = Told::good();
        payment.paid_at = Err(Fault::PaidAtOutOfRange.of("infinity"));
        let closed = Referral {
            is_closed: true,
            ..REFERRAL
        };
        let (verdict, asked) = payment.judged(closed, KNOWN);
        assert_eq!(asked, ["paid", "currency", "amount", "refunded"]);
        assert!(matches!(verdict, Verdict::Claim(claim) if claim.terms == FROZEN));
    }

    #[test]
    fn terms_that_a_payment_brings_along_do_not_make_it_known() {
        let moved = history(Some(FROZEN), false);
        let mut payment = Told::good();
        assert!(
            matches!(payment.judged(REFERRAL, moved).0, Verdict::Claim(c) if c.terms == FROZEN)
        );
        payment.paid_at = Ok(PaidAt::Moment(ATTRIBUTED_AT - 1));
        let (verdict, _) = payment.judged(REFERRAL, moved);
        assert_eq!(verdict, Verdict::Nothing(Nothing::BeforeReferral));
    }

    /// Each reason alone, and what was asked until it was found.
    #[test]
    fn each_reason_ends_the_questions() {
        let closed = Referral {
            is_closed: true,
            ..REFERRAL
        };
        let good = Told::good;
        let amounts = &["paid", "time", "currency", "amount", "refunded"][..];
        let cases = [
            (
                Told {
                    is_paid: Ok(false),
                    ..good()
                },
                REFERRAL,
                Nothing::NotPaid,
                &["paid"][..],
            ),
            (good(), closed, Nothing::AffiliateClosed, &["paid"]),
            (
                Told {
                    paid_at: Ok(PaidAt::Moment(ATTRIBUTED_AT - 1)),
                    ..good()
                },
                REFERRAL,
                Nothing::BeforeReferral,
                &["paid", "time"],
            ),
            (
                Told {
                    paid_at: Ok(PaidAt::Day(9)),
                    ..good()
                },
                REFERRAL,
                Nothing::BeforeReferral,
                &["paid", "time"],
            ),
            (
                Told {
                    counts_since: Some(21 * DAY),
                    ..good()
                },
                REFERRAL,
                Nothing::BeforeSince,
                &["paid", "time"],
            ),
            (
                Told {
                    amount: Ok(Decimal::ZERO),
                    ..good()
                },
                REFERRAL,
                Nothing::ZeroAmount,
                amounts,
            ),
        ];
        for (payment, referral, why, asked) in cases {
            let judged = payment.judged(referral, NEW);
            assert_eq!(judged, (Verdict::Nothing(why), asked.to_vec()));
        }
    }

    /// A payment all of whose facts are wrong is refused for the first of them; mended one after
    /// the other, for the next.
    #[test]
    fn faults_are_found_in_the_order_of_the_questions() {
        let fault = |value: &str| Fault::Internal.of(value);
        let mut payment = Told {
            is_paid: Err(fault("paid")),
            paid_at: Err(fault("time")),
            currency: Err(fault("currency")),
            amount: Err(fault("amount")),
            refunded: Err(fault("refunded")),
            ..Told::good()
        };
        let good = Told::good();
        let mut found = Vec::new();
        while let Verdict::Faulty(defect) = payment.judged(REFERRAL, NEW).0 {
            match defect.value.as_str() {
                "paid" => payment.is_paid = good.is_paid.clone(),
                "time" => payment.paid_at = good.paid_at.clone(),
                "currency" => payment.currency = good.currency.clone(),
                "amount" => payment.amount = good.amount.clone(),
                _ => payment.refunded = good.refunded.clone(),
            }
            found.push(defect.value);
        }
        assert_eq!(found, ["paid", "time", "currency", "amount", "refunded"]);
    }

    #[test]
    fn a_hold_that_ends_beyond_the_calendar_is_a_fault() {
        let mut payment = Told::good();
        payment.offer.hold_days = i32::MAX;
        let (verdict, _) = payment.judged(REFERRAL, NEW);
        assert_eq!(
            verdict,
            Verdict::Faulty(Fault::PaidAtOutOfRange.of("no day of the calendar"))
        );
    }

    proptest! {
        /// What counts as refunded is never negative and never more than the amount.
        #[test]
        fn the_refunds_are_clamped(amount in 1i64..1_000_000, refunded in -1_000_000i64..2_000_000) {
            let payment = Told {
                amount: Ok(Decimal::new(amount, 2)),
                refunded: Ok(Decimal::new(refunded, 2)),
                ..Told::good()
            };
            let Verdict::Claim(claim) = payment.judged(REFERRAL, NEW).0 else {
                return Err(TestCaseError::fail("no claim"));
            };
            prop_assert_eq!(claim.refunded, Decimal::new(refunded.clamp(0, amount), 2));
        }

        /// A payment earns if and only if none of the reasons against it holds.
        #[test]
        fn it_earns_unless_there_is_a_reason(
            is_paid: bool,
            is_closed: bool,
            is_known: bool,
            paid_at in 0i64..20,
            since in prop::option::of(0i64..20),
            amount in 0i64..3,
        ) {
            let payment = Told {
                is_paid: Ok(is_paid),
                paid_at: Ok(PaidAt::Moment(paid_at * DAY)),
                counts_since: since.map(|day| day * DAY),
                amount: Ok(Decimal::from(amount)),
                ..Told::good()
            };
            let history = if is_known { KNOWN } else { NEW };
            let is_in_time = paid_at >= 10 && since.is_none_or(|since| paid_at >= since);
            let earns = is_paid && amount > 0 && (is_known || !is_closed && is_in_time);
            let (verdict, _) = payment.judged(Referral { is_closed, ..REFERRAL }, history);
            prop_assert_eq!(matches!(verdict, Verdict::Claim(_)), earns);
        }
    }
}
