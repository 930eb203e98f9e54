//! The deterministic core: state of every (rule, key), moved by events and by deadlines.
//!
//! ```text
//! (state, event | deadline) ─► (state, matches, next deadline)
//! ```
//! Pure: no clock, no I/O, no threads. A [`Matcher`] owns the keys of one shard; events come in order of
//! `(@ts, @seq)`, and [`Matcher::advance`] decides what lies before a watermark.

pub mod arrived;
pub mod attempts;
mod changed;
mod chunks;
pub mod counter;
pub mod enumerate;
mod groups;
mod joint;
pub mod key;
pub mod keys;
pub mod latest_run;
mod ledger;
mod live;
mod packed;
pub mod past;
pub mod pending;
pub mod runs;
pub mod saved;
mod schedule;
pub mod shard;
mod slot;
pub mod state;
pub mod statistic;
pub mod tally;
mod tuples;
mod visit;
mod window;

pub use arrived::{Arrived, Match, RuleEnv};
pub use shard::{Matcher, RuleCounters};
