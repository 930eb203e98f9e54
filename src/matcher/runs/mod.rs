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

mod absent;
mod armed;
mod asof;
mod buffer;
mod closing;
mod contiguous;
mod forward;
mod group;
mod guards;
mod parts;
mod reach;
mod repeat;
mod search;
mod select;
mod span;

use std::collections::VecDeque;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv, Together};
use crate::base::budget::block;
use crate::base::{Duration, StepId, Timestamp, Value};
use crate::plan::event::Seq;
use crate::plan::ruleset::ElementKind;
use crate::plan::ruleset::{AfterMatch, Pick};
use armed::Armed;
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
    /// Deadlines that depend on what is bound, for rules that have such.
    armed: Option<Box<Armed>>,
    limited: bool,
}

/// Whether the pattern ends when some event ends its last repetition.
fn is_session(env: &RuleEnv<'_>) -> bool {
    match env.rule.elements.last().map(|e| &e.kind) {
        Some(ElementKind::Repeat(step)) => env.rule.steps[step.index()].until.is_some(),
        _ => false,
    }
}

/// What may hold the last event: roles of the last element, and of those before it that may be last because all after
/// them bind nothing; each with the longest absence that then follows.
fn tails(env: &RuleEnv<'_>) -> SmallVec<[(u64, Duration); 2]> {
    let rule = env.rule;
    let closing = rule.closing().map(|(_, ends)| ends.length());
    let mut after = rule.trailing_deadline().or(closing).unwrap_or_default();
    let mut tails = SmallVec::new();
    for element in rule.elements.iter().rev() {
        let roles = element.steps().iter().fold(0, |mask, step| mask | 1 << rule.steps[step.index()].role);
        tails.push((roles, after));
        if !may_be_empty(env, &element.kind) {
            break;
        }
        after = element.ahead.iter().filter_map(|a| a.within.fixed()).fold(after, Duration::max);
    }
    tails
}

/// The ways through the pattern, each as a rule of its own to a search.
fn ways<'a>(env: &RuleEnv<'a>) -> impl Iterator<Item = RuleEnv<'a>> + use<'a> {
    let env = *env;
    env.rule.ways().iter().map(move |rule| RuleEnv { rule, ..env })
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
    /// What look-backs have named: follows from what is bound.
    named: Vec<(StepId, Id)>,
    /// The first step's key, for handed-over keys.
    key: Box<[u8]>,
}

