//! Lines to events for host keys: decoded, classified and keyed once, and only what some rule can use goes on.
//!
//! Relies on [`Decoder`]. Stateless but for scratch memory: what an input has come to so far, the caller keeps and gives.

use std::sync::Arc;

use super::event;
use super::names::HostRules;
use crate::base::{FieldId, Timestamp};
use crate::decode::batch::{Batch, BatchStats, BlockOrigin, Hit};
use crate::decode::decoder::Decoder;
use crate::plan::event::Seq;

/// Where one thing that came of a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// To a host key.
    Event {
        /// When it happened.
        ts: Timestamp,
        /// The host key.
        key: &'a [u8],
        /// What goes there.
        event: &'a [u8],
    },
    /// To the gatherer: the whole line, for rules that read alerts too.
    Gather {
        /// When it happened.
        ts: Timestamp,
        /// Its position.
        seq: Seq,
        /// When it arrived.
        arrival: Timestamp,
        /// It.
        line: &'a str,
    },
    /// Nowhere: it came too late.
    Late(&'a str),
}

/// What a block gave beside its items.
#[derive(Clone, Debug, Default)]
pub struct Routed {
    /// The time of the first event in the order of lines that was not late.
    pub first: Option<Timestamp>,
    /// The largest event time of the input so far; [`Timestamp::MIN`] before any.
    pub newest: Timestamp,
    /// Late events.
    pub late: u64,
    /// Counts of the decoder.
    pub stats: BatchStats,
}

/// Routes lines. One a thread: it owns scratch memory.
#[derive(Debug)]
pub struct Router {
    host: Arc<HostRules>,
    decoder: Decoder,
    batch: Batch,
    fields: Vec<FieldId>,
    hits: Vec<Hit>,
    taken: Vec<bool>,
    bytes: Vec<u8>,
}

impl Router {
    /// A router for a rule set.
    pub fn new(host: Arc<HostRules>) -> Self {
        Self {
            decoder: host.decoder(),
            host,
            batch: Batch::default(),
            fields: Vec::new(),
            hits: Vec::new(),
            taken: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Routes a block of whole lines. `newest` is the largest event time of the input before it: an event further behind
    /// than the lateness is late, whatever other inputs do.
    pub fn route(
        &mut self,
        block: &[u8],
        origin: BlockOrigin,
        newest: Timestamp,
        mut give: impl FnMut(Item<'_>),
    ) -> Routed {
        let mut memory = self.batch.recycle();
        memory.extend_from_slice(block);
        self.decoder.decode_into(&mut self.batch, memory, origin);
        let mut routed = Routed { newest, ..Routed::default() };
        let batch = &self.batch;
        for record in &batch.records {
            if routed.newest > Timestamp::MIN && record.ts < routed.newest - self.host.config.lateness {
                routed.late += 1;
                give(Item::Late(batch.line(record)));
                continue;
            }
            routed.first.get_or_insert(record.ts);
            routed.newest = routed.newest.max(record.ts);
            let hits = batch.hits_of(record);
            if hits.iter().any(|hit| self.host.rules.is_gathered(hit.rule)) {
                let (seq, line) = (batch.seq(record), batch.line(record));
                give(Item::Gather { ts: record.ts, seq, arrival: batch.arrival, line });
            }
            // Hits with equal keys go as one event.
            self.taken.clear();
            self.taken.extend(hits.iter().map(|hit| self.host.rules.is_gathered(hit.rule)));
            for at in 0..hits.len() {
                if self.taken[at] {
                    continue;
                }
                let key = batch.key(&hits[at]);
                self.hits.clear();
                for (other, hit) in hits.iter().enumerate().skip(at) {
                    // Rules without a key are kept apart, whatever the bytes.
                    let same = batch.key(hit) == key && (!key.is_empty() || hit.rule == hits[at].rule);
                    if !self.taken[other] && same {
                        self.taken[other] = true;
                        self.hits.push(*hit);
                    }
                }
                self.bytes.clear();
                event::write(&self.host, batch, record, &self.hits, &mut self.fields, &mut self.bytes);
                let host_key = self.host.host_key(hits[at].rule, key);
                give(Item::Event { ts: record.ts, key: &host_key, event: &self.bytes });
            }
        }
        routed.stats = batch.stats.clone();
        routed
    }
}
