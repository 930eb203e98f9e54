//! Strategy *attempts*: one partial match for each first event, `pick each` and its like.
//!
//! ```text
//! A then B then C:    [A1 B4] [A2 B4] [A5] [A6]        oldest first: who began earlier has come as far, or further
//!                      └─ a C ends ─┘ └ a B moves ┘    so who waits for the same step lies side by side
//! A then no X:        [A1] [A2] [A5]                   each waits for its own deadline; an X ends those not yet decided
//! ```
//! Exact under the conditions that [`crate::plan::strategy`] checks: where nothing tells two events of a step apart but
//! their order, whoever takes the first that comes completes with whatever any other choice completes with, and is the
//! oldest binding with that first event. So an attempt never goes back, and an event costs as much as it moves.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv, Together};
use crate::base::budget::block;
use crate::base::{StepId, Timestamp, Value};
use crate::plan::event::StoredEvent;
use crate::plan::ruleset::{AfterMatch, ElementKind, Pick};

/// Events that an attempt has bound, one an element.
type Bound = SmallVec<[Arc<StoredEvent>; 2]>;

/// A partial match. It is saved as its events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Bound", into = "Bound")]
struct Attempt {
    /// Time of its first event, which is asked for without a look at the event: that lies elsewhere in memory.
    begun: Timestamp,
    bound: Bound,
}

impl From<Bound> for Attempt {
    fn from(bound: Bound) -> Self {
        Self { begun: bound.first().map_or(Timestamp::MIN, |event| event.ts), bound }
    }
}

impl From<Attempt> for Bound {
    fn from(attempt: Attempt) -> Self {
        attempt.bound
    }
}

/// The attempts of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempts {
    /// Oldest first, so that the number of bound events never grows from one to the next.
    open: VecDeque<Attempt>,
    /// They are bound whole, and wait for absences.
    waiting: bool,
    /// A limit has dropped one since there was none.
    limited: bool,
}

fn step_of(env: &RuleEnv<'_>, at: usize) -> StepId {
    match &env.rule.elements[at].kind {
        ElementKind::Single(step) => *step,
        _ => unreachable!("attempts are chosen for single steps"),
    }
}

fn role_of(env: &RuleEnv<'_>, at: usize) -> u8 {
    env.rule.steps[step_of(env, at).index()].role
}

