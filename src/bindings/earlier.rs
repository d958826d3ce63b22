//! What the ledger knows from earlier bindings, and attaching must not lose or change.

use pgrx::pg_sys;

use crate::bindings::mapping::Mapping;
use crate::rules::refund::Kind;
use crate::rules::words::Word;
use crate::server::args::regclass;
use crate::server::error::Problem;
use crate::server::spi::{Connection, Sees};

/// Refuses to bind a table while the ledger knows payments of a binding that is not there: the
/// table might be the one it was of, get another number and have its payments posted once more.
pub fn refuse_lost_bindings(connection: &Connection) {
    // from number to number, not over every entry
    const LOST: &str = "
        WITH RECURSIVE known (id) AS (
            SELECT least((SELECT min(c.binding_id) FROM affiliate.commission c),
                (SELECT min(f.binding_id) FROM affiliate.refund f))
            UNION ALL
            SELECT least((SELECT min(c.binding_id) FROM affiliate.commission c WHERE c.binding_id > k.id),
                (SELECT min(f.binding_id) FROM affiliate.refund f WHERE f.binding_id > k.id))
            FROM known k WHERE k.id IS NOT NULL)
        SELECT k.id FROM known k
        WHERE k.id IS NOT NULL AND NOT EXISTS (SELECT FROM affiliate.binding b WHERE b.id = k.id)
        ORDER BY k.id LIMIT 1";
    if let Some(row) = connection.run(LOST, Sees::Now, &[]).first() {
        let binding = row.required("id");
        Problem::BindingLost { binding }.raise();
    }
}

/// Refuses what [`affiliate_alter_binding`](super::alter) refuses: detaching and attaching again
/// must not change what entries and recorded refunds of the table depend on.
pub fn refuse_other_options(
    connection: &Connection,
    table: pg_sys::Oid,
    name: &str,
    after: &Mapping,
) {
    const EARLIER: &str = "
        SELECT b.program, b.minor_units, b.refunded IS NOT NULL AS had_column,
            EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = b.id)
                OR EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id) AS has_ledger,
            EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id AND f.kind = $2) AS has_recorded_refunds,
            EXISTS (SELECT FROM affiliate.refunds_binding f WHERE f.binding_id = b.id AND f.detached_at IS NULL)
                AS has_refunds_table, b.minor_units_of
        FROM affiliate.binding b WHERE b.payments = $1";
    let args = [regclass(table), Kind::Refund.as_str().into()];
    let rows = connection.run(EARLIER, Sees::Now, &args);
    let Some(row) = rows.first() else {
        return;
    };
    let is = |column| row.required::<bool>(column);
    let table = name.to_owned();
    let had_column = is("had_column");
    let program: String = row.required("program");
    let changed = [
        ("program", program != after.program),
        ("minor_units", is("minor_units") != after.minor_units),
        (
            "minor_units_of",
            row.get::<String>("minor_units_of") != after.minor_units_of,
        ),
        ("refunded", had_column && after.refunded.is_none()),
    ];
    if let Some((option, _)) = changed.into_iter().find(|(_, differs)| *differs)
        && is("has_ledger")
    {
        Problem::FrozenOption { option, table }.raise();
    }
    if after.refunded.is_some() && !had_column {
        if is("has_refunds_table") {
            Problem::RefundsAttached { table }.raise();
        }
        if is("has_recorded_refunds") {
            Problem::RefundsRecorded { table }.raise();
        }
    }
}
