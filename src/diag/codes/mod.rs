//! The tables of diagnostic codes, one file per range.

pub mod check;
pub mod config;
pub mod eql;
pub mod sample;
pub mod sigma;
pub mod sigma_correlation;
pub mod syntax;
