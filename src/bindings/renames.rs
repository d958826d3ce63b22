//! What columns and tables are called by now: a dump knows them by name.

use crate::server::spi::{self, Sees};

/// Writes down what mapped columns are called by now, and which tables are gone: a dump knows
/// columns and tables by name. Mostly an event trigger has seen to what is dropped, but these can
/// be switched off.
pub fn keep_names() {
    const DROPPED: &str = "
        SELECT 1 FROM affiliate.binding b
        WHERE b.payments IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments)
        UNION ALL SELECT 1 FROM affiliate.refunds_binding f
        WHERE f.refunds IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = f.refunds)";
    const FORGET_DROPPED: &[&str] = &[
        "UPDATE affiliate.binding b SET payments = NULL
         WHERE b.payments IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments)",
        "UPDATE affiliate.refunds_binding f SET refunds = NULL
         WHERE f.refunds IS NOT NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = f.refunds)",
    ];
    const PAYMENTS: &str = "
        SELECT b.id, n.now, n.mapped
        FROM affiliate.binding b, LATERAL (
            SELECT affiliate.attribute_names(b.payments, b.attnums) AS now,
                affiliate.attribute_names(b.payments, b.paid_when_attnums) AS mapped,
                ARRAY[b.customer, b.amount, b.currency, b.paid_at, b.refunded, b.product] || b.payment_key AS before) n
        WHERE b.table_oid = b.payments::oid AND (n.now <> n.before OR n.mapped <> b.paid_when_mapped)
            AND array_position(n.mapped, NULL) IS NULL
            AND NOT EXISTS (SELECT FROM unnest(n.now, n.before) AS c (now, before)
                WHERE (c.now IS NULL) <> (c.before IS NULL))";
    const KEEP_PAYMENTS: &str = "
        UPDATE affiliate.binding b SET
            (customer, amount, currency, paid_at, refunded, product, payment_key, paid_when_mapped)
            = ($2[1], $2[2], $2[3], $2[4], $2[5], $2[6], $2[7:], $3)
        WHERE b.id = $1";
    const REFUNDS: &str = "
        SELECT f.id, n.now
        FROM affiliate.refunds_binding f, LATERAL (
            SELECT affiliate.attribute_names(f.refunds, f.attnums) AS now,
                ARRAY[f.refund_key, f.amount, f.currency] || f.payment_key AS before) n
        WHERE f.table_oid = f.refunds::oid AND n.now <> n.before
            AND NOT EXISTS (SELECT FROM unnest(n.now, n.before) AS c (now, before)
                WHERE (c.now IS NULL) <> (c.before IS NULL))";
    const KEEP_REFUNDS: &str = "
        UPDATE affiliate.refunds_binding f SET (refund_key, amount, currency, payment_key)
            = ($2[1], $2[2], $2[3], $2[4:])
        WHERE f.id = $1";
    type Names = Vec<Option<String>>;
    spi::connect(|connection| {
        if !connection.run(DROPPED, Sees::Now, &[]).is_empty() {
            for statement in FORGET_DROPPED {
                connection.run(statement, Sees::Now, &[]);
            }
        }
        let renamed = connection.run(PAYMENTS, Sees::Now, &[]);
        for row in renamed.iter() {
            let id: i32 = row.required("id");
            let (now, mapped): (Names, Names) = (row.required("now"), row.required("mapped"));
            let args = [id.into(), now.into(), mapped.into()];
            connection.run(KEEP_PAYMENTS, Sees::Now, &args);
        }
        let renamed = connection.run(REFUNDS, Sees::Now, &[]);
        for row in renamed.iter() {
            let (id, now): (i32, Names) = (row.required("id"), row.required("now"));
            connection.run(KEEP_REFUNDS, Sees::Now, &[id.into(), now.into()]);
        }
    });
}
