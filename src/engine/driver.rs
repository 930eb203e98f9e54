//! The driver: which block is read next, in what order batches are matched, and when to stop.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration as StdDuration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Select, Sender, bounded, unbounded};

use super::checkpoint::{self, Saved};
use super::ports::{Handler, Place, Progress, Source, SourceBlock};
use super::reader::{self, Read};
use super::worker::{DecodeTask, ShardDone, ShardEnd, ShardTask, Wiring, Worker};
use crate::alert::Alert;
use crate::alert::build::Builder;
use crate::alert::collect::Collector;
use crate::base::{Duration, Timestamp};
use crate::decode::Reject;
use crate::decode::batch::{Batch, BatchStats, BlockOrigin, Decoder, RejectedLine};
use crate::matcher::shard::Matcher;
use crate::plan::Ruleset;
use crate::session::head::Parts;
use crate::session::{AtEnd, Rejected, SessionConfig, StateError, Summary, feed_upper};
use crate::time::sequencer::{self, Released, Sequencer};

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// What does not depend on threads.
    pub session: SessionConfig,
    /// Worker threads, 1 at least.
    pub threads: usize,
    /// Undecided absences at the end of the input.
    pub at_end: AtEnd,
    /// The sources are live: the wall clock moves time on when they are silent. `None` replays.
    pub live: Option<Live>,
    /// Set from elsewhere to stop reading, drain and finish.
    pub stop: Arc<AtomicBool>,
    /// Sample how long rules take.
    pub time_rules: bool,
    /// Take checkpoints. A run that is stopped then only pauses: what is held back stays held back for the next one.
    pub checkpoints: bool,
}

/// Live input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// A source silent for so long no longer holds time back.
    pub idle: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            session: SessionConfig::default(),
            threads: 1,
            at_end: AtEnd::default(),
            live: None,
            stop: Arc::default(),
            time_rules: false,
            checkpoints: false,
        }
    }
}

/// How often a waiting driver looks whether it was told to stop.
const TICK: StdDuration = StdDuration::from_millis(50);

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn nanos() -> u64 {
    // A process-wide start keeps the numbers small; only differences are used.
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Runs the rules over the sources until all have ended, the handler breaks off, or `stop` is set.
pub fn run(
    rules: &Arc<Ruleset>,
    config: &EngineConfig,
    sources: Vec<Box<dyn Source>>,
    handler: &mut dyn Handler,
) -> Summary {
    run_from(rules, config, sources, None, handler).expect("there is nothing to go on from that could be unreadable")
}

/// As [`run`], going on from a saved state. Sources must go on at the places saved with it.
///
/// # Errors
/// The state is of a form that this release does not read.
pub fn run_from(
    rules: &Arc<Ruleset>,
    config: &EngineConfig,
    sources: Vec<Box<dyn Source>>,
    saved: Option<Saved>,
    handler: &mut dyn Handler,
) -> Result<Summary, StateError> {
    let mut config = config.clone();
    config.session.sources = sources.len().max(1);
    config.threads = config.threads.max(1);
    let mut driver = Driver::new(rules, &config, saved, handler)?;
    driver.drive(sources.into_iter().map(reader::start).collect());
    Ok(driver.finish())
}

/// One source as the driver sees it.
#[derive(Debug)]
struct Input {
    blocks: Option<Receiver<Read>>,
    heard: Instant,
    idle: bool,
    /// For blocks read and not yet put in order: where the source goes on after them.
    in_flight: VecDeque<Place>,
}

/// A batch's way back into order.
#[derive(Debug)]
enum Arrived {
    Batch(Box<Batch>),
    /// The source ends after the blocks before this.
    End(usize),
}

struct Driver<'a> {
    rules: Arc<Ruleset>,
    config: &'a EngineConfig,
    handler: &'a mut dyn Handler,
    sequencer: Sequencer,
    collector: Collector,
    work: Work,
    /// Number of the next block to read, and of the next to put in order.
    next_number: u64,
    next_in_order: u64,
    waiting: BTreeMap<u64, Arrived>,
    inputs: Vec<Input>,
    totals: BatchStats,
    no_key: Vec<u64>,
    /// For each source, where it goes on after what has been put in order.
    places: Vec<Place>,
    progress: Progress,
    /// Something has happened since the last checkpoint, or there is none.
    moved: bool,
    stopped: bool,
}

