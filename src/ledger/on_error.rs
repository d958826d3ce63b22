//! What an error of our own while posting does to the payment: it fails with it, or goes through
//! and stands in quarantine.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

use super::binding::Binding;
use super::quarantine;
use super::settle::{Effect, Options, Settler};
use crate::domain::fault::Fault;
use crate::pg::rights::as_owner;
use crate::pg::subtransaction::{Failure, catch};

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

/// Errors that are nobody's fault here fail the statement as ever: it was canceled or gave up
/// waiting, the server is shut down or has no disk or memory left, or the transaction is to be
/// tried again.
fn is_internal(failure: &Failure) -> bool {
    const NOT_OURS: &[&str] = &["40", "53", "57", "55P03"];
    let state = failure.sqlstate();
    !NOT_OURS.iter().any(|class| state.starts_with(class))
}

/// Runs `body`; what it did is undone if it fails.
pub fn attempt<T>(body: impl FnOnce() -> T) -> Result<T, Failure> {
    catch(is_internal, AssertUnwindSafe(body))
}

/// Settles one payment, which stands in quarantine if that fails.
pub fn settle(binding: &Rc<Binding>, key_columns: &[String], options: Options) -> Effect {
    // what a settler has opened does not outlive an error
    let settled = attempt(|| Settler::new(Rc::clone(binding)).settle(key_columns, options));
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
    quarantine::put(binding, key, Fault::Internal, &detail, None)
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
