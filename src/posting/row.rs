//! One row of a payments table: its texts, and whether and what it earns. The rules of
//! eligibility stand here, in the order in which they are asked.

use std::fmt;

use pgrx::pg_sys;
use rust_decimal::Decimal;

use crate::bindings::amount::{self, Faults};
use crate::bindings::binding::{Binding, Column, Mapped};
use crate::bindings::condition::Outcome;
use crate::ledger::reader::Terms;
use crate::posting::refund_spellings;
use crate::rules::currency::Currency;
use crate::rules::eligibility::Referral;
use crate::rules::fault::Fault;
use crate::rules::money;
use crate::rules::settlement::Claim;
use crate::server::text::{Text, attribute};
use crate::server::zone;

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

/// What a row of a referred customer comes to.
#[derive(Clone, Debug)]
pub enum Judgement {
    Nothing(Nothing),
    Claim(Claim, Terms),
    Fault(Fault, String),
}

/// When a payment was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PaidAt {
    /// Microseconds since 2000-01-01 UTC.
    Moment(i64),
    /// A day in the program's zone.
    Day(i32),
}

/// Refunds of a payment beside the column of its row.
#[derive(Clone, Copy, Debug)]
pub enum Refunds {
    /// There are none.
    None,
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

/// From when and until when payments were made, in microseconds since 2000-01-01 UTC; the
/// latter is not included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

pub struct Row<'a> {
    binding: &'a Binding,
    slot: *mut pg_sys::TupleTableSlot,
}

impl<'a> Row<'a> {
    /// # Safety
    /// The slot must hold a row of the table or partition that the binding was made for.
    pub unsafe fn new(binding: &'a Binding, slot: *mut pg_sys::TupleTableSlot) -> Self {
        Self { binding, slot }
    }

    fn get(&self, column: Column) -> Option<pg_sys::Datum> {
        let (datum, is_null) = unsafe { attribute(self.slot, column.attnum) };
        (!is_null).then_some(datum)
    }

    fn text(&self, column: Column) -> Option<Text> {
        self.get(column)
            .map(|datum| unsafe { column.to_text.apply(datum) })
    }

    fn owned_text(&self, column: Column) -> String {
        self.text(column)
            .map_or_else(String::new, |text| text.to_owned())
    }

    /// The customer, if the row has one.
    pub fn customer(&self) -> Option<Text> {
        self.text(self.binding.columns.customer.column()?)
    }

    /// The customer, where the host's are integers.
    pub fn customer_number(&self) -> Option<i64> {
        let column = self.binding.columns.customer.column()?;
        let datum = self.get(column)?;
        column.to_text.integer(datum)
    }

    /// The key as text.
    pub fn key(&self) -> Text {
        match self.binding.columns.key[..] {
            [column] => self.text(column).unwrap_or_else(|| Text::new("")),
            _ => Text::new(&self.binding.key_text(self.key_columns())),
        }
    }

    /// The texts of the key's columns.
    pub fn key_columns(&self) -> Vec<String> {
        self.binding
            .columns
            .key
            .iter()
            .map(|column| self.owned_text(*column))
            .collect()
    }

    /// What the row earns for the customer's referral. `frozen` are the terms of the payment's
    /// entries, if it has any; `is_known`: it has entries for this very referral, and neither
    /// its time nor the affiliate's status matter any more.
    pub fn judge(
        &self,
        referral: &Referral,
        frozen: Option<Terms>,
        is_known: bool,
        refunds: Refunds,
    ) -> Judgement {
        match self.try_judge(referral, frozen, is_known, refunds) {
            Ok(Ok((claim, terms))) => Judgement::Claim(claim, terms),
            Ok(Err(nothing)) => Judgement::Nothing(nothing),
            Err((fault, value)) => Judgement::Fault(fault, value),
        }
    }

    #[allow(clippy::type_complexity)]
    fn try_judge(
        &self,
        referral: &Referral,
        frozen: Option<Terms>,
        is_known: bool,
        refunds: Refunds,
    ) -> Result<Result<(Claim, Terms), Nothing>, (Fault, String)> {
        if let Some(condition) = &self.binding.condition {
            match condition.holds(self.slot) {
                Outcome::True => {}
                Outcome::NotTrue => return Ok(Err(Nothing::NotPaid)),
                Outcome::Failed(why) => return Err((Fault::ConditionFailed, why)),
            }
        }
        if !is_known && referral.is_closed {
            return Ok(Err(Nothing::AffiliateClosed));
        }
        if !is_known {
            let paid_at = self.paid_at()?;
            let not_before = |moment| self.not_before(paid_at, moment);
            if !not_before(referral.attributed_at) {
                return Ok(Err(Nothing::BeforeReferral));
            }
            if self.binding.since.is_some_and(|since| !not_before(since)) {
                return Ok(Err(Nothing::BeforeSince));
            }
        }
        let currency = self.currency()?;
        let amount = self.amount(self.binding.columns.amount, currency, Faults::AMOUNT)?;
        let amount = amount.ok_or_else(|| (Fault::AmountNull, "NULL".to_owned()))?;
        let column = self.amount(self.binding.columns.refunded, currency, Faults::REFUNDED)?;
        if amount.is_zero() {
            return Ok(Err(Nothing::ZeroAmount));
        }
        let refunded = match refunds {
            Refunds::None => column.unwrap_or_default().min(amount),
            Refunds::Lost(known) => column
                .unwrap_or_default()
                .max(known)
                .clamp(Decimal::ZERO, amount),
            Refunds::Some { recorded, known } => {
                let attached = match &self.binding.refunds_table {
                    Some(table) => {
                        let spellings =
                            refund_spellings::spellings(self.binding, self.key_columns());
                        table.of_payment(&spellings, currency)?
                    }
                    None => Decimal::ZERO,
                };
                let recorded = recorded
                    .and_then(|recorded| self.in_major_units(recorded, currency))
                    .ok_or_else(|| (Fault::RefundedOutOfRange, "recorded refunds".to_owned()))?;
                let column = column.unwrap_or_default();
                money::exact_add(column, attached)
                    .and_then(|sum| money::exact_add(sum, recorded))
                    .ok_or_else(|| {
                        let terms = format!("{column} + {attached} + {recorded}");
                        (Fault::RefundedOutOfRange, terms)
                    })?
                    .max(known)
                    .clamp(Decimal::ZERO, amount)
            }
        };
        let terms = match frozen {
            Some(frozen) => frozen,
            None => Terms {
                rate: self.binding.terms.rate,
                matures_on: self.matures_on()?,
            },
        };
        Ok(Ok((
            Claim {
                account: referral.account,
                currency,
                amount,
                refunded,
            },
            terms,
        )))
    }

