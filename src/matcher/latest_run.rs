//! Strategy *latest-run*: one partial match per automaton state and key.
//!
//! ```text
//!            e1          e2          e3
//!   (first) ────► [s0] ────► [s1] ────► match, or a pending absence
//!                  │ a newer e1 replaces what s0 holds; e2 copies s0 into s1 and leaves s0
//! ```
//! Exact under the conditions that [`crate::plan::strategy`] checks: the newest partial match of a state stands for
//! all others, because whatever completes an older one completes it too, and is then picked.
//! A counted first step keeps its events beside the states; a match takes those that the bounds reach back to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv, Together};
use super::window::Window;
use crate::base::budget::block;
use crate::base::{StepId, Timestamp, Value};
use crate::plan::event::StoredEvent;
use crate::plan::ruleset::{Element, ElementKind};

/// Events bound by a partial match, one an element after a counted first step.
type Bound = SmallVec<[Arc<StoredEvent>; 2]>;

/// The partial matches of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatestRun {
    /// By state: events bound up to and with that element.
    states: SmallVec<[Option<Bound>; 2]>,
    /// Events of a counted first step, oldest first.
    first: Window,
    /// Since the last of `first`, something came that its successor may not skip.
    first_blocked: bool,
    /// A complete binding that waits for its absences; at most the one with the earliest deadline.
    pending: Option<Bound>,
    limited: bool,
}

fn step_of(element: &Element) -> StepId {
    match &element.kind {
        ElementKind::Single(step) | ElementKind::Repeat(step) => *step,
        _ => unreachable!("latest-run is chosen for single steps after a counted first one"),
    }
}

impl LatestRun {
    /// A sequence of two steps that has begun with an event.
    pub(super) fn begun(event: &Arc<StoredEvent>) -> Self {
        let bound: Bound = std::iter::once(Arc::clone(event)).collect();
        Self { states: std::iter::once(Some(bound)).collect(), ..Self::default() }
    }

    /// The event that a sequence of two steps has begun with.
    pub(super) fn begun_with(&self) -> Option<&Arc<StoredEvent>> {
        self.states.first()?.as_ref()?.first()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.states.iter().all(Option::is_none) && self.first.is_empty() && self.pending.is_none()
    }

    /// Partial matches and events held.
    pub fn len(&self) -> usize {
        self.states.iter().filter(|s| s.is_some()).count() + self.first.len() + usize::from(self.pending.is_some())
    }

