//! How keys that are ready go back to the host, as bytes: all that changed, those that nobody asked for, or all.
//!
//! Relies on [`Live`] being between two advances. What is given of a key replaces what the host has of it, but for one that
//! was never loaded: of that only the events are here.

use super::live::Live;
use crate::base::Timestamp;

/// Why keys go back to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There are more than the bounds allow.
    Room,
    /// The host makes a checkpoint: all that have changed, which stay here nevertheless.
    Checkpoint,
    /// Other rules come: all.
    Leave,
}

/// What the host is to keep of a key.
#[derive(Clone, Debug)]
pub struct Kept<'a> {
    /// The host key.
    pub key: &'a [u8],
    /// Its state, empty for none. `None`: as it is, and the events come to those that the host has.
    pub state: Option<&'a [u8]>,
    /// When the host is to ask for it though no event comes: once its watermark has reached this, in milliseconds;
    /// `i64::MAX` for never.
    pub timer: i64,
    /// When the host would have asked for it.
    pub timer_before: i64,
    /// Whether the host has a state.
    pub had_state: bool,
    /// Whether the host has events that wait.
    pub had_events: bool,
    /// Events that wait.
    pub events: Vec<&'a [u8]>,
}

/// Hashes that are remembered of keys with the host: beyond, every key is asked for.
const REMEMBERED: usize = 1 << 20;

/// Keys that go back at once, at most, and the bytes that count as another.
const AT_ONCE: usize = 4096;
const SMALL: usize = 1024;

impl Live {
    fn is_over(&self) -> bool {
        self.table.len() > self.bounds.keys || self.weight + self.waiting.used() > self.bounds.bytes
    }

    /// Puts keys back to the host, some at a time; says whether there may be more. Between advances only.
    pub fn put_back(&mut self, why: Why, mut give: impl FnMut(Kept<'_>)) -> bool {
        let mut left = AT_ONCE;
        while left > 0 {
            let slot = match why {
                Why::Checkpoint => {
                    let Some(slot) = self.dirty.pop() else { return false };
                    slot
                }
                Why::Leave | Why::Room => {
                    if self.table.is_empty() || why == Why::Room && !self.is_over() {
                        return false;
                    }
                    self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
                    self.hand as u32
                }
            };
            let Some(key) = &mut self.slots[slot as usize] else { continue };
            if why == Why::Room && std::mem::replace(&mut key.used, false) {
                continue;
            }
            if key.dirty {
                left = left.saturating_sub(1 + self.give(slot, &mut give));
            }
            if why != Why::Checkpoint {
                self.counts.evicted += 1;
                self.let_go(slot);
            }
        }
        true
    }

    /// Gives what the host is to keep of a key; says how much that is beside a small one. One that the host alone has,
    /// or of which there is nothing, is here no longer then.
    fn give(&mut self, slot: u32, give: &mut impl FnMut(Kept<'_>)) -> usize {
        let key = self.slots[slot as usize].as_mut().expect("a slot in use");
        let (events, first) = (self.waiting.events(&key.events), self.waiting.first(&key.events));
        let size = events.iter().map(|event| event.len()).sum::<usize>();
        let ms = |at: Timestamp| if at == Timestamp::MAX { i64::MAX } else { at.as_millis() };
        key.dirty = false;
        let Some(cell) = &key.cell else {
            let (timer, timer_before) = (ms(first), i64::MAX);
            give(Kept { key: &key.key, state: None, timer, timer_before, had_state: false, had_events: false, events });
            self.remove(slot);
            return size / SMALL;
        };
        let state = cell.write(self.cells.host());
        let (timer, timer_before) = (ms(key.next.min(first)), key.timer);
        let listed = !events.is_empty();
        give(Kept {
            key: &key.key,
            state: Some(&state),
            timer,
            timer_before,
            had_state: key.stored,
            had_events: key.listed,
            events,
        });
        (key.stored, key.listed, key.timer) = (!state.is_empty(), listed, timer);
        if !key.stored && !key.listed {
            self.remove(slot);
        }
        (state.len() + size) / SMALL
    }

    /// A key is with the host alone from here on.
    fn let_go(&mut self, slot: u32) {
        let Some(key) = &self.slots[slot as usize] else { return };
        if let Some(with_host) = &mut self.with_host {
            with_host.insert(key.hash);
            if with_host.len() > REMEMBERED {
                self.with_host = None;
            }
        }
        self.remove(slot);
    }
}
