//! What becomes of the commission of a payment that is deleted.

use crate::rules::words::words;

words! {
    pub enum OnDelete {
        Reverse = "reverse",
        Keep = "keep",
    }
}
