//! The extension's own relations, by OID.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;

use super::cache;
use super::error::Problem;

#[derive(Clone, Copy)]
pub struct Relations {
    pub schema: pg_sys::Oid,
    pub binding: pg_sys::Oid,
    pub commission: pg_sys::Oid,
    pub commission_key: pg_sys::Oid,
    pub epoch: pg_sys::Oid,
    pub payment: pg_sys::Oid,
    pub referral: pg_sys::Oid,
    pub referral_probe: pg_sys::Oid,
    pub refund: pg_sys::Oid,
    pub refund_payment: pg_sys::Oid,
}

thread_local! {
    static KNOWN: Cell<Option<(u64, Relations)>> = const { Cell::new(None) };
}

impl Relations {
    pub fn get() -> Self {
        if let Some((generation, known)) = KNOWN.get()
            && generation == cache::generation()
        {
            return known;
        }
        let schema = unsafe { pg_sys::get_namespace_oid(c"affiliate".as_ptr(), true) };
        let oid = |name: &CStr| {
            let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
            if oid == pg_sys::InvalidOid {
                Problem::NotInstalled.raise();
            }
            oid
        };
        let known = Self {
            schema,
            binding: oid(c"binding"),
            commission: oid(c"commission"),
            commission_key: oid(c"commission_key"),
            epoch: oid(c"epoch"),
            payment: oid(c"payment"),
            referral: oid(c"referral"),
            referral_probe: oid(c"referral_probe"),
            refund: oid(c"refund"),
            refund_payment: oid(c"refund_payment"),
        };
        for relation in [
            known.binding,
            known.commission,
            known.referral,
            known.refund,
        ] {
            cache::watch(relation);
        }
        KNOWN.set(Some((cache::generation(), known)));
        known
    }
}
