//! Who referred a customer: the first question about every payment.

use std::rc::Rc;

use pgrx::{FromDatum, pg_sys};
use rustc_hash::FxHashMap;

use crate::bindings::binding::Binding;
use crate::bindings::row::Row;
use crate::rules::eligibility::Referral;
use crate::rules::settlement::Account;
use crate::server::memory::Context;
use crate::server::probe::{Key, Probe};
use crate::server::relations::Layout;
use crate::server::scan;
use crate::server::text::{Text, as_bigint, bytes};

/// Customers have keys of at most this many bytes; longer ones are referred by nobody.
pub const MAX_CUSTOMER_LENGTH: usize = 256;
/// Look-ups before it pays to keep answers.
const FEW: usize = 8;
/// Rows of a statement from which it may pay to read all referrals.
const MANY: i64 = 1000;
/// About so many fit on a page.
const REFERRALS_PER_PAGE: i64 = 80;

mod column {
    pub const ID: i16 = 1;
    pub const PROGRAM: i16 = 2;
    pub const CUSTOMER: i16 = 3;
    pub const AFFILIATE_ID: i16 = 4;
    pub const ATTRIBUTED_AT: i16 = 7;
}

/// affiliate.referral, and the index of customers.
static REFERRALS: Layout = Layout::new(
    |relations| relations.referral,
    &[
        ("id", pg_sys::INT8OID),
        ("program", pg_sys::TEXTOID),
        ("customer", pg_sys::TEXTOID),
        ("affiliate_id", pg_sys::INT4OID),
        ("code", pg_sys::TEXTOID),
        ("source", pg_sys::TEXTOID),
        ("attributed_at", pg_sys::TIMESTAMPTZOID),
    ],
    |relations| relations.referral_probe,
    pg_sys::HASH_AM_OID,
    &[column::CUSTOMER],
);

/// Looks up the referrals of a binding's customers during one statement.
pub struct Referrals {
    binding: Rc<Binding>,
    /// Where this was made: what it opens later must live as long.
    home: Context,
    probe: Option<Probe>,
    looked_up: usize,
    /// Answers, by the text of the customer.
    known: FxHashMap<Box<str>, Option<Referral>>,
    /// Answers where the host's customers are integers, which need no text to be compared.
    known_numbers: FxHashMap<i64, Option<Referral>>,
    /// All referrals of the program are known: who is not among them was referred by nobody.
    knows_all: bool,
    /// So many rows are to come, for which it may pay to read all referrals.
    rows: Option<i64>,
}

impl Referrals {
    pub fn of(binding: &Rc<Binding>) -> Self {
        Self {
            binding: Rc::clone(binding),
            home: Context::current(),
            probe: None,
            looked_up: 0,
            known: FxHashMap::default(),
            known_numbers: FxHashMap::default(),
            knows_all: false,
            rows: None,
        }
    }

    /// The same for a statement of so many rows. For a large one all referrals are read in one
    /// go, if they are not too many: that takes less than asking for each customer.
    pub fn for_rows(binding: &Rc<Binding>, rows: i64) -> Self {
        Self {
            rows: (rows >= MANY).then_some(rows),
            ..Self::of(binding)
        }
    }

    /// The referral of the customer of a row.
    pub fn of_row(&mut self, row: &Row) -> Option<Referral> {
        if let Some(rows) = self.rows.take() {
            self.read_all(rows);
        }
        if let Some(number) = row.customer_number() {
            if let Some(known) = self.known_numbers.get(&number) {
                return *known;
            }
            if self.knows_all {
                return None;
            }
            let found = self.look_up(&row.customer()?);
            if self.may_remember(self.known_numbers.len()) {
                self.known_numbers.insert(number, found);
            }
            return found;
        }
        let customer = row.customer()?;
        if let Some(known) = self.known.get(&*customer) {
            return *known;
        }
        if self.knows_all {
            return None;
        }
        let found = self.look_up(&customer);
        if self.may_remember(self.known.len()) {
            self.known.insert((*customer).into(), found);
        }
        found
    }

    fn may_remember(&self, count: usize) -> bool {
        self.looked_up > FEW && count < most_remembered()
    }

    fn look_up(&mut self, customer: &Text) -> Option<Referral> {
        self.looked_up += 1;
        if customer.len() > MAX_CUSTOMER_LENGTH {
            return None;
        }
        let probe = self.probe.get_or_insert_with(|| {
            self.home
                .with(|| Probe::open(&REFERRALS, 1, column::ATTRIBUTED_AT))
        });
        let mut is_row = probe.seek([Key::hashed_text(1, customer)]);
        while is_row {
            let get = |column| probe.get(column);
            if text(get(column::CUSTOMER)) == Some(customer)
                && text(get(column::PROGRAM)) == Some(&self.binding.program)
            {
                return Some(referral(&self.binding, get));
            }
            is_row = probe.next();
        }
        None
    }

    fn read_all(&mut self, rows: i64) {
        let Self {
            binding,
            known,
            known_numbers,
            ..
        } = self;
        let are_numbers = binding
            .columns
            .customer
            .column()
            .is_some_and(|c| c.to_text.is_integer());
        self.knows_all = scan::each(
            &REFERRALS,
            column::ATTRIBUTED_AT,
            |pages| {
                let expected = i64::from(pages) * REFERRALS_PER_PAGE;
                expected <= rows && expected <= most_remembered() as i64
            },
            |get| {
                // SAFETY: texts of a row, which is there for as long as this runs
                let bytes = |column| unsafe { bytes(get(column)) };
                if bytes(column::PROGRAM) != binding.program.as_bytes() {
                    return;
                }
                let found = || Some(referral(binding, get));
                if are_numbers {
                    if let Some(number) = as_bigint(bytes(column::CUSTOMER)) {
                        known_numbers.insert(number, found());
                    }
                } else if let Some(customer) = text(get(column::CUSTOMER)) {
                    known.insert(customer.into(), found());
                }
            },
        );
    }
}

fn text<'a>(datum: pg_sys::Datum) -> Option<&'a str> {
    unsafe { FromDatum::from_datum(datum, false) }
}

/// The referral in a row whose attributes `get` reads.
fn referral(binding: &Binding, get: impl Fn(i16) -> pg_sys::Datum) -> Referral {
    let affiliate_id = get(column::AFFILIATE_ID).value() as i32;
    Referral {
        account: Account {
            affiliate_id,
            referral_id: get(column::ID).value() as i64,
        },
        attributed_at: get(column::ATTRIBUTED_AT).value() as i64,
        is_closed: binding.closed_affiliates.contains(&affiliate_id),
    }
}

/// How many answers fit into work_mem.
fn most_remembered() -> usize {
    const BYTES_PER_ANSWER: usize = 100;
    unsafe { pg_sys::work_mem as usize * 1024 / BYTES_PER_ANSWER }
}
