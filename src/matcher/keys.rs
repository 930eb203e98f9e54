//! The keys of one rule: a hash table of states that vanish when they are empty.
//!
//! ```text
//! index: hash ─► slot ─► live    key, partial matches, past      the keys that events come for
//!                    └─► packed  [held │ key │ state] as bytes   all others, if their state is small
//! ```
//! A table with many keys holds most of them for long without an event. Those are packed: the same bytes that a state
//! file has, a few dozen in one allocation, against some hundred in several. An event or a deadline for a packed key
//! unpacks it. Which keys are packed, and which go when memory is short, is decided over all rules of a shard, by what
//! the ledger says.
//! Packing is invisible: a key that was packed gives the same matches as one that was not.

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::changed::Changed;
use super::chunks::Chunks;
use super::key::KeyState;
use super::ledger::{Entry, Ledger, Weight, Worth};
use super::past::Past;
use super::saved::{Change, Changes, write_state};
use super::state::RunState;
use crate::base::Timestamp;
use crate::base::budget::block;
use crate::plan::key;

/// Partial matches and events up to which a state is packed; one with more would cost too much to unpack.
const SMALL: usize = 4;

/// Zeros at the end of a packed state that are left out at most: a state with one event ends with as many things that it
/// has not.
const ZEROS: usize = 16;

/// A key with its state, ready for events.
#[derive(Clone, Debug)]
pub struct Live {
    /// Encoded key.
    pub key: SmallVec<[u8; 24]>,
    /// What it holds.
    pub state: KeyState,
    /// Something came for it since it was last looked at for packing.
    used: bool,
    /// It is among the ledger's live keys.
    listed: bool,
    weight: Weight,
    worth: Worth,
}

impl Live {
    fn new(key: SmallVec<[u8; 24]>, state: KeyState, entry: Entry) -> Self {
        let weight = Weight::unknown(entry.bytes);
        Self { key, state, used: true, listed: false, weight, worth: entry.worth }
    }

    fn bytes(&self) -> usize {
        let key = if self.key.spilled() { block(self.key.capacity()) } else { 0 };
        let past = self.state.past.as_ref().map_or(0, |past| block(size_of::<Past>()) + past.heap());
        block(size_of::<Self>()) + key + self.state.run.heap() + past
    }

    fn entry(&self) -> Entry {
        Entry { bytes: self.weight.bytes(), worth: self.worth }
    }
}

/// What a slot holds.
#[derive(Clone, Debug)]
enum Body {
    /// Its worth, how much it holds, the length of the key, the key, its [`RunState`] without the zeros at its end;
    /// nothing at all in a free slot.
    Packed(Box<[u8]>),
    Live(Box<Live>),
}

/// The place of a key.
#[derive(Clone, Debug)]
pub struct Slot {
    body: Body,
    /// When something is next to happen to it by itself; [`Timestamp::MAX`] if nothing is.
    pub armed: Timestamp,
}

/// Small on purpose: a rule may have ten million keys.
const _: () = assert!(size_of::<Slot>() <= 24);

/// All keys of one rule in one shard.
#[derive(Debug)]
pub struct KeyTable {
    seed: u64,
    index: HashTable<u32>,
    slots: Chunks<Slot>,
    free: Vec<u32>,
    /// Where the search for slots that are over goes on.
    swept: usize,
    /// Bytes of the state that is being packed.
    scratch: Vec<u8>,
    /// What has changed since the last checkpoint, if there are any.
    changed: Option<Box<Changed>>,
}

/// A key and its state as they are saved.
pub type Held = (Box<[u8]>, KeyState);

/// The hash by which a key is found. A rule without a key has one, which is not spread over shards by its bytes.
fn hash_of(key: &[u8], seed: u64) -> u64 {
    if key.is_empty() { 0 } else { key::seeded_hash(key, seed) }
}

