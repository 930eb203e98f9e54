//! The world outside: inputs, outputs.

pub mod sink;
