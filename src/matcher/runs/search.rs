//! The backward half of a search: chooses the events of single, optional, `any` and `all` elements, newest first.
//!
//! Repetitions between them follow from their neighbours and are found by the forward half. Equalities with steps
//! chosen already are looked up; gaps and unary guards end a scan as soon as no older event can do.

use std::cell::Cell;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::buffer::{Buffer, Id};
use super::reach::Reach;
use super::{Candidate, RuleEnv};
use crate::base::{Duration, StepId, Timestamp};
use crate::plan::event::{Seq, StoredEvent};
use crate::plan::ruleset::Pick;
use crate::plan::ruleset::{Element, ElementKind, Rule};

/// What a candidate completes at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// Its last event.
    Event(Id),
    /// The event that ends its last repetition.
    Until(Id),
    /// Its last deadline, so long after its last event.
    Deadline(Timestamp, Duration),
    /// The time that ends its last repetition, so long after the first event of that.
    Closing(Timestamp),
    /// Nothing yet: finds the deadlines of those whose last event this is.
    Arm(Id),
}

/// Events chosen for an element: `None` for repetitions, which are found forwards; empty for an optional left out.
pub(super) type Pin = Option<SmallVec<[(StepId, Id); 2]>>;

/// Up to where handed-over keys have been used.
pub(super) type Used = HashMap<Box<[u8]>, (Timestamp, Seq), foldhash::fast::FixedState>;

/// One search.
pub(super) struct Search<'s> {
    pub(super) env: &'s RuleEnv<'s>,
    pub(super) buffer: &'s Buffer,
    pub(super) used: &'s Used,
    pub(super) trigger: Trigger,
    /// Candidates found.
    pub(super) found: Vec<Candidate>,
    /// The budget ran out.
    pub(super) exhausted: bool,
    budget: usize,
    /// What is left of it for absent groups.
    pub(super) absent_budget: Cell<usize>,
    /// The first candidate found is the one to report.
    pub(super) first_is_best: bool,
    pub(super) pins: Vec<Pin>,
    /// Events bound so far, by step.
    pub(super) bound: Vec<Vec<&'s StoredEvent>>,
    /// Their positions.
    pub(super) ids: Vec<Vec<Id>>,
    /// What look-backs have found and named.
    pub(super) named: Vec<(StepId, Id)>,
    /// Values of key components agreed on so far, for handed-over keys.
    pub(super) components: Vec<Option<Box<[u8]>>>,
    /// Components agreed on before any event of a repetition is bound.
    pub(super) preset: Vec<Option<Box<[u8]>>>,
    /// No bound event lies before this.
    pub(super) low: Id,
    /// Deadlines found by [`Trigger::Arm`].
    pub(super) armed: Vec<Timestamp>,
    /// Where a repeated first element has begun, if the candidate must show that it reaches back just so far.
    pub(super) reach: Option<Reach>,
    /// Time of the last bound event, where the trigger tells it.
    pub(super) last_ts: Option<Timestamp>,
}

impl<'s> Search<'s> {
    pub(super) fn new(env: &'s RuleEnv<'s>, buffer: &'s Buffer, used: &'s Used, trigger: Trigger) -> Self {
        let rule = env.rule;
        let last_ts = match trigger {
            Trigger::Event(id) | Trigger::Arm(id) => Some(buffer.event(id).ts),
            Trigger::Until(_) | Trigger::Closing(_) => None,
            Trigger::Deadline(time, after) => Some(time - after),
        };
        let low = match (last_ts, rule.within) {
            (Some(last), Some(within)) => buffer.at_or_after(last - within),
            _ => buffer.at_or_after(Timestamp::MIN),
        };
        let first_is_best = !matches!(trigger, Trigger::Arm(_))
            && rule.pick == Pick::Latest
            && !rule.handed_over
            && newest_first_is_best(rule);
        Self {
            env,
            buffer,
            used,
            trigger,
            found: Vec::new(),
            exhausted: false,
            budget: env.limits.search_steps,
            absent_budget: Cell::new(env.limits.search_steps),
            first_is_best,
            pins: vec![None; rule.elements.len()],
            bound: vec![Vec::new(); rule.steps.len()],
            ids: vec![Vec::new(); rule.steps.len()],
            named: Vec::new(),
            components: vec![None; rule.components.len()],
            preset: vec![None; rule.components.len()],
            low,
            armed: Vec::new(),
            reach: None,
            last_ts,
        }
    }

    /// Finds the candidates.
    pub(super) fn run(&mut self) {
        if self.env.rule.elements.iter().all(|element| self.may_be_bound(element)) {
            self.choose(self.env.rule.elements.len(), self.buffer.end());
        }
    }

