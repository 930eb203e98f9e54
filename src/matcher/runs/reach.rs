//! How far a repeated first step or group reaches back: to the earliest event that qualifies as a first one, lies in
//! reach of the candidate's last event, and is not cut off by `cancel on` or its own `without`.
//!
//! ```text
//! a1  a2 | Z | a3  a4  b5      starts: a1 a2 a3 a4      cut off: a1 a2 (Z lies after them)      start: a3
//! ```
//! Which event that is may depend on the candidate that it leads to: on its last event, and on what it binds, which a
//! cut is not. So every start that may be one is tried, oldest first, and a candidate is kept only if what it says of
//! itself leads back to the start that it was made from ([`Search::reaches_back`]). Mostly there is nothing to try:
//! the last event is known, and no guard is hit after the first start.

use super::buffer::Id;
use super::forward::Left;
use super::repeat::Next;
use super::search::{Search, Trigger};
use crate::base::{StepId, Timestamp};
use crate::plan::ruleset::{ElementKind, Group, Pick, Quantifier};

/// Values of key components agreed on.
type Components = Vec<Option<Box<[u8]>>>;

/// Where a repeated first element has begun to look for its events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// The element.
    at: usize,
    /// The step of its first event.
    step: StepId,
    start: Id,
}

/// Which starts guards cut off.
#[derive(Clone, Copy, Debug)]
struct Cuts {
    /// Every start before this is cut off.
    surely: Id,
    /// No start at or after this is.
    maybe: Id,
}

/// The starts to try.
#[derive(Clone, Copy, Debug)]
struct Starts {
    /// At or after this.
    low: Id,
    /// Before this.
    high: Id,
    /// All at or after `low` lie in reach of the last event.
    in_reach: bool,
    cuts: Cuts,
}

impl<'s> Search<'s> {
    /// Finds what a repeated first step binds, and goes on.
    pub(super) fn first_repeat(
        &mut self,
        at: usize,
        step: StepId,
        q: &Quantifier,
        left: &Left<'s>,
        high: Id,
        next: Next,
    ) {
        let def = &self.env.rule.steps[step.index()];
        // Whether an event is bound does not depend on what else is.
        let alike = def.cross.is_none()
            && def.cross_lookback.is_empty()
            && !self.is_contiguous(at, q)
            && !self.env.rule.handed_over;
        let cuts = self.cuts(
            at,
            step,
            Some(q),
            alike && def.until.is_none() && def.ends.is_none() && !matches!(next, Next::Open(_)),
            high,
        );
        let (low, known) = self.reach_of_parts();
        let in_reach = known && (self.last_ts.is_some() || self.env.rule.within.is_none());
        let mut starts = Starts { low, high, in_reach, cuts };
        let mut munch_from = self.low;
        if matches!((next, self.trigger), (Next::End, Trigger::Until(_))) && !self.env.rule.handed_over {
            // Only what lies behind the `until` before can be meant, whatever it reaches back to.
            munch_from = self.last_until(def.until, high).map_or(self.low, |id| id + 1);
            let mut own = self.buffer.range(def.role, munch_from, high).filter(|id| self.countable(q, *id));
            let last = if alike { own.next_back() } else { own.next() };
            let Some(last) = last else { return };
            if let Some(within) = self.env.rule.within {
                starts.low = self.buffer.at_or_after(self.buffer.event(last).ts - within).max(self.low);
                starts.in_reach |= alike;
            }
        }
        if self.env.rule.pick == Pick::Each {
            starts.low = starts.low.max(munch_from);
        }
        self.each_start(at, step, Some(q), starts, &mut |search, start| {
            for segment in search.segments(at, step, q, start.max(munch_from), high, None) {
                search.take(at, step, q, &segment, left, next);
            }
        });
    }

    /// Finds the iterations of a repeated first group, and goes on.
    pub(super) fn first_group(&mut self, at: usize, group: &'s Group, left: &Left<'s>, high: Id, next: Next) {
        let Some((step, _)) = group.body.first() else { return };
        let (low, known) = self.reach_of_parts();
        let in_reach = known && (self.last_ts.is_some() || self.env.rule.within.is_none());
        let cuts = self.cuts(at, *step, None, false, high);
        let starts = Starts { low, high, in_reach, cuts };
        self.each_start(at, *step, None, starts, &mut |search, start| {
            search.iterate(at, group, left, start, high, next);
        });
    }

    /// The newest `until` before a position.
    fn last_until(&self, until: Option<crate::base::id::GuardId>, before: Id) -> Option<Id> {
        let until = until?;
        let role = self.env.rule.guards[until.index()].role;
        self.buffer.range(role, self.low, before).rev().find(|id| self.hits(until, *id))
    }

