//! A paused binding: its triggers do nothing, and resuming posts what they have left.
//!
//! Nothing may fall between the two. A statement that is left out holds a lock on the binding,
//! shared, until its transaction ends. Resuming asks for the same lock exclusively: it then waits
//! for everything that was left out, so that a new snapshot shows it, and from the moment it
//! asks nothing is left out any more, since the triggers neither get the lock nor wait for it.
//! So payments never wait for either, whatever they have read of the binding before.

use std::rc::Rc;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::bindings::asked::bound_without_lock;
use crate::bindings::binding::Binding;
use crate::server::calls::required_text;
use crate::server::error::Problem;
use crate::server::locks::object_lock;
use crate::server::names::table_name;
use crate::server::relations::Relations;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

/// Changes one row of affiliate.binding and locks no table of the host: the change tells every
/// session to read the binding again.
#[pg_extern(sql = false)]
fn affiliate_pause(
    payments: Option<pg_sys::Oid>,
    reason: Option<String>,
) -> Option<TimestampWithTimeZone> {
    let (binding, table) = bound_without_lock(payments);
    let reason = required_text("reason", reason);
    const PAUSE: &str = "
        UPDATE affiliate.binding b
        SET (paused_at, paused_because, paused_by) = (now(), $2, pg_get_userbyid($3))
        WHERE b.id = $1 AND b.detached_at IS NULL AND b.paused_at IS NULL RETURNING b.paused_at";
    let caller = unsafe { pg_sys::GetOuterUserId() };
    let paused_at = as_owner(|| {
        spi::connect(|connection| {
            let args = [binding.into(), reason.into(), caller.into()];
            let rows = connection.run(PAUSE, Sees::Now, &args);
            rows.first().map(|row| row.required("paused_at"))
        })
    });
    if paused_at.is_none() {
        let table = table_name(table);
        Problem::AlreadyPaused { table }.raise();
    }
    paused_at
}

/// The binding to post by, as it is now; `None` where the statement is to be left out.
pub fn unless_paused(table: pg_sys::Oid, binding: Rc<Binding>) -> Option<Rc<Binding>> {
    if binding.is_paused {
        again(table, binding)
    } else {
        Some(binding)
    }
}

#[cold]
fn again(table: pg_sys::Oid, binding: Rc<Binding>) -> Option<Rc<Binding>> {
    // while it is being resumed it is as good as not paused
    if !try_lock(binding.id) {
        return Some(binding);
    }
    // it may have been resumed since this session read it: whoever had the lock before has sent
    // that by now
    unsafe { pg_sys::AcceptInvalidationMessages() };
    Binding::of(table).filter(|binding| !binding.is_paused)
}

/// Shared, until the transaction ends; false if it is being resumed.
fn try_lock(binding_id: i32) -> bool {
    let got =
        unsafe { pg_sys::LockAcquire(&lock_of(binding_id), pg_sys::ShareLock as _, false, true) };
    got != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Waits for the transactions in which statements were left out, and lets no other one be.
pub fn let_none_be_left_out(binding_id: i32) {
    unsafe {
        pg_sys::LockAcquire(
            &lock_of(binding_id),
            pg_sys::ExclusiveLock as _,
            false,
            false,
        );
    }
}

fn lock_of(binding_id: i32) -> pg_sys::LOCKTAG {
    object_lock(Relations::get().binding, binding_id as u32)
}
