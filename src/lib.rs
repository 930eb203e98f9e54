//! Tripline.

pub mod base;
pub mod decode;
pub mod diag;
pub mod io;
pub mod syntax;
pub mod plan;
