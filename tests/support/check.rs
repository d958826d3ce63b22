//! Reading a database the way an operator would: errors, figures, `affiliate_verify()`.

use std::collections::BTreeMap;
use std::fmt;

use postgres::{Error, GenericClient};

use super::money::{commission, minor};

/// An error as PostgreSQL reports it.
#[derive(Debug)]
pub struct Refusal {
    pub sqlstate: String,
    pub message: String,
    pub detail: String,
    pub hint: String,
}

impl Refusal {
    pub fn of(error: &Error) -> Refusal {
        let error = error
            .as_db_error()
            .unwrap_or_else(|| panic!("not an error of the database: {error:?}"));
        Refusal {
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().unwrap_or_default().to_owned(),
            hint: error.hint().unwrap_or_default().to_owned(),
        }
    }
}

/// The error of a statement that must fail, and not by an internal error (class XX).
pub fn refusal<T>(what: &str, result: Result<T, Error>) -> Refusal {
    let Err(error) = result else {
        panic!("{what}: accepted, but must be refused");
    };
    let refusal = Refusal::of(&error);
    assert!(
        !refusal.sqlstate.starts_with("XX"),
        "{what}: internal error {refusal:?}"
    );
    refusal
}

/// A row of `affiliate_verify()` that found something.
#[derive(Debug)]
pub struct Violation {
    pub check: String,
    pub description: String,
    pub count: i64,
    pub sample: Option<String>,
}

/// Every check of `affiliate_verify()` that is not zero.
pub fn violations(client: &mut impl GenericClient) -> Vec<Violation> {
    let rows = client
        .query(
            "SELECT check_name::text, description::text, violations::bigint, sample::text \
             FROM affiliate_verify() ORDER BY check_name",
            &[],
        )
        .unwrap_or_else(|error| panic!("affiliate_verify(): {error:?}"));
    assert!(!rows.is_empty(), "affiliate_verify() checks nothing");
    rows.iter()
        .map(|row| Violation {
            check: row.get(0),
            description: row.get(1),
            count: row.get(2),
            sample: row.get(3),
        })
        .filter(|violation| violation.count != 0)
        .collect()
}

/// Fails, with the offending rows, unless every check of `affiliate_verify()` is zero.
pub fn assert_verified(client: &mut impl GenericClient) {
    let violations = violations(client);
    assert!(
        violations.is_empty(),
        "affiliate_verify() is not clean: {violations:#?}"
    );
}

/// The figures of one affiliate in one currency, in minor units.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub referred: i64,
    pub conversions: i64,
    pub spent: i128,
    pub commission: i128,
    pub pending: i128,
    pub payable: i128,
    pub processing: i128,
    pub paid: i128,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} referred, {} converted, spent {}, commission {} = pending {} + payable {} \
             + processing {} + paid {}",
            self.referred,
            self.conversions,
            self.spent,
            self.commission,
            self.pending,
            self.payable,
            self.processing,
            self.paid
        )
    }
}

impl Figures {
    /// Every cent is in exactly one of the four states.
    pub fn assert_balanced(&self) {
        assert_eq!(
            self.commission,
            self.pending + self.payable + self.processing + self.paid,
            "the balance identity does not hold: {self:?}"
        );
    }
}

const FIGURE_COLUMNS: &str = "code::text, currency::text, total_users_referred::bigint, \
     total_conversions::bigint, total_money_spent::text, total_commission::text, \
     pending_amount::text, total_payout_amount::text, processing_amount::text, paid_amount::text";

/// `affiliate_stats(code)` by currency.
pub fn figures(client: &mut impl GenericClient, code: &str) -> BTreeMap<String, Figures> {
    let sql = format!("SELECT {FIGURE_COLUMNS} FROM affiliate_stats($1)");
    let rows = client
        .query(&sql, &[&code])
        .unwrap_or_else(|error| panic!("affiliate_stats({code}): {error:?}"));
    let mut by_currency = BTreeMap::new();
    for row in &rows {
        let (_, currency, figures) = read(row);
        let doubled = by_currency.insert(currency, figures);
        assert!(
            doubled.is_none(),
            "affiliate_stats({code}): two rows of one currency"
        );
    }
    assert!(!by_currency.is_empty(), "affiliate_stats({code}): no row");
    by_currency
}

