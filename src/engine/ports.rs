//! What the engine asks of the world: sources that give blocks, and a handler that takes what comes out.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use crate::alert::Alert;
use crate::base::Timestamp;
use crate::decode::Reject;
use crate::plan::Ruleset;
use crate::session::Rejected;

/// A block of whole lines of one source.
#[derive(Clone, Debug, Default)]
pub struct SourceBlock {
    /// The lines; may be empty if only lines were refused.
    pub bytes: Vec<u8>,
    /// Number of the first line, from 1.
    pub first_line: u64,
    /// Bytes before it.
    pub offset: u64,
    /// Lines that the source itself gave up. One within the block has left a blank line in its place.
    pub refused: Vec<Refused>,
    /// When it arrived, if that is not now: a journal remembers.
    pub arrival: Option<Timestamp>,
    /// Where its source goes on after it, in this run or another.
    pub after: Place,
    /// More is known to be there already: of a live source, whose silence then says nothing of time.
    pub more: bool,
}

/// A line, or what a source has for one, of which no event can come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its number.
    pub line: u64,
    /// Bytes before it.
    pub offset: u64,
    /// Why.
    pub reason: Reject,
    /// Its beginning, if it was kept.
    pub text: String,
}

impl Refused {
    /// A line that was dropped as it came, since it is too long.
    pub fn overlong(line: u64, offset: u64) -> Self {
        Self { line, offset, reason: Reject::LineTooLong, text: String::new() }
    }
}

/// A place in a source, between two blocks, from which it can go on in another run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the next line, from 1.
    pub line: u64,
    /// Bytes before it; of a compressed input, decompressed ones.
    pub offset: u64,
    /// Which file is read.
    pub file: Option<FileMark>,
    /// The position in the journal that has kept everything before.
    pub journal: Option<u64>,
}

impl Default for Place {
    fn default() -> Self {
        Self { line: 1, offset: 0, file: None, journal: None }
    }
}

/// What a file is known by when it has been renamed, replaced or cut since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// The device and the inode; 0 where there are none.
    pub inode: (u64, u64),
    /// The offset at which it begins: a source that is followed goes on counting when files follow each other.
    pub begins: u64,
    /// Its first bytes as a hash, and how many of them.
    pub head: u64,
    /// See `head`.
    pub head_len: u32,
}

/// A source broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceFailure(pub String);

/// Something that gives blocks. Blocking.
///
/// Each source of a run is one input with a number of its own: it has a place in checkpoints, a watermark, and where
/// its configuration says so settings of its own ([`OwnSettings`](crate::session::OwnSettings)). What comes over a
/// network has a thread or more behind a bounded channel, the other end of which is the source: a full channel is how
/// the engine says that it has no time.
pub trait Source: Send {
    /// Whether the next block may be long in coming, as from a pipe. Such a source gets a thread of its own; any other
    /// is read by the threads that work on its blocks.
    fn may_wait(&self) -> bool {
        true
    }

    /// Whether it may be silent when the run begins, as one that waits for others to send: then it holds time back only
    /// once it has given something.
    fn begins_silent(&self) -> bool {
        false
    }

    /// Whether, when the run is stopped, it still gives what it has taken over from senders, and then ends by itself.
    /// From any other nothing more is read.
    fn drains(&self) -> bool {
        false
    }

    /// Whether more is known to be there before it has given its first block; see [`SourceBlock::more`].
    fn begins_behind(&self) -> bool {
        false
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// The source can give nothing more. What it gave before counts.
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure>;

    /// As [`Source::next_block`], in the memory of an old block, whatever is in it, if that is of use.
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

    /// Asked between blocks, and once before the first, if [`super::EngineConfig::checkpoints`] is set: whether a
    /// checkpoint is to be taken now.
    fn wants_checkpoint(&mut self) -> bool {
        false
    }

    /// A checkpoint: everything read so far is in it, and every alert of that has been handed out. Taken when it is
    /// wanted, and at the end of the run.
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> ControlFlow<()> {
        drop(checkpoint);
        ControlFlow::Continue(())
    }

    /// After every step.
    fn progress(&mut self, progress: Progress);
}
