//! A partition as a source: whoever asks it for a block takes records from the partition's own queue in the client.
//!
//! Invariants: the client fetches a bounded number of bytes of a partition ahead, and no more until some were taken; so a
//! partition that the run has no room for waits at the brokers, nothing that was fetched is thrown away, and no other
//! partition waits for it. A source that was shut takes nothing any more: whoever reads the partition next misses nothing.
#![expect(clippy::disallowed_methods, reason = "a source waits in a thread of its own")]

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::ears::{Client, Ears, Shore};
use super::feed::Feed;
use super::lines::Record;
use super::{Partition, PartitionStanding};
use crate::engine::{Place, Source, SourceBlock, SourceFailure};

/// How often a source that has nothing to give looks whether there is news, or the run was stopped.
const LOOK: Duration = Duration::from_millis(20);

/// Where records of a partition are taken from, as long as that is open; held while they are.
#[derive(Clone)]
pub(super) struct Gate(Arc<Mutex<Option<Link>>>);

struct Link {
    // Before the client that it is of: fields are dropped in their order.
    queue: PartitionQueue<Ears>,
    client: Arc<Client>,
}

impl Gate {
    /// Has a client put records of a partition into a queue of their own. To be done before the partition is assigned:
    /// records that are on their way when it is done come by the client's queue.
    pub(super) fn open(client: &Arc<Client>, partition: &Partition) -> Result<Self, String> {
        let queue = client.split_partition_queue(&partition.topic, partition.number);
        let queue = queue.ok_or_else(|| format!("{partition} is not there"))?;
        Ok(Self(Arc::new(Mutex::new(Some(Link { queue, client: Arc::clone(client) })))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is taken any more once this returns, and nothing of the client is held.
    pub(super) fn shut(&self) {
        *self.lock() = None;
    }
}

/// Gates by topic and number, which are shut when nobody has them any more.
#[derive(Default)]
pub(super) struct Gates(Mutex<BTreeMap<(String, i32), Gate>>);

impl Gates {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, i32), Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gates {
    fn drop(&mut self) {
        self.lock().values().for_each(Gate::shut);
    }
}

/// Where the standing of partitions is noted, and which of them is meant.
#[derive(Clone, Debug)]
pub(super) struct Slate {
    pub(super) standing: Arc<Mutex<Vec<PartitionStanding>>>,
    pub(super) at: usize,
}

/// A partition as a source.
pub struct PartitionSource {
    partition: Partition,
    feed: Feed,
    slate: Slate,
    gate: Gate,
    stop: Arc<AtomicBool>,
}

/// What reading came to.
enum Found {
    Block(SourceBlock),
    End,
    Failed(String),
    Nothing,
    Shut,
}

impl PartitionSource {
    pub(super) fn new(partition: Partition, feed: Feed, (slate, gate): (Slate, Gate), stop: &Arc<AtomicBool>) -> Self {
        let source = Self { partition, feed, slate, gate, stop: Arc::clone(stop) };
        source.note(None);
        source
    }

    /// Where it goes on after what it has given.
    pub fn place(&self) -> &Place {
        self.feed.place()
    }

    /// Takes records until a block is full, or nothing more is there for now.
    fn find(&mut self) -> Found {
        let Self { partition, feed, gate, .. } = self;
        let link = gate.lock();
        let Some(Link { queue, client }) = &*link else { return Found::Shut };
        if feed.is_over() {
            return Found::End;
        }
        let ears = client.context();
        let full = loop {
            let wait = if feed.holds_records() { Duration::ZERO } else { LOOK };
            match queue.poll(wait) {
                Some(Ok(message)) => {
                    let full = take(feed, &message);
                    if full.is_some() {
                        break full;
                    }
                    continue;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => feed.reach_end(),
                Some(Err(error)) => ears.trip(&partition.topic, &error),
                None => {}
            }
            break None;
        };
        let (shore, away) = ears.of(&partition.topic, partition.number);
        shore.iter().for_each(|shore| feed.hear(shore));
        let ended = ears.end();
        drop(link);
        let found = match full.or_else(|| feed.flush(away || ended.is_some())) {
            Some(block) => Found::Block(block),
            None if feed.is_over() => Found::End,
            None => ended.map_or(Found::Nothing, Found::Failed),
        };
        self.note(shore);
        found
    }

    fn note(&self, shore: Option<Shore>) {
        let mut standing = self.slate.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(standing) = standing.get_mut(self.slate.at) else { return };
        (standing.next, standing.end) = (self.feed.place().offset, self.feed.end());
        standing.counts = self.feed.counts();
        standing.pauses = shore.map_or(standing.pauses, |shore| shore.pauses);
    }
}

impl Source for PartitionSource {
    fn begins_behind(&self) -> bool {
        true
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        loop {
            let stopped = self.stop.load(Ordering::Relaxed);
            match if stopped { Found::Shut } else { self.find() } {
                Found::Block(block) => return Ok(Some(block)),
                Found::End => return Ok(None),
                Found::Failed(words) => return Err(SourceFailure(words)),
                Found::Nothing => {}
                // A run that is stopped has not come to the end: time must not go on as if it had.
                Found::Shut => {
                    thread::sleep(LOOK);
                    return Ok(Some(SourceBlock { after: self.place().clone(), ..SourceBlock::default() }));
                }
            }
        }
    }
}

impl fmt::Debug for PartitionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionSource").field("partition", &self.partition).finish_non_exhaustive()
    }
}

/// Makes a line of a record. Gives a block that is full.
fn take(feed: &mut Feed, message: &BorrowedMessage<'_>) -> Option<SourceBlock> {
    let offset = u64::try_from(message.offset()).ok()?;
    let headers = if feed.tells_provenance() { headers(message) } else { Vec::new() };
    feed.take(&Record {
        offset,
        timestamp: message.timestamp().to_millis(),
        key: message.key(),
        headers,
        value: message.payload(),
    })
}

/// The headers of a record. The client panics at a name that is not UTF-8; then the record has none.
fn headers<'a>(message: &'a BorrowedMessage<'_>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let read = || headers.iter().map(|header| (header.key, header.value)).collect();
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_default()
}
