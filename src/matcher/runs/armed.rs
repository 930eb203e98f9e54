//! Deadlines that depend on what is bound: found when the last event of a candidate comes, kept until they pass.
//!
//! A search at the arrival of an event finds every candidate that so far ends there, and the deadline of each. Whether
//! its absences hold is asked again at the deadline, so a deadline too many does no harm, and none is missing: what a
//! candidate binds is all there when its last event has come.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::buffer::Id;
use super::search::{Search, Trigger};
use super::{RuleEnv, Runs, ways};
use crate::base::Timestamp;
use crate::base::budget::block;
use crate::matcher::arrived::Match;

/// Deadlines, each with the time of the last bound event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Armed(BTreeSet<(Timestamp, Timestamp)>);

impl Armed {
    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        // Nodes of a tree are two thirds full.
        block(size_of::<Self>()) + self.0.len() * size_of::<(Timestamp, Timestamp)>() * 3 / 2
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(deadline, _)| *deadline)
    }

    /// The time of the oldest last event that waits.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.0.iter().map(|(_, last)| *last).min()
    }

    /// Forgets those whose last event is used up: it lies at or before `time`.
    pub(super) fn use_up(&mut self, time: Timestamp) {
        self.0.retain(|(_, last)| *last > time);
    }
}

impl Runs {
    /// Finds the deadlines of candidates whose last event is the one at `id`.
    pub(super) fn arm(&mut self, env: &RuleEnv<'_>, id: Id, evicted: &mut u64) {
        let last = self.buffer.event(id).ts;
        let mut search = Search::new(env, &self.buffer, &self.used, Trigger::Arm(id));
        search.run();
        self.limited |= search.is_exhausted();
        if search.armed.is_empty() {
            return;
        }
        let found = search.armed;
        let armed = self.armed.get_or_insert_default();
        armed.0.extend(found.into_iter().map(|deadline| (deadline, last)));
        while armed.0.len() > env.rule.runs_per_key {
            armed.0.pop_last();
            self.limited = true;
            *evicted += 1;
        }
    }

    /// Decides what was armed for `now` or before.
    pub(super) fn on_armed(&mut self, env: &RuleEnv<'_>, now: Timestamp, out: &mut Vec<Match>) {
        while let Some(deadline) = self.armed.as_ref().and_then(|a| a.next()).filter(|d| *d <= now) {
            let Some(armed) = &mut self.armed else { return };
            let later = armed.0.split_off(&(Timestamp(deadline.0.saturating_add(1)), Timestamp::MIN));
            let due = std::mem::replace(&mut armed.0, later);
            let of = |(_, last)| Trigger::Deadline(deadline, deadline - last);
            let triggers: Vec<(RuleEnv<'_>, Trigger)> =
                due.into_iter().flat_map(|due| ways(env).map(move |way| (way, of(due)))).collect();
            self.search(env, &triggers, out);
            if self.armed.as_ref().is_some_and(|a| a.0.is_empty()) {
                self.armed = None;
            }
        }
    }
}
