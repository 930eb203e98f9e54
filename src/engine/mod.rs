//! The engine with threads: reads sources, decodes blocks in parallel, matches in shards, collects in order.
//!
//! ```text
//! files ──────────────► board ◄──► driver   read · decode · order · match · collect ─► handler
//! pipes ─► reader ─────► of    ◄──► worker 1 read · decode · order · match
//! pipes ─► reader ─────► tasks ◄──► worker n read · decode · order · match
//! ```
//! The first layer that may start a thread or look at a clock. There are as many threads at work as were asked for, the
//! caller's among them, and each does whatever is to be done next: so none is idle while there is work, and none turns
//! for others alone. What lies between reading and collecting is bounded, so a slow handler slows the readers and
//! memory stays flat. The order of alerts does not depend on the number of threads or on where blocks are cut: each
//! step hands every shard the same events and the same watermark, and the collector sorts.

#![allow(clippy::disallowed_methods, reason = "this layer starts threads and reads clocks")]

mod board;
mod checkpoint;
mod driver;
mod ports;
mod reader;
mod shard;
mod step;
mod worker;

pub use checkpoint::{Checkpoint, Saved};
pub use driver::{EngineConfig, Live, run, run_from};
pub use ports::{FileMark, Handler, Place, Progress, Refused, Source, SourceBlock, SourceFailure};
