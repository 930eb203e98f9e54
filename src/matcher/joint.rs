//! One window for several sliding counts of a key.
//!
//! Twenty rules that count the failures of a user, each with a filter and a bound of its own, see mostly the same
//! events. Here an event of the key stands in one list, with a bit for each rule that counts it.
//!
//! ```text
//! events  ts  10  12  15  19 ─► next            rule   first  count
//!         a    1   1   1   1                    a        0      4
//!         b    ·   ·   1   1   (12 is too old)  b        2      2
//! ```
//! As long as there are fewer events than any of the rules asks for, nothing can come of one more: then nobody counts,
//! and an event costs the same for one rule as for twenty. From then on it is kept by rule how many of its bits are set,
//! and where its window begins, until few are left.
//! It says what [`super::counter`] says, for counts that ask for nothing but a number: see [`joins`]. That is the form
//! in which such a state is saved, too.
//!
//! `tests/rules_together.rs` holds it to the rules by themselves.
//!
//! Invariants: an entry without bits holds no event. While counts are kept, those of a rule are how many of its bits are
//! set, all of them from its first entry on; while none are kept, bits of a rule may be too old for it, and no event in
//! its window lacks one unless a limit dropped it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::arrived::Match;
use super::counter::Counter;
use super::groups::{Member, members_of};
use super::key::KeyState;
use super::state::RunState;
use crate::base::budget::block;
use crate::base::{Duration, StepId, Timestamp};
use crate::plan::Rule;
use crate::plan::event::{Seq, StoredEvent};
use crate::plan::ruleset::{AfterMatch, ElementKind, StrategyKind};

/// Entries up to which one that is over is taken out at once; beyond, those at the front stand until they are half.
const FEW: usize = 8;

/// Entries up to which a list keeps its room when it is empty.
const MOSTLY: usize = 64;

/// Whether a rule counts and asks for nothing else, so that its window may be one with others that keep the same of
/// an event: then the number of what they keep, and what it asks for.
pub(super) fn joins(rule: &Rule) -> Option<(u32, Term)> {
    let [element] = rule.elements.as_slice() else { return None };
    let ElementKind::Repeat(step_id) = element.kind else { return None };
    let (step, sliding) = (&rule.steps[step_id.index()], rule.sliding.as_deref()?);
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
    let plain = rule.strategy == StrategyKind::Counter && plain_count && !judges && !is_cut;
    let term = Term {
        step: step_id,
        within: rule.within?,
        min: quantifier.min,
        max: quantifier.max,
        most: rule.runs_per_key,
        each: rule.after == AfterMatch::NoSkip,
    };
    rule.hints.kept_as.filter(|_| plain).map(|kept| (kept, term))
}

/// What a rule asks of the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    step: StepId,
    pub(super) within: Duration,
    /// Events that it asks for: from and to.
    min: u64,
    max: Option<u64>,
    /// Events that it may hold.
    most: usize,
    /// It fires at each event, not only at the first.
    each: bool,
}

impl Term {
    /// With fewer events than this nothing can come of it.
    fn least(&self) -> usize {
        usize::try_from(self.min).unwrap_or(usize::MAX).min(self.most.saturating_add(1))
    }

    fn holds(&self, count: u64) -> bool {
        count >= self.min && self.max.is_none_or(|max| count <= max)
    }
}

/// What the rules of a window ask of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// By member.
    terms: Vec<Option<Term>>,
    longest: Duration,
    least: usize,
}

impl Terms {
    /// Takes in the next rule of the table, if its window is one with others.
    pub(super) fn add(&mut self, term: Option<Term>) {
        if let Some(term) = &term {
            let is_first = self.terms.iter().all(Option::is_none);
            self.longest = if is_first { term.within } else { self.longest.max(term.within) };
            self.least = if is_first { term.least() } else { self.least.min(term.least()) };
        }
        self.terms.push(term);
    }

    /// How long the longest window of some rules is.
    pub(super) fn longest_of(&self, rules: u64) -> Duration {
        let within = |member| self.of(member).map(|term| term.within);
        members_of(rules).filter_map(within).max().unwrap_or_default()
    }

