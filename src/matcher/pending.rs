//! Strategy *pending*: `pick pending`, one pending match per step and key, as EQL keeps them.
//!
//! ```text
//!            e1         e2         e3
//!   (first) ────► [0] ────► [1] ────► match, or it waits for absences behind it
//!                  │ e2 moves what is pending at 0 to 1, over what was there; 0 is empty then
//! ```
//! The steps are looked at from the last to the first, so one event never moves a match twice. It may move several, and
//! begin one. An event costs one look at each step, and a key holds at most one match per step. What an absence between
//! or before the steps forbids is *spoiled*: it moves on like any other, and takes the place of others, but is not
//! reported. Matches that wait for an absence behind them do not replace each other.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv, Together};
use crate::base::budget::block;
use crate::base::id::GuardId;
use crate::base::{Duration, StepId, Timestamp, Value, ValueRef};
use crate::plan::eval::{Ctx, as_time, eval, passes};
use crate::plan::event::{StoredEvent, StoredView};
use crate::plan::expr::Expr;
use crate::plan::ruleset::{Ahead, Element, ElementKind, Lookback, Span};

/// Events bound by a pending match, one a step.
type Bound = SmallVec<[Arc<StoredEvent>; 2]>;

/// A match as far as it is bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    bound: Bound,
    /// An absence forbids it.
    spoiled: bool,
}

/// A match that is bound whole and waits for the absences behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Waiting {
    /// The last of [`Waiting::ends`].
    deadline: Timestamp,
    bound: Bound,
    /// When each absence ends, in written order.
    ends: SmallVec<[Timestamp; 1]>,
}

/// The pending matches of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// By step, without the last: the match bound up to and with it.
    steps: SmallVec<[Option<Held>; 2]>,
    /// In the order of their deadlines.
    waiting: VecDeque<Waiting>,
    /// What look-backs that read bound events may find, oldest first, with the roles of each.
    seen: VecDeque<(u64, Arc<StoredEvent>)>,
    /// A limit has dropped something of the above.
    limited: bool,
}

fn step_of(element: &Element) -> StepId {
    match &element.kind {
        ElementKind::Single(step) => *step,
        _ => unreachable!("`pick pending` takes single steps only"),
    }
}

/// Evaluates over a match as far as it is bound, and an event under test.
fn with_context<T>(
    env: &RuleEnv<'_>,
    bound: &[Arc<StoredEvent>],
    this: Option<&StoredEvent>,
    read: impl FnOnce(&Ctx<'_, StoredView<'_>>) -> T,
) -> T {
    let mut steps: Vec<Vec<&StoredEvent>> = vec![Vec::new(); env.rule.steps.len()];
    for (element, event) in env.rule.elements.iter().zip(bound) {
        steps[step_of(element).index()].push(event);
    }
    let view = this.map(|event| env.stored(event));
    read(&env.context(view.as_ref(), &steps, bound.last().map(|event| &**event)))
}

/// Whether a gap is at most a computed duration; a missing one holds for none.
fn at_most(env: &RuleEnv<'_>, d: &Expr, bound: &[Arc<StoredEvent>], from: Timestamp, to: Timestamp) -> bool {
    with_context(env, bound, None, |context| match eval(d, context).get() {
        ValueRef::Duration(d) => to - from <= d,
        _ => false,
    })
}

/// When an absence behind the last step ends; `None` if its length is missing.
fn end_of(env: &RuleEnv<'_>, ahead: &Ahead, bound: &[Arc<StoredEvent>]) -> Option<Timestamp> {
    let last = bound.last()?.ts;
    let end = match &ahead.within {
        Span::Fixed(d) => Some(last + *d),
        Span::Computed(d) => with_context(env, bound, None, |context| match eval(d, context).get() {
            ValueRef::Duration(d) => Some(last + d),
            _ => None,
        }),
        Span::Until(time) => with_context(env, bound, None, |context| as_time(eval(time, context).get())),
    };
    end.map(|end| end.max(last))
}

