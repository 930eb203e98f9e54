//! Sequences of two steps that have begun: by rule, the newest event that its first step takes.
//!
//! Says what [`super::super::latest_run`] says of them. Invariant: no two entries have the same bit.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::super::groups::Member;
use crate::base::Timestamp;
use crate::base::budget::block;
use crate::plan::event::{Seq, StoredEvent};

/// An event.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    /// The rules that have begun with it.
    bits: u64,
    ts: Timestamp,
    event: Arc<StoredEvent>,
}

/// The events, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Begun(SmallVec<[Entry; 1]>);

impl Begun {
    /// Rules that have begun.
    pub(super) fn bits(&self) -> u64 {
        self.0.iter().fold(0, |bits, entry| bits | entry.bits)
    }

    /// Events held.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Time of the oldest event.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.0.first().map(|entry| entry.ts)
    }

    /// The event that a rule has begun with.
    pub(super) fn get(&self, member: Member) -> Option<&Arc<StoredEvent>> {
        self.0.iter().find(|entry| entry.bits & member.bit() != 0).map(|entry| &entry.event)
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let entries = if self.0.spilled() { block(self.0.capacity() * size_of::<Entry>()) } else { 0 };
        entries + self.0.iter().map(|entry| entry.event.bytes()).sum::<usize>()
    }

    /// Drops what is too old for every rule.
    #[inline]
    pub(super) fn expire(&mut self, before: Timestamp) {
        if self.oldest().is_some_and(|oldest| oldest < before) {
            self.0.retain(|entry| entry.ts >= before);
        }
    }

    /// These rules hold nothing any more.
    pub(super) fn clear(&mut self, rules: u64) {
        self.0.iter_mut().for_each(|entry| entry.bits &= !rules);
        self.0.retain(|entry| entry.bits != 0);
    }

    /// These rules begin with an event that is newer than all others.
    pub(super) fn begin(&mut self, rules: u64, event: Arc<StoredEvent>) {
        self.clear(rules);
        self.0.push(Entry { bits: rules, ts: event.ts, event });
    }

    /// Takes the event that a rule has begun with, if it came before another and not before a time.
    pub(super) fn take(&mut self, member: Member, at: (Timestamp, Seq), since: Timestamp) -> Option<Arc<StoredEvent>> {
        let place = self.0.iter().position(|entry| entry.bits & member.bit() != 0)?;
        let entry = &mut self.0[place];
        if entry.ts < since || entry.ts > at.0 || (entry.ts == at.0 && entry.event.at() >= at) {
            return None;
        }
        entry.bits &= !member.bit();
        if entry.bits == 0 { Some(self.0.remove(place).event) } else { Some(Arc::clone(&entry.event)) }
    }

    /// Puts an event in the place of what a rule has; `set` are the rules that keep the same of it.
    pub(super) fn put(&mut self, member: Member, set: u64, event: &Arc<StoredEvent>) {
        self.clear(member.bit());
        let is_it = |entry: &&mut Entry| entry.bits & set != 0 && entry.event.at() == event.at();
        if let Some(entry) = self.0.iter_mut().find(is_it) {
            entry.bits |= member.bit();
            return;
        }
        let at = self.0.partition_point(|entry| entry.event.at() < event.at());
        self.0.insert(at, Entry { bits: member.bit(), ts: event.ts, event: Arc::clone(event) });
    }
}
