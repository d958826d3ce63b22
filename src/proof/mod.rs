//! Whether every payment has its commission: verifying, comparing, explaining, reconciling.

pub mod comparison;
pub mod explain;
pub mod pause;
pub mod reconcile;
pub mod soundness;
pub mod unposted;
pub mod verify;
