//! What an error of our own while posting does to the payment: it fails with it, or goes through
//! and stands in quarantine.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

use crate::bindings::binding::Binding;
use crate::posting::quarantine;
use crate::posting::settle::{Effect, Options, Settler};
use crate::rules::fault::Fault;
use crate::server::rights::as_owner;
use crate::server::subtransaction::{Failure, catch};

#[derive(Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
pub enum OnError {
    #[name = c"fail"]
    Fail,
    #[name = c"quarantine"]
    Quarantine,
}

static ON_ERROR: GucSetting<OnError> = GucSetting::<OnError>::new(OnError::Fail);

/// Defines the setting; once, when the library is loaded. Superusers set it, since whoever
/// inserts payments must not decide what becomes of their commission.
pub fn init() {
    GucRegistry::define_enum_guc(
        c"affiliate.on_error",
        c"What an internal error while posting does to the payment: fail, or quarantine.",
        c"",
        &ON_ERROR,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// Whether payments go through although posting fails.
#[inline]
pub fn quarantines() -> bool {
    ON_ERROR.get() == OnError::Quarantine
}

/// Runs `body`; what it did is undone if it fails. Errors of circumstances fail the statement as
/// ever.
pub fn attempt<T>(body: impl FnOnce() -> T) -> Result<T, Failure> {
    catch(
        |failure| !failure.is_of_circumstances(),
        AssertUnwindSafe(body),
    )
}

/// Settles one payment, which stands in quarantine if that fails.
pub fn settle(binding: &Rc<Binding>, key_columns: &[String], options: Options) -> Effect {
    settle_by(binding, key_columns, |settler| {
        settler.settle(key_columns, options)
    })
}

/// The same in the way that `body` settles it.
pub fn settle_by(
    binding: &Rc<Binding>,
    key_columns: &[String],
    body: impl FnOnce(&mut Settler) -> Effect,
) -> Effect {
    // what a settler has opened does not outlive an error
    let settled = attempt(|| body(&mut Settler::new(Rc::clone(binding))));
    settled.unwrap_or_else(|failure| {
        let key = binding.key_text(key_columns.to_vec());
        Effect {
            newly_quarantined: put(binding, &key, &failure),
            is_faulty: true,
            ..Effect::default()
        }
    })
}

fn put(binding: &Binding, key: &str, failure: &Failure) -> bool {
    let detail = format!("{} (SQLSTATE {})", failure.message, failure.sqlstate());
    quarantine::put(binding, key, &Fault::Internal.of(detail), None)
}

/// Puts the payments that `keys` passes on into quarantine: those of referred customers, where
/// that can be told.
pub fn put_aside(
    binding: &Rc<Binding>,
    failure: &Failure,
    keys: impl Fn(bool, &mut dyn FnMut(Vec<String>)),
) {
    let put_all = |only_referred| {
        as_owner(|| {
            keys(only_referred, &mut |key_columns| {
                put(binding, &binding.key_text(key_columns), failure);
            });
        });
    };
    // what has failed may be the very look-up of the referrals
    if attempt(|| put_all(true)).is_err() {
        put_all(false);
    }
}
