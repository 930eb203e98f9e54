//! Strategy *counter*: a sliding count over the last `within` (language.md §3.7).
//!
//! A window of events per key, looked at on each event that qualifies, after it is added and what is too old is
//! dropped. It fires when its condition is true and was false at the previous look; an empty window counts as false.
//! Counting is O(1) an event, and so are the usual aggregates of `having`; what else it reads costs a pass over the
//! window, once the rest holds.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv};
use super::tally::Tally;
use super::tuples::Tuples;
use super::window::Window;
use crate::base::budget::block;
use crate::base::{Duration, Timestamp, Value};
use crate::plan::eval::{Ctx, passes};
use crate::plan::event::{StoredEvent, StoredView};
use crate::plan::key::encode_tuple;
use crate::plan::ruleset::AfterMatch;
use crate::plan::ruleset::{ElementKind, Step};
use crate::plan::sliding::Sliding;

/// The window of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counter {
    events: Window,
    /// Occurrences of each tuple in the window; empty unless `distinct`.
    tuples: Tuples,
    held: bool,
    /// Events were dropped by the limit since the window was last empty.
    limited: bool,
    /// It has fired since `resolve when` was last true; false for rules without.
    open: bool,
    /// Only where [`Sliding::keeps_more`].
    more: Option<Box<More>>,
}

/// What some sliding counts keep beside their window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct More {
    /// Aggregates over the window.
    tallies: Vec<Tally>,
    /// Events of the class so far, and for each event of the window how many there were up to and with it.
    seen: u64,
    places: VecDeque<u64>,
    /// The first look from which on the condition was true at every look.
    since: Option<Timestamp>,
}

fn sliding<'a>(env: &RuleEnv<'a>) -> &'a Sliding {
    env.rule.sliding.as_deref().expect("the counter strategy is chosen for a sliding count")
}

fn step<'a>(env: &RuleEnv<'a>) -> &'a Step {
    let ElementKind::Repeat(step) = &env.rule.elements[0].kind else {
        unreachable!("the counter strategy is chosen for one repeated step")
    };
    &env.rule.steps[step.index()]
}

impl Counter {
    /// A window of events.
    #[cfg(test)]
    pub(super) fn of(events: impl IntoIterator<Item = StoredEvent>) -> Self {
        Self::plain(events.into_iter().map(Arc::new), false, false)
    }

    /// What a joint window has of a rule: see [`super::joint`].
    pub(super) fn plain(events: impl IntoIterator<Item = Arc<StoredEvent>>, held: bool, limited: bool) -> Self {
        let mut counter = Self { held, limited, ..Self::default() };
        events.into_iter().for_each(|event| counter.events.push(event));
        counter
    }

    /// The events, oldest first.
    pub(super) fn window(&self) -> impl Iterator<Item = &Arc<StoredEvent>> {
        self.events.iter()
    }

    /// Whether its condition was true at the last look, and whether a limit dropped events.
    pub(super) fn looked(&self) -> (bool, bool) {
        (self.held, self.limited)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.open
    }

