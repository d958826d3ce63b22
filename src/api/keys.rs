//! The order of payment keys: shorter ones first, then by their bytes. Numbers that grow, as
//! text, grow in it, so that the ledger's index is filled at its end and its pages are full;
//! in the order of the alphabet 10 comes before 9, and they would be split and left half empty.
//! Any other text has some order too, and equality is that of text.

use std::cmp::Ordering;

use pgrx::pg_sys;

use super::raw_function;

/// Compares the two texts that an index, or an operator, passes.
unsafe fn compare(fcinfo: pg_sys::FunctionCallInfo) -> Ordering {
    unsafe {
        let arguments = (*fcinfo).args.as_slice(2);
        let (a, b) = (Plain::of(arguments[0].value), Plain::of(arguments[1].value));
        order(a.bytes(), b.bytes())
    }
}

/// A text that is neither compressed nor stored elsewhere.
struct Plain {
    text: *mut pg_sys::varlena,
    is_copy: bool,
}

impl Plain {
    unsafe fn of(datum: pg_sys::Datum) -> Self {
        let text = datum.cast_mut_ptr();
        unsafe {
            if pgrx::varatt_is_4b_u(text) || pgrx::varatt_is_1b(text) && !pgrx::varatt_is_1b_e(text)
            {
                let is_copy = false;
                return Self { text, is_copy };
            }
            Self {
                text: pg_sys::pg_detoast_datum_packed(text),
                is_copy: true,
            }
        }
    }

    unsafe fn bytes(&self) -> &[u8] {
        unsafe { pgrx::varlena_to_byte_slice(self.text) }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // an index is searched in a context that lives longer than the comparison
        if self.is_copy {
            unsafe { pg_sys::pfree(self.text.cast()) };
        }
    }
}

fn order(a: &[u8], b: &[u8]) -> Ordering {
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
