//! Letting a table go: its triggers are dropped, its ledger stays.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::bindings::attach::Before;
use crate::bindings::attached::is_bound;
use crate::bindings::binding::OWN_PAYMENTS;
use crate::bindings::own_triggers::{drop_triggers, left_on_partitions, triggers_on};
use crate::bindings::ownership::{require_ledger_owner, require_owner};
use crate::server::args::regclass;
use crate::server::calls::required;
use crate::server::error::Problem;
use crate::server::names::table_name;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Connection, Sees};

#[pg_extern(sql = false)]
fn affiliate_detach(table: Option<pg_sys::Oid>, dropped: Option<String>) -> bool {
    spi::connect(|connection| {
        let is_attached =
            (table.is_none() && dropped.is_some()) || detach(connection, required("table", table));
        if let Some(name) = dropped {
            detach_dropped(connection, name);
        }
        is_attached
    })
}

fn detach(connection: &Connection, table: pg_sys::Oid) -> bool {
    require_owner(table);
    const DETACH_REFUNDS: &str = "
        UPDATE affiliate.refunds_binding SET detached_at = now() WHERE refunds = $1 AND detached_at IS NULL";
    const DETACH: &str = "UPDATE affiliate.binding SET detached_at = now() WHERE id = $1";
    let run = |sql, args: &[DatumWithOid]| as_owner(|| connection.run(sql, Sees::Now, args));
    let is_refunds = !run(DETACH_REFUNDS, &[regclass(table)]).is_empty();
    let binding = Before::of(connection, table).filter(|binding| !binding.is_detached);
    let name = table_name(table);
    let is_attached = is_refunds || binding.is_some();
    match binding {
        Some(binding) if binding.id == OWN_PAYMENTS => Problem::OwnPayments.raise(),
        Some(binding) => {
            run(DETACH, &[binding.id.into()]);
        }
        None if is_refunds => {}
        None if is_bound(connection, table) || triggers_on(connection, table).is_empty() => {
            Problem::NotAttached { table: name }.raise();
        }
        None => notice!("{name} is not attached; triggers of the extension on it are dropped"),
    }
    drop_triggers(connection, triggers_on(connection, table));
    drop_triggers(connection, left_on_partitions(connection));
    is_attached
}

/// Detaches what has been dropped, known by the name it had when it was attached.
fn detach_dropped(connection: &Connection, name: String) {
    require_ledger_owner(&name);
    let mut is_known = false;
    for (table, column) in [("binding", "payments"), ("refunds_binding", "refunds")] {
        let sql = format!(
            "UPDATE affiliate.{table} b SET detached_at = now()
             WHERE b.table_name = $1 AND b.detached_at IS NULL
                AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = b.{column})"
        );
        let detached = as_owner(|| connection.run(&sql, Sees::Now, &[name.as_str().into()]));
        is_known |= !detached.is_empty();
    }
    if !is_known {
        Problem::UnknownDropped { name }.raise();
    }
}
