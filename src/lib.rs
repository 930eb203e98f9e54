//! Tripline.

#![warn(clippy::disallowed_methods)]

pub mod alert;
pub mod base;
pub mod check;
pub mod compile;
pub mod config;
pub mod decode;
pub mod diag;
pub mod engine;
pub mod io;
pub mod matcher;
pub mod plan;
pub mod session;
pub mod syntax;
pub mod time;
