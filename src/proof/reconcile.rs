//! Back-fill and reconciliation: the trigger's own rules, over rows that no trigger saw.

use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::bindings::asked::bound;
use crate::bindings::binding::Binding;
use crate::bindings::row::Window;
use crate::posting::backfill;
use crate::posting::judge::Difference;
use crate::posting::on_error;
use crate::posting::record_refund::settle_waiting;
use crate::posting::refund_spellings;
use crate::posting::respell;
use crate::posting::settle::{Counts, Effect, Options, Settler};
use crate::proof::comparison;
use crate::server::calls::{argument, raw_function, required, return_rows};
use crate::server::locks::{RECONCILE_LOCK, advisory_lock, require_read_committed};
use crate::server::names::table_name;
use crate::server::rights::{as_owner, unless_host_fails_or_refused};
use crate::server::snapshot::{self, Kept};
use crate::server::spi::{self, Sees};

/// # Safety
/// The function must return three bigints.
pub unsafe fn return_counts(fcinfo: pg_sys::FunctionCallInfo, counts: Counts) {
    spi::connect(|connection| {
        let args = [
            counts.posted.into(),
            counts.reversed.into(),
            counts.quarantined.into(),
        ];
        unsafe {
            return_rows(
                fcinfo,
                &connection.run("SELECT $1, $2, $3", Sees::Now, &args),
            )
        };
    });
}

raw_function!(
    affiliate_backfill_wrapper,
    pg_finfo_affiliate_backfill_wrapper,
    |fcinfo| {
        require_read_committed("affiliate_backfill()");
        let moment = |n| unsafe { argument::<TimestampWithTimeZone>(fcinfo, n) }.map(i64::from);
        let binding = bound(unsafe { argument::<pg_sys::Oid>(fcinfo, 0) });
        let window = Window {
            since: moment(1),
            until: moment(2),
        };
        let mut counts = Counts::default();
        as_owner(|| {
            let binding = respell::up_to_date(binding);
            // or they would be posted as if nothing was known of them
            comparison::respelled(&binding, |settler, key_columns| {
                counts.add(settle(settler, &binding, key_columns));
            });
            learn_spellings(&binding, &mut counts);
            backfill::post_missing(&binding, window, i64::MAX, &mut counts);
        });
        unsafe { return_counts(fcinfo, counts) };
        pg_sys::Datum::null()
    }
);

raw_function!(
    affiliate_reconcile_wrapper,
    pg_finfo_affiliate_reconcile_wrapper,
    |fcinfo| {
        require_read_committed("affiliate_reconcile()");
        let extent = Extent {
            limit: unsafe { argument::<i64>(fcinfo, 0) }.unwrap_or(i64::MAX),
            force: required("force", unsafe { argument::<bool>(fcinfo, 1) }),
        };
        let mut counts = Counts::default();
        as_owner(|| {
            advisory_lock(RECONCILE_LOCK);
            for table in bound_tables() {
                // what is paused is left alone by all but affiliate_resume()
                let Some(binding) = Binding::of(table).filter(|binding| !binding.is_paused) else {
                    continue;
                };
                let before = counts;
                let reconciled = unless_host_fails_or_refused(|| {
                    let binding = respell::up_to_date(binding);
                    reconcile(&binding, extent, &mut counts)
                });
                let left = match reconciled {
                    Ok(Ok(())) => continue,
                    Ok(Err(refusal)) => format!("is left as it is: {refusal}"),
                    Err(why) => format!("can't be read: {why}"),
                };
                counts = before;
                pgrx::warning!("{} {left}", table_name(table));
            }
            settle_waiting();
        });
        unsafe { return_counts(fcinfo, counts) };
        pg_sys::Datum::null()
    }
);

/// The bound tables that are there, by the number of their binding.
pub fn bound_tables() -> Vec<pg_sys::Oid> {
    const BOUND: &str = "
        SELECT b.payments::oid AS \"table\" FROM affiliate.binding b
        WHERE b.detached_at IS NULL AND EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments) ORDER BY b.id";
    spi::connect(|connection| {
        let rows = connection.run(BOUND, Sees::Now, &[]);
        rows.values("table").collect()
    })
}

/// Missing payments up to which each is settled by itself; more are posted as a back-fill does.
const FEW: usize = 1000;

/// How much a reconciliation may do.
#[derive(Clone, Copy)]
pub struct Extent {
    /// So many payments at most may change.
    pub limit: i64,
    /// Whatever share of the table's payments is reversed.
    pub force: bool,
}

impl Extent {
    pub const ALL: Self = Self {
        limit: i64::MAX,
        force: false,
    };
}

