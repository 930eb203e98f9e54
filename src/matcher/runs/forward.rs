//! The forward half of a search: from the first element on, checks what the backward half chose and finds the
//! repetitions between. Everything that the definition asks for is tested here (language.md §3.1, §3.2).

use smallvec::SmallVec;

use super::Candidate;
use super::buffer::Id;
use super::search::{Search, Trigger};
use crate::base::{StepId, Timestamp};
use crate::plan::eval::passes;
use crate::plan::event::StoredView;
use crate::plan::key::encode_scalar;
use crate::plan::ruleset::{Ahead, Element, ElementKind};

/// What the elements before have left for the next one.
#[derive(Clone, Debug, Default)]
pub(super) struct Left<'s> {
    /// The last event bound so far.
    pub(super) last: Option<Id>,
    /// The next element begins at or before this: an event there would otherwise belong to a repetition before it.
    pub(super) limit: Option<Id>,
    /// A repetition before it leaves open where the next element begins: each beginning makes a candidate.
    pub(super) open: bool,
    /// Timed absences before elements that were left out.
    pub(super) ahead: SmallVec<[&'s Ahead; 1]>,
}

impl<'s> Search<'s> {
    pub(super) fn forward_start(&mut self) {
        self.forward(0, Left::default());
    }

    /// Checks elements from `at` on.
    pub(super) fn forward(&mut self, at: usize, left: Left<'s>) {
        if self.done() || !self.spend() {
            return;
        }
        let env = self.env;
        if !env.rule.parts.is_empty() && !self.parts_hold(at) {
            return;
        }
        let Some(element) = env.rule.elements.get(at) else {
            self.finish(&left);
            return;
        };
        match &element.kind {
            ElementKind::Repeat(step) => self.repeat(at, *step, left),
            ElementKind::Group(group) => self.group(at, group, left),
            _ => self.pinned(at, element, left),
        }
    }

    fn pinned(&mut self, at: usize, element: &'s Element, left: Left<'s>) {
        let Some(pin) = self.pins[at].clone() else { return };
        let Some((_, first)) = pin.first().copied() else {
            let mut left = left;
            left.ahead.extend(&element.ahead);
            self.forward(at + 1, left);
            return;
        };
        let newest = pin.last().map_or(first, |(_, id)| *id);
        if !self.joint(element, &left, first) {
            return;
        }
        let mut done = 0;
        let mut ok = true;
        for (step, id) in &pin {
            ok = self.bind(*step, *id, left.last.max(self.newest_of(&pin[..done])));
            if !ok {
                break;
            }
            done += 1;
        }
        if ok {
            let from = if matches!(element.kind, ElementKind::All(_)) {
                left.last.unwrap_or(first)
            } else {
                left.last.unwrap_or(newest)
            };
            let members: SmallVec<[Id; 4]> = pin.iter().map(|(_, id)| *id).collect();
            if !self.any_hit(&element.without, from + 1, newest, &members) && self.gap_fits(element, left.last, first) {
                self.forward(at + 1, Left { last: Some(newest), ..Left::default() });
            }
        }
        for (step, _) in pin[..done].iter().rev() {
            self.unbind(*step);
        }
    }

    fn newest_of(&self, pin: &[(StepId, Id)]) -> Option<Id> {
        pin.last().map(|(_, id)| *id)
    }

    /// Whether an element may begin at `first` after what is `left`: order, contiguity, gaps, timed absences.
    pub(super) fn joint(&self, element: &Element, left: &Left<'_>, first: Id) -> bool {
        if left.limit.is_some_and(|limit| first > limit) {
            return false;
        }
        let Some(last) = left.last else { return first >= self.low };
        if first <= last {
            return false;
        }
        let gap = self.buffer.event(first).ts - self.buffer.event(last).ts;
        if element.link.within.is_some_and(|d| gap > d)
            || element.link.after.is_some_and(|d| gap < d)
            || (element.link.directly && self.named_between(last + 1, first))
        {
            return false;
        }
        let ts = self.buffer.event(first).ts;
        left.ahead.iter().copied().chain(&element.ahead).all(|ahead| {
            self.deadline(ahead, last).is_some_and(|deadline| ts > deadline && self.is_silent(ahead, last, deadline))
        })
    }

