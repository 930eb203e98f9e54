//! Strategy *enumerate*: all matches of `pick all`, each found without searching.
//!
//! ```text
//! event ─► places that take it ─► what waits there, with the event bound, waits at the places behind
//!                              └► or is complete: gone through, match by match
//! ```
//! What waits at a place is a set of partial matches that shares all that they have in common (`sets`): an event
//! costs the same however many there are and however long the window is, and only the places of its own roles are
//! touched. Going through the matches that an event completes takes a few steps for each event that they bind.
//!
//! Exact where [`crate::plan::automaton`] has an automaton for the pattern: no condition reads another event of the
//! match, so everything that waits at a place may go on with the same events.
//!
//! Invariants: events are held in order, those that are bound alone; the first one held is the oldest that a match may
//! begin with, so a set whose newest start lies before it is empty.

mod sets;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv, Together};
use crate::base::budget::block;
use crate::base::{StepId, Timestamp, Value};
use crate::plan::Rule;
use crate::plan::event::StoredEvent;
use crate::plan::ruleset::AfterMatch;
pub use sets::Bound;
use sets::{Counts, NodeId, Piles, Place, Set, Sets};

/// The partial matches of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Enumerate {
    /// Bound events, oldest first.
    events: VecDeque<Held>,
    /// The position of the first of them.
    floor: Place,
    sets: Sets,
    /// What waits, by place.
    waiting: Vec<Piles>,
    /// Places at which something may wait, a bit each.
    occupied: u64,
    /// Time of the newest event that a limit dropped.
    dropped: Option<Timestamp>,
}

/// An event with the first node that was made when it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
struct Held {
    /// Its time, which is asked for without a look at the event: that lies elsewhere in memory.
    ts: Timestamp,
    event: Arc<StoredEvent>,
    nodes: NodeId,
}

/// As it is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    event: Arc<StoredEvent>,
    nodes: NodeId,
}

impl From<Held> for Saved {
    fn from(Held { event, nodes, .. }: Held) -> Self {
        Self { event, nodes }
    }
}

impl From<Saved> for Held {
    fn from(Saved { event, nodes }: Saved) -> Self {
        Self { ts: event.ts, event, nodes }
    }
}

/// What an event has completed: sets that get it as their last event.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    event: Place,
    ends: SmallVec<[(StepId, Option<Set>); 1]>,
}

