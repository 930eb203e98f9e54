//! The whole engine in one thread and without a clock: lines in, alerts out.
//!
//! ```text
//! line ─► Decoder ─► Sequencer ─► Matcher ─► Collector ─► alerts
//! ```
//! [`Session`] is what embedders and tests use; the threaded engine runs the same parts on more cores and gives the
//! same alerts.

pub mod head;
mod saved;
mod summary;

use std::sync::Arc;

pub use saved::StateError;
use smallvec::SmallVec;
pub use summary::{RuleSummary, SourceSummary, Summary};

use crate::alert::build::Draft;
use crate::alert::collect::Collector;
use crate::alert::{Alert, Evidence};
use crate::base::{Budget, Duration, Limits, RuleId, Timestamp};
use crate::decode::batch::{Batch, BatchStats, BlockOrigin, RejectedLine, shard_of};
use crate::decode::decoder::{DecodeConfig, Decoder, OwnForm};
use crate::decode::{Reject, TimeConfig};
use crate::matcher::shard::{Found, Matcher};
use crate::plan::Ruleset;
use crate::time::released::{Events, Released};
use crate::time::sequencer::{OrderConfig, Progress, Sequencer, SourceOrder};

/// Settings of a session.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Where event time is.
    pub time: TimeConfig,
    /// How far behind the newest event others may come.
    pub lateness: Duration,
    /// How much of the bound events alerts carry.
    pub evidence: Evidence,
    /// Limits on state and input.
    pub limits: Limits,
    /// Number of sources.
    pub sources: usize,
    /// By source: what it has of its own. Sources beyond have nothing.
    pub own: Vec<OwnSettings>,
    /// Quarantine events further than this ahead of their arrival; `None` when replaying.
    pub max_future: Option<Duration>,
    /// Pass over events before this.
    pub from: Option<Timestamp>,
    /// Pass over events at or after this.
    pub to: Option<Timestamp>,
    /// Keep rejected lines for [`Session::take_rejects`].
    pub keep_rejects: bool,
    /// Give the alerts of `internal` rules too, as a test of one wants to see them.
    pub show_internal: bool,
}

/// What one source has of its own; where it says nothing, what all have holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnSettings {
    /// How its lines are read.
    pub form: OwnForm,
    /// How far behind its newest event others may come.
    pub lateness: Option<Duration>,
    /// It is live: an event further than this ahead of its arrival is quarantined.
    pub max_future: Option<Duration>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            time: TimeConfig::default(),
            lateness: Duration::ZERO,
            evidence: Evidence::default(),
            limits: Limits::default(),
            sources: 1,
            own: Vec::new(),
            max_future: None,
            from: None,
            to: None,
            keep_rejects: false,
            show_internal: false,
        }
    }
}

impl SessionConfig {
    /// The decoder's part.
    pub fn decode(&self, shards: usize) -> DecodeConfig {
        DecodeConfig {
            time: self.time.clone(),
            sources: self.own.iter().map(|own| own.form.clone()).collect(),
            max_line: self.limits.max_line,
            max_depth: self.limits.max_json_depth,
            shards,
            keep_rejects: self.keep_rejects,
        }
    }

    /// The sequencer's part.
    pub fn order(&self) -> OrderConfig {
        let order = |source: usize| SourceOrder {
            lateness: self.lateness_of(source),
            max_future: self.own.get(source).and_then(|own| own.max_future).or(self.max_future),
        };
        OrderConfig { sources: (0..self.sources.max(1)).map(order).collect(), from: self.from, to: self.to }
    }

    /// How far behind the newest event of a source others may come.
    fn lateness_of(&self, source: usize) -> Duration {
        self.own.get(source).and_then(|own| own.lateness).unwrap_or(self.lateness)
    }

    /// The lateness of the source that has the largest.
    pub fn largest_lateness(&self) -> Duration {
        (0..self.sources.max(1)).map(|source| self.lateness_of(source)).max().unwrap_or(self.lateness)
    }
}

