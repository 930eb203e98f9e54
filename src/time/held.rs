//! Events held back until time has come to them, and their way out in order.
//!
//! ```text
//! source 0 ─► ▪▪▪▪▪▪▪▪ in order ──┐
//! source 1 ─► ▪▪▪▪     in order ──┼─► the earliest of the heads, again and again
//! out of order ─► heap of strays ─┘
//! ```
//! Most events come in order within their source, so a queue holds them; the others go through a heap. What goes out
//! is a run of one queue up to the head of the next, so a source that is far behind is not compared event by event.
//! An event that no rule can use is not held: nobody would miss it.
//!
//! Invariant: each queue is in order of `(@ts, @seq)`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::base::Timestamp;
use crate::decode::batch::Batch;

/// Records of several batches, in order.
#[derive(Debug, Default)]
pub struct Records {
    /// The batches.
    batches: Vec<Arc<Batch>>,
    /// Places in `batches`, and in the records of that batch.
    places: Vec<(u32, u32)>,
}

impl Records {
    /// The record at a place.
    pub fn get(&self, place: usize) -> Option<(&Arc<Batch>, u32)> {
        self.places.get(place).map(|(batch, record)| (&self.batches[*batch as usize], *record))
    }

    /// The records at some places.
    pub fn range(&self, places: Range<usize>) -> impl Iterator<Item = (&Arc<Batch>, u32)> {
        places.filter_map(|place| self.get(place))
    }

    /// Adds those that come after these.
    pub(super) fn append(&mut self, then: Self) {
        let base = self.batches.len() as u32;
        self.batches.extend(then.batches);
        self.places.extend(then.places.into_iter().map(|(batch, record)| (batch + base, record)));
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// One event, by its place among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    ts: Timestamp,
    /// Its position.
    seq: u64,
    batch: u32,
    record: u32,
}

/// A batch of which events are held.
#[derive(Debug)]
struct Lot {
    batch: Arc<Batch>,
    /// Events of it that are held.
    left: u32,
    /// What it takes.
    bytes: usize,
    /// Its place among the batches that are going out now.
    out: Option<u32>,
}

/// The events held back.
#[derive(Debug)]
pub(super) struct Held {
    lots: Vec<Option<Lot>>,
    free: Vec<u32>,
    queues: Vec<VecDeque<Event>>,
    strays: BinaryHeap<Reverse<Event>>,
    /// What all lots take.
    bytes: usize,
}

impl Held {
    pub(super) fn new(sources: usize) -> Self {
        Self {
            lots: Vec::new(),
            free: Vec::new(),
            queues: (0..sources).map(|_| VecDeque::new()).collect(),
            strays: BinaryHeap::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.strays.is_empty() && self.queues.iter().all(VecDeque::is_empty)
    }

    /// Bytes that they take: a batch of which one event is held is there as a whole.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.strays.len() + self.queues.iter().map(VecDeque::len).sum::<usize>()
    }

    /// The time of the earliest.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.earliest().and_then(|(from, _)| match from {
            Some(queue) => self.queues[queue].front().map(|event| event.ts),
            None => self.strays.peek().map(|stray| stray.0.ts),
        })
    }

    /// All events, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Batch>, u32)> {
        let mut events: Vec<Event> = self.queues.iter().flatten().copied().collect();
        events.extend(self.strays.iter().map(|stray| stray.0));
        events.sort_unstable();
        events.into_iter().filter_map(|event| {
            let lot = self.lots[event.batch as usize].as_ref()?;
            Some((&lot.batch, event.record))
        })
    }

    /// Holds some records of a batch of a source.
    pub(super) fn hold(&mut self, source: usize, batch: &Arc<Batch>, records: impl Iterator<Item = u32>) {
        let at = self.free.pop().unwrap_or_else(|| {
            self.lots.push(None);
            self.lots.len() as u32 - 1
        });
        let mut left = 0;
        for record in records {
            let held = &batch.records[record as usize];
            if held.first_hit == held.end_hit {
                continue;
            }
            left += 1;
            let event = Event { ts: held.ts, seq: batch.seq(held).0, batch: at, record };
            let queue = &mut self.queues[source];
            if queue.back().is_none_or(|last| *last <= event) {
                queue.push_back(event);
            } else {
                self.strays.push(Reverse(event));
            }
        }
        if left > 0 {
            let bytes = batch.bytes() + left as usize * size_of::<Event>();
            self.bytes += bytes;
            self.lots[at as usize] = Some(Lot { batch: Arc::clone(batch), left, bytes, out: None });
        } else {
            self.free.push(at);
        }
    }

    /// Lets go, in order, of the events for which `ready` holds: those up to some time.
    pub(super) fn release(&mut self, ready: impl Fn(Timestamp) -> bool) -> Records {
        let mut out = Records::default();
        while let Some((from, until)) = self.earliest() {
            let go = |event: &Event| ready(event.ts) && until.is_none_or(|until| *event < until);
            let before = out.places.len();
            if let Some(queue) = from {
                while let Some(event) = self.queues[queue].front().copied().filter(go) {
                    self.queues[queue].pop_front();
                    self.pass(event, &mut out);
                }
            } else {
                while let Some(Reverse(event)) = self.strays.peek().copied().filter(|stray| go(&stray.0)) {
                    self.strays.pop();
                    self.pass(event, &mut out);
                }
            }
            if out.places.len() == before {
                break;
            }
        }
        for lot in self.lots.iter_mut().flatten() {
            lot.out = None;
        }
        out
    }

    /// The queue whose head is the earliest event of all, or `None` for the strays; and the earliest head of the others.
    fn earliest(&self) -> Option<(Option<usize>, Option<Event>)> {
        let heads = self.queues.iter().enumerate().filter_map(|(at, queue)| Some((*queue.front()?, Some(at))));
        let (mut first, mut second) = (None::<(Event, Option<usize>)>, None::<Event>);
        for head in heads.chain(self.strays.peek().map(|stray| (stray.0, None))) {
            if first.is_none_or(|f| head.0 < f.0) {
                second = first.map(|f| f.0);
                first = Some(head);
            } else if second.is_none_or(|s| head.0 < s) {
                second = Some(head.0);
            }
        }
        first.map(|(_, from)| (from, second))
    }

    fn pass(&mut self, event: Event, out: &mut Records) {
        let place = &mut self.lots[event.batch as usize];
        let Some(lot) = place else { return };
        let at = *lot.out.get_or_insert_with(|| {
            out.batches.push(Arc::clone(&lot.batch));
            out.batches.len() as u32 - 1
        });
        out.places.push((at, event.record));
        lot.left -= 1;
        if lot.left == 0 {
            self.bytes -= lot.bytes;
            *place = None;
            self.free.push(event.batch);
        }
    }
}
