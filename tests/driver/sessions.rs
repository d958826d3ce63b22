//! Transactions of the sessions: how they begin, nest and end.

use rand::Rng;

use super::{Driver, SESSIONS, Transaction, connect};

impl Driver<'_> {
    pub(super) fn begin_or_nest(&mut self, session: usize) {
        if self.sessions[session].open.is_none() {
            self.begin(session);
            return;
        }
        let depth = self.transaction(session).savepoints.len();
        match self.rng.random_range(0..4) {
            0 | 1 => {
                self.run(session, &format!("SAVEPOINT s{depth}"), vec![]);
                let transaction = self.transaction(session);
                transaction.savepoints.push(transaction.effects.len());
            }
            // Both keep the savepoint's outer levels; after ROLLBACK TO the savepoint is released,
            // so that the names stay a stack.
            2 if depth > 0 => {
                let level = self.rng.random_range(0..depth);
                self.run(
                    session,
                    &format!("ROLLBACK TO SAVEPOINT s{level}; RELEASE SAVEPOINT s{level}"),
                    vec![],
                );
                let transaction = self.transaction(session);
                transaction.effects.truncate(transaction.savepoints[level]);
                transaction.savepoints.truncate(level);
            }
            3 if depth > 0 => {
                self.run(
                    session,
                    &format!("RELEASE SAVEPOINT s{}", depth - 1),
                    vec![],
                );
                self.transaction(session).savepoints.pop();
            }
            _ => self.compare_within(session),
        }
    }

    fn begin(&mut self, session: usize) {
        // Two serializable transactions may conflict by the rules of the game; one alone can't.
        let serializable_taken = self.sessions.iter().any(|session| {
            session
                .open
                .as_ref()
                .is_some_and(|transaction| transaction.serializable)
        });
        let isolation = match self.rng.random_range(0..10) {
            0 if !serializable_taken => "SERIALIZABLE",
            1..=3 => "REPEATABLE READ",
            _ => "READ COMMITTED",
        };
        // The first query takes the snapshot.
        self.run(
            session,
            &format!("BEGIN ISOLATION LEVEL {isolation}; SELECT 1"),
            vec![],
        );
        self.sessions[session].open = Some(Transaction {
            effects: Vec::new(),
            savepoints: Vec::new(),
            snapshot: (isolation != "READ COMMITTED").then_some(self.clock),
            serializable: isolation == "SERIALIZABLE",
        });
    }

    fn transaction(&mut self, session: usize) -> &mut Transaction {
        self.sessions[session]
            .open
            .as_mut()
            .expect("an open transaction")
    }

    /// Ends the session's transaction in one of the ways there are.
    pub(super) fn end(&mut self, session: usize) {
        let Some(transaction) = self.sessions[session].open.take() else {
            return;
        };
        let name = format!("t{}", self.clock);
        let committed = match self.rng.random_range(0..20) {
            0..12 => {
                self.run(session, "COMMIT", vec![]);
                true
            }
            12..15 => {
                self.run(session, "ROLLBACK", vec![]);
                false
            }
            15..18 => {
                self.run(session, &format!("PREPARE TRANSACTION '{name}'"), vec![]);
                self.administer(&format!("COMMIT PREPARED '{name}'"));
                true
            }
            18 => {
                self.run(session, &format!("PREPARE TRANSACTION '{name}'"), vec![]);
                self.administer(&format!("ROLLBACK PREPARED '{name}'"));
                false
            }
            _ => {
                self.trail.note(format!("{session}: lost its connection"));
                self.drop_connection(session);
                false
            }
        };
        if committed {
            self.happened(&transaction.effects, true);
        }
    }

    /// A client that goes away without a word; its transaction is rolled back.
    fn drop_connection(&mut self, session: usize) {
        let client = &mut self.sessions[session].client;
        let pid: i32 = client
            .query_one("SELECT pg_backend_pid()", &[])
            .expect("a pid")
            .get(0);
        self.sessions[session].client = connect(self.cluster, self.database);
        // Its locks are gone only when the backend has noticed.
        let gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
        while self
            .admin
            .query_one(gone, &[&pid])
            .expect("the backends")
            .get::<_, i64>(0)
            != 0
        {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Ends every open transaction.
    pub fn settle(&mut self) {
        for session in 0..SESSIONS {
            self.end(session);
        }
    }
}