/// Reversals up to which nobody asks what share of the payments they are.
const FEW_REVERSALS: i64 = 100;
/// The share of a table's payments above which they are not reversed: a tenth.
const SHARE: i64 = 10;

/// Why a table is not reconciled: keys were rewritten, or rows went past the triggers.
pub struct ManyReversals {
    pub reversed: i64,
    /// Payments of the table that had entries.
    pub known: i64,
}

impl fmt::Display for ManyReversals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reversed, known } = self;
        write!(
            f,
            "affiliate_reconcile() would reverse {reversed} of its {known} payments; \
             affiliate_reconcile(force => true) does"
        )
    }
}

/// Settles every payment of a table whose ledger is not what its row says. To be undone if it
/// refuses.
pub fn reconcile(
    binding: &Rc<Binding>,
    extent: Extent,
    counts: &mut Counts,
) -> Result<(), ManyReversals> {
    let before = (!extent.force).then(|| Kept::latest(&binding.tables()));
    let reversed_before = counts.reversed;
    if let Some(before) = &before
        && extent.limit < i64::MAX
    {
        // in parts as well it must not do what it would not do at once
        let mut all = Counts::default();
        comparison::differences(binding, |settler, _, key_columns| {
            all.add(settler.settle(key_columns, Options::DRY_RUN));
            ControlFlow::Continue(())
        });
        refuse_many(binding, before, all.reversed)?;
    }
    settle_table(binding, extent.limit, counts);
    match &before {
        Some(before) => refuse_many(binding, before, counts.reversed - reversed_before),
        None => Ok(()),
    }
}

fn refuse_many(binding: &Binding, before: &Kept, reversed: i64) -> Result<(), ManyReversals> {
    if reversed <= FEW_REVERSALS {
        return Ok(());
    }
    const KNOWN: &str = "SELECT count(DISTINCT c.payment_key) AS known FROM affiliate.commission c WHERE c.binding_id = $1";
    let known: i64 = before.with(|| {
        spi::connect(|connection| {
            let rows = connection.run(KNOWN, Sees::Caller, &[binding.id.into()]);
            rows.only().required("known")
        })
    });
    if reversed.saturating_mul(SHARE) > known {
        return Err(ManyReversals { reversed, known });
    }
    Ok(())
}

fn settle_table(binding: &Rc<Binding>, limit: i64, counts: &mut Counts) {
    learn_spellings(binding, counts);
    if !settle_differences(binding, limit, FEW, counts) {
        backfill::post_missing(binding, Window::default(), limit, counts);
        settle_differences(binding, limit, usize::MAX, counts);
    }
    let mut settler = Settler::new(Rc::clone(binding));
    const QUARANTINED: &str = "SELECT payment_key FROM affiliate.quarantine WHERE binding_id = $1 AND resolved_at IS NULL ORDER BY id";
    spi::connect(|connection| {
        let rows = connection.run(QUARANTINED, Sees::Now, &[binding.id.into()]);
        for key in rows.values::<String>("payment_key") {
            if let Some(key_columns) = binding.key_columns(&key) {
                counts.add(settle(&mut settler, binding, &key_columns));
            }
        }
    });
}

/// Settles payments whose refunds are spelled in a way that no trigger has noticed.
fn learn_spellings(binding: &Rc<Binding>, counts: &mut Counts) {
    let mut settler = Settler::new(Rc::clone(binding));
    snapshot::with_latest(&binding.tables(), || {
        comparison::misspelled(binding, &mut settler, |settler, own, asked| {
            let text = |key: &[String]| binding.key_text(key.to_vec());
            refund_spellings::remember_spelling(binding, &text(own), &text(asked));
            counts.add(settle(settler, binding, own));
            ControlFlow::Continue(())
        });
    });
}

/// Settles a payment; one that can't be goes to quarantine, or stays there, if errors do that.
fn settle(settler: &mut Settler, binding: &Rc<Binding>, key_columns: &[String]) -> Effect {
    if on_error::quarantines() {
        on_error::settle(binding, key_columns, Options::LOCKED)
    } else {
        settler.settle(key_columns, Options::LOCKED)
    }
}

/// Settles the payments that differ. False if it broke off, as more than so many had no entries.
fn settle_differences(binding: &Rc<Binding>, limit: i64, few: usize, counts: &mut Counts) -> bool {
    let mut missing = 0;
    comparison::differences(binding, |settler, difference, key_columns| {
        if counts.posted + counts.reversed >= limit {
            return ControlFlow::Break(());
        }
        missing += usize::from(difference == Difference::Unposted);
        if missing > few {
            return ControlFlow::Break(());
        }
        counts.add(settle(settler, binding, key_columns));
        ControlFlow::Continue(())
    });
    missing <= few
}
