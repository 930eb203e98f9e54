//! One window for several sliding counts of a key.
//!
//! Twenty rules that count the failures of a user, each with a filter and a bound of its own, see mostly the same
//! events. Here an event of the key stands in one list, with a bit for each rule that counts it; of a rule there is
//! how many of its bits are set, and where its window begins.
//!
//! ```text
//! events  ts  10  12  15  19 ─► next            rule   first  count
//!         a    1   1   1   1                    a        0      4
//!         b    ·   ·   1   1   (12 is too old)  b        2      2
//! ```
//! It says what [`super::counter`] says, for counts that ask for nothing but a number: see [`joins`]. That is the form
//! in which such a state is saved, too.
//!
//! `tests/rules_together.rs` holds it to the rules by themselves.
//!
//! Invariants: bits of a rule are set from its first entry on only, and its count is how many are; an entry without
//! bits holds no event; a rule that was given an event has one, since it is only given what it counts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::{Arrived, Match, RuleEnv};
use super::counter::Counter;
use super::groups::Member;
use super::key::KeyState;
use super::state::RunState;
use crate::base::Timestamp;
use crate::base::budget::block;
use crate::plan::Rule;
use crate::plan::event::StoredEvent;
use crate::plan::ruleset::{AfterMatch, ElementKind, StrategyKind};

/// Entries without an event at the front of the list that are let stand until they are half of it.
const STALE: usize = 8;

/// Entries up to which a list keeps its room when it is empty.
const MOSTLY: usize = 64;

/// Whether a rule counts and asks for nothing else, so that its window may be one with others that keep the same of
/// an event: then the number of what they keep.
pub(super) fn joins(rule: &Rule) -> Option<u32> {
    let [element] = rule.elements.as_slice() else { return None };
    let ElementKind::Repeat(step) = &element.kind else { return None };
    let (step, sliding) = (&rule.steps[step.index()], rule.sliding.as_deref()?);
    let quantifier = step.quantifier.as_ref()?;
    let plain_count = quantifier.distinct.is_empty()
        && !quantifier.consecutive
        && sliding.events.is_none()
        && sliding.lasting.is_none()
        && sliding.tallies.is_empty()
        && sliding.quick.is_none()
        && sliding.slow.is_none();
    let judges = step.cross.is_some() || rule.hints.judged_on_arrival || rule.hints.needs_past;
    let is_cut = !rule.cancel.is_empty() || !element.without.is_empty();
    let plain = rule.strategy == StrategyKind::Counter && rule.within.is_some() && plain_count && !judges && !is_cut;
    rule.hints.kept_as.filter(|_| plain)
}

/// An event of the list.
#[derive(Clone, Debug)]
struct Entry {
    ts: Timestamp,
    /// Which rules count it.
    bits: u64,
    event: Option<Arc<StoredEvent>>,
}

/// What there is of one rule.
#[derive(Clone, Copy, Debug)]
struct Mark {
    member: Member,
    /// Its condition was true at the last look.
    held: bool,
    /// A limit dropped events since the window was last empty.
    limited: bool,
    /// Events.
    count: u32,
    /// Entries before this one have no bit of it.
    first: u32,
}

/// The window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub(super) struct Joint {
    entries: SmallVec<[Entry; 2]>,
    /// Entries before this one have no bits.
    front: u32,
    /// Entries with events.
    held: u32,
    /// In order of members.
    marks: SmallVec<[Mark; 8]>,
}

/// As it is packed.
#[derive(Serialize, Deserialize)]
struct Saved {
    events: Vec<(u64, Arc<StoredEvent>)>,
    marks: Vec<(Member, bool, bool)>,
}

impl Joint {
    fn place(&self, member: Member) -> Result<usize, usize> {
        self.marks.binary_search_by_key(&member, |mark| mark.member)
    }

    /// Rules that have a window, in order, and how many events each counts.
    pub(super) fn members(&self) -> impl Iterator<Item = (Member, usize)> {
        self.marks.iter().map(|mark| (mark.member, mark.count as usize))
    }

    /// Whether a rule has a window.
    pub(super) fn holds(&self, member: Member) -> bool {
        self.place(member).is_ok()
    }

