//! A payment as the rules see it: its row, and what was refunded of it, wherever that stands.

use rust_decimal::Decimal;

use crate::bindings::binding::Binding;
use crate::bindings::row::Row;
use crate::posting::refund_spellings;
use crate::rules::calendar::PaidAt;
use crate::rules::commission::Offer;
use crate::rules::currency::Currency;
use crate::rules::facts::Facts;
use crate::rules::fault::{Defect, Fault};
use crate::rules::money;

/// Refunds of a payment that are not in its row.
#[derive(Clone, Copy, Debug)]
pub enum Beside {
    /// There are none.
    Nothing,
    /// There are none but what the ledger knows of, in major units, whose source is lost.
    Lost(Decimal),
    Some {
        /// Recorded ones on balance, in the unit of the binding's amounts, `None` if that is out
        /// of range; those of an attached table come to it.
        recorded: Option<Decimal>,
        /// What the ledger knows of, in major units, where their source is lost.
        known: Decimal,
    },
}

pub struct Payment<'a> {
    pub binding: &'a Binding,
    pub row: &'a Row<'a>,
    pub beside: Beside,
}

impl Facts for Payment<'_> {
    fn is_paid(&self) -> Result<bool, Defect> {
        self.row.is_paid()
    }

    fn paid_at(&self) -> Result<PaidAt, Defect> {
        self.row.paid_at()
    }

    fn currency(&self) -> Result<Currency, Defect> {
        self.row.currency()
    }

    fn amount(&self, currency: Currency) -> Result<Decimal, Defect> {
        self.row.amount(currency)
    }

    /// The one account of it: the column of the row, the rows of an attached table and what was
    /// recorded, and never less than the ledger knows of refunds whose source is lost.
    fn refunded(&self, currency: Currency, amount: Decimal) -> Result<Decimal, Defect> {
        let in_row = self.row.refunded(currency)?;
        // of nothing nothing can be refunded
        if amount.is_zero() {
            return Ok(in_row);
        }
        let (recorded, known) = match self.beside {
            Beside::Nothing => return Ok(in_row),
            Beside::Lost(known) => return Ok(in_row.max(known)),
            Beside::Some { recorded, known } => (recorded, known),
        };
        let in_table = match &self.binding.refunds_table {
            Some(table) => {
                let key = self.row.key_columns();
                table.of_payment(&refund_spellings::spellings(self.binding, key), currency)?
            }
            None => Decimal::ZERO,
        };
        let recorded = recorded
            .and_then(|recorded| self.binding.unit.decimal(recorded, currency))
            .ok_or_else(|| Fault::RefundedOutOfRange.of("recorded refunds"))?;
        let sum = money::sum(in_row, in_table).and_then(|sum| money::sum(sum, recorded));
        let sum = sum.ok_or_else(|| {
            Fault::RefundedOutOfRange.of(format!("{in_row} + {in_table} + {recorded}"))
        })?;
        Ok(sum.max(known))
    }

    fn counts_since(&self) -> Option<i64> {
        self.binding.since
    }

    fn day_of(&self, moment: i64) -> Option<i32> {
        self.binding.terms.zone.day(moment)
    }

    fn offer(&self) -> Offer {
        self.binding.terms.offer
    }
}
