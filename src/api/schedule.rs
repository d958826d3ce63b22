//! Payouts and folds by pg_cron.

use pgrx::prelude::*;

use super::required_text;
use crate::pg::error::Problem;
use crate::pg::spi::{self, Connection, Sees};
use crate::pg::text::quote_ident;

const PAYOUTS_JOB: &str = "affiliate payouts";
const MAINTAIN_JOB: &str = "affiliate maintain";

fn require_pg_cron(connection: &Connection) {
    if connection
        .run(
            "SELECT 1 FROM pg_extension WHERE extname = 'pg_cron'",
            Sees::Now,
            &[],
        )
        .is_empty()
    {
        Problem::NoPgCron.raise();
    }
}

/// The schema that the API functions were installed into, as SQL.
fn api_schema(connection: &Connection) -> String {
    const SCHEMA: &str =
        "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'affiliate'";
    let schema = connection.run(SCHEMA, Sees::Now, &[]).value::<String>();
    quote_ident(&schema.unwrap_or_else(|| Problem::NotInstalled.raise()))
}

fn schedule_job(connection: &Connection, name: &str, schedule: &str, command: &str) -> i64 {
    const SCHEDULE: &str = "SELECT cron.schedule($1, $2, $3)";
    connection
        .run_once(
            SCHEDULE,
            Sees::Now,
            &[name.into(), schedule.into(), command.into()],
        )
        .value()
        .unwrap_or_default()
}

fn unschedule_job(connection: &Connection, name: &str) -> bool {
    const UNSCHEDULE: &str = "
        SELECT cron.unschedule(j.jobid) FROM cron.job j
        WHERE j.jobname = $1 AND j.username = current_user AND j.database = current_database()";
    !connection
        .run_once(UNSCHEDULE, Sees::Now, &[name.into()])
        .is_empty()
}

#[pg_extern(sql = false)]
fn affiliate_schedule_payouts(schedule: Option<String>, maintain_schedule: Option<String>) -> i64 {
    let schedule = required_text("schedule", schedule);
    let maintain_schedule = maintain_schedule.map(|s| required_text("maintain_schedule", Some(s)));
    spi::connect(|connection| {
        require_pg_cron(connection);
        let schema = api_schema(connection);
        match maintain_schedule {
            Some(maintain) => {
                let command = format!("SELECT {schema}.affiliate_maintain()");
                schedule_job(connection, MAINTAIN_JOB, &maintain, &command);
            }
            None => {
                unschedule_job(connection, MAINTAIN_JOB);
            }
        }
        schedule_job(
            connection,
            PAYOUTS_JOB,
            &schedule,
            &format!("CALL {schema}.affiliate_run_payouts()"),
        )
    })
}

#[pg_extern(sql = false)]
fn affiliate_unschedule_payouts() -> bool {
    spi::connect(|connection| {
        require_pg_cron(connection);
        unschedule_job(connection, MAINTAIN_JOB);
        unschedule_job(connection, PAYOUTS_JOB)
    })
}