/// Where decoding and matching happen.
enum Work {
    /// In the driver itself: one thread needs no hand-over.
    Inline { decoder: Box<Decoder>, matcher: Box<Matcher>, done: Vec<(u64, Batch)> },
    Threads {
        decode: Option<Sender<DecodeTask>>,
        decoded: Receiver<(u64, Batch)>,
        shards: Vec<(Sender<ShardTask>, Receiver<ShardDone>)>,
        handles: Vec<std::thread::JoinHandle<()>>,
        /// Steps handed out, oldest first: their watermark and events.
        steps: std::collections::VecDeque<(Arc<Released>, Timestamp)>,
    },
}

impl<'a> Driver<'a> {
    fn new(
        rules: &'a Arc<Ruleset>,
        config: &'a EngineConfig,
        saved: Option<Saved>,
        handler: &'a mut dyn Handler,
    ) -> Result<Self, StateError> {
        let session = &config.session;
        let clock = config.time_rules.then_some(nanos as fn() -> u64);
        let decoder = || Decoder::new(Arc::clone(rules), session.decode(config.threads));
        let matcher = || Matcher::new(Arc::clone(rules), session.limits.clone(), clock);
        let upper = rules.gathers().then(decoder);
        let mut collector = Collector::new(Arc::clone(rules), session.evidence, session.limits.clone(), upper, clock);
        let shard = |at| (config.threads > 1).then_some((at, config.threads));
        let mut matchers: Vec<Matcher> = (0..config.threads).map(|at| matcher().scheduled(0, shard(at))).collect();
        let mut sequencer = Sequencer::new(session.order());
        let (mut totals, mut no_key) = (BatchStats::default(), vec![0; rules.rules.len()]);
        let mut places = vec![Place::default(); session.sources];
        if let Some(saved) = saved {
            let mut parts = Parts {
                sequencer: &mut sequencer,
                collector: &mut collector,
                totals: &mut totals,
                no_key: &mut no_key,
            };
            let shards = matchers.iter_mut().collect();
            let known = checkpoint::put_back(saved, rules, &mut parts, shards, &mut decoder())?;
            places.iter_mut().zip(known).for_each(|(place, known)| *place = known);
        }
        if config.checkpoints {
            matchers.iter_mut().chain(collector.matchers_mut()).for_each(Matcher::track_changes);
        }
        let work = if config.threads == 1 {
            let matcher = Box::new(matchers.remove(0));
            Work::Inline { decoder: Box::new(decoder()), matcher, done: Vec::new() }
        } else {
            let builder = Arc::new(Builder::new(Arc::clone(rules), session.evidence));
            let (decode, decode_in) = bounded(2 * config.threads);
            let (decoded_out, decoded) = unbounded();
            let (mut shards, mut handles) = (Vec::new(), Vec::new());
            for (shard, matcher) in matchers.into_iter().enumerate() {
                let (to_shard, shard_in) = unbounded();
                let (done_out, done) = unbounded();
                let worker = Worker {
                    decoder: decoder(),
                    matcher,
                    builder: Arc::clone(&builder),
                    shard: (shard, config.threads),
                    full_evidence: session.evidence == crate::alert::Evidence::Full,
                };
                let wiring =
                    Wiring { decode: decode_in.clone(), decoded: decoded_out.clone(), shard: shard_in, done: done_out };
                handles.push(worker.start(wiring));
                shards.push((to_shard, done));
            }
            Work::Threads { decode: Some(decode), decoded, shards, handles, steps: Default::default() }
        };
        Ok(Self {
            rules: Arc::clone(rules),
            config,
            handler,
            sequencer,
            collector,
            work,
            next_number: 0,
            next_in_order: 0,
            waiting: BTreeMap::new(),
            inputs: Vec::new(),
            totals,
            no_key,
            places,
            progress: Progress::default(),
            moved: true,
            stopped: false,
        })
    }

