//! One start of the program, without its threads: an engine, a state directory, a file of alerts, and outputs with
//! couriers, one with a queue on disk and one with a queue in memory. Time is what the world says.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tripline::alert::Alert;
use tripline::alert::format::{Format, Formatter};
use tripline::base::Timestamp;
use tripline::engine::{Checkpoint, EngineConfig, Handler, Place, Progress, Saved, SourceFailure, run_from};
use tripline::io::deliver::queue::{Memory, Queue};
use tripline::io::deliver::{Courier, DeadLetters, Desk, Route, Service, Spool, SpoolOptions, Turn, WhenFull};
use tripline::io::sink::LineSink;
use tripline::io::state::{Commit, Finding, SavedInput, SavedOutput, StateDir, StateDirError};
use tripline::plan::Ruleset;
use tripline::session::head::Head;
use tripline::session::{AtEnd, Rejected, SessionConfig};

use super::peer::Line;
use super::platter::Platter;
use super::{Lines, tell};
use crate::oracle::random::Random;

/// How often a checkpoint is taken.
const EVERY: Duration = Duration::from_secs(1);
/// How long whoever finds no room waits.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the end of a run waits for its outputs.
const DRAIN: Duration = Duration::from_secs(30);

/// What outlasts a start.
pub struct World {
    pub dir: PathBuf,
    pub platter: Platter,
    pub lines: [Line; 2],
    pub now: Duration,
    pub rules: Arc<Ruleset>,
    pub session: SessionConfig,
    pub inputs: Vec<Vec<String>>,
}

/// How a start ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In order, with everything delivered and kept.
    Done,
    /// In order, but an output has not got everything.
    Undelivered,
    /// It was killed.
    Killed,
    /// It gave up, as it should: the disk was broken, or full while it started.
    Failed,
}

struct Office {
    desk: Desk,
    courier: Courier,
}

struct Runtime<'a> {
    world: &'a mut World,
    random: Random,
    state: StateDir,
    file: LineSink,
    formatter: Formatter,
    offices: Vec<Office>,
    names: Vec<String>,
    put_off: Option<Checkpoint>,
    due: Duration,
    /// Calls of the engine until it is killed.
    left: usize,
    end: Option<End>,
}

impl World {
    pub fn alerts(&self) -> PathBuf {
        self.dir.join("alerts")
    }

    /// Starts the program and lets it run. `left` is how many calls of the engine it lives for.
    pub fn start(&mut self, random: &mut Random, left: usize) -> End {
        let Some(opened) = self.open_state() else { return End::Failed };
        let (state, recovered) = opened;
        let service = Service { when_full: WhenFull::Block, queue: 3, batch: 4, ..Service::default() };
        let spool = SpoolOptions { directory: self.dir.join("spool"), most: 1 << 20 };
        let Ok(spool) = Spool::open_on(&spool, self.platter.disk()) else { return End::Failed };
        let names: Vec<String> = (0..self.inputs.len()).map(|n| format!("input {n}")).collect();
        tell(|| format!("starts with {} in the spool at {:?}", spool.waiting(), self.now));
        let queues: [Box<dyn Queue>; 2] = [Box::new(spool), Box::new(Memory::new(service.queue))];
        let offices = queues.into_iter().zip(&self.lines).map(|(queue, line)| Office {
            desk: Desk::new(Route::default(), &service, queue, names.clone().into()),
            courier: Courier::new("peer", Box::new(line.clone()), &service, DeadLetters::default(), 1),
        });
        let offices = offices.collect();
        let mut file = LineSink::append(&self.alerts()).expect("a file");
        let (saved, places) = match recovered {
            None => {
                let nothing = file.mark().expect("a file").is_some_and(|(length, _)| length == 0);
                assert!(nothing, "alerts are written only behind a first checkpoint");
                (None, vec![Place::default(); self.inputs.len()])
            }
            Some((commit, keys)) => {
                let end = commit.outputs.first().map_or(0, |output| output.end);
                assert!(file.cut(end).expect("a file"), "what a checkpoint speaks of is on the disk");
                let places: Vec<Place> = commit.inputs.into_iter().map(|input| input.place).collect();
                let head = Head::from_bytes(&commit.head).expect("a head");
                (Some(Saved { head, keys, places: places.clone() }), places)
            }
        };
        let most = *random.choose(&[1, 3, 20]);
        let sources = self.inputs.iter().zip(&places).map(|(lines, place)| Lines::source(lines, place, random, most));
        let sources = sources.collect();
        let config = EngineConfig {
            session: self.session.clone(),
            threads: 1,
            at_end: AtEnd::Pending,
            checkpoints: true,
            ..EngineConfig::default()
        };
        let (rules, due) = (Arc::clone(&self.rules), self.now);
        let formatter = Formatter::new(Format::Json, names.clone());
        let random = Random::new(random.below(1 << 30) as u64);
        let (put_off, end) = (None, None);
        let mut runtime =
            Runtime { world: self, random, state, file, formatter, offices, names, put_off, due, left, end };
        run_from(&rules, &config, sources, saved, &mut runtime).expect("the state is readable");
        runtime.close()
    }

