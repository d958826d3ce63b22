//! Slots that a session keeps: to make one for each statement and drop it again costs more than
//! most of what is done with it.

use std::cell::Cell;

use pgrx::pg_sys;

use crate::server::memory::Context;

pub type Slot = *mut pg_sys::TupleTableSlot;

/// A slot for rows of a transition table, made when it is first lent.
#[derive(Default)]
pub struct KeptSlot(Cell<Option<Made>>);

struct Made {
    context: Option<Context>,
    slot: Slot,
}

impl KeptSlot {
    /// Lends the slot; to who asks while it is lent, one of his own.
    ///
    /// # Safety
    /// The descriptor must be the same, or say the same, as long as this is kept.
    pub unsafe fn lend(&self, descriptor: pg_sys::TupleDesc) -> Lent<'_> {
        let made = self.0.take().unwrap_or_else(|| {
            let context = Context::of_session(c"affiliate slot");
            let slot = context.with(|| unsafe {
                // a copy that nobody counts references to, with the values of columns that were
                // added after the row
                let descriptor = pg_sys::CreateTupleDescCopyConstr(descriptor);
                pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsMinimalTuple)
            });
            let context = Some(context);
            Made { context, slot }
        });
        let slot = made.slot;
        let made = Some(made);
        Lent {
            slot,
            home: self,
            made,
        }
    }
}

pub struct Lent<'a> {
    pub slot: Slot,
    home: &'a KeptSlot,
    made: Option<Made>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // after an error nobody knows what is in it
        if std::thread::panicking() {
            return;
        }
        const OWNS_ITS_ROW: u16 = pg_sys::TTS_FLAG_SHOULDFREE as u16;
        unsafe {
            if (*self.slot).tts_flags & OWNS_ITS_ROW != 0 {
                pg_sys::ExecClearTuple(self.slot);
            }
        }
        self.home.0.set(self.made.take());
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(context) = self.context.take() {
            context.delete();
        }
    }
}