    /// Whether too few of an absence's events come after `last` up to its deadline.
    fn is_silent(&self, ahead: &Ahead, last: Id, deadline: Timestamp) -> bool {
        let end = self.buffer.after(deadline);
        if let Some(group) = &ahead.group {
            return !self.occurs(group, last + 1, end);
        }
        if ahead.fewer == 1 {
            return !self.any_hit(&ahead.guards, last + 1, end, &[]);
        }
        self.hit_count(&ahead.guards, last + 1, end, ahead.fewer) < ahead.fewer
    }

    /// Binds an event to a step if its condition, key and guards allow it; `prev` is the event bound before.
    pub(super) fn bind(&mut self, step: StepId, id: Id, prev: Option<Id>) -> bool {
        let def = &self.env.rule.steps[step.index()];
        if !def.cross_lookback.is_empty() && def.naming().next().is_some() {
            return self.bind_naming(step, id, prev);
        }
        let event = self.buffer.event(id);
        let buffer = self.buffer;
        if let Some(cross) = &def.cross {
            let view = self.env.stored(event);
            let prev = prev.map(|id| buffer.event(id));
            if !passes(cross, &self.env.context(Some(&view), &self.bound, prev)) {
                return false;
            }
        }
        let before = if self.env.rule.handed_over { Some(self.components.clone()) } else { None };
        if before.is_some() && !self.agree(step, id) {
            self.components = before.unwrap_or_default();
            return false;
        }
        self.bound[step.index()].push(event);
        self.ids[step.index()].push(id);
        if !def.cross_lookback.is_empty() && !self.looks_back(&def.cross_lookback, id) {
            self.bound[step.index()].pop();
            self.ids[step.index()].pop();
            if let Some(before) = before {
                self.components = before;
            }
            return false;
        }
        true
    }

    /// Takes back the newest event of a step.
    pub(super) fn unbind(&mut self, step: StepId) {
        self.bound[step.index()].pop();
        self.ids[step.index()].pop();
        if !self.named.is_empty() {
            self.forget_names(step);
        }
        if self.env.rule.handed_over {
            self.recompute_components();
        }
    }

    /// Sets the components that a step's event brings; `false` if one differs from what was agreed.
    pub(super) fn agree(&mut self, step: StepId, id: Id) -> bool {
        let view = self.env.stored(self.buffer.event(id));
        let context = self.env.context(Some(&view), &[], None);
        for component in &self.env.rule.steps[step.index()].components {
            let mut bytes = Vec::new();
            let value = crate::plan::eval::eval(&component.value, &context);
            let missing = value.get().is_missing() && !component.optional;
            if missing || !encode_scalar(value.get(), &mut bytes) {
                return false;
            }
            match &self.components[component.place] {
                Some(agreed) if agreed[..] != bytes[..] => return false,
                Some(_) => {}
                None => self.components[component.place] = Some(bytes.into()),
            }
        }
        true
    }

    pub(super) fn recompute_components(&mut self) {
        self.components.clone_from(&self.preset);
        let bound: Vec<(usize, Id)> =
            self.ids.iter().enumerate().filter_map(|(step, ids)| ids.first().map(|id| (step, *id))).collect();
        for (step, id) in bound {
            self.agree(step.into(), id);
        }
    }

