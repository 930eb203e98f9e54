//! Events that may be matched now, whole or in parts.
//!
//! A rule with `pick all` may give thousands of alerts for one event: then the events are matched a few at a time, so
//! that alerts are sent before more of them are found. Where events are cut changes no answer: they are in order, and a
//! part ends at the time of its last event.

use std::ops::Range;
use std::sync::Arc;

use super::held::Records;
use crate::base::Timestamp;
use crate::decode::batch::Batch;

/// Where released events lie.
#[derive(Clone, Debug)]
pub enum Events {
    /// In a batch, as they stand.
    Whole(Arc<Batch>),
    /// Here and there: those of the events held back, and of the batch itself, that some rule can use.
    Records(Arc<Records>),
}

/// Events to match, in order. Invariant: the part lies within the events.
#[derive(Clone, Debug)]
pub struct Released {
    events: Events,
    part: Range<usize>,
}

impl Released {
    /// All events of a batch.
    pub fn whole(batch: Arc<Batch>) -> Self {
        let part = 0..batch.records.len();
        Self { events: Events::Whole(batch), part }
    }

    /// These records.
    pub fn records(records: Records) -> Self {
        let part = 0..records.len();
        Self { events: Events::Records(Arc::new(records)), part }
    }

    /// Where they lie.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// The part of them that is meant: records of the batch, or places among the records.
    pub fn part(&self) -> Range<usize> {
        self.part.clone()
    }

    /// About how much there is to match: the hits of a batch, or the records.
    pub fn hits(&self) -> usize {
        match &self.events {
            Events::Whole(batch) => self.within(&batch.hits, |hit| hit.record).len(),
            Events::Records(_) => self.part.len(),
        }
    }

    /// The time of the last event.
    pub fn last(&self) -> Option<Timestamp> {
        let last = self.part.clone().next_back()?;
        let (batch, record) = match &self.events {
            Events::Whole(batch) => (batch, last as u32),
            Events::Records(records) => records.get(last)?,
        };
        batch.records.get(record as usize).map(|record| record.ts)
    }

    /// Takes the first events off, if others are left then.
    pub fn take_first(&mut self, events: usize) -> Option<Self> {
        if self.part.len() <= events {
            return None;
        }
        let middle = self.part.start + events;
        let first = Self { events: self.events.clone(), part: self.part.start..middle };
        self.part.start = middle;
        Some(first)
    }

    /// Of places in a list that is in the order of the records, those in this part. `record` gives the record of each.
    pub(crate) fn within<'a, T>(&self, list: &'a [T], record: impl Fn(&T) -> u32) -> &'a [T] {
        let from = list.partition_point(|at| (record(at) as usize) < self.part.start);
        let to = list.partition_point(|at| (record(at) as usize) < self.part.end);
        &list[from..to]
    }
}
