//! Outcomes, counted and printed as the harness of the other tests does.

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

pub struct Report {
    words: Vec<String>,
    passed: u32,
    skipped: u32,
    failures: Vec<(String, Vec<String>)>,
}

impl Report {
    /// Of the attacks whose names contain one of the words, or of all if there is none.
    pub fn of(words: Vec<String>) -> Self {
        Self {
            words,
            passed: 0,
            skipped: 0,
            failures: Vec::new(),
        }
    }

    pub fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }

    /// Runs an attack, unless nobody asked for it.
    pub fn attack(&mut self, name: String, body: impl FnOnce() -> Vec<String>) {
        if !self.wants(&name) {
            return;
        }
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let played = panic::catch_unwind(AssertUnwindSafe(body));
        panic::set_hook(hook);
        let breaches = played.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            vec![text.unwrap_or_else(|| "it could not be played".to_owned())]
        });
        if breaches.is_empty() {
            self.passed += 1;
            println!("test {name} ... ok");
        } else {
            println!("test {name} ... FAILED");
            self.failures.push((name, breaches));
        }
    }

    pub fn skip(&mut self, name: &str, why: &str) {
        if self.wants(name) {
            self.skipped += 1;
            println!("test {name} ... skipped, {why}");
        }
    }

    pub fn end(self) -> ExitCode {
        const SHOWN: usize = 8;
        for (name, breaches) in &self.failures {
            println!("\n---- {name} ----");
            // the first of each sort: one hole mostly shows in many calls
            let sort = |breach: &String| breach.lines().next().map(str::to_owned);
            let mut sorts = HashSet::new();
            let first = breaches.iter().filter(|breach| sorts.insert(sort(breach)));
            let shown: Vec<&String> = first.take(SHOWN).collect();
            for breach in &shown {
                println!("    {breach}");
            }
            println!("    and {} more", breaches.len() - shown.len());
        }
        let failed = self.failures.len();
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!(
            "\ntest result: {verdict}. {} passed; {failed} failed; {} ignored",
            self.passed, self.skipped
        );
        ExitCode::from(u8::from(failed > 0))
    }
}
