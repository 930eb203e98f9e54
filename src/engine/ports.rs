//! What the engine asks of the world: sources that give blocks, and a handler that takes what comes out.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::alert::Alert;
use crate::base::Timestamp;
use crate::plan::Ruleset;
use crate::session::Rejected;

/// A block of whole lines of one source.
#[derive(Clone, Debug, Default)]
pub struct SourceBlock {
    /// The lines; may be empty if only a line was dropped.
    pub bytes: Vec<u8>,
    /// Number of the first line, from 1.
    pub first_line: u64,
    /// Bytes before it.
    pub offset: u64,
    /// A line just before this block that was dropped because it was too long: its number and offset.
    pub overlong: Option<(u64, u64)>,
}

/// A source broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceFailure(pub String);

/// Something that gives blocks. Blocking.
pub trait Source: Send {
    /// Whether the next block may be long in coming, as from a pipe. Such a source gets a thread of its own; any other
    /// is read by the threads that work on its blocks.
    fn may_wait(&self) -> bool {
        true
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// The source can give nothing more. What it gave before counts.
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure>;

    /// As [`Source::next_block`], in the memory of an old block if that is of use.
    ///
    /// # Errors
    /// As [`Source::next_block`].
    fn next_block_in(&mut self, memory: Vec<u8>) -> Result<Option<SourceBlock>, SourceFailure> {
        drop(memory);
        self.next_block()
    }
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Events read.
    pub events: u64,
    /// Alerts sent.
    pub alerts: u64,
    /// How far event time has come.
    pub watermark: Option<Timestamp>,
}

/// What takes the results, in order. `Break` stops the run quietly, as when the reader of a pipe has gone.
pub trait Handler {
    /// Alerts, in order.
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()>;

    /// A late or quarantined line.
    fn late(&mut self, input: u16, line: &str) -> ControlFlow<()>;

    /// A line that gave no event.
    fn rejected(&mut self, rejected: &Rejected) -> ControlFlow<()>;

    /// A source broke; the run goes on with the others.
    fn failed(&mut self, source: usize, failure: &SourceFailure);

    /// Asked between steps: a rule set whose tables were read anew, if there is one. It must differ from the running
    /// one in nothing else, or it is passed over.
    fn new_tables(&mut self) -> Option<Arc<Ruleset>> {
        None
    }

    /// After every step.
    fn progress(&mut self, progress: Progress);
}
