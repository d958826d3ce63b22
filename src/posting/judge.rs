//! What a payment should be and is not, without changing it.

use crate::bindings::row::Row;
use crate::bindings::spelling;
use crate::ledger::reader::Entries;
use crate::posting::quarantine;
use crate::posting::settle::{Asked, Case, Settler, plan};
use crate::rules::eligibility::Verdict;

/// How the ledger and a bound table differ over a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Difference {
    /// An eligible payment has no entries.
    Unposted,
    /// The posted sum is not the target of the row as it is.
    OffTarget,
    /// There are entries that no row accounts for.
    NoPayment,
}

/// What [`judge`] finds.
pub struct Judged {
    pub verdict: Verdict,
    pub key_columns: Vec<String>,
    pub customer: Option<String>,
}

/// How the ledger differs from a payment as it is now.
pub fn difference(settler: &mut Settler, asked: &[String]) -> Option<Difference> {
    let key = settler.binding.key_text(asked.to_vec());
    let mut other = None;
    let found = settler.read_row(Asked::ByText(asked), false, |settler, slot| {
        // SAFETY: the slot holds a row of the bound table
        let columns = unsafe { Row::new(&settler.binding, slot) }.key_columns();
        if columns != asked {
            // it is the payment of its own spelling
            other = Some(settler.binding.key_text(columns));
            return None;
        }
        Some(settler.judge_slot(&key, slot, None))
    });
    let case = found.flatten().unwrap_or_else(|| settler.without_row(&key));
    let Case { verdict, entries } = case;
    let keeps_deleted = settler.binding.keeps_deleted && other.is_none();
    match plan(&verdict, &entries, keeps_deleted) {
        Ok(postings) if postings.is_empty() => {
            let is_left = other.is_some_and(|own| is_left_behind(settler, &key, &entries, &own));
            is_left.then_some(Difference::OffTarget)
        }
        Ok(_) if matches!(verdict, Verdict::Missing | Verdict::Unreferred) => {
            Some(Difference::NoPayment)
        }
        Ok(_) if entries.terms.is_none() => Some(Difference::Unposted),
        Ok(_) => Some(Difference::OffTarget),
        // verify shows what stands in quarantine
        Err(_) if quarantine::holds(&settler.binding, &key) => None,
        Err(_) if entries.is_unreadable => Some(Difference::OffTarget),
        Err(_) => Some(Difference::Unposted),
    }
}

/// What the ledger should say of a payment, the texts of its key in its row, or those that its
/// columns would have if there is none, and its customer.
/// `None` if what is asked for is no key.
pub fn judge(settler: &mut Settler, asked: &[String]) -> Option<Judged> {
    let key = &settler.binding.columns.key;
    let mut judged = Judged {
        verdict: Verdict::Missing,
        key_columns: spelling::canonical(settler.binding.table, key, asked)?,
        customer: None,
    };
    let verdict = settler.read_row(Asked::ByText(asked), false, |settler, slot| {
        // SAFETY: the slot holds a row of the bound table
        let row = unsafe { Row::new(&settler.binding, slot) };
        judged.customer = row.customer().map(|customer| customer.to_owned());
        judged.key_columns = row.key_columns();
        let key = row.key();
        settler.judge_slot(&key, slot, None).verdict
    });
    judged.verdict = verdict.unwrap_or(Verdict::Missing);
    Some(judged)
}

/// Whether terms or refunds are known of a payment under another spelling of its key than its
/// row has, although its entries come to nothing.
fn is_left_behind(settler: &mut Settler, key: &str, entries: &Entries, own: &str) -> bool {
    let id = settler.binding.id;
    settler.binding.has_recorded_refunds && settler.recorded.has_any(id, key)
        || entries.terms.is_some() && settler.ledger.entries(own).last_seq == 0
}
