//! The one operation on a payment. Insert, change, deletion, refund, back-fill and
//! reconciliation all ask the same question: what must the ledger say of this payment now,
//! what does it say, and which entries make up the difference.

use rust_decimal::Decimal;

use crate::rules::commission::Terms;
use crate::rules::currency::Currency;
use crate::rules::fault::Fault;
use crate::rules::money;

/// Who earns: the referral and its affiliate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub affiliate_id: i32,
    pub referral_id: i64,
}

/// What an eligible payment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub account: Account,
    pub currency: Currency,
    /// Gross amount, not negative.
    pub amount: Decimal,
    /// Refunded so far, not negative; more than the amount counts as the amount.
    pub refunded: Decimal,
    pub terms: Terms,
}

/// What the ledger says of a payment for one account in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub account: Account,
    pub currency: Currency,
    pub base: Decimal,
    pub posted: Decimal,
    pub terms: Terms,
}

/// An entry to be added, in major units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    pub account: Account,
    pub currency: Currency,
    pub base: Decimal,
    pub refunded: Decimal,
    pub base_before: Decimal,
    pub posted_before: Decimal,
    pub amount: Decimal,
    pub terms: Terms,
}

/// The entries that bring a payment from where it stands to its claim (`None`: it earns
/// nothing). Reversals of other accounts and currencies come first.
pub fn settle(claim: Option<&Claim>, standings: &[Standing]) -> Result<Vec<Posting>, Fault> {
    let is_claimed = |standing: &&Standing| {
        claim.is_some_and(|c| c.account == standing.account && c.currency == standing.currency)
    };
    let others = standings.iter().filter(|s| !is_claimed(s)).copied();
    let mut postings = reversals(&others.collect::<Vec<_>>())?;
    if let Some(claim) = claim {
        postings.extend(advance(claim, standings.iter().find(is_claimed))?);
    }
    Ok(postings)
}

/// The entries that take everything back that the ledger says of a payment.
pub fn reversals(standings: &[Standing]) -> Result<Vec<Posting>, Fault> {
    standings
        .iter()
        .filter(|s| s.posted != Decimal::ZERO || s.base != Decimal::ZERO)
        .map(|standing| {
            Ok(Posting {
                account: standing.account,
                currency: standing.currency,
                base: Decimal::ZERO,
                refunded: Decimal::ZERO,
                base_before: standing.base,
                posted_before: standing.posted,
                amount: money::difference(Decimal::ZERO, standing.posted)
                    .ok_or(Fault::AmountOutOfRange)?,
                terms: standing.terms,
            })
        })
        .collect()
}

/// The first entries of a payment that say what these standings do; `refunded` is what was
/// refunded of it.
pub fn restored(standings: &[Standing], refunded: Decimal) -> Vec<Posting> {
    standings
        .iter()
        .map(|standing| Posting {
            account: standing.account,
            currency: standing.currency,
            base: standing.base,
            refunded,
            base_before: Decimal::ZERO,
            posted_before: Decimal::ZERO,
            amount: standing.posted,
            terms: standing.terms,
        })
        .collect()
}

