//! A hierarchical timer wheel in event time that gives entries back in exact order of their times.
//!
//! ```text
//! level 2 │ · · ■ ·   64 slots of 64² ticks
//! level 1 │ · ■ · ·   64 slots of 64 ticks      an entry sits at the level of the highest
//! level 0 │ ■ · · ·   64 slots of 1 tick        digit in which it differs from the cursor
//! due     │ heap of entries at or before the cursor, by exact time
//! ```
//! A tick is 2²⁰ ns (about a millisecond). Insertion is O(1); an entry moves down at most once a level.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::Timestamp;

const TICK_BITS: u32 = 20;
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// 8 levels of 6 bits hold every tick of 44 bits.
const LEVELS: usize = 8;

/// An entry: when, and what. Equal times come out in the order of what.
type Entry<T> = (Timestamp, T);

/// The wheel.
#[derive(Debug)]
pub struct Wheel<T> {
    levels: Vec<Vec<Vec<Entry<T>>>>,
    occupied: [u64; LEVELS],
    cursor: u64,
    due: BinaryHeap<Reverse<Entry<T>>>,
    len: usize,
    /// No entry is earlier than this.
    floor: Timestamp,
}

impl<T: Ord + Copy> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            levels: (0..LEVELS).map(|_| (0..SLOTS).map(|_| Vec::new()).collect()).collect(),
            occupied: [0; LEVELS],
            cursor: 0,
            due: BinaryHeap::new(),
            len: 0,
            floor: Timestamp::MAX,
        }
    }
}

/// Ticks count from the smallest timestamp, so that they are never negative.
fn tick(time: Timestamp) -> u64 {
    ((time.0 as u64) ^ (1 << 63)) >> TICK_BITS
}

fn start_of(tick: u64) -> Timestamp {
    Timestamp(((tick << TICK_BITS) ^ (1 << 63)) as i64)
}

impl<T: Ord + Copy> Wheel<T> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry.
    pub fn insert(&mut self, time: Timestamp, what: T) {
        self.len += 1;
        self.floor = self.floor.min(time);
        self.place(time, what);
    }

    fn place(&mut self, time: Timestamp, what: T) {
        let at = tick(time);
        if at <= self.cursor {
            self.due.push(Reverse((time, what)));
            return;
        }
        let level = ((63 - (at ^ self.cursor).leading_zeros()) / LEVEL_BITS) as usize;
        let slot = (at >> (LEVEL_BITS * level as u32)) as usize & (SLOTS - 1);
        self.levels[level][slot].push((time, what));
        self.occupied[level] |= 1 << slot;
    }

    /// Forgets the entries for which `keep` does not hold.
    pub fn retain(&mut self, keep: impl Fn(Timestamp, T) -> bool) {
        self.due.retain(|Reverse((time, what))| keep(*time, *what));
        let mut len = self.due.len();
        for (level, occupied) in self.levels.iter_mut().zip(&mut self.occupied) {
            for (at, slot) in level.iter_mut().enumerate() {
                slot.retain(|(time, what)| keep(*time, *what));
                slot.shrink_to(slot.len() * 2);
                len += slot.len();
                if slot.is_empty() {
                    *occupied &= !(1 << at);
                }
            }
        }
        self.len = len;
    }

    /// Bytes that it takes, about: vectors are three quarters full.
    pub fn bytes(&self) -> usize {
        self.len * size_of::<Entry<T>>() * 4 / 3
    }

    /// The earliest entry before `limit`, removed.
    #[inline]
    pub fn pop_before(&mut self, limit: Timestamp) -> Option<Entry<T>> {
        if self.floor >= limit {
            return None;
        }
        self.pop_slow(limit)
    }

    fn pop_slow(&mut self, limit: Timestamp) -> Option<Entry<T>> {
        loop {
            if let Some(Reverse((time, what))) = self.due.peek().copied() {
                if time >= limit {
                    self.floor = time;
                    return None;
                }
                self.due.pop();
                self.len -= 1;
                self.floor = time;
                return Some((time, what));
            }
            if !self.turn(limit) {
                return None;
            }
        }
    }

    /// Moves the cursor to the next occupied slot if that may hold entries before `limit`.
    fn turn(&mut self, limit: Timestamp) -> bool {
        for level in 0..LEVELS {
            let shift = LEVEL_BITS * level as u32;
            let here = (self.cursor >> shift) as usize & (SLOTS - 1);
            // Slots at or before the cursor's own digit are empty at every level: their ticks have passed.
            let ahead = if here + 1 == SLOTS { 0 } else { self.occupied[level] & (u64::MAX << (here + 1)) };
            if ahead == 0 {
                continue;
            }
            let slot = ahead.trailing_zeros() as usize;
            let above = self.cursor >> (shift + LEVEL_BITS) << (shift + LEVEL_BITS);
            let start = above | (slot as u64) << shift;
            if start_of(start) >= limit {
                self.floor = start_of(start);
                return false;
            }
            self.cursor = start;
            self.occupied[level] &= !(1 << slot);
            let entries = std::mem::take(&mut self.levels[level][slot]);
            for (time, what) in entries {
                self.place(time, what);
            }
            return true;
        }
        self.floor = Timestamp::MAX;
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gives_what_a_sorted_list_gives(
            steps in prop::collection::vec((prop_oneof![0_i64..5_000_000_000, 0_i64..5_000_000_000_000_000, any::<i64>()], 0_u32..4, any::<bool>()), 0..200)
        ) {
            let mut wheel = Wheel::default();
            let mut list: Vec<(Timestamp, u32)> = Vec::new();
            for (time, what, pop) in steps {
                let time = Timestamp(time.min(i64::MAX - 1));
                if pop {
                    list.sort();
                    let split = list.partition_point(|e| e.0 < time);
                    let rest = list.split_off(split);
                    for want in std::mem::replace(&mut list, rest) {
                        prop_assert_eq!(wheel.pop_before(time), Some(want));
                    }
                    prop_assert_eq!(wheel.pop_before(time), None);
                } else {
                    wheel.insert(time, what);
                    list.push((time, what));
                }
                prop_assert_eq!(wheel.len(), list.len());
            }
        }
    }
}
