//! One partition at work: its state is restored, its records are read and matched, and its checkpoints are handed on.
//!
//! ```text
//! restore ─► source ─► engine (a thread of its own) ─► alerts since the last checkpoint │ checkpoint ─► Event
//! ```
//! A partition is a run of its own, with its watermark, its deadlines and its state; it has the number among inputs that
//! it has where one process reads all of them, so positions and ids are the same. At most one checkpoint is on its way:
//! the next one is taken when that is committed.
#![expect(clippy::disallowed_methods, reason = "checkpoints are taken by the clock")]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded};
use tripline::alert::Alert;
use tripline::base::Timestamp;
use tripline::engine::{
    self, Checkpoint, EngineConfig, Handler, Place, Progress, Saved, Source, SourceBlock, SourceFailure,
};
use tripline::io::kafka::changelog::{ChangelogError, PartitionCheckpoint, PartitionRecords, PartitionState};
use tripline::io::kafka::{Partition, SharedReading};
use tripline::io::state::{Commit, Recovered, SavedInput};
use tripline::plan::Ruleset;
use tripline::plan::ruleset::Severity;
use tripline::session::head::Head;
use tripline::session::{Rejected, Summary};

/// Alerts that wait for a checkpoint before one is taken early, or the one before is waited for.
const MANY: usize = 10_000;
/// How long brokers may be away when the process goes on from what is committed.
pub const AWAY: Duration = Duration::from_secs(120);

/// What all partitions of a process have in common.
pub struct Common {
    /// The rules.
    pub rules: Arc<Ruleset>,
    /// How partitions are matched; each has a stop of its own.
    pub config: EngineConfig,
    /// The topic.
    pub topic: String,
    /// How many partitions it has.
    pub count: usize,
    /// What reads it.
    pub reading: SharedReading,
    /// Where states are.
    pub state: PartitionState,
    /// The process has a name in its group.
    pub has_name: bool,
    /// How often a checkpoint is taken.
    pub every: Duration,
    /// Alerts below are left out.
    pub min_level: Option<Severity>,
    /// Rules with tables that were read anew, and how often that was.
    pub tables: Mutex<(u64, Option<Arc<Ruleset>>)>,
}

/// What a partition tells.
pub enum Event {
    /// It has come to a checkpoint.
    Done(Box<Done>),
    /// There is something to be said.
    Note(String),
    /// It has ended; nothing if it was stopped before it began, or what went wrong.
    Ended(i32, u64, Result<Option<Summary>, String>),
}

/// A checkpoint of a partition with what came of the events before it.
pub struct Done {
    /// The partition.
    pub number: i32,
    /// Which of those that have had the number.
    pub serial: u64,
    /// Alerts since the checkpoint before, in order.
    pub alerts: Vec<Alert>,
    /// Late lines.
    pub late: Vec<String>,
    /// Lines that gave no event.
    pub rejected: Vec<Rejected>,
    /// The checkpoint.
    pub checkpoint: PartitionCheckpoint,
    /// How far event time has come.
    pub reached: Option<Timestamp>,
    /// Outputs that do not take part in transactions have been given all of it.
    pub handed_out: bool,
}

/// A partition at work.
pub struct Running {
    /// Which of those that have had the number.
    pub serial: u64,
    /// It ended by itself, and what it did.
    pub ended: Option<Summary>,
    /// How far event time has come.
    pub reached: Option<Timestamp>,
    stop: Arc<AtomicBool>,
    /// Gone when nothing of it is wanted any more.
    committed: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts the work on a partition.
    pub fn start(common: &Arc<Common>, number: i32, serial: u64, to: Sender<Event>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        // One may be on its way, and the last one of a run comes in any case.
        let (committed, hears) = bounded(2);
        let (common, stopped) = (Arc::clone(common), Arc::clone(&stop));
        let thread = thread::Builder::new().name(format!("partition {number}")).spawn(move || {
            let ended = work(&common, number, serial, &stopped, hears, &to);
            // Nobody listens at the end of the program.
            let _ = to.send(Event::Ended(number, serial, ended));
        })?;
        let (committed, thread) = (Some(committed), Some(thread));
        Ok(Self { serial, ended: None, reached: None, stop, committed, thread })
    }

