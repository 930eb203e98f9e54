//! A key that is ready for events: its states, by rule, and what they weigh.
//!
//! Rules that hold their events together have no states of their own.
//!
//! Invariant: states are in order of members, and none of them is empty between two events. What is noted of them,
//! where memory has a cap, is from when each was weighed last, which is after each of its changes.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::groups::Member;
use super::joint::Joint;
use super::key::KeyState;
use super::ledger::{Entry, Weight, Worth};
use super::state::RunState;
use crate::base::budget::block;
use crate::plan::ruleset::StrategyKind;

/// The state of one rule.
#[derive(Clone, Debug)]
pub(super) struct RuleState {
    pub(super) member: Member,
    /// Time alone may bring an alert of it, when it was weighed last.
    pending: bool,
    /// Partial matches and events, when it was weighed last.
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
    joint: Option<Box<Joint>>,
    /// What that weighed and held when it was weighed last.
    joint_weight: Weight,
    joint_held: u32,
    /// Something came for it since it was last looked at for packing.
    pub(super) used: bool,
    /// It is among the ledger's live keys.
    pub(super) listed: bool,
    /// States of which time alone may bring an alert, and what all hold; as noted.
    pending: u8,
    held: u32,
    /// What the states weigh together.
    weight: usize,
    entry: Entry,
}

impl Live {
    /// A key that is in the ledger with `entry` and holds nothing.
    pub(super) fn new(key: &[u8], entry: Entry) -> Self {
        Self {
            key: key.into(),
            states: SmallVec::new(),
            joint: None,
            joint_weight: Weight::UNKNOWN,
            joint_held: 0,
            used: true,
            listed: false,
            pending: 0,
            held: 0,
            weight: 0,
            entry,
        }
    }

    /// The states, in order of members, but for what is joint.
    pub(super) fn states(&self) -> &[RuleState] {
        &self.states
    }

    /// What rules hold together.
    pub(super) fn joint(&self) -> Option<&Joint> {
        self.joint.as_deref()
    }

    /// As [`Live::joint`], made if there is none.
    #[inline]
    pub(super) fn joint_mut(&mut self) -> &mut Joint {
        self.joint.get_or_insert_default()
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty() && self.joint.as_ref().is_none_or(|joint| joint.is_empty())
    }

    /// The rules that hold something, in order, and how many partial matches and events.
    pub(super) fn members(&self) -> Vec<(Member, usize)> {
        let joint = self.joint.iter().flat_map(|joint| joint.members());
        let mut members: Vec<_> =
            self.states.iter().map(|held| (held.member, held.state.run.len())).chain(joint).collect();
        members.sort_by_key(|(member, _)| *member);
        members
    }

    /// The state of a rule, if it holds something.
    pub(super) fn state(&self, member: Member) -> Option<Cow<'_, KeyState>> {
        let own = self.get(member).map(Cow::Borrowed);
        own.or_else(|| self.joint.as_ref()?.get(member).map(Cow::Owned))
    }

    /// Whether a rule holds something.
    #[inline]
    pub(super) fn holds(&self, member: Member) -> bool {
        self.place(member).is_ok() || self.joint.as_ref().is_some_and(|joint| joint.holds(member))
    }

    /// The place of a rule's state among the states, or where it would be.
    #[inline]
    pub(super) fn place(&self, member: Member) -> Result<usize, usize> {
        match &*self.states {
            [only] if only.member == member => Ok(0),
            states => states.binary_search_by_key(&member, |held| held.member),
        }
    }

    /// The state of a rule that has one of its own, if it holds something.
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
    }

    /// The state at a place is empty. What the key is to be in the ledger with now; `None` if nothing is left of it.
    pub(super) fn end(&mut self, place: usize) -> Option<Entry> {
        let held = self.states.remove(place);
        self.held -= held.held;
        self.pending -= u8::from(held.pending);
        self.weight -= held.weight.bytes();
        (!self.is_empty()).then(|| self.weighed())
    }

    /// Partial matches and events.
    pub(super) fn held(&self) -> usize {
        let own = self.states.iter().map(|held| held.state.run.len()).sum::<usize>();
        own + self.joint.as_ref().map_or(0, |joint| joint.len())
    }

    /// What it counts as, by what it holds.
    pub(super) fn worth(&self) -> Worth {
        Worth::of(self.held(), self.states.iter().any(|held| is_pending(&held.state)))
    }

    /// Weighs it, after the state at a place has changed and `added` bytes may have come to it: what it is to be in the
    /// ledger with.
    #[inline]
    pub(super) fn weigh(&mut self, place: usize, added: usize) -> Entry {
        let RuleState { weight, held, pending, state, .. } = &mut self.states[place];
        let was = (weight.bytes(), *held, *pending);
        (*held, *pending) = (state.run.len() as u32, is_pending(state));
        weight.update(added, *held, || state.heap());
        self.weight = self.weight - was.0 + weight.bytes();
        self.held = self.held - was.1 + *held;
        self.pending = self.pending - u8::from(was.2) + u8::from(*pending);
        self.weighed()
    }

    /// As [`Live::weigh`], after what rules hold together has changed.
    #[inline]
    pub(super) fn weigh_joint(&mut self, added: usize) -> Entry {
        let Some(joint) = &self.joint else { return self.weighed() };
        let (was, held) = (self.joint_weight.bytes(), joint.len() as u32);
        self.joint_weight.update(added, held, || block(size_of::<Joint>()) + joint.heap());
        self.weight = self.weight - was + self.joint_weight.bytes();
        self.held = self.held - self.joint_held + held;
        self.joint_held = held;
        self.weighed()
    }

    fn weighed(&self) -> Entry {
        let key = if self.key.spilled() { block(self.key.capacity()) } else { 0 };
        let states = if self.states.spilled() { block(self.states.capacity() * size_of::<RuleState>()) } else { 0 };
        let bytes = block(size_of::<Self>()) + key + states + self.weight;
        Entry { bytes, worth: Worth::of(self.held as usize, self.pending > 0) }
    }

    /// Weighs all states of a key that was unpacked; it stays in the ledger with what it took before.
    pub(super) fn weigh_anew(&mut self) {
        for place in 0..self.states.len() {
            self.weigh(place, usize::MAX);
        }
        self.weigh_joint(usize::MAX);
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

/// Whether time alone may bring an alert of a state, or it has statistics.
fn is_pending(state: &KeyState) -> bool {
    state.past.is_some() || state.run.is_pending()
}
