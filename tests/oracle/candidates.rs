//! Every candidate of a rule for one key: meaning 2 of the language, by recursion over the elements.
//!
//! Elements take events from left to right. Whatever depends on the whole candidate (`within`, reach-back,
//! `cancel on`, `having`) is tested when the last element has been placed. Repetition stands in `repeat.rs`.

use std::cell::Cell;

use super::absent::Absent;
use super::eval::{At, Binds, Env, World, join};
use super::event::{Ms, Val};
use super::expr::Expr;
use super::rule::{Bound, Elem, End, Guard, Joint, KeyComp, Pick, Step};

/// Where a candidate completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Done {
    /// At an event, by its index.
    Event(usize),
    /// At a deadline.
    Deadline(Ms),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub binds: Binds,
    pub done: Done,
}

impl Candidate {
    /// All bound events, oldest first.
    pub fn bound(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.binds.iter().flatten().copied().collect();
        all.sort_unstable();
        all
    }
}

/// What the next event to be bound must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Free,
    At(usize),
    Nothing,
}

/// A candidate under construction.
#[derive(Clone)]
pub struct Part {
    pub binds: Binds,
    pub env: Env,
    /// The components of the step bound last, for absences ahead.
    pub comps: Vec<KeyComp>,
    pub first: Option<usize>,
    pub last: Option<usize>,
    pub next: Next,
    /// Deadlines of absences since the last bound event.
    pub waits: Vec<Ms>,
    /// `no X` without `within`: guards on the next step.
    pub carried: Vec<Guard>,
    /// A repeated first element: its index in the body and where the scan started.
    pub reach: Option<(usize, usize)>,
    /// The `until` event at which a last step completes.
    pub closed: Option<usize>,
    /// The time that ended the last step.
    pub ended: Option<Ms>,
}

pub struct Search<'a> {
    pub world: &'a World<'a>,
    /// The rule's key.
    pub key: Env,
    /// Events used up: those before this index.
    pub used: usize,
    /// First events that `skip to next` has reported.
    pub reported: Vec<usize>,
}

