//! The figures of the read-me: `cargo bench --bench figures [-- EVENTS] [-- CASE…]`.
//!
//! Writes streams of a million events once, then runs each case over its stream in processes of their own: a plain
//! pass over the same bytes (reading the file, cutting lines and extracting the same fields, nothing else), the whole
//! engine with one thread, and with two. The three take turns, five rounds, and the fastest of each counts; so what
//! disturbs the machine meets them alike. Each must have seen the same events, and both numbers of threads must give
//! the same alerts in the same order; `answers.rs` finds the alerts of the simple rules in another way.
//!
//! A case runs as `figures --case NAME THREADS FILE`, so that peaks of memory do not add up.

mod answers;
mod cases;
mod generate;

/// As the program has it, so that the figures are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use cases::{CASES, Case, PAIRS};
use tripline::alert::Alert;
use tripline::decode::{Arena, PathTrie, ScanStats, Slot, TextBlock, extract};
use tripline::engine::{self, EngineConfig, Handler, Progress, SourceFailure};
use tripline::io::source::{Block, BlockOptions, open};
use tripline::plan::Ruleset;
use tripline::session::Rejected;

/// How often each case is run.
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case, threads, file] = arguments.as_slice()
        && flag == "--case"
    {
        let case = CASES.iter().find(|c| c.name == case).expect("a known case");
        run_case(case, threads.parse().expect("a number of threads"), Path::new(file));
        return;
    }
    // `cargo bench` passes `--bench`; the first plain number is the number of events, other words are names of cases.
    let events = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(generate::EVENTS);
    let wanted = |case: &&Case| {
        let mut names = arguments.iter().filter(|a| !a.starts_with('-') && a.parse::<u64>().is_err()).peekable();
        names.peek().is_none() || names.any(|name| name == case.name)
    };
    println!("{events} events; L is the plain scan, with the fields that the case reads\n");
    println!(
        "| case | L, events/s | 1 thread | 2 threads | of L, 1 thread | goal | 2 threads to 1 | MB/s | peak MB | alerts |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut cost = HashMap::new();
    for case in CASES.iter().filter(wanted) {
        let file = stream(events, case.keys);
        let bytes = fs::metadata(&file).expect("the stream").len();
        let [plain, one, two] = measure(case, &file);
        assert_eq!((plain.events, one.events, two.events), (events, events, events), "{}: events", case.name);
        assert_eq!((one.alerts, one.hash), (two.alerts, two.hash), "{}: alerts of one and two threads", case.name);
        if let Some(expected) = answers::expected(case.name, &file) {
            assert_eq!(one.alerts, expected, "{}: alerts, found in another way", case.name);
        }
        let rate = |figures: &Figures| events as f64 / figures.seconds / 1e6;
        println!(
            "| {} | {:.2} M | {:.2} M | {:.2} M | {:.2} | {} | {:.2} | {:.0} | {} | {} |",
            case.name,
            rate(&plain),
            rate(&one),
            rate(&two),
            plain.seconds / one.seconds,
            case.goal.map_or(String::new(), |goal| format!("≥ {goal}")),
            one.seconds / two.seconds,
            bytes as f64 / 1e6 / one.seconds,
            one.peak,
            one.alerts,
        );
        cost.insert(case.name, one.seconds);
    }
    println!();
    for (few, many, most) in PAIRS {
        if let (Some(a), Some(b)) = (cost.get(few), cost.get(many)) {
            println!("cost per event, {many} to {few}: {:.2} (goal ≤ {most})", b / a);
        }
    }
}

/// What a run reports.
#[derive(Clone, Copy)]
struct Figures {
    seconds: f64,
    peak: u64,
    events: u64,
    alerts: u64,
    /// Of the ids of all alerts, in order.
    hash: u64,
}

