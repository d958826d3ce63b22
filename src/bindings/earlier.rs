//! What the ledger knows from earlier bindings, and attaching must not lose or change.

use pgrx::pg_sys;

use crate::bindings::mapping::Mapping;
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
    if let Some(binding) = connection.run(LOST, Sees::Now, &[]).value::<i32>() {
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
        SELECT b.program, b.minor_units, b.refunded IS NOT NULL,
            EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = b.id)
                OR EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id),
            EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id AND f.kind = 'refund'),
            EXISTS (SELECT FROM affiliate.refunds_binding f WHERE f.binding_id = b.id AND f.detached_at IS NULL),
            b.minor_units_of
        FROM affiliate.binding b WHERE b.payments = $1";
    let rows = connection.run(EARLIER, Sees::Now, &[regclass(table)]);
    let is = |column| rows.get::<bool>(0, column).unwrap_or_default();
    let (has_ledger, has_recorded_refunds, has_refunds_table) = (is(3), is(4), is(5));
    if rows.is_empty() {
        return;
    }
    let table = name.to_owned();
    let had_column = is(2);
    let changed = [
        ("program", rows.get(0, 0).as_ref() != Some(&after.program)),
        ("minor_units", rows.get(0, 1) != Some(after.minor_units)),
        (
            "minor_units_of",
            rows.get::<String>(0, 6) != after.minor_units_of,
        ),
        ("refunded", had_column && after.refunded.is_none()),
    ];
    if let Some((option, _)) = changed.into_iter().find(|(_, differs)| *differs)
        && has_ledger
    {
        Problem::FrozenOption { option, table }.raise();
    }
    if after.refunded.is_some() && !had_column {
        if has_refunds_table {
            Problem::RefundsAttached { table }.raise();
        }
        if has_recorded_refunds {
            Problem::RefundsRecorded { table }.raise();
        }
    }
}
