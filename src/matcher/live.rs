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
    weight: Weight,
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
    /// What the states weigh together.
    weight: usize,
    entry: Entry,
}

impl Live {
    /// A key that is in the ledger with `entry` and holds nothing.
    pub(super) fn new(key: &[u8], entry: Entry) -> Self {
        let (key, states) = (key.into(), SmallVec::new());
        Self { key, states, used: true, listed: false, pending: 0, held: 0, weight: 0, entry }
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
                let (weight, state) = (Weight::UNKNOWN, KeyState::new(strategy));
                self.states.insert(at, RuleState { member, pending: false, held: 0, weight, state });
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
            self.weight -= held.weight.bytes();
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

    /// Weighs it, after `added` bytes may have come to the state of a rule: what it is to be in the ledger with.
    #[inline]
    pub(super) fn weigh(&mut self, member: Member, added: usize) -> Entry {
        if let Ok(at) = self.place(member) {
            let RuleState { weight, held, state, .. } = &mut self.states[at];
            let was = weight.bytes();
            weight.update(added, *held, || weigh(state));
            self.weight = self.weight - was + weight.bytes();
        }
        let key = if self.key.spilled() { block(self.key.capacity()) } else { 0 };
        let states = if self.states.spilled() { block(self.states.capacity() * size_of::<RuleState>()) } else { 0 };
        Entry { bytes: block(size_of::<Self>()) + key + states + self.weight, worth: self.worth() }
    }

    /// Weighs all states of a key that was unpacked; it stays in the ledger with what it took before.
    pub(super) fn weigh_anew(&mut self) {
        for RuleState { weight, held, state, .. } in &mut self.states {
            *weight = Weight::UNKNOWN;
            weight.update(usize::MAX, *held, || weigh(state));
        }
        self.weight = self.states.iter().map(|held| held.weight.bytes()).sum();
    }

    /// What it is in the ledger with.
    pub(super) fn entry(&self) -> Entry {
        self.entry
    }

    /// It is in the ledger with this now.
    #[inline]
    pub(super) fn entered(&mut self, entry: Entry) {
        self.entry = entry;
    }
}

/// Bytes that a state takes beside itself.
fn weigh(state: &KeyState) -> usize {
    let past = state.past.as_ref().map_or(0, |past| block(size_of::<Past>()) + past.heap());
    state.run.heap() + past
}