    /// Time of the oldest event.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.events.oldest()
    }

    /// Events held.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            let tallies = more.tallies.iter().map(|tally| size_of::<Tally>() + tally.heap()).sum::<usize>();
            block(size_of::<More>()) + tallies + block(more.places.capacity() * size_of::<u64>())
        });
        self.events.heap() + self.tuples.heap() + more
    }

    /// Whether an alert of it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// When the window will be empty.
    pub fn expires(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let within = env.rule.within?;
        self.events.newest().map(|ts| ts + within)
    }

    /// Drops what is too old at `now`.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        let Some(within) = env.rule.within else { return };
        while self.events.oldest().is_some_and(|ts| ts < now - within) {
            self.pop(env);
        }
    }

    fn tuple(env: &RuleEnv<'_>, event: &StoredEvent) -> Option<SmallVec<[u8; 64]>> {
        let distinct = &step(env).quantifier.as_ref()?.distinct;
        let mut bytes = SmallVec::new();
        let view = env.stored(event);
        encode_tuple(distinct.iter(), &env.context(Some(&view), &[], None), &mut bytes)?;
        Some(bytes)
    }

    fn pop(&mut self, env: &RuleEnv<'_>) {
        let Some(event) = self.events.pop() else { return };
        if self.tuples.len() > 0
            && let Some(tuple) = Self::tuple(env, &event)
        {
            self.tuples.take(&tuple);
        }
        if let Some(more) = &mut self.more {
            more.tallies.iter_mut().for_each(Tally::pop);
            more.places.pop_front();
        }
    }

    fn push(&mut self, env: &RuleEnv<'_>, event: Arc<StoredEvent>) {
        if let Some(more) = &mut self.more {
            let sliding = sliding(env);
            more.tallies.resize_with(sliding.tallies.len(), Tally::default);
            for (tally, of) in more.tallies.iter_mut().zip(&sliding.tallies) {
                tally.push(env, of, &event);
            }
            if sliding.events.is_some() {
                more.places.push_back(more.seen);
            }
        }
        self.events.push(event);
    }

    /// An event of the class moves a window of so many events, whether it qualifies or not.
    fn pass(&mut self, env: &RuleEnv<'_>, most: u64) {
        let more = self.more.get_or_insert_default();
        more.seen += 1;
        let gone = more.places.iter().take_while(|place| **place + most <= more.seen).count();
        for _ in 0..gone {
            self.pop(env);
        }
    }

    fn clear(&mut self) {
        self.events = Window::default();
        self.tuples = Tuples::default();
        self.held = false;
        self.limited = false;
        if let Some(more) = &mut self.more {
            **more = More { seen: more.seen, ..More::default() };
        }
    }

    /// Takes an event. Dropped events are counted in `evicted`.
    pub fn on_event(
        &mut self,
        env: &RuleEnv<'_>,
        event: &Arrived<'_>,
        stats: &[Value],
        out: &mut Vec<Match>,
        evicted: &mut u64,
    ) {
        let rule = env.rule;
        let step_def = step(env);
        let quantifier = step_def.quantifier.as_ref().expect("a repeated step has a quantifier");
        let sliding = sliding(env);
        if self.more.is_none() && sliding.keeps_more() {
            self.more = Some(Box::default());
        }
        self.prune(env, event.ts);
        if let Some(most) = sliding.events
            && event.roles & rule.hints.named != 0
        {
            self.pass(env, most);
        }
        let empty_before = self.events.is_empty();
        self.limited &= !empty_before;
        let mut candidate = event.has(step_def.role).then(|| event.store(env, stats));
        if let Some(stored) = &candidate
            && !self.takes(env, step_def, stored)
        {
            candidate = None;
        }
        if let Some(stored) = &candidate
            && !quantifier.distinct.is_empty()
            && Self::tuple(env, stored).is_none()
        {
            candidate = None;
        }
        if candidate.is_none() {
            let broken = quantifier.consecutive && event.roles & rule.hints.named != 0;
            if broken || self.is_cut(env, event) {
                self.clear();
            }
            return;
        }
        let Some(stored) = candidate else { return };
        if !quantifier.distinct.is_empty()
            && let Some(tuple) = Self::tuple(env, &stored)
        {
            self.tuples.add(&tuple);
        }
        self.push(env, stored);
        while self.events.len() > rule.runs_per_key {
            self.pop(env);
            self.limited = true;
            *evicted += 1;
        }
        let count = if quantifier.distinct.is_empty() { self.events.len() } else { self.tuples.len() } as u64;
        let enough = count >= quantifier.min && quantifier.max.is_none_or(|max| count <= max);
        let mut holds = enough && self.having(env, sliding);
        if let Some(lasting) = sliding.lasting {
            holds = self.lasts(holds, empty_before, event.ts, lasting);
        }
        let before = self.held && !empty_before;
        self.resolve(env, event, out);
        if holds && (!before || rule.after == AfterMatch::NoSkip) {
            out.push(Match {
                time: event.ts,
                at_deadline: false,
                seq: event.seq,
                bound: vec![(rule.elements[0].steps()[0], self.events.iter().cloned().collect())],
                limited: self.limited,
            });
            self.open = rule.follow.as_ref().is_some_and(|f| f.resolve_when.is_some());
        }
        self.held = holds;
    }

    /// The step's own condition, where it reads what the window holds.
    fn takes(&self, env: &RuleEnv<'_>, step_def: &Step, event: &Arc<StoredEvent>) -> bool {
        let Some(cross) = &step_def.cross else { return true };
        let window: Vec<&StoredEvent> = self.events.iter().map(|e| &**e).collect();
        let prev = window.last().copied();
        let bound = [window];
        let view: StoredView<'_> = env.stored(event);
        passes(cross, &env.context(Some(&view), &bound, prev))
    }

    /// `cancel on` and the step's own `without` empty the window.
    fn is_cut(&self, env: &RuleEnv<'_>, event: &Arrived<'_>) -> bool {
        let mut guards = env.rule.cancel.iter().chain(&env.rule.elements[0].without);
        guards.any(|guard| {
            let guard = &env.rule.guards[guard.index()];
            if !event.has(guard.role) {
                return false;
            }
            let Some(cross) = &guard.cross else { return true };
            let bound = [self.events.iter().map(|e| &**e).collect::<Vec<_>>()];
            passes(cross, &env.context(Some(&event.view), &bound, None))
        })
    }

    /// Says so if an alert is open and `resolve when` is true at this look.
    fn resolve(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>, out: &mut Vec<Match>) {
        let condition = env.rule.follow.as_ref().and_then(|f| f.resolve_when.as_ref());
        let Some(condition) = condition.filter(|_| self.open) else { return };
        let bound = [self.events.iter().map(|e| &**e).collect::<Vec<_>>()];
        if passes(condition, &env.context::<StoredView<'_>>(None, &bound, None)) {
            self.open = false;
            let (time, seq) = event.at();
            out.push(Match { time, at_deadline: false, seq, bound: Vec::new(), limited: false });
        }
    }

    /// Whether the condition, which is true or not at this look, was so for long enough.
    fn lasts(&mut self, holds: bool, empty_before: bool, now: Timestamp, lasting: Duration) -> bool {
        let more = self.more.get_or_insert_default();
        if !holds || empty_before {
            more.since = None;
        }
        holds && now - *more.since.get_or_insert(now) >= lasting
    }

    fn having(&self, env: &RuleEnv<'_>, sliding: &Sliding) -> bool {
        if let Some(quick) = &sliding.quick {
            let bound = [self.events.ends()];
            let tallies = self.more.iter().flat_map(|more| &more.tallies);
            let values: Vec<Value> = tallies.zip(&sliding.tallies).map(|(tally, of)| tally.value(of)).collect();
            let context = Ctx { stats: &values, ..env.context::<StoredView<'_>>(None, &bound, None) };
            if !passes(quick, &context) {
                return false;
            }
        }
        let Some(slow) = &sliding.slow else { return true };
        let bound = [self.events.iter().map(|e| &**e).collect::<Vec<_>>()];
        passes(slow, &env.context::<StoredView<'_>>(None, &bound, None))
    }
}
