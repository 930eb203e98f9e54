//! What is not JSON, as lines of JSON. Pure: texts in, lines out.

pub mod csv;
pub mod syslog;
