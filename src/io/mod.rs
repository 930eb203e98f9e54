//! The world outside: where events come from and where alerts go.

pub mod deliver;
pub mod sink;
pub mod source;
