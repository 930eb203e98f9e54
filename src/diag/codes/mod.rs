//! The tables of diagnostic codes, one file per range.

pub mod check;
pub mod config;
pub mod sample;
pub mod sigma;
pub mod syntax;
