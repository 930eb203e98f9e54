//! What one block, or time itself, lets be matched: the unit that shards and the collector work in.

use std::sync::Arc;

use super::ports::{Place, SourceFailure};
use crate::alert::build::Draft;
use crate::base::Timestamp;
use crate::decode::batch::Batch;
use crate::plan::ruleset::Pick;
use crate::plan::{Rule, Ruleset};
use crate::session::Rejected;
use crate::time::released::Released;
use crate::time::sequencer::{Progress, Sequencer};

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

    /// About how much there is to match.
    pub(super) fn hits(&self) -> usize {
        self.released.hits()
    }

    /// Takes the first events off, as a step before this one; `None` if no others would be left. Time comes as far as
    /// the last of them: the same deadlines are decided in the same order as in one step.
    pub(super) fn take_first(&mut self, events: usize) -> Option<Self> {
        let released = self.released.take_first(events)?;
        let watermark = released.last().unwrap_or(Timestamp::MIN).min(self.watermark);
        Some(Self { released, watermark, start: self.start, late: Vec::new(), arrived: None })
    }
}

/// How many events are matched before the alerts that they give are sent.
///
/// Most rules give an alert an event at most, and a block is matched at once. With `pick all` or `pick each` one event
/// may give thousands: then it is a few events, fewer if there were many alerts, so that memory stays flat however many
/// there are (language.md §3.13).
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion(Option<usize>);

impl Portion {
    /// Alerts of one step that are many, and that are few.
    const MANY: usize = 8192;
    const FEW: usize = 1024;
    const FIRST: usize = 16;
    const MOST: usize = 1 << 16;

    /// For some rules.
    pub(super) fn of(rules: &Ruleset) -> Self {
        let multiplies = |rule: &Rule| matches!(rule.pick, Pick::All | Pick::Each);
        Self(rules.rules.iter().any(multiplies).then_some(Self::FIRST))
    }

    /// Events of the next step; `None` if steps are not cut.
    pub(super) fn events(self) -> Option<usize> {
        self.0
    }

    /// A step of so many events gave so many alerts. It may have been cut some time ago, so it is its own size that
    /// says what the next may be.
    pub(super) fn learn(&mut self, events: usize, alerts: usize) {
        let Some(portion) = &mut self.0 else { return };
        if alerts > Self::MANY {
            *portion = (*portion).min(events / 4).max(1);
        } else if alerts < Self::FEW {
            *portion = (*portion).max(2 * events).min(Self::MOST);
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
