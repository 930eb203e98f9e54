//! Strategy *runs*: every partial match, kept as a buffer of events per key and found by search.
//!
//! ```text
//! buffer   A1 · B2 · A3 · M4 · B5 · C6          one list of positions per role, one hash index per join
//!                                  ▲
//! completion at C6: choose backwards B5, A3, …  (newest first, equalities by look-up)
//!                   then check forwards          (repetitions, absences, bounds, conditions)
//! ```
//! Partial matches are never copied: they share the buffer, and a search starts only where a candidate could
//! complete. It is complete by construction (language.md §3.6): it tries every assignment that the definition allows,
//! within [`crate::base::Limits::search_steps`].

mod buffer;
mod forward;
mod group;
mod guards;
mod repeat;
mod search;
mod select;

use std::collections::VecDeque;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::arrived::{Arrived, Match, RuleEnv};
use crate::base::{Timestamp, Value};
use crate::plan::event::Seq;
use crate::plan::ruleset::{ElementKind, RoleKind};
use crate::syntax::ast::AfterMatch;
use buffer::{Buffer, Id};
use search::{Search, Trigger};

/// The partial matches of one key; of a whole rule whose key is handed over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    buffer: Buffer,
    /// Deadlines of trailing absences that may decide something, in order.
    deadlines: VecDeque<Timestamp>,
    /// For handed-over keys: up to where a first step's key has been used up.
    used: HashMap<Box<[u8]>, (Timestamp, Seq), foldhash::fast::FixedState>,
    limited: bool,
}

/// Whether the pattern ends when some event ends its last repetition.
fn is_session(env: &RuleEnv<'_>) -> bool {
    match env.rule.elements.last().map(|e| &e.kind) {
        Some(ElementKind::Repeat(step)) => env.rule.steps[step.index()].until.is_some(),
        _ => false,
    }
}

fn may_be_empty(env: &RuleEnv<'_>, kind: &ElementKind) -> bool {
    match kind {
        ElementKind::Optional(_) => true,
        ElementKind::Repeat(step) => env.rule.steps[step.index()].quantifier.as_ref().is_some_and(|q| q.min == 0),
        ElementKind::Group(group) => group.quantifier.min == 0,
        _ => false,
    }
}

/// A candidate: the positions of the events that each step binds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    /// By step.
    steps: Vec<Vec<Id>>,
    /// All of them, oldest first.
    sorted: Vec<Id>,
    /// The first step's key, for handed-over keys.
    key: Box<[u8]>,
}