/// Look-backs that need what is bound, by step.
fn lookbacks<'e>(env: &RuleEnv<'e>) -> impl Iterator<Item = &'e Lookback> {
    env.rule.steps.iter().flat_map(|s| &s.cross_lookback)
}

impl Pending {
    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(Option::is_none) && self.waiting.is_empty() && self.seen.is_empty()
    }

    /// How many matches are pending, and events held beside them.
    pub fn len(&self) -> usize {
        self.steps.iter().filter(|s| s.is_some()).count() + self.waiting.len() + self.seen.len()
    }

    /// Bytes that it takes beside itself. What two matches share is counted twice.
    pub fn heap(&self) -> usize {
        let list = |bound: &Bound| {
            let spilled = if bound.spilled() { block(bound.capacity() * size_of::<usize>()) } else { 0 };
            spilled + bound.iter().map(|event| event.bytes()).sum::<usize>()
        };
        let spilled = if self.steps.spilled() { block(self.steps.capacity() * size_of::<Option<Held>>()) } else { 0 };
        let bound = self.steps.iter().flatten().map(|held| &held.bound).chain(self.waiting.iter().map(|w| &w.bound));
        let seen = self.seen.iter().map(|(_, event)| event.bytes()).sum::<usize>();
        spilled
            + bound.map(list).sum::<usize>()
            + block(self.waiting.capacity() * size_of::<Waiting>())
            + block(self.seen.capacity() * size_of::<(u64, Arc<StoredEvent>)>())
            + seen
    }

    /// Whether a match waits for its absences.
    pub fn is_pending(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the match pending at a step is out of reach of the next step; `None` is never.
    fn ends(env: &RuleEnv<'_>, at: usize, bound: &Bound) -> Option<Timestamp> {
        let total = env.rule.within.zip(bound.first()).map(|(d, e)| e.ts + d);
        let gap = env.rule.elements.get(at + 1).and_then(|e| e.link.within);
        let gap = gap.zip(bound.last()).map(|(d, e)| e.ts + d);
        total.into_iter().chain(gap).min()
    }

    /// The next deadline, or when everything that is pending is out of reach.
    pub fn wakes(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        if let Some(next) = self.waiting.front() {
            return Some(next.deadline);
        }
        let mut latest = self.seen.back().map(|(_, event)| event.ts + reach(env));
        for (at, held) in self.steps.iter().enumerate() {
            if let Some(held) = held {
                latest = latest.max(Some(Self::ends(env, at, &held.bound)?));
            }
        }
        latest
    }

    /// Drops what can no longer complete at `now`.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        for (at, slot) in self.steps.iter_mut().enumerate() {
            if slot.as_ref().and_then(|held| Self::ends(env, at, &held.bound)).is_some_and(|end| end < now) {
                *slot = None;
            }
        }
        if !self.seen.is_empty() {
            let since = now - reach(env);
            while self.seen.front().is_some_and(|(_, event)| event.ts < since) {
                self.seen.pop_front();
            }
        }
        self.limited &= !self.is_empty();
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
        let last = rule.elements.len() - 1;
        self.steps.resize_with(last, || None);
        let mut stored: Option<Arc<StoredEvent>> = None;
        let mut store = || Arc::clone(stored.get_or_insert_with(|| event.store(env, stats)));
        let cancels = rule.cancel.iter().any(|g| event.has(rule.guards[g.index()].role));
        self.break_waiting(env, event, cancels, &mut store);
        // Steps at which a match is pending that binds this event.
        let mut fresh = 0_u64;
        for at in (1..=last).rev() {
            let Some(held) = &mut self.steps[at - 1] else { continue };
            let element = &rule.elements[at];
            let step = &rule.steps[step_of(element).index()];
            if event.has(step.role)
                && let Some(moved) = moves(env, at, &held.bound, store())
            {
                let spoiled = held.spoiled || !looks_back(env, &step.cross_lookback, &moved, &self.seen);
                self.steps[at - 1] = None;
                if at < last {
                    self.steps[at] = Some(Held { bound: moved, spoiled });
                    fresh |= 1 << at;
                } else if !spoiled {
                    self.complete(env, moved, event, out, evicted);
                }
                continue;
            }
            let broken = element.link.directly && event.roles & rule.hints.named != 0;
            if broken {
                self.steps[at - 1] = None;
            } else if !held.spoiled {
                let crossed = |guard: &GuardId| hits(env, guard.index(), &held.bound, event, &mut store);
                held.spoiled = element.without.iter().any(crossed);
            }
        }
        let first = &rule.steps[step_of(&rule.elements[0]).index()];
        if event.has(first.role)
            && first.cross.as_ref().is_none_or(|cross| with_context(env, &[], Some(&store()), |c| passes(cross, c)))
        {
            let bound = SmallVec::from_elem(store(), 1);
            if last == 0 {
                self.complete(env, bound, event, out, evicted);
            } else {
                self.steps[0] = Some(Held { bound, spoiled: false });
                fresh |= 1;
            }
        }
        if cancels {
            for (at, slot) in self.steps.iter_mut().enumerate() {
                let Some(held) = slot else { continue };
                let hit = |g: &GuardId| hits(env, g.index(), &held.bound, event, &mut store);
                if fresh & (1 << at) == 0 && rule.cancel.iter().any(hit) {
                    *slot = None;
                }
            }
        }
        let wanted = |g: &GuardId| event.has(rule.guards[g.index()].role);
        if lookbacks(env).any(|l| l.guards.iter().any(wanted)) {
            self.seen.push_back((event.roles, store()));
            if self.seen.len() > rule.runs_per_key {
                self.seen.pop_front();
                self.limited = true;
                *evicted += 1;
            }
        }
    }

    /// Drops the matches whose absences an event breaks, and those that it cancels.
    fn break_waiting(
        &mut self,
        env: &RuleEnv<'_>,
        event: &Arrived<'_>,
        cancels: bool,
        store: &mut impl FnMut() -> Arc<StoredEvent>,
    ) {
        let rule = env.rule;
        let guards = || rule.trailing.iter().flat_map(|ahead| &ahead.guards);
        if self.waiting.is_empty() || !cancels && !guards().any(|g| event.has(rule.guards[g.index()].role)) {
            return;
        }
        self.waiting.retain(|waiting| {
            let mut hit = |guard: &GuardId| hits(env, guard.index(), &waiting.bound, event, store);
            let mut ends = rule.trailing.iter().zip(&waiting.ends);
            !ends.any(|(ahead, end)| event.ts <= *end && ahead.guards.iter().any(&mut hit))
                && !rule.cancel.iter().any(&mut hit)
        });
    }

    /// Reports a match that is bound whole, or lets it wait.
    fn complete(
        &mut self,
        env: &RuleEnv<'_>,
        bound: Bound,
        event: &Arrived<'_>,
        out: &mut Vec<Match>,
        evicted: &mut u64,
    ) {
        let rule = env.rule;
        if rule.having.as_ref().is_some_and(|h| !with_context(env, &bound, None, |c| passes(h, c))) {
            return;
        }
        if rule.trailing.is_empty() {
            out.push(self.matched(env, &bound, event.ts, false));
            return;
        }
        let ends: Option<SmallVec<[Timestamp; 1]>> =
            rule.trailing.iter().map(|ahead| end_of(env, ahead, &bound)).collect();
        let Some(ends) = ends else { return };
        let Some(deadline) = ends.iter().copied().max() else { return };
        let place = self.waiting.partition_point(|other| other.deadline <= deadline);
        self.waiting.insert(place, Waiting { deadline, bound, ends });
        if self.waiting.len() > rule.runs_per_key {
            self.waiting.pop_front();
            self.limited = true;
            *evicted += 1;
        }
    }

    /// Reports the matches whose absences have held.
    pub fn on_deadline(&mut self, env: &RuleEnv<'_>, now: Timestamp, out: &mut Vec<Match>) {
        while self.waiting.front().is_some_and(|waiting| waiting.deadline <= now)
            && let Some(waiting) = self.waiting.pop_front()
        {
            out.push(self.matched(env, &waiting.bound, waiting.deadline, true));
        }
    }

    fn matched(&self, env: &RuleEnv<'_>, bound: &Bound, time: Timestamp, at_deadline: bool) -> Match {
        let steps = env.rule.elements.iter().zip(bound);
        Match {
            time,
            at_deadline,
            seq: bound.last().map(|event| event.seq).unwrap_or_default(),
            bound: steps.map(|(element, event)| (step_of(element), Together::from_iter([Arc::clone(event)]))).collect(),
            limited: self.limited,
        }
    }
}

