//! The driver: the thread of whoever runs the engine. It works as the others do, and besides it collects steps in their
//! order, hands alerts to the handler, watches the clock for live sources, and ends the run.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration as StdDuration, Instant, SystemTime, UNIX_EPOCH};

use super::board::{Begins, Board, DRIVER, Done, State};
use super::checkpoint::{self, Saved};
use super::ports::{Handler, Place, Progress, Source};
use super::reader;
use super::shard::{Shard, ShardEnd};
use super::step::{Arrived, OpenStep, Step};
use super::worker::{Closer, Worker};
use crate::alert::Alert;
use crate::alert::build::Draft;
use crate::alert::collect::Collector;
use crate::base::{Budget, Duration, Timestamp};
use crate::decode::batch::BatchStats;
use crate::decode::decoder::Decoder;
use crate::matcher::shard::Matcher;
use crate::plan::Ruleset;
use crate::session::head::Parts;
use crate::session::{AtEnd, Rejected, SessionConfig, SourceSummary, StateError, Summary, feed_upper};
use crate::time::sequencer::Sequencer;

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// What does not depend on threads.
    pub session: SessionConfig,
    /// Threads that work, 1 at least; the caller's is one of them.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// A source silent for so long no longer holds time back.
    pub idle: Duration,
    /// By source: the same, where it has a time of its own. Sources beyond have none.
    pub own: Vec<Option<Duration>>,
}

impl Live {
    /// Sources silent for so long no longer hold time back.
    pub fn after(idle: Duration) -> Self {
        Self { idle, own: Vec::new() }
    }

    fn idle_of(&self, source: usize) -> Duration {
        self.own.get(source).copied().flatten().unwrap_or(self.idle)
    }
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

/// How often the driver looks whether it was told to stop, when nothing happens, and at silent sources.
const TICK: StdDuration = StdDuration::from_millis(50);

/// A process that has looked at nothing for so long stood still, as one that was stopped, or that an output kept waiting.
const STOOD_STILL: StdDuration = StdDuration::from_secs(1);

/// How far time stays behind the wall clock while all sources are silent: what has got the time of its arrival may
/// still be on its way, in a queue or a journal.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

pub(super) fn now() -> Timestamp {
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
    let mut driver = Driver::new(rules, &config, sources, saved, handler)?;
    driver.drive();
    Ok(driver.finish())
}

struct Driver<'a> {
    rules: Arc<Ruleset>,
    config: &'a EngineConfig,
    handler: &'a mut dyn Handler,
    collector: Collector,
    board: Arc<Board>,
    worker: Worker,
    others: Vec<JoinHandle<()>>,
    totals: BatchStats,
    no_key: Vec<u64>,
    /// For each source, what it has given in this run.
    sources: Vec<SourceSummary>,
    /// For each source, where it goes on after what has been collected.
    places: Vec<Place>,
    /// Something has happened since the last checkpoint.
    moved: bool,
    progress: Progress,
    /// The handler has broken off: nothing more is handed to it.
    broken: bool,
    /// When silent sources were looked at last.
    looked: Instant,
    _closer: Closer,
}

