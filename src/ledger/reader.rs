//! The ledger itself: what it says of a payment.

use pgrx::{FromDatum, pg_sys};
use rust_decimal::Decimal;

use crate::rules::commission::{Rule, Terms};
use crate::rules::currency::Currency;
use crate::rules::money;
use crate::rules::settlement::{Account, Standing};
use crate::server::numeric;
use crate::server::probe::{Key, Probe};
use crate::server::relations::Layout;
use crate::server::text::Text;

/// The columns of affiliate.commission, in their order.
pub mod column {
    pub const POSTED_AT: usize = 1;
    pub const REFERRAL_ID: usize = 2;
    pub const AFFILIATE_ID: usize = 3;
    pub const EPOCH: usize = 4;
    pub const BINDING_ID: usize = 5;
    pub const SEQ: usize = 6;
    pub const PAID_ON: usize = 7;
    pub const MATURES_ON: usize = 8;
    pub const RULE: usize = 9;
    pub const PAYMENT_KEY: usize = 10;
    pub const CURRENCY: usize = 11;
    pub const RATE: usize = 12;
    pub const BASE: usize = 13;
    pub const REFUNDED: usize = 14;
    pub const BASE_BEFORE: usize = 15;
    pub const POSTED_BEFORE: usize = 16;
    pub const AMOUNT: usize = 17;
    pub const COUNT: usize = 17;
}

/// affiliate.commission, and the index of a payment's entries.
pub static LEDGER: Layout = Layout::new(
    |relations| relations.commission,
    &[
        ("posted_at", pg_sys::TIMESTAMPTZOID),
        ("referral_id", pg_sys::INT8OID),
        ("affiliate_id", pg_sys::INT4OID),
        ("epoch", pg_sys::INT4OID),
        ("binding_id", pg_sys::INT4OID),
        ("seq", pg_sys::INT4OID),
        ("paid_on", pg_sys::DATEOID),
        ("matures_on", pg_sys::DATEOID),
        ("rule", pg_sys::CHAROID),
        ("payment_key", pg_sys::TEXTOID),
        ("currency", pg_sys::TEXTOID),
        ("rate", pg_sys::NUMERICOID),
        ("base", pg_sys::NUMERICOID),
        ("refunded", pg_sys::NUMERICOID),
        ("base_before", pg_sys::NUMERICOID),
        ("posted_before", pg_sys::NUMERICOID),
        ("amount", pg_sys::NUMERICOID),
    ],
    |relations| relations.commission_key,
    pg_sys::BTREE_AM_OID,
    &[column::BINDING_ID as i16, column::PAYMENT_KEY as i16],
);

/// Groups entries, as `c`, by what they add up for, and leaves those that do not cancel out.
pub const NOT_CANCELED_OUT: &str = "GROUP BY c.payment_key, c.referral_id, c.currency
    HAVING sum(c.amount) <> 0 OR sum(c.base - c.base_before) <> 0";

/// What the ledger says of one payment.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    pub last_seq: i32,
    /// What the payment's first entry froze.
    pub terms: Option<Terms>,
    /// What was refunded at the last entry.
    pub refunded: Decimal,
    pub standings: Vec<Standing>,
    /// One of them holds what no posting has written.
    pub is_unreadable: bool,
}

impl Entries {
    /// Whether the entries do not cancel out.
    pub fn come_to_something(&self) -> bool {
        let is_something = |s: &Standing| !s.posted.is_zero() || !s.base.is_zero();
        self.standings.iter().any(is_something)
    }

    pub fn knows(&self, account: Account) -> bool {
        self.standings
            .iter()
            .any(|standing| standing.account == account)
    }
}

/// Reads the ledger by payment.
pub struct Reader {
    pub(super) probe: Probe,
}

impl Reader {
    pub fn open() -> Self {
        Self {
            probe: Probe::open(&LEDGER, 2, column::COUNT as i16),
        }
    }

    /// Reads what the active snapshot shows, for as long as it is the active one.
    pub fn of_active_snapshot() -> Self {
        // SAFETY: the caller has one
        let snapshot = unsafe { pg_sys::GetActiveSnapshot() };
        Self {
            probe: Probe::of_snapshot(&LEDGER, 2, column::COUNT as i16, snapshot),
        }
    }

    pub fn has_entries(&mut self, binding_id: i32, payment_key: &str) -> bool {
        let key = Text::new(payment_key);
        self.probe
            .seek([Key::integer(1, binding_id), Key::text(2, &key)])
    }

    /// The entries of a payment, summed up in their order.
    pub fn entries(&mut self, binding_id: i32, payment_key: &str) -> Entries {
        let mut entries = Entries::default();
        let key = Text::new(payment_key);
        let mut is_row = self
            .probe
            .seek([Key::integer(1, binding_id), Key::text(2, &key)]);
        while is_row {
            self.add_entry(&mut entries);
            is_row = self.probe.next();
        }
        entries
    }

    /// Adds the entry that the probe is at.
    pub(super) fn add_entry(&self, entries: &mut Entries) {
        entries.is_unreadable |= self.try_add_entry(entries).is_none();
    }

    /// `None` if the entry can't be read.
    fn try_add_entry(&self, entries: &mut Entries) -> Option<()> {
        let get = |column: usize| self.probe.get(column as i16);
        let decimal = |column| unsafe { numeric::decode(get(column)) }.ok();
        entries.last_seq = get(column::SEQ).value() as i32;
        let currency = unsafe { <&str>::from_datum(get(column::CURRENCY), false) }?;
        let currency = Currency::parse(currency)?;
        let account = Account {
            affiliate_id: get(column::AFFILIATE_ID).value() as i32,
            referral_id: get(column::REFERRAL_ID).value() as i64,
        };
        let rule = Rule::from_columns(get(column::RULE).value() as u8, decimal(column::RATE)?)?;
        let terms = Terms {
            rule,
            paid_on: get(column::PAID_ON).value() as i32,
            matures_on: get(column::MATURES_ON).value() as i32,
        };
        entries.terms = Some(terms);
        entries.refunded = decimal(column::REFUNDED)?;
        let base = decimal(column::BASE)?;
        let posted = money::sum(decimal(column::POSTED_BEFORE)?, decimal(column::AMOUNT)?)?;
        let standings = &mut entries.standings;
        let found = standings
            .iter_mut()
            .find(|s| s.account == account && s.currency == currency);
        match found {
            Some(standing) => {
                standing.base = base;
                standing.posted = posted;
                standing.terms = terms;
            }
            None => standings.push(Standing {
                account,
                currency,
                base,
                posted,
                terms,
            }),
        }
        Some(())
    }
}