/// How far look-backs that read bound events reach.
fn reach(env: &RuleEnv<'_>) -> Duration {
    lookbacks(env).filter_map(|l| l.last.fixed()).max().unwrap_or_default()
}

/// Whether the look-backs of a step hold for a match that ends with its event.
fn looks_back(env: &RuleEnv<'_>, looks: &[Lookback], moved: &Bound, seen: &VecDeque<(u64, Arc<StoredEvent>)>) -> bool {
    let Some(event) = moved.last() else { return true };
    looks.iter().all(|look| {
        let Some(length) = look.last.fixed() else { return false };
        let from = seen.partition_point(|(_, other)| other.ts < event.ts - length);
        let found = seen.range(from..).any(|(roles, other)| {
            look.guards.iter().any(|g| {
                let guard = &env.rule.guards[g.index()];
                let cross = guard.cross.as_ref();
                roles & (1 << guard.role) != 0
                    && cross.is_none_or(|cross| with_context(env, moved, Some(other), |c| passes(cross, c)))
            })
        });
        found == look.wanted
    })
}

/// The match pending before the step `at`, moved there by an event, if its condition and bounds allow it.
fn moves(env: &RuleEnv<'_>, at: usize, bound: &Bound, event: Arc<StoredEvent>) -> Option<Bound> {
    let rule = env.rule;
    let (first, last) = (bound.first()?, bound.last()?);
    let element = &rule.elements[at];
    let link = &element.link;
    let gap = event.ts - last.ts;
    if link.within.is_some_and(|d| gap > d)
        || link.after.is_some_and(|d| gap < d)
        || rule.within.is_some_and(|d| event.ts - first.ts > d)
    {
        return None;
    }
    let step = &rule.steps[step_of(element).index()];
    if let Some(cross) = &step.cross
        && !with_context(env, bound, Some(&event), |context| passes(cross, context))
    {
        return None;
    }
    let (from, begin, to) = (last.ts, first.ts, event.ts);
    let mut moved = bound.clone();
    moved.push(event);
    let gap_fits = link.computed.as_ref().is_none_or(|d| at_most(env, d, &moved, from, to));
    let complete = at + 1 == rule.elements.len();
    let whole_fits =
        rule.computed_within.as_ref().filter(|_| complete).is_none_or(|d| at_most(env, d, &moved, begin, to));
    (gap_fits && whole_fits).then_some(moved)
}

/// Whether an event hits a guard of a pending match.
fn hits(
    env: &RuleEnv<'_>,
    guard: usize,
    bound: &Bound,
    event: &Arrived<'_>,
    store: &mut impl FnMut() -> Arc<StoredEvent>,
) -> bool {
    let guard = &env.rule.guards[guard];
    event.has(guard.role)
        && guard.cross.as_ref().is_none_or(|cross| with_context(env, bound, Some(&store()), |c| passes(cross, c)))
}
