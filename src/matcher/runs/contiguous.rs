//! Contiguous repetitions, looked at from behind: where the element before them must end.
//!
//! ```text
//! t1  t2  t3↓  t4↓  t5↑  t6↑   top: t  then directly down: t↓ …  then directly up: t↑ …
//!     └─ floor of `top`   ▲ the walk back from t6: t5 is the first that can go up, t3 the first that can go down
//! ```
//! Every event of a named class between a contiguous repetition and what it is joined to belongs to it. So the events
//! before the place where it ends can be gone through backwards until one of them cannot belong, and the element before
//! ends no earlier than there. The bound is only a bound: the forward half tests everything.

use super::buffer::Id;
use super::search::{Search, Trigger};
use crate::base::StepId;
use crate::plan::eval::passes;
use crate::plan::event::Seq;
use crate::plan::ruleset::{Element, ElementKind};

/// The step of an element that must bind something, with nothing of a named class before or between.
fn contiguous_step(element: &Element) -> Option<StepId> {
    match &element.kind {
        ElementKind::Repeat(step) if element.link.directly => Some(*step),
        _ => None,
    }
}

impl<'s> Search<'s> {
    /// The first position at which element `at` may end; past the end if it can nowhere.
    pub(super) fn floor(&self, at: usize) -> Id {
        let rule = self.env.rule;
        let behind = &rule.elements[at + 1..];
        if behind.first().and_then(contiguous_step).is_none() {
            return self.low;
        }
        let steps: Vec<StepId> = behind.iter().map_while(contiguous_step).collect();
        let quantifier = |step: &StepId| rule.steps[step.index()].quantifier.as_ref();
        if !steps.iter().all(|step| quantifier(step).is_some_and(|q| q.min > 0)) {
            return self.low;
        }
        let anchored = at + 1 + steps.len();
        let anchor = match (rule.elements.get(anchored), self.trigger) {
            (None, Trigger::Event(end)) => Some(end + 1),
            (Some(next), _) if next.link.directly => {
                self.pins[anchored].as_ref().and_then(|pin| pin.first()).map(|(_, id)| *id)
            }
            _ => None,
        };
        let Some(mut begin) = anchor else { return self.low };
        for (place, step) in steps.iter().rev().enumerate() {
            let mut last = self.named_before(begin);
            let mut bound = false;
            while let Some(id) = last {
                let prev = self.named_before(id);
                if prev.is_none_or(|prev| !self.may_repeat(*step, id, prev)) {
                    break;
                }
                (begin, last, bound) = (id, prev, true);
            }
            // The last of them ends right before its anchor.
            if place == 0 && !bound {
                return self.buffer.end();
            }
        }
        self.named_before(begin).unwrap_or(self.low)
    }

    /// The newest event of a named class before a position. The event that begins an expected key is of no class, but
    /// a repetition may follow it.
    fn named_before(&self, before: Id) -> Option<Id> {
        let named = self.env.rule.hints.named;
        let expected = |id: Id| self.env.rule.expect.is_some() && self.buffer.event(id).seq == Seq::EXPECTED;
        (self.low..before).rev().find(|id| self.buffer.roles(*id) & named != 0 || expected(*id))
    }

    /// Whether a contiguous step may bind an event right behind another, as far as those two tell.
    fn may_repeat(&self, step: StepId, id: Id, prev: Id) -> bool {
        let def = &self.env.rule.steps[step.index()];
        if !self.buffer.has(id, def.role) {
            return false;
        }
        match &def.cross {
            Some(cross) if def.reads.is_empty() => {
                let view = self.env.stored(self.buffer.event(id));
                passes(cross, &self.env.context(Some(&view), &[], Some(self.buffer.event(prev))))
            }
            _ => true,
        }
    }
}