    /// Different events held.
    pub(super) fn len(&self) -> usize {
        self.held as usize
    }

    fn live(&self) -> &[Entry] {
        &self.entries[self.front as usize..]
    }

    /// Time of the oldest event, or 0.
    pub(super) fn oldest(&self) -> i64 {
        self.live().first().map_or(0, |entry| entry.ts.0)
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let entries = if self.entries.spilled() { block(self.entries.capacity() * size_of::<Entry>()) } else { 0 };
        let marks = if self.marks.spilled() { block(self.marks.capacity() * size_of::<Mark>()) } else { 0 };
        let events = self.live().iter().filter_map(|entry| entry.event.as_ref()).map(|event| event.bytes());
        entries + marks + events.sum::<usize>()
    }

    /// Takes an event for a rule, as [`Counter::on_event`] does.
    pub(super) fn on_event(
        &mut self,
        member: Member,
        env: &RuleEnv<'_>,
        event: &Arrived<'_>,
        out: &mut Vec<Match>,
        evicted: &mut u64,
    ) {
        let rule = env.rule;
        let ElementKind::Repeat(step) = rule.elements[0].kind else { return };
        let step_def = &rule.steps[step.index()];
        let (Some(quantifier), Some(within)) = (&step_def.quantifier, rule.within) else { return };
        let at = match self.place(member) {
            Ok(at) => at,
            Err(_) if !event.has(step_def.role) => return,
            Err(at) => {
                self.marks.insert(at, Mark { member, held: false, limited: false, count: 0, first: self.front });
                at
            }
        };
        self.prune(at, event.ts - within);
        if !event.has(step_def.role) {
            return;
        }
        self.push(at, env, event);
        while self.marks[at].count as usize > rule.runs_per_key {
            self.pop(at);
            self.marks[at].limited = true;
            *evicted += 1;
        }
        let mark = &self.marks[at];
        let count = u64::from(mark.count);
        let holds = count >= quantifier.min && quantifier.max.is_none_or(|max| count <= max);
        if holds && (!mark.held || rule.after == AfterMatch::NoSkip) {
            out.push(Match {
                time: event.ts,
                at_deadline: false,
                seq: event.seq,
                bound: vec![(step, self.events(mark).cloned().collect())],
                limited: mark.limited,
            });
        }
        self.marks[at].held = holds;
    }