    /// A recorded amount, which is in the unit of the table's; `None` if it is out of range.
    fn in_major_units(&self, amount: Decimal, currency: Currency) -> Option<Decimal> {
        if !self.binding.minor_units {
            return Some(amount);
        }
        let minor = amount.normalize();
        let scale = minor.scale() + currency.minor_digits();
        Decimal::try_from_i128_with_scale(minor.mantissa(), scale).ok()
    }

    fn matures_on(&self) -> Result<i32, (Fault, String)> {
        let paid_on = match self.paid_at()? {
            PaidAt::Moment(moment) => self.binding.terms.zone.day(moment),
            PaidAt::Day(day) => Some(day),
        };
        paid_on
            .and_then(|day| zone::add_days(day, self.binding.terms.hold_days))
            .ok_or((Fault::PaidAtOutOfRange, "no day of the calendar".to_owned()))
    }

    /// Whether the payment was made within a window; one that can't be told is within.
    pub fn was_paid_within(&self, window: Window) -> bool {
        let Ok(paid_at) = self.paid_at() else {
            return true;
        };
        let not_before = |moment| self.not_before(paid_at, moment);
        window.since.is_none_or(not_before) && !window.until.is_some_and(not_before)
    }

    /// Whether a payment time is at or after a moment; a day is as a whole.
    fn not_before(&self, paid_at: PaidAt, moment: i64) -> bool {
        match paid_at {
            PaidAt::Moment(paid_at) => paid_at >= moment,
            PaidAt::Day(day) => self
                .binding
                .terms
                .zone
                .day(moment)
                .is_none_or(|first| day >= first),
        }
    }

    fn paid_at(&self) -> Result<PaidAt, (Fault, String)> {
        let column = match self.binding.columns.paid_at {
            Mapped::No => return Ok(PaidAt::Moment(zone::now())),
            Mapped::Gone => {
                return Err((
                    Fault::ColumnUnusable,
                    "the column of the payment time is gone".to_owned(),
                ));
            }
            Mapped::Yes(column) => column,
        };
        let Some(datum) = self.get(column) else {
            return Ok(PaidAt::Moment(zone::now()));
        };
        let zone = self.binding.terms.zone;
        let paid_at = match column.type_oid {
            pg_sys::TIMESTAMPTZOID => Some(PaidAt::Moment(datum.value() as i64)),
            pg_sys::TIMESTAMPOID => zone.moment(datum.value() as i64).map(PaidAt::Moment),
            pg_sys::DATEOID => Some(PaidAt::Day(datum.value() as i32)),
            pg_sys::INT4OID => {
                zone::from_epoch_seconds(i64::from(datum.value() as i32)).map(PaidAt::Moment)
            }
            pg_sys::INT8OID => zone::from_epoch_seconds(datum.value() as i64).map(PaidAt::Moment),
            _ => {
                return Err((
                    Fault::ColumnUnusable,
                    "the column of the payment time has another type".to_owned(),
                ));
            }
        };
        let in_calendar = |paid_at: &PaidAt| match paid_at {
            PaidAt::Moment(moment) => zone.day(*moment).is_some(),
            PaidAt::Day(day) => zone::is_day(*day),
        };
        paid_at
            .filter(in_calendar)
            .ok_or_else(|| (Fault::PaidAtOutOfRange, self.owned_text(column)))
    }

    fn currency(&self) -> Result<Currency, (Fault, String)> {
        let column = match self.binding.columns.currency {
            Mapped::No => {
                return self
                    .binding
                    .constant_currency
                    .ok_or((Fault::CurrencyUnknown, String::new()));
            }
            Mapped::Gone => {
                return Err((
                    Fault::ColumnUnusable,
                    "the column of the currency is gone".to_owned(),
                ));
            }
            Mapped::Yes(column) => column,
        };
        let code = self
            .text(column)
            .ok_or_else(|| (Fault::CurrencyNull, "NULL".to_owned()))?;
        Currency::parse(&code).ok_or_else(|| (Fault::CurrencyUnknown, code.to_owned()))
    }

    /// An amount of the row in major units; `None` if it is NULL or not mapped.
    fn amount(
        &self,
        mapped: Mapped,
        currency: Currency,
        faults: Faults,
    ) -> Result<Option<Decimal>, (Fault, String)> {
        let column = match mapped {
            Mapped::No => return Ok(None),
            Mapped::Gone => {
                return Err((
                    Fault::ColumnUnusable,
                    "the column of an amount is gone".to_owned(),
                ));
            }
            Mapped::Yes(column) => column,
        };
        let Some(datum) = self.get(column) else {
            return Ok(None);
        };
        let minor_units = self.binding.minor_units;
        // SAFETY: the slot holds a row that has the column
        unsafe { amount::read(column, datum, minor_units, currency, faults) }.map(Some)
    }
}