/// The entry that brings the account and currency of a claim to its target, if one is needed:
/// a first entry even of zero, since it counts as a conversion and freezes the terms.
pub fn advance(claim: &Claim, standing: Option<&Standing>) -> Result<Option<Posting>, Fault> {
    let refunded = claim.refunded.min(claim.amount);
    let base = money::difference(claim.amount, refunded).ok_or(Fault::AmountOutOfRange)?;
    let target = claim.terms.rule.target(base, claim.currency);
    let target = target.ok_or(Fault::AmountOutOfRange)?;
    let (base_before, posted_before) =
        standing.map_or((Decimal::ZERO, Decimal::ZERO), |s| (s.base, s.posted));
    if standing.is_some() && base == base_before && target == posted_before {
        return Ok(None);
    }
    let amount = money::difference(target, posted_before).ok_or(Fault::AmountOutOfRange)?;
    Ok(Some(Posting {
        account: claim.account,
        currency: claim.currency,
        base,
        refunded,
        base_before,
        posted_before,
        amount,
        terms: claim.terms,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::commission::Rule;
    use proptest::prelude::*;

    const ACCOUNT: Account = Account {
        affiliate_id: 1,
        referral_id: 7,
    };

    fn terms(rate: Decimal) -> Terms {
        Terms {
            rule: Rule::Rate(rate),
            paid_on: 0,
            matures_on: 30,
        }
    }

    /// A claim to 30%.
    fn claim(amount: Decimal, refunded: Decimal, code: &str) -> Claim {
        let currency = Currency::parse(code).expect("a currency");
        Claim {
            account: ACCOUNT,
            currency,
            amount,
            refunded,
            terms: terms(Decimal::new(30, 2)),
        }
    }

    /// Applies postings to standings the way the ledger's sums do.
    fn apply(standings: &mut Vec<Standing>, postings: &[Posting]) {
        for p in postings {
            let found = standings
                .iter_mut()
                .find(|s| s.account == p.account && s.currency == p.currency);
            match found {
                Some(s) => {
                    s.posted += p.amount;
                    s.base = p.base;
                }
                None => standings.push(Standing {
                    account: p.account,
                    currency: p.currency,
                    base: p.base,
                    posted: p.amount,
                    terms: p.terms,
                }),
            }
        }
    }

    #[test]
    fn a_payment_whose_commission_rounds_to_zero_has_an_entry() {
        let claim = claim(Decimal::new(1, 2), Decimal::ZERO, "USD");
        let postings = settle(Some(&claim), &[]).expect("no fault");
        assert_eq!(postings.len(), 1);
        assert_eq!(postings[0].amount, Decimal::ZERO);
    }

    #[test]
    fn a_payment_that_earns_nothing_and_never_did_has_none() {
        assert_eq!(settle(None, &[]), Ok(vec![]));
    }

    #[test]
    fn a_change_of_currency_reverses_the_old_one() {
        let mut standings = Vec::new();
        let dollars = settle(
            Some(&claim(Decimal::from(20), Decimal::ZERO, "USD")),
            &standings,
        );
        apply(&mut standings, &dollars.expect("no fault"));
        let yen = settle(
            Some(&claim(Decimal::from(999), Decimal::ZERO, "JPY")),
            &standings,
        )
        .expect("no fault");
        assert_eq!(
            yen.iter().map(|p| p.amount).collect::<Vec<_>>(),
            [Decimal::from(-6), Decimal::from(300)]
        );
    }

    fn amounts(digits: u32) -> impl Strategy<Value = Decimal> {
        (0i64..100_000_000).prop_map(move |mantissa| Decimal::new(mantissa, digits))
    }

    proptest! {
        /// Whatever is refunded in whatever steps, a full refund nets to exactly nothing, and
        /// on the way the posted sum is the target of the row as it is.
        #[test]
        fn a_full_refund_nets_to_zero_over_any_split(
            (code, amount) in prop::sample::select(vec![("JPY", 0u32), ("USD", 2), ("KWD", 3)])
                .prop_flat_map(|(code, digits)| (Just(code), amounts(digits))),
            rate in 0i64..=1_000_000,
            cuts in prop::collection::vec(0u32..=1000, 0..12),
        ) {
            let rate = Decimal::new(rate, 6);
            let mut standings = Vec::new();
            let mut refunded: Vec<Decimal> =
                cuts.iter().map(|cut| (amount * Decimal::new(i64::from(*cut), 3)).round_dp(3)).collect();
            refunded.sort();
            refunded.insert(0, Decimal::ZERO);
            refunded.push(amount);
            for refunded in refunded {
                let claim = Claim { terms: terms(rate), ..claim(amount, refunded, code) };
                let postings = settle(Some(&claim), &standings).expect("no fault");
                apply(&mut standings, &postings);
                let target = money::commission(rate, amount - refunded.min(amount), claim.currency);
                prop_assert_eq!(Some(standings[0].posted), target);
            }
            prop_assert_eq!(standings[0].posted, Decimal::ZERO);
        }

        /// Settling twice adds nothing, and the order of states does not matter.
        #[test]
        fn settling_is_idempotent_and_depends_on_the_last_state_alone(
            states in prop::collection::vec((0i64..1_000_000, 0i64..1_000_000, any::<bool>()), 1..8),
        ) {
            let mut standings = Vec::new();
            for (amount, refunded, eligible) in &states {
                let claim = claim(Decimal::new(*amount, 2), Decimal::new(*refunded, 2), "USD");
                let claim = eligible.then_some(&claim);
                let postings = settle(claim, &standings).expect("no fault");
                apply(&mut standings, &postings);
                prop_assert_eq!(settle(claim, &standings), Ok(vec![]));
            }
            let mut fresh = Vec::new();
            if let Some((amount, refunded, true)) = states.last() {
                let claim = claim(Decimal::new(*amount, 2), Decimal::new(*refunded, 2), "USD");
                apply(&mut fresh, &settle(Some(&claim), &[]).expect("no fault"));
            }
            let posted = |s: &[Standing]| s.iter().map(|s| s.posted).sum::<Decimal>();
            prop_assert_eq!(posted(&standings), posted(&fresh));
        }
    }
}