    /// Time of the oldest event of a counted first step.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.first.oldest()
    }

    /// Bytes that it takes beside itself. What two partial matches share is counted twice.
    pub fn heap(&self) -> usize {
        let list = |bound: &Bound| {
            let spilled = if bound.spilled() { block(bound.capacity() * size_of::<usize>()) } else { 0 };
            spilled + bound.iter().map(|event| event.bytes()).sum::<usize>()
        };
        let spilled =
            if self.states.spilled() { block(self.states.capacity() * size_of::<Option<Bound>>()) } else { 0 };
        let bound = self.states.iter().flatten().chain(&self.pending).map(list).sum::<usize>();
        spilled + bound + self.first.heap()
    }

    /// Whether a match waits for its absences.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether an absence is undecided.
    fn deadline(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let after = env.rule.trailing_deadline()?;
        match (&self.pending, counted(env)) {
            (Some(bound), _) => bound.last().map(|e| e.ts + after),
            // A counted step that is the whole pattern waits from its last event on, unless an absent event has come.
            (None, true) if env.rule.elements.len() == 1 && !self.first_blocked => {
                self.first.newest().map(|ts| ts + after)
            }
            _ => None,
        }
    }

    /// The next time at which something happens by itself: a deadline, or everything held is out of reach.
    pub fn wakes(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        self.deadline(env).or_else(|| self.expires(env))
    }

    fn expires(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let mut latest: Option<Timestamp> = None;
        let mut keep = |time: Timestamp| latest = Some(latest.map_or(time, |l| l.max(time)));
        if let Some(last) = self.first.newest() {
            keep(last + env.rule.within?);
        }
        for (at, state) in self.states.iter().enumerate() {
            if let Some(bound) = state {
                let first = if counted(env) { None } else { bound.first() };
                let by_total = first.and_then(|e| env.rule.within.map(|d| e.ts + d));
                let by_gap = env.rule.elements.get(at + 1).and_then(|e| e.link.within);
                let by_gap = by_gap.zip(bound.last()).map(|(d, e)| e.ts + d);
                let by_first = bound.last().zip(env.rule.within).map(|(e, d)| e.ts + d);
                match by_total.or(by_first).into_iter().chain(by_gap).min() {
                    Some(time) => keep(time),
                    None => return None,
                }
            }
        }
        latest
    }

    /// Drops partial matches that can no longer complete at `now`.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        let counted = counted(env);
        for at in 0..self.states.len() {
            let Some(bound) = &self.states[at] else { continue };
            let total = env.rule.within.is_some_and(|d| {
                let first = if counted { bound.last() } else { bound.first() };
                first.is_some_and(|e| e.ts < now - d)
            });
            let gap = env.rule.elements.get(at + 1).and_then(|e| e.link.within);
            let gap = gap.is_some_and(|d| bound.last().is_some_and(|e| e.ts < now - d));
            if total || gap {
                self.states[at] = None;
            }
        }
        if let Some(within) = env.rule.within {
            // Whoever waits for an absence still needs its events, however old they are.
            let since = match (self.deadline(env), counted) {
                (Some(_), true) => {
                    let last = self.pending.as_ref().and_then(|b| b.last()).map(|e| e.ts);
                    last.or(self.first.newest()).unwrap_or(now) - within
                }
                _ => now - within,
            };
            while self.first.oldest().is_some_and(|ts| ts < since) {
                self.first.pop();
            }
        }
    }

    /// Takes an event.
    pub fn on_event(
        &mut self,
        env: &RuleEnv<'_>,
        event: &Arrived<'_>,
        stats: &[Value],
        out: &mut Vec<Match>,
        evicted: &mut u64,
    ) {
        let rule = env.rule;
        let n = rule.elements.len();
        let counted = counted(env);
        let has_trailing = !rule.trailing.is_empty();
        self.states.resize_with(n - 1, || None);
        let mut stored: Option<Arc<StoredEvent>> = None;
        let mut store = || Arc::clone(stored.get_or_insert_with(|| event.store(env, stats)));

        // Absences that wait: an event at the deadline still breaks them.
        let absent_hit = rule.trailing.iter().any(|ahead| self.breaks(env, ahead, event));
        let cancelled = rule.cancel.iter().any(|g| event.has(rule.guards[g.index()].role));

        // From the last element to the first, so that one event feeds each state once.
        let mut advanced: SmallVec<[(usize, Bound); 2]> = SmallVec::new();
        for at in (1..n).rev() {
            let element = &rule.elements[at];
            let step = &rule.steps[step_of(element).index()];
            if !event.has(step.role) {
                continue;
            }
            if let Some(bound) = self.advance(env, at, event) {
                let mut bound = bound;
                bound.push(store());
                advanced.push((at, bound));
            }
        }
        let first_step = &rule.steps[step_of(&rule.elements[0]).index()];
        let begins = event.has(first_step.role);

        // What the event ends, before what it begins.
        if absent_hit {
            self.pending = None;
            if n == 1 {
                self.first_blocked = true;
            }
        }
        // An event that the candidate binds does not cancel it; a counted first step binds every one that qualifies.
        if cancelled && !(counted && begins) {
            self.states.iter_mut().for_each(|s| *s = None);
            self.first = Window::default();
            self.pending = None;
        }
        let named = event.roles & rule.hints.named != 0;
        for (at, element) in rule.elements.iter().enumerate().skip(1) {
            let crossed = element.without.iter().any(|g| event.has(rule.guards[g.index()].role));
            let broken = element.link.directly && named;
            if crossed || broken {
                if at == 1 && counted {
                    self.first_blocked = true;
                } else {
                    self.states[at - 1] = None;
                }
            }
        }

        if begins {
            if counted {
                self.first.push(store());
                self.first_blocked = false;
                while self.first.len() > rule.runs_per_key {
                    self.first.pop();
                    self.limited = true;
                    *evicted += 1;
                }
            } else {
                let mut bound = Bound::new();
                bound.push(store());
                advanced.push((0, bound));
            }
        }
        for (at, bound) in advanced {
            if at + 1 < n {
                self.states[at] = Some(bound);
            } else if has_trailing {
                // The earliest deadline stays; at an equal one the newer binding wins.
                if self.pending.as_ref().and_then(|b| b.last()).is_none_or(|e| e.ts >= event.ts) {
                    self.pending = Some(bound);
                }
            } else {
                out.push(self.matched(env, &bound, event.ts, false));
                *self = Self::default();
                return;
            }
        }
    }

    /// The bound events with which element `at` may take `event`, if any.
    fn advance(&self, env: &RuleEnv<'_>, at: usize, event: &Arrived<'_>) -> Option<Bound> {
        let rule = env.rule;
        let link = &rule.elements[at].link;
        let gap_holds = |last: &StoredEvent| {
            last.at() < event.at()
                && link.within.is_none_or(|d| event.ts - last.ts <= d)
                && link.after.is_none_or(|d| event.ts - last.ts >= d)
        };
        if at == 1 && counted(env) {
            let last = self.first.last()?;
            if self.first_blocked || !gap_holds(last) || !self.enough(env, event.ts, event.at()) {
                return None;
            }
            return Some(Bound::new());
        }
        let bound = self.states.get(at - 1)?.as_ref()?;
        if !gap_holds(bound.last()?) {
            return None;
        }
        if let Some(within) = rule.within
            && !counted(env)
            && event.ts - bound.first()?.ts > within
        {
            return None;
        }
        if counted(env) && !self.enough(env, event.ts, bound.first()?.at()) {
            return None;
        }
        Some(bound.clone())
    }

    /// Whether the counted first step has enough events before `end` that a match whose last event is at `last`
    /// reaches back to.
    fn enough(&self, env: &RuleEnv<'_>, last: Timestamp, end: (Timestamp, crate::plan::event::Seq)) -> bool {
        let step = &env.rule.steps[step_of(&env.rule.elements[0]).index()];
        let min = step.quantifier.as_ref().map_or(1, |q| q.min) as usize;
        let from = self.from(env, last);
        let upto = self.first.before_place(end);
        upto >= from + min
    }

    fn from(&self, env: &RuleEnv<'_>, last: Timestamp) -> usize {
        env.rule.within.map_or(0, |within| self.first.before(last - within))
    }

    fn breaks(&self, env: &RuleEnv<'_>, ahead: &crate::plan::ruleset::Ahead, event: &Arrived<'_>) -> bool {
        if !ahead.guards.iter().any(|g| event.has(env.rule.guards[g.index()].role)) {
            return false;
        }
        let last = match &self.pending {
            Some(bound) => bound.last(),
            None if env.rule.elements.len() == 1 => self.first.last(),
            None => None,
        };
        last.is_some_and(|last| last.at() < event.at() && ahead.within.fixed().is_some_and(|d| event.ts - last.ts <= d))
    }

    /// Decides an absence whose deadline has passed.
    pub fn on_deadline(&mut self, env: &RuleEnv<'_>, now: Timestamp, out: &mut Vec<Match>) {
        let Some(deadline) = self.deadline(env) else { return };
        if deadline > now {
            return;
        }
        if let Some(bound) = self.pending.take() {
            out.push(self.matched(env, &bound, deadline, true));
            *self = Self::default();
            return;
        }
        let Some(last) = self.first.last() else { return };
        let (ts, end) = (last.ts, (last.ts, crate::plan::event::Seq(u64::MAX)));
        if self.enough(env, ts, end) {
            out.push(self.matched(env, &Bound::new(), deadline, true));
            *self = Self::default();
        } else {
            // Decided: too few. The events stay for a later one.
            self.first_blocked = true;
        }
    }

    fn matched(&self, env: &RuleEnv<'_>, bound: &Bound, time: Timestamp, at_deadline: bool) -> Match {
        let rule = env.rule;
        let mut steps: Vec<(StepId, Together)> = Vec::new();
        let mut elements = rule.elements.iter();
        if counted(env) {
            let first = elements.next().map(step_of).expect("a pattern has an element");
            let last = bound.last().or(self.first.last()).map_or(time, |e| e.ts);
            let upto = bound.first().map_or(self.first.len(), |b| self.first.before_place(b.at()));
            let from = self.from(env, last).min(upto);
            steps.push((first, self.first.iter().take(upto).skip(from).cloned().collect()));
        }
        for (element, event) in elements.zip(bound) {
            steps.push((step_of(element), Together::from_iter([Arc::clone(event)])));
        }
        let seq = steps.last().and_then(|(_, e)| e.last()).map(|e| e.seq).unwrap_or_default();
        Match { time, at_deadline, seq, bound: steps, limited: self.limited }
    }
}

fn counted(env: &RuleEnv<'_>) -> bool {
    matches!(env.rule.elements[0].kind, ElementKind::Repeat(_))
}
