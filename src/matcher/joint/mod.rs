//! What several rules of a key hold together.
//!
//! Twenty rules that count the failures of a user, each with a filter and a bound of its own, see mostly the same
//! events; so do twenty that wait for what comes after a cart. Here an event of the key is held once, with a bit for each
//! rule that holds it: [`counted`] is the window of sliding counts, [`begun`] the beginnings of sequences of two steps.
//! Rules that ask for no more than that ([`Term::of`]) have no state of their own, but it is saved as if they had.
//!
//! `tests/rules_together.rs` holds them to the rules by themselves.

mod begun;
mod counted;
mod terms;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::begun::Begun;
use self::counted::Counted;
pub(super) use self::terms::Terms;
use self::terms::{Term, What};
use super::arrived::{Match, Together};
use super::groups::{Member, members_of};
use super::key::KeyState;
use super::latest_run::LatestRun;
use super::state::RunState;
use crate::base::Timestamp;
use crate::plan::event::{Seq, StoredEvent};

/// What the rules of a key hold together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Joint {
    counted: Counted,
    begun: Begun,
}

/// What comes of an event, beside what is held then.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) matches: Vec<(Member, Match)>,
    /// Events that limits dropped.
    pub(super) evicted: Vec<Member>,
    /// Rules that had begun and hold nothing any more.
    pub(super) ended: u64,
}

impl Joint {
    /// Rules that hold something, in order, and how many events.
    pub(super) fn members(&self) -> impl Iterator<Item = (Member, usize)> {
        let begun = self.begun.bits();
        members_of(begun | self.counted.bits()).map(move |member| {
            let is_begun = begun & member.bit() != 0;
            (member, if is_begun { 1 } else { self.counted.events(member).count() })
        })
    }

    /// Whether a rule holds something.
    pub(super) fn holds(&self, member: Member) -> bool {
        (self.begun.bits() | self.counted.bits()) & member.bit() != 0
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Different events held.
    pub(super) fn len(&self) -> usize {
        self.counted.len() + self.begun.len()
    }

    /// Time of the oldest event, or 0.
    pub(super) fn oldest(&self) -> i64 {
        self.counted.oldest().or(self.begun.oldest()).map_or(0, |ts| ts.0)
    }

    /// Time of the newest event of a rule.
    pub(super) fn newest(&self, member: Member) -> Option<Timestamp> {
        self.begun.get(member).map(|event| event.ts).or_else(|| self.counted.newest(member))
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        self.counted.heap() + self.begun.heap()
    }

    /// Takes an event with which some rules begin, or which they count, and which ends what others have begun, a bit
    /// each. `store` makes a copy of it for rules that keep the same.
    pub(super) fn on_event(
        &mut self,
        (begins, ends): (u64, u64),
        terms: &Terms,
        at: (Timestamp, Seq),
        store: impl Fn(u64) -> Arc<StoredEvent>,
        out: &mut Outcome,
    ) {
        let before = at.0 - terms.longest;
        self.begun.expire(before);
        self.counted.expire(before);
        out.ended = 0;
        for member in members_of(ends) {
            let Some(Term { step, within, what: What::Then(then), .. }) = terms.of(member).copied() else { continue };
            let one = |event| Together::from_iter([event]);
            if let Some(first) = self.begun.take(member, at, at.0 - within) {
                out.ended |= member.bit();
                let bound = vec![(step, one(first)), (then, one(store(member.bit())))];
                out.matches.push((member, Match { time: at.0, at_deadline: false, seq: at.1, bound, limited: false }));
            }
        }
        // What ends a match begins none.
        let (begins, counted) = (begins & !terms.counting & !out.ended, begins & terms.counting);
        terms.sets(begins).for_each(|set| self.begun.begin(set, store(set)));
        if counted != 0 {
            self.counted.on_event(counted, terms, at, store, out);
        }
    }

    /// What a rule holds, as a state of its own.
    pub(super) fn get(&self, member: Member) -> Option<KeyState> {
        let run = match self.begun.get(member) {
            Some(event) => RunState::LatestRun(Box::new(LatestRun::begun(event))),
            None => RunState::Counter(Some(self.counted.get(member)).filter(|counter| !counter.is_empty())?),
        };
        Some(KeyState { run, past: None })
    }

    /// Puts a state of a rule in the place of what there is.
    pub(super) fn put(&mut self, member: Member, terms: &Terms, state: &KeyState) {
        let set = terms.set_of(member);
        match &state.run {
            RunState::Counter(counter) => self.counted.put(member, set, counter),
            RunState::LatestRun(run) => match run.begun_with() {
                Some(event) => self.begun.put(member, set, event),
                None => self.begun.clear(member.bit()),
            },
            _ => {}
        }
    }
}
