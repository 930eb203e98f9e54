//! The runtime in a world made from one seed: random rules and events, a clock that jumps, a disk that fails, fills up
//! and loses power, outputs that are away for hours, kills at any moment. In the end every output must have what it
//! would have in a world where nothing goes wrong.
//!
//! ```text
//! seed ─► rules, events, faults ─► start ─► killed │ failed │ outputs away ─► start ─► … ─► done ─► compared
//! ```
//! What is simulated is the engine on one thread, checkpoints on the [`tripline::io::disk`], the file of alerts, queues
//! in memory and on disk, and couriers. The same seed does the same each time; a failure prints it. `SIM_SEEDS` says how
//! many there are (200 if nothing is said), `SIM_SEED` which is the first; with `SIM_TRACE` the story is told:
//!
//! ```sh
//! SIM_SEEDS=100000 cargo test --release --test simulation -- --nocapture
//! ```
#![cfg(unix)]

#[path = "determinism/cases.rs"]
mod cases;
#[path = "oracle/mod.rs"]
mod oracle;
#[path = "simulation/peer.rs"]
mod peer;
#[path = "simulation/platter.rs"]
mod platter;
#[path = "simulation/runtime.rs"]
mod runtime;

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use cases::{case, number};
use oracle::random::Random;
use peer::{Line, is_refused};
use platter::{Platter, Rates};
use runtime::{End, World};
use tripline::alert::Alert;
use tripline::alert::format::{Format, Formatter};
use tripline::compile::compile_str;
use tripline::engine::{EngineConfig, Handler, Place, Progress, Source, SourceBlock, SourceFailure, run};
use tripline::session::{AtEnd, Rejected};

/// Starts in which something may go wrong. After them nothing does, so that the story comes to its end.
const STARTS: usize = 8;

/// Lines in blocks of so many, from a place on.
pub struct Lines {
    lines: Vec<String>,
    at: usize,
    sizes: Vec<usize>,
}

impl Lines {
    /// Those from a place on.
    pub fn source(lines: &[String], place: &Place, random: &mut Random, most: usize) -> Box<dyn Source> {
        let sizes = lines.iter().map(|_| 1 + random.below(most)).collect();
        Box::new(Self { lines: lines.to_vec(), at: place.line as usize - 1, sizes })
    }
}

impl Source for Lines {
    fn may_wait(&self) -> bool {
        false
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        if self.at == self.lines.len() {
            return Ok(None);
        }
        let size = self.sizes.pop().unwrap_or(1).min(self.lines.len() - self.at);
        let bytes = self.lines[self.at..self.at + size].concat().into_bytes();
        let offset = self.lines[..self.at].iter().map(|line| line.len() as u64).sum();
        let first_line = self.at as u64 + 1;
        self.at += size;
        let after = Place { line: self.at as u64 + 1, offset: offset + bytes.len() as u64, ..Place::default() };
        Ok(Some(SourceBlock { bytes, first_line, offset, after, ..SourceBlock::default() }))
    }
}

/// What a world where nothing goes wrong gives.
#[derive(Default)]
struct Plain(Vec<Alert>);

impl Handler for Plain {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.0.extend_from_slice(alerts);
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
    fn progress(&mut self, _: Progress) {}
}

/// With `SIM_TRACE` set, says what happens.
pub fn tell(what: impl FnOnce() -> String) {
    if std::env::var_os("SIM_TRACE").is_some() {
        eprintln!("{}", what());
    }
}

/// Says which seed it was, should the test fail.
struct Tell(u64);

impl Drop for Tell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SIM_SEED={} SIM_SEEDS=1 cargo test --test simulation", self.0);
        }
    }
}

/// What happened in all stories together.
#[derive(Debug, Default)]
struct Told {
    alerts: usize,
    starts: usize,
    killed: usize,
    failed: usize,
    undelivered: usize,
    power_cuts: usize,
    again: usize,
    time: Duration,
}

/// Each name where it comes first: what comes again is known by it.
fn firsts(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut known = HashSet::new();
    names.filter(|name| known.insert(name.clone())).collect()
}

