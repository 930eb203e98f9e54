//! One key of one rule: what it holds, and what events and deadlines make of that.
//!
//! ```text
//! (state, event | deadline) ─► (state, matches, next deadline)
//! ```
//! The one place where a state is moved: [`super::Matcher`] does so for states in its tables, [`crate::host`] for states
//! that a host keeps as bytes. Relies on being given events in order, and deadlines before the events behind them.

use super::arrived::{Arrived, Match, RuleEnv, Together};
use super::attempts::Attempts;
use super::counter::Counter;
use super::past::{Past, narrow};
use super::state::RunState;
use crate::base::budget::block;
use crate::base::{Timestamp, Value};
use crate::plan::eval::passes;
use crate::plan::event::StoredView;
use crate::plan::ruleset::{ElementKind, StrategyKind};

/// What one key of one rule holds.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    /// Partial matches.
    pub run: RunState,
    /// Statistics and what guards look back at.
    pub past: Option<Box<Past>>,
}

impl KeyState {
    /// That of a key that has seen nothing.
    pub fn new(strategy: StrategyKind) -> Self {
        let run = match strategy {
            StrategyKind::Stateless => RunState::Stateless,
            StrategyKind::Counter => RunState::Counter(Counter::default()),
            StrategyKind::LatestRun => RunState::LatestRun(Box::default()),
            StrategyKind::Attempts => RunState::Attempts(Attempts::default()),
            StrategyKind::Enumerate => RunState::Enumerate(Box::default()),
            StrategyKind::Runs => RunState::Runs(Box::default()),
            StrategyKind::Pending => RunState::Pending(Box::default()),
        };
        Self { run, past: None }
    }

    /// Whether nothing is held: such a state need not be kept.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.run.is_empty() && self.past.is_none()
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        let past = self.past.as_ref().map_or(0, |past| block(size_of::<Past>()) + past.heap());
        self.run.heap() + past
    }

    /// Takes an event. `out` is empty before; what a limit drops is counted in `evicted`.
    #[inline]
    pub fn on_event(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>, out: &mut Vec<Match>, evicted: &mut u64) {
        let mut stats = Vec::new();
        let mut roles = event.roles;
        if env.rule.hints.needs_past {
            let past = self.past.get_or_insert_default();
            stats = past.statistics(env, event);
            roles = narrow(env, event, &stats, Some(past));
        } else if env.rule.hints.judged_on_arrival {
            roles = narrow(env, event, &[], None);
        }
        let narrowed = Arrived { roles, ..*event };
        match &mut self.run {
            RunState::Stateless => stateless(env, event, roles, &stats, out),
            RunState::Counter(run) => run.on_event(env, &narrowed, &stats, out, evicted),
            RunState::LatestRun(run) => {
                run.prune(env, event.ts);
                run.on_event(env, &narrowed, &stats, out, evicted);
            }
            RunState::Attempts(run) => {
                run.prune(env, event.ts);
                run.on_event(env, &narrowed, &stats, out, evicted);
            }
            RunState::Pending(run) => {
                run.prune(env, event.ts);
                run.on_event(env, &narrowed, &stats, out, evicted);
            }
            RunState::Enumerate(run) => run.on_event(env, &narrowed, &stats, out, evicted),
            RunState::Runs(run) => run.on_event(env, &narrowed, roles, &stats, out, evicted),
        }
        if let Some(past) = &mut self.past {
            if past.is_limited(event.ts) {
                out.iter_mut().for_each(|matched| matched.limited = true);
            }
            past.add(env, event, evicted);
        }
    }

    /// Decides what is due at `time`. Every event up to it has been taken.
    #[inline]
    pub fn on_deadline(&mut self, env: &RuleEnv<'_>, time: Timestamp, out: &mut Vec<Match>) {
        match &mut self.run {
            RunState::LatestRun(run) => run.on_deadline(env, time, out),
            RunState::Attempts(run) => run.on_deadline(env, time, out),
            RunState::Runs(run) => run.on_deadline(env, time, out),
            RunState::Pending(run) => run.on_deadline(env, time, out),
            RunState::Counter(_) | RunState::Enumerate(_) | RunState::Stateless => {}
        }
        // Everything after this is later than `time`: what ends there can go.
        self.prune(env, Timestamp(time.0.saturating_add(1)));
    }

    /// Drops what no event from `now` on can need.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        match &mut self.run {
            RunState::LatestRun(run) => run.prune(env, now),
            RunState::Attempts(run) => run.prune(env, now),
            RunState::Enumerate(run) => run.prune(env.rule, now),
            RunState::Runs(run) => run.prune(env, now),
            RunState::Counter(run) => run.prune(env, now),
            RunState::Pending(run) => run.prune(env, now),
            RunState::Stateless => {}
        }
        if self.past.as_ref().is_some_and(|p| p.expires(env).is_some_and(|at| at < now)) {
            self.past = None;
        }
    }

    /// When time alone next does something to it: a deadline, or what is held becomes useless. `None` is never.
    #[inline]
    pub fn wakes(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let wakes = match &self.run {
            RunState::Stateless => None,
            RunState::Counter(run) => run.expires(env),
            RunState::LatestRun(run) => run.wakes(env),
            RunState::Attempts(run) => run.wakes(env),
            RunState::Enumerate(run) => run.expires(env.rule),
            RunState::Runs(run) => run.wakes(env),
            RunState::Pending(run) => run.wakes(env),
        };
        let forgets = self.past.as_ref().and_then(|p| p.expires(env));
        // A key is looked at again when its partial matches ask for it, or else when its past is over.
        if self.run.is_empty() { forgets } else { wakes.into_iter().chain(forgets).min() }
    }
}

/// A rule of one step: the event alone decides.
pub fn stateless(env: &RuleEnv<'_>, event: &Arrived<'_>, roles: u64, stats: &[Value], out: &mut Vec<Match>) {
    let ElementKind::Single(step) = env.rule.elements[0].kind else { return };
    if roles & (1 << env.rule.steps[step.index()].role) == 0 {
        return;
    }
    let stored = event.store(env, stats);
    if let Some(having) = &env.rule.having {
        let mut bound = vec![Vec::new(); env.rule.steps.len()];
        bound[step.index()].push(&*stored);
        if !passes(having, &env.context::<StoredView<'_>>(None, &bound, None)) {
            return;
        }
    }
    out.push(Match {
        time: event.ts,
        at_deadline: false,
        seq: event.seq,
        bound: vec![(step, Together::from_iter([stored]))],
        limited: false,
    });
}
