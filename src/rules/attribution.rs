//! Who referred a customer, and how that is told.

use crate::rules::words::words;

words! {
    /// How a referral came about.
    pub enum Means {
        Code = "code",
        Coupon = "coupon",
        Click = "click",
    }
}

words! {
    /// Which click of a visitor counts.
    pub enum Attribution {
        LastClick = "last_click",
        FirstClick = "first_click",
    }
}

words! {
    /// Whether the owner of an affiliate may be its customer.
    pub enum SelfReferral {
        Reject = "reject",
        Allow = "allow",
    }
}
