//! Our triggers on tables of the host: created, found and dropped.

use pgrx::pg_sys;

use crate::bindings::attached::not_bound;
use crate::bindings::candidate::Candidate;
use crate::server::args::regclass;
use crate::server::names::{quote_ident, table_name};
use crate::server::rights::as_owner;
use crate::server::rows::{Row, Rows};
use crate::server::spi::{Connection, Sees};

/// Gives a table the triggers of an attached one. Their names sort last, since triggers fire in the
/// order of their names and one of the host may attribute. Statement triggers cost least; but they see neither what goes
/// straight into a partition nor what logical replication applies. Those that a schema brought
/// along, without a binding, give way.
pub fn create_triggers(connection: &Connection, host: &Candidate, function: &str, replica: bool) {
    drop_triggers(connection, triggers_on(connection, host.oid));
    let table = table_name(host.oid);
    let run = |sql: String| {
        connection.run_once(&sql, Sees::Now, &[]);
    };
    let body = format!("EXECUTE FUNCTION {function}");
    if host.is_partitioned || replica {
        run(format!(
            "CREATE TRIGGER zzz_affiliate_row AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW {body}"
        ));
    } else {
        run(format!(
            "CREATE TRIGGER zzz_affiliate_insert AFTER INSERT ON {table}
             REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {body}"
        ));
        run(format!(
            "CREATE TRIGGER zzz_affiliate_update AFTER UPDATE ON {table}
             REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {body}"
        ));
        run(format!(
            "CREATE TRIGGER zzz_affiliate_delete AFTER DELETE ON {table}
             REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {body}"
        ));
    }
    // a partition that comes later has none: TRUNCATE of it alone is found by affiliate_verify()
    for relation in with_partitions(connection, host.oid) {
        run(format!(
            "CREATE TRIGGER zzz_affiliate_truncate BEFORE TRUNCATE ON {}
         FOR EACH STATEMENT EXECUTE FUNCTION affiliate.refuse_truncate()",
            table_name(relation)
        ));
    }
    if replica {
        for (name, _) in triggers_on(connection, host.oid) {
            run(format!(
                "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {}",
                quote_ident(&name)
            ));
        }
    }
}

/// A table and the partitions it has.
fn with_partitions(connection: &Connection, table: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    const TREE: &str =
        "SELECT $1::oid AS relation UNION SELECT p.relid::oid FROM pg_partition_tree($1) p";
    let rows = connection.run(TREE, Sees::Now, &[regclass(table)]);
    rows.values("relation").collect()
}

/// A trigger of ours: its name, and the table it is on.
type Trigger = (String, pg_sys::Oid);

fn read_triggers(rows: &Rows) -> Vec<Trigger> {
    let trigger = |row: Row| (row.required("name"), row.required("relation"));
    rows.iter().map(trigger).collect()
}

/// Our triggers on a table and its partitions, but for those that follow from another one.
pub fn triggers_on(connection: &Connection, table: pg_sys::Oid) -> Vec<Trigger> {
    const TRIGGERS: &str = "
        SELECT t.tgname::text AS name, t.tgrelid AS relation FROM pg_trigger t
            JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE t.tgrelid IN (SELECT $1::oid UNION SELECT r.relid::oid FROM pg_partition_tree($1) r)
            AND t.tgparentid = 0 AND n.nspname = 'affiliate'
        ORDER BY t.tgrelid, t.tgname";
    read_triggers(&connection.run(TRIGGERS, Sees::Now, &[regclass(table)]))
}

/// Our triggers on tables that were partitions of a bound one. Detaching a partition leaves it
/// what is against TRUNCATE, which no table has alone, and does not say whose partition it was.
/// Those of tables that the caller may not alter stay; they do nothing.
pub fn left_on_partitions(connection: &Connection) -> Vec<Trigger> {
    let sql = format!(
        "SELECT t.tgname::text AS name, t.tgrelid AS relation
         FROM pg_depend d JOIN pg_trigger t ON t.oid = d.objid JOIN pg_class c ON c.oid = t.tgrelid
         WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = 'affiliate.refuse_truncate()'::regprocedure
            AND d.classid = 'pg_trigger'::regclass AND pg_has_role($1, c.relowner, 'USAGE')
            AND NOT EXISTS (SELECT FROM pg_trigger o WHERE o.tgrelid = t.tgrelid
                AND o.tgfoid IN ('affiliate.post_payments()'::regprocedure, 'affiliate.post_refunds()'::regprocedure))
            AND {}
         ORDER BY t.tgrelid, t.tgname",
        not_bound("t.tgrelid")
    );
    let caller = unsafe { pg_sys::GetUserId() };
    read_triggers(&as_owner(|| {
        connection.run(&sql, Sees::Now, &[caller.into()])
    }))
}

pub fn drop_triggers(connection: &Connection, triggers: Vec<Trigger>) {
    for (trigger, relation) in triggers {
        let sql = format!(
            "DROP TRIGGER {} ON {}",
            quote_ident(&trigger),
            table_name(relation)
        );
        connection.run_once(&sql, Sees::Now, &[]);
    }
}