    fn should_stop(&mut self) -> bool {
        self.stopped |= self.config.stop.load(Ordering::Relaxed);
        self.stopped
    }

    /// Blocks that may be on their way at once: enough to keep all workers busy, few enough to stay in the cache.
    fn room(&self) -> bool {
        let most = if self.config.threads == 1 { 1 } else { 2 * self.config.threads as u64 + 2 };
        self.next_number - self.next_in_order < most
    }

    fn drive(&mut self, readers: Vec<Receiver<Read>>) {
        let heard = Instant::now();
        let input = |blocks| Input { blocks: Some(blocks), heard, idle: false, in_flight: VecDeque::new() };
        self.inputs = readers.into_iter().map(input).collect();
        loop {
            if self.config.checkpoints && self.moved && self.handler.wants_checkpoint() {
                self.take_checkpoint();
            }
            self.take_decoded(false);
            if let Some(rules) = self.handler.new_tables() {
                self.set_tables(&rules);
            }
            if self.should_stop() {
                break;
            }
            if self.inputs.iter().all(|i| i.blocks.is_none()) {
                break;
            }
            if !self.room() {
                self.take_decoded(true);
                continue;
            }
            if self.config.live.is_some() { self.read_live() } else { self.read_next() }
        }
        self.drain();
    }

    /// Brings everything that has been read through the shards.
    fn drain(&mut self) {
        while self.next_in_order < self.next_number {
            self.take_decoded(true);
        }
        self.settle_steps(0);
    }

    /// Takes a checkpoint between two blocks.
    fn take_checkpoint(&mut self) {
        self.drain();
        self.moved = false;
        let shares = match &mut self.work {
            Work::Inline { matcher, .. } => vec![checkpoint::share(matcher)],
            Work::Threads { shards, .. } => {
                for (shard, _) in shards.iter() {
                    let _ = shard.send(ShardTask::Save);
                }
                let mut shares = Vec::new();
                for (_, done) in shards.iter() {
                    match done.recv() {
                        Ok(ShardDone::Saved(share)) => shares.push(share),
                        // A worker is gone: half a state is none.
                        _ => {
                            self.stopped = true;
                            return;
                        }
                    }
                }
                shares
            }
        };
        let counts = (&self.totals, &self.no_key[..]);
        let taken =
            checkpoint::take(&self.rules, &self.sequencer, &mut self.collector, counts, shares, &self.places);
        if !self.broken() && self.handler.checkpoint(taken).is_break() {
            self.stopped = true;
        }
    }

    /// Swaps tables between two blocks: what was read before them is matched with the old ones, whatever the thread.
    fn set_tables(&mut self, rules: &Arc<Ruleset>) {
        if !self.rules.differs_only_in_tables(rules) {
            return;
        }
        self.drain();
        self.rules = Arc::clone(rules);
        self.collector.set_tables(rules);
        match &mut self.work {
            Work::Inline { decoder, matcher, .. } => {
                decoder.set_tables(rules);
                matcher.set_tables(rules);
            }
            Work::Threads { shards, .. } => {
                for (shard, _) in shards.iter() {
                    let _ = shard.send(ShardTask::Tables(Arc::clone(rules)));
                }
                for (_, done) in shards.iter() {
                    self.stopped |= !matches!(done.recv(), Ok(ShardDone::Swapped));
                }
            }
        }
    }

    /// Replaying: reads the source whose time is furthest behind, so that little is held back.
    fn read_next(&mut self) {
        let several = self.inputs.len() > 1;
        let next = (0..self.inputs.len())
            .filter(|i| self.inputs[*i].blocks.is_some() && (!several || self.inputs[*i].in_flight.is_empty()))
            .min_by_key(|i| (self.sequencer.newest(*i), *i));
        let Some(at) = next else {
            self.take_decoded(true);
            return;
        };
        let Some(blocks) = self.inputs[at].blocks.clone() else { return };
        match blocks.recv_timeout(TICK) {
            Ok(read) => self.take_read(at, read),
            // A pipe that pauses: what is known by now is not held back until it goes on.
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => self.settle_steps(0),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => self.take_read(at, Read::Ended),
        }
    }

