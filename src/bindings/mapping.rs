//! What the columns of a payments table mean, as a caller says it: the options that attaching
//! sets and altering changes, what they may be, and how a statement writes them down.

use pgrx::datum::DatumWithOid;

use crate::bindings::candidate::Candidate;
use crate::bindings::condition;
use crate::rules::currency::Currency;
use crate::server::args::timestamptz;
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

/// Options that fit the table and each other.
pub struct Fitting {
    mapping: Mapping,
    /// The columns that `paid_when` reads.
    condition_columns: Vec<String>,
}

impl Mapping {
    /// Raises an error unless the options fit the table and each other.
    pub fn fit(mut self, host: &Candidate) -> Fitting {
        if !matches!(self.on_delete.as_str(), "reverse" | "keep") {
            Problem::NotOneOf {
                name: "on_delete",
                value: self.on_delete,
                allowed: "'reverse', 'keep'".to_owned(),
            }
            .raise();
        }
        if self.currency.is_some() && self.currency_code.is_some() {
            Problem::CurrencyTwice.raise();
        }
        self.currency_code = self.currency_code.map(|code| match Currency::parse(&code) {
            Some(currency) => currency.code().to_owned(),
            None => Problem::UnknownCurrency { currency: code }.raise(),
        });
        self.require_columns(host);
        let condition = self
            .paid_when
            .clone()
            .map(|sql| condition::check(host.oid, &required_text("paid_when", Some(sql))))
            .unwrap_or_default();
        Fitting {
            mapping: self,
            condition_columns: condition.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// Raises an error unless the table has the columns, of types that serve.
    fn require_columns(&self, host: &Candidate) {
        host.text_column(&self.customer);
        host.amount_column(&self.amount, self.minor_units);
        if let Some(name) = &self.currency {
            host.text_column(name);
        }
        if let Some(name) = &self.paid_at {
            host.time_column(name);
        }
        if let Some(name) = &self.refunded {
            host.amount_column(name, self.minor_units);
        }
        if let Some(name) = &self.product {
            host.text_column(name);
        }
    }
}

/// Written down by statements of several kinds, whose arguments begin with those of
/// [`Fitting::args`].
impl Fitting {
    /// The columns of affiliate.binding, but for the condition.
    pub const COLUMNS: &str = "customer, amount, currency, paid_at, refunded, product, program, currency_code, minor_units,
            since, on_delete";
    /// Their parameters.
    pub const PARAMETERS: &str = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11";

    /// After those parameters, `$12` is the condition and `$13` the names of its columns.
    pub fn args<'a>(self) -> Vec<DatumWithOid<'a>> {
        let mapping = self.mapping;
        vec![
            mapping.customer.into(),
            mapping.amount.into(),
            mapping.currency.into(),
            mapping.paid_at.into(),
            mapping.refunded.into(),
            mapping.product.into(),
            mapping.program.into(),
            mapping.currency_code.into(),
            mapping.minor_units.into(),
            timestamptz(mapping.since),
            mapping.on_delete.into(),
            mapping.paid_when.into(),
            self.condition_columns.into(),
        ]
    }
}
