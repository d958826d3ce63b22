//! Who referred a customer: the first question about every payment.

use std::rc::Rc;

use pgrx::FromDatum;
use rustc_hash::FxHashMap;

use super::binding::Binding;
use crate::domain::settlement::Account;
use crate::pg::memory::Context;
use crate::pg::probe::{Key, Lock, Probe, Text};
use crate::pg::relations::Relations;

/// Customers have keys of at most this many bytes; longer ones are referred by nobody.
pub const MAX_CUSTOMER_LENGTH: usize = 256;
/// Answers kept for one statement, so that a bulk load asks once per customer.
const REMEMBERED: usize = 65_536;
/// Look-ups before it pays to keep answers.
const FEW: usize = 8;

mod column {
    pub const ID: i16 = 1;
    pub const PROGRAM: i16 = 2;
    pub const CUSTOMER: i16 = 3;
    pub const AFFILIATE_ID: i16 = 4;
    pub const ATTRIBUTED_AT: i16 = 7;
}

#[derive(Clone, Copy, Debug)]
pub struct Referral {
    pub account: Account,
    /// Microseconds since 2000-01-01 UTC.
    pub attributed_at: i64,
    pub is_closed: bool,
}

/// Looks up the referrals of a binding's customers during one statement.
pub struct Referrals {
    binding: Rc<Binding>,
    /// Where this was made: what it opens later must live as long.
    home: Context,
    probe: Option<Probe>,
    looked_up: usize,
    known: FxHashMap<String, Option<Referral>>,
}

impl Referrals {
    pub fn of(binding: &Rc<Binding>) -> Self {
        Self {
            binding: Rc::clone(binding),
            home: Context::current(),
            probe: None,
            looked_up: 0,
            known: FxHashMap::default(),
        }
    }

    pub fn find(&mut self, customer: &str) -> Option<Referral> {
        if let Some(known) = self.known.get(customer) {
            return *known;
        }
        let found = self.look_up(customer);
        self.looked_up += 1;
        if self.looked_up > FEW && self.known.len() < REMEMBERED {
            self.known.insert(customer.to_owned(), found);
        }
        found
    }

    fn look_up(&mut self, customer: &str) -> Option<Referral> {
        if customer.len() > MAX_CUSTOMER_LENGTH {
            return None;
        }
        let probe = self.probe.get_or_insert_with(|| {
            let relations = Relations::get();
            self.home
                .with(|| Probe::open(relations.referral, relations.referral_probe, 1, Lock::Read))
        });
        let text_is = |probe: &Probe, column, expected| unsafe {
            <&str>::from_datum(probe.get(column), false) == Some(expected)
        };
        let key = Text::new(customer);
        let mut found = None;
        let mut is_row = probe.seek([Key::hashed_text(1, &key)]);
        while is_row {
            if text_is(probe, column::CUSTOMER, customer)
                && text_is(probe, column::PROGRAM, &self.binding.program)
            {
                let affiliate_id = probe.get(column::AFFILIATE_ID).value() as i32;
                let referral_id = probe.get(column::ID).value() as i64;
                found = Some(Referral {
                    account: Account {
                        affiliate_id,
                        referral_id,
                    },
                    attributed_at: probe.get(column::ATTRIBUTED_AT).value() as i64,
                    is_closed: self.binding.closed_affiliates.contains(&affiliate_id),
                });
                break;
            }
            is_row = probe.next();
        }
        found
    }
}