    /// Has it finish with what it has read; its last checkpoint and its end are still to come.
    pub fn finish(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Tells it that a checkpoint is committed.
    pub fn tell_committed(&self) {
        if let Some(committed) = &self.committed {
            let _ = committed.try_send(());
        }
    }

    /// Waits until it has ended. What it still gives is of no use.
    pub fn let_go(mut self) {
        self.finish();
        self.committed = None;
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// A partition of another member.
struct Elsewhere;

impl Source for Elsewhere {
    fn may_wait(&self) -> bool {
        false
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        Ok(None)
    }
}

fn work(
    common: &Common,
    number: i32,
    serial: u64,
    stop: &Arc<AtomicBool>,
    committed: Receiver<()>,
    to: &Sender<Event>,
) -> Result<Option<Summary>, String> {
    let partition = Partition { topic: common.topic.clone(), number };
    let at = usize::try_from(number).map_err(|_| format!("there is no partition {number}"))?;
    let go_on = || !stop.load(Ordering::Relaxed);
    let until = Instant::now() + AWAY;
    let (recovered, records) = loop {
        match common.state.restore(&partition, &go_on) {
            Ok(restored) => break restored,
            Err(_) if !go_on() => return Ok(None),
            // Brokers may be on their way back.
            Err(ChangelogError::Failed(_)) if Instant::now() < until => {}
            Err(problem) => return Err(format!("topic {}: {problem}", common.state.topic)),
        }
    };
    let saved = match recovered {
        None => None,
        Some(Recovered { commit, keys }) => {
            let head = Head::from_bytes(&commit.head).map_err(|problem| format!("{partition}: {problem}"))?;
            let mut places = vec![Place::default(); common.count];
            let place = commit.inputs.into_iter().find(|input| input.name == partition.to_string());
            places[at] = place.map(|input| input.place).unwrap_or_default();
            Some(Saved { head, keys: keys.chunks, places })
        }
    };
    let place = saved.as_ref().map(|saved| saved.places[at].clone()).unwrap_or_default();
    common.reading.wait_for_brokers(&|| go_on() && Instant::now() < until);
    if !go_on() {
        return Ok(None);
    }
    let (source, notices) = common.reading.add(number, &place, stop)?;
    for notice in notices {
        let _ = to.send(Event::Note(format!("warning: {notice}\n")));
    }
    let begin = source.place().clone();
    let mut own = Some(source);
    let sources = (0..common.count).map(|n| match own.take_if(|_| n == at) {
        Some(source) => Box::new(source) as Box<dyn Source>,
        None => Box::new(Elsewhere),
    });
    let config = EngineConfig { stop: Arc::clone(stop), ..common.config.clone() };
    let mut teller = Teller {
        common,
        partition,
        at,
        serial,
        to,
        committed,
        records,
        begin,
        alerts: Vec::new(),
        late: Vec::new(),
        rejected: Vec::new(),
        due: Instant::now(),
        on_its_way: false,
        reached: None,
        tables: 0,
        problem: None,
    };
    let summary = engine::run_from(&common.rules, &config, sources.collect(), saved, &mut teller);
    match teller.problem {
        Some(problem) => Err(problem),
        None => summary.map(Some).map_err(|problem| format!("{}: {problem}", teller.partition)),
    }
}

/// Hands on what comes of one partition.
struct Teller<'a> {
    common: &'a Common,
    partition: Partition,
    /// Its number among inputs.
    at: usize,
    serial: u64,
    to: &'a Sender<Event>,
    committed: Receiver<()>,
    records: PartitionRecords,
    /// Where it began.
    begin: Place,
    alerts: Vec<Alert>,
    late: Vec<String>,
    rejected: Vec<Rejected>,
    due: Instant,
    /// A checkpoint is not committed yet.
    on_its_way: bool,
    reached: Option<Timestamp>,
    /// How often tables had been read anew.
    tables: u64,
    problem: Option<String>,
}

impl Teller<'_> {
    fn is_full(&self) -> bool {
        self.alerts.len() + self.late.len() + self.rejected.len() >= MANY
    }

    /// Waits while there is too much that no checkpoint holds. Breaks off if nothing of it is wanted any more.
    fn keep_pace(&mut self) -> ControlFlow<()> {
        if self.on_its_way && self.is_full() {
            match self.committed.recv() {
                Ok(()) => self.on_its_way = false,
                Err(_) => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }
}

impl Handler for Teller<'_> {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        let wanted = |alert: &&Alert| self.common.min_level.is_none_or(|least| alert.severity >= least);
        self.alerts.extend(alerts.iter().filter(wanted).cloned());
        self.keep_pace()
    }

    fn late(&mut self, _: u16, line: &str) -> ControlFlow<()> {
        self.late.push(line.to_owned());
        self.keep_pace()
    }

    fn rejected(&mut self, rejected: &Rejected) -> ControlFlow<()> {
        self.rejected.push(rejected.clone());
        self.keep_pace()
    }

    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        self.problem.get_or_insert_with(|| failure.to_string());
    }

    fn new_tables(&mut self) -> Option<Arc<Ruleset>> {
        let tables = self.common.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.0 == self.tables {
            return None;
        }
        self.tables = tables.0;
        tables.1.clone()
    }

    fn wants_checkpoint(&mut self) -> bool {
        if self.on_its_way {
            self.on_its_way = self.committed.try_recv().is_err();
        }
        !self.on_its_way && (Instant::now() >= self.due || self.is_full())
    }

    fn checkpoint(&mut self, mut checkpoint: Checkpoint) -> ControlFlow<()> {
        let mut place = std::mem::take(&mut checkpoint.places[self.at]);
        if place.file.is_none() {
            place = self.begin.clone();
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let offset = place.offset;
        let commit = Commit {
            number: 0,
            taken: Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            inputs: vec![SavedInput { name: self.partition.to_string(), place }],
            outputs: Vec::new(),
            head: checkpoint.head,
            held: Vec::new(),
        };
        let made = self.records.checkpoint(self.partition.clone(), offset, commit, &checkpoint.keys);
        let checkpoint = match made {
            Ok(checkpoint) => checkpoint,
            Err(problem) => {
                self.problem.get_or_insert_with(|| problem.to_string());
                return ControlFlow::Break(());
            }
        };
        let done = Done {
            number: self.partition.number,
            serial: self.serial,
            alerts: std::mem::take(&mut self.alerts),
            late: std::mem::take(&mut self.late),
            rejected: std::mem::take(&mut self.rejected),
            checkpoint,
            reached: self.reached,
            handed_out: false,
        };
        self.on_its_way = true;
        self.due = Instant::now() + self.common.every;
        match self.to.send(Event::Done(Box::new(done))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn progress(&mut self, progress: Progress) {
        self.reached = progress.watermark;
    }
}