    fn events(&self, mark: &Mark) -> impl Iterator<Item = &Arc<StoredEvent>> + use<'_> {
        let bit = bit(mark.member);
        let entries = self.entries[(mark.first.max(self.front)) as usize..].iter();
        entries.filter(move |entry| entry.bits & bit != 0).filter_map(|entry| entry.event.as_ref())
    }

    /// Drops what is too old for a rule.
    fn prune(&mut self, at: usize, before: Timestamp) {
        let Mark { member, first, .. } = self.marks[at];
        let mut next = first.max(self.front) as usize;
        while self.entries.get(next).is_some_and(|entry| entry.ts < before) {
            self.let_go(at, next, bit(member));
            next += 1;
        }
        self.marks[at].first = next as u32;
        self.clear_front();
    }

    /// Drops the oldest event of a rule.
    fn pop(&mut self, at: usize) {
        let Mark { member, first, .. } = self.marks[at];
        let from = first.max(self.front) as usize;
        let oldest = self.entries[from..].iter().position(|entry| entry.bits & bit(member) != 0);
        if let Some(oldest) = oldest {
            self.let_go(at, from + oldest, bit(member));
            self.marks[at].first = (from + oldest) as u32 + 1;
        }
        self.clear_front();
    }

    /// An entry is no longer counted by a rule.
    #[inline]
    fn let_go(&mut self, at: usize, entry: usize, bit: u64) {
        let entry = &mut self.entries[entry];
        if entry.bits & bit == 0 {
            return;
        }
        entry.bits &= !bit;
        if entry.bits == 0 {
            entry.event = None;
            self.held -= 1;
        }
        let mark = &mut self.marks[at];
        mark.count -= 1;
        if mark.count == 0 {
            (mark.held, mark.limited) = (false, false);
        }
    }

    /// Forgets entries without bits at the front, once there are many.
    #[inline]
    fn clear_front(&mut self) {
        while self.entries.get(self.front as usize).is_some_and(|entry| entry.bits == 0) {
            self.front += 1;
        }
        let front = self.front as usize;
        if front == self.entries.len() || (front >= STALE && 2 * front >= self.entries.len()) {
            if front == self.entries.len() && self.entries.capacity() > MOSTLY {
                // A flood is over.
                self.entries = SmallVec::new();
            } else {
                self.entries.drain(..front);
            }
            self.marks.iter_mut().for_each(|mark| mark.first = mark.first.saturating_sub(self.front));
            self.front = 0;
        }
    }

    fn push(&mut self, at: usize, env: &RuleEnv<'_>, event: &Arrived<'_>) {
        let bit = bit(self.marks[at].member);
        let last = self.entries.last_mut().filter(|last| last.ts == event.ts);
        match last.filter(|last| last.event.as_ref().is_some_and(|last| last.seq == event.seq)) {
            Some(last) => last.bits |= bit,
            None => {
                self.entries.push(Entry { ts: event.ts, bits: bit, event: Some(event.store(env, &[])) });
                self.held += 1;
            }
        }
        self.marks[at].count += 1;
    }

    /// What a rule holds, as a state of its own.
    pub(super) fn get(&self, member: Member) -> Option<KeyState> {
        let mark = &self.marks[self.place(member).ok()?];
        let counter = Counter::plain(self.events(mark).cloned(), mark.held, mark.limited);
        Some(KeyState { run: RunState::Counter(counter), past: None })
    }

    /// Puts a state of a rule in the place of what there is.
    pub(super) fn put(&mut self, member: Member, state: &KeyState) {
        let RunState::Counter(counter) = &state.run else { return };
        if let Ok(at) = self.place(member) {
            while self.marks[at].count > 0 {
                self.pop(at);
            }
            self.marks.remove(at);
        }
        self.entries.retain(|entry| entry.bits != 0);
        for event in counter.window() {
            let is_before = |entry: &Entry| entry.event.as_ref().is_some_and(|held| held.at() < event.at());
            let at = self.entries.partition_point(is_before);
            let is_it = |entry: &Entry| entry.event.as_ref().is_some_and(|held| held.at() == event.at());
            match self.entries.get_mut(at).filter(|entry| is_it(entry)) {
                Some(entry) => entry.bits |= bit(member),
                None => {
                    let entry = Entry { ts: event.ts, bits: bit(member), event: Some(Arc::clone(event)) };
                    self.entries.insert(at, entry);
                    self.held += 1;
                }
            }
        }
        // Entries have moved: every rule looks from the front on again.
        self.front = 0;
        self.marks.iter_mut().for_each(|mark| mark.first = 0);
        let at = self.place(member).unwrap_or_else(|at| at);
        let (held, limited) = counter.looked();
        self.marks.insert(at, Mark { member, held, limited, count: counter.len() as u32, first: 0 });
        self.clear_front();
    }
}

fn bit(member: Member) -> u64 {
    1 << member.0
}

impl From<Joint> for Saved {
    fn from(joint: Joint) -> Self {
        let marks = joint.marks.iter().map(|mark| (mark.member, mark.held, mark.limited)).collect();
        let events = joint.entries.into_iter().filter_map(|entry| Some((entry.bits, entry.event?)));
        Self { events: events.collect(), marks }
    }
}

impl From<Saved> for Joint {
    fn from(saved: Saved) -> Self {
        let count = |member| saved.events.iter().filter(|(bits, _)| bits & bit(member) != 0).count() as u32;
        let mark = |(member, held, limited)| Mark { member, held, limited, count: count(member), first: 0 };
        let marks = saved.marks.iter().copied().map(mark).collect();
        let entries = saved.events.into_iter().map(|(bits, event)| Entry { ts: event.ts, bits, event: Some(event) });
        let entries: SmallVec<_> = entries.collect();
        Self { held: entries.len() as u32, entries, front: 0, marks }
    }
}
