//! Who referred a customer: the first question about every payment.

use std::collections::HashMap;

use pgrx::{FromDatum, pg_sys};

use crate::domain::settlement::Account;
use crate::pg::memory::Context;
use crate::pg::probe::{Key, Probe};
use crate::pg::relations::Relations;
use crate::pg::text::text_datum;

/// Customers have keys of at most this many bytes; longer ones are referred by nobody.
pub const MAX_CUSTOMER_LENGTH: usize = 256;
/// Answers kept for one statement, so that a bulk load asks once per customer.
const REMEMBERED: usize = 65_536;

mod column {
    pub const ID: i16 = 1;
    pub const PROGRAM: i16 = 2;
    pub const CUSTOMER: i16 = 3;
    pub const AFFILIATE_ID: i16 = 4;
    pub const ATTRIBUTED_AT: i16 = 7;
}
const AFFILIATE_STATUS: i16 = 5;

#[derive(Clone, Copy, Debug)]
pub struct Referral {
    pub account: Account,
    /// Microseconds since 2000-01-01 UTC.
    pub attributed_at: i64,
    pub is_closed: bool,
}

/// Looks up referrals of one programme during one statement.
pub struct Referrals {
    program: String,
    /// Where this was made: what it opens later must live as long.
    home: Context,
    probe: Probe,
    affiliates: Option<Probe>,
    closed: HashMap<i32, bool>,
    known: HashMap<String, Option<Referral>>,
}

impl Referrals {
    pub fn of(program: &str) -> Self {
        let relations = Relations::get();
        Self {
            program: program.to_owned(),
            home: Context::current(),
            probe: Probe::open(relations.referral, relations.referral_probe, 1),
            affiliates: None,
            closed: HashMap::new(),
            known: HashMap::new(),
        }
    }

    pub fn find(&mut self, customer: &str) -> Option<Referral> {
        if let Some(known) = self.known.get(customer) {
            return *known;
        }
        let found = self.look_up(customer);
        if self.known.len() < REMEMBERED {
            self.known.insert(customer.to_owned(), found);
        }
        found
    }

    fn look_up(&mut self, customer: &str) -> Option<Referral> {
        if customer.len() > MAX_CUSTOMER_LENGTH {
            return None;
        }
        let key = text_datum(customer);
        self.probe.seek(&mut [Key::hashed_text(1, key)]);
        let mut found = None;
        while self.probe.next() {
            if self.text_is(column::CUSTOMER, customer)
                && self.text_is(column::PROGRAM, &self.program)
            {
                found = Some((
                    Account {
                        affiliate_id: self.probe.get(column::AFFILIATE_ID).value() as i32,
                        referral_id: self.probe.get(column::ID).value() as i64,
                    },
                    self.probe.get(column::ATTRIBUTED_AT).value() as i64,
                ));
                break;
            }
        }
        unsafe {
            pg_sys::pfree(key.cast_mut_ptr());
        }
        let (account, attributed_at) = found?;
        let is_closed = self.is_closed(account.affiliate_id);
        Some(Referral {
            account,
            attributed_at,
            is_closed,
        })
    }

    fn text_is(&self, column: i16, expected: &str) -> bool {
        unsafe { <&str>::from_datum(self.probe.get(column), false) == Some(expected) }
    }

    /// Whether an affiliate is closed. A probe may pass by a row that is being updated; it is
    /// then asked again, for closing is rare and an affiliate is never deleted.
    fn is_closed(&mut self, affiliate_id: i32) -> bool {
        if let Some(known) = self.closed.get(&affiliate_id) {
            return *known;
        }
        let relations = Relations::get();
        let probe = self.affiliates.get_or_insert_with(|| {
            self.home
                .with(|| Probe::open(relations.affiliate, relations.affiliate_key, 1))
        });
        const ATTEMPTS: usize = 3;
        let mut is_closed = false;
        for _ in 0..ATTEMPTS {
            probe.seek(&mut [Key::integer(1, affiliate_id)]);
            if probe.next() {
                is_closed = unsafe { <&str>::from_datum(probe.get(AFFILIATE_STATUS), false) }
                    == Some("closed");
                break;
            }
        }
        self.closed.insert(affiliate_id, is_closed);
        is_closed
    }
}
