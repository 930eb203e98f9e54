//! Keys that are ready for their next event, and how they come from the host's state and go back to it.
//!
//! ```text
//!  blocks ─► feed ─► due ─► (host: what it keeps of the keys that are needed) ─► load ─► advance ─► alerts
//!                                                                 checkpoint, memory ─► put back ─► host
//! ```
//! To read a state from bytes and write it again costs more than to move it, so a task keeps the keys that it has seen
//! last as they are, up to a bound ([`Bounds`]). What the host keeps of such a key is old until it is put back: at a
//! checkpoint all that changed is, and when there are too many keys those that were not asked for since the hand went by
//! last; see [`super::Why`]. So what the host keeps has the same form as if there was nothing like
//! this, and a key is in one of two places: here, or with the host alone.
//!
//! Invariants: a key whose cell is not there yet has not been stepped, and the host keeps what came before; a clean key
//! and the host's are equal, its timer included; a key is due at most once for each advance.

use std::cell::Cell as Shared;
use std::collections::HashSet;
use std::sync::Arc;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::blocks::Entries;
use super::cell::Cell;
use super::event::{self, Standing};
use super::names::HostRules;
use super::step::{Cells, Output, Place, StepError, Until, key_text};
use super::waiting::{List, Waiting};
use crate::base::Timestamp;
use crate::plan::key::hash;
use crate::time::wheel::Wheel;

/// How much is kept ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Keys.
    pub keys: usize,
    /// Bytes of their states and of events that wait, about.
    pub bytes: usize,
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) key: SmallVec<[u8; 24]>,
    pub(super) hash: u64,
    /// What it holds; not there before it was loaded.
    pub(super) cell: Option<Cell>,
    /// Its events that wait.
    pub(super) events: List,
    /// When time alone does something to it; [`Timestamp::MAX`] for never.
    pub(super) next: Timestamp,
    /// Its earliest entry in the wheel that still counts; [`Timestamp::MAX`] for none.
    pub(super) queued: Timestamp,
    /// The host's timer for it, in milliseconds; `i64::MAX` if there is none, or none is known.
    pub(super) timer: i64,
    /// The host has a state of it.
    pub(super) stored: bool,
    /// The host has events of it that wait.
    pub(super) listed: bool,
    /// It differs from what the host has.
    pub(super) dirty: bool,
    /// Something came for it since the hand went by.
    pub(super) used: bool,
    /// It is among those that the next advance steps.
    pub(super) due: bool,
    /// It is among those that have got events since the last advance.
    pub(super) fresh: bool,
    /// It was stepped to the end of the input.
    pub(super) over: bool,
    /// Bytes of its states when they were weighed last, and what came since.
    pub(super) weight: usize,
    pub(super) weighed: usize,
}

/// The keys of one task that are ready.
#[derive(Debug)]
pub struct Live {
    pub(super) cells: Cells,
    pub(super) bounds: Bounds,
    pub(super) slots: Vec<Option<Key>>,
    free: Vec<u32>,
    pub(super) table: HashTable<u32>,
    wheel: Wheel<u32>,
    pub(super) waiting: Waiting,
    due: Vec<u32>,
    fresh: Vec<u32>,
    /// Keys that were not loaded when they came.
    unloaded: Vec<u32>,
    pub(super) dirty: Vec<u32>,
    pub(super) hand: usize,
    /// Bytes of the states of all.
    pub(super) weight: usize,
    /// Hashes of keys of which the host may keep something; `None` if that may be any.
    pub(super) with_host: Option<HashSet<u64, foldhash::fast::FixedState>>,
    places: Vec<u32>,
    sorted: Vec<(Standing, u32)>,
    /// Counts, for people.
    pub counts: Counts,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps.
    pub steps: u64,
    /// States that were dropped because their rule has gone or was changed.
    pub dropped: u64,
    /// Keys that were read from what the host keeps.
    pub loaded: u64,
    /// Keys that went back to make room.
    pub evicted: u64,
}

/// Keys that are looked at together before they are stepped.
const FEW: usize = 32;

