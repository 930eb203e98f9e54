//! What one block, or time itself, lets be matched: the unit that shards and the collector work in.

use std::sync::Arc;

use super::ports::{Place, SourceFailure};
use crate::alert::build::Draft;
use crate::base::Timestamp;
use crate::decode::batch::Batch;
use crate::session::Rejected;
use crate::time::sequencer::{Progress, Released, Sequencer};

/// What a source gave, decoded, waiting for its turn.
#[derive(Debug)]
pub(super) enum Arrived {
    /// A block, with lines that the source gave up. After it the source goes on at a place.
    Batch { batch: Arc<Batch>, refused: Vec<Rejected>, after: Place },
    /// The source gives nothing more.
    End { input: usize, failure: Option<SourceFailure> },
}

/// One step of all shards.
#[derive(Debug)]
pub(super) struct Step {
    /// Events to match, in order.
    pub(super) released: Released,
    /// Deadlines before this are decided after them.
    pub(super) watermark: Timestamp,
    /// Where time began, if it has.
    pub(super) start: Option<Timestamp>,
    /// Records of the batch that came too late, or are too far ahead.
    pub(super) late: Vec<u32>,
    /// What brought the step; `None` if time went on by itself.
    pub(super) arrived: Option<Arrived>,
}

impl Step {
    /// Puts what arrived in its order.
    pub(super) fn next(sequencer: &mut Sequencer, arrived: Arrived) -> Self {
        let progress = match &arrived {
            Arrived::Batch { batch, .. } => sequencer.push(Arc::clone(batch)),
            Arrived::End { input, .. } => sequencer.end(*input),
        };
        Self { arrived: Some(arrived), ..Self::of(progress) }
    }

    /// Time has gone on.
    pub(super) fn of(progress: Progress) -> Self {
        let mut late = progress.late;
        late.extend(progress.quarantined);
        Self { released: progress.released, watermark: progress.watermark, start: progress.start, late, arrived: None }
    }

    /// Events to match.
    pub(super) fn len(&self) -> usize {
        match &self.released {
            Released::Whole(batch) => batch.hits.len(),
            Released::Records(records) => records.len(),
        }
    }
}

/// A step that shards are at.
#[derive(Debug)]
pub(super) struct OpenStep {
    pub(super) step: Arc<Step>,
    /// Shards that have not come to it yet.
    pub(super) left: usize,
    /// What the others found, in no order.
    pub(super) drafts: Vec<Draft>,
}