/// What becomes of absences that are undecided when the input ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// They are counted as pending.
    #[default]
    Pending,
    /// They are decided as if time went on.
    Flush,
}

/// A line that gave no event, for the rejects output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The input.
    pub input: u16,
    /// Its line, from 1.
    pub line: u64,
    /// Its first byte.
    pub offset: u64,
    /// What was wrong.
    pub line_text: crate::decode::batch::RejectedLine,
}

impl Rejected {
    /// A rejected line with its place in its input.
    pub(crate) fn of(batch: &Batch, line_text: &RejectedLine) -> Self {
        Self {
            input: batch.input,
            line: batch.first_line + u64::from(line_text.line),
            offset: batch.offset + u64::from(line_text.start),
            line_text: line_text.clone(),
        }
    }
}

/// The engine in one thread.
#[derive(Debug)]
pub struct Session {
    rules: Arc<Ruleset>,
    config: SessionConfig,
    decoder: Decoder,
    sequencer: Sequencer,
    matcher: Matcher,
    collector: Collector,
    /// Next line and offset, by source.
    places: Vec<(u64, u64)>,
    arrival: Timestamp,
    alerts: Vec<Alert>,
    late: Vec<String>,
    rejects: Vec<Rejected>,
    totals: BatchStats,
    no_key: Vec<u64>,
    pending: Vec<u64>,
    finished: bool,
    /// The summary as it was at the end of the input, before undecided absences were looked at.
    ended: Option<Summary>,
}

impl Session {
    /// A session that has seen nothing.
    pub fn new(rules: Arc<Ruleset>, config: SessionConfig) -> Self {
        let decoder = Decoder::new(Arc::clone(&rules), config.decode(1));
        let upper = rules.gathers().then(|| Decoder::new(Arc::clone(&rules), config.decode(1)));
        let mut collector = Collector::new(Arc::clone(&rules), config.evidence, config.limits.clone(), upper, None);
        collector.show_internal(config.show_internal);
        let mut matcher = Matcher::new(Arc::clone(&rules), config.limits.clone(), None).scheduled(0, None);
        let mut sequencer = Sequencer::new(config.order());
        let budget = Budget::new(config.limits.memory);
        let parts = 1 + rules.levels as usize;
        matcher.set_budget(&budget, parts);
        collector.set_budget(&budget, parts);
        sequencer.set_budget(&budget);
        Self {
            sequencer,
            matcher,
            places: vec![(1, 0); config.sources.max(1)],
            arrival: Timestamp(0),
            alerts: Vec::new(),
            late: Vec::new(),
            rejects: Vec::new(),
            totals: BatchStats::default(),
            no_key: vec![0; rules.rules.len()],
            pending: vec![0; rules.rules.len()],
            finished: false,
            ended: None,
            decoder,
            collector,
            rules,
            config,
        }
    }

    /// Goes on with a rule set that differs in nothing but what its tables hold; partial matches stay as they are.
    /// `false`, and nothing changes, for any other.
    pub fn set_tables(&mut self, rules: &Arc<Ruleset>) -> bool {
        if !self.rules.differs_only_in_tables(rules) {
            return false;
        }
        self.rules = Arc::clone(rules);
        self.decoder.set_tables(rules);
        self.matcher.set_tables(rules);
        self.collector.set_tables(rules);
        true
    }

    /// The arrival time of what is pushed from now on; only events without a time of their own depend on it.
    pub fn set_arrival(&mut self, arrival: Timestamp) {
        self.arrival = arrival;
    }

    /// Takes one event as a JSON object, the next line of source 0.
    pub fn push_line(&mut self, line: &str) {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.push_block_from(0, bytes);
    }

    /// Takes whole lines of source 0.
    pub fn push_block(&mut self, block: &[u8]) {
        self.push_block_from(0, block.to_vec());
    }

