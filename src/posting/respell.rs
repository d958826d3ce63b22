//! When the type of a key's column changes, so may the text of every key. Entries, recorded refunds
//! and quarantined rows then go along to the new texts, all at once: one by one a payment could not
//! be found under the text that it had.

use std::rc::Rc;

use crate::bindings::binding::Binding;
use crate::bindings::host_table::ROWS_PER_BATCH;
use crate::bindings::spelling;
use crate::posting::settle::{Options, Settler};
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

/// The binding, after the ledger has followed the types that its key has by now. ALTER TABLE sees
/// to it by an event trigger; where that was not to be, the first who posts does.
pub fn up_to_date(binding: Rc<Binding>) -> Rc<Binding> {
    if !binding.has_new_key_types || !binding.columns.has_key {
        return binding;
    }
    as_owner(|| respell(&binding.of_bound_table()));
    // SAFETY: makes the change of the binding visible, which has it read again
    unsafe { pgrx::pg_sys::CommandCounterIncrement() };
    Binding::of(binding.relation).unwrap_or(binding)
}

fn respell(binding: &Rc<Binding>) {
    const IS_DUE: &str = "
        SELECT affiliate.has_new_key_types(b) AS is_due, b.key_types
        FROM affiliate.binding b WHERE b.id = $1 FOR UPDATE";
    const KEYS: &str = "
        SELECT c.payment_key FROM affiliate.commission c WHERE c.binding_id = $1
        UNION SELECT r.payment_key FROM affiliate.refund r WHERE r.binding_id = $1
        UNION SELECT q.payment_key FROM affiliate.quarantine q WHERE q.binding_id = $1 AND q.resolved_at IS NULL";
    const DONE: &str = "
        UPDATE affiliate.binding b
        SET key_types = affiliate.key_types(b)
        WHERE b.id = $1";
    spi::connect(|connection| {
        let args = [binding.id.into()];
        // another session may have done it while this one waited
        let due = connection.run(IS_DUE, Sees::Now, &args);
        let Some(row) = due.first().filter(|row| row.required("is_due")) else {
            return;
        };
        let types_before: Vec<String> = row.array("key_types");
        let mut settler = Settler::new(Rc::clone(binding));
        let mut cursor = connection.cursor(KEYS, &args);
        loop {
            let rows = cursor.fetch(ROWS_PER_BATCH);
            if rows.is_empty() {
                break;
            }
            let keys = rows.values::<String>("payment_key");
            let keys: Vec<Vec<String>> = keys.filter_map(|key| binding.key_columns(&key)).collect();
            rows.free();
            let columns = &binding.columns.key;
            let now = spelling::after_change_of_types(binding.table, columns, &types_before, &keys);
            for (from, to) in keys.into_iter().zip(now) {
                // what no cast makes a value of the new type belongs to no row that can be told
                if let Some(to) = to.filter(|to| *to != from) {
                    let text = |key: &[String]| binding.key_text(key.to_vec());
                    if settler.ledger.follow_spelling(&text(&from), &text(&to)) {
                        settler.settle(&to, Options::default());
                    }
                }
            }
            pgrx::check_for_interrupts!();
        }
        cursor.close();
        connection.run(DONE, Sees::Now, &args);
    });
}