    /// Live: takes whatever comes first, and lets the wall clock move time on while nothing does.
    fn read_live(&mut self) {
        let idle = self.config.live.map_or(Duration::MAX, |l| l.idle);
        let open: Vec<(usize, Receiver<Read>)> =
            self.inputs.iter().enumerate().filter_map(|(i, input)| Some((i, input.blocks.clone()?))).collect();
        let mut select = Select::new();
        for (_, blocks) in &open {
            select.recv(blocks);
        }
        let decoded = match &self.work {
            Work::Threads { decoded, .. } => Some(decoded.clone()),
            Work::Inline { .. } => None,
        };
        if let Some(decoded) = &decoded {
            select.recv(decoded);
        }
        match select.select_timeout(TICK) {
            Ok(operation) if operation.index() < open.len() => {
                let (at, blocks) = &open[operation.index()];
                let read = operation.recv(blocks).unwrap_or(Read::Ended);
                self.inputs[*at].heard = Instant::now();
                self.inputs[*at].idle = false;
                self.take_read(*at, read);
            }
            Ok(operation) => {
                if let Some(decoded) = &decoded
                    && let Ok((number, batch)) = operation.recv(decoded)
                {
                    self.waiting.insert(number, Arrived::Batch(Box::new(batch)));
                    self.in_order();
                }
            }
            Err(_) => {
                self.settle_steps(0);
                if self.next_in_order == self.next_number {
                    self.idle(idle);
                }
            }
        }
    }

    fn idle(&mut self, idle: Duration) {
        let silent =
            |input: &Input| Duration(i64::try_from(input.heard.elapsed().as_nanos()).unwrap_or(i64::MAX)) >= idle;
        for at in 0..self.inputs.len() {
            if !self.inputs[at].idle && silent(&self.inputs[at]) {
                self.inputs[at].idle = true;
                let progress = self.sequencer.idle(at);
                self.step(progress);
            }
        }
        // With every source silent the wall clock is all there is. Before the first event there is nothing to decide.
        let quiet = self.inputs.iter().all(|i| i.idle || i.blocks.is_none());
        if quiet && self.sequencer.watermark() > Timestamp::MIN {
            let progress = self.sequencer.advance(now() - self.config.session.lateness);
            self.step(progress);
            self.settle_steps(0);
        }
    }

    fn take_read(&mut self, at: usize, read: Read) {
        match read {
            Read::Block(block) => self.submit(at, block),
            Read::Failed(failure) => {
                self.handler.failed(at, &failure);
                self.end_input(at);
            }
            Read::Ended => self.end_input(at),
        }
    }

    fn end_input(&mut self, at: usize) {
        self.inputs[at].blocks = None;
        let number = self.next_number;
        self.next_number += 1;
        self.waiting.insert(number, Arrived::End(at));
        self.in_order();
    }

