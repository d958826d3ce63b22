//! A role's session, and what canaries say in it.

use std::sync::{Arc, Mutex};

use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::support::Cluster;

/// A canary ran, or something succeeded that it tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub schema: String,
    pub label: String,
    pub role: String,
}

pub struct Session {
    pub role: &'static str,
    /// Keeps the keys of this session's payments apart from those of others.
    pub number: u32,
    client: Client,
    heard: Arc<Mutex<Vec<Event>>>,
}

/// The outcome of a statement: what canaries said, and its error as SQLSTATE and message.
pub struct Outcome {
    pub events: Vec<Event>,
    pub error: Option<(String, String)>,
    pub rows: Vec<Vec<Option<String>>>,
}

impl Session {
    pub fn open(cluster: &Cluster, database: &str, role: &'static str, number: u32) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let mut config = cluster.config(role, database);
        config.notice_callback(move |notice| {
            let mut parts = notice.message().split('|').map(str::to_owned);
            if parts.next().as_deref() == Some("canary")
                && let (Some(schema), Some(label), Some(role)) =
                    (parts.next(), parts.next(), parts.next())
            {
                let event = Event {
                    schema,
                    label,
                    role,
                };
                hears.lock().expect("what was heard").push(event);
            }
        });
        let client = config
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("cannot connect as {role}: {error:?}"));
        Self {
            role,
            number,
            client,
            heard,
        }
    }

    /// Runs a statement in a transaction of its own.
    pub fn run(&mut self, sql: &str) -> Outcome {
        let result = self.client.simple_query(sql);
        let events = std::mem::take(&mut *self.heard.lock().expect("what was heard"));
        let mut rows = Vec::new();
        let error = match result {
            Ok(messages) => {
                for message in messages {
                    if let SimpleQueryMessage::Row(row) = message {
                        let values = (0..row.len()).map(|n| row.get(n).map(str::to_owned));
                        rows.push(values.collect());
                    }
                }
                None
            }
            Err(error) => Some(match error.as_db_error() {
                Some(error) => (error.code().code().to_owned(), error.message().to_owned()),
                None => ("XX000".to_owned(), format!("the session broke: {error}")),
            }),
        };
        Outcome {
            events,
            error,
            rows,
        }
    }

    /// A statement of the test itself, which must succeed.
    pub fn must(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let outcome = self.run(sql);
        if let Some(error) = outcome.error {
            panic!("{}: {sql}\n{error:?}", self.role);
        }
        outcome.rows
    }

    /// The rows of a query as lines.
    pub fn lines(&mut self, sql: &str) -> Vec<String> {
        let rows = self.must(sql).into_iter();
        rows.map(|row| {
            let values = row.into_iter().map(Option::unwrap_or_default);
            values.collect::<Vec<_>>().join(" | ")
        })
        .collect()
    }

    pub fn is_broken(&self) -> bool {
        self.client.is_closed()
    }

    /// What a call of ours must leave as it was in the session. The settings are those that
    /// canaries try to change.
    pub fn settings(&mut self) -> Vec<String> {
        const SETTINGS: &str = "
            SELECT pg_catalog.concat('search path ', pg_catalog.current_setting('search_path')),
                pg_catalog.concat('row security ', pg_catalog.current_setting('row_security')),
                pg_catalog.concat('date style ', pg_catalog.current_setting('datestyle')),
                pg_catalog.concat('role ', CURRENT_USER, ', ', SESSION_USER),
                (SELECT pg_catalog.concat('prepared statements ', pg_catalog.count(*)) FROM pg_catalog.pg_prepared_statements),
                (SELECT pg_catalog.concat('cursors ', pg_catalog.count(*)) FROM pg_catalog.pg_cursors)";
        let row = self.must(SETTINGS).pop().unwrap_or_default();
        row.into_iter().map(Option::unwrap_or_default).collect()
    }
}
