//! The keys of one rule: a hash table of states that vanish when they are empty.

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::counter::Counter;
use super::latest_run::LatestRun;
use super::past::Past;
use super::pending::Pending;
use super::runs::Runs;
use crate::base::{Timestamp, Value};
use crate::plan::Rule;
use crate::plan::event::StoredEvent;
use crate::plan::ruleset::StrategyKind;

/// What one key holds, by strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunState {
    /// Nothing: the rule has one step, and only its past is kept.
    Stateless,
    /// A window.
    Counter(Box<Counter>),
    /// One partial match a state.
    LatestRun(Box<LatestRun>),
    /// A buffer.
    Runs(Box<Runs>),
    /// One pending match a step.
    Pending(Box<Pending>),
}

impl RunState {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Stateless => true,
            Self::Counter(s) => s.is_empty(),
            Self::LatestRun(s) => s.is_empty(),
            Self::Runs(s) => s.is_empty(),
            Self::Pending(s) => s.is_empty(),
        }
    }

    /// Partial matches and events held.
    pub fn len(&self) -> usize {
        match self {
            Self::Stateless => 0,
            Self::Counter(s) => s.len(),
            Self::LatestRun(s) => s.len(),
            Self::Runs(s) => s.len(),
            Self::Pending(s) => s.len(),
        }
    }
}

/// What a rule's state takes, estimated from the layout of its types: texts are taken to be 16 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of a key that holds something, without its events.
    pub key: usize,
    /// Bytes of each event it holds.
    pub event: usize,
}

impl Memory {
    /// The estimate for a rule.
    pub fn of(rule: &Rule) -> Self {
        const TEXT: usize = 16;
        let state = match rule.strategy {
            StrategyKind::Stateless => 0,
            StrategyKind::Counter => size_of::<Counter>(),
            StrategyKind::LatestRun => size_of::<LatestRun>(),
            StrategyKind::Runs => size_of::<Runs>(),
            StrategyKind::Pending => size_of::<Pending>(),
        };
        let past = if rule.hints.needs_past { size_of::<Past>() } else { 0 };
        // The hash table holds an index and a control byte a key, and is at most seven eighths full.
        let index = 8 * (size_of::<u32>() + 1) / 7;
        let key = size_of::<Option<Slot>>() + index + rule.components.len() * TEXT + state + past;
        let fields = rule.kept.len() * (size_of::<Value>() + TEXT) + rule.stats.len() * size_of::<Value>();
        let shared = 2 * size_of::<usize>() + size_of::<usize>();
        Self { key, event: shared + size_of::<StoredEvent>() + fields }
    }
}

/// A key with its state.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Encoded key.
    pub key: Box<[u8]>,
    /// Its hash.
    pub hash: u64,
    /// Tells timers of an earlier tenant of this slot apart.
    pub generation: u32,
    /// When its timer will ring; [`Timestamp::MAX`] if none is set.
    pub armed: Timestamp,
    /// Partial matches.
    pub run: RunState,
    /// Statistics and what guards look back at.
    pub past: Option<Box<Past>>,
}

/// All keys of one rule in one shard.
#[derive(Debug, Default)]
pub struct KeyTable {
    index: HashTable<u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    generation: u32,
}

impl KeyTable {
    /// The slot of a key.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<u32> {
        self.index
            .find(hash, |at| self.slots[*at as usize].as_ref().is_some_and(|s| s.hash == hash && *s.key == *key))
            .copied()
    }

    /// The slot of a key, made if there is none.
    #[inline]
    pub fn find_or_insert(&mut self, key: &[u8], hash: u64, run: impl FnOnce() -> RunState) -> u32 {
        if let Some(at) = self.find(key, hash) {
            return at;
        }
        self.generation = self.generation.wrapping_add(1);
        let slot =
            Slot { key: key.into(), hash, generation: self.generation, armed: Timestamp::MAX, run: run(), past: None };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = Some(slot);
                at
            }
            None => {
                self.slots.push(Some(slot));
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |at| slots[*at as usize].as_ref().map_or(0, |s| s.hash));
        at
    }

    /// A slot that is in use.
    #[inline]
    pub fn get_mut(&mut self, at: u32) -> Option<&mut Slot> {
        self.slots.get_mut(at as usize)?.as_mut()
    }

    /// Frees a slot.
    pub fn remove(&mut self, at: u32) {
        if let Some(slot) = self.slots.get_mut(at as usize).and_then(Option::take) {
            if let Ok(entry) = self.index.find_entry(slot.hash, |other| *other == at) {
                entry.remove();
            }
            self.free.push(at);
        }
    }

    /// Keys that hold something.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no key holds anything.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The slots in use, in the order in which their keys sort: stable for saving.
    pub fn sorted(&self) -> Vec<&Slot> {
        let mut slots: Vec<&Slot> = self.slots.iter().flatten().collect();
        slots.sort_by(|a, b| a.key.cmp(&b.key));
        slots
    }

    /// The slots in use.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().flatten()
    }
}