fn pack(live: &Live, scratch: &mut Vec<u8>) -> Box<[u8]> {
    let mut bytes = std::mem::take(scratch);
    bytes.clear();
    bytes.push(live.worth.to_byte());
    bytes.push(u8::try_from(live.state.run.len()).unwrap_or(u8::MAX));
    bytes = postcard::to_extend(&(live.key.len() as u32), bytes).expect("memory takes any bytes");
    bytes.extend_from_slice(&live.key);
    let state = bytes.len();
    *scratch = postcard::to_extend(&live.state.run, bytes).expect("memory takes any bytes");
    let zeros = scratch[state..].iter().rev().take(ZEROS).take_while(|byte| **byte == 0).count();
    scratch.truncate(scratch.len() - zeros);
    // Copied, so that the block is no larger than what it holds.
    scratch.as_slice().into()
}

/// The parts of packed bytes: the worth and how much is held, the key, the state.
fn parts(packed: &[u8]) -> Option<([u8; 2], &[u8], &[u8])> {
    let (head, rest) = packed.split_first_chunk::<2>()?;
    let (length, rest) = postcard::take_from_bytes::<u32>(rest).ok()?;
    let (key, run) = rest.split_at_checked(length as usize)?;
    Some((*head, key, run))
}

fn unpack(packed: &[u8]) -> Option<Live> {
    let (_, key, run) = parts(packed)?;
    let mut bytes: SmallVec<[u8; 256]> = run.into();
    bytes.extend_from_slice(&[0; ZEROS]);
    let run = postcard::from_bytes(&bytes).expect("these bytes were packed here");
    Some(Live::new(key.into(), KeyState { run, past: None }, packed_entry(packed)))
}

/// What packed bytes are in the ledger with.
fn packed_entry(packed: &[u8]) -> Entry {
    Entry { bytes: block(packed.len()), worth: Worth::from_byte(packed.first().copied().unwrap_or(0)) }
}

impl Slot {
    fn entry(&self) -> Entry {
        match &self.body {
            Body::Packed(bytes) => packed_entry(bytes),
            Body::Live(live) => live.entry(),
        }
    }

    fn is_free(&self) -> bool {
        matches!(&self.body, Body::Packed(bytes) if bytes.is_empty())
    }

    fn key(&self) -> &[u8] {
        match &self.body {
            Body::Packed(bytes) => parts(bytes).map_or(&[], |(_, key, _)| key),
            Body::Live(live) => &live.key,
        }
    }

    fn held(&self) -> usize {
        match &self.body {
            Body::Packed(bytes) => bytes.get(1).map_or(0, |held| usize::from(*held)),
            Body::Live(live) => live.state.run.len(),
        }
    }
}

