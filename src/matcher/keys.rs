//! The keys of one rule, or of several that share them: a hash table of states that vanish when they are empty.
//!
//! ```text
//! index: hash ─► slot ─► live    key, states by rule                      the keys that events come for
//!                    └─► packed  [held │ key │ states] as bytes           all others, if their states are small
//! ```
//! A table with many keys holds most of them for long without an event. Those are packed: the same bytes that a state
//! file has, a few dozen in one allocation, against some hundred in several. An event or a deadline for a packed key
//! unpacks it. Which keys are packed, and which go when memory is short, is decided over all rules of a shard, by what
//! the ledger says.
//! Packing is invisible: a key that was packed gives the same matches as one that was not.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use hashbrown::HashTable;

use super::changed::Changed;
use super::chunks::Chunks;
use super::groups::{Group, Member, members_of};
use super::joint::Outcome;
use super::key::KeyState;
use super::ledger::{Entry, Ledger, Worth};
pub use super::live::Live;
use super::packed::{self, pack, unpack};
use super::saved::{Change, Changes, write_state};
use super::slot::{Body, Slot, enter, list, put_off};
use super::state::RunState;
use crate::base::{RuleId, Timestamp};
use crate::plan::event::{Seq, StoredEvent};
use crate::plan::key;

/// Partial matches and events of one rule up to which a key is packed; one with more would cost too much to unpack.
const SMALL: usize = 4;

/// All keys of one shard for some rules.
#[derive(Debug)]
pub struct KeyTable {
    group: Group,
    /// Whether that is several.
    shared: bool,
    seed: u64,
    index: HashTable<u32>,
    slots: Chunks<Slot>,
    free: Vec<u32>,
    /// Where the search for slots that are over goes on.
    swept: usize,
    /// The slot of the only key of a rule without a key, which is asked for again and again.
    only: Cell<u32>,
    /// Slots taken so far.
    taken: u64,
    /// Bytes of the states that are being packed.
    scratch: [Vec<u8>; 3],
    /// What has changed since the last checkpoint, if there are any.
    changed: Option<Box<Changed>>,
}

/// A key and its state as they are saved.
pub type Held = (Box<[u8]>, KeyState);

/// What a search for a key has found, some time before it is asked for again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sought {
    /// Nobody has searched.
    Not,
    /// No slot, when so many had been taken.
    Nowhere(u64),
    /// This slot.
    At(u32),
}

/// The hash by which a key is found. A rule without a key has one, which is not spread over shards by its bytes.
fn hash_of(key: &[u8], seed: u64) -> u64 {
    if key.is_empty() { 0 } else { key::seeded_hash(key, seed) }
}

impl KeyTable {
    /// A table without keys; `seed` is that of [`crate::plan::Ruleset::hash_key`].
    pub fn new(seed: u64, group: Group) -> Self {
        Self {
            shared: group.is_shared(),
            group,
            seed,
            index: HashTable::new(),
            slots: Chunks::new(),
            free: Vec::new(),
            swept: 0,
            only: Cell::new(u32::MAX),
            taken: 0,
            scratch: Default::default(),
            changed: None,
        }
    }