/// The plain scan, one thread and two threads in turns: the fastest of each.
fn measure(case: &Case, file: &Path) -> [Figures; 3] {
    let mut best = [None::<Figures>; 3];
    for _ in 0..ROUNDS {
        for (threads, best) in best.iter_mut().enumerate() {
            let run = child(case.name, threads, file);
            if best.is_none_or(|b| run.seconds < b.seconds) {
                *best = Some(run);
            }
        }
    }
    best.map(|figures| figures.expect("several rounds"))
}

/// Runs a case in a process of its own; no threads are the plain scan.
fn child(name: &str, threads: usize, file: &Path) -> Figures {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--case").arg(name).arg(threads.to_string()).arg(file);
    let output = command.output().expect("a case starts");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<u64>().expect("a number");
    let seconds = words[0].parse().expect("seconds");
    Figures { seconds, peak: number(1), events: number(2), alerts: number(3), hash: number(4) }
}

/// The stream for so many keys, written once.
fn stream(events: u64, keys: u64) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join(format!("figures-{events}-{keys}.ndjson"));
    if !path.exists() {
        let part = path.with_extension("part");
        let mut out = BufWriter::new(File::create(&part).expect("the target directory can be written"));
        generate::write(events, keys, &mut out).and_then(|()| out.flush()).expect("room for the stream");
        fs::rename(&part, &path).expect("the same directory");
    }
    path
}

fn run_case(case: &Case, threads: usize, file: &Path) {
    let rules = case.compile();
    let started = Instant::now();
    let found = if threads == 0 { plain(&rules, file) } else { matched(&rules, threads, file) };
    let seconds = started.elapsed().as_secs_f64();
    println!("{seconds} {} {} {} {}", peak_megabytes(), found.events, found.alerts, found.hash.finish());
}

/// The whole engine.
fn matched(rules: &Arc<Ruleset>, threads: usize, file: &Path) -> Found {
    let config = EngineConfig { threads, ..EngineConfig::default() };
    let input = open(file.to_str().expect("UTF-8"), BlockOptions::default()).expect("the stream");
    let mut found = Found::default();
    engine::run(rules, &config, vec![Box::new(input)], &mut found);
    found
}

/// The fastest plain pass: the same blocks, lines and fields, and nothing done with them.
fn plain(rules: &Ruleset, file: &Path) -> Found {
    let mut fields = rules.fields.clone();
    fields.push(vec!["@timestamp".to_owned()]);
    let trie = PathTrie::new(&fields);
    let mut input = open(file.to_str().expect("UTF-8"), BlockOptions::default()).expect("the stream");
    let (mut slots, mut arena, mut stats) = (vec![Slot::Missing; fields.len()], Arena::default(), ScanStats::default());
    let (mut found, mut some, mut block) = (Found::default(), 0_u64, Block::default());
    while input.read_block(&mut block).expect("the stream") {
        let text = TextBlock::from_vec(std::mem::take(&mut block.bytes));
        arena.clear();
        for line in text.lines(1 << 20) {
            let Ok(line_text) = line.text else { continue };
            if extract(line_text, line.start, &trie, &mut slots, &mut arena, &mut stats).is_ok() {
                found.events += 1;
                some += u64::from(!slots[0].is_missing());
            }
        }
        block.bytes = text.into_bytes();
    }
    std::hint::black_box(some);
    found
}

/// Counts alerts.
#[derive(Default)]
struct Found {
    events: u64,
    alerts: u64,
    hash: DefaultHasher,
}

impl Handler for Found {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.alerts += alerts.len() as u64;
        alerts.iter().for_each(|alert| alert.id.hash(&mut self.hash));
        ControlFlow::Continue(())
    }

    fn late(&mut self, _: u16, line: &str) -> ControlFlow<()> {
        panic!("the stream is in order, but this came late: {line}")
    }

    fn rejected(&mut self, rejected: &Rejected) -> ControlFlow<()> {
        panic!("every line is an event, but not line {}", rejected.line)
    }

    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        panic!("{failure}")
    }

    fn progress(&mut self, progress: Progress) {
        self.events = progress.events;
    }
}

/// The peak of resident memory of this process; 0 where the system does not say.
fn peak_megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
