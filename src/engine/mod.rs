//! The engine with threads: reads sources, decodes blocks in parallel, matches in shards, collects in order.
//!
//! ```text
//! reader ─┐ blocks                 ┌─► worker 0: decode · shard 0 ─┐ drafts
//! reader ─┴─► driver (in order) ───┼─► worker 1: decode · shard 1 ─┼─► driver: collect ─► handler
//!                                  └─► worker n: decode · shard n ─┘
//! ```
//! The first layer that may start a thread or look at a clock. Channels carry blocks and are bounded, so a slow
//! handler slows the readers and memory stays flat. The order of alerts does not depend on the number of threads or on
//! where blocks are cut: each step hands every shard the same events and the same watermark, and the collector sorts.

#![allow(clippy::disallowed_methods, reason = "this layer starts threads and reads clocks")]

mod checkpoint;
mod driver;
mod ports;
mod reader;
mod worker;

pub use checkpoint::{Checkpoint, Saved};
pub use driver::{EngineConfig, Live, run, run_from};
pub use ports::{FileMark, Handler, Place, Progress, Source, SourceBlock, SourceFailure};
