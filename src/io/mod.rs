//! The world outside: where events come from, where alerts go, and what is kept on disk between.

pub mod deliver;
pub mod disk;
pub mod form;
pub mod journal;
pub mod kafka;
pub mod listen;
pub mod segment;
pub mod sink;
pub mod source;
pub mod state;
pub mod trust;
