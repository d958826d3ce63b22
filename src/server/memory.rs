//! Memory contexts: what a row needs is freed in one stroke, and what a session keeps is
//! allocated where it stays.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A memory context of our own. It is deleted with its parent if an error unwinds past it.
pub struct Context(pg_sys::MemoryContext);

impl Context {
    /// A context for the time of the current one.
    pub fn within_current(name: &'static CStr) -> Self {
        unsafe { Self::under(pg_sys::CurrentMemoryContext, name) }
    }

    /// A context for the session.
    pub fn of_session(name: &'static CStr) -> Self {
        unsafe { Self::under(pg_sys::CacheMemoryContext, name) }
    }

    unsafe fn under(parent: pg_sys::MemoryContext, name: &'static CStr) -> Self {
        Self(unsafe {
            pg_sys::AllocSetContextCreateExtended(
                parent,
                name.as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        })
    }

    /// The current context, to come back to it later from a shorter-lived one.
    pub fn current() -> Self {
        Self(unsafe { pg_sys::CurrentMemoryContext })
    }

    /// One that the server has made and will delete.
    pub fn of_server(context: pg_sys::MemoryContext) -> Self {
        Self(context)
    }

    /// Runs `body` with this as the current context.
    pub fn with<T>(&self, body: impl FnOnce() -> T) -> T {
        unsafe {
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = self.0;
            let result = body();
            pg_sys::CurrentMemoryContext = previous;
            result
        }
    }

    pub fn reset(&self) {
        unsafe {
            pg_sys::MemoryContextReset(self.0);
        }
    }

    pub fn delete(self) {
        unsafe {
            pg_sys::MemoryContextDelete(self.0);
        }
    }
}