impl Completion {
    /// Whether there is no match.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl Enumerate {
    /// What a bound event takes beside itself: its entry, and mostly two nodes.
    pub const BYTES_PER_EVENT: usize = size_of::<Held>() + 2 * Sets::NODE;

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.occupied == 0 || self.events.is_empty()
    }

    /// Events held.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        let events = self.events.iter().map(|held| held.event.bytes()).sum::<usize>();
        let waiting = block(self.waiting.capacity() * size_of::<Piles>());
        block(self.events.capacity() * size_of::<Held>()) + events + self.sets.heap() + waiting
    }

    /// When everything held is out of reach; `None` is never.
    pub fn expires(&self, rule: &Rule) -> Option<Timestamp> {
        let span = rule.within.or(rule.horizon)?;
        self.events.back().map(|held| held.ts + span)
    }

    /// Forgets what can no longer be in a match whose last event is at `now` or later.
    pub fn prune(&mut self, rule: &Rule, now: Timestamp) {
        let Some(span) = rule.within.or(rule.horizon) else { return };
        let before = self.floor;
        while self.events.front().is_some_and(|held| held.ts < now - span) {
            self.events.pop_front();
            self.floor += 1;
        }
        if self.floor > before {
            self.forget();
        }
    }

    /// Forgets the nodes of events that are gone.
    fn forget(&mut self) {
        match self.events.front() {
            Some(held) => self.sets.forget_before(held.nodes),
            None => self.clear(),
        }
    }

    /// Forgets everything.
    fn clear(&mut self) {
        self.floor += self.events.len() as u64;
        self.events.clear();
        self.sets.forget_before(self.sets.end());
        self.empty(self.occupied);
    }

    fn empty(&mut self, places: u64) {
        each(places & self.occupied, |at| self.waiting[at].clear());
        self.occupied &= !places;
    }

    /// Takes an event and reports what it completes.
    pub fn on_event(
        &mut self,
        env: &RuleEnv<'_>,
        event: &Arrived<'_>,
        stats: &[Value],
        out: &mut Vec<Match>,
        evicted: &mut u64,
    ) {
        let made = self.sets.end();
        let mut stored = None;
        let mut store = || Arc::clone(stored.get_or_insert_with(|| event.store(env, stats)));
        let completion = self.advance(env.rule, event, &mut store, evicted);
        env.note(|| (self.sets.end() - made) as usize * Sets::NODE);
        if completion.is_empty() {
            return;
        }
        let limit = env.limits.matches_per_completion;
        let mut found: Vec<SmallVec<[Bound; 6]>> = Vec::new();
        let whole = self.matches(&completion, |bound| {
            if found.len() == limit {
                return false;
            }
            found.push(bound.iter().rev().copied().collect());
            true
        });
        // Oldest events first; on equal ones the earlier step has more.
        found.sort_unstable_by(|a, b| {
            let by_event = a.iter().map(|b| b.event).cmp(b.iter().map(|b| b.event));
            by_event.then_with(|| a.iter().map(|b| b.step).cmp(b.iter().map(|b| b.step)))
        });
        let span = env.rule.within.or(env.rule.horizon);
        let lacks = self.dropped.is_some_and(|ts| span.is_none_or(|span| ts >= event.ts - span));
        let last = store();
        for bound in &found {
            let mut steps: Vec<(StepId, Together)> = Vec::with_capacity(bound.len());
            for Bound { event, step } in bound {
                let event = match self.events.get((event - self.floor) as usize) {
                    Some(held) => Arc::clone(&held.event),
                    None => Arc::clone(&last),
                };
                match steps.last_mut() {
                    Some((before, events)) if before == step => events.push(event),
                    _ => steps.push((*step, Together::from_iter([event]))),
                }
            }
            let limited = lacks || !whole;
            out.push(Match { time: event.ts, at_deadline: false, seq: event.seq, bound: steps, limited });
        }
        if env.rule.after == AfterMatch::SkipPastLast {
            self.clear();
            self.dropped = None;
        } else if self.events.back().is_none_or(|held| held.nodes != made) {
            // The event only completed: what was put together for it is of no further use.
            self.sets.take_back(made);
        }
    }

    /// Moves the partial matches on by an event, and gives what it has completed: good until the next one. `store` is
    /// asked for the event only if it is bound by what waits on.
    pub fn advance(
        &mut self,
        rule: &Rule,
        event: &Arrived<'_>,
        store: &mut dyn FnMut() -> Arc<StoredEvent>,
        evicted: &mut u64,
    ) -> Completion {
        let automaton = rule.automaton.as_deref().expect("a rule that is enumerated has an automaton");
        self.prune(rule, event.ts);
        let emptied = automaton.emptied(event.roles) & self.occupied;
        let taking = automaton.taking(event.roles) & (self.occupied | automaton.starts);
        let place = self.floor + self.events.len() as u64;
        let nodes = self.sets.end();
        let mut completion = Completion { event: place, ends: SmallVec::new() };
        // What was bound, and where it waits: put there last, since an event is bound once.
        let mut bound: SmallVec<[(u64, Set); 4]> = SmallVec::new();
        each(taking, |at| {
            let this = &automaton.places[at];
            let Some(step) = this.step(event.roles) else { return };
            let starts = automaton.starts & (1 << at) != 0;
            let before = if self.occupied & (1 << at) == 0 {
                None
            } else {
                let since = this.gap.map_or(0, |gap| self.since(event.ts - gap));
                self.waiting[at].all(&mut self.sets, self.floor, since)
            };
            for before in starts.then_some(None).into_iter().chain(before.map(Some)) {
                if this.next == 0 {
                    completion.ends.push((step, before));
                } else {
                    bound.push((this.next, self.sets.bind(step, place, before)));
                }
            }
        });
        self.empty(emptied);
        if bound.is_empty() {
            return completion;
        }
        self.events.push_back(Held { ts: event.ts, event: store(), nodes });
        if self.waiting.len() < automaton.places.len() {
            self.waiting.resize_with(automaton.places.len(), Piles::default);
        }
        for (next, set) in bound {
            each(next, |at| self.waiting[at].add(set, &mut self.sets, self.floor));
            self.occupied |= next;
        }
        if self.events.len() > rule.runs_per_key {
            self.evict(rule.runs_per_key, evicted);
            let floor = self.floor;
            completion.ends.retain(|(_, set)| set.is_none_or(|set| set.newest >= floor));
        }
        completion
    }

    /// The position of the first event at a time or later.
    fn since(&self, ts: Timestamp) -> Place {
        self.floor + self.events.partition_point(|held| held.ts < ts) as u64
    }

    /// Drops the oldest events, and with them what has begun with them.
    fn evict(&mut self, most: usize, evicted: &mut u64) {
        while self.events.len() > most
            && let Some(held) = self.events.pop_front()
        {
            self.floor += 1;
            self.dropped = Some(held.ts);
            *evicted += 1;
        }
        self.forget();
    }

    /// How many matches a completion has. Takes about as long as the window has events, however many matches there are.
    pub fn count(&self, completion: &Completion) -> u128 {
        let mut known = Counts::default();
        let counts = completion.ends.iter().map(|(_, set)| match set {
            Some(set) => self.sets.count(*set, self.floor, &mut known),
            None => 1,
        });
        counts.fold(0, u128::saturating_add)
    }

    /// Goes through the matches of a completion: `each` gets what one of them has bound, newest first, and says whether
    /// to go on. `false` if it was stopped.
    pub fn matches(&self, completion: &Completion, mut each: impl FnMut(&[Bound]) -> bool) -> bool {
        let mut whole = Vec::new();
        for (step, set) in &completion.ends {
            let last = Bound { event: completion.event, step: *step };
            let Some(set) = set else {
                if !each(&[last]) {
                    return false;
                }
                continue;
            };
            let mut walk = self.sets.walk(*set, self.floor);
            while let Some(before) = walk.next() {
                whole.clear();
                whole.push(last);
                whole.extend_from_slice(before);
                if !each(&whole) {
                    return false;
                }
            }
        }
        true
    }
}

/// Calls `f` with the places of a mask.
#[inline]
fn each(mut places: u64, mut f: impl FnMut(usize)) {
    while places != 0 {
        f(places.trailing_zeros() as usize);
        places &= places - 1;
    }
}