    /// Those of a rule.
    pub(super) fn of(&self, member: Member) -> Option<&Term> {
        self.terms.get(usize::from(member.0))?.as_ref()
    }
}

/// An event of the list.
#[derive(Clone, Debug)]
struct Entry {
    ts: Timestamp,
    /// Which rules count it.
    bits: u64,
    event: Option<Arc<StoredEvent>>,
}

/// What is counted for one rule.
#[derive(Clone, Copy, Debug)]
struct Mark {
    member: Member,
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
    filled: u32,
    /// Rules whose condition was true at their last look; and those for which a limit dropped events since their window
    /// was last empty.
    held: u64,
    limited: u64,
    /// In order of members, while counts are kept.
    counts: Option<Box<Counts>>,
}

#[derive(Clone, Debug, Default)]
struct Counts(SmallVec<[Mark; 8]>);

/// As it is packed.
#[derive(Serialize, Deserialize)]
struct Saved {
    events: Vec<(u64, Arc<StoredEvent>)>,
    held: u64,
    limited: u64,
}

/// What comes of an event, beside what the window then holds.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) matches: Vec<(Member, Match)>,
    /// Events that limits dropped.
    pub(super) evicted: Vec<Member>,
}

impl Joint {
    /// Rules that have events, in order, and how many.
    pub(super) fn members(&self) -> impl Iterator<Item = (Member, usize)> {
        let bits = self.live().iter().fold(0, |bits, entry| bits | entry.bits);
        members_of(bits).map(|member| (member, self.events(member).count()))
    }

    /// Whether a rule has events.
    pub(super) fn holds(&self, member: Member) -> bool {
        self.live().iter().any(|entry| entry.bits & member.bit() != 0)
    }

    /// Different events held.
    pub(super) fn len(&self) -> usize {
        self.filled as usize
    }

    fn live(&self) -> &[Entry] {
        &self.entries[self.front as usize..]
    }

    /// Time of the oldest event, or 0.
    pub(super) fn oldest(&self) -> i64 {
        self.live().first().map_or(0, |entry| entry.ts.0)
    }

    /// Time of the newest event of a rule.
    pub(super) fn newest(&self, member: Member) -> Option<Timestamp> {
        self.live().iter().rfind(|entry| entry.bits & member.bit() != 0).map(|entry| entry.ts)
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let entries = if self.entries.spilled() { block(self.entries.capacity() * size_of::<Entry>()) } else { 0 };
        let counts = self.counts.as_ref().map_or(0, |counts| {
            let marks = if counts.0.spilled() { block(counts.0.capacity() * size_of::<Mark>()) } else { 0 };
            block(size_of::<Counts>()) + marks
        });
        let events = self.live().iter().filter_map(|entry| entry.event.as_ref()).map(|event| event.bytes());
        entries + counts + events.sum::<usize>()
    }

