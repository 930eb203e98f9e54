//! The deterministic core: state of every (rule, key), moved by events and by deadlines.
//!
//! ```text
//! (state, event | deadline) ─► (state, matches, next deadline)
//! ```
//! Pure: no clock, no I/O, no threads. A [`Matcher`] owns the keys of one shard; events come in order of
//! `(@ts, @seq)`, and [`Matcher::advance`] decides what lies before a watermark.

pub mod arrived;
pub mod counter;
pub mod latest_run;
#[expect(clippy::module_inception, reason = "the matcher is the core of this layer")]
pub mod matcher;
pub mod past;
pub mod runs;
pub mod state;

pub use arrived::{Arrived, Match, RuleEnv};
pub use matcher::{Matcher, RuleCounters};