    /// Goes on from every start that may be the one, oldest first.
    fn each_start(
        &mut self,
        at: usize,
        step: StepId,
        q: Option<&Quantifier>,
        starts: Starts,
        go: &mut dyn FnMut(&mut Self, Id),
    ) {
        let each = matches!(self.env.rule.pick, Pick::Each | Pick::All) || self.arms_every_start();
        let role = self.env.rule.steps[step.index()].role;
        // With handed-over keys every key of the first step reaches back for itself. No later start can do for those
        // that are settled.
        let mut keys: Vec<(Components, bool)> = Vec::new();
        // Two starts may lead to a candidate each: the first found need not be the best of them.
        let first_is_best = std::mem::replace(&mut self.first_is_best, false);
        let mut from = if each { starts.low } else { starts.low.max(starts.cuts.surely) };
        loop {
            let start = self.buffer.range(role, from, starts.high).find(|id| !self.buffer.first_used(*id));
            let Some(start) = start else { break };
            if self.done() || !self.spend() {
                break;
            }
            from = start + 1;
            let key = self.components_of(step, start);
            let known = keys.iter().position(|(k, _)| *k == key);
            if known.is_some_and(|at| keys[at].1) || self.is_used_up(&key, start) || !self.begins(step, q, start) {
                continue;
            }
            let settled = !each && starts.in_reach && start >= starts.cuts.maybe;
            if !each && (!settled || known.is_some()) {
                self.reach = Some(Reach { at, step, start });
            }
            go(self, start);
            self.reach = None;
            match known {
                Some(at) => keys[at].1 = settled,
                None => keys.push((key, settled)),
            }
            if settled && !self.env.rule.handed_over {
                break;
            }
        }
        self.first_is_best = first_is_best;
    }

    /// Whether an event qualifies as a first one and does not end the repetition. Nothing is bound yet.
    fn begins(&mut self, step: StepId, q: Option<&Quantifier>, id: Id) -> bool {
        let def = &self.env.rule.steps[step.index()];
        if let Some(until) = def.until {
            let handed_over = self.env.rule.handed_over;
            // The guard agrees with the key that the event brings.
            if handed_over {
                self.agree(step, id);
            }
            let ends = self.hits(until, id);
            if handed_over {
                self.recompute_components();
            }
            if ends {
                return false;
            }
        }
        self.qualifies_first(step, q, id)
    }

    fn qualifies_first(&mut self, step: StepId, q: Option<&Quantifier>, id: Id) -> bool {
        let def = &self.env.rule.steps[step.index()];
        if q.is_some_and(|q| !self.countable(q, id)) {
            return false;
        }
        if def.cross.is_none() && def.cross_lookback.is_empty() && !self.env.rule.handed_over {
            return true;
        }
        let qualifies = self.bind(step, id, None);
        if qualifies {
            self.unbind(step);
        }
        qualifies
    }

    /// One past the last position at which `cancel on` ends the candidate.
    pub(super) fn completion(&self) -> Id {
        match self.trigger {
            Trigger::Event(id) | Trigger::Until(id) | Trigger::Arm(id) => id,
            Trigger::Deadline(time, _) | Trigger::Closing(time) => self.buffer.after(time),
        }
    }

    /// What can be said about cut off starts before anything is bound. `munches`: the element at `at` binds every
    /// event of its step before `high`.
    fn cuts(&self, at: usize, step: StepId, q: Option<&Quantifier>, munches: bool, high: Id) -> Cuts {
        let rule = self.env.rule;
        let buffer = self.buffer;
        let mut cuts = Cuts { surely: self.low, maybe: self.low };
        let element = &rule.elements[at];
        if rule.cancel.is_empty() && element.without.is_empty() {
            return cuts;
        }
        let role = rule.steps[step.index()].role;
        let own = |id: Id| id < high && buffer.has(id, role) && q.is_none_or(|q| self.countable(q, id));
        let munched = |id: Id| munches && own(id);
        let pinned = |id: Id| self.pins.iter().flatten().flatten().any(|(_, pin)| *pin == id);
        let all_pinned = munches && self.pins[at + 1..].iter().all(Option::is_some);
        let may_be_bound = |id: Id| match all_pinned {
            true => munched(id) || pinned(id),
            false => rule.steps.iter().any(|step| buffer.has(id, step.role)),
        };
        let decided = |cross: bool| !cross && !rule.handed_over;
        let end = self.completion();
        for guard in &rule.cancel {
            let guard = &rule.guards[guard.index()];
            let hits = || buffer.range(guard.role, self.low, end).rev();
            cuts.maybe = hits().find(|id| !munched(*id) && !pinned(*id)).unwrap_or(0).max(cuts.maybe);
            if decided(guard.cross.is_some()) {
                cuts.surely = hits().find(|id| !may_be_bound(*id)).unwrap_or(0).max(cuts.surely);
            }
        }
        let upto =
            if munches { buffer.range(role, self.low, high).rfind(|id| own(*id)).unwrap_or(self.low) } else { high };
        for guard in &element.without {
            let guard = &rule.guards[guard.index()];
            let hit = buffer.range(guard.role, self.low, upto).rev().find(|id| !munched(*id)).unwrap_or(0);
            cuts.maybe = hit.max(cuts.maybe);
            if munches && decided(guard.cross.is_some()) {
                cuts.surely = hit.max(cuts.surely);
            }
        }
        cuts
    }

