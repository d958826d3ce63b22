//! Folding entries into totals, and the figures of an affiliate.

pub mod fold;
pub mod rebuild;
pub mod stats;
