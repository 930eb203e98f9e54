//! Tripline.

pub mod base;
pub mod diag;
pub mod syntax;
pub mod plan;
