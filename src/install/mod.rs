//! What guards the extension itself: access, its owner, drop protection, restoring.

pub mod access;
pub mod library;
pub mod owner;
pub mod protect;
pub mod triggers;