impl Runs {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.deadlines.is_empty() && self.used.is_empty()
    }

    /// Events held.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The next time at which something happens by itself.
    pub fn wakes(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        self.deadlines.front().copied().or_else(|| {
            let horizon = env.rule.horizon.filter(|_| !is_session(env))?;
            self.buffer.newest().map(|ts| ts + horizon)
        })
    }

    /// Forgets what can no longer matter at `now`.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        let Some(horizon) = env.rule.horizon else { return };
        // What ends a session may come at any time: only newer events of the session put older ones out of reach.
        let now = if is_session(env) { self.newest_step(env).unwrap_or(now) } else { now };
        self.buffer.drop_before(env, now - horizon);
        if self.used.len() > 64 {
            self.used.retain(|_, (ts, _)| *ts >= now - horizon);
        }
        if self.buffer.is_empty() {
            self.used.clear();
        }
    }

    /// Time of the newest event that a step may bind.
    fn newest_step(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let end = self.buffer.end();
        let newest = env.rule.steps.iter().filter_map(|s| self.buffer.range(s.role, 0, end).next_back()).max();
        newest.map(|id| self.buffer.event(id).ts)
    }

    /// Rebuilds what is not saved.
    pub fn restored(&mut self, env: &RuleEnv<'_>) {
        self.buffer.index(env);
    }

    /// Takes an event. `roles` are those of its roles that its own conditions and its past leave.
    pub fn on_event(
        &mut self,
        env: &RuleEnv<'_>,
        event: &Arrived<'_>,
        roles: u64,
        stats: &[Value],
        out: &mut Vec<Match>,
        evicted: &mut u64,
    ) {
        let rule = env.rule;
        if self.buffer.is_empty() && !self.may_begin(env, roles) {
            return;
        }
        self.prune(env, event.ts);
        let id = self.buffer.push(env, event.store(env, stats), roles);
        while self.buffer.len() > rule.runs_per_key {
            self.buffer.pop_front(env);
            self.limited = true;
            *evicted += 1;
        }
        let last = rule.elements.last().expect("a pattern has an element");
        let until = match &last.kind {
            ElementKind::Repeat(step) => rule.steps[step.index()].until,
            _ => None,
        };
        // Elements that may be left out can leave the last event to the one before them.
        let mut last_roles = 0_u64;
        for element in rule.elements.iter().rev() {
            for step in element.steps() {
                last_roles |= 1 << rule.steps[step.index()].role;
            }
            if !may_be_empty(env, &element.kind) {
                break;
            }
        }
        if let Some(after) = rule.trailing_deadline() {
            let at = event.ts + after;
            if roles & last_roles != 0 && self.deadlines.back() != Some(&at) {
                self.deadlines.push_back(at);
            }
            return;
        }
        let trigger = match until {
            Some(guard) if roles & (1 << rule.guards[guard.index()].role) != 0 => Trigger::Until(id),
            None if roles & last_roles != 0 => Trigger::Event(id),
            _ => return,
        };
        let found = self.search(env, trigger, out);
        if !found && matches!(last.kind, ElementKind::Single(_) | ElementKind::Any(_)) && roles & !last_roles == 0 {
            // A last event serves only matches that end with it.
            self.buffer.pop_back(env);
        }
    }

    /// Decides the absences whose deadline is `now` or before.
    pub fn on_deadline(&mut self, env: &RuleEnv<'_>, now: Timestamp, out: &mut Vec<Match>) {
        while let Some(deadline) = self.deadlines.front().copied().filter(|d| *d <= now) {
            self.deadlines.pop_front();
            self.search(env, Trigger::Deadline(deadline), out);
        }
    }

    /// Whether an event can matter to a key that holds nothing: a step, or something a guard looks back at.
    fn may_begin(&self, env: &RuleEnv<'_>, roles: u64) -> bool {
        let looks_back = |guard: usize| {
            env.rule.steps.iter().flat_map(|s| &s.cross_lookback).any(|l| l.guards.iter().any(|g| g.index() == guard))
        };
        env.rule.roles.iter().enumerate().any(|(at, role)| {
            roles & (1 << at) != 0
                && match role.kind {
                    RoleKind::Step(_) => true,
                    RoleKind::Guard(guard) => looks_back(guard.index()),
                    _ => false,
                }
        })
    }

    fn search(&mut self, env: &RuleEnv<'_>, trigger: Trigger, out: &mut Vec<Match>) -> bool {
        let mut search = Search::new(env, &self.buffer, &self.used, trigger);
        search.run();
        let limited = self.limited || search.exhausted;
        let mut candidates = std::mem::take(&mut search.found);
        drop(search);
        select::pick(env, &mut candidates);
        let found = !candidates.is_empty();
        for candidate in &candidates {
            out.push(self.matched(candidate, trigger, limited));
        }
        self.skip(env, trigger, &candidates);
        found
    }

    fn matched(&self, candidate: &Candidate, trigger: Trigger, limited: bool) -> Match {
        let bound = candidate
            .steps
            .iter()
            .enumerate()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(step, ids)| (step.into(), ids.iter().map(|id| self.buffer.shared(*id)).collect()))
            .collect();
        let (time, seq) = match trigger {
            Trigger::Event(id) | Trigger::Until(id) => (self.buffer.event(id).ts, self.buffer.event(id).seq),
            Trigger::Deadline(time) => {
                (time, candidate.sorted.last().map(|id| self.buffer.event(*id).seq).unwrap_or_default())
            }
        };
        Match { time, at_deadline: matches!(trigger, Trigger::Deadline(_)), seq, bound, limited }
    }

    /// `after match`: what the matches have used up.
    fn skip(&mut self, env: &RuleEnv<'_>, trigger: Trigger, candidates: &[Candidate]) {
        if candidates.is_empty() {
            return;
        }
        match env.rule.after {
            AfterMatch::NoSkip => {}
            AfterMatch::SkipToNext => {
                for candidate in candidates {
                    if let Some(first) = candidate.sorted.first() {
                        self.buffer.mark_first_used(*first);
                    }
                }
            }
            AfterMatch::SkipPastLast => {
                let upto = match trigger {
                    Trigger::Event(id) | Trigger::Until(id) => self.buffer.event(id).at(),
                    Trigger::Deadline(time) => (time, Seq(u64::MAX)),
                };
                if env.rule.handed_over {
                    for candidate in candidates {
                        self.used.insert(candidate.key.clone(), upto);
                    }
                } else {
                    self.buffer.use_up(env, upto);
                    if matches!(trigger, Trigger::Event(_) | Trigger::Until(_)) {
                        self.deadlines.clear();
                    } else if let (Some(after), Trigger::Deadline(time)) = (env.rule.trailing_deadline(), trigger) {
                        self.deadlines.retain(|d| *d > time + after);
                    }
                    self.limited = false;
                }
            }
        }
    }
}
