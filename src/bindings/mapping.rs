//! What the columns of a payments table mean, as a caller says it: the options that attaching
//! sets and altering changes, what they may be, and how a statement writes them down.

use pgrx::datum::DatumWithOid;

use crate::bindings::candidate::Candidate;
use crate::bindings::condition;
use crate::rules::currency::Currency;
use crate::rules::deletion::OnDelete;
use crate::rules::truncation::OnTruncate;
use crate::rules::unit::MinorUnits;
use crate::rules::words::Word;
use crate::server::args::timestamptz;
use crate::server::calls::{required_text, word};
use crate::server::error::Problem;
use crate::server::zone::Zone;

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
    /// Whose minor units; `None` for those of ISO 4217.
    pub minor_units_of: Option<String>,
    /// The zone of times that hold none; `None` for UTC.
    pub paid_at_zone: Option<String>,
    pub currency_code: Option<String>,
    /// Microseconds since 2000-01-01 UTC.
    pub since: Option<i64>,
    pub program: String,
    pub on_delete: String,
    /// `None`: by what becomes of deleted payments.
    pub on_truncate: Option<String>,
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
        let on_delete: OnDelete = word("on_delete", self.on_delete);
        self.on_delete = on_delete.to_string();
        self.on_truncate = Some(self.truncation().as_str().to_owned());
        self.require_unit();
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

    /// What TRUNCATE does; an error unless that fits what becomes of deleted payments.
    fn truncation(&self) -> OnTruncate {
        let keeps = self.on_delete == OnDelete::Keep.as_str();
        let Some(text) = &self.on_truncate else {
            return if keeps {
                OnTruncate::Keep
            } else {
                OnTruncate::Refuse
            };
        };
        let on_truncate: OnTruncate = word("on_truncate", text.clone());
        let fits = match on_truncate {
            OnTruncate::Refuse => true,
            OnTruncate::Reconcile => !keeps,
            OnTruncate::Keep => keeps,
        };
        if !fits {
            Problem::OnTruncate {
                on_truncate: on_truncate.as_str(),
                on_delete: self.on_delete.clone(),
            }
            .raise();
        }
        on_truncate
    }

    /// Raises an error unless the table has the columns, of types that serve.
    fn require_columns(&self, host: &Candidate) {
        host.text_column(&self.customer);
        host.amount_column(&self.amount);
        if let Some(name) = &self.currency {
            host.text_column(name);
        }
        if let Some(name) = &self.paid_at {
            host.time_column(name);
        }
        if let Some(zone) = &self.paid_at_zone {
            self.require_zone(host, zone);
        }
        if let Some(name) = &self.refunded {
            host.amount_column(name);
        }
        if let Some(name) = &self.product {
            host.text_column(name);
        }
    }

    /// Raises an error unless it is known whose minor units the amounts are in, if they are.
    fn require_unit(&self) {
        let Some(of) = &self.minor_units_of else {
            return;
        };
        let of: MinorUnits = word("minor_units_of", of.clone());
        if !self.minor_units {
            let of = of.to_string();
            Problem::MinorUnitsOf { of }.raise();
        }
    }

    /// Raises an error unless there is such a zone, and times that it is for.
    fn require_zone(&self, host: &Candidate, zone: &str) {
        if Zone::named(zone).is_none() {
            Problem::UnknownTimeZone {
                zone: zone.to_owned(),
            }
            .raise();
        }
        match &self.paid_at {
            Some(name) => host.zoneless_column(name, zone),
            None => Problem::ZoneWithoutTimestamp {
                zone: zone.to_owned(),
                column: None,
            }
            .raise(),
        };
    }
}

/// Written down by statements of several kinds, whose arguments begin with those of
/// [`Fitting::args`].
impl Fitting {
    /// The columns of affiliate.binding, but for the condition.
    pub const COLUMNS: &str = "customer, amount, currency, paid_at, refunded, product, program, currency_code, minor_units,
            since, on_delete, minor_units_of, paid_at_zone, on_truncate";
    /// Their parameters.
    pub const PARAMETERS: &str = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14";

    /// After those parameters, `$15` is the condition and `$16` the names of its columns.
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
            mapping.minor_units_of.into(),
            mapping.paid_at_zone.into(),
            mapping.on_truncate.into(),
            mapping.paid_when.into(),
            self.condition_columns.into(),
        ]
    }
}
