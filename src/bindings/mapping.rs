//! What the columns of a payments table mean, as a caller says it: the options that attaching
//! sets and altering changes, and what they may be.

use crate::bindings::condition;
use crate::bindings::host::{Host, Mapped};
use crate::rules::currency::Currency;
use crate::server::calls::required_text;
use crate::server::error::Problem;

/// Options by the names of columns.
pub struct Mapping {
    pub customer: String,
    pub amount: String,
    pub currency: Option<String>,
    pub paid_at: Option<String>,
    pub refunded: Option<String>,
    pub product: Option<String>,
    pub paid_when: Option<String>,
    pub minor_units: bool,
    pub currency_code: Option<String>,
    /// Microseconds since 2000-01-01 UTC.
    pub since: Option<i64>,
    pub program: String,
    pub on_delete: String,
}

/// The same, found in the table.
pub struct Resolved {
    pub currency_code: Option<String>,
    /// Of customer, amount, currency, paid_at, refunded and product, 0 where there is none.
    pub attnums: Vec<i16>,
    /// The columns that `paid_when` reads.
    pub condition_columns: Vec<String>,
}

impl Mapping {
    /// Raises an error unless the options fit the table and each other.
    pub fn resolve(&self, host: &Host) -> Resolved {
        if !matches!(self.on_delete.as_str(), "reverse" | "keep") {
            let allowed = "'reverse', 'keep'".to_owned();
            Problem::NotOneOf {
                name: "on_delete",
                value: self.on_delete.clone(),
                allowed,
            }
            .raise();
        }
        if self.currency.is_some() && self.currency_code.is_some() {
            Problem::CurrencyTwice.raise();
        }
        let currency_code = self.currency_code.as_ref().map(|code| {
            let currency = Currency::parse(code);
            let currency = currency.unwrap_or_else(|| {
                let currency = code.clone();
                Problem::UnknownCurrency { currency }.raise()
            });
            currency.code().to_owned()
        });
        let text = |name: &String| host.text_column(name);
        let amount = |name: &String| host.amount_column(name, self.minor_units);
        let columns: [Option<Mapped>; 6] = [
            Some(text(&self.customer)),
            Some(amount(&self.amount)),
            self.currency.as_ref().map(text),
            self.paid_at.as_ref().map(|name| host.time_column(name)),
            self.refunded.as_ref().map(amount),
            self.product.as_ref().map(text),
        ];
        let condition = self.paid_when.clone();
        let condition = condition
            .map(|sql| condition::check(host.oid, &required_text("paid_when", Some(sql))))
            .unwrap_or_default();
        Resolved {
            currency_code,
            attnums: columns
                .iter()
                .map(|column| column.as_ref().map_or(0, |column| column.attnum))
                .collect(),
            condition_columns: condition.into_iter().map(|(name, _)| name).collect(),
        }
    }
}
