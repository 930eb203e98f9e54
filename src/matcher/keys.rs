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

use hashbrown::HashTable;

use super::changed::Changed;
use super::chunks::Chunks;
use super::groups::{Group, Member};
use super::key::KeyState;
use super::ledger::{Entry, Ledger, Worth};
pub use super::live::Live;
use super::packed::{self, pack, unpack};
use super::saved::{Change, Changes, write_state};
use super::slot::{Body, Slot, enter, list};
use super::state::RunState;
use crate::base::{RuleId, Timestamp};
use crate::plan::event::Seq;
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
    /// The hash and slot that were found last: the next rule that shares the table mostly asks for the same, and a rule
    /// without a key always does.
    last: Cell<(u64, u32)>,
    /// The event that came last.
    asked: Seq,
    /// Bytes of the states that are being packed.
    scratch: [Vec<u8>; 3],
    /// What has changed since the last checkpoint, if there are any.
    changed: Option<Box<Changed>>,
}

/// A key and its state as they are saved.
pub type Held = (Box<[u8]>, KeyState);

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
            last: Cell::new((0, u32::MAX)),
            asked: Seq::default(),
            scratch: Default::default(),
            changed: None,
        }
    }

    /// The rules whose states it holds.
    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    /// The slot of a key.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<u32> {
        let (last_hash, last) = self.last.get();
        let hash = if key.is_empty() { 0 } else { hash };
        let look = || self.index.find(hash, |at| self.slots[*at as usize].key() == key).copied();
        if !self.shared && !key.is_empty() {
            return look();
        }
        if last_hash == hash && self.slots.get(last as usize).is_some_and(|slot| slot.has_key(key)) {
            return Some(last);
        }
        look().inspect(|at| self.last.set((hash, *at)))
    }

    /// The slot of a key, made if there is none. `hash` is the [`key::seeded_hash`] of the key.
    #[inline]
    pub fn find_or_insert(&mut self, key: &[u8], hash: u64) -> u32 {
        if let Some(at) = self.find(key, hash) {
            return at;
        }
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
        self.last.set((hash, at));
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
                if let Some(changed) = &mut self.changed {
                    changed.touch(at, member);
                }
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
            *armed = if *armed == Timestamp::MAX { next } else { next.max(*armed) };
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

    /// As [`KeyTable::settle`], for a joint window: the state of the rule that has changed ends at `end`.
    #[inline]
    pub(super) fn settle_joint(&mut self, (table, at): (u32, u32), added: usize, end: Timestamp, ledger: &mut Ledger) {
        let Some(Slot { body: Body::Live(live), armed }) = self.slots.get_mut(at as usize) else { return };
        *armed = if *armed == Timestamp::MAX { end } else { end.max(*armed) };
        list(live, (table, at), ledger);
        if ledger.is_capped() {
            let weighed = live.weigh_joint(added);
            enter(live, weighed, ledger);
        }
    }

    /// Whether this is the first question for an event: others of the same rule set may share the table.
    #[inline]
    pub(super) fn is_new(&mut self, event: Seq) -> bool {
        std::mem::replace(&mut self.asked, event) != event
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

    /// Whether a slot is armed for just this time.
    pub(super) fn is_armed_for(&self, at: u32, time: Timestamp) -> bool {
        self.slots.get(at as usize).is_some_and(|slot| slot.armed == time)
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

    /// Time of the oldest event that a slot holds, or something near it: what an event for it looks at first.
    #[inline]
    pub fn oldest(&self, at: u32) -> i64 {
        match self.slots.get(at as usize).map(|slot| &slot.body) {
            Some(Body::Live(live)) => match live.joint() {
                Some(joint) => joint.oldest(),
                None => live.states().first().map_or(0, |held| held.state.run.oldest()),
            },
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
                if live.state(member).is_some_and(|state| wakes(*rule, &state) >= at) {
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
mod tests {
    use super::*;
    use crate::base::{Account, Budget};
    use crate::matcher::counter::Counter;
    use crate::plan::event::{Seq, StoredEvent};

    fn key(n: u32) -> Vec<u8> {
        format!("key {n}").into_bytes()
    }

    fn ledger() -> Ledger {
        Ledger::new(Account::new(&Budget::new(Some(1 << 30)), 1))
    }

    const ONLY: Member = Member(0);

    /// A window with an event.
    fn held() -> KeyState {
        let event = StoredEvent {
            ts: Timestamp(7),
            seq: Seq::default(),
            arrival: Timestamp(0),
            fields: Box::default(),
            raw: None,
            origins: Box::default(),
        };
        KeyState { run: RunState::Counter(Counter::of([event])), past: None }
    }

    fn alone() -> KeyTable {
        KeyTable::new(0, Group::single(RuleId(0)))
    }

    fn begin(table: &mut KeyTable, key: &[u8], member: Member, ledger: &mut Ledger) -> u32 {
        let at = table.find_or_insert(key, key::hash(key));
        let live = table.live(at, member, |_| {}).expect("it is in use");
        live.put(member, held());
        table.settle((0, at, member), 0, false, |_| None, ledger);
        at
    }

    fn table_of(keys: u32, ledger: &mut Ledger) -> KeyTable {
        let mut table = alone();
        for n in 0..keys {
            let at = begin(&mut table, &key(n), ONLY, ledger);
            *table.armed(at).expect("just made") = Timestamp(i64::from(n));
        }
        table
    }

    /// Packs every second one; the first time that it is asked for, something has just come for it.
    fn pack_half(table: &mut KeyTable, ledger: &mut Ledger) {
        for at in (0..table.slots.len() as u32).step_by(2) {
            assert!(!table.pack(at, ledger) && table.pack(at, ledger));
        }
    }

    fn in_slots(table: &KeyTable) -> usize {
        table.slots.iter().filter(|slot| !slot.is_free()).map(|slot| slot.entry().bytes).sum()
    }

    #[test]
    fn packed_keys_come_back_as_they_were() {
        let mut ledger = ledger();
        let mut table = table_of(1000, &mut ledger);
        let live = ledger.slots();
        pack_half(&mut table, &mut ledger);
        assert!(ledger.slots() < live * 2 / 3, "{} of {live}", ledger.slots());
        assert_eq!((table.len(), table.keys(ONLY).len(), table.sorted(ONLY).len()), (1000, 1000, 1000));
        for n in 0..1000 {
            let at = table.find(&key(n), key::hash(&key(n))).expect("it was put in");
            assert_eq!(table.armed(at).copied(), Some(Timestamp(i64::from(n))));
            let live = table.live(at, ONLY, |_| {}).expect("it is in use");
            assert_eq!(live.key.as_slice(), key(n));
            assert!(live.get(ONLY).is_some_and(|state| matches!(state.run, RunState::Counter(_))));
            table.settle((0, at, ONLY), 0, true, |_| None, &mut ledger);
        }
        assert_eq!(ledger.slots(), live);
    }

    #[test]
    fn freed_slots_are_used_again() {
        let mut ledger = ledger();
        let mut table = table_of(100, &mut ledger);
        pack_half(&mut table, &mut ledger);
        for n in (0..100).step_by(3) {
            let at = table.find(&key(n), key::hash(&key(n))).expect("it was put in");
            table.remove(at, &mut ledger);
            table.remove(at, &mut ledger);
            assert_eq!(table.armed(at), None);
            assert!(table.live(at, ONLY, |_| {}).is_none());
        }
        assert_eq!((table.len(), table.slots.len()), (66, 100));
        assert_eq!(ledger.slots(), in_slots(&table));
        for n in 100..134 {
            begin(&mut table, &key(n), ONLY, &mut ledger);
        }
        assert_eq!((table.len(), table.slots.len()), (100, 100));
        assert!(table.find(&key(3), key::hash(&key(3))).is_none());
        assert!(table.find(&key(133), key::hash(&key(133))).is_some());
        assert_eq!(ledger.slots(), in_slots(&table));
        for at in 0..100 {
            table.remove(at, &mut ledger);
        }
        assert_eq!((table.len(), ledger.slots()), (0, 0));
    }

    #[test]
    fn a_rule_without_a_key_has_one_state() {
        let mut table = alone();
        let at = table.find_or_insert(&[], 77);
        assert_eq!(table.find(&[], 78), Some(at));
        table.remove(at, &mut ledger());
        assert!(table.is_empty());
    }

    #[test]
    fn rules_that_share_a_key_come_and_go_by_themselves() {
        let mut ledger = ledger();
        let mut table = KeyTable::new(0, Group::ending((0..3).map(RuleId)));
        table.track();
        let members = [Member(2), Member(0)];
        let at = members.map(|member| begin(&mut table, b"user", member, &mut ledger))[0];
        let changes = |table: &mut KeyTable| {
            let mut changes = Changes::default();
            table.take_changed(&mut changes);
            let chunks =
                changes.chunks.iter().flat_map(|chunk| crate::matcher::saved::read_chunk(chunk).expect("read"));
            chunks.map(|change| (change.rule, change.state.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(changes(&mut table), [(2, true), (0, true)]);
        assert!(!table.pack(at, &mut ledger) && table.pack(at, &mut ledger));
        assert!([true, false, true] == [0, 1, 2].map(|member| table.holds(at, Member(member))));
        assert_eq!(table.held(at).iter().map(|(rule, _)| rule.0).collect::<Vec<_>>(), [0, 2]);
        assert_eq!((table.keys(Member(1)).len(), table.sorted(Member(2)).len()), (0, 1));
        assert!(table.at_rest(Member(0)).is_some() && table.at_rest(Member(1)).is_none());
        let ends = |table: &mut KeyTable, member: Member, ledger: &mut Ledger| {
            table.live(at, member, |_| {}).expect("it is in use").put(member, KeyState::default());
            table.settle((0, at, member), 0, false, |_| None, ledger);
        };
        ends(&mut table, Member(0), &mut ledger);
        assert_eq!(changes(&mut table), [(0, false)]);
        assert_eq!((table.len(), ledger.slots()), (1, in_slots(&table)));
        ends(&mut table, Member(2), &mut ledger);
        assert_eq!(changes(&mut table), [(2, false)]);
        assert_eq!((table.len(), ledger.slots()), (0, 0));
    }
}