impl Runs {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.deadlines.is_empty() && self.used.is_empty() && self.armed.is_none()
    }

    /// Events held.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        let used = self.used.keys().map(|key| block(key.len())).sum::<usize>();
        self.buffer.heap()
            + block(self.deadlines.capacity() * size_of::<Timestamp>())
            + block(self.used.allocation_size())
            + used
            + self.armed.as_ref().map_or(0, |armed| armed.bytes())
    }

    /// Whether an absence is undecided.
    pub fn is_pending(&self) -> bool {
        !self.deadlines.is_empty() || self.armed.is_some()
    }

    /// The next time at which something happens by itself.
    pub fn wakes(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let armed = self.armed.as_ref().and_then(|a| a.next());
        self.deadlines.front().copied().or(armed).or_else(|| {
            let horizon = env.rule.horizon.filter(|_| !ways(env).any(|way| is_session(&way)))?;
            self.buffer.newest().map(|ts| ts + horizon)
        })
    }

    /// Forgets what can no longer matter at `now`.
    pub fn prune(&mut self, env: &RuleEnv<'_>, now: Timestamp) {
        let Some(horizon) = env.rule.horizon else { return };
        // What ends a session may come at any time: only newer events of the session put older ones out of reach.
        let mut oldest = now;
        for way in ways(env) {
            if is_session(&way) {
                match self.newest_of_session(&way) {
                    Some(newest) => oldest = oldest.min(newest),
                    None => return,
                }
            }
        }
        let now = oldest;
        // What waits for its own deadline stays, however old it is.
        let waiting = self.armed.as_ref().and_then(|a| a.oldest());
        let now = waiting.map_or(now, |oldest| oldest.min(now));
        self.buffer.drop_before(env, now - horizon);
        if self.used.len() > 64 {
            self.used.retain(|_, (ts, _)| *ts >= now - horizon);
        }
        if self.buffer.is_empty() {
            self.used.clear();
        }
    }

    /// Time of the newest event that every candidate of a session will have bound; `None` if that cannot be known
    /// before the session ends.
    fn newest_of_session(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let element = env.rule.elements.last()?;
        let ElementKind::Repeat(step) = &element.kind else { return None };
        let step = &env.rule.steps[step.index()];
        if step.cross.is_some() || !step.cross_lookback.is_empty() || env.rule.pick == Pick::All || env.rule.handed_over
        {
            return None;
        }
        // Any run may be chosen, and events without a countable tuple are not bound: the newest may not be the last.
        if element.link.directly || step.quantifier.as_ref().is_some_and(|q| q.consecutive || !q.distinct.is_empty()) {
            return None;
        }
        let until = env.rule.guards[step.until?.index()].role;
        let newest =
            self.buffer.range(step.role, 0, self.buffer.end()).rev().find(|id| !self.buffer.has(*id, until))?;
        Some(self.buffer.event(newest).ts)
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
        if self.buffer.is_empty() && roles & rule.hints.begins == 0 {
            return;
        }
        self.prune(env, event.ts);
        let id = self.buffer.push(env, event.store(env, stats), roles);
        env.note(|| Buffer::BYTES_PER_EVENT);
        if self.buffer.len() > rule.runs_per_key && closing::is_tumbling(rule) {
            // Its first event says when it closes: the newest goes.
            self.buffer.pop_back(env);
            self.limited = true;
            *evicted += 1;
            return;
        }
        while self.buffer.len() > rule.runs_per_key {
            self.buffer.pop_front(env);
            self.limited = true;
            *evicted += 1;
        }
        if let Some(step) = rule.lone_step() {
            let found = roles & (1 << step.role) != 0 && self.search(env, &[(*env, Trigger::Event(id))], out);
            self.settle_lone(env, step, roles, found);
            return;
        }
        let mut triggers: SmallVec<[(RuleEnv<'_>, Trigger); 1]> = SmallVec::new();
        let (mut ends, mut only_ends) = (0, true);
        for way in ways(env) {
            triggers.extend(self.completes(&way, id, roles, evicted).map(|trigger| (way, trigger)));
            let last = way.rule.elements.last().map(|e| &e.kind);
            only_ends &=
                way.rule.trailing.is_empty() && matches!(last, Some(ElementKind::Single(_) | ElementKind::Any(_)));
            ends |= tails(&way).first().map_or(0, |(mask, _)| *mask);
        }
        if triggers.is_empty() {
            return;
        }
        let found = self.search(env, &triggers, out);
        if !found && only_ends && roles & !ends == 0 {
            // A last event serves only matches that end with it.
            self.buffer.pop_back(env);
        }
    }

    /// What an event may complete on one way through the pattern. Deadlines that it sets are noted.
    fn completes(&mut self, env: &RuleEnv<'_>, id: Id, roles: u64, evicted: &mut u64) -> Option<Trigger> {
        let rule = env.rule;
        if rule.has_computed_deadline() {
            if tails(env).iter().any(|(mask, _)| roles & mask != 0) {
                self.arm(env, id, evicted);
            }
            return None;
        }
        if let Some((step, ends)) = rule.closing() {
            if roles & (1 << rule.steps[step.index()].role) != 0 {
                self.set_closing(env, step, ends, id);
            }
            return None;
        }
        if !rule.trailing.is_empty() {
            let ts = self.buffer.event(id).ts;
            for (mask, after) in tails(env) {
                if roles & mask != 0 {
                    self.set_deadline(ts + after);
                }
            }
            return None;
        }
        let last = rule.elements.last().expect("a pattern has an element");
        let until = match &last.kind {
            ElementKind::Repeat(step) => rule.steps[step.index()].until,
            _ => None,
        };
        let last_roles = tails(env).first().map_or(0, |(mask, _)| *mask);
        match until {
            Some(guard) if roles & (1 << rule.guards[guard.index()].role) != 0 => Some(Trigger::Until(id)),
            None if roles & last_roles != 0 => Some(Trigger::Event(id)),
            _ => None,
        }
    }

    /// Decides the absences whose deadline is `now` or before.
    pub fn on_deadline(&mut self, env: &RuleEnv<'_>, now: Timestamp, out: &mut Vec<Match>) {
        self.on_armed(env, now, out);
        while let Some(deadline) = self.deadlines.front().copied().filter(|d| *d <= now) {
            self.deadlines.pop_front();
            // A pattern that time closes has one way.
            if let Some((step, ends)) = env.rule.closing() {
                self.close(env, step, ends, deadline, out);
                continue;
            }
            let mut triggers = Vec::new();
            for way in ways(env).filter(|way| !way.rule.trailing.is_empty()) {
                let mut afters: Vec<Duration> = tails(&way).iter().map(|(_, after)| *after).collect();
                afters.sort_unstable();
                afters.dedup();
                triggers.extend(afters.into_iter().map(|after| (way, Trigger::Deadline(deadline, after))));
            }
            self.search(env, &triggers, out);
        }
    }

    fn set_deadline(&mut self, at: Timestamp) {
        let place = self.deadlines.partition_point(|d| *d < at);
        if self.deadlines.get(place) != Some(&at) {
            self.deadlines.insert(place, at);
        }
    }

    /// One completion: all triggers are of the same event or the same deadline.
    fn search(&mut self, env: &RuleEnv<'_>, triggers: &[(RuleEnv<'_>, Trigger)], out: &mut Vec<Match>) -> bool {
        let (mut limited, mut given_up) = (self.limited, false);
        let mut candidates = Vec::new();
        for (way, trigger) in triggers {
            let mut search = Search::new(way, &self.buffer, &self.used, *trigger);
            search.run();
            given_up |= search.is_exhausted();
            candidates.append(&mut search.found);
        }
        limited |= given_up;
        let Some((_, trigger)) = triggers.first().copied() else { return false };
        limited |= select::pick(env, &mut candidates);
        let found = !candidates.is_empty();
        if given_up && !found {
            env.give_up();
        }
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
            .chain(candidate.named.iter().map(|(name, id)| (*name, Together::from_iter([self.buffer.shared(*id)]))))
            .collect();
        let (time, seq) = match trigger {
            Trigger::Event(id) | Trigger::Until(id) | Trigger::Arm(id) => {
                (self.buffer.event(id).ts, self.buffer.event(id).seq)
            }
            Trigger::Deadline(time, _) | Trigger::Closing(time) => {
                (time, candidate.sorted.last().map(|id| self.buffer.event(*id).seq).unwrap_or_default())
            }
        };
        Match { time, at_deadline: matches!(trigger, Trigger::Deadline(..) | Trigger::Closing(_)), seq, bound, limited }
    }

    /// The place in order of a completion.
    fn completion(&self, trigger: Trigger) -> (Timestamp, Seq) {
        match trigger {
            Trigger::Event(id) | Trigger::Until(id) | Trigger::Arm(id) => self.buffer.event(id).at(),
            Trigger::Deadline(time, _) | Trigger::Closing(time) => (time, Seq(u64::MAX)),
        }
    }

    /// `skip to first a`, `skip to last a`: what lies before that event is used up. Of several matches of one
    /// completion the one that uses up most decides.
    fn skip_to(&mut self, env: &RuleEnv<'_>, trigger: Trigger, candidates: &[Candidate], step: StepId, last: bool) {
        let upto = |candidate: &Candidate| {
            let ids = &candidate.steps[step.index()];
            match if last { ids.last() } else { ids.first() } {
                // Positions have no gaps between them: what is at or before this lies before the event.
                Some(id) => {
                    let (ts, seq) = self.buffer.event(*id).at();
                    match seq.0.checked_sub(1) {
                        Some(before) => (ts, Seq(before)),
                        // An expected key's event stands before all others of its time.
                        None => (Timestamp(ts.0.saturating_sub(1)), Seq(u64::MAX)),
                    }
                }
                None => self.completion(trigger),
            }
        };
        let used: Vec<(Timestamp, Seq)> = candidates.iter().map(upto).collect();
        if env.rule.handed_over {
            for (candidate, upto) in candidates.iter().zip(used) {
                let most = self.used.get(&candidate.key).map_or(upto, |before| upto.max(*before));
                self.used.insert(candidate.key.clone(), most);
            }
        } else if let Some(upto) = used.into_iter().max() {
            self.buffer.use_up(env, upto);
        }
    }

    /// `after match`: what the matches have used up.
    fn skip(&mut self, env: &RuleEnv<'_>, trigger: Trigger, candidates: &[Candidate]) {
        if candidates.is_empty() || env.rule.lone_step().is_some() {
            // A match of one event leaves nothing that another could bind.
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
                let upto = self.completion(trigger);
                if env.rule.handed_over {
                    for candidate in candidates {
                        self.used.insert(candidate.key.clone(), upto);
                    }
                } else {
                    self.buffer.use_up(env, upto);
                    if matches!(trigger, Trigger::Event(_) | Trigger::Until(_)) {
                        self.deadlines.clear();
                    } else if let Trigger::Deadline(time, _) | Trigger::Closing(time) = trigger {
                        let longest =
                            ways(env).flat_map(|way| tails(&way)).map(|(_, after)| after).max().unwrap_or_default();
                        self.deadlines.retain(|d| *d > time + longest);
                        if let Some(armed) = &mut self.armed {
                            armed.use_up(time);
                        }
                    }
                    self.limited = false;
                }
            }
            AfterMatch::SkipTo { step, last } => self.skip_to(env, trigger, candidates, step, last),
        }
    }
}
