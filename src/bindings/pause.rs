//! A paused binding: its triggers do nothing, and resuming posts what they have left.
//!
//! Nothing may fall between the two. A statement that is left out holds a lock on the binding,
//! shared, until its transaction ends. Resuming asks for the same lock exclusively: it then waits
//! for everything that was left out, so that a new snapshot shows it, and from the moment it
//! asks nothing is left out any more, since the triggers neither get the lock nor wait for it.
//! So payments never wait for either, whatever they have read of the binding before.

use std::rc::Rc;

use pgrx::pg_sys;

use crate::bindings::binding::Binding;
use crate::server::relations::Relations;

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
    let got = unsafe { pg_sys::LockAcquire(&tag(binding_id), pg_sys::ShareLock as _, false, true) };
    got != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Waits for the transactions in which statements were left out, and lets no other one be.
pub fn end(binding_id: i32) {
    unsafe {
        pg_sys::LockAcquire(&tag(binding_id), pg_sys::ExclusiveLock as _, false, false);
    }
}

/// A lock of the kind that objects of the catalog have, which no SQL can take.
fn tag(binding_id: i32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: Relations::get().binding.to_u32(),
        locktag_field3: binding_id as u32,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}
