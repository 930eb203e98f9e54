//! A log on disk: frames appended to files of bounded length, durable on demand, read from any frame on.
//!
//! ```text
//! DIR/00000000000000000000.log   00000000000000067108.log   00000000000000134216.log
//!     └ oldest, trimmed first                                └ appended to
//! ```
//! A file is named by the position of its first frame; positions count the bytes of all frames ever written, so they
//! stay valid when old files are trimmed. Relies on `disk` for every call that can fail. Invariants: files join
//! without gaps; only the last one may end torn; a frame is given out only if its checksums are right.
//!
//! The input journal, the spools of sinks and the like are such logs; checkpoints use the same frames.

mod error;
pub mod frame;
mod log;
mod reader;

use serde::{Deserialize, Serialize};

pub use error::LogError;
pub use log::{Log, LogOptions, Recovery};
pub use reader::LogReader;

/// A place in a log: the bytes of all frames before it, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position(pub u64);

#[cfg(test)]
mod tests;