impl<'a> Driver<'a> {
    fn new(
        rules: &Arc<Ruleset>,
        config: &'a EngineConfig,
        sources: Vec<Box<dyn Source>>,
        saved: Option<Saved>,
        handler: &'a mut dyn Handler,
    ) -> Result<Self, StateError> {
        let session = &config.session;
        let clock = config.time_rules.then_some(nanos as fn() -> u64);
        let decoder = || Decoder::new(Arc::clone(rules), session.decode(config.threads));
        let upper = rules.gathers().then(decoder);
        let mut collector = Collector::new(Arc::clone(rules), session.evidence, session.limits.clone(), upper, clock);
        let shard = |at| Shard::new(rules, session, (at, config.threads), clock);
        let mut shards: Vec<Shard> = (0..config.threads).map(shard).collect();
        let mut sequencer = Sequencer::new(session.order());
        let budget = Budget::new(session.limits.memory);
        let parts = config.threads + rules.levels as usize;
        shards.iter_mut().for_each(|shard| shard.matcher_mut().set_budget(&budget, parts));
        collector.set_budget(&budget, parts);
        sequencer.set_budget(&budget);
        let (mut totals, mut no_key) = (BatchStats::default(), vec![0; rules.rules.len()]);
        let mut places = vec![Place::default(); session.sources];
        if let Some(saved) = saved {
            let (totals, no_key) = (&mut totals, &mut no_key[..]);
            let mut parts = Parts { sequencer: &mut sequencer, collector: &mut collector, totals, no_key };
            let matchers = shards.iter_mut().map(Shard::matcher_mut).collect();
            let known = checkpoint::put_back(saved, rules, &mut parts, matchers, &mut decoder())?;
            places.iter_mut().zip(known).for_each(|(place, known)| *place = known);
        }
        if config.checkpoints {
            let matchers = shards.iter_mut().map(Shard::matcher_mut);
            matchers.chain(collector.matchers_mut()).for_each(Matcher::track_changes);
        }
        let (mut shared, mut threaded) = (Vec::new(), Vec::new());
        let mut begin: Vec<Begins> = sources.iter().map(|source| Begins::of(&**source)).collect();
        let mut first_steps = Vec::new();
        for (at, begins) in begin.iter_mut().enumerate() {
            // Only where there is live input anything is idle; one that spoke in an earlier run is waited for.
            begins.silent &= config.live.is_some() && sequencer.newest(at) == Timestamp::MIN;
            if begins.silent {
                first_steps.push(Step::of(sequencer.idle(at)));
            }
        }
        for (at, source) in sources.into_iter().enumerate() {
            if source.may_wait() {
                threaded.push((at, source));
                shared.push(None);
            } else {
                shared.push(Some(source));
            }
        }
        let board = Arc::new(Board::new(rules, shared, &begin, sequencer, shards, config.live.is_some()));
        let mut state = board.lock();
        // Nothing is read before the first checkpoint.
        state.holding = config.checkpoints;
        first_steps.into_iter().filter(|step| step.watermark > Timestamp::MIN).for_each(|step| state.add_step(step));
        drop(state);
        let worker = || Worker { board: Arc::clone(&board), decoder: decoder(), edition: 0 };
        let others = (1..config.threads).map(|me| worker().start(me)).collect();
        for (at, source) in threaded {
            reader::start(Arc::clone(&board), at, source);
        }
        Ok(Self {
            rules: Arc::clone(rules),
            config,
            handler,
            collector,
            worker: worker(),
            others,
            totals,
            no_key,
            sources: vec![SourceSummary::default(); session.sources],
            places,
            moved: true,
            progress: Progress::default(),
            broken: false,
            looked: Instant::now(),
            _closer: Closer(Arc::clone(&board)),
            board,
        })
    }

    /// Whether the run was stopped from outside.
    fn stopped(&self) -> bool {
        self.config.stop.load(Ordering::Relaxed)
    }

    fn drive(&mut self) {
        let mut done = None;
        loop {
            if self.config.checkpoints && self.moved && self.handler.wants_checkpoint() {
                self.take_checkpoint(done.take());
            }
            if self.broken {
                self.board.lock().break_off();
            } else if self.stopped() {
                self.board.lock().closing = true;
            }
            let idled = self.turn(&mut done);
            let anew = self.handler.new_tables();
            if let Some(rules) = anew.filter(|rules| self.rules.differs_only_in_tables(rules)) {
                self.set_tables(&rules, done.take());
            }
            if idled && self.board.lock().is_drained() {
                return;
            }
            let config = self.config;
            if let Some(live) = &config.live
                && self.looked.elapsed() >= TICK
            {
                self.look(live);
            }
        }
    }

    /// Does one thing that there is to do. True if there was nothing for a while, or nothing will come.
    fn turn(&mut self, done: &mut Option<Done>) -> bool {
        let Some((task, edition)) = self.board.turn(DRIVER, done.take(), TICK) else {
            self.give_up_after_panic();
            return true;
        };
        self.worker.keep_up(edition);
        match self.worker.perform(task) {
            Ok(did) => *done = Some(did),
            Err(open) => self.collect(open),
        }
        false
    }

