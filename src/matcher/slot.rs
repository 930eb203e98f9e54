//! The place of a key in its table: ready for events, packed, or free.

use std::borrow::Cow;

use super::ledger::{Entry, Ledger};
use super::live::Live;
use super::packed::{self, unpack};
use crate::base::Timestamp;

/// What a slot holds.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// See [`packed`]; nothing at all in a free slot.
    Packed(Box<[u8]>),
    Live(Box<Live>),
}

/// The place of a key.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) body: Body,
    /// When something is next to happen to it by itself, or where rules share it, when the last of its states ends;
    /// [`Timestamp::MAX`] if nothing does.
    pub(super) armed: Timestamp,
}

/// Small on purpose: a rule may have ten million keys.
const _: () = assert!(size_of::<Slot>() <= 24);

/// Puts what a live key weighs into the ledger.
pub(super) fn enter(live: &mut Live, weighed: Entry, ledger: &mut Ledger) {
    let (was, is) = (live.entry(), ledger.entry(weighed.bytes, weighed.worth));
    live.entered(is);
    ledger.change(was, is);
}

/// Puts a live key among those of the ledger.
#[inline]
pub(super) fn list(live: &mut Live, target: (u32, u32), ledger: &mut Ledger) {
    if !live.listed {
        live.listed = true;
        ledger.live_keys += 1;
        ledger.live.push_back(target);
    }
}

/// Puts the end of a slot off to that of one more state, if it is later. `armed` is the slot's; [`Timestamp::MAX`] is none.
#[inline]
pub(super) fn put_off(armed: &mut Timestamp, end: Timestamp) {
    *armed = if *armed == Timestamp::MAX { end } else { end.max(*armed) };
}

impl Slot {
    pub(super) fn entry(&self) -> Entry {
        match &self.body {
            Body::Packed(bytes) => packed::entry(bytes),
            Body::Live(live) => live.entry(),
        }
    }

    pub(super) fn is_free(&self) -> bool {
        matches!(&self.body, Body::Packed(bytes) if bytes.is_empty())
    }

    pub(super) fn key(&self) -> &[u8] {
        match &self.body {
            Body::Packed(bytes) => packed::key_of(bytes),
            Body::Live(live) => &live.key,
        }
    }

    /// Whether it is in use for a key.
    #[inline]
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        let mine = self.key();
        // Most rules without a key ask for the one that they have: comparing nothing is not free.
        !self.is_free() && mine.len() == key.len() && (key.is_empty() || mine == key)
    }

    /// What it holds, to be looked at; `None` for a free slot.
    pub(super) fn look(&self, shared: bool) -> Option<Cow<'_, Live>> {
        match &self.body {
            Body::Live(live) => Some(Cow::Borrowed(live)),
            Body::Packed(bytes) if bytes.is_empty() => None,
            Body::Packed(bytes) => Some(Cow::Owned(unpack(bytes, shared))),
        }
    }

    pub(super) fn held(&self) -> usize {
        match &self.body {
            Body::Packed(bytes) => packed::held(bytes),
            Body::Live(live) => live.held(),
        }
    }
}