    /// Whether the candidate that is bound reaches back just as far as it should: its start lies in its reach and is
    /// not cut off, and no earlier one is so.
    pub(super) fn reaches_back(&mut self, last: Id, end: Id) -> bool {
        let Some(reach) = self.reach else { return true };
        let rule = self.env.rule;
        let q = match &rule.elements[reach.at].kind {
            ElementKind::Repeat(step) => rule.steps[step.index()].quantifier.as_ref(),
            _ => None,
        };
        let low = rule.within.map_or(Timestamp::MIN, |within| self.buffer.event(last).ts - within);
        let low = self.buffer.at_or_after(low).max(self.low).max(self.reach_of_bound_parts());
        let Some(first) = self.ids.iter().flatten().min().copied() else { return false };
        if reach.start < low {
            return false;
        }
        let role = rule.steps[reach.step.index()].role;
        let all: Vec<Id> = self.buffer.range(role, low, first).collect();
        let key = self.key();
        let mut qualifying = Vec::new();
        let mut starts = Vec::new();
        self.with_nothing_bound(|search| {
            for id in all {
                if !search.spend() {
                    return;
                }
                let components = search.components_of(reach.step, id);
                if rule.handed_over && search.key_of(&components) != key {
                    continue;
                }
                if search.qualifies_first(reach.step, q, id) {
                    qualifying.push(id);
                }
                let free = !search.buffer.first_used(id) && !search.is_used_up(&components, id);
                if id < reach.start && free && search.begins(reach.step, q, id) {
                    starts.push(id);
                }
            }
        });
        !self.exhausted
            && !self.is_cut(reach, reach.start, &qualifying, end)
            && starts.into_iter().all(|start| self.is_cut(reach, start, &qualifying, end))
    }

    /// Whether a guard cuts off a start of the candidate that is bound. What the repetition would bind from there on is
    /// no cut either.
    fn is_cut(&mut self, reach: Reach, start: Id, qualifying: &[Id], end: Id) -> bool {
        let rule = self.env.rule;
        let element = &rule.elements[reach.at];
        let own: Vec<Id> = element.steps().iter().flat_map(|step| self.ids[step.index()].iter().copied()).collect();
        let own_last = own.iter().max().copied().unwrap_or(start);
        if self.any_hit(&element.without, start + 1, own_last, &own) {
            return true;
        }
        if rule.cancel.is_empty() {
            return false;
        }
        let step = reach.step.index();
        let more = qualifying.iter().copied().filter(|id| *id >= start);
        let more: Vec<Id> = more.chain(self.ids[step].iter().copied()).collect();
        let events = more.iter().map(|id| self.buffer.event(*id)).collect();
        let ids = std::mem::replace(&mut self.ids[step], more);
        let bound = std::mem::replace(&mut self.bound[step], events);
        let all: Vec<Id> = self.ids.iter().flatten().copied().collect();
        let cut = self.cancelled(start + 1, end, &all);
        self.ids[step] = ids;
        self.bound[step] = bound;
        cut
    }

    /// Runs `look` as if nothing had been bound.
    fn with_nothing_bound(&mut self, look: impl FnOnce(&mut Self)) {
        let none = vec![None; self.components.len()];
        let bound = std::mem::replace(&mut self.bound, vec![Vec::new(); self.env.rule.steps.len()]);
        let ids = std::mem::replace(&mut self.ids, vec![Vec::new(); self.env.rule.steps.len()]);
        let components = std::mem::replace(&mut self.components, none.clone());
        let preset = std::mem::replace(&mut self.preset, none);
        look(self);
        self.bound = bound;
        self.ids = ids;
        self.components = components;
        self.preset = preset;
    }
}
