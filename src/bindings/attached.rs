//! Which tables are attached, of payments or of refunds.

use pgrx::pg_sys;

use crate::server::args::regclass;
use crate::server::error::Problem;
use crate::server::names::table_name;
use crate::server::rights::as_owner;
use crate::server::spi::{Connection, Sees};

/// Refuses a table that is bound, or that a bound table or partition is a part of.
pub fn refuse_bound(connection: &Connection, table: pg_sys::Oid) {
    const BOUND: &str = "
        SELECT t.oid FROM (SELECT $1::oid UNION SELECT p.relid::oid FROM pg_partition_tree($1) p) t (oid)
        WHERE t.oid IN (SELECT b.payments::oid FROM affiliate.binding b WHERE b.detached_at IS NULL
            UNION ALL SELECT f.refunds::oid FROM affiliate.refunds_binding f WHERE f.detached_at IS NULL)
        ORDER BY t.oid <> $1, t.oid";
    if let Some(row) = connection.run(BOUND, Sees::Now, &[regclass(table)]).first() {
        Problem::AlreadyAttached {
            table: table_name(row.required("oid")),
        }
        .raise();
    }
}

/// Whether a table is bound, or a partition of one that is.
pub fn is_bound(connection: &Connection, table: pg_sys::Oid) -> bool {
    let sql = format!("SELECT 1 WHERE NOT {}", not_bound("$1::oid"));
    let bound = as_owner(|| connection.run(&sql, Sees::Now, &[regclass(table)]));
    !bound.is_empty()
}

/// The condition that neither a table nor a partitioned table above it is bound.
pub fn not_bound(table: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM (
                SELECT b.payments FROM affiliate.binding b WHERE b.detached_at IS NULL
                UNION ALL SELECT f.refunds FROM affiliate.refunds_binding f WHERE f.detached_at IS NULL) b (bound)
            WHERE b.bound = {table} OR b.bound IN (SELECT a.relid FROM pg_partition_ancestors({table}) a))"
    )
}