    /// Whether there is an event at all for each step that an element must bind. Without one, what the other elements
    /// bind need not be tried.
    fn may_be_bound(&self, element: &Element) -> bool {
        let step = |step: &StepId| &self.env.rule.steps[step.index()];
        let any = |id: &StepId| self.buffer.any(step(id).role, self.low, self.buffer.end());
        match &element.kind {
            ElementKind::Single(id) => any(id),
            ElementKind::Repeat(id) => step(id).quantifier.as_ref().is_none_or(|q| q.min == 0) || any(id),
            ElementKind::All(ids) => ids.iter().all(any),
            ElementKind::Any(ids) => ids.iter().any(any),
            ElementKind::Optional(_) | ElementKind::Group(_) => true,
        }
    }

    /// Whether the budget ran out.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted || self.absent_budget.get() == 0
    }

    /// Whether to stop: enough found, or out of budget.
    pub(super) fn done(&self) -> bool {
        self.exhausted || (self.first_is_best && !self.found.is_empty())
    }

    /// Takes one step of the budget.
    pub(super) fn spend(&mut self) -> bool {
        if self.budget == 0 || self.found.len() > 4 * self.env.limits.matches_per_completion {
            self.exhausted = true;
            return false;
        }
        self.budget -= 1;
        true
    }

    /// Chooses elements `0..upto`, all before position `before`.
    fn choose(&mut self, upto: usize, before: Id) {
        if self.done() || !self.spend() {
            return;
        }
        let Some(at) = upto.checked_sub(1) else {
            self.forward_start();
            return;
        };
        let rule = self.env.rule;
        match &rule.elements[at].kind {
            ElementKind::Repeat(_) | ElementKind::Group(_) => {
                self.pins[at] = None;
                self.choose(at, before);
            }
            ElementKind::Single(step) => self.choose_single(at, *step, before),
            ElementKind::Optional(step) => {
                self.choose_single(at, *step, before);
                self.pins[at] = Some(SmallVec::new());
                self.choose(at, before);
            }
            ElementKind::Any(steps) => {
                for step in steps {
                    self.choose_single(at, *step, before);
                }
            }
            ElementKind::All(steps) => {
                let mut chosen = SmallVec::new();
                self.choose_all(at, steps, &mut chosen, before);
            }
        }
        self.pins[at] = None;
    }

    fn is_last(&self, at: usize) -> bool {
        at + 1 == self.env.rule.elements.len()
    }

    /// Whether an event may be the last of the match.
    fn may_end(&self, id: Id) -> bool {
        match self.trigger {
            Trigger::Event(end) | Trigger::Arm(end) => id == end,
            Trigger::Until(_) | Trigger::Closing(_) => false,
            Trigger::Deadline(..) => Some(self.buffer.event(id).ts) == self.last_ts,
        }
    }

    fn choose_single(&mut self, at: usize, step: StepId, before: Id) {
        let buffer = self.buffer;
        let role = self.env.rule.steps[step.index()].role;
        if self.is_last(at) {
            let from = match self.trigger {
                Trigger::Event(id) | Trigger::Arm(id) => id,
                _ => self.last_ts.map_or(self.low, |ts| buffer.at_or_after(ts)),
            };
            for id in buffer.range(role, from, before).rev() {
                if self.may_end(id) {
                    self.pin_single(at, step, id);
                }
                if self.done() {
                    return;
                }
            }
            return;
        }
        let floor = self.floor(at);
        match self.join(step) {
            Some(ids) => {
                let ids: &[Id] = ids;
                let end = ids.partition_point(|id| *id < before);
                for id in ids[..end].iter().rev() {
                    if *id < floor || !self.scan_on(at, step, *id) {
                        return;
                    }
                }
            }
            None => {
                for id in buffer.range(role, floor, before).rev() {
                    if !self.scan_on(at, step, id) {
                        return;
                    }
                }
            }
        }
    }

    /// Tries one event; `false` if no older one can do either.
    fn scan_on(&mut self, at: usize, step: StepId, id: Id) -> bool {
        match self.fits_before(at, id) {
            Fit::Yes => self.pin_single(at, step, id),
            Fit::No => {}
            Fit::NorOlder => return false,
        }
        !self.done() && self.spend()
    }

    /// The most selective look-up among the joins with steps chosen already.
    fn join(&self, step: StepId) -> Option<&'s [Id]> {
        let mut best: Option<&'s [Id]> = None;
        for join in &self.env.rule.steps[step.index()].joins {
            let partner = self.pins.iter().flatten().flatten().find(|(s, _)| *s == join.step);
            let Some((partner, id)) = partner else { continue };
            let found = self.buffer.joined(self.env, step, *partner, self.buffer.event(*id));
            if let Some(ids) = found
                && best.is_none_or(|b| ids.len() < b.len())
            {
                best = Some(ids);
            }
        }
        best
    }

    /// Cheap tests of an event as the last of element `at` against the element after it, if that is chosen.
    fn fits_before(&self, at: usize, id: Id) -> Fit {
        if !self.env.rule.parts.is_empty() && self.is_too_old_for_parts(at, id) {
            return Fit::NorOlder;
        }
        let next = &self.env.rule.elements[at + 1];
        let Some(Some(pin)) = self.pins.get(at + 1) else { return Fit::Yes };
        let Some(first) = pin.iter().map(|(_, id)| *id).min() else { return Fit::Yes };
        let gap = self.buffer.event(first).ts - self.buffer.event(id).ts;
        if next.link.within.is_some_and(|d| gap > d) {
            return Fit::NorOlder;
        }
        if next.link.directly && self.named_between(id + 1, first) {
            return Fit::NorOlder;
        }
        if next.link.after.is_some_and(|d| gap < d)
            || next.ahead.iter().any(|a| a.within.fixed().is_some_and(|d| gap <= d))
        {
            return Fit::No;
        }
        let all = matches!(next.kind, ElementKind::All(_));
        if !self.env.rule.handed_over && !all {
            for guard in &next.without {
                let guard = &self.env.rule.guards[guard.index()];
                if guard.cross.is_none() && self.buffer.any(guard.role, id + 1, first) {
                    return Fit::NorOlder;
                }
            }
        }
        Fit::Yes
    }

    fn pin_single(&mut self, at: usize, step: StepId, id: Id) {
        let mut pin = SmallVec::new();
        pin.push((step, id));
        self.pins[at] = Some(pin);
        if self.early_conditions_hold(at, step) {
            self.choose(at, id);
        }
        self.pins[at] = None;
    }

    /// Conditions of later single steps that have all they read now, this step included: fail early.
    fn early_conditions_hold(&mut self, at: usize, step: StepId) -> bool {
        if self.env.rule.elements.len() < 3 {
            return true;
        }
        let rule = self.env.rule;
        let buffer = self.buffer;
        let pinned: SmallVec<[(StepId, Id); 8]> = self.pins[at..].iter().flatten().flatten().copied().collect();
        for (later, id) in &pinned {
            let def = &rule.steps[later.index()];
            let Some(cross) = &def.cross else { continue };
            let ready = !def.reads_prev
                && !def.own_history
                && def.reads.contains(&step)
                && def.reads.iter().all(|s| pinned.iter().any(|(p, _)| p == s));
            if !ready {
                continue;
            }
            for (s, id) in &pinned {
                if s != later {
                    self.bound[s.index()].push(buffer.event(*id));
                }
            }
            let view = self.env.stored(buffer.event(*id));
            let holds = crate::plan::eval::passes(cross, &self.env.context(Some(&view), &self.bound, None));
            for (s, _) in &pinned {
                self.bound[s.index()].clear();
            }
            if !holds {
                return false;
            }
        }
        true
    }

    /// Assigns different events to the members of an `all`.
    fn choose_all(&mut self, at: usize, left: &[StepId], chosen: &mut SmallVec<[(StepId, Id); 2]>, before: Id) {
        if self.done() || !self.spend() {
            return;
        }
        let Some((step, rest)) = left.split_first() else {
            let newest = chosen.iter().map(|(_, id)| *id).max();
            let oldest = chosen.iter().map(|(_, id)| *id).min();
            if let (Some(newest), Some(oldest)) = (newest, oldest)
                && (!self.is_last(at) || self.may_end(newest))
                && (self.is_last(at) || !matches!(self.fits_before(at, newest), Fit::No | Fit::NorOlder))
            {
                let mut pin = chosen.clone();
                pin.sort_by_key(|(_, id)| *id);
                self.pins[at] = Some(pin);
                self.choose(at, oldest);
                self.pins[at] = None;
            }
            return;
        };
        let role = self.env.rule.steps[step.index()].role;
        let buffer = self.buffer;
        for id in buffer.range(role, self.low, before).rev() {
            if chosen.iter().any(|(_, other)| *other == id) {
                continue;
            }
            chosen.push((*step, id));
            self.choose_all(at, rest, chosen, before);
            chosen.pop();
        }
    }
}

enum Fit {
    Yes,
    No,
    NorOlder,
}

/// Whether the first candidate of a newest-first search is the newest of all: each choice is of one event, so the
/// order of the search is the order of the comparison. A repeated first step adds only older events.
fn newest_first_is_best(rule: &Rule) -> bool {
    rule.elements.iter().enumerate().all(|(at, element)| match &element.kind {
        ElementKind::Single(_) => true,
        ElementKind::Repeat(step) if at == 0 && rule.elements.len() > 1 => {
            let step = &rule.steps[step.index()];
            step.until.is_none() && step.ends.is_none() && step.quantifier.as_ref().is_none_or(|q| !q.consecutive)
        }
        _ => false,
    })
}
