//! Puts events in order of event time and says how far time has come (language.md §3.10).
//!
//! The watermark of a source is its largest `@ts` less its `lateness`; the whole's is the minimum over sources that are
//! not idle. An event behind it is late. With one source an event is released when the watermark reaches it; with
//! several only when the watermark has passed it, because another source may still bring an equal time.
//!
//! Invariant: released events never go back in `(@ts, @seq)`.

use std::sync::Arc;

use super::held::{Held, Records};
use super::released::Released;
use crate::base::{Account, Budget, Duration, Timestamp};
use crate::decode::batch::{Batch, Hit};

/// Settings of event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderConfig {
    /// The sources, one at least; positions in batches name them.
    pub sources: Vec<SourceOrder>,
    /// Events before this are passed over.
    pub from: Option<Timestamp>,
    /// Events at or after this are passed over.
    pub to: Option<Timestamp>,
}

/// Event time of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceOrder {
    /// How far behind the newest event of the source others may come.
    pub lateness: Duration,
    /// An event further than this ahead of its arrival is quarantined. `None` when replaying.
    pub max_future: Option<Duration>,
}

impl Default for OrderConfig {
    fn default() -> Self {
        Self { sources: vec![SourceOrder::default()], from: None, to: None }
    }
}

/// One source.
#[derive(Clone, Copy, Debug)]
struct SourceClock {
    order: SourceOrder,
    newest: Timestamp,
    /// The time of its first event.
    first: Option<Timestamp>,
    idle: bool,
    ended: bool,
}

impl SourceClock {
    /// No event of it before this is expected any more.
    fn watermark(&self) -> Timestamp {
        if self.newest == Timestamp::MIN { self.newest } else { self.newest - self.order.lateness }
    }
}

/// What one push or advance gave.
#[derive(Debug)]
pub struct Progress {
    /// Events to match.
    pub released: Released,
    /// Deadlines before this are decided after them.
    pub watermark: Timestamp,
    /// Where time began: the first watermark, that of the first event of the source that begins earliest.
    pub start: Option<Timestamp>,
    /// Late records of the pushed batch.
    pub late: Vec<u32>,
    /// Quarantined records of the pushed batch.
    pub quarantined: Vec<u32>,
}

/// Counts of the sequencer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderStats {
    /// Late events.
    pub late: u64,
    /// By rule: the late events that had a role in it. No longer than it must be.
    pub late_by_rule: Vec<u64>,
    /// The lateness that would have kept them all.
    pub needed_lateness: Duration,
    /// Events too far in the future.
    pub quarantined: u64,
    /// Events outside `from`/`to`.
    pub outside: u64,
    /// Events that lateness would have held back longer, let go because memory was short.
    pub hurried: u64,
}

impl OrderStats {
    /// Counts a late event for the rules that it had a role in, each once.
    fn count_rules(&mut self, hits: &[Hit]) {
        for same in hits.chunk_by(|a, b| a.rule == b.rule) {
            let rule = same[0].rule.index();
            if self.late_by_rule.len() <= rule {
                self.late_by_rule.resize(rule + 1, 0);
            }
            self.late_by_rule[rule] += 1;
        }
    }
}

/// The sequencer.
#[derive(Debug)]
pub struct Sequencer {
    config: OrderConfig,
    sources: Vec<SourceClock>,
    watermark: Timestamp,
    start: Option<Timestamp>,
    held: Held,
    /// What events held back take of the memory.
    account: Account,
    /// Counts so far.
    pub stats: OrderStats,
}

impl Sequencer {
    /// A sequencer at the beginning of time.
    pub fn new(config: OrderConfig) -> Self {
        let none = [SourceOrder::default()];
        let orders = if config.sources.is_empty() { &none[..] } else { &config.sources };
        let clock = |order: &SourceOrder| SourceClock {
            order: *order,
            newest: Timestamp::MIN,
            first: None,
            idle: false,
            ended: false,
        };
        Self {
            sources: orders.iter().map(clock).collect(),
            held: Held::new(orders.len()),
            account: Account::new(&Budget::new(None), 1),
            config,
            watermark: Timestamp::MIN,
            start: None,
            stats: OrderStats::default(),
        }
    }

