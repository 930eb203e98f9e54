//! Checkpoints of much state: `cargo bench --bench checkpoint [-- KEYS TOUCHED]`.
//!
//! An engine holds KEYS open partial matches (a million), then events for TOUCHED of them (50,000) come between each two
//! checkpoints. Printed are the pause of the engine for a checkpoint, from the moment at which one is wanted to the one
//! at which it is handed over; the time to write it and make it durable; the bytes of the state directory beside what the
//! keys hold; and the time in which another engine goes on from it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tripline::alert::Alert;
use tripline::base::Timestamp;
use tripline::compile::compile_str;
use tripline::engine::{
    Checkpoint, EngineConfig, Handler, Place, Progress, Saved, Source, SourceBlock, SourceFailure, run_from,
};
use tripline::io::disk::Disk;
use tripline::io::state::{Commit, StateDir};
use tripline::plan::Ruleset;
use tripline::session::Rejected;
use tripline::session::head::Head;

/// Checkpoints that are measured.
const ROUNDS: usize = 100;
const RULE: &str = "rule r { by user match { a: cart then b: checkout then c: paid } within 30d }";

/// Events that open a match for each key, then events that touch some, then the end.
struct Events {
    keys: u64,
    touched: u64,
    /// Blocks given so far.
    given: u64,
    time: i64,
}

/// Events of a block.
const BLOCK: u64 = 10_000;

impl Source for Events {
    fn may_wait(&self) -> bool {
        false
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        let opening = self.keys / BLOCK;
        if self.given >= opening + ROUNDS as u64 * self.touched / BLOCK {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(BLOCK as usize * 90);
        for n in 0..BLOCK {
            self.time += 1;
            let n = self.given * BLOCK + n;
            let (class, user) = if self.given < opening {
                ("cart", n)
            } else {
                (
                    if n.is_multiple_of(2) { "checkout" } else { "cart" },
                    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.keys,
                )
            };
            let line = format!("{{\"ts\":{},\"type\":\"{class}\",\"user\":\"user{user:09}\"}}\n", self.time);
            bytes.extend_from_slice(line.as_bytes());
        }
        self.given += 1;
        Ok(Some(SourceBlock { bytes, first_line: (self.given - 1) * BLOCK + 1, ..SourceBlock::default() }))
    }
}

/// Takes a checkpoint after every so many events, and writes it at once.
struct Measured {
    dir: StateDir,
    keys: u64,
    touched: u64,
    events: u64,
    next: u64,
    asked: Option<Instant>,
    pauses: Vec<Duration>,
    writes: Vec<Duration>,
    resumed: Option<Duration>,
    started: Instant,
}

impl Handler for Measured {
    fn alerts(&mut self, _: &[Alert]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn late(&mut self, _: u16, _: &str) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn rejected(&mut self, _: &Rejected) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        panic!("{failure}");
    }
    fn progress(&mut self, progress: Progress) {
        self.events = progress.events;
    }
    fn wants_checkpoint(&mut self) -> bool {
        self.resumed.get_or_insert(self.started.elapsed());
        let wants = self.next == 0 || self.events >= self.next.max(self.keys);
        if wants {
            self.next = self.events + self.touched;
            self.asked = Some(Instant::now());
        }
        wants
    }
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> ControlFlow<()> {
        let pause = self.asked.take().map(|asked| asked.elapsed());
        let mut commit = Commit {
            number: 0,
            taken: Timestamp(0),
            release: "bench".to_owned(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            head: checkpoint.head,
            held: Vec::new(),
        };
        let started = Instant::now();
        self.dir.add(&mut commit, &checkpoint.keys).expect("written");
        // The first ones are of nothing and of everything.
        if self.events > self.keys + self.touched {
            self.pauses.extend(pause);
            self.writes.push(started.elapsed());
        }
        ControlFlow::Continue(())
    }
}

fn run(rules: &Arc<Ruleset>, dir: &Path, source: Events, threads: usize) -> Measured {
    let started = Instant::now();
    let (state, recovered, _) = StateDir::open(dir, Disk::default()).expect("the directory");
    let saved = recovered.map(|recovered| Saved {
        head: Head::from_bytes(&recovered.commit.head).expect("a head"),
        keys: recovered.keys.chunks,
        places: vec![Place::default()],
    });
    let (keys, touched) = (source.keys, source.touched);
    let mut handler = Measured {
        dir: state,
        keys,
        touched,
        events: 0,
        next: 0,
        asked: None,
        pauses: Vec::new(),
        writes: Vec::new(),
        resumed: None,
        started,
    };
    let config = EngineConfig { threads, checkpoints: true, ..EngineConfig::default() };
    run_from(rules, &config, vec![Box::new(source)], saved, &mut handler).expect("readable");
    handler
}

fn at(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).map_or(0.0, |t| t.as_secs_f64() * 1e3)
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (keys, touched) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(50_000));
    let rules = compile_str(RULE).expect("the rule has no errors");
    for threads in [1, 2] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut first = run(&rules, dir.path(), Events { keys, touched, given: 0, time: 1_767_225_600_000 }, threads);
        let bytes: u64 = std::fs::read_dir(dir.path())
            .expect("the directory")
            .flatten()
            .filter_map(|file| file.metadata().ok())
            .map(|metadata| metadata.len())
            .sum();
        println!(
            "{threads} threads, {keys} keys, {touched} events a checkpoint: pause {:.1} ms, 99th {:.1} ms; written in {:.1} \
             ms, 99th {:.1} ms; {:.0} MB on the disk",
            at(&mut first.pauses, 50),
            at(&mut first.pauses, 99),
            at(&mut first.writes, 50),
            at(&mut first.writes, 99),
            bytes as f64 / 1e6
        );
        drop(first);
        let nothing = Events { keys, touched, given: u64::MAX, time: 0 };
        let again = run(&rules, dir.path(), nothing, threads);
        println!("  goes on after {:.2} s", again.resumed.unwrap_or_default().as_secs_f64());
    }
}