fn limit(until: Until) -> Timestamp {
    match until {
        Until::Watermark(watermark) => watermark,
        Until::End(..) => Timestamp::MAX,
    }
}

impl Live {
    /// None yet. `anew`: the host keeps nothing of any key so far.
    pub fn new(host: Arc<HostRules>, bounds: Bounds, anew: bool) -> Self {
        Self {
            cells: Cells::new(host),
            bounds,
            slots: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            wheel: Wheel::default(),
            waiting: Waiting::default(),
            due: Vec::new(),
            fresh: Vec::new(),
            unloaded: Vec::new(),
            dirty: Vec::new(),
            hand: 0,
            weight: 0,
            with_host: anew.then(HashSet::default),
            places: Vec::new(),
            sorted: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Where the last step is or was.
    pub fn place(&self) -> &Place {
        self.cells.place()
    }

    /// How many keys are ready.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn key(&mut self, slot: u32) -> &mut Key {
        self.slots[slot as usize].as_mut().expect("a slot in use")
    }

    fn find(&self, key: &[u8], hash: u64) -> Option<u32> {
        let slots = &self.slots;
        let same = |slot: &u32| slots[*slot as usize].as_ref().is_some_and(|have| *have.key == *key);
        self.table.find(hash, same).copied()
    }

    /// The slot of a key, which is made if there is none.
    fn slot(&mut self, key: &[u8]) -> u32 {
        let hash = hash(key);
        if let Some(slot) = self.find(key, hash) {
            return slot;
        }
        let unknown = self.with_host.as_ref().is_none_or(|with_host| with_host.contains(&hash));
        let made = Key {
            key: SmallVec::from_slice(key),
            hash,
            cell: (!unknown).then(Cell::default),
            events: List::default(),
            next: Timestamp::MAX,
            queued: Timestamp::MAX,
            timer: i64::MAX,
            stored: false,
            listed: false,
            dirty: false,
            used: true,
            due: false,
            fresh: false,
            over: false,
            weight: size_of::<Key>() + key.len(),
            weighed: 0,
        };
        self.weight += made.weight;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(made);
                slot
            }
            None => {
                self.slots.push(Some(made));
                (self.slots.len() - 1) as u32
            }
        };
        if unknown {
            self.unloaded.push(slot);
        }
        let slots = &self.slots;
        self.table.insert_unique(hash, slot, |slot| slots[*slot as usize].as_ref().map_or(0, |key| key.hash));
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) {
        let Some(key) = self.slots[slot as usize].take() else { return };
        if let Ok(entry) = self.table.find_entry(key.hash, |at| *at == slot) {
            entry.remove();
        }
        self.weight -= key.weight;
        let mut events = key.events;
        self.waiting.forget(&mut events);
        self.free.push(slot);
    }

    fn touch(&mut self, slot: u32) {
        let key = self.key(slot);
        if !std::mem::replace(&mut key.dirty, true) {
            self.dirty.push(slot);
        }
    }

    /// Looks at a key again once time has passed `at`.
    fn queue(&mut self, slot: u32, at: Timestamp) {
        let key = self.key(slot);
        if at < key.queued {
            key.queued = at;
            self.wheel.insert(at, slot);
        }
    }

    /// Takes a block, as [`super::blocks::group`] makes it. Events before the watermark go to `late`.
    ///
    /// # Errors
    /// The block, or an event, is not in a form that this release reads.
    pub fn feed(&mut self, block: &[u8], watermark: Timestamp, mut late: impl FnMut(&[u8])) -> Result<(), StepError> {
        let brought = self.waiting.bring(block);
        let wrong = |error| StepError::Format { key: "of a block".to_owned(), error };
        for entry in Entries::of_block(block).map_err(wrong)? {
            let (key, event, at) = entry.map_err(wrong)?;
            let (ts, seq) = event::position(event).map_err(wrong)?;
            if ts < watermark {
                late(event);
                continue;
            }
            let slot = self.slot(key);
            let key = self.slots[slot as usize].as_mut().expect("it was just found or made");
            key.used = true;
            self.waiting.add(&mut key.events, ts, seq, brought, at, event.len());
            if !std::mem::replace(&mut key.fresh, true) {
                self.fresh.push(slot);
            }
            if !std::mem::replace(&mut key.dirty, true) {
                self.dirty.push(slot);
            }
        }
        Ok(())
    }

    /// Time has come to `until`, and timers of the host rang for these keys: says which keys the host must give with
    /// [`Live::load`] before [`Live::advance`].
    pub fn due<'k>(&mut self, until: Until, rung: impl Iterator<Item = &'k [u8]>, mut need: impl FnMut(&[u8])) {
        for key in rung {
            let slot = self.slot(key);
            let key = self.key(slot);
            key.timer = i64::MAX;
            self.touch(slot);
            self.make_due(slot);
        }
        let limit = limit(until);
        if limit == Timestamp::MAX {
            // Whatever is decided by the end of the input.
            for slot in 0..self.slots.len() {
                let held = |key: &Key| !key.over && (key.next < Timestamp::MAX || !key.events.is_empty());
                if self.slots[slot].as_ref().is_some_and(held) {
                    self.make_due(slot as u32);
                }
            }
        }
        let mut unloaded = std::mem::take(&mut self.unloaded);
        unloaded.retain(|slot| {
            let Some(key) = self.slots[*slot as usize].as_ref().filter(|key| key.cell.is_none()) else { return false };
            let is_due = key.due || self.waiting.first(&key.events) < limit;
            if is_due {
                need(&key.key);
                self.make_due(*slot);
            }
            !is_due
        });
        self.unloaded.append(&mut unloaded);
    }

    fn make_due(&mut self, slot: u32) {
        let key = self.key(slot);
        if !key.over && !std::mem::replace(&mut key.due, true) {
            self.due.push(slot);
        }
    }

    /// Takes what the host keeps of a key that was needed: its state, the time in milliseconds at which it has a timer
    /// for it, if any is known, and the events that wait. The host may leave them as they are.
    ///
    /// # Errors
    /// The state is not in a form that this release reads.
    pub fn load<'e>(
        &mut self,
        key: &[u8],
        state: &[u8],
        timer: i64,
        events: impl Iterator<Item = &'e [u8]>,
    ) -> Result<(), StepError> {
        let wrong = |host: &HostRules, error| StepError::Format { key: key_text(host, key), error };
        let host = Arc::clone(self.cells.host());
        let slot = self.slot(key);
        let held = self.slots[slot as usize].as_mut().expect("it was just found or made");
        if held.cell.is_some() {
            return Ok(());
        }
        let (cell, dropped) = Cell::read(&host, state).map_err(|error| wrong(&host, error))?;
        self.counts.dropped += dropped as u64;
        self.counts.loaded += 1;
        // It is weighed at its first step.
        held.weighed = 0;
        held.cell = Some(cell);
        held.stored = !state.is_empty();
        held.timer = held.timer.min(timer);
        for bytes in events {
            held.listed = true;
            let (ts, seq) = event::position(bytes).map_err(|error| wrong(&host, error))?;
            let brought = self.waiting.bring(bytes);
            self.waiting.add(&mut held.events, ts, seq, brought, 0, bytes.len());
        }
        self.make_due(slot);
        Ok(())
    }

    /// Steps the keys that are due, and gives what each step gave. `start` is where time began.
    ///
    /// # Errors
    /// An event is not in a form that this release reads.
    pub fn advance(
        &mut self,
        start: Timestamp,
        until: Until,
        mut give: impl FnMut(&mut Output),
    ) -> Result<(), StepError> {
        let limit = limit(until);
        let (mut out, mut few) = (Output::default(), Vec::with_capacity(FEW));
        let mut each = |live: &mut Self, few: &mut Vec<u32>| {
            live.warm(few);
            for slot in few.drain(..) {
                if live.is_due(slot, limit) {
                    live.step(slot, start, until, &mut out)?;
                    give(&mut out);
                    out.clear();
                }
            }
            Ok(())
        };
        let mut due = std::mem::take(&mut self.due);
        due.append(&mut self.fresh);
        for some in due.chunks(FEW) {
            few.extend_from_slice(some);
            each(self, &mut few)?;
        }
        due.clear();
        self.due = due;
        while let Some((at, slot)) = self.wheel.pop_before(limit) {
            // What it was put there for may be over, or later now.
            if let Some(key) = self.slots[slot as usize].as_mut().filter(|key| key.queued == at) {
                key.queued = Timestamp::MAX;
                few.push(slot);
            }
            if few.len() == FEW {
                each(self, &mut few)?;
            }
        }
        each(self, &mut few)?;
        Ok(())
    }

    /// Looks at some keys that are stepped next: they lie anywhere in memory, and together they come faster than one after
    /// the other.
    fn warm(&self, slots: &[u32]) {
        let held = |slot: &u32| {
            let key = self.slots[*slot as usize].as_ref()?;
            let entry = key.cell.as_ref().and_then(|cell| cell.entries.first());
            Some(entry.map_or(0, |entry| entry.state.run.len()) + self.waiting.peek(&key.events))
        };
        std::hint::black_box(slots.iter().filter_map(held).sum::<usize>());
    }

    /// Whether something happens to a key before `limit`; if not, it is looked at again then.
    fn is_due(&mut self, slot: u32, limit: Timestamp) -> bool {
        // One that has gone may have left its slot to another.
        let Some(key) = &mut self.slots[slot as usize] else { return false };
        key.fresh = false;
        let first = key.next.min(self.waiting.first(&key.events));
        if first >= limit && first < Timestamp::MAX {
            self.queue(slot, first);
        }
        let key = self.key(slot);
        key.due || !key.over && first < limit
    }

    fn step(&mut self, slot: u32, start: Timestamp, until: Until, out: &mut Output) -> Result<(), StepError> {
        let limit = limit(until);
        let key = self.slots[slot as usize].as_mut().expect("a due key is there");
        key.due = false;
        key.over = limit == Timestamp::MAX;
        let places = &mut self.places;
        places.clear();
        self.waiting.take_before(&mut key.events, limit, places);
        let (waiting, host) = (&self.waiting, self.cells.host());
        let wrong = |error| StepError::Format { key: key_text(host, &key.key), error };
        if places.iter().any(|at| waiting.seq(*at).is_alert()) {
            // Their place among others of their time stands in the event.
            let sorted = &mut self.sorted;
            sorted.clear();
            for at in places.iter() {
                sorted.push((event::standing(host, waiting.bytes(*at)).map_err(wrong)?, *at));
            }
            sorted.sort_unstable();
            places.clear();
            places.extend(sorted.drain(..).map(|(_, at)| at));
        } else if !places.is_sorted_by_key(|at| waiting.position(*at)) {
            places.sort_unstable_by_key(|at| waiting.position(*at));
        }
        let added = Shared::new(0);
        let cell = key.cell.as_mut().expect("a due key was loaded");
        let events = places.iter().map(|at| waiting.bytes(*at));
        let next = self.cells.run(&key.key, cell, start, until, events, &added, out)?;
        let is_over = cell.is_empty() && key.events.is_empty();
        let beside = size_of::<Key>() + key.key.len();
        let grown = key.weight - beside + added.get();
        let weight = if grown > 2 * key.weighed + 1024 {
            key.weighed = cell.heap();
            beside + key.weighed
        } else {
            beside + grown
        };
        self.weight = self.weight - key.weight + weight;
        key.weight = weight;
        key.next = next.unwrap_or(Timestamp::MAX);
        let first = key.next.min(self.waiting.first(&key.events));
        let is_kept = key.stored || key.listed || key.timer < i64::MAX;
        self.waiting.release(&self.places);
        self.counts.steps += 1;
        if is_over && !is_kept {
            self.remove(slot);
            return Ok(());
        }
        if limit < Timestamp::MAX {
            self.queue(slot, first);
        }
        self.touch(slot);
        Ok(())
    }
}
