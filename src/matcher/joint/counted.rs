//! The window of sliding counts: an event stands in one list, with a bit for each rule that counts it.
//!
//! ```text
//! events  ts  10  12  15  19 ─► next            rule   first  count
//!         a    1   1   1   1                    a        0      4
//!         b    ·   ·   1   1   (12 is too old)  b        2      2
//! ```
//! As long as there are fewer events than any of the rules asks for, nothing can come of one more: then nobody counts,
//! and an event costs the same for one rule as for twenty. From then on it is kept by rule how many of its bits are set,
//! and where its window begins, until few are left.
//!
//! Says what [`super::super::counter`] says, for counts that ask for nothing but a number.
//!
//! Invariants: an entry without bits holds no event. While counts are kept, those of a rule are how many of its bits are
//! set, all of them from its first entry on; while none are kept, bits of a rule may be too old for it, and no event in
//! its window lacks one unless a limit dropped it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::super::counter::Counter;
use super::super::groups::{Member, members_of};
use super::Outcome;
use super::terms::{Term, Terms, What};
use crate::base::Timestamp;
use crate::base::budget::block;
use crate::matcher::arrived::Match;
use crate::plan::event::{Seq, StoredEvent};

/// Entries up to which one that is over is taken out at once; beyond, those at the front stand until they are half.
const FEW: usize = 8;

/// Entries up to which a list keeps its room when it is empty.
const MOSTLY: usize = 64;

/// Entries of one event that are looked at when a state is put back, for one that keeps the same.
const SAME: usize = 8;

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
pub(super) struct Counted {
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

impl Counted {
    /// Rules that have events.
    pub(super) fn bits(&self) -> u64 {
        self.live().iter().fold(0, |bits, entry| bits | entry.bits)
    }

    /// Different events held.
    pub(super) fn len(&self) -> usize {
        self.filled as usize
    }

    fn live(&self) -> &[Entry] {
        &self.entries[self.front as usize..]
    }

    /// Time of the oldest event.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.live().first().map(|entry| entry.ts)
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

    /// The events of a rule, oldest first.
    pub(super) fn events(&self, member: Member) -> impl Iterator<Item = &Arc<StoredEvent>> + use<'_> {
        let entries = self.live().iter().filter(move |entry| entry.bits & member.bit() != 0);
        entries.filter_map(|entry| entry.event.as_ref())
    }

    /// Takes an event for some rules, a bit each, as [`Counter::on_event`] does for one. `store` makes a copy of it for
    /// rules that keep the same.
    pub(super) fn on_event(
        &mut self,
        rules: u64,
        terms: &Terms,
        (ts, seq): (Timestamp, Seq),
        store: impl Fn(u64) -> Arc<StoredEvent>,
        out: &mut Outcome,
    ) {
        if self.counts.is_none() && self.live().len() + 1 >= terms.least {
            self.begin_counts(terms, ts);
        }
        let Some(mut counts) = self.counts.take() else {
            if self.limited & rules != 0 {
                self.forget_limits(rules, terms, ts);
            }
            // None of them counts enough.
            self.held &= !rules;
            terms.sets(rules).for_each(|set| self.push(set, ts, store(set)));
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
        terms.sets(rules).for_each(|set| self.push(set, ts, store(set)));
        for mark in marks.iter_mut().filter(|mark| rules & mark.member.bit() != 0) {
            mark.count += 1;
            if let Some(term) = terms.of(mark.member) {
                self.judge(mark, term, (ts, seq), out);
            }
        }
        // Not as soon as there are fewer than enough: counting anew goes over all events.
        self.counts = (2 * self.live().len() >= terms.least).then_some(counts);
        self.clear_front();
    }

    /// Looks at the count of a rule.
    fn judge(&mut self, mark: &mut Mark, term: &Term, (ts, seq): (Timestamp, Seq), out: &mut Outcome) {
        let What::Count { min, max, most, each } = term.what else { return };
        let (member, bit) = (mark.member, mark.member.bit());
        while mark.count as usize > most {
            self.pop(mark);
            self.limited |= bit;
            out.evicted.push(member);
        }
        let count = u64::from(mark.count);
        let holds = count >= min && max.is_none_or(|max| count <= max);
        if holds && (self.held & bit == 0 || each) {
            let bound = vec![(term.step, self.events(member).cloned().collect())];
            let limited = self.limited & bit != 0;
            out.matches.push((member, Match { time: ts, at_deadline: false, seq, bound, limited }));
        }
        self.held = if holds { self.held | bit } else { self.held & !bit };
    }

    /// Adds the newest event.
    #[inline]
    fn push(&mut self, bits: u64, ts: Timestamp, event: Arc<StoredEvent>) {
        self.entries.push(Entry { ts, bits, event: Some(event) });
        self.filled += 1;
    }

    /// Drops what is too old for every rule.
    #[inline]
    pub(super) fn expire(&mut self, before: Timestamp) {
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
    pub(super) fn get(&self, member: Member) -> Counter {
        let bit = member.bit();
        Counter::plain(self.events(member).cloned(), self.held & bit != 0, self.limited & bit != 0)
    }

    /// Puts a state of a rule in the place of what there is; `set` are the rules that keep the same of an event.
    pub(super) fn put(&mut self, member: Member, set: u64, counter: &Counter) {
        let bit = member.bit();
        self.entries.iter_mut().for_each(|entry| entry.bits &= !bit);
        self.entries.retain(|entry| entry.bits != 0);
        for event in counter.window() {
            let is_before = |entry: &Entry| entry.event.as_ref().is_some_and(|held| held.at() < event.at());
            let at = self.entries.partition_point(is_before);
            let is_it = |entry: &&mut Entry| {
                entry.bits & set != 0 && entry.event.as_ref().is_some_and(|held| held.at() == event.at())
            };
            match self.entries[at..].iter_mut().take(SAME).find(is_it) {
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

impl From<Counted> for Saved {
    fn from(counted: Counted) -> Self {
        let (held, limited) = (counted.held, counted.limited);
        let events = counted.entries.into_iter().filter_map(|entry| Some((entry.bits, entry.event?)));
        Self { events: events.collect(), held, limited }
    }
}

impl From<Saved> for Counted {
    fn from(Saved { events, held, limited }: Saved) -> Self {
        let entries = events.into_iter().map(|(bits, event)| Entry { ts: event.ts, bits, event: Some(event) });
        let entries: SmallVec<_> = entries.collect();
        Self { filled: entries.len() as u32, entries, front: 0, held, limited, counts: None }
    }
}
