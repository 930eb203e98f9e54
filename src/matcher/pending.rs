//! Strategy *pending*: `pick pending`, one pending match per step and key, as EQL keeps them.
//!
//! ```text
//!            e1         e2         e3
//!   (first) ────► [0] ────► [1] ────► match
//!                  │ e2 moves what is pending at 0 to 1, over what was there; 0 is empty then
//! ```
//! The steps are looked at from the last to the first, so one event never moves a match twice. It may move several, and
//! begin one. An event costs one look at each step, and a key holds at most one match per step.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv};
use crate::base::{StepId, Timestamp, Value, ValueRef};
use crate::plan::eval::{Ctx, eval, passes};
use crate::plan::event::{StoredEvent, StoredView};
use crate::plan::expr::Expr;
use crate::plan::ruleset::{Element, ElementKind};

/// Events bound by a pending match, one a step.
type Bound = SmallVec<[Arc<StoredEvent>; 2]>;

/// The pending matches of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// By step, without the last: the match bound up to and with it.
    steps: SmallVec<[Option<Bound>; 2]>,
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

impl Pending {
    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(Option::is_none)
    }

    /// How many matches are pending.
    pub fn len(&self) -> usize {
        self.steps.iter().filter(|s| s.is_some()).count()
    }

    /// When the match pending at a step is out of reach of the next step; `None` is never.
    fn ends(env: &RuleEnv<'_>, at: usize, bound: &Bound) -> Option<Timestamp> {
        let total = env.rule.within.zip(bound.first()).map(|(d, e)| e.ts + d);
        let gap = env.rule.elements.get(at + 1).and_then(|e| e.link.within);
        let gap = gap.zip(bound.last()).map(|(d, e)| e.ts + d);
        total.into_iter().chain(gap).min()
    }

    /// When everything that is pending is out of reach.
    pub fn wakes(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let mut latest = None;
        for (at, bound) in self.steps.iter().enumerate() {
            if let Some(bound) = bound {
                latest = latest.max(Some(Self::ends(env, at, bound)?));
            }
        }
        latest
    }

    /// Drops what can no longer complete at `now`.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        for (at, slot) in self.steps.iter_mut().enumerate() {
            if slot.as_ref().and_then(|bound| Self::ends(env, at, bound)).is_some_and(|end| end < now) {
                *slot = None;
            }
        }
    }

    /// Takes an event.
    pub fn on_event(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>, stats: &[Value], out: &mut Vec<Match>) {
        let rule = env.rule;
        let last = rule.elements.len() - 1;
        self.steps.resize_with(last, || None);
        let mut stored: Option<Arc<StoredEvent>> = None;
        let mut store = || Arc::clone(stored.get_or_insert_with(|| event.store(env, stats)));
        // Steps at which a match is pending that binds this event.
        let mut fresh = 0_u64;
        for at in (1..=last).rev() {
            let Some(bound) = &self.steps[at - 1] else { continue };
            let element = &rule.elements[at];
            if event.has(rule.steps[step_of(element).index()].role)
                && let Some(moved) = moves(env, at, bound, store())
            {
                self.steps[at - 1] = None;
                if at < last {
                    self.steps[at] = Some(moved);
                    fresh |= 1 << at;
                } else if rule.having.as_ref().is_none_or(|h| with_context(env, &moved, None, |c| passes(h, c))) {
                    out.push(matched(rule, &moved, event));
                }
                continue;
            }
            let broken = element.link.directly && event.roles & rule.hints.named != 0;
            let crossed = |guard: &crate::base::id::GuardId| hits(env, guard.index(), bound, event, &mut store);
            if broken || element.without.iter().any(crossed) {
                self.steps[at - 1] = None;
            }
        }
        let first = &rule.steps[step_of(&rule.elements[0]).index()];
        if event.has(first.role)
            && first.cross.as_ref().is_none_or(|cross| with_context(env, &[], Some(&store()), |c| passes(cross, c)))
        {
            self.steps[0] = Some(SmallVec::from_elem(store(), 1));
            fresh |= 1;
        }
        if rule.cancel.iter().any(|g| event.has(rule.guards[g.index()].role)) {
            for (at, slot) in self.steps.iter_mut().enumerate() {
                let Some(bound) = slot else { continue };
                if fresh & (1 << at) == 0 && rule.cancel.iter().any(|g| hits(env, g.index(), bound, event, &mut store))
                {
                    *slot = None;
                }
            }
        }
    }
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

fn matched(rule: &crate::plan::Rule, bound: &Bound, event: &Arrived<'_>) -> Match {
    let steps = rule.elements.iter().zip(bound);
    Match {
        time: event.ts,
        at_deadline: false,
        seq: event.seq,
        bound: steps.map(|(element, event)| (step_of(element), vec![Arc::clone(event)])).collect(),
        limited: false,
    }
}