    fn submit(&mut self, at: usize, block: SourceBlock) {
        if let Some((line, offset)) = block.overlong {
            self.totals.rejects[Reject::LineTooLong as usize] += 1;
            let line_text =
                RejectedLine { line: 0, start: 0, column: 0, reason: Reject::LineTooLong, text: String::new() };
            let rejected = Rejected { input: at as u16, line, offset, line_text };
            self.stopped |= self.handler.rejected(&rejected).is_break();
        }
        if block.bytes.is_empty() {
            // Nothing of this source may still be on its way when it is said where it goes on.
            match self.inputs[at].in_flight.back_mut() {
                Some(last) => *last = block.after,
                None => self.places[at] = block.after,
            }
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.inputs[at].in_flight.push_back(block.after);
        let arrival = block.arrival.unwrap_or_else(now);
        let origin = BlockOrigin { input: at as u16, first_line: block.first_line, offset: block.offset, arrival };
        match &mut self.work {
            Work::Inline { decoder, done, .. } => done.push((number, decoder.decode(block.bytes, origin))),
            Work::Threads { decode, .. } => {
                if let Some(decode) = decode
                    && decode.send(DecodeTask { number, bytes: block.bytes, origin }).is_err()
                {
                    self.stopped = true;
                }
            }
        }
    }

    /// Takes decoded batches; waits for one if asked to.
    fn take_decoded(&mut self, wait: bool) {
        match &mut self.work {
            Work::Inline { done, .. } => {
                for (number, batch) in done.drain(..) {
                    self.waiting.insert(number, Arrived::Batch(Box::new(batch)));
                }
            }
            Work::Threads { decoded, .. } => {
                if wait
                    && !self.waiting.contains_key(&self.next_in_order)
                    && let Ok((number, batch)) = decoded.recv_timeout(TICK)
                {
                    self.waiting.insert(number, Arrived::Batch(Box::new(batch)));
                }
                while let Ok((number, batch)) = decoded.try_recv() {
                    self.waiting.insert(number, Arrived::Batch(Box::new(batch)));
                }
            }
        }
        self.in_order();
    }

    /// Puts arrived batches in order as far as they go.
    fn in_order(&mut self) {
        while let Some(arrived) = self.waiting.remove(&self.next_in_order) {
            self.next_in_order += 1;
            match arrived {
                Arrived::End(at) => {
                    let progress = self.sequencer.end(at);
                    self.step(progress);
                }
                Arrived::Batch(batch) => self.take_batch(*batch),
            }
        }
    }

    fn take_batch(&mut self, batch: Batch) {
        let batch = Arc::new(batch);
        let input = usize::from(batch.input);
        if let Some(after) = self.inputs[input].in_flight.pop_front() {
            self.places[input] = after;
        }
        self.totals.add(&batch.stats);
        self.progress.bytes += batch.stats.bytes;
        self.progress.events += batch.stats.events;
        for (rule, count) in &batch.stats.no_key {
            self.no_key[rule.index()] += count;
        }
        for line_text in &batch.rejects {
            let rejected = Rejected::of(&batch, line_text);
            self.stopped |= self.handler.rejected(&rejected).is_break();
        }
        let progress = self.sequencer.push(Arc::clone(&batch));
        for record in progress.late.iter().chain(&progress.quarantined) {
            let line = batch.line(&batch.records[*record as usize]);
            self.stopped |= self.handler.late(batch.input, line).is_break();
        }
        self.step(progress);
        let watermark = self.sequencer.watermark();
        self.progress.watermark = (watermark > Timestamp::MIN).then_some(watermark);
        self.handler.progress(self.progress);
    }

    /// Hands a step to the shards.
    fn step(&mut self, progress: sequencer::Progress) {
        self.moved = true;
        let full = self.config.session.evidence == crate::alert::Evidence::Full;
        if let Some(start) = progress.start {
            self.collector.begin(start);
        }
        match &mut self.work {
            Work::Inline { matcher, .. } => {
                let mut found = Vec::new();
                if let Some(start) = progress.start {
                    matcher.begin(start, &mut found);
                }
                crate::session::match_released(matcher, &progress.released, None, full, &mut found);
                matcher.advance(progress.watermark, &mut found);
                feed_upper(&mut self.collector, &self.rules, &progress.released);
                let drafts = found.into_iter().map(|f| self.collector.builder().build(f)).collect();
                let mut alerts = Vec::new();
                self.collector.collect(drafts, progress.watermark, &mut alerts);
                self.emit(&alerts);
            }
            Work::Threads { shards, steps, .. } => {
                let released = Arc::new(progress.released);
                for (shard, _) in shards.iter() {
                    // A worker that is gone shows when its answer is missing.
                    let _ = shard.send(ShardTask::Match(Arc::clone(&released), progress.watermark, progress.start));
                }
                steps.push_back((released, progress.watermark));
                self.settle_steps(2);
            }
        }
    }

    /// Collects finished steps until at most `most` are open.
    fn settle_steps(&mut self, most: usize) {
        loop {
            let Work::Threads { shards, steps, .. } = &mut self.work else { return };
            if steps.len() <= most {
                return;
            }
            let Some((released, watermark)) = steps.pop_front() else { return };
            let mut drafts = Vec::new();
            for (_, done) in shards.iter() {
                match done.recv() {
                    Ok(ShardDone::Matched(mut more)) => drafts.append(&mut more),
                    Ok(ShardDone::Finished(_) | ShardDone::Swapped | ShardDone::Saved(_)) | Err(_) => self.stopped = true,
                }
            }
            feed_upper(&mut self.collector, &self.rules, &released);
            let mut alerts = Vec::new();
            self.collector.collect(drafts, watermark, &mut alerts);
            self.emit(&alerts);
        }
    }

    fn emit(&mut self, alerts: &[Alert]) {
        if alerts.is_empty() || self.broken() {
            return;
        }
        self.progress.alerts += alerts.len() as u64;
        if self.handler.alerts(alerts) == ControlFlow::Break(()) {
            self.stopped = true;
        }
    }

    /// The handler has broken off: nothing more is handed to it.
    fn broken(&self) -> bool {
        self.stopped && !self.config.stop.load(Ordering::Relaxed)
    }

    fn finish(mut self) -> Summary {
        // With checkpoints a run that is stopped only pauses: what is held back is in the last one.
        if !(self.config.checkpoints && self.stopped) {
            let progress = self.sequencer.finish();
            let watermark = progress.watermark;
            self.step(progress);
            self.settle_steps(0);
            let mut alerts = Vec::new();
            self.collector.finish(watermark, &mut alerts);
            self.emit(&alerts);
        }
        if self.config.checkpoints {
            self.take_checkpoint();
        }

        let mut summary = Summary::new(&self.rules);
        summary.add_input(&self.totals, &self.no_key, &self.sequencer.stats);
        let ends = self.end_shards();
        let mut drafts = Vec::new();
        for end in ends {
            summary.add_counters(&end.counters, &end.open);
            drafts.extend(end.drafts);
        }
        let mut pending = vec![0; self.rules.rules.len()];
        // What was stopped from outside stays undecided.
        if self.config.at_end == AtEnd::Flush && !self.config.stop.load(Ordering::Relaxed) {
            for draft in &drafts {
                summary.rules[draft.alert.rule.index()].matches += 1;
            }
            let mut alerts = Vec::new();
            self.collector.collect(drafts, Timestamp::MAX, &mut alerts);
            self.collector.finish(Timestamp::MAX, &mut alerts);
            self.emit(&alerts);
            for matcher in self.collector.matchers() {
                summary.add_matcher(&self.rules, matcher);
            }
        } else {
            for draft in &drafts {
                pending[draft.alert.rule.index()] += 1;
            }
            for matcher in self.collector.matchers() {
                summary.add_matcher(&self.rules, matcher);
            }
            for (pending, more) in pending.iter_mut().zip(self.collector.pending()) {
                *pending += more;
            }
        }
        summary.add_sent(self.collector.counters());
        summary.add_pending(&pending);
        summary
    }

    fn end_shards(&mut self) -> Vec<ShardEnd> {
        // What was stopped from outside stays undecided.
        let flush = self.config.at_end == AtEnd::Flush && !self.config.stop.load(Ordering::Relaxed);
        self.collector.end(flush);
        match &mut self.work {
            Work::Inline { matcher, .. } => {
                let (open, counters) = (matcher.open(), matcher.counters().to_vec());
                let mut found = Vec::new();
                matcher.end(flush);
                matcher.advance(Timestamp::MAX, &mut found);
                let drafts = found.into_iter().map(|f| self.collector.builder().build(f)).collect();
                vec![ShardEnd { drafts, counters, open }]
            }
            Work::Threads { decode, shards, handles, .. } => {
                *decode = None;
                for (shard, _) in shards.iter() {
                    let _ = shard.send(ShardTask::Finish(flush));
                }
                let ends = shards.iter().filter_map(|(_, done)| match done.recv() {
                    Ok(ShardDone::Finished(end)) => Some(*end),
                    _ => None,
                });
                let ends = ends.collect();
                shards.clear();
                for handle in handles.drain(..) {
                    // A worker's panic has been printed where it happened.
                    let _ = handle.join();
                }
                ends
            }
        }
    }
}