fn story(seed: u64, root: &Path, told: &mut Told) {
    let _tell = Tell(seed);
    let mut r = Random::new(seed ^ (12 << 40));
    let (text, inputs, session, _) = case(&mut r);
    if text.is_empty() {
        return;
    }
    let rules = compile_str(&text).unwrap_or_else(|problems| panic!("{text}{problems:?}"));
    let config =
        EngineConfig { session: session.clone(), threads: 1, at_end: AtEnd::Pending, ..EngineConfig::default() };
    let mut plain = Plain::default();
    let sources = inputs.iter().map(|lines| Lines::source(lines, &Place::default(), &mut r, 100)).collect();
    run(&rules, &config, sources, &mut plain);
    let formatter = Formatter::new(Format::Json, (0..inputs.len()).map(|n| format!("input {n}")).collect::<Vec<_>>());
    let mut expected = String::new();
    plain.0.iter().for_each(|alert| formatter.write(alert, &mut expected));

    let dir = root.join(seed.to_string());
    for part in ["state", "spool"] {
        fs::create_dir_all(dir.join(part)).expect("a directory");
    }
    let platter = Platter::new(&dir, seed ^ (13 << 40));
    let lines =
        [Line::new("the output with a queue on disk", &mut r), Line::new("the output with a queue in memory", &mut r)];
    let mut world = World { dir: dir.clone(), platter, lines, now: Duration::ZERO, rules, session, inputs };
    // Each story has troubles of its own: in one it is the disk that fills up, in another it is the power.
    let rates = Rates {
        full: *r.choose(&[0, 0, 200, 1500]),
        broken: *r.choose(&[0, 0, 50, 400]),
        crash: *r.choose(&[0, 0, 100, 600]),
    };
    let (power, lives) = (*r.choose(&[0, 50, 100]), *r.choose(&[12, 60, 300]));
    for start in 0.. {
        let is_quiet = start >= STARTS;
        world.platter.start(if is_quiet { Rates::default() } else { rates });
        if is_quiet {
            world.lines.iter().for_each(|line| line.peer().away.clear());
            world.lines.iter().for_each(|line| line.peer().breaks = 0);
        }
        let left = if is_quiet || r.percent(20) { usize::MAX } else { 1 + r.below(lives) };
        let end = world.start(&mut r, left);
        tell(|| format!("start {start} of {seed}: {end:?} at {:?}, {rates:?}", world.now));
        told.starts += 1;
        match end {
            End::Done => break,
            End::Undelivered => told.undelivered += 1,
            End::Killed => told.killed += 1,
            End::Failed => told.failed += 1,
        }
        assert!(start < STARTS + 2, "it comes to no end: {end:?}");
        if end == End::Killed && r.percent(power) {
            told.power_cuts += 1;
            tell(|| "the power is cut".to_owned());
            world.platter.cut_power();
        }
    }

    let written = fs::read_to_string(world.alerts()).expect("a file");
    assert_eq!(written, expected, "the file has each alert once, in order\n{text}");
    let wanted = firsts(plain.0.iter().filter(|alert| !is_refused(&alert.id)).map(peer::name));
    for line in &world.lines {
        let peer = line.peer();
        let name = peer.name;
        let firsts = firsts(peer.taken.iter().cloned());
        let lost: Vec<_> = wanted.iter().filter(|name| !firsts.contains(name)).collect();
        assert!(lost.is_empty(), "{name} has lost {lost:?} of {}\n{text}", wanted.len());
        assert_eq!(firsts, wanted, "{name} has all alerts, in order\n{text}");
        told.again += peer.taken.len() - firsts.len();
    }
    // Nothing is left to do.
    world.platter.start(Rates::default());
    assert_eq!(world.start(&mut r, usize::MAX), End::Done);
    assert_eq!(fs::read_to_string(world.alerts()).expect("a file"), expected);
    told.alerts += plain.0.len();
    told.time += world.now;
    fs::remove_dir_all(dir).expect("it is ours");
}

#[test]
fn whatever_goes_wrong_every_output_has_its_alerts() {
    // A disk in memory, if there is one: what syncing costs is not what is tested.
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory");
    let (first, seeds) = (number("SIM_SEED", 1), number("SIM_SEEDS", 200));
    let mut told = Told::default();
    for seed in first..first + seeds {
        story(seed, root.path(), &mut told);
    }
    println!("{seeds} seeds from {first}: {told:?}");
    assert!(seeds < 100 || (told.killed > 0 && told.failed > 0 && told.power_cuts > 0 && told.alerts > 0), "{told:?}");
}
