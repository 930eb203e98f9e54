//! A key that is ready for events: its states, by rule, and what they weigh.
//!
//! Invariant: states are in order of members, none of them empty between two events, and `held` and `pending` say of
//! them together what [`Live::note`] was told.

use smallvec::SmallVec;

use super::groups::Member;
use super::key::KeyState;
use super::ledger::{Entry, Weight, Worth};
use super::past::Past;
use super::state::RunState;
use crate::base::budget::block;
use crate::plan::ruleset::StrategyKind;

/// The state of one rule.
#[derive(Clone, Debug)]
pub(super) struct RuleState {
    pub(super) member: Member,
    /// Time alone may bring an alert of it.
    pending: bool,
    /// Partial matches and events, when it was noted last.
    held: u32,
    pub(super) state: KeyState,
}

/// A key with its states, ready for events.
#[derive(Clone, Debug)]
pub struct Live {
    /// Encoded key.
    pub key: SmallVec<[u8; 24]>,
    states: SmallVec<[RuleState; 1]>,
    /// Something came for it since it was last looked at for packing.
    pub(super) used: bool,
    /// It is among the ledger's live keys.
    pub(super) listed: bool,
    /// States of which time alone may bring an alert.
    pending: u8,
    held: u32,
    weight: Weight,
    worth: Worth,
}

impl Live {
    /// A key that is in the ledger with `entry` and holds nothing.
    pub(super) fn new(key: &[u8], entry: Entry) -> Self {
        let (weight, worth) = (Weight::unknown(entry.bytes), entry.worth);
        let (key, states) = (key.into(), SmallVec::new());
        Self { key, states, used: true, listed: false, pending: 0, held: 0, weight, worth }
    }

    /// The states, in order of members.
    pub(super) fn states(&self) -> &[RuleState] {
        &self.states
    }

    #[inline]
    fn place(&self, member: Member) -> Result<usize, usize> {
        match &*self.states {
            [only] if only.member == member => Ok(0),
            states => states.binary_search_by_key(&member, |held| held.member),
        }
    }

    /// The state of a rule, if it holds something.
    #[inline]
    pub(super) fn get(&self, member: Member) -> Option<&KeyState> {
        self.place(member).ok().map(|at| &self.states[at].state)
    }

    /// The state of a rule, if it holds something.
    #[inline]
    pub(super) fn get_mut(&mut self, member: Member) -> Option<&mut KeyState> {
        self.place(member).ok().map(|at| &mut self.states[at].state)
    }

    /// The state of a rule, made if there is none.
    #[inline]
    pub(super) fn get_or_begin(&mut self, member: Member, strategy: StrategyKind) -> &mut KeyState {
        let at = match self.place(member) {
            Ok(at) => at,
            Err(at) => {
                self.states.insert(at, RuleState { member, pending: false, held: 0, state: KeyState::new(strategy) });
                at
            }
        };
        &mut self.states[at].state
    }

    /// Makes states that were read from bytes fit for events.
    pub(super) fn ready(&mut self, ready: impl Fn(&mut RunState)) {
        self.states.iter_mut().for_each(|held| ready(&mut held.state.run));
    }

    /// Puts a state in the place of what there is for a rule.
    pub(super) fn put(&mut self, member: Member, state: KeyState) {
        *self.get_or_begin(member, StrategyKind::Stateless) = state;
        self.note(member);
    }

    /// The state of a rule has changed.
    #[inline]
    pub(super) fn note(&mut self, member: Member) {
        let Ok(at) = self.place(member) else { return };
        let held = &mut self.states[at];
        let (is, pending) = (held.state.run.len() as u32, held.state.past.is_some() || held.state.run.is_pending());
        self.held = self.held - held.held + is;
        self.pending = self.pending - u8::from(held.pending) + u8::from(pending);
        (held.held, held.pending) = (is, pending);
    }

    /// A rule holds nothing any more. Whether there is anything left.
    pub(super) fn end(&mut self, member: Member) -> bool {
        if let Ok(at) = self.place(member) {
            let held = self.states.remove(at);
            self.held -= held.held;
            self.pending -= u8::from(held.pending);
        }
        !self.states.is_empty()
    }

    /// Partial matches and events.
    pub(super) fn held(&self) -> usize {
        self.held as usize
    }

    /// What it counts as, by what it holds.
    pub(super) fn worth(&self) -> Worth {
        Worth::of(self.held(), self.pending > 0)
    }

    /// Weighs it, after `added` bytes may have come: what it is to be in the ledger with.
    #[inline]
    pub(super) fn weigh(&mut self, added: usize) -> Entry {
        let (held, mut weight) = (self.held(), self.weight);
        weight.update(added, held, || self.bytes());
        self.weight = weight;
        Entry { bytes: weight.bytes(), worth: self.worth() }
    }

    /// What it is in the ledger with.
    pub(super) fn entry(&self) -> Entry {
        Entry { bytes: self.weight.bytes(), worth: self.worth }
    }

    /// It is in the ledger with this now.
    #[inline]
    pub(super) fn entered(&mut self, entry: Entry) {
        self.worth = entry.worth;
    }

    fn bytes(&self) -> usize {
        let key = if self.key.spilled() { block(self.key.capacity()) } else { 0 };
        let states = if self.states.spilled() { block(self.states.capacity() * size_of::<RuleState>()) } else { 0 };
        let state = |held: &RuleState| {
            let past = held.state.past.as_ref().map_or(0, |past| block(size_of::<Past>()) + past.heap());
            held.state.run.heap() + past
        };
        block(size_of::<Self>()) + key + states + self.states.iter().map(state).sum::<usize>()
    }
}
