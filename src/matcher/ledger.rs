//! What the keys of one shard take, and which of them go first when memory is short.
//!
//! ```text
//! worth   0  one event, or more than a sixty-fourth of the cap      ◄── goes first, in the order in which keys came
//!         1  two or three events                                    ┐
//!         2  four to seven                                          ├ one more for an absence that is undecided, an
//!         3  eight or more                                          ┘ open alert, or statistics
//! ```
//! Worth stands for how near a key is to an alert. Keys of the least worth go until those are less than a sixteenth of
//! what is taken; then the next ones may go too, so that new keys always find a place to begin in.
//!
//! A state is weighed when it has grown by a quarter, and in between what was added counts in full: so the sum is never
//! too low by what events brought. Invariant: for each worth the sum is that of what its slots say they take.

use std::collections::VecDeque;

use crate::base::Account;

/// How near a key is to an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Worth(u8);

/// Different worths.
const WORTHS: usize = 5;

/// Growth of a state up to which it is not weighed again, in bytes; above, a quarter of it.
const SLACK: u32 = 128;

impl Worth {
    /// Of a key that holds so many partial matches and events, and may be waiting for time to pass.
    pub(super) fn of(held: usize, is_pending: bool) -> Self {
        Self(held.max(1).ilog2().min(3) as u8 + u8::from(is_pending))
    }

    /// As one byte.
    pub(super) fn to_byte(self) -> u8 {
        self.0
    }

    /// What [`Worth::to_byte`] gave.
    pub(super) fn from_byte(byte: u8) -> Self {
        Self(byte.min(WORTHS as u8 - 1))
    }
}

/// What one slot is in the ledger with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Bytes.
    pub(super) bytes: usize,
    /// Its worth.
    pub(super) worth: Worth,
}

/// What a state weighed when it was weighed last, and what it got since.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    bytes: u32,
    held: u32,
    since: u32,
}

impl Weight {
    /// Of a state that has to be weighed before anything else.
    pub(super) const UNKNOWN: Self = Self { bytes: 0, held: u32::MAX, since: 0 };

    /// Bytes that it is in the ledger with.
    pub(super) fn bytes(&self) -> usize {
        self.bytes as usize + self.since as usize
    }

    /// Takes in that `added` bytes may have come to a state. `weigh` is asked if that is not known well enough.
    #[inline]
    pub(super) fn update(&mut self, added: usize, held: u32, weigh: impl FnOnce() -> usize) {
        self.since = self.since.saturating_add(u32::try_from(added).unwrap_or(u32::MAX));
        if self.since > self.bytes / 4 + SLACK || held < self.held / 2 {
            *self = Self { bytes: u32::try_from(weigh()).unwrap_or(u32::MAX), held, since: 0 };
        }
    }
}

/// The ledger of one shard.
#[derive(Debug)]
pub(super) struct Ledger {
    account: Account,
    /// Bytes of slots, by worth.
    by_worth: [usize; WORTHS],
    /// Their sum.
    slots: usize,
    /// Bytes of tables, indexes and timers.
    frame: usize,
    /// Live keys as table and slot, roughly in the order in which they came alive. Some have been freed since, and
    /// their slots taken by others.
    pub(super) live: VecDeque<(u32, u32)>,
    /// How many keys are live.
    pub(super) live_keys: usize,
    /// Where the search for keys that may go stands: a table and a slot.
    pub(super) hand: (u32, u32),
}

impl Ledger {
    pub(super) fn new(account: Account) -> Self {
        Self { account, by_worth: [0; WORTHS], slots: 0, frame: 0, live: VecDeque::new(), live_keys: 0, hand: (0, 0) }
    }

    /// Puts what a slot takes now in the place of what it took. Without a cap nothing is kept.
    #[inline]
    pub(super) fn change(&mut self, was: Entry, is: Entry) {
        if !self.is_capped() {
            return;
        }
        self.by_worth[usize::from(was.worth.0)] -= was.bytes;
        self.by_worth[usize::from(is.worth.0)] += is.bytes;
        self.slots = self.slots - was.bytes + is.bytes;
    }

    /// What a slot of so many bytes and this worth counts as: one that takes too much counts for nothing.
    #[inline]
    pub(super) fn entry(&self, bytes: usize, worth: Worth) -> Entry {
        Entry { bytes, worth: if self.is_too_much(bytes) { Worth::default() } else { worth } }
    }

    /// Whether a slot of so many bytes takes too much for one.
    pub(super) fn is_too_much(&self, bytes: usize) -> bool {
        bytes > self.account.cap() / 64
    }

    /// Says what everything but slots takes.
    pub(super) fn set_frame(&mut self, bytes: usize) {
        self.frame = bytes + self.live.capacity() * size_of::<(u32, u32)>();
    }

    /// Whether there is a cap at all.
    #[inline]
    pub(super) fn is_capped(&self) -> bool {
        self.account.is_capped()
    }

    /// Whether some key has to go.
    #[inline]
    pub(super) fn is_over(&mut self) -> bool {
        self.account.tell(self.slots + self.frame);
        self.account.is_over()
    }

    /// Whether keys should be made smaller.
    #[inline]
    pub(super) fn is_tight(&self) -> bool {
        self.account.is_capped() && self.account.is_tight()
    }

    /// Keys up to this worth may go.
    pub(super) fn may_go(&self) -> Worth {
        let mut sum = 0;
        let enough = self.by_worth.iter().position(|bytes| {
            sum += bytes;
            sum >= self.slots / 16
        });
        Worth(enough.unwrap_or(WORTHS - 1) as u8)
    }

    /// Bytes of all slots.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.slots
    }
}
