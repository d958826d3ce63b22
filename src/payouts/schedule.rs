//! Payouts and folds by pg_cron.

use pgrx::prelude::*;
use pgrx::spi::quote_literal;

use crate::server::calls::required_text;
use crate::server::error::Problem;
use crate::server::names::quote_ident;
use crate::server::spi::{self, Connection, Sees};

/// A job of pg_cron, whose jobs of all databases of a server stand in one table: the name says
/// which database it is for.
struct Job {
    name: String,
    schedule: String,
    command: String,
}

/// What the jobs of this database are called and do.
struct Jobs {
    database: String,
    /// The schema that the API functions were installed into, as SQL.
    schema: String,
}

impl Jobs {
    fn of_database(connection: &Connection) -> Self {
        const INSTALLED: &str = "
            SELECT current_database()::text AS database, n.nspname::text AS schema
            FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'affiliate'";
        let rows = connection.run(INSTALLED, Sees::Now, &[]);
        let Some(row) = rows.first() else {
            Problem::NotInstalled.raise();
        };
        Self {
            database: row.required("database"),
            schema: quote_ident(&row.required::<String>("schema")),
        }
    }

    fn payouts_name(&self) -> String {
        format!("affiliate payouts ({})", self.database)
    }

    fn maintain_name(&self) -> String {
        format!("affiliate maintain ({})", self.database)
    }

    /// The procedure sets the isolation level of its transactions by itself.
    fn payouts(&self, schedule: String) -> Job {
        Job {
            name: self.payouts_name(),
            schedule,
            command: format!("CALL {}.affiliate_run_payouts()", self.schema),
        }
    }

    /// At READ COMMITTED, whatever the default of the role or the database is.
    fn maintain(&self, schedule: String) -> Job {
        Job {
            name: self.maintain_name(),
            schedule,
            command: format!(
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT {}.affiliate_maintain()",
                self.schema
            ),
        }
    }

    /// Raises an error where pg_cron is not in this database. Its functions are in one database of
    /// the server alone, and what is to be run there can only be said.
    fn require_pg_cron(&self, connection: &Connection, there: impl FnOnce() -> Vec<String>) {
        const HERE: &str = "SELECT 1 FROM pg_extension WHERE extname = 'pg_cron'";
        if !connection.run(HERE, Sees::Now, &[]).is_empty() {
            return;
        }
        match database_of_pg_cron() {
            Some(database) if database != self.database => Problem::PgCronElsewhere {
                database,
                sql: there().join("; "),
            }
            .raise(),
            _ => Problem::NoPgCron.raise(),
        }
    }
}

/// The database that pg_cron lives in, where its library is loaded.
fn database_of_pg_cron() -> Option<String> {
    // not as SQL: only superusers may show it, and the name of a database is no secret
    let value = unsafe { pg_sys::GetConfigOption(c"cron.database_name".as_ptr(), true, false) };
    (!value.is_null()).then(|| {
        unsafe { std::ffi::CStr::from_ptr(value) }
            .to_string_lossy()
            .into_owned()
    })
}

impl Job {
    fn schedule(&self, connection: &Connection) -> i64 {
        const SCHEDULE: &str = "SELECT cron.schedule($1, $2, $3) AS job";
        let args = [
            self.name.as_str().into(),
            self.schedule.as_str().into(),
            self.command.as_str().into(),
        ];
        let rows = connection.run_once(SCHEDULE, Sees::Now, &args);
        rows.only().required("job")
    }

    /// The same as SQL for another database.
    fn schedule_from_elsewhere(&self, database: &str) -> String {
        let args = [&self.name, &self.schedule, &self.command, database].map(quote_literal);
        format!("SELECT cron.schedule_in_database({})", args.join(", "))
    }
}

fn unschedule(connection: &Connection, name: &str) -> bool {
    const UNSCHEDULE: &str = "
        SELECT cron.unschedule(j.jobid) FROM cron.job j
        WHERE j.jobname = $1 AND j.username = current_user AND j.database = current_database()";
    !connection
        .run_once(UNSCHEDULE, Sees::Now, &[name.into()])
        .is_empty()
}

fn unschedule_from_elsewhere(name: &str) -> String {
    format!(
        "SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = {}",
        quote_literal(name)
    )
}

#[pg_extern(sql = false)]
fn affiliate_schedule_payouts(schedule: Option<String>, maintain_schedule: Option<String>) -> i64 {
    let schedule = required_text("schedule", schedule);
    let maintain_schedule = maintain_schedule.map(|s| required_text("maintain_schedule", Some(s)));
    spi::connect(|connection| {
        let jobs = Jobs::of_database(connection);
        let payouts = jobs.payouts(schedule);
        let maintain = maintain_schedule.map(|schedule| jobs.maintain(schedule));
        jobs.require_pg_cron(connection, || {
            let there = |job: &Job| job.schedule_from_elsewhere(&jobs.database);
            maintain.iter().chain([&payouts]).map(there).collect()
        });
        match maintain {
            Some(maintain) => {
                maintain.schedule(connection);
            }
            None => {
                unschedule(connection, &jobs.maintain_name());
            }
        }
        payouts.schedule(connection)
    })
}

#[pg_extern(sql = false)]
fn affiliate_unschedule_payouts() -> bool {
    spi::connect(|connection| {
        let jobs = Jobs::of_database(connection);
        let names = [jobs.maintain_name(), jobs.payouts_name()];
        jobs.require_pg_cron(connection, || {
            names
                .iter()
                .map(|name| unschedule_from_elsewhere(name))
                .collect()
        });
        let [maintain, payouts] = names;
        unschedule(connection, &maintain);
        unschedule(connection, &payouts)
    })
}
