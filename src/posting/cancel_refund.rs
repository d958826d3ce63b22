//! Taking back a recorded refund or dispute: a bank has refused it, or it was recorded by mistake.

use std::rc::Rc;

use pgrx::prelude::*;

use crate::bindings::asked::{bound, malformed};
use crate::bindings::binding::Binding;
use crate::posting::record_refund::asked_refund_key;
use crate::posting::respell;
use crate::posting::settle::{Options, Settler};
use crate::rules::refund::Kind;
use crate::rules::words::Word;
use crate::server::calls::{required, required_text, word};
use crate::server::error::Problem;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

#[pg_extern(sql = false)]
fn affiliate_cancel_refund(
    payments: Option<pg_sys::Oid>,
    refund_key: Option<String>,
    kind: Option<String>,
    reason: Option<String>,
) -> bool {
    let refund_key = asked_refund_key(refund_key);
    let kind: Kind = word("kind", required("kind", kind));
    let reason = required_text("reason", reason);
    let binding = bound(payments);
    let caller = unsafe { pg_sys::GetOuterUserId() };
    as_owner(|| {
        let binding = respell::up_to_date(binding);
        cancel(&binding, kind, &refund_key, &reason, caller)
    })
}

/// Cancels a refund and settles its payment; false if it was canceled before.
fn cancel(
    binding: &Rc<Binding>,
    kind: Kind,
    refund_key: &str,
    reason: &str,
    caller: pg_sys::Oid,
) -> bool {
    const FIND: &str = "
        SELECT r.payment_key, r.canceled_at IS NOT NULL AS is_canceled FROM affiliate.refund r
        WHERE r.binding_id = $1 AND r.kind = $2 AND r.refund_key = $3";
    const CANCEL: &str = "
        UPDATE affiliate.refund r
        SET (canceled_at, canceled_because, canceled_by) = (now(), $5, pg_get_userbyid($6))
        WHERE r.binding_id = $1 AND r.kind = $2 AND r.refund_key = $3 AND r.payment_key = $4
            AND r.canceled_at IS NULL RETURNING r.id";
    // for a payment that another session is about to commit does not see this, nor this one it
    const WAIT: &str = "UPDATE affiliate.refund SET waits = NOT $2 WHERE id = $1 AND waits = $2";
    spi::connect(|connection| {
        loop {
            let args = [binding.id.into(), kind.as_str().into(), refund_key.into()];
            let found = connection.run(FIND, Sees::Latest, &args);
            let Some(found) = found.first() else {
                Problem::UnknownRefund {
                    kind: kind.as_str(),
                    refund_key: refund_key.to_owned(),
                }
                .raise();
            };
            if found.required("is_canceled") {
                return false;
            }
            let key: String = found.required("payment_key");
            let key_columns = binding.key_columns(&key).unwrap_or_else(|| malformed(&key));
            let mut settler = Settler::new(Rc::clone(binding));
            // first the payment, then its refund: who changes the payment's key has locked it
            // before he takes the refund along
            settler.lock(&key_columns);
            let args = [
                binding.id.into(),
                kind.as_str().into(),
                refund_key.into(),
                key.into(),
                reason.into(),
                caller.into(),
            ];
            // unless it has another key by now, or somebody else was faster
            if let Some(row) = connection.run(CANCEL, Sees::Latest, &args).first() {
                let canceled: i64 = row.required("id");
                let has_row = settler.settle(&key_columns, Options::LOCKED).has_row;
                connection.run(WAIT, Sees::Now, &[canceled.into(), has_row.into()]);
                return true;
            }
        }
    })
}
