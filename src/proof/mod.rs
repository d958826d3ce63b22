//! Whether every payment has its commission: verifying, comparing, explaining, reconciling.

pub mod compare_payments;
pub mod comparison;
pub mod explain;
pub mod reconcile;
pub mod resume;
pub mod soundness;
pub mod verify;