    /// Takes part in a budget: events held back take no more than a quarter of it while it is short.
    pub fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.account = Account::new(budget, 4);
    }

    /// How far time has come.
    pub fn watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The largest event time of a source.
    pub fn newest(&self, source: usize) -> Timestamp {
        self.sources.get(source).map_or(Timestamp::MIN, |s| s.newest)
    }

    /// Events held back that some rule can use, in order.
    pub fn waiting(&self) -> impl Iterator<Item = (&Arc<Batch>, u32)> {
        self.held.iter()
    }

    /// Takes a batch.
    pub fn push(&mut self, batch: Arc<Batch>) -> Progress {
        let source = usize::from(batch.input).min(self.sources.len() - 1);
        self.sources[source].idle = false;
        let SourceOrder { lateness, max_future } = self.sources[source].order;
        let plain = lateness == Duration::ZERO
            && self.sources.len() == 1
            && self.held.is_empty()
            && batch.ordered
            && self.config.from.is_none()
            && self.config.to.is_none();
        if plain
            && let Some((low, high)) = batch.span
            && low >= self.watermark
            && max_future.is_none_or(|most| high <= batch.arrival + most)
        {
            self.sources[source].newest = self.sources[source].newest.max(high);
            self.sources[source].first.get_or_insert(low);
            self.watermark = self.watermark.max(high);
            return self.progress(Released::whole(batch), Vec::new(), Vec::new());
        }
        let (mut late, mut quarantined, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for (i, record) in batch.records.iter().enumerate() {
            let ts = record.ts;
            if self.config.from.is_some_and(|from| ts < from) || self.config.to.is_some_and(|to| ts >= to) {
                self.stats.outside += 1;
                continue;
            }
            if max_future.is_some_and(|most| ts > batch.arrival + most) {
                self.stats.quarantined += 1;
                quarantined.push(i as u32);
                continue;
            }
            // Behind its own source's watermark: so what is late does not depend on how sources take turns.
            let own = self.sources[source].newest;
            if ts < self.watermark.max(self.sources[source].watermark()) {
                self.stats.late += 1;
                self.stats.count_rules(batch.hits_of(record));
                // Against the newest event, not the watermark: that is what lateness is measured from.
                let newest = own.max(self.watermark);
                self.stats.needed_lateness = self.stats.needed_lateness.max(newest - ts);
                late.push(i as u32);
                continue;
            }
            self.sources[source].first.get_or_insert(ts);
            if ts > self.sources[source].newest {
                self.sources[source].newest = ts;
                self.advance_watermark();
            }
            kept.push(i as u32);
        }
        self.held.hold(source, &batch, kept.into_iter());
        let released = self.release_some();
        self.progress(released, late, quarantined)
    }

    /// Lets go of what is ready; if memory is short, of half of the time that is held back too: what comes after that
    /// and lies before it is late.
    fn release_some(&mut self) -> Released {
        let mut records = self.release_records();
        self.account.tell(self.held.bytes());
        let newest = self.sources.iter().map(|s| s.newest).max();
        if let (Some(first), Some(newest)) = (self.held.first().filter(|_| self.account.is_over()), newest) {
            self.watermark = self.watermark.max(first + Duration((newest - first).0 / 2 + 1));
            let before = self.held.len();
            records.append(self.release_records());
            self.stats.hurried += (before - self.held.len()) as u64;
            self.account.tell(self.held.bytes());
        }
        Released::records(records)
    }

    /// A source gives nothing more.
    pub fn end(&mut self, source: usize) -> Progress {
        if let Some(source) = self.sources.get_mut(source) {
            source.ended = true;
        }
        self.advance_watermark();
        let released = self.release();
        self.progress(released, Vec::new(), Vec::new())
    }

    /// A source is idle: it no longer holds time back until it speaks again.
    pub fn idle(&mut self, source: usize) -> Progress {
        if let Some(source) = self.sources.get_mut(source) {
            source.idle = true;
        }
        self.advance_watermark();
        let released = self.release();
        self.progress(released, Vec::new(), Vec::new())
    }

    /// Time has come to `watermark` whatever the events say: the wall clock while idle, or a host's word.
    pub fn advance(&mut self, watermark: Timestamp) -> Progress {
        self.watermark = self.watermark.max(watermark);
        let released = self.release();
        self.progress(released, Vec::new(), Vec::new())
    }

    /// All events still held back, in order: the input has ended, nothing can be late any more, and time has come as
    /// far as the newest event.
    pub fn finish(&mut self) -> Progress {
        if let Some(newest) = self.sources.iter().map(|s| s.newest).max() {
            self.watermark = self.watermark.max(newest);
        }
        let rest = self.held.release(|_| true);
        self.progress(Released::records(rest), Vec::new(), Vec::new())
    }

    /// Sets the clocks of a restored state.
    pub fn restore(&mut self, watermark: Timestamp, clocks: &[(Option<Timestamp>, Timestamp)], stats: OrderStats) {
        self.watermark = watermark;
        for (source, (first, newest)) in self.sources.iter_mut().zip(clocks) {
            source.first = *first;
            source.newest = *newest;
        }
        self.stats = stats;
    }

    /// Puts back an event that a restored state held back.
    pub fn restore_waiting(&mut self, batch: Arc<Batch>) {
        let source = usize::from(batch.input).min(self.sources.len() - 1);
        self.held.hold(source, &batch, 0..batch.records.len() as u32);
    }

    /// The first and the largest event time of each source, for saving: time may begin only later.
    pub fn clocks(&self) -> Vec<(Option<Timestamp>, Timestamp)> {
        self.sources.iter().map(|s| (s.first, s.newest)).collect()
    }

    fn advance_watermark(&mut self) {
        let active = self.sources.iter().filter(|s| !s.idle && !s.ended).map(SourceClock::watermark).min();
        // When all have ended, time has come as far as the newest of them.
        let reached = active.or_else(|| self.sources.iter().map(SourceClock::watermark).max());
        self.watermark = self.watermark.max(reached.unwrap_or(Timestamp::MIN));
    }

    fn release(&mut self) -> Released {
        Released::records(self.release_records())
    }

    fn release_records(&mut self) -> Records {
        // Also when only one source is left: it may still bring the time of an event that another one brought, and the
        // position decides between them.
        let several = self.sources.len() > 1;
        let watermark = self.watermark;
        let ready = |ts: Timestamp| if several { ts < watermark } else { ts <= watermark };
        self.held.release(ready)
    }

    /// Where time began, once it has.
    pub fn start(&self) -> Option<Timestamp> {
        self.start
    }

    /// Sets where time began, of a restored state.
    pub fn restore_start(&mut self, start: Option<Timestamp>) {
        self.start = start;
    }

    fn progress(&mut self, released: Released, late: Vec<u32>, quarantined: Vec<u32>) -> Progress {
        if self.start.is_none() && self.watermark > Timestamp::MIN {
            let first = self.sources.iter().filter_map(|s| Some(s.first? - s.order.lateness)).min();
            self.start = Some(first.unwrap_or(self.watermark));
        }
        Progress { released, watermark: self.watermark, start: self.start, late, quarantined }
    }
}