/// `affiliate_stats()`, every affiliate, by code and currency.
pub fn all_figures(client: &mut impl GenericClient) -> BTreeMap<(String, String), Figures> {
    let sql = format!("SELECT {FIGURE_COLUMNS} FROM affiliate_stats()");
    let rows = client
        .query(&sql, &[])
        .unwrap_or_else(|error| panic!("affiliate_stats(): {error:?}"));
    let mut all = BTreeMap::new();
    for row in &rows {
        let (code, currency, figures) = read(row);
        let key = (code, currency);
        assert!(
            all.insert(key.clone(), figures).is_none(),
            "affiliate_stats(): {key:?} twice"
        );
    }
    all
}

fn read(row: &postgres::Row) -> (String, String, Figures) {
    let currency: String = row.get(1);
    let money = |column: usize| minor(row.get(column), &currency);
    let figures = Figures {
        referred: row.get(2),
        conversions: row.get(3),
        spent: money(4),
        commission: money(5),
        pending: money(6),
        payable: money(7),
        processing: money(8),
        paid: money(9),
    };
    figures.assert_balanced();
    (row.get(0), currency, figures)
}

/// Enrolls an account, with its public code.
pub fn enroll(client: &mut impl GenericClient, owner: &str, program: &str) -> String {
    client
        .query_one(
            "SELECT code::text FROM affiliate_create(owner => $1, program => $2)",
            &[&owner, &program],
        )
        .unwrap_or_else(|error| panic!("affiliate_create({owner}): {error:?}"))
        .get(0)
}

/// Runs statements that must succeed; the statement is in the message when they don't.
pub fn run(client: &mut impl GenericClient, sql: &str) {
    client
        .batch_execute(sql)
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
}

/// The value of a query with one column and at most one row, as text; NULL reads as "".
pub fn value(client: &mut impl GenericClient, sql: &str) -> String {
    let text: Option<String> = client
        .query_one(&format!("SELECT ({sql})::text"), &[])
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"))
        .get(0);
    text.unwrap_or_default()
}

/// What payments have earned, by currency: net money spent and commission, in minor units. The
/// query returns each payment's net amount as text and its currency.
pub fn earned(
    client: &mut impl GenericClient,
    sql: &str,
    rate_millionths: i128,
) -> BTreeMap<String, (i128, i128)> {
    let mut sums: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    for row in client
        .query(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"))
    {
        let currency: String = row.get(1);
        let net = minor(row.get(0), &currency);
        let sum = sums.entry(currency).or_default();
        sum.0 += net;
        sum.1 += commission(rate_millionths, net);
    }
    sums
}

/// The figures must say exactly what the payments of a query have earned.
pub fn assert_earned(client: &mut impl GenericClient, code: &str, sql: &str, rate: i128) {
    let earned = earned(client, sql, rate);
    let said: BTreeMap<String, (i128, i128)> = figures(client, code)
        .into_iter()
        .map(|(currency, figures)| (currency, (figures.spent, figures.commission)))
        .collect();
    assert_eq!(
        said, earned,
        "affiliate_stats({code}) against the payments themselves"
    );
}

/// Records a referral long before any payment of the tests.
pub fn attribute(client: &mut impl GenericClient, customer: &str, code: &str, program: &str) {
    client
        .execute(
            "SELECT affiliate_attribute($1::text, code => $2, program => $3,
                 attributed_at => now() - interval '400 days')",
            &[&customer, &code, &program],
        )
        .unwrap_or_else(|error| panic!("affiliate_attribute({customer}): {error:?}"));
}