impl KeyTable {
    /// A table without keys; `seed` is that of [`crate::plan::Ruleset::hash_key`].
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            index: HashTable::new(),
            slots: Chunks::new(),
            free: Vec::new(),
            swept: 0,
            scratch: Vec::new(),
            changed: None,
        }
    }

    /// The slot of a key.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<u32> {
        let hash = if key.is_empty() { 0 } else { hash };
        self.index.find(hash, |at| self.slots[*at as usize].key() == key).copied()
    }

    /// The slot of a key, made if there is none. `hash` is the [`key::seeded_hash`] of the key.
    #[inline]
    pub fn find_or_insert(&mut self, key: &[u8], hash: u64, state: impl FnOnce() -> KeyState) -> u32 {
        if let Some(at) = self.find(key, hash) {
            return at;
        }
        let live = Box::new(Live::new(key.into(), state(), Entry::default()));
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
        if let Some(changed) = &mut self.changed {
            changed.touch(at);
        }
        let (slots, seed) = (&self.slots, self.seed);
        let hash = if key.is_empty() { 0 } else { hash };
        self.index.insert_unique(hash, at, |at| hash_of(slots[*at as usize].key(), seed));
        at
    }

    /// The next slot for which something was to happen before `time`, within `looks`, which it counts down. The search
    /// goes round and round; `None` if it found none.
    #[inline]
    pub fn overdue(&mut self, time: Timestamp, looks: &mut usize) -> Option<u32> {
        while *looks > 0 && !self.slots.is_empty() {
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

    /// The state of a slot that is in use. `ready` makes one that was packed fit for events again.
    #[inline]
    pub fn live(&mut self, at: u32, ready: impl FnOnce(&mut RunState)) -> Option<&mut Live> {
        let slot = self.slots.get_mut(at as usize)?;
        if let Body::Packed(bytes) = &slot.body {
            let mut live = unpack(bytes)?;
            ready(&mut live.state.run);
            slot.body = Body::Live(Box::new(live));
        }
        match &mut slot.body {
            Body::Live(live) => {
                live.used = true;
                if let Some(changed) = &mut self.changed {
                    changed.touch(at);
                }
                Some(live)
            }
            Body::Packed(_) => None,
        }
    }

    /// Frees a slot.
    pub(super) fn remove(&mut self, at: u32, ledger: &mut Ledger) {
        let Some(slot) = self.slots.get_mut(at as usize).filter(|slot| !slot.is_free()) else { return };
        ledger.change(slot.entry(), Entry::default());
        let hash = hash_of(slot.key(), self.seed);
        if let Some(changed) = &mut self.changed {
            changed.remove(at, slot.key());
        }
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == at) {
            entry.remove();
        }
        *slot = Slot { body: Body::Packed(Box::default()), armed: Timestamp::MAX };
        self.free.push(at);
    }

    /// A live slot of `rule` has changed, and `added` bytes may have come to it: it is among the live keys, and in the
    /// ledger with what it takes now.
    #[inline]
    pub(super) fn weigh(&mut self, rule: u32, at: u32, added: usize, ledger: &mut Ledger) {
        let Some(Slot { body: Body::Live(live), .. }) = self.slots.get_mut(at as usize) else { return };
        if !live.listed {
            live.listed = true;
            ledger.live.push_back((rule, at));
        }
        if !ledger.is_capped() {
            return;
        }
        let was = live.entry();
        let mut weight = live.weight;
        weight.update(added, live.state.run.len(), || live.bytes());
        let is = ledger.entry(weight.bytes(), Worth::of(&live.state.run, live.state.past.is_some()));
        (live.weight, live.worth) = (weight, is.worth);
        ledger.change(was, is);
    }

    /// Packs a live slot, unless something has come for it since this was asked last, or it holds too much. `false` if
    /// it stays live.
    pub(super) fn pack(&mut self, at: u32, ledger: &mut Ledger) -> bool {
        let Some(Slot { body: Body::Live(live), .. }) = self.slots.get_mut(at as usize) else { return true };
        if std::mem::take(&mut live.used) || live.state.past.is_some() || live.state.run.len() > SMALL {
            return false;
        }
        let was = live.entry();
        let packed = pack(live, &mut self.scratch);
        ledger.change(was, packed_entry(&packed));
        self.slots[at as usize].body = Body::Packed(packed);
        true
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
        self.index.allocation_size() + self.slots.bytes() + free + self.scratch.capacity() + changed
    }

    /// From now on remembers which keys change; those that are there have.
    pub fn track(&mut self) {
        let mut changed = Box::<Changed>::default();
        (0..self.slots.len() as u32).for_each(|at| changed.touch(at));
        self.changed = Some(changed);
    }

    /// Adds what has changed since the last call.
    pub fn take_changed(&mut self, rule: u32, out: &mut Changes) {
        let Some(mut changed) = self.changed.take() else { return };
        let (gone, touched) = changed.take();
        // A key that is gone may be there again in another slot: so these come first.
        for key in gone {
            out.push(Change { rule, key: &key, state: None });
        }
        for at in touched {
            let slot = &self.slots[at as usize];
            if slot.is_free() {
                continue;
            }
            changed.save(at);
            let mut state = std::mem::take(&mut self.scratch);
            state.clear();
            state = match &slot.body {
                Body::Live(live) => write_state(&live.state.run, live.state.past.as_deref(), state),
                // What is packed has no past, and need not be in the form that is saved.
                Body::Packed(packed) => match unpack(packed) {
                    Some(live) => write_state(&live.state.run, None, state),
                    None => continue,
                },
            };
            out.push(Change { rule, key: slot.key(), state: Some(&state) });
            self.scratch = state;
        }
        self.changed = Some(changed);
    }

    /// Time of the oldest event that a slot holds, or something near it: what an event for it looks at first.
    #[inline]
    pub fn oldest(&self, at: u32) -> i64 {
        match self.slots.get(at as usize).map(|slot| &slot.body) {
            Some(Body::Live(live)) => live.state.run.oldest(),
            Some(Body::Packed(bytes)) => bytes.first().map_or(0, |worth| i64::from(*worth)),
            None => 0,
        }
    }

    /// Partial matches and events that a slot holds.
    #[inline]
    pub fn held(&self, at: u32) -> usize {
        self.slots.get(at as usize).map_or(0, Slot::held)
    }

    /// Bytes of a packed key, if one is: its slot, its entry in the index and what is packed.
    pub fn at_rest(&self) -> Option<usize> {
        let packed = self.slots.iter().find_map(|slot| match &slot.body {
            Body::Packed(bytes) if !bytes.is_empty() => Some(bytes.len()),
            _ => None,
        })?;
        // The index holds a number and a control byte a key, and is at most seven eighths full.
        Some(packed + size_of::<Slot>() + 8 * (size_of::<u32>() + 1) / 7)
    }

    /// Keys that hold something at a time, and the partial matches and events that they hold.
    pub fn open(&self, at: Timestamp) -> (usize, usize) {
        let open = self.slots.iter().filter(|slot| !slot.is_free() && slot.armed >= at);
        open.fold((0, 0), |(keys, held), slot| (keys + 1, held + slot.held()))
    }

    /// Keys in use.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no key holds anything.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The keys in use, sorted.
    pub fn keys(&self) -> Vec<Box<[u8]>> {
        let used = self.slots.iter().filter(|slot| !slot.is_free());
        let mut keys: Vec<Box<[u8]>> = used.map(|slot| slot.key().into()).collect();
        keys.sort();
        keys
    }

    /// What is held, in the order in which keys sort: stable for saving.
    pub fn sorted(&self) -> Vec<Held> {
        let used = self.slots.iter().filter(|slot| !slot.is_free());
        let mut held: Vec<Held> = used
            .filter_map(|slot| match &slot.body {
                Body::Live(live) => Some((live.key.as_slice().into(), live.state.clone())),
                Body::Packed(bytes) => unpack(bytes).map(|live| (live.key.as_slice().into(), live.state)),
            })
            .collect();
        held.sort_by(|a, b| a.0.cmp(&b.0));
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Account, Budget};
    use crate::plan::ruleset::StrategyKind;

    fn key(n: u32) -> Vec<u8> {
        format!("key {n}").into_bytes()
    }

    fn ledger() -> Ledger {
        Ledger::new(Account::new(&Budget::new(Some(1 << 30)), 1))
    }

    fn table_of(keys: u32, ledger: &mut Ledger) -> KeyTable {
        let mut table = KeyTable::new(0);
        for n in 0..keys {
            let at = table.find_or_insert(&key(n), key::hash(&key(n)), || KeyState::new(StrategyKind::LatestRun));
            *table.armed(at).expect("just made") = Timestamp(i64::from(n));
            table.weigh(0, at, 0, ledger);
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
        assert_eq!((table.len(), table.keys().len(), table.sorted().len()), (1000, 1000, 1000));
        for n in 0..1000 {
            let at = table.find(&key(n), key::hash(&key(n))).expect("it was put in");
            assert_eq!(table.armed(at).copied(), Some(Timestamp(i64::from(n))));
            let live = table.live(at, |_| {}).expect("it is in use");
            assert_eq!(live.key.as_slice(), key(n));
            assert!(matches!(live.state.run, RunState::LatestRun(_)));
            table.weigh(0, at, 0, &mut ledger);
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
            assert!(table.live(at, |_| {}).is_none());
        }
        assert_eq!((table.len(), table.slots.len()), (66, 100));
        assert_eq!(ledger.slots(), in_slots(&table));
        for n in 100..134 {
            let at = table.find_or_insert(&key(n), key::hash(&key(n)), KeyState::default);
            table.weigh(0, at, 0, &mut ledger);
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
        let mut table = KeyTable::new(0);
        let at = table.find_or_insert(&[], 77, KeyState::default);
        assert_eq!(table.find(&[], 78), Some(at));
        table.remove(at, &mut ledger());
        assert!(table.is_empty());
    }
}
