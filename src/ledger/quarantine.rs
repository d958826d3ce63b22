//! Rows that can't be turned into a commission: kept with their reason, and let go when they
//! are mended, deleted or do not count any more.

use pgrx::pg_sys;

use super::binding::Binding;
use crate::domain::fault::Fault;
use crate::pg::spi::{self, Sees};

/// Puts a payment into quarantine, or renews the reason for which it is there. Returns whether
/// it is newly there.
pub fn put(
    binding: &Binding,
    payment_key: &str,
    fault: Fault,
    detail: &str,
    row: Option<String>,
) -> bool {
    const PUT: &str = "
        INSERT INTO affiliate.quarantine AS q (binding_id, payment_key, reason, detail, \"row\")
        VALUES ($1, $2, $3, $4, $5::jsonb)
        ON CONFLICT (binding_id, md5(payment_key)) WHERE resolved_at IS NULL
        DO UPDATE SET reason = excluded.reason, detail = excluded.detail, \"row\" = excluded.\"row\"
        RETURNING q.xmax = 0";
    spi::connect(|connection| {
        let rows = connection.run(
            PUT,
            Sees::Now,
            &[
                binding.id.into(),
                payment_key.into(),
                fault.to_string().into(),
                detail.into(),
                row.into(),
            ],
        );
        rows.value::<bool>().unwrap_or_default()
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

/// Marks a payment as mended, if it was in quarantine.
pub fn resolve(binding: &Binding, payment_key: &str) {
    const RESOLVE: &str = "
        UPDATE affiliate.quarantine SET resolved_at = now()
        WHERE binding_id = $1 AND md5(payment_key) = md5($2) AND payment_key = $2 AND resolved_at IS NULL";
    spi::connect(|connection| {
        connection.run(RESOLVE, Sees::Now, &[binding.id.into(), payment_key.into()]);
    });
}

/// A row as json text.
///
/// # Safety
/// The slot must hold a row.
pub unsafe fn row_json(slot: *mut pg_sys::TupleTableSlot) -> Option<String> {
    unsafe {
        let datum = pg_sys::ExecFetchSlotHeapTupleDatum(slot);
        let descriptor = (*slot).tts_tupleDescriptor;
        spi::connect(|connection| {
            let record = pgrx::datum::DatumWithOid::new(
                crate::pg::args::RawDatum::new(datum),
                if (*descriptor).tdtypeid == pg_sys::InvalidOid {
                    pg_sys::RECORDOID
                } else {
                    (*descriptor).tdtypeid
                },
            );
            connection
                .run_once("SELECT to_jsonb($1)::text", Sees::Now, &[record])
                .value::<String>()
        })
    }
}