    /// The rules whose states it holds.
    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    /// The slot of a key. `hash` is the [`key::seeded_hash`] of the key.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<u32> {
        let look = |hash| self.index.find(hash, |at| self.slots[*at as usize].key() == key).copied();
        if !key.is_empty() {
            return look(hash);
        }
        let only = self.only.get();
        if self.slots.get(only as usize).is_some_and(|slot| slot.has_key(key)) {
            return Some(only);
        }
        look(0).inspect(|at| self.only.set(*at))
    }

    /// The slot that a key most likely has, told by its hash alone. `None` if it has none.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true).copied()
    }

    /// What [`KeyTable::find`] would say, where a guess was made.
    #[inline]
    pub(super) fn confirm(&self, guess: Option<u32>, key: &[u8], hash: u64) -> Sought {
        let found =
            guess.and_then(|at| if self.slots[at as usize].has_key(key) { Some(at) } else { self.find(key, hash) });
        found.map_or(Sought::Nowhere(self.taken), Sought::At)
    }

    /// The slot of a key that has been sought before.
    #[inline]
    pub(super) fn seek(&self, sought: Sought, key: &[u8], hash: u64) -> Option<u32> {
        match sought {
            Sought::At(at) if self.slots[at as usize].has_key(key) => Some(at),
            _ if self.is_still_nowhere(sought) => None,
            _ => self.find(key, hash),
        }
    }

    /// Whether a key that had no slot has none now.
    #[inline]
    pub(super) fn is_still_nowhere(&self, sought: Sought) -> bool {
        matches!(sought, Sought::Nowhere(taken) if taken == self.taken)
    }

    /// The slot of a key, made if there is none.
    #[inline]
    pub fn find_or_insert(&mut self, key: &[u8], hash: u64) -> u32 {
        self.find(key, hash).unwrap_or_else(|| self.insert(key, hash))
    }

    /// A slot for a key that has none.
    pub(super) fn insert(&mut self, key: &[u8], hash: u64) -> u32 {
        let live = Box::new(Live::new(key, Entry::default()));
        let slot = Slot { body: Body::Live(live), armed: Timestamp::MAX };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        let (slots, seed) = (&self.slots, self.seed);
        let hash = if key.is_empty() { 0 } else { hash };
        self.index.insert_unique(hash, at, |at| hash_of(slots[*at as usize].key(), seed));
        self.taken += 1;
        at
    }

    /// Whether a slot holds something of a rule.
    #[inline]
    pub(super) fn holds(&self, at: u32, member: Member) -> bool {
        match self.slots.get(at as usize).map(|slot| &slot.body) {
            Some(Body::Live(live)) => live.holds(member),
            Some(Body::Packed(bytes)) => packed::holds(bytes, self.shared, member),
            None => false,
        }
    }

    /// The next slot for which something was to happen before `time`, within `looks`, which it counts down. The search
    /// goes round and round; `None` if it found none.
    #[inline]
    pub fn overdue(&mut self, time: Timestamp, looks: &mut usize) -> Option<u32> {
        *looks = (*looks).min(self.slots.len());
        while *looks > 0 {
            *looks -= 1;
            self.swept = if self.swept + 1 < self.slots.len() { self.swept + 1 } else { 0 };
            if self.slots[self.swept].armed < time {
                return Some(self.swept as u32);
            }
        }
        None
    }

    /// Whether the search for slots that are over has been round.
    pub fn is_swept(&self) -> bool {
        self.swept == 0
    }

    /// When something is next to happen to a slot by itself; `None` for a free slot.
    #[inline]
    pub fn armed(&mut self, at: u32) -> Option<&mut Timestamp> {
        self.slots.get_mut(at as usize).filter(|slot| !slot.is_free()).map(|slot| &mut slot.armed)
    }

    /// A slot that is in use, of which the state of a rule is about to change. `ready` makes a state that was packed
    /// fit for events again.
    #[inline]
    pub fn live(&mut self, at: u32, member: Member, ready: impl Fn(&mut RunState)) -> Option<&mut Live> {
        if let Some(changed) = &mut self.changed {
            changed.touch(at, member);
        }
        self.ready(at, ready)
    }

    #[inline]
    fn ready(&mut self, at: u32, ready: impl Fn(&mut RunState)) -> Option<&mut Live> {
        let slot = self.slots.get_mut(at as usize)?;
        if let Body::Packed(bytes) = &slot.body {
            if bytes.is_empty() {
                return None;
            }
            let mut live = unpack(bytes, self.shared);
            live.ready(ready);
            live.weigh_anew();
            slot.body = Body::Live(Box::new(live));
        }
        match &mut slot.body {
            Body::Live(live) => {
                live.used = true;
                Some(live)
            }
            Body::Packed(_) => None,
        }
    }

    /// The state of a rule in a live slot has changed, and `added` bytes may have come to it. An empty one is let go of,
    /// and the slot with it if it was the last. Otherwise the slot is armed for when the state `wakes`, and it is among
    /// the live keys and in the ledger, where this table has the number `table`. Gives the time for which a timer is to
    /// be set, for rules that are `timed`.
    #[inline]
    pub(super) fn settle(
        &mut self,
        (table, at, member): (u32, u32, Member),
        added: usize,
        timed: bool,
        wakes: impl FnOnce(&KeyState) -> Option<Timestamp>,
        ledger: &mut Ledger,
    ) -> Option<Timestamp> {
        let Slot { body: Body::Live(live), armed } = self.slots.get_mut(at as usize)? else { return None };
        let place = live.place(member).ok()?;
        let state = &live.states()[place].state;
        if state.is_empty() {
            self.end(at, member, place, ledger);
            return None;
        }
        let next = wakes(state).unwrap_or(Timestamp::MAX);
        let mut timer = None;
        if self.shared {
            // Up to the end of the state that ends last.
            put_off(armed, next);
        } else if !timed {
            // Nobody waits for the time at which something becomes useless: whoever looks frees it.
            *armed = next;
        } else if next < *armed {
            *armed = next;
            timer = Some(next);
        }
        list(live, (table, at), ledger);
        if ledger.is_capped() {
            let weighed = live.weigh(place, added);
            enter(live, weighed, ledger);
        }
        timer
    }

    /// Gives an event to what some rules hold together in a slot: those that begin with it, and those of which it may end
    /// something, a bit each.
    #[inline]
    pub(super) fn on_joint(
        &mut self,
        at: u32,
        (begins, ends): (u64, u64),
        event: (Timestamp, Seq),
        store: impl Fn(RuleId) -> Arc<StoredEvent>,
        outcome: &mut Outcome,
    ) {
        if self.ready(at, |_| {}).is_none() {
            return;
        }
        let Some(Slot { body: Body::Live(live), armed }) = self.slots.get_mut(at as usize) else { return };
        let group = &self.group;
        // For rules that keep the same of an event, any of them will do.
        let store = |set: u64| store(group.rule(Member(set.trailing_zeros() as u8)));
        live.joint_mut().on_event((begins, ends), group.terms(), event, store, outcome);
        if begins != 0 {
            put_off(armed, event.0 + group.terms().longest_of(begins));
        }
        if let Some(changed) = &mut self.changed {
            members_of(outcome.ended).for_each(|member| changed.remove(at, member, &live.key));
            members_of(begins).for_each(|member| changed.touch(at, member));
        }
    }

    /// Puts a state of a rule into what it holds together with others, up to when it ends.
    pub(super) fn put_joint(&mut self, at: u32, member: Member, state: &KeyState, end: Timestamp) {
        if self.live(at, member, |_| {}).is_none() {
            return;
        }
        let Some(Slot { body: Body::Live(live), armed }) = self.slots.get_mut(at as usize) else { return };
        live.joint_mut().put(member, self.group.terms(), state);
        put_off(armed, end);
    }

    /// As [`KeyTable::settle`], for what rules hold together. `false` if nothing is left in the slot, which is free then.
    #[inline]
    pub(super) fn settle_joint(&mut self, (table, at): (u32, u32), added: usize, ledger: &mut Ledger) -> bool {
        let Some(Slot { body: Body::Live(live), .. }) = self.slots.get_mut(at as usize) else { return false };
        if live.is_empty() {
            self.remove(at, ledger);
            return false;
        }
        list(live, (table, at), ledger);
        if ledger.is_capped() {
            let weighed = live.weigh_joint(added);
            enter(live, weighed, ledger);
        }
        true
    }

    fn end(&mut self, at: u32, member: Member, place: usize, ledger: &mut Ledger) {
        let Some(Slot { body: Body::Live(live), .. }) = self.slots.get_mut(at as usize) else { return };
        let Some(left) = live.end(place) else {
            self.remove(at, ledger);
            return;
        };
        enter(live, left, ledger);
        if let Some(changed) = &mut self.changed {
            changed.remove(at, member, &live.key);
        }
    }

    /// Frees a slot.
    pub(super) fn remove(&mut self, at: u32, ledger: &mut Ledger) {
        let Some(slot) = self.slots.get_mut(at as usize).filter(|slot| !slot.is_free()) else { return };
        ledger.change(slot.entry(), Entry::default());
        ledger.live_keys -= usize::from(matches!(&slot.body, Body::Live(live) if live.listed));
        let hash = hash_of(slot.key(), self.seed);
        if let Some(changed) = &mut self.changed {
            self.group.members().for_each(|member| changed.remove(at, member, slot.key()));
        }
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        *slot = Slot { body: Body::Packed(Box::default()), armed: Timestamp::MAX };
        self.free.push(at);
    }

    /// Packs a live slot, unless something has come for it since this was asked last, or it holds too much. `false` if
    /// it stays live.
    pub(super) fn pack(&mut self, at: u32, ledger: &mut Ledger) -> bool {
        let Some(Slot { body: Body::Live(live), .. }) = self.slots.get_mut(at as usize) else { return true };
        let fits = |held: &super::live::RuleState| held.state.past.is_none() && held.state.run.len() <= SMALL;
        let fits = live.states().iter().all(fits) && live.joint().is_none_or(|joint| joint.len() <= SMALL);
        if std::mem::take(&mut live.used) || !fits {
            return false;
        }
        let was = live.entry();
        let packed = pack(live, self.shared, &mut self.scratch);
        ledger.change(was, packed::entry(&packed));
        ledger.live_keys -= usize::from(live.listed);
        self.slots[at as usize].body = Body::Packed(packed);
        true
    }

    /// Takes a live slot off the list of live keys, or puts it there. `false` if there is nothing to do so with.
    pub(super) fn list(&mut self, at: u32, listed: bool) -> bool {
        match self.slots.get_mut(at as usize).map(|slot| &mut slot.body) {
            Some(Body::Live(live)) => std::mem::replace(&mut live.listed, listed) != listed,
            _ => false,
        }
    }

    /// Places for slots, free ones too.
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    /// Whether a slot is in use and worth no more than this.
    pub(super) fn may_go(&self, at: u32, most: Worth) -> bool {
        self.slots.get(at as usize).is_some_and(|slot| !slot.is_free() && slot.entry().worth <= most)
    }

    /// What a slot is in the ledger with.
    pub(super) fn entry(&self, at: u32) -> Entry {
        self.slots.get(at as usize).map_or(Entry::default(), Slot::entry)
    }

    /// As [`KeyTable::armed`], to be looked at.
    #[inline]
    pub(super) fn armed_for(&self, at: u32) -> Option<Timestamp> {
        self.slots.get(at as usize).map(|slot| slot.armed)
    }

    /// Bytes of everything but what slots hold.
    pub(super) fn frame(&self) -> usize {
        let changed = self.changed.as_ref().map_or(0, |changed| changed.bytes());
        let free = self.free.capacity() * size_of::<u32>();
        let scratch = self.scratch.iter().map(Vec::capacity).sum::<usize>();
        self.index.allocation_size() + self.slots.bytes() + free + scratch + changed
    }

    /// From now on remembers which keys change; those that are there have.
    pub fn track(&mut self) {
        let mut changed = Box::new(Changed::new(self.group.rules.len()));
        for at in 0..self.slots.len() as u32 {
            self.group.members().for_each(|member| changed.touch(at, member));
        }
        self.changed = Some(changed);
    }

    /// Adds what has changed since the last call.
    pub fn take_changed(&mut self, out: &mut Changes) {
        let Some(mut changed) = self.changed.take() else { return };
        let (gone, touched) = changed.take();
        // A key that is gone may be there again in another slot: so these come first.
        for (member, key) in gone {
            out.push(Change { rule: self.group.rule(member).0, key: &key, state: None });
        }
        for (at, member) in touched {
            let slot = &self.slots[at as usize];
            // What is packed need not be in the form that is saved.
            let Some(live) = slot.look(self.shared) else { continue };
            let Some(state) = live.state(member) else { continue };
            changed.save(at, member);
            let mut bytes = std::mem::take(&mut self.scratch[0]);
            bytes.clear();
            bytes = write_state(&state.run, state.past.as_deref(), bytes);
            let rule = self.group.rule(member).0;
            out.push(Change { rule, key: slot.key(), state: Some(&bytes) });
            self.scratch[0] = bytes;
        }
        self.changed = Some(changed);
    }

    /// Times of the oldest events that a slot holds, or something near them, added up: what an event for it looks at
    /// first.
    #[inline]
    pub fn oldest(&self, at: u32) -> i64 {
        match self.slots.get(at as usize).map(|slot| &slot.body) {
            Some(Body::Live(live)) => {
                let joint = live.joint().map_or(0, |joint| joint.oldest());
                live.states().iter().fold(joint, |sum, held| sum.wrapping_add(held.state.run.oldest()))
            }
            Some(Body::Packed(bytes)) => bytes.first().map_or(0, |worth| i64::from(*worth)),
            None => 0,
        }
    }

    /// The rules that hold something in a slot, and how many partial matches and events.
    pub(super) fn held(&self, at: u32) -> Vec<(RuleId, usize)> {
        let slot = self.slots.get(at as usize);
        if let Some(Slot { body: Body::Packed(bytes), .. }) = slot
            && !self.shared
            && !bytes.is_empty()
        {
            // Without unpacking: many keys go at once when memory is short.
            return vec![(self.group.rule(Member(0)), packed::held(bytes))];
        }
        let live = slot.and_then(|slot| slot.look(self.shared));
        let members = live.iter().flat_map(|live| live.members());
        members.map(|(member, held)| (self.group.rule(member), held)).collect()
    }

    /// Bytes of a packed key that holds one state of a rule, if one does: its slot, its entry in the index and what is
    /// packed.
    pub fn at_rest(&self, member: Member) -> Option<usize> {
        let packed = self.slots.iter().find_map(|slot| match &slot.body {
            Body::Packed(bytes) => packed::alone(bytes, self.shared, member),
            Body::Live(_) => None,
        })?;
        // The index holds a number and a control byte a key, and is at most seven eighths full.
        Some(packed + size_of::<Slot>() + 8 * (size_of::<u32>() + 1) / 7)
    }

    /// Keys that hold something at a time, and the partial matches and events that they hold, by rule. `wakes` says
    /// when a state of a rule wakes, where several share the table.
    pub fn open(&self, at: Timestamp, wakes: impl Fn(RuleId, &KeyState) -> Timestamp) -> Vec<(RuleId, usize, usize)> {
        let mut open: Vec<(RuleId, usize, usize)> = self.group.rules.iter().map(|rule| (*rule, 0, 0)).collect();
        for slot in self.slots.iter().filter(|slot| !slot.is_free() && slot.armed >= at) {
            if !self.shared {
                open[0].1 += 1;
                open[0].2 += slot.held();
                continue;
            }
            let Some(live) = slot.look(true) else { continue };
            for (member, held) in live.members() {
                let (rule, keys, events) = &mut open[usize::from(member.0)];
                let in_joint = live.joint().and_then(|joint| joint.newest(member)).zip(self.group.terms().of(member));
                let ends = match in_joint {
                    Some((newest, term)) => newest + term.within,
                    None => live.get(member).map_or(Timestamp::MIN, |state| wakes(*rule, state)),
                };
                if ends >= at {
                    *keys += 1;
                    *events += held;
                }
            }
        }
        open
    }

    /// Keys in use.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no key holds anything.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The keys in use for a rule, sorted.
    pub fn keys(&self, member: Member) -> Vec<Box<[u8]>> {
        let used = (0..self.slots.len() as u32).filter(|at| self.holds(*at, member));
        let mut keys: Vec<Box<[u8]>> = used.map(|at| self.slots[at as usize].key().into()).collect();
        keys.sort();
        keys
    }

    /// What is held for a rule, in the order in which keys sort: stable for saving.
    pub fn sorted(&self, member: Member) -> Vec<Held> {
        let state = |slot: &Slot| slot.look(self.shared)?.state(member).map(Cow::into_owned);
        let mut held: Vec<Held> =
            self.slots.iter().filter_map(|slot| state(slot).map(|state| (slot.key().into(), state))).collect();
        held.sort_by(|a, b| a.0.cmp(&b.0));
        held
    }
}

#[cfg(test)]
mod tests;
