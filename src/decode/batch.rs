//! A block of lines, decoded, classified and keyed: the unit that threads hand on.
//!
//! ```text
//! block ─► lines ─► slots ─► time
//!                     └────► predicates ─► (rule, roles) ─► key ─► shard
//! ```
//! Filled by a [`Decoder`](super::decoder::Decoder). Only events that some rule can use keep their slots. A batch that
//! is over lends its memory to the next one, so that a run that goes on allocates nothing.

use super::json::ScanStats;
use super::lines::TextBlock;
use super::reject::Reject;
use super::slot::{Arena, Slot};
use super::view::LineView;
use crate::base::{RuleId, Timestamp};
use crate::plan::event::Seq;

/// An event of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Event time.
    pub ts: Timestamp,
    /// Its line, counted from 0 in the block.
    pub line: u32,
    /// First byte of the line in the block.
    pub start: u32,
    /// Bytes of the line.
    pub len: u32,
    /// Where its slots begin; meaningless without hits.
    pub(super) slots: u32,
    /// Its hits: from.
    pub first_hit: u32,
    /// Its hits: up to.
    pub end_hit: u32,
}

/// What an event is to one key of one rule.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// The event, by its place in [`Batch::records`].
    pub record: u32,
    /// The rule.
    pub rule: RuleId,
    /// The roles, a bit each.
    pub roles: u64,
    /// Hash of the key.
    pub hash: u64,
    pub(super) key_start: u32,
    pub(super) key_end: u32,
}

/// The shard that owns a key, of so many: from the middle of its hash, since tables of keys use both ends.
#[inline]
pub fn shard_of(hash: u64, shards: usize) -> usize {
    ((u64::from((hash >> 16) as u32) * shards as u64) >> 32) as usize
}

/// A line that gave no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedLine {
    /// Its line, counted from 0 in the block.
    pub line: u32,
    /// First byte of the line in the block.
    pub start: u32,
    /// Where in the line the problem is.
    pub column: u32,
    /// Why.
    pub reason: Reject,
    /// The beginning of the line.
    pub text: String,
}

/// Counts of one batch.
#[derive(Clone, Debug, Default)]
pub struct BatchStats {
    /// Bytes of the block.
    pub bytes: u64,
    /// Events.
    pub events: u64,
    /// Rejected lines by [`Reject`].
    pub rejects: [u64; Reject::ALL.len()],
    /// Repeated keys and broken surrogates.
    pub scan: ScanStats,
    /// Events without a time of their own, which got their arrival time.
    pub untimed: u64,
    /// Times that `each(…)` gave an event more than [`KEYS_PER_EVENT`](super::decoder::KEYS_PER_EVENT) keys for a rule: it took part for the first ones.
    pub cut_keys: u64,
    /// Events that a rule could not use for want of a key.
    pub no_key: Vec<(RuleId, u64)>,
}

impl BatchStats {
    /// Adds the counts of another batch; those by rule are the caller's to add.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.events += other.events;
        self.untimed += other.untimed;
        self.cut_keys += other.cut_keys;
        self.scan.duplicate_keys += other.scan.duplicate_keys;
        self.scan.lone_surrogates += other.scan.lone_surrogates;
        for (sum, count) in self.rejects.iter_mut().zip(other.rejects) {
            *sum += count;
        }
    }
}

/// A decoded block.
#[derive(Debug)]
pub struct Batch {
    /// The input.
    pub input: u16,
    /// Number of the first line, from 1.
    pub first_line: u64,
    /// Bytes before the block in its input.
    pub offset: u64,
    /// When the block arrived.
    pub arrival: Timestamp,
    pub(super) block: TextBlock<'static>,
    pub(super) arena: Arena,
    pub(super) slots: Vec<Slot>,
    pub(super) stride: usize,
    /// The events, in the order of their lines.
    pub records: Vec<Record>,
    /// Their hits, in the order of events, then rules.
    pub hits: Vec<Hit>,
    pub(super) keys: Vec<u8>,
    /// By shard: the hits of rules of level 0, in order.
    pub shards: Vec<Vec<u32>>,
    /// Hits of rules that read alerts, in order.
    pub upper: Vec<u32>,
    /// Smallest and largest event time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Times never go back from one event to the next.
    pub ordered: bool,
    /// Counts.
    pub stats: BatchStats,
    /// Lines that gave no event, if they were asked for.
    pub rejects: Vec<RejectedLine>,
}

impl Batch {
    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        self.block.text().len()
            + self.arena.bytes()
            + self.slots.len() * size_of::<Slot>()
            + self.records.len() * size_of::<Record>()
            + self.hits.len() * (size_of::<Hit>() + size_of::<u32>())
            + self.keys.len()
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            input: 0,
            first_line: 0,
            offset: 0,
            arrival: Timestamp(0),
            block: TextBlock::new(&[]),
            arena: Arena::default(),
            slots: Vec::new(),
            stride: 0,
            records: Vec::new(),
            hits: Vec::new(),
            keys: Vec::new(),
            shards: Vec::new(),
            upper: Vec::new(),
            span: None,
            ordered: true,
            stats: BatchStats::default(),
            rejects: Vec::new(),
        }
    }
}

impl Batch {
    /// Forgets everything and keeps the memory, for the next block; gives back that of the block it was made from, with
    /// what is in it: to fill it anew takes less than to clear it first.
    pub fn recycle(&mut self) -> Vec<u8> {
        let block = std::mem::replace(&mut self.block, TextBlock::new(&[]));
        self.arena.clear();
        self.slots.clear();
        self.records.clear();
        self.hits.clear();
        self.keys.clear();
        self.shards.iter_mut().for_each(Vec::clear);
        self.upper.clear();
        self.span = None;
        self.ordered = true;
        self.stats = BatchStats::default();
        self.rejects.clear();
        block.into_bytes()
    }

    /// The event of a record.
    #[inline]
    pub fn view(&self, record: &Record) -> LineView<'_> {
        let start = record.slots as usize;
        let slots = if record.first_hit == record.end_hit { &[] } else { &self.slots[start..start + self.stride] };
        LineView {
            slots,
            text: self.block.text(),
            arena: &self.arena,
            ts: record.ts,
            arrival: self.arrival,
            seq: self.seq(record),
            lazy: None,
        }
    }

    /// The position of a record.
    #[inline]
    pub fn seq(&self, record: &Record) -> Seq {
        Seq::new(self.input, self.first_line + u64::from(record.line))
    }

    /// The line of a record.
    pub fn line(&self, record: &Record) -> &str {
        let start = record.start as usize;
        &self.block.text()[start..start + record.len as usize]
    }

    /// What the event of a record is to the rules, in their order.
    pub fn hits_of(&self, record: &Record) -> &[Hit] {
        &self.hits[record.first_hit as usize..record.end_hit as usize]
    }

    /// The key of a hit.
    #[inline]
    pub fn key(&self, hit: &Hit) -> &[u8] {
        &self.keys[hit.key_start as usize..hit.key_end as usize]
    }
}

/// Where a block comes from.
#[derive(Clone, Copy, Debug)]
pub struct BlockOrigin {
    /// The input.
    pub input: u16,
    /// Number of its first line, from 1.
    pub first_line: u64,
    /// Bytes before it.
    pub offset: u64,
    /// When it arrived.
    pub arrival: Timestamp,
}