impl Attempts {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// When the oldest began.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.open.front().map(|attempt| attempt.begun)
    }

    /// Bytes that it takes beside itself. What two attempts share is counted twice.
    pub fn heap(&self) -> usize {
        let list = |Attempt { bound, .. }: &Attempt| {
            let spilled = if bound.spilled() { block(bound.capacity() * size_of::<usize>()) } else { 0 };
            spilled + bound.iter().map(|event| event.bytes()).sum::<usize>()
        };
        block(self.open.capacity() * size_of::<Attempt>()) + self.open.iter().map(list).sum::<usize>()
    }

    /// Whether an absence is undecided.
    pub fn is_pending(&self) -> bool {
        self.waiting && !self.open.is_empty()
    }

    /// The next deadline, or when every attempt is out of reach.
    pub fn wakes(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        match env.rule.trailing_deadline() {
            Some(after) => self.oldest().map(|begun| begun + after),
            None => self.open.back().zip(env.rule.within).map(|(attempt, within)| attempt.begun + within),
        }
    }

    /// Drops attempts that can no longer complete at `now`. Those that wait for absences go at their deadlines.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        if self.waiting {
            return;
        }
        if let Some(within) = env.rule.within {
            while self.oldest().is_some_and(|begun| begun < now - within) {
                self.open.pop_front();
            }
        }
        self.limited &= !self.open.is_empty();
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
        let mut stored: Option<Arc<StoredEvent>> = None;
        let mut store = || Arc::clone(stored.get_or_insert_with(|| event.store(env, stats)));
        if rule.trailing.is_empty() {
            let last = rule.elements.len() - 1;
            // From the last step to the first, so that one event moves an attempt once.
            if event.has(role_of(env, last)) {
                let found = out.len();
                self.complete(env, last, event, &mut store, out);
                if out.len() > found && rule.after == AfterMatch::SkipPastLast {
                    *self = Self::default();
                    return;
                }
            }
            for at in (1..last).rev() {
                if event.has(role_of(env, at)) {
                    let from = self.open.partition_point(|attempt| attempt.bound.len() > at);
                    let moved = self.open.range_mut(from..).take_while(|attempt| attempt.bound.len() == at);
                    moved.for_each(|attempt| attempt.bound.push(store()));
                }
            }
        } else {
            self.end_broken(env, event);
        }
        if event.has(role_of(env, 0)) {
            self.waiting = !rule.trailing.is_empty();
            self.open.push_back(Attempt { begun: event.ts, bound: SmallVec::from_iter([store()]) });
            while self.open.len() > rule.runs_per_key {
                self.open.pop_front();
                self.limited = true;
                *evicted += 1;
            }
        }
    }

    /// Drops those that an event shows not to be followed by an absence. All of them began before it, and those of which
    /// the deadline lies before it have been decided.
    fn end_broken(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>) {
        let rule = env.rule;
        if rule.cancel.iter().any(|guard| event.has(rule.guards[guard.index()].role)) {
            self.open.clear();
        }
        for ahead in &rule.trailing {
            if ahead.guards.iter().any(|guard| event.has(rule.guards[guard.index()].role)) {
                let within = ahead.within.fixed().unwrap_or_default();
                let kept = self.open.partition_point(|attempt| attempt.begun + within < event.ts);
                self.open.truncate(kept);
            }
        }
        self.limited &= !self.open.is_empty();
    }

    /// Reports the attempts that an event completes, oldest first.
    fn complete(
        &mut self,
        env: &RuleEnv<'_>,
        last: usize,
        event: &Arrived<'_>,
        store: &mut impl FnMut() -> Arc<StoredEvent>,
        out: &mut Vec<Match>,
    ) {
        let ready = self.open.partition_point(|attempt| attempt.bound.len() == last);
        let asked = if env.rule.pick == Pick::First { ready.min(1) } else { ready };
        let told = asked.min(env.limits.matches_per_completion);
        let limited = self.limited || told < asked;
        let mut report = |Attempt { mut bound, .. }| {
            bound.push(store());
            out.push(matched(env, &bound, event.ts, limited));
        };
        if env.rule.after == AfterMatch::NoSkip {
            self.open.range(..told).cloned().for_each(&mut report);
        } else {
            self.open.drain(..told).for_each(&mut report);
        }
    }

    /// Reports those whose absences have held.
    pub fn on_deadline(&mut self, env: &RuleEnv<'_>, now: Timestamp, out: &mut Vec<Match>) {
        let Some(after) = env.rule.trailing_deadline() else { return };
        while let Some(begun) = self.oldest().filter(|begun| *begun + after <= now) {
            let deadline = begun + after;
            let together = self.open.partition_point(|attempt| attempt.begun <= begun);
            let asked = match env.rule.pick {
                Pick::Latest | Pick::Pending => together - 1..together,
                Pick::First => 0..1,
                Pick::Each | Pick::All => 0..together,
            };
            let told = asked.len().min(env.limits.matches_per_completion);
            let limited = self.limited || told < asked.len();
            for Attempt { bound, .. } in self.open.range(asked).take(told) {
                out.push(Match { at_deadline: true, ..matched(env, bound, deadline, limited) });
            }
            // A match uses up what lies before the deadline, not only what began with it.
            let gone = match env.rule.after {
                AfterMatch::SkipPastLast => self.open.partition_point(|attempt| attempt.begun <= deadline),
                _ => together,
            };
            self.open.drain(..gone);
        }
        self.limited &= !self.open.is_empty();
    }
}

fn matched(env: &RuleEnv<'_>, bound: &Bound, time: Timestamp, limited: bool) -> Match {
    let steps =
        bound.iter().enumerate().map(|(at, event)| (step_of(env, at), Together::from_iter([Arc::clone(event)])));
    let seq = bound.last().map(|event| event.seq).unwrap_or_default();
    Match { time, at_deadline: false, seq, bound: steps.collect(), limited }
}
