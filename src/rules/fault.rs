//! What can be wrong with the data of a payment. Bad data never blocks the payment: the row
//! goes to quarantine with one of these reasons.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    AmountNull,
    AmountNotFinite,
    AmountNegative,
    AmountOutOfRange,
    AmountFraction,
    CurrencyNull,
    CurrencyUnknown,
    RefundedNotFinite,
    RefundedNegative,
    RefundedOutOfRange,
    RefundedFraction,
    RefundCurrency,
    PaidAtOutOfRange,
    PaymentKeyTooLong,
    ConditionFailed,
    ColumnUnusable,
    Internal,
    LedgerUnreadable,
}

/// A fault, and the value that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    pub fault: Fault,
    pub value: String,
}

impl Fault {
    pub fn of(self, value: impl Into<String>) -> Defect {
        Defect {
            fault: self,
            value: value.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AmountNull => "amount is null",
            Self::AmountNotFinite => "amount is not finite",
            Self::AmountNegative => "amount is negative",
            Self::AmountOutOfRange => "amount is out of range",
            Self::AmountFraction => "amount has a fraction of the minor unit",
            Self::CurrencyNull => "currency is null",
            Self::CurrencyUnknown => "currency is unknown",
            Self::RefundedNotFinite => "refunded amount is not finite",
            Self::RefundedNegative => "refunded amount is negative",
            Self::RefundedOutOfRange => "refunded amount is out of range",
            Self::RefundedFraction => "refunded amount has a fraction of the minor unit",
            Self::RefundCurrency => "refund is in another currency",
            Self::PaidAtOutOfRange => "payment time is out of range",
            Self::PaymentKeyTooLong => "payment key is too long",
            Self::ConditionFailed => "condition can't be evaluated",
            Self::Internal => "internal error while posting",
            Self::ColumnUnusable => "a mapped column is unusable",
            Self::LedgerUnreadable => "the payment's entries can't be read",
        })
    }
}