    /// All elements are bound: tests what concerns the whole, and keeps the candidate.
    fn finish(&mut self, left: &Left<'_>) {
        let rule = self.env.rule;
        let mut sorted: Vec<Id> = self.ids.iter().flatten().copied().collect();
        sorted.sort_unstable();
        let (Some(first), Some(last)) = (sorted.first().copied(), sorted.last().copied()) else { return };
        debug_assert_eq!(left.last, Some(last), "elements bind in order");
        let last_ts = self.buffer.event(last).ts;
        if rule.within.is_some_and(|d| last_ts - self.buffer.event(first).ts > d) {
            return;
        }
        if let Some(within) = &rule.computed_within
            && self.duration(within).is_none_or(|d| last_ts - self.buffer.event(first).ts > d)
        {
            return;
        }
        if !rule.computed_parts.is_empty() && !self.computed_parts_hold() {
            return;
        }
        if self.buffer.first_used(first) {
            return;
        }
        // Absences before elements that were left out last from the same event.
        let absences = || rule.trailing.iter().chain(left.ahead.iter().copied());
        let mut deadlines: SmallVec<[Timestamp; 2]> = SmallVec::new();
        let mut closes = None;
        for absence in absences() {
            let Some(deadline) = self.deadline(absence, last) else { return };
            deadlines.push(deadline);
        }
        if let Some((step, ends)) = rule.closing() {
            let ids = &self.ids[step.index()];
            let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return };
            closes = Some(ends.deadline(self.buffer.event(*first).ts, self.buffer.event(*last).ts));
        }
        let completion = deadlines.iter().copied().chain(closes).max();
        let end = match self.trigger {
            Trigger::Event(id) | Trigger::Until(id) => id,
            Trigger::Arm(id) if last == id => id,
            Trigger::Arm(_) => return,
            Trigger::Closing(time) => {
                if completion != Some(time) {
                    return;
                }
                self.buffer.after(time)
            }
            Trigger::Deadline(time, _) => {
                if Some(last_ts) != self.last_ts || completion != Some(time) {
                    return;
                }
                let end = self.buffer.after(time);
                // What a repetition would still have bound before the deadline.
                if left.limit.is_some_and(|limit| limit < end) {
                    return;
                }
                end
            }
        };
        let key = self.key();
        if rule.handed_over && self.used.get(&key).is_some_and(|used| self.buffer.event(first).at() <= *used) {
            return;
        }
        let arms = matches!(self.trigger, Trigger::Arm(_));
        if !arms && !absences().zip(&deadlines).all(|(ahead, deadline)| self.is_silent(ahead, last, *deadline)) {
            return;
        }
        if self.cancelled(first + 1, end, &sorted) {
            return;
        }
        if !self.having_holds() || !self.reaches_back(last, end) {
            return;
        }
        if arms {
            self.armed.extend(completion);
            return;
        }
        self.found.push(Candidate { steps: self.ids.clone(), sorted, named: self.named.clone(), key });
    }

    /// Whether `having` holds for what is bound now: a repeated last step completes only then.
    pub(super) fn having_holds(&self) -> bool {
        self.env.rule.having.as_ref().is_none_or(|having| {
            let values = if self.env.rule.handed_over { self.decode_key(&self.key()) } else { Vec::new() };
            let mut context = self.env.context::<StoredView<'_>>(None, &self.bound, None);
            if self.env.rule.handed_over {
                context.key = &values;
            }
            passes(having, &context)
        })
    }

    /// The first step's key, for handed-over keys.
    pub(super) fn key(&self) -> Box<[u8]> {
        if !self.env.rule.handed_over {
            return Box::default();
        }
        self.key_of(&self.components)
    }

    /// The first step's key among components agreed on.
    pub(super) fn key_of(&self, components: &[Option<Box<[u8]>>]) -> Box<[u8]> {
        self.env.rule.key.iter().filter_map(|place| components[*place].as_deref()).flatten().copied().collect()
    }

    fn decode_key(&self, key: &[u8]) -> Vec<crate::base::Value> {
        crate::plan::key::decode(key, self.env.rule.key.len())
    }
}
