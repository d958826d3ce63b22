//! What one call of the trigger must know of another one in the same transaction.
//!
//! Payments that were changed or deleted: a trigger of the host, or a function that a statement
//! calls, may have done so within the very statement that inserted them. The copy that this
//! statement hands to our trigger is older then, so for these the row is read. And payments that
//! have just left their partition for another one.

use std::cell::RefCell;

use pgrx::pg_sys;
use rustc_hash::{FxBuildHasher, FxHashSet};

/// So many changed payments are remembered one by one.
const MOST: usize = 10_000;

/// The changed payments of a transaction, by binding and key.
enum Changed {
    Some(FxHashSet<(i32, String)>),
    TooMany,
}

impl Changed {
    const NONE: Self = Self::Some(FxHashSet::with_hasher(FxBuildHasher));
}

thread_local! {
    static CHANGED: RefCell<Changed> = const { RefCell::new(Changed::NONE) };
    static MOVED: RefCell<Vec<Moved>> = const { RefCell::new(Vec::new()) };
}

/// A payment that a command has taken out of its partition.
///
/// A command queues the row's deletion there and its insertion here one after the other, and
/// fires them at one depth of triggers. What triggers of the host do in between fires deeper, and
/// is over when something fires at this depth again. So the latest one of each depth is all that
/// can be waited for, by the next insertion at this depth, and only if it is of the same command;
/// numbers of commands are used once in a transaction, whatever is rolled back. There is none if a
/// trigger of the host swallows the row on its way.
struct Moved {
    depth: i32,
    binding_id: i32,
    command: u32,
    key_columns: Vec<String>,
}

/// Has what a transaction remembers forgotten at its end; once, when the library is loaded.
pub fn init() {
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_transaction_end), std::ptr::null_mut());
    }
}

/// Whether the row of a payment was changed earlier in this transaction. A change that was
/// rolled back to a savepoint still counts: then the row is read for nothing.
pub fn was_changed(binding_id: i32, key: &str) -> bool {
    CHANGED.with_borrow(|changed| match changed {
        Changed::Some(set) => !set.is_empty() && set.contains(&(binding_id, key.to_owned())),
        Changed::TooMany => true,
    })
}

/// Remembers a changed payment.
pub fn remember(binding_id: i32, key: impl FnOnce() -> String) {
    CHANGED.with_borrow_mut(|changed| {
        if let Changed::Some(set) = changed {
            set.insert((binding_id, key()));
            if set.len() > MOST {
                *changed = Changed::TooMany;
            }
        }
    });
}

/// Remembers the key columns of a payment that a command has taken out of its partition.
pub fn remember_moved(binding_id: i32, command: u32, key_columns: Vec<String>) {
    let depth = trigger_depth();
    MOVED.with_borrow_mut(|moved| {
        moved.retain(|other| other.depth < depth);
        moved.push(Moved {
            depth,
            binding_id,
            command,
            key_columns,
        });
    });
}

/// The key columns of the payment that the same command has just taken out of its partition.
pub fn take_moved(binding_id: i32, command: impl FnOnce() -> u32) -> Option<Vec<String>> {
    MOVED.with_borrow_mut(|moved| {
        if moved.is_empty() {
            return None;
        }
        let depth = trigger_depth();
        moved.retain(|other| other.depth <= depth);
        let latest = moved.pop_if(|latest| latest.depth == depth)?;
        (latest.binding_id == binding_id && latest.command == command())
            .then_some(latest.key_columns)
    })
}

/// How many triggers are being executed, each called by a statement of the one before.
fn trigger_depth() -> i32 {
    // takes no arguments, and reads nothing of what it is called with
    unsafe { pg_sys::pg_trigger_depth(std::ptr::null_mut()) }.value() as i32
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn at_transaction_end(
    _event: pg_sys::XactEvent::Type,
    _arg: *mut std::ffi::c_void,
) {
    CHANGED.replace(Changed::NONE);
    MOVED.take();
}