    /// Opens the state directory. Whatever a crash or a power cut left, it is no damage.
    fn open_state(&self) -> Option<(StateDir, Option<(Commit, Vec<Vec<u8>>)>)> {
        match StateDir::open(&self.dir.join("state"), self.platter.disk()) {
            Ok((state, recovered, findings)) => {
                let torn = |finding: &Finding| matches!(finding, Finding::Torn { .. });
                assert!(findings.iter().all(torn), "{findings:?}");
                Some((state, recovered.map(|recovered| (recovered.commit, recovered.keys.chunks))))
            }
            Err(StateDirError::Disk { .. } | StateDirError::Full { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Runtime<'_> {
    /// Time goes by, and couriers do what is to be done meanwhile.
    fn pass(&mut self, time: Duration) {
        let until = self.world.now + time;
        for (office, line) in self.offices.iter_mut().zip(&self.world.lines) {
            let mut now = self.world.now;
            loop {
                line.peer().now = now;
                match office.courier.turn(now, &office.desk) {
                    Turn::Again => {}
                    Turn::Wait(next) if next < until => now = now.max(next),
                    Turn::Wait(_) | Turn::Idle | Turn::Done => break,
                }
            }
        }
        self.world.now = until;
    }

    fn go_on(&mut self) -> ControlFlow<()> {
        self.left = self.left.saturating_sub(1);
        if self.end.is_none() && (self.left == 0 || self.world.platter.is_down()) {
            self.end = Some(End::Killed);
        }
        if self.end.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn fail(&mut self) -> ControlFlow<()> {
        self.end.get_or_insert(if self.world.platter.is_down() { End::Killed } else { End::Failed });
        ControlFlow::Break(())
    }

    fn leave(&mut self, at: usize, alert: &Arc<Alert>) -> std::io::Result<()> {
        let mut fits = self.offices[at].desk.leave(alert, self.world.now)?;
        let mut time = PATIENCE;
        while !fits {
            self.pass(time);
            // It may take hours, and nothing else happens meanwhile.
            time = (2 * time).min(600 * PATIENCE);
            fits = self.offices[at].desk.wait_for_room(Duration::ZERO)?;
        }
        Ok(())
    }

    /// Whether every output has got everything, or will, whatever happens.
    fn are_settled(&self) -> std::io::Result<bool> {
        let mut settled = true;
        for office in &self.offices {
            settled &= office.desk.sync()?;
        }
        Ok(settled)
    }

    fn commit(&mut self, checkpoint: Checkpoint) -> Result<(), StateDirError> {
        let (end, file): (u64, File) = self.file.mark().expect("it is written").expect("a file");
        file.sync_data().expect("it is synced");
        self.world.platter.note_synced(&self.world.alerts());
        let inputs = self.names.iter().cloned().zip(checkpoint.places);
        let mut commit = Commit {
            number: 0,
            taken: Timestamp::from_millis(self.world.now.as_millis() as i64),
            release: "simulated".to_owned(),
            inputs: inputs.map(|(name, place)| SavedInput { name, place }).collect(),
            outputs: vec![SavedOutput { name: "alerts".to_owned(), end }],
            head: checkpoint.head,
            held: Vec::new(),
        };
        while let Err(error) = self.state.add(&mut commit, &checkpoint.keys) {
            if !error.is_full() {
                return Err(error);
            }
            self.pass(PATIENCE);
        }
        match self.state.merge() {
            Err(error) if !error.is_full() => Err(error),
            _ => Ok(()),
        }
    }

    /// The end of a start.
    fn close(mut self) -> End {
        if let Some(end) = self.end {
            return end;
        }
        let until = self.world.now + DRAIN;
        self.offices.iter().for_each(|office| office.desk.close(until));
        self.pass(DRAIN);
        let waiting = |office: &Office| office.desk.standing().waiting;
        for office in &self.offices {
            let standing = office.desk.standing();
            assert_eq!(standing.counts.dropped, 0, "nobody drops anything: {standing:?}");
        }
        // What the spool holds is kept; what is in memory is not.
        if waiting(&self.offices[1]) > 0 {
            return End::Undelivered;
        }
        if let Some(last) = self.put_off.take()
            && self.commit(last).is_err()
        {
            return if self.world.platter.is_down() { End::Killed } else { End::Failed };
        }
        let undelivered = waiting(&self.offices[0]) > 0;
        match self.state.close() {
            Ok(()) if undelivered => End::Undelivered,
            Ok(()) => End::Done,
            Err(_) => End::Failed,
        }
    }
}

impl Handler for Runtime<'_> {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.file.deliver(alerts, &self.formatter).expect("it is written");
        tell(|| format!("alerts {:?}", alerts.iter().map(|alert| &alert.id[..6]).collect::<Vec<_>>()));
        for alert in alerts {
            let alert = Arc::new(alert.clone());
            for at in 0..self.offices.len() {
                if self.leave(at, &alert).is_err() {
                    return self.fail();
                }
            }
        }
        self.go_on()
    }
    fn late(&mut self, _: u16, _: &str) -> ControlFlow<()> {
        self.go_on()
    }
    fn rejected(&mut self, _: &Rejected) -> ControlFlow<()> {
        self.go_on()
    }
    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        panic!("{failure}");
    }
    fn wants_checkpoint(&mut self) -> bool {
        let passes = *self.random.choose(&[0, 1, 50, 400, 3000]);
        self.pass(Duration::from_millis(passes));
        self.world.now >= self.due
    }
    fn checkpoint(&mut self, mut checkpoint: Checkpoint) -> ControlFlow<()> {
        if let Some(before) = self.put_off.take() {
            let later = std::mem::replace(&mut checkpoint.keys, before.keys);
            checkpoint.keys.append(later);
        }
        self.due = self.world.now + EVERY;
        let settled = self.are_settled();
        tell(|| format!("a checkpoint, settled: {settled:?}"));
        match settled {
            Ok(true) => match self.commit(checkpoint) {
                Ok(()) => self.go_on(),
                Err(_) => self.fail(),
            },
            Ok(false) => {
                self.put_off = Some(checkpoint);
                self.go_on()
            }
            Err(_) => self.fail(),
        }
    }
    fn progress(&mut self, _: Progress) {}
}
