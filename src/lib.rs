//! Tripline.

pub mod base;
pub mod check;
pub mod decode;
pub mod diag;
pub mod io;
pub mod plan;
pub mod syntax;
