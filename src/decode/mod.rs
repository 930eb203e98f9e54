//! Bytes to fields: lines are cut from blocks, and the fields that some rule reads are taken from each line.
//!
//! Pure: no input or output, no clock. The parts, in the order in which a byte meets them: [`lines`] cuts a block,
//! [`json`] scans a line along a [`path::PathTrie`] and fills one [`slot::Slot`] per field, [`timefield`] turns the
//! time field into a [`Timestamp`](crate::base::Timestamp). [`reject`] names what can be wrong with a line.

pub mod batch;
pub mod decoder;
pub mod json;
pub mod lines;
pub mod path;
pub mod reject;
pub mod slot;
pub mod timefield;
pub mod view;

mod key_index;
mod scan;
mod tree;

pub use json::{ScanStats, extract};
pub use lines::{Line, Lines, TextBlock};
pub use path::PathTrie;
pub use reject::{JsonError, Reject};
pub use slot::{Arena, Slot};
pub use timefield::{EventTime, OnMissing, TimeConfig, TimeFormat, TimeReader};
