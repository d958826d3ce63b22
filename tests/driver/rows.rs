//! What random payments look like.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::tables::{CHARGE, CURRENCIES, INVOICE, METER, OWN, Role, SALE, TICKET};
use super::{Driver, Scope};
use crate::model::{Currency, Flaw, Money, PaidAt, PaymentId, Row, Status, day_in_zone};

/// Days between a payment and today that keep its maturity away from today whatever the hold of
/// its program is by then (0, 7 or 30), so that no midnight during the test matters.
const AGES: [(i64, i64); 3] = [(3, 4), (10, 26), (33, 120)];

/// How long ago the oldest referrals were made.
pub const LONG_AGO: i64 = 200;

pub const CUSTOMERS: u32 = 300;

impl Driver<'_> {
    pub(super) fn new_key(&mut self, table: usize) -> String {
        let number = self.number();
        let key = match table {
            CHARGE => uuid::Builder::from_random_bytes(self.rng.random())
                .into_uuid()
                .to_string(),
            INVOICE => format!(
                "{},{number}",
                ["acme", "Bär & Co"][self.rng.random_range(0..2)]
            ),
            SALE => format!(
                "{},{number}",
                ["north", "south", "west"][self.rng.random_range(0..3)]
            ),
            TICKET => format!("ticket-{number}"),
            METER => format!("{number}.{}", ["50", "25"][self.rng.random_range(0..2)]),
            _ => number.to_string(),
        };
        self.keys[table].push(key.clone());
        key
    }

    /// A customer of the table's program; few of them, so that they meet again.
    pub(super) fn some_customer(&mut self, table: usize) -> String {
        let number = self.rng.random_range(0..CUSTOMERS);
        customer_of(self.world.bindings[table].program, number)
    }

    pub(super) fn new_row(&mut self, id: &PaymentId) -> Row {
        let table = self.table(id.0);
        let customer = self.some_customer(id.0);
        let currency = self.some_currency(id);
        let mut row = Row {
            amount: self.some_amount(),
            currency,
            paid_at: self.some_time(id.0, &customer),
            customer: Some(customer),
            counted: true,
            refunded: 0,
            flaw: None,
        };
        let may_be_null = id.0 != OWN && id.0 != INVOICE;
        if may_be_null && self.rng.random_range(0..40) == 0 {
            row.customer = None;
        }
        if self.scope == Scope::Everything {
            if table.has(Role::Status) {
                row.counted = self.rng.random_range(0..4) != 0;
            }
            if table.has(Role::Refunded) && self.rng.random_range(0..8) == 0 {
                row.refunded = self.some_part(row.amount);
            }
        }
        if self.rng.random_range(0..60) == 0 {
            row.flaw = self.some_flaw(id.0, &row);
        }
        row
    }

    pub(super) fn some_currency(&mut self, id: &PaymentId) -> Currency {
        if let Some(currency) = self.table(id.0).only_currency {
            return currency;
        }
        if let Some(currency) = self.fixed_currency.get(id) {
            return currency;
        }
        // Mostly one currency, so that sums come together.
        if self.rng.random_bool(0.6) {
            return self.world.programs[self.world.bindings[id.0].program].currency;
        }
        CURRENCIES.choose(&mut self.rng).expect("a currency")
    }

    /// Mostly a price, sometimes nothing, next to nothing or a fortune.
    pub(super) fn some_amount(&mut self) -> Money {
        match self.rng.random_range(0..20) {
            0 => 0,
            1..5 => self.rng.random_range(1..12),
            5..12 => self.rng.random_range(100..10_000),
            12..19 => self.rng.random_range(1_000..200_000),
            _ => self.rng.random_range(1_000_000..10_000_000_000),
        }
    }

    /// From nothing to half as much again, often the whole.
    pub(super) fn some_part(&mut self, amount: Money) -> Money {
        match self.rng.random_range(0..4) {
            0 => amount,
            _ => self.rng.random_range(0..=amount + amount / 2),
        }
    }

    pub(super) fn some_time(&mut self, table: usize, customer: &str) -> PaidAt {
        let program = self.world.bindings[table].program;
        let mut moment = self.some_past_moment();
        if self.rng.random_range(0..20) == 0
            && let Some(referral) = self.world.referrals.get(&(program, customer.to_owned()))
        {
            // At the moment of the referral, and just before it.
            moment = referral.attributed_at - self.rng.random_range(0..2);
        }
        if table == CHARGE {
            PaidAt::Day(day_in_zone(moment, self.table(table).offset))
        } else if self.rng.random_range(0..10) == 0 {
            PaidAt::Posting
        } else {
            PaidAt::Moment(moment)
        }
    }

    pub(super) fn some_past_moment(&mut self) -> i64 {
        let (youngest, oldest) = *AGES.choose(&mut self.rng).expect("an age");
        let age = self.rng.random_range(youngest..=oldest);
        (self.world.today - age) * 86_400 + self.rng.random_range(0..86_400)
    }

    /// Something that makes a row unusable, where its table can hold it.
    pub(super) fn some_flaw(&mut self, table: usize, row: &Row) -> Option<Flaw> {
        // The rules are silent on bad data of an affiliate that earns nothing new.
        if row
            .customer
            .as_deref()
            .is_some_and(|customer| self.is_closed(table, customer))
        {
            return None;
        }
        let flaws: &[Flaw] = match table {
            CHARGE => &[
                Flaw::Amount(None),
                Flaw::Amount(Some("-250")),
                Flaw::Currency(Some("ZZQ")),
                Flaw::Currency(None),
            ],
            INVOICE | METER => &[
                Flaw::Amount(None),
                Flaw::Amount(Some("NaN")),
                Flaw::Amount(Some("-1")),
            ],
            TICKET => &[
                Flaw::Amount(None),
                Flaw::Amount(Some("NaN")),
                Flaw::Currency(None),
                Flaw::Currency(Some("dollars")),
            ],
            _ => &[
                Flaw::Amount(None),
                Flaw::Amount(Some("NaN")),
                Flaw::Amount(Some("Infinity")),
                Flaw::Amount(Some("-0.01")),
                Flaw::Amount(Some("1e60")),
                Flaw::Currency(None),
                Flaw::Currency(Some("dollars")),
            ],
        };
        if self.scope == Scope::Everything
            && self.table(table).has(Role::Refunded)
            && self.rng.random_range(0..5) == 0
        {
            return Some(Flaw::Refunded("-1"));
        }
        flaws.choose(&mut self.rng).copied()
    }

    pub(super) fn is_closed(&self, table: usize, customer: &str) -> bool {
        self.world
            .affiliate_of(self.world.bindings[table].program, customer)
            .is_some_and(|affiliate| self.world.affiliates[affiliate].status == Status::Closed)
    }
}

/// Customers' keys are of another kind in each program.
pub fn customer_of(program: usize, number: u32) -> String {
    match program {
        0 => format!("user-{number}"),
        1 => number.to_string(),
        _ => format!("Käufer {number}"),
    }
}