    /// Takes whole lines of a source.
    pub fn push_block_from(&mut self, source: usize, block: Vec<u8>) {
        let Some(place) = self.places.get_mut(source) else { return };
        let origin = BlockOrigin { input: source as u16, first_line: place.0, offset: place.1, arrival: self.arrival };
        let lines = memchr::memchr_iter(b'\n', &block).count() as u64;
        place.0 += lines + u64::from(block.last().is_some_and(|b| *b != b'\n'));
        place.1 += block.len() as u64;
        let batch = Arc::new(self.decoder.decode(block, origin));
        self.totals.add(&batch.stats);
        for (rule, count) in &batch.stats.no_key {
            self.no_key[rule.index()] += count;
        }
        for line_text in &batch.rejects {
            self.rejects.push(Rejected::of(&batch, line_text));
        }
        let progress = self.sequencer.push(Arc::clone(&batch));
        for record in progress.late.iter().chain(&progress.quarantined) {
            self.late.push(batch.line(&batch.records[*record as usize]).to_owned());
        }
        self.progress(&progress);
    }

    /// Nothing older than `watermark` comes any more, whatever the events say.
    pub fn advance(&mut self, watermark: Timestamp) {
        let progress = self.sequencer.advance(watermark);
        self.progress(&progress);
    }

    /// A line of a source was dropped unread because it is too long; `bytes` without its line end.
    pub fn skip_overlong(&mut self, source: usize, bytes: u64) {
        let Some(place) = self.places.get_mut(source) else { return };
        let (line, offset) = *place;
        *place = (line + 1, offset + bytes + 1);
        self.totals.rejects[Reject::LineTooLong as usize] += 1;
        self.totals.bytes += bytes + 1;
        if self.config.keep_rejects {
            let (reason, text) = (Reject::LineTooLong, String::new());
            let line_text = RejectedLine { line: 0, start: 0, column: 0, reason, text };
            self.rejects.push(Rejected { input: source as u16, line, offset, line_text });
        }
    }

    /// A source has been silent for long; until it speaks again it no longer holds back the others.
    pub fn idle_source(&mut self, source: usize) {
        let progress = self.sequencer.idle(source);
        self.progress(&progress);
    }

    /// The largest event time of a source.
    pub fn newest(&self, source: usize) -> Timestamp {
        self.sequencer.newest(source)
    }

    /// A source has ended; it no longer holds back the others.
    pub fn end_source(&mut self, source: usize) {
        let progress = self.sequencer.end(source);
        self.progress(&progress);
    }

