//! Bounds on parts of the pattern, `{ … } within d`: tested as soon as a part is bound, and used to end scans early.
//!
//! Relies on elements being bound in order, so that a part's first and last events are those of its elements' ends.

use std::ops::Range;

use super::buffer::Id;
use super::search::Search;
use crate::base::Duration;
use crate::plan::ruleset::Part;

impl<'s> Search<'s> {
    /// Whether the parts that end before element `at` keep their bounds.
    pub(super) fn parts_hold(&self, at: usize) -> bool {
        self.env.rule.parts.iter().filter(|p| p.elements.end == at).all(|p| self.part_holds(p))
    }

    fn part_holds(&self, part: &Part) -> bool {
        self.length_of(&part.elements).is_none_or(|length| length <= part.within)
    }

    /// Whether the parts with computed bounds keep them, when all is bound.
    pub(super) fn computed_parts_hold(&self) -> bool {
        self.env.rule.computed_parts.iter().all(|part| {
            let length = self.length_of(&part.elements);
            length.is_none_or(|length| self.duration(&part.within).is_some_and(|within| length <= within))
        })
    }

    /// From the first to the last event that elements have bound; nothing if they have bound none.
    fn length_of(&self, elements: &Range<usize>) -> Option<Duration> {
        let steps = self.env.rule.elements[elements.clone()].iter().flat_map(|e| e.steps());
        let (mut first, mut last) = (Id::MAX, Id::MIN);
        for id in steps.flat_map(|step| &self.ids[step.index()]) {
            (first, last) = (first.min(*id), last.max(*id));
        }
        (first <= last).then(|| self.buffer.event(last).ts - self.buffer.event(first).ts)
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

    /// The parts that the first element begins.
    fn begun_parts(&self) -> impl Iterator<Item = &'s Part> + use<'s> {
        self.env.rule.parts.iter().filter(|p| p.elements.start == 0)
    }

    /// Where a first repetition may begin at the earliest for the parts that it begins, as far as their events are
    /// chosen, and whether their last ones are.
    pub(super) fn reach_of_parts(&self) -> (Id, bool) {
        self.begun_parts().fold((self.low, true), |(low, known), part| {
            let pins = &self.pins[part.elements.clone()];
            let newest = pins.iter().flatten().flatten().map(|(_, id)| *id).max();
            let last_known = pins.last().is_some_and(|pin| pin.as_ref().is_some_and(|p| !p.is_empty()));
            (newest.map_or(low, |id| low.max(self.reach_from(id, part))), known && last_known)
        })
    }

    /// Where it may begin at the earliest, now that all is bound.
    pub(super) fn reach_of_bound_parts(&self) -> Id {
        self.begun_parts().fold(self.low, |low, part| {
            let steps = self.env.rule.elements[part.elements.clone()].iter().flat_map(|e| e.steps());
            let newest = steps.flat_map(|step| self.ids[step.index()].last()).max();
            newest.map_or(low, |id| low.max(self.reach_from(*id, part)))
        })
    }

    fn reach_from(&self, newest: Id, part: &Part) -> Id {
        self.buffer.at_or_after(self.buffer.event(newest).ts - part.within)
    }
}
