//! The order of payment keys: shorter ones first, then by their bytes. Numbers that grow, as
//! text, grow in it, so that the ledger's index is filled at its end and its pages are full;
//! in the order of the alphabet 10 comes before 9, and they would be split and left half empty.
//! Any other text has some order too, and equality is that of text.

#![allow(
    clippy::indexing_slicing,
    reason = "there are as many arguments as the SQL function declares"
)]

use std::cmp::Ordering;

use pgrx::pg_sys;

use crate::server::calls::raw_function;

/// The most bytes that the key of a payment or of a refund may have, as text. A longer one might
/// not fit into an index, which holds up to 2,704 bytes along with the other columns.
pub const MAX_KEY_LENGTH: usize = 2000;

/// Whether a key is short enough for the ledger.
pub fn key_fits(key: &str) -> bool {
    key.len() <= MAX_KEY_LENGTH
}

/// Compares the two texts that an index, or an operator, passes.
#[inline]
unsafe fn compare(fcinfo: pg_sys::FunctionCallInfo) -> Ordering {
    unsafe {
        let arguments = (*fcinfo).args.as_slice(2);
        let (a, b) = (
            arguments[0].value.cast_mut_ptr(),
            arguments[1].value.cast_mut_ptr(),
        );
        if is_plain(a) && is_plain(b) {
            order(
                pgrx::varlena_to_byte_slice(a),
                pgrx::varlena_to_byte_slice(b),
            )
        } else {
            compare_detoasted(a, b)
        }
    }
}

/// Neither compressed nor stored elsewhere.
#[inline]
unsafe fn is_plain(text: *const pg_sys::varlena) -> bool {
    unsafe { pgrx::varatt_is_4b_u(text) || pgrx::varatt_is_1b(text) && !pgrx::varatt_is_1b_e(text) }
}

#[cold]
unsafe fn compare_detoasted(a: *mut pg_sys::varlena, b: *mut pg_sys::varlena) -> Ordering {
    unsafe {
        let plain = |text| pg_sys::pg_detoast_datum_packed(text);
        let (plain_a, plain_b) = (plain(a), plain(b));
        let ordering = order(
            pgrx::varlena_to_byte_slice(plain_a),
            pgrx::varlena_to_byte_slice(plain_b),
        );
        // an index is searched in a context that lives longer than the comparison
        for (copy, original) in [(plain_a, a), (plain_b, b)] {
            if copy != original {
                pg_sys::pfree(copy.cast());
            }
        }
        ordering
    }
}

/// The order of two keys.
#[inline]
pub fn order(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

raw_function!(payment_key_cmp, pg_finfo_payment_key_cmp, |fcinfo| unsafe {
    pg_sys::Datum::from(compare(fcinfo) as i32)
});
raw_function!(payment_key_lt, pg_finfo_payment_key_lt, |fcinfo| unsafe {
    compare(fcinfo).is_lt().into()
});
raw_function!(payment_key_le, pg_finfo_payment_key_le, |fcinfo| unsafe {
    compare(fcinfo).is_le().into()
});
raw_function!(payment_key_ge, pg_finfo_payment_key_ge, |fcinfo| unsafe {
    compare(fcinfo).is_ge().into()
});
raw_function!(payment_key_gt, pg_finfo_payment_key_gt, |fcinfo| unsafe {
    compare(fcinfo).is_gt().into()
});

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whole_numbers_are_in_their_own_order(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(order(a.to_string().as_bytes(), b.to_string().as_bytes()), a.cmp(&b));
        }

        #[test]
        fn only_the_same_text_is_equal(a in ".{0,3}", b in ".{0,3}") {
            prop_assert_eq!(order(a.as_bytes(), b.as_bytes()).is_eq(), a == b);
            prop_assert_eq!(order(a.as_bytes(), b.as_bytes()), order(b.as_bytes(), a.as_bytes()).reverse());
        }
    }
}
