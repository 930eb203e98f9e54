//! Lines to events for host keys: decoded, classified and keyed once, and only what some rule can use goes on.
//!
//! Relies on [`Decoder`]. Stateless but for scratch memory: what an input has come to so far, the caller keeps and gives.

use std::sync::Arc;

use super::event::Place;
use super::names::HostRules;
use super::spread::Spread;
use super::stages::Stage;
use crate::base::Timestamp;
use crate::decode::batch::{Batch, BatchStats, BlockOrigin};
use crate::decode::decoder::Decoder;
use crate::plan::event::Seq;

/// Where one thing that came of a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// To a host key.
    Event {
        /// The stage that the key belongs to.
        stage: Stage,
        /// When it happened.
        ts: Timestamp,
        /// The host key.
        key: &'a [u8],
        /// What goes there.
        event: &'a [u8],
    },
    /// To the gatherer: the whole line, for rules that are matched there.
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
    spread: Spread,
}

impl Router {
    /// A router for a rule set.
    pub fn new(host: Arc<HostRules>) -> Self {
        Self { decoder: host.decoder(), host, batch: Batch::default(), spread: Spread::default() }
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
        memory.clear();
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
            let ts = record.ts;
            let gathered = self.spread.spread(&self.host, batch, record, &Place::Line, |stage, key, event| {
                give(Item::Event { stage, ts, key, event });
            });
            if gathered {
                let (seq, line) = (batch.seq(record), batch.line(record));
                give(Item::Gather { ts, seq, arrival: batch.arrival, line });
            }
        }
        routed.stats = batch.stats.clone();
        routed
    }
}
