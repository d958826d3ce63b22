//! One row of a payments table: its texts, times and amounts.

use pgrx::pg_sys;
use rust_decimal::Decimal;

use crate::bindings::amount::{self, Faults};
use crate::bindings::binding::{Binding, Column, Mapped};
use crate::bindings::condition::Outcome;
use crate::rules::calendar::{self, PaidAt};
use crate::rules::currency::Currency;
use crate::rules::fault::{Defect, Fault};
use crate::server::text::{Text, attribute};
use crate::server::zone;

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

    /// Whether the condition of the binding holds.
    pub fn is_paid(&self) -> Result<bool, Defect> {
        match &self.binding.condition {
            None => Ok(true),
            Some(condition) => match condition.holds(self.slot) {
                Outcome::True => Ok(true),
                Outcome::NotTrue => Ok(false),
                Outcome::Failed(why) => Err(Fault::ConditionFailed.of(why)),
            },
        }
    }

    /// Whether the payment was made within a window; one that can't be told is within.
    pub fn was_paid_within(&self, window: Window) -> bool {
        let Ok(paid_at) = self.paid_at() else {
            return true;
        };
        let zone = self.binding.terms.zone;
        let not_before = |moment| paid_at.is_not_before(moment, |moment| zone.day(moment));
        window.since.is_none_or(not_before) && !window.until.is_some_and(not_before)
    }

    /// When the payment was made; now, if no column says so.
    pub fn paid_at(&self) -> Result<PaidAt, Defect> {
        let column = match self.binding.columns.paid_at {
            Mapped::No => return Ok(PaidAt::Moment(zone::now())),
            Mapped::Gone => {
                return Err(Fault::ColumnUnusable.of("the column of the payment time is gone"));
            }
            Mapped::Yes(column) => column,
        };
        let Some(datum) = self.get(column) else {
            return Ok(PaidAt::Moment(zone::now()));
        };
        let zone = self.binding.terms.zone;
        let paid_at = match column.type_oid {
            pg_sys::TIMESTAMPTZOID => Some(PaidAt::Moment(datum.value() as i64)),
            pg_sys::TIMESTAMPOID => {
                let local = datum.value() as i64;
                let moment = self.binding.paid_at_zone.moment(local);
                moment.map(PaidAt::Moment)
            }
            pg_sys::DATEOID => Some(PaidAt::Day(datum.value() as i32)),
            pg_sys::INT4OID => {
                zone::from_epoch_seconds(i64::from(datum.value() as i32)).map(PaidAt::Moment)
            }
            pg_sys::INT8OID => zone::from_epoch_seconds(datum.value() as i64).map(PaidAt::Moment),
            _ => {
                return Err(
                    Fault::ColumnUnusable.of("the column of the payment time has another type")
                );
            }
        };
        let in_calendar = |paid_at: &PaidAt| match paid_at {
            PaidAt::Moment(moment) => zone.day(*moment).is_some(),
            PaidAt::Day(day) => calendar::is_day(*day),
        };
        paid_at
            .filter(in_calendar)
            .ok_or_else(|| Fault::PaidAtOutOfRange.of(self.owned_text(column)))
    }

    pub fn currency(&self) -> Result<Currency, Defect> {
        let column = match self.binding.columns.currency {
            Mapped::No => {
                return self
                    .binding
                    .constant_currency
                    .ok_or_else(|| Fault::CurrencyUnknown.of(""));
            }
            Mapped::Gone => {
                return Err(Fault::ColumnUnusable.of("the column of the currency is gone"));
            }
            Mapped::Yes(column) => column,
        };
        let Some(code) = self.text(column) else {
            let constant = self.binding.constant_currency;
            return constant.ok_or_else(|| Fault::CurrencyNull.of("NULL"));
        };
        Currency::parse(&code).ok_or_else(|| Fault::CurrencyUnknown.of(code.to_owned()))
    }

    /// The gross amount in major units.
    pub fn amount(&self, currency: Currency) -> Result<Decimal, Defect> {
        let amount = self.money(self.binding.columns.amount, currency, Faults::AMOUNT)?;
        amount.ok_or_else(|| Fault::AmountNull.of("NULL"))
    }

    /// What the row says was refunded, in major units.
    pub fn refunded(&self, currency: Currency) -> Result<Decimal, Defect> {
        let refunded = self.money(self.binding.columns.refunded, currency, Faults::REFUNDED)?;
        Ok(refunded.unwrap_or_default())
    }

    /// An amount of the row in major units; `None` if it is NULL or not mapped.
    fn money(
        &self,
        mapped: Mapped,
        currency: Currency,
        faults: Faults,
    ) -> Result<Option<Decimal>, Defect> {
        let column = match mapped {
            Mapped::No => return Ok(None),
            Mapped::Gone => {
                return Err(Fault::ColumnUnusable.of("the column of an amount is gone"));
            }
            Mapped::Yes(column) => column,
        };
        let Some(datum) = self.get(column) else {
            return Ok(None);
        };
        let unit = self.binding.unit;
        // SAFETY: the slot holds a row that has the column
        unsafe { amount::read(column, datum, unit, currency, faults) }.map(Some)
    }
}
