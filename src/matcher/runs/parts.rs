//! Bounds on parts of the pattern, `{ … } within d`: tested as soon as a part is bound, and used to end scans early.
//!
//! Relies on elements being bound in order, so that a part's first and last events are those of its elements' ends.

use super::buffer::Id;
use super::search::Search;
use crate::plan::ruleset::{Part, Pick};

/// Where the first repetition begins, under bounds on parts.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// The start that is tried.
    pub(super) start: Id,
    /// Earlier starts of the same key and run that nothing cuts off.
    pub(super) earlier: Vec<Id>,
}

impl<'s> Search<'s> {
    /// Whether the parts that end before element `at` keep their bounds. One that fails may do with a later first
    /// event if a repetition that reaches back begins it.
    pub(super) fn parts_hold(&mut self, at: usize) -> bool {
        let rule = self.env.rule;
        let broken = rule.parts.iter().filter(|p| p.elements.end == at).find(|p| !self.part_holds(p));
        if let Some(part) = broken {
            self.reached_too_far |= part.elements.start == 0;
        }
        broken.is_none()
    }

    fn part_holds(&self, part: &Part) -> bool {
        let steps = self.env.rule.elements[part.elements.clone()].iter().flat_map(|e| e.steps());
        let (mut first, mut last) = (Id::MAX, Id::MIN);
        for id in steps.flat_map(|step| &self.ids[step.index()]) {
            (first, last) = (first.min(*id), last.max(*id));
        }
        first > last || self.buffer.event(last).ts - self.buffer.event(first).ts <= part.within
    }

    /// Whether an event of element `at` is too old for what its parts have chosen already.
    pub(super) fn is_too_old_for_parts(&self, at: usize, id: Id) -> bool {
        let ts = self.buffer.event(id).ts;
        let around = self.env.rule.parts.iter().filter(|p| p.elements.contains(&at));
        around.into_iter().any(|part| {
            let chosen = self.pins[at + 1..part.elements.end].iter().flatten().flatten();
            let newest = chosen.map(|(_, id)| *id).max();
            newest.is_some_and(|newest| self.buffer.event(newest).ts - ts > part.within)
        })
    }

    /// Whether a part bounds how far a first repetition reaches back: which of its starts counts is then known only
    /// when all is bound.
    pub(super) fn reach_depends_on_parts(&self) -> bool {
        self.env.rule.pick != Pick::Each && self.env.rule.parts.iter().any(|p| p.elements.start == 0)
    }

    /// Whether the first repetition may begin at `start`, for the parts that it begins.
    fn parts_reach(&self, start: Id) -> bool {
        let begun = self.env.rule.parts.iter().filter(|p| p.elements.start == 0);
        begun.into_iter().all(|part| {
            let steps = self.env.rule.elements[part.elements.clone()].iter().flat_map(|e| e.steps());
            let newest = steps.flat_map(|step| self.ids[step.index()].last()).max();
            newest.is_none_or(|id| self.buffer.event(*id).ts - self.buffer.event(start).ts <= part.within)
        })
    }

    /// Whether the start chosen is the earliest of those that the parts reach.
    pub(super) fn is_earliest_reach(&self) -> bool {
        match &self.reach {
            None => true,
            Some(reach) => self.parts_reach(reach.start) && !reach.earlier.iter().any(|id| self.parts_reach(*id)),
        }
    }

    /// Where a first repetition may begin at the earliest, for the parts that it begins.
    pub(super) fn reach_of_parts(&self) -> Id {
        let begun = self.env.rule.parts.iter().filter(|p| p.elements.start == 0);
        begun.fold(self.low, |low, part| {
            let newest = self.pins[part.elements.clone()].iter().flatten().flatten().map(|(_, id)| *id).max();
            newest.map_or(low, |id| low.max(self.buffer.at_or_after(self.buffer.event(id).ts - part.within)))
        })
    }
}