    fn events(&self, member: Member) -> impl Iterator<Item = &Arc<StoredEvent>> + use<'_> {
        let entries = self.live().iter().filter(move |entry| entry.bits & member.bit() != 0);
        entries.filter_map(|entry| entry.event.as_ref())
    }

    /// Takes an event for some rules, a bit each, as [`Counter::on_event`] does for one.
    pub(super) fn on_event(
        &mut self,
        rules: u64,
        terms: &Terms,
        (ts, seq): (Timestamp, Seq),
        store: impl FnOnce() -> Arc<StoredEvent>,
        out: &mut Outcome,
    ) {
        self.expire(ts - terms.longest);
        if self.counts.is_none() && self.live().len() + 1 >= terms.least {
            self.begin_counts(terms, ts);
        }
        let Some(mut counts) = self.counts.take() else {
            if self.limited & rules != 0 {
                self.forget_limits(rules, terms, ts);
            }
            // None of them counts enough.
            self.held &= !rules;
            self.push(rules, ts, seq, store);
            return;
        };
        let marks = &mut counts.0;
        for member in members_of(rules) {
            let Some(term) = terms.of(member) else { continue };
            let at = marks.binary_search_by_key(&member, |mark| mark.member).unwrap_or_else(|at| {
                marks.insert(at, Mark { member, count: 0, first: self.front });
                at
            });
            self.prune(&mut marks[at], ts - term.within);
            if marks[at].count == 0 {
                (self.held, self.limited) = (self.held & !member.bit(), self.limited & !member.bit());
            }
        }
        let new = rules & !self.push(rules, ts, seq, store);
        for mark in marks.iter_mut().filter(|mark| rules & mark.member.bit() != 0) {
            let (member, bit) = (mark.member, mark.member.bit());
            let Some(term) = terms.of(member) else { continue };
            mark.count += u32::from(new & bit != 0);
            while mark.count as usize > term.most {
                self.pop(mark);
                self.limited |= bit;
                out.evicted.push(member);
            }
            let holds = term.holds(u64::from(mark.count));
            if holds && (self.held & bit == 0 || term.each) {
                let bound = vec![(term.step, self.events(member).cloned().collect())];
                let limited = self.limited & bit != 0;
                out.matches.push((member, Match { time: ts, at_deadline: false, seq, bound, limited }));
            }
            self.held = if holds { self.held | bit } else { self.held & !bit };
        }
        // Not as soon as there are fewer than enough: counting anew goes over all events.
        self.counts = (2 * self.live().len() >= terms.least).then_some(counts);
        self.clear_front();
    }

    /// Adds the newest event. Gives the bits that it had already.
    #[inline]
    fn push(&mut self, bits: u64, ts: Timestamp, seq: Seq, store: impl FnOnce() -> Arc<StoredEvent>) -> u64 {
        let last = self.entries.last_mut().filter(|last| last.ts == ts);
        match last.filter(|last| last.event.as_ref().is_some_and(|last| last.seq == seq)) {
            Some(last) => {
                let had = last.bits;
                last.bits |= bits;
                had
            }
            None => {
                self.entries.push(Entry { ts, bits, event: Some(store()) });
                self.filled += 1;
                0
            }
        }
    }

    /// Drops what is too old for every rule.
    #[inline]
    fn expire(&mut self, before: Timestamp) {
        let from = self.front as usize;
        let old = self.entries[from..].iter().take_while(|entry| entry.ts < before || entry.bits == 0).count();
        if old == 0 {
            return;
        }
        for at in from..from + old {
            if let Some(counts) = &mut self.counts {
                let bits = self.entries[at].bits;
                counts.0.iter_mut().filter(|mark| bits & mark.member.bit() != 0).for_each(|mark| mark.count -= 1);
            }
            self.entries[at].bits = 0;
            self.filled -= u32::from(self.entries[at].event.take().is_some());
        }
        self.front += old as u32;
        self.clear_front();
    }

    /// Begins to count, and drops what is too old for each rule.
    #[cold]
    fn begin_counts(&mut self, terms: &Terms, now: Timestamp) {
        let mut counts = Counts::default();
        let bits = self.live().iter().fold(0, |bits, entry| bits | entry.bits);
        for member in members_of(bits) {
            let count = self.events(member).count() as u32;
            let mut mark = Mark { member, count, first: self.front };
            if let Some(term) = terms.of(member) {
                self.prune(&mut mark, now - term.within);
            }
            counts.0.push(mark);
        }
        self.counts = Some(Box::new(counts));
    }

    /// Limits no longer bite rules whose window is empty.
    #[cold]
    fn forget_limits(&mut self, rules: u64, terms: &Terms, now: Timestamp) {
        for member in members_of(self.limited & rules) {
            let newest = self.newest(member);
            let is_over = |ts| terms.of(member).is_none_or(|term| ts < now - term.within);
            if newest.is_none_or(is_over) {
                self.limited &= !member.bit();
            }
        }
    }

    /// Drops what is too old for a rule.
    fn prune(&mut self, mark: &mut Mark, before: Timestamp) {
        let mut next = mark.first.max(self.front) as usize;
        while self.entries.get(next).is_some_and(|entry| entry.ts < before) {
            self.let_go(mark, next);
            next += 1;
        }
        mark.first = next as u32;
    }

    /// Drops the oldest event of a rule.
    fn pop(&mut self, mark: &mut Mark) {
        let from = mark.first.max(self.front) as usize;
        let oldest = self.entries[from..].iter().position(|entry| entry.bits & mark.member.bit() != 0);
        if let Some(oldest) = oldest {
            self.let_go(mark, from + oldest);
            mark.first = (from + oldest) as u32 + 1;
        }
    }

    /// An entry is no longer counted by a rule.
    #[inline]
    fn let_go(&mut self, mark: &mut Mark, entry: usize) {
        let entry = &mut self.entries[entry];
        if entry.bits & mark.member.bit() == 0 {
            return;
        }
        entry.bits &= !mark.member.bit();
        mark.count -= 1;
        if entry.bits == 0 {
            entry.event = None;
            self.filled -= 1;
        }
    }

    /// Forgets entries without bits at the front, once there are many.
    #[inline]
    fn clear_front(&mut self) {
        while self.entries.get(self.front as usize).is_some_and(|entry| entry.bits == 0) {
            self.front += 1;
        }
        let (front, len) = (self.front as usize, self.entries.len());
        if front > 0 && (len <= FEW || 2 * front >= len) {
            if front == len && self.entries.capacity() > MOSTLY {
                // A flood is over.
                self.entries = SmallVec::new();
            } else {
                self.entries.drain(..front);
            }
            let marks = self.counts.iter_mut().flat_map(|counts| &mut counts.0);
            marks.for_each(|mark| mark.first = mark.first.saturating_sub(front as u32));
            self.front = 0;
        }
    }

    /// What a rule holds, as a state of its own.
    pub(super) fn get(&self, member: Member) -> Option<KeyState> {
        self.holds(member).then(|| {
            let (held, limited) = (self.held & member.bit() != 0, self.limited & member.bit() != 0);
            let counter = Counter::plain(self.events(member).cloned(), held, limited);
            KeyState { run: RunState::Counter(counter), past: None }
        })
    }

    /// Puts a state of a rule in the place of what there is.
    pub(super) fn put(&mut self, member: Member, state: &KeyState) {
        let RunState::Counter(counter) = &state.run else { return };
        let bit = member.bit();
        self.entries.iter_mut().for_each(|entry| entry.bits &= !bit);
        self.entries.retain(|entry| entry.bits != 0);
        for event in counter.window() {
            let is_before = |entry: &Entry| entry.event.as_ref().is_some_and(|held| held.at() < event.at());
            let at = self.entries.partition_point(is_before);
            let is_it = |entry: &Entry| entry.event.as_ref().is_some_and(|held| held.at() == event.at());
            match self.entries.get_mut(at).filter(|entry| is_it(entry)) {
                Some(entry) => entry.bits |= bit,
                None => self.entries.insert(at, Entry { ts: event.ts, bits: bit, event: Some(Arc::clone(event)) }),
            }
        }
        // Entries have moved: they are counted anew when that matters.
        (self.front, self.filled, self.counts) = (0, self.entries.len() as u32, None);
        let (held, limited) = counter.looked();
        self.held = if held { self.held | bit } else { self.held & !bit };
        self.limited = if limited { self.limited | bit } else { self.limited & !bit };
    }
}

impl From<Joint> for Saved {
    fn from(joint: Joint) -> Self {
        let (held, limited) = (joint.held, joint.limited);
        let events = joint.entries.into_iter().filter_map(|entry| Some((entry.bits, entry.event?)));
        Self { events: events.collect(), held, limited }
    }
}

impl From<Saved> for Joint {
    fn from(Saved { events, held, limited }: Saved) -> Self {
        let entries = events.into_iter().map(|(bits, event)| Entry { ts: event.ts, bits, event: Some(event) });
        let entries: SmallVec<_> = entries.collect();
        Self { filled: entries.len() as u32, entries, front: 0, held, limited, counts: None }
    }
}