    /// The input has ended.
    pub fn finish(&mut self, at_end: AtEnd) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        for source in 0..self.places.len() {
            self.end_source(source);
        }
        let progress = self.sequencer.finish();
        self.progress(&progress);
        let watermark = progress.watermark;
        let mut alerts = std::mem::take(&mut self.alerts);
        self.collector.finish(watermark, &mut alerts);
        // What is open is told as it was when the input ended.
        self.ended = Some(self.counted());
        let mut found = Vec::new();
        self.matcher.end(at_end == AtEnd::Flush);
        self.collector.end(at_end == AtEnd::Flush);
        self.matcher.advance(Timestamp::MAX, &mut found);
        if at_end == AtEnd::Pending {
            // Deciding them shows how many there are, and the session is over: nothing uses the state again.
            for f in &found {
                self.pending[f.rule.index()] += 1;
            }
            for (pending, more) in self.pending.iter_mut().zip(self.collector.pending()) {
                *pending += more;
            }
        } else {
            let drafts: Vec<Draft> = found.into_iter().map(|f| self.collector.builder().build(f)).collect();
            self.collector.collect(drafts, Timestamp::MAX, &mut alerts);
            self.collector.finish(Timestamp::MAX, &mut alerts);
            self.ended = None;
        }
        self.alerts = alerts;
    }

    /// The alerts since the last call, in order.
    pub fn drain(&mut self) -> Vec<Alert> {
        std::mem::take(&mut self.alerts)
    }

    /// Late and quarantined lines since the last call.
    pub fn take_late(&mut self) -> Vec<String> {
        std::mem::take(&mut self.late)
    }

    /// Rejected lines since the last call.
    pub fn take_rejects(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejects)
    }

    /// How far event time has come.
    pub fn watermark(&self) -> Timestamp {
        self.sequencer.watermark()
    }

    /// Counts so far.
    pub fn summary(&self) -> Summary {
        let mut summary = self.ended.clone().unwrap_or_else(|| self.counted());
        summary.add_sent(self.collector.counters());
        summary.add_pending(&self.pending);
        summary
    }

    fn counted(&self) -> Summary {
        let mut summary = Summary::new(&self.rules);
        summary.add_input(&self.totals, &self.no_key, &self.sequencer.stats);
        summary.add_matcher(&self.rules, &self.matcher);
        for matcher in self.collector.matchers() {
            summary.add_matcher(&self.rules, matcher);
        }
        summary
    }

    fn progress(&mut self, progress: &Progress) {
        let mut found = Vec::new();
        if let Some(start) = progress.start {
            self.matcher.begin(start, &mut found);
            self.collector.begin(start);
        }
        let full = self.config.evidence == Evidence::Full;
        match_released(&mut self.matcher, &progress.released, None, full, &mut found);
        self.matcher.advance(progress.watermark, &mut found);
        feed_upper(&mut self.collector, &self.rules, &progress.released);
        let drafts = found.into_iter().map(|f| self.collector.builder().build(f)).collect();
        self.collector.collect(drafts, progress.watermark, &mut self.alerts);
    }
}

/// Feeds released events to the matcher of one shard; `None` for the only one.
pub(crate) fn match_released(
    matcher: &mut Matcher,
    released: &Released,
    shard: Option<(usize, usize)>,
    full_evidence: bool,
    found: &mut Vec<Found>,
) {
    match released.events() {
        Events::Whole(batch) => {
            let mine = &batch.shards[shard.map_or(0, |(mine, _)| mine)];
            let hits = released.within(mine, |at| batch.hits[*at as usize].record);
            matcher.take(batch, hits.iter().copied(), full_evidence, found);
        }
        Events::Records(records) => {
            for (batch, record) in records.range(released.part()) {
                let record = &batch.records[record as usize];
                let is_mine = |hash| shard.is_none_or(|(mine, of)| shard_of(hash, of) == mine);
                let hits: SmallVec<[u32; 16]> = (record.first_hit..record.end_hit)
                    .filter(|at| {
                        let hit = &batch.hits[*at as usize];
                        matcher.is_level(hit.rule, 0) && is_mine(hit.hash)
                    })
                    .collect();
                matcher.take(batch, hits.into_iter(), full_evidence, found);
            }
        }
    }
}

/// Hands events that rules on alerts read to the collector.
pub(crate) fn feed_upper(collector: &mut Collector, rules: &Ruleset, released: &Released) {
    if !rules.gathers() {
        return;
    }
    let upper = |rule: RuleId| rules.is_gathered(rule);
    let mut take = |batch: &Arc<Batch>, at: u32| {
        let record = &batch.records[at as usize];
        if batch.hits[record.first_hit as usize..record.end_hit as usize].iter().any(|h| upper(h.rule)) {
            collector.input(batch, at);
        }
    };
    match released.events() {
        Events::Whole(batch) => {
            let mut last = None;
            for hit in released.within(&batch.upper, |at| batch.hits[*at as usize].record) {
                let record = batch.hits[*hit as usize].record;
                if last != Some(record) {
                    take(batch, record);
                    last = Some(record);
                }
            }
        }
        Events::Records(records) => records.range(released.part()).for_each(|(batch, at)| take(batch, at)),
    }
}
