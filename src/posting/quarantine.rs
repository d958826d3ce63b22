//! Rows that can't be turned into a commission: kept with their reason, and let go when they
//! are mended, deleted or do not count any more.

use std::collections::HashSet;

use pgrx::{PgTupleDesc, pg_sys};

use crate::bindings::binding::Binding;
use crate::rules::fault::Defect;
use crate::server::slot::Slot;
use crate::server::spi::{self, Sees};
use crate::server::subtransaction::in_subtransaction;
use crate::server::text::{ToText, attribute};

/// Puts a payment into quarantine, or renews the reason for which it is there. Returns whether
/// it is newly there.
pub fn put(binding: &Binding, payment_key: &str, defect: &Defect, row: Option<String>) -> bool {
    const PUT: &str = "
        INSERT INTO affiliate.quarantine AS q (binding_id, payment_key, reason, detail, \"row\")
        VALUES ($1, $2, $3, $4, $5::jsonb)
        ON CONFLICT (binding_id, md5(payment_key)) WHERE resolved_at IS NULL
        DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \"row\" = excluded.\"row\"
        RETURNING q.xmax = 0 AS is_new";
    spi::connect(|connection| {
        let rows = connection.run(
            PUT,
            Sees::Now,
            &[
                binding.id.into(),
                payment_key.into(),
                defect.fault.to_string().into(),
                defect.value.as_str().into(),
                row.into(),
            ],
        );
        rows.only().required("is_new")
    })
}

/// Whether a payment is in quarantine.
pub fn holds(binding: &Binding, payment_key: &str) -> bool {
    const HOLDS: &str = "
        SELECT 1 FROM affiliate.quarantine
        WHERE binding_id = $1 AND md5(payment_key) = md5($2) AND payment_key = $2 AND resolved_at IS NULL";
    spi::connect(|connection| {
        !connection
            .run(HOLDS, Sees::Now, &[binding.id.into(), payment_key.into()])
            .is_empty()
    })
}

/// Leaves out of some payments those that are in quarantine.
pub fn leave_out(binding: &Binding, keys: &mut Vec<Vec<String>>) {
    const HELD: &str = "
        SELECT q.payment_key FROM affiliate.quarantine q
        WHERE q.binding_id = $1 AND md5(q.payment_key) = ANY (SELECT md5(k) FROM unnest($2::text[]) k)
            AND q.resolved_at IS NULL";
    if keys.is_empty() {
        return;
    }
    let text = |key: &Vec<String>| binding.key_text(key.clone());
    let texts: Vec<String> = keys.iter().map(text).collect();
    let held: HashSet<String> = spi::connect(|connection| {
        let rows = connection.run(HELD, Sees::Latest, &[binding.id.into(), texts.into()]);
        rows.values("payment_key").collect()
    });
    keys.retain(|key| !held.contains(&text(key)));
}

/// Marks a payment as mended, if it was in quarantine.
pub fn resolve(binding: &Binding, payment_key: &str) {
    const RESOLVE: &str = "
        UPDATE affiliate.quarantine SET resolved_at = now()
        WHERE binding_id = $1 AND md5(payment_key) = md5($2) AND payment_key = $2 AND resolved_at IS NULL";
    spi::connect(|connection| {
        connection.run(RESOLVE, Sees::Now, &[binding.id.into(), payment_key.into()]);
    });
}

/// Takes what stands in quarantine along to another spelling of its payment's key, unless that
/// one is there already.
pub fn respell(binding: &Binding, from: &str, to: &str) {
    const RESPELL: &str = "
        UPDATE affiliate.quarantine q SET payment_key = $3
        WHERE q.binding_id = $1 AND md5(q.payment_key) = md5($2) AND q.payment_key = $2 AND q.resolved_at IS NULL
            AND NOT EXISTS (SELECT FROM affiliate.quarantine o
                WHERE o.binding_id = $1 AND md5(o.payment_key) = md5($3) AND o.resolved_at IS NULL)";
    spi::connect(|connection| {
        connection.run(
            RESPELL,
            Sees::Now,
            &[binding.id.into(), from.into(), to.into()],
        );
    });
}

/// A row that is a composite value, as [`row_json`] writes it.
///
/// # Safety
/// The datum must be a row of the table.
pub unsafe fn composite_json(table: pg_sys::Oid, datum: pg_sys::Datum) -> Option<String> {
    // SAFETY: a composite value says how it is laid out; the slot is dropped here
    unsafe {
        let header =
            pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        let made_as = (*header).t_choice.t_datum;
        let descriptor =
            pg_sys::lookup_rowtype_tupdesc_copy(made_as.datum_typeid, made_as.datum_typmod);
        let slot = pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsHeapTuple);
        let mut tuple = pg_sys::HeapTupleData {
            t_len: pgrx::varsize_any(header.cast()) as u32,
            t_data: header,
            ..Default::default()
        };
        pg_sys::ExecStoreHeapTuple(&mut tuple, slot, false);
        let json = row_json(table, slot);
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        json
    }
}

/// A row as json text, from the output functions of its columns' types alone: casts are the
/// host's. `None` if one of them fails. Runs with the owner's rights.
///
/// # Safety
/// The slot must hold a row of the table or of a partition of it.
pub unsafe fn row_json(table: pg_sys::Oid, slot: Slot) -> Option<String> {
    // SAFETY: as for the caller; an array of attributes as long as the descriptor says
    let columns = || unsafe {
        let descriptor = PgTupleDesc::from_pg_copy((*slot).tts_tupleDescriptor);
        let visible = descriptor
            .iter()
            // computed when read, and so in no row
            .filter(|column| !column.attisdropped && column.attgenerated as u8 != b'v');
        let member = |column: &pg_sys::FormData_pg_attribute| {
            let (datum, is_null) = attribute(slot, column.attnum);
            let value = (!is_null).then(|| json_value(table, column.atttypid, datum));
            let name = serde_json::to_string(column.name()).unwrap_or_default();
            format!("{name}: {}", value.unwrap_or_else(|| "null".to_owned()))
        };
        visible.map(member).collect::<Vec<_>>()
    };
    let columns = in_subtransaction(columns).ok()?;
    Some(format!("{{{}}}", columns.join(", ")))
}

/// A value as json: numbers, truth values and documents of the server's types as such, anything
/// else as the text that its type writes.
unsafe fn json_value(table: pg_sys::Oid, type_oid: pg_sys::Oid, datum: pg_sys::Datum) -> String {
    // SAFETY: the datum is a value of the type
    let text = unsafe { ToText::of(pg_sys::getBaseType(type_oid), table).apply(datum) };
    let is_plain = match type_oid {
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => true,
        // a json, unlike a jsonb, may hold what a jsonb can't
        pg_sys::JSONBOID => true,
        pg_sys::NUMERICOID => text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'-' | b'.')),
        pg_sys::BOOLOID => {
            return if &*text == "t" { "true" } else { "false" }.to_owned();
        }
        _ => false,
    };
    if is_plain {
        text.to_owned()
    } else {
        serde_json::to_string(&*text).unwrap_or_default()
    }
}