thread_local! {
    /// How many more places may be looked at.
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Bounds the places that a search looks at from here on. A search that is out of them finds nothing more.
pub fn bound_work(places: u64) {
    LEFT.set(places);
}

/// Whether the bound was not reached.
pub fn is_within_work() -> bool {
    LEFT.get() > 0
}

fn spend() -> bool {
    LEFT.set(LEFT.get().saturating_sub(1));
    is_within_work()
}

impl Search<'_> {
    pub fn all(&self) -> Vec<Candidate> {
        let part = Part {
            binds: vec![vec![]; self.world.rule.steps().len()],
            env: self.key.clone(),
            comps: vec![],
            first: None,
            last: None,
            next: Next::Free,
            waits: vec![],
            carried: vec![],
            reach: None,
            closed: None,
            ended: None,
        };
        let mut out = vec![];
        self.go(0, &part, &mut out);
        let mut unique: Vec<Candidate> = vec![];
        for c in out {
            if !unique.contains(&c) {
                unique.push(c);
            }
        }
        unique
    }

    pub fn len(&self) -> usize {
        self.world.events.len()
    }

    /// Whether an event may be bound at all: not used by an earlier match.
    pub fn free(&self, event: usize) -> bool {
        event >= self.used
    }

    /// Where an element may look from: after the last bound event and after the deadlines of absences before it.
    pub fn from(&self, part: &Part) -> usize {
        let after = part.waits.iter().max().map_or(0, |&d| self.world.events.partition_point(|e| e.ts <= d));
        part.last.map_or(0, |l| l + 1).max(after)
    }

    /// The events there that may be bound.
    pub fn following(&self, part: &Part) -> Vec<usize> {
        let from = self.from(part);
        (from..self.len()).filter(|&e| self.free(e)).collect()
    }

    pub fn go(&self, i: usize, part: &Part, out: &mut Vec<Candidate>) {
        if !spend() {
            return;
        }
        let Some((joint, elem)) = self.world.rule.body.get(i) else {
            return self.finish(part, out);
        };
        match elem {
            Elem::Step(step) if step.repeated() => self.repeated(i, joint, step, part, out),
            Elem::Step(step) => {
                if step.optional() {
                    self.go(i + 1, part, out);
                }
                for e in self.following(part) {
                    if let Some(next) = self.place(joint, step, part, e) {
                        self.go(i + 1, &next, out);
                    }
                }
            }
            Elem::Any { members } => {
                for step in members {
                    for e in self.following(part) {
                        if let Some(next) = self.place(joint, step, part, e) {
                            self.go(i + 1, &next, out);
                        }
                    }
                }
            }
            Elem::All { members, without } => {
                let mut taken = vec![];
                self.members(i, joint, members, without, part, &mut taken, out);
            }
            Elem::Choice { .. } => unreachable!("each way is searched by itself"),
            Elem::Absence { events, inner, end: Some(end), .. } if !inner.is_empty() => {
                let Some(deadline) = self.deadline(end, part) else { return };
                let after = part.last.expect("an absence follows a step");
                let group = Absent { events, inner, after, deadline };
                if !self.occurs(&group, part, 0, None, &part.binds) {
                    let mut next = part.clone();
                    next.waits.push(deadline);
                    self.go(i + 1, &next, out);
                }
            }
            Elem::Absence { events, fewer, end, .. } => self.absence(i, events, *fewer, end.as_ref(), part, out),
            Elem::Group { count, body, within } => self.group(i, joint, *count, body, *within, part, out),
        }
    }

    /// A single step at an event, if everything allows it.
    pub fn place(&self, joint: &Joint, step: &Step, part: &Part, e: usize) -> Option<Part> {
        let key = self.qualifies(step, part, &[], e)?;
        if !self.enters(joint, part, e) {
            return None;
        }
        let mut next = self.bound(part, step, &[e], &key);
        let mut guards = step.without.clone();
        guards.extend(part.carried.iter().cloned());
        if joint.next {
            let by = if step.by.is_empty() { vec![] } else { self.world.rule.comps(step) };
            guards.push(Guard { classes: step.classes.clone(), cond: step.cond.clone(), by });
        }
        if let Some(previous) = part.last
            && self.hit(&guards, previous, e, &[], &next.comps, &next.env, &next.binds)
        {
            return None;
        }
        next.carried.clear();
        self.gap_fits(joint, part, e, &next).then_some(next)
    }

    /// The value of a duration over what is bound.
    pub fn length(&self, d: &Expr, binds: &Binds) -> Option<Ms> {
        match self.world.value(d, At { event: None, binds, prev: None, step: None }) {
            Val::Span(d) => Some(d),
            _ => None,
        }
    }

    /// Whether the computed bound of the gap before an element holds, once the element is bound.
    pub fn gap_fits(&self, joint: &Joint, before: &Part, first: usize, after: &Part) -> bool {
        let (Some(d), Some(previous)) = (&joint.computed, before.last) else { return true };
        let gap = self.world.events[first].ts - self.world.events[previous].ts;
        self.length(d, &after.binds).is_some_and(|d| gap <= d)
    }

    /// When an absence after the last bound event ends; `None` if that is missing.
    pub fn deadline(&self, end: &End, part: &Part) -> Option<Ms> {
        let ts = self.world.events[part.last.expect("an absence follows a step")].ts;
        Some(match end {
            End::After(d) => ts + d,
            End::Computed(d) => ts + self.length(d, &part.binds)?.max(0),
            End::Until(t) => {
                match self.world.value(t, At { event: None, binds: &part.binds, prev: None, step: None }) {
                    Val::Time(t) => t.max(ts),
                    _ => return None,
                }
            }
        })
    }

    /// Whether an event is of the step's class and key and satisfies its condition; if so, its key.
    /// `own` is what the step has bound so far.
    pub fn qualifies(&self, step: &Step, part: &Part, own: &[usize], e: usize) -> Option<Env> {
        if !spend() {
            return None;
        }
        let world = self.world;
        let comps = world.rule.comps(step);
        let key = world.key(&comps, e, &part.env)?;
        if world.events[e].seq == 0 {
            return (step.id == 0).then_some(key);
        }
        if !world.is_class(e, &step.classes) {
            return None;
        }
        let mut binds = part.binds.clone();
        binds[step.id] = own.to_vec();
        if let Some(quant) = &step.quant
            && quant.distinct.iter().any(|f| world.events[e].field(f) == super::event::Val::Missing)
        {
            return None;
        }
        if let Some(cond) = &step.cond {
            let prev = own.last().copied().or(part.last);
            let at = At { event: Some(e), binds: &binds, prev, step: Some(step) };
            if world.truth(cond, at) != Some(true) {
                return None;
            }
        }
        binds[step.id].push(e);
        let env = join(&part.env, &key);
        for last in &step.last {
            let reach = match &last.computed {
                None => last.d,
                Some(d) => Bound::closed(self.length(d, &binds)?),
            };
            let seen = (0..e).any(|x| {
                reach.holds(world.events[e].ts - world.events[x].ts)
                    && last.events.iter().any(|g| world.meets(g, x, &comps, &env, &binds))
            });
            if seen == last.unless {
                return None;
            }
        }
        Some(key)
    }

    /// Whether an element may begin at `e`: its place, the joint's bounds and contiguity, open absences.
    pub fn enters(&self, joint: &Joint, part: &Part, e: usize) -> bool {
        match part.next {
            Next::Free => {}
            Next::At(n) if n == e => {}
            _ => return false,
        }
        let events = self.world.events;
        if part.waits.iter().any(|&deadline| events[e].ts <= deadline) {
            return false;
        }
        let Some(previous) = part.last else { return true };
        let gap = events[e].ts - events[previous].ts;
        joint.after.is_none_or(|d| gap >= d)
            && joint.within.is_none_or(|d| d.holds(gap))
            && !(joint.directly && (previous + 1..e).any(|x| self.named(x)))
    }

    /// Whether an event is of the rule's key and of a class that a step names.
    pub fn named(&self, x: usize) -> bool {
        self.world.rule.steps().into_iter().any(|step| {
            self.world.is_class(x, &step.classes)
                && self.world.key(&self.world.rule.comps(step), x, &self.key).is_some()
        })
    }

    /// Whether one of the guards is met strictly between two events, leaving out `but`.
    #[allow(clippy::too_many_arguments)]
    pub fn hit(
        &self,
        guards: &[Guard],
        from: usize,
        to: usize,
        but: &[usize],
        comps: &[KeyComp],
        env: &Env,
        binds: &Binds,
    ) -> bool {
        (from + 1..to).any(|x| !but.contains(&x) && guards.iter().any(|g| self.world.meets(g, x, comps, env, binds)))
    }

    /// The part with these events bound to a step.
    pub fn bound(&self, part: &Part, step: &Step, events: &[usize], key: &Env) -> Part {
        let mut next = part.clone();
        next.binds[step.id].extend_from_slice(events);
        next.env = join(&part.env, key);
        next.comps = self.world.rule.comps(step);
        next.first = part.first.or(events.first().copied());
        next.last = events.last().copied().or(part.last);
        next.next = Next::Free;
        next.waits.clear();
        next
    }

    /// `all { … }`: every member an event of its own, in any order.
    #[allow(clippy::too_many_arguments)]
    fn members(
        &self,
        i: usize,
        joint: &Joint,
        members: &[Step],
        without: &[Guard],
        part: &Part,
        taken: &mut Vec<(usize, Env)>,
        out: &mut Vec<Candidate>,
    ) {
        if let Some(step) = members.get(taken.len()) {
            for e in self.following(part) {
                if taken.iter().any(|(t, _)| *t == e) {
                    continue;
                }
                let mut env = part.clone();
                env.env = taken.iter().fold(part.env.clone(), |env, (_, key)| join(&env, key));
                if let Some(key) = self.qualifies(step, &env, &[], e) {
                    taken.push((e, key));
                    self.members(i, joint, members, without, part, taken, out);
                    taken.pop();
                }
            }
            return;
        }
        let mut events: Vec<usize> = taken.iter().map(|(e, _)| *e).collect();
        events.sort_unstable();
        let (first, last) = (events[0], events[events.len() - 1]);
        if !self.enters(joint, part, first) {
            return;
        }
        let mut next = part.clone();
        for (step, (e, key)) in members.iter().zip(taken.iter()) {
            next = self.bound(&next, step, &[*e], key);
        }
        next.first = part.first.or(Some(first));
        next.last = Some(last);
        let mut guards = without.to_vec();
        guards.append(&mut next.carried);
        let from = part.last.unwrap_or(first);
        let clear = !self.hit(&guards, from, last, &events, &next.comps, &next.env, &next.binds);
        if clear && self.gap_fits(joint, part, first, &next) {
            self.go(i + 1, &next, out);
        }
    }

    /// `no X within d` ahead of the last bound event, or a guard carried to the next step.
    fn absence(
        &self,
        i: usize,
        events: &[Guard],
        fewer: usize,
        end: Option<&End>,
        part: &Part,
        out: &mut Vec<Candidate>,
    ) {
        let mut next = part.clone();
        let Some(end) = end else {
            next.carried.extend_from_slice(events);
            return self.go(i + 1, &next, out);
        };
        let previous = part.last.expect("an absence follows a step");
        let Some(deadline) = self.deadline(end, part) else { return };
        let hits = (previous + 1..self.len()).filter(|&x| {
            self.world.events[x].ts <= deadline
                && events.iter().any(|g| self.world.meets(g, x, &part.comps, &part.env, &part.binds))
        });
        if hits.count() < fewer {
            next.waits.push(deadline);
            self.go(i + 1, &next, out);
        }
    }

    /// The conditions on the whole candidate.
    pub fn finish(&self, part: &Part, out: &mut Vec<Candidate>) {
        let (Some(first), Some(last)) = (part.first, part.last) else { return };
        let events = self.world.events;
        let rule = self.world.rule;
        if !matches!(part.next, Next::Free | Next::Nothing) {
            return;
        }
        if rule.within.is_some_and(|d| !d.holds(events[last].ts - events[first].ts)) || self.reported.contains(&first) {
            return;
        }
        let part_holds = |p: &super::rule::Part| {
            let bound: Vec<usize> = rule.steps_of(p).iter().flat_map(|s| part.binds[s.id].clone()).collect();
            let ends = bound.iter().min().zip(bound.iter().max());
            ends.is_none_or(|(&a, &b)| {
                let length = events[b].ts - events[a].ts;
                match &p.computed {
                    None => p.within.holds(length),
                    Some(d) => self.length(d, &part.binds).is_some_and(|d| length <= d),
                }
            })
        };
        if !rule.parts.iter().all(part_holds) {
            return;
        }
        if let Some(d) = &rule.computed
            && self.length(d, &part.binds).is_none_or(|d| events[last].ts - events[first].ts > d)
        {
            return;
        }
        let done = match (part.waits.iter().copied().max().or(part.ended), part.closed) {
            (Some(deadline), _) => Done::Deadline(deadline),
            (None, Some(until)) => Done::Event(until),
            (None, None) => Done::Event(last),
        };
        if let Some((elem, start)) = part.reach
            && !self.reaches_back(elem, start, done, part)
        {
            return;
        }
        if !self.cancelled(first, done, part) && self.having(part) {
            out.push(Candidate { binds: part.binds.clone(), done });
        }
    }

    pub fn having(&self, part: &Part) -> bool {
        let at = At { event: None, binds: &part.binds, prev: None, step: None };
        self.world.rule.having.as_ref().is_none_or(|h| self.world.truth(h, at) == Some(true))
    }

    /// Whether a `cancel on` event lies after `first` and before the completion.
    pub fn cancelled(&self, first: usize, done: Done, part: &Part) -> bool {
        let rule = self.world.rule;
        let comps = rule.comps(rule.steps()[0]);
        (first + 1..self.len()).any(|x| {
            let before_completion = match done {
                Done::Event(e) => x < e,
                Done::Deadline(t) => self.world.events[x].ts <= t,
            };
            if !before_completion || part.binds.iter().flatten().any(|&b| b == x) {
                return false;
            }
            // Names stand for what had been bound when the event came.
            let binds = part.binds.iter().map(|l| l.iter().copied().filter(|&b| b < x).collect()).collect();
            rule.cancel.iter().any(|g| self.world.meets(g, x, &comps, &self.key, &binds))
        })
    }

    /// Whether `start` is where a repeated first element reaches back to: the earliest event that qualifies as
    /// first, is within the bounds of the candidate, and has no `cancel on` or own `without` hit after it.
    fn reaches_back(&self, elem: usize, start: usize, done: Done, part: &Part) -> bool {
        let rule = self.world.rule;
        if matches!(rule.pick, Pick::All | Pick::Each) {
            return true;
        }
        let step = rule.body[elem].1.steps()[0];
        let last = part.last.expect("something is bound");
        let own_last = rule.body[elem].1.steps().iter().filter_map(|s| part.binds[s.id].last().copied()).max();
        let empty = Part { binds: vec![vec![]; part.binds.len()], env: self.key.clone(), last: None, ..part.clone() };
        // Bounds of parts that the repetition stands in reach back no further than their last events let them.
        let in_parts = |s: usize| {
            rule.parts.iter().filter(|p| p.computed.is_none() && (p.from..p.to).contains(&elem)).all(|p| {
                let newest = rule.steps_of(p).iter().flat_map(|s| &part.binds[s.id]).max().copied();
                newest.is_none_or(|n| p.within.holds(self.world.events[n].ts - self.world.events[s].ts))
            })
        };
        let may_start = |s: usize| {
            self.free(s)
                && in_parts(s)
                && !self.reported.contains(&s)
                && rule.within.is_none_or(|d| d.holds(self.world.events[last].ts - self.world.events[s].ts))
                && !step.until.as_ref().is_some_and(|u| self.ends(u, step, &empty, s))
                && self.qualifies(step, &empty, &[], s).is_some()
                && !self.cancelled_between(s, done, step, &empty, part)
                && !self.hit(
                    &step.without,
                    s,
                    own_last.unwrap_or(s),
                    &part.binds[step.id],
                    &rule.comps(step),
                    &part.env,
                    &part.binds,
                )
        };
        may_start(start) && !(0..start).any(may_start)
    }

    /// As [`Self::cancelled`], but events that the repetition would bind from `s` on do not count.
    fn cancelled_between(&self, s: usize, done: Done, step: &Step, empty: &Part, part: &Part) -> bool {
        let mut with_run = part.clone();
        let first = part.first.expect("something is bound");
        with_run.binds[step.id].extend((s..first).filter(|&e| self.qualifies(step, empty, &[], e).is_some()));
        with_run.binds[step.id].sort_unstable();
        self.cancelled(s, done, &with_run)
    }

    /// Whether an event is the `until` of a step.
    pub fn ends(&self, until: &Guard, step: &Step, part: &Part, e: usize) -> bool {
        self.world.meets(until, e, &self.world.rule.comps(step), &part.env, &part.binds)
    }
}
