//! Threads that work on a server while the test does something to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Tells the workers to finish what they are doing and return.
#[derive(Default)]
pub struct Stop(AtomicBool);

impl Stop {
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A panic on any side stops all others; otherwise the test would wait for them for ever.
struct StopOnPanic<'a>(&'a Stop);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.request();
        }
    }
}

type Worker<'a> = Box<dyn FnOnce(&Stop) + Send + 'a>;

/// Workers that run beside the test.
#[derive(Default)]
pub struct Load<'a> {
    workers: Vec<Worker<'a>>,
}

impl<'a> Load<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a worker; it must return soon after [`Stop::requested`] turns true.
    pub fn with(mut self, worker: impl FnOnce(&Stop) + Send + 'a) -> Self {
        self.workers.push(Box::new(worker));
        self
    }

    /// Runs the workers beside `work`, stops them when it returns, and waits for them. A panic of
    /// any of them is the test's.
    pub fn run<R>(self, work: impl FnOnce(&Stop) -> R) -> R {
        let stop = Stop::default();
        thread::scope(|scope| {
            let _guard = StopOnPanic(&stop);
            for worker in self.workers {
                let stop = &stop;
                scope.spawn(move || {
                    let _guard = StopOnPanic(stop);
                    worker(stop);
                });
            }
            let result = work(&stop);
            stop.request();
            result
        })
    }
}