    /// A thread that has panicked would be missed at the next step: the panic goes on in the caller.
    fn give_up_after_panic(&mut self) {
        if self.others.iter().any(JoinHandle::is_finished) {
            self.join();
        }
    }

    fn join(&mut self) {
        self.board.close();
        for other in self.others.drain(..) {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }

    /// Brings everything that has been read through the shards and the collector. Reading stands still until
    /// [`State::holding`] is taken back.
    fn settle(&mut self, mut done: Option<Done>) {
        self.board.lock().holding = true;
        while !self.turn(&mut done) || !self.board.lock().is_settled() {}
    }

    /// Takes a checkpoint between two blocks, and goes on reading.
    fn take_checkpoint(&mut self, done: Option<Done>) {
        self.settle(done);
        self.moved = false;
        let board = Arc::clone(&self.board);
        let mut state = board.lock();
        let sequencer = state.sequencer.take().expect("nobody puts anything in order once all is collected");
        let matchers = state.shards_mut().map(Shard::matcher_mut).collect();
        let counts = (&self.totals, &self.no_key[..]);
        let taken = checkpoint::take(&self.rules, &sequencer, &mut self.collector, counts, matchers, &self.places);
        state.sequencer = Some(sequencer);
        state.holding = false;
        drop(state);
        self.tell(|handler| handler.checkpoint(taken));
    }

    /// Swaps tables between two blocks: what was read before them is matched with the old ones, whatever the thread.
    fn set_tables(&mut self, rules: &Arc<Ruleset>, done: Option<Done>) {
        self.settle(done);
        let mut state = self.board.lock();
        self.rules = Arc::clone(rules);
        self.collector.set_tables(rules);
        state.shards_mut().for_each(|shard| shard.set_tables(rules));
        state.rules = Arc::clone(rules);
        state.edition += 1;
        state.holding = false;
    }

    /// Looks for sources that have been silent for long: they no longer hold time back. With all of them silent, the
    /// wall clock is all there is. Before the first event there is nothing to decide.
    fn look(&mut self, live: &Live) {
        let stood_still = self.looked.elapsed() >= STOOD_STILL;
        self.looked = Instant::now();
        let board = Arc::clone(&self.board);
        let mut state = board.lock();
        let State { inputs, sequencer, .. } = &mut *state;
        if stood_still {
            // What came meanwhile is still to be read: nobody was silent.
            self.looked += STOOD_STILL;
            inputs.iter_mut().for_each(|input| input.heard = self.looked);
            return;
        }
        let Some(sequencer) = sequencer else { return };
        let mut steps = Vec::new();
        for (at, input) in inputs.iter_mut().enumerate().filter(|(_, input)| !input.ended && !input.idle && !input.more)
        {
            let silent = Duration(i64::try_from(input.heard.elapsed().as_nanos()).unwrap_or(i64::MAX));
            if input.in_flight == 0 && input.read.is_empty() && silent >= live.idle_of(at) {
                input.idle = true;
                steps.push(Step::of(sequencer.idle(at)));
            }
        }
        // When all have ended nothing is left to wait for, and what is open stays undecided.
        let lives = inputs.iter().any(|input| !input.ended);
        let quiet = lives && inputs.iter().all(|input| input.idle || (input.ended && input.in_flight == 0));
        if quiet && sequencer.watermark() > Timestamp::MIN {
            steps.push(Step::of(sequencer.advance(now() - ON_ITS_WAY - self.config.session.largest_lateness())));
        }
        steps.into_iter().for_each(|step| state.add_step(step));
    }

    /// Hands on what a step has brought.
    fn collect(&mut self, open: OpenStep) {
        let OpenStep { step, drafts, .. } = open;
        self.moved = true;
        if let Some(start) = step.start {
            self.collector.begin(start);
        }
        match &step.arrived {
            Some(Arrived::Batch { batch, refused, after }) => {
                let input = usize::from(batch.input);
                self.places[input].clone_from(after);
                let source = &mut self.sources[input];
                for line in refused {
                    let reason = line.line_text.reason as usize;
                    self.totals.rejects[reason] += 1;
                    source.rejects[reason] += 1;
                }
                source.add(&batch.stats, step.late.len());
                for line in refused {
                    self.tell(|handler| handler.rejected(line));
                }
                self.totals.add(&batch.stats);
                self.progress.bytes += batch.stats.bytes;
                self.progress.events += batch.stats.events;
                for (rule, count) in &batch.stats.no_key {
                    self.no_key[rule.index()] += count;
                }
                for line_text in &batch.rejects {
                    self.tell(|handler| handler.rejected(&Rejected::of(batch, line_text)));
                }
                for record in &step.late {
                    let line = batch.line(&batch.records[*record as usize]);
                    self.tell(|handler| handler.late(batch.input, line));
                }
            }
            Some(Arrived::End { input, failure: Some(failure) }) => self.handler.failed(*input, failure),
            Some(Arrived::End { .. }) | None => {}
        }
        feed_upper(&mut self.collector, &self.rules, &step.released);
        self.send(drafts, step.watermark);
        if step.arrived.is_some() {
            self.progress.watermark = (step.watermark > Timestamp::MIN).then_some(step.watermark);
            self.handler.progress(self.progress);
        }
        self.board.collected(step);
    }

    fn send(&mut self, drafts: Vec<Draft>, watermark: Timestamp) {
        let mut alerts = Vec::new();
        self.collector.collect(drafts, watermark, &mut alerts);
        self.emit(&alerts);
    }

    fn emit(&mut self, alerts: &[Alert]) {
        if !alerts.is_empty() && !self.broken {
            self.progress.alerts += alerts.len() as u64;
            self.tell(|handler| handler.alerts(alerts));
        }
    }

    /// Tells the handler something, unless it has broken off.
    fn tell(&mut self, what: impl FnOnce(&mut dyn Handler) -> ControlFlow<()>) {
        self.broken = self.broken || what(self.handler).is_break();
    }

    fn finish(mut self) -> Summary {
        let board = Arc::clone(&self.board);
        let mut state = board.lock();
        let sequencer = state.sequencer.as_mut().expect("nobody puts anything in order once all is collected");
        // With checkpoints a run that is stopped only pauses: what is held back is in the last one.
        let pauses = self.config.checkpoints && self.stopped();
        let progress = (!pauses).then(|| sequencer.finish());
        let order = sequencer.stats.clone();
        let watermark = progress.as_ref().map(|progress| progress.watermark);
        progress.into_iter().for_each(|progress| state.add_step(Step::of(progress)));
        drop(state);
        self.settle(None);
        if let Some(watermark) = watermark {
            let mut alerts = Vec::new();
            self.collector.finish(watermark, &mut alerts);
            self.emit(&alerts);
        }
        if self.config.checkpoints {
            self.take_checkpoint(None);
        }
        self.join();

        let mut summary = Summary::new(&self.rules);
        summary.add_input(&self.totals, &self.no_key, &order);
        summary.sources = std::mem::take(&mut self.sources);
        // What was stopped from outside stays undecided.
        let flush = self.config.at_end == AtEnd::Flush && !self.stopped();
        self.collector.end(flush);
        let mut drafts = Vec::new();
        for end in ends(&mut board.lock(), flush) {
            summary.add_counters(&end.counters, &end.open);
            drafts.extend(end.drafts);
        }
        let mut pending = vec![0; self.rules.rules.len()];
        if flush {
            for draft in &drafts {
                summary.rules[draft.alert.rule.index()].matches += 1;
            }
            self.send(drafts, Timestamp::MAX);
            let mut alerts = Vec::new();
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
}

/// The ends of all shards, each on a thread of its own.
fn ends(state: &mut State, flush: bool) -> Vec<ShardEnd> {
    thread::scope(|scope| {
        let ends: Vec<_> = state.shards_mut().map(|shard| scope.spawn(move || shard.end(flush))).collect();
        ends.into_iter().map(|end| end.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}
