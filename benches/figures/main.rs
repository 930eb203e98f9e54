//! The figures of the read-me: `cargo bench --bench figures [-- EVENTS]`.
//!
//! Writes a stream of a million events once, then runs each rule over it in a process of its own, with one thread and
//! with two: events and megabytes a second, peak memory, and the ratio to the fastest plain pass over the same bytes
//! (reading the file, cutting lines and extracting the same fields, nothing else).
//!
//! A case runs as `figures --case NAME THREADS FILE`, so that peaks of memory do not add up.

mod generate;

/// As the program has it, so that the figures are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tripline::alert::Alert;
use tripline::compile::{CompileOptions, compile};
use tripline::decode::{Arena, PathTrie, ScanStats, Slot, TextBlock, extract};
use tripline::engine::{self, EngineConfig, Handler, Progress, SourceFailure};
use tripline::io::source::{BlockOptions, open};
use tripline::plan::Ruleset;
use tripline::session::Rejected;
use tripline::syntax::source::{SourceId, SourceMap};

/// The cases: a name and the rule; `packs` stands for all rule packs.
const CASES: &[(&str, &str)] = &[
    ("filter", "rule a { match { r: request where http.status >= 500 and url.path like \"/api/*\" } }"),
    ("sequence", "rule b { by user.name match { a: cart then b: checkout } within 10m }"),
    (
        "failures",
        "rule c { by user.name match { fail: at least 5 of signin where event.outcome == \"failure\" \
         then ok: signin where event.outcome == \"success\" } within 10m }",
    ),
    ("absence", "rule d { by user.name match { o: order then no shipment within 5m } }"),
    ("packs", ""),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case, threads, file] = arguments.as_slice()
        && flag == "--case"
    {
        let threads = threads.parse().expect("a number of threads");
        run_case(case, threads, Path::new(file));
        return;
    }
    // `cargo bench` passes `--bench`; the first plain number is the number of events.
    let events = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(generate::EVENTS);
    let file = stream(events);
    let bytes = fs::metadata(&file).expect("the stream").len();
    println!("{events} events, {} MB, {} bytes an event, {} keys", bytes / 1_000_000, bytes / events, generate::KEYS);
    println!(
        "{:<10} {:>7} {:>12} {:>9} {:>9} {:>8} {:>10}",
        "case", "threads", "events/s", "MB/s", "peak MB", "alerts", "of plain"
    );
    for (name, _) in CASES {
        let plain = child(name, 0, &file);
        println!(
            "{name:<10} {:>7} {:>12.0} {:>9.0} {:>9} {:>8} {:>10}",
            "plain",
            events as f64 / plain.seconds,
            bytes as f64 / 1e6 / plain.seconds,
            plain.peak,
            "",
            ""
        );
        for threads in [1, 2] {
            let case = child(name, threads, &file);
            println!(
                "{name:<10} {threads:>7} {:>12.0} {:>9.0} {:>9} {:>8} {:>9.0}%",
                events as f64 / case.seconds,
                bytes as f64 / 1e6 / case.seconds,
                case.peak,
                case.alerts,
                100.0 * plain.seconds / case.seconds
            );
        }
    }
}

/// What a case reports.
struct Figures {
    seconds: f64,
    peak: u64,
    alerts: u64,
}

/// Runs a case three times in processes of their own and keeps the fastest.
fn child(name: &str, threads: usize, file: &Path) -> Figures {
    let program = std::env::current_exe().expect("this program");
    let once = || {
        let mut command = Command::new(&program);
        command.arg("--case").arg(name).arg(threads.to_string()).arg(file);
        let output = command.output().expect("a case starts");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        let mut words = text.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse::<f64>().ok()).expect("a number");
        Figures { seconds: number(), peak: number() as u64, alerts: number() as u64 }
    };
    (0..3).map(|_| once()).min_by(|a, b| a.seconds.total_cmp(&b.seconds)).expect("three runs")
}

/// The stream, written once.
fn stream(events: u64) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join(format!("figures-{events}.ndjson"));
    if !path.exists() {
        let part = path.with_extension("part");
        let mut out = BufWriter::new(File::create(&part).expect("the target directory can be written"));
        generate::write(events, &mut out).and_then(|()| out.flush()).expect("room for the stream");
        fs::rename(&part, &path).expect("the same directory");
    }
    path
}

fn run_case(name: &str, threads: usize, file: &Path) {
    let (_, text) = CASES.iter().find(|(case, _)| *case == name).expect("a known case");
    let rules = rules(text);
    let started = Instant::now();
    let alerts = if threads == 0 { plain(&rules, file) } else { matched(&rules, threads, file) };
    println!("{} {} {alerts}", started.elapsed().as_secs_f64(), peak_megabytes());
}

/// A rule of its own, or all packs if there is no text.
fn rules(text: &str) -> Arc<Ruleset> {
    let mut sources = SourceMap::new();
    let mut directories = Vec::new();
    if text.is_empty() {
        let mut files = Vec::new();
        rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &mut files);
        for path in files {
            sources.add(path.display().to_string(), fs::read_to_string(&path).expect("a rule file"));
            directories.push(path.parent().expect("a directory").to_owned());
        }
    } else {
        sources.add("case", text);
    }
    let load = |path: &str, source: SourceId| {
        fs::read(directories[source.0 as usize].join(path)).map_err(|error| error.to_string())
    };
    let compiled = compile(&sources, &CompileOptions::default(), &load);
    compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

fn rule_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).expect("the rule packs");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rule_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "trip") {
            found.push(path);
        }
    }
}

/// The whole engine.
fn matched(rules: &Arc<Ruleset>, threads: usize, file: &Path) -> u64 {
    let config = EngineConfig { threads, ..EngineConfig::default() };
    let input = open(file.to_str().expect("UTF-8"), BlockOptions::default()).expect("the stream");
    let mut count = Count(0);
    engine::run(rules, &config, vec![Box::new(input)], &mut count);
    count.0
}

/// The fastest plain pass: the same blocks, lines and fields, and nothing done with them.
fn plain(rules: &Ruleset, file: &Path) -> u64 {
    let mut fields = rules.fields.clone();
    fields.push(vec!["@timestamp".to_owned()]);
    let trie = PathTrie::new(&fields);
    let mut input = open(file.to_str().expect("UTF-8"), BlockOptions::default()).expect("the stream");
    let (mut slots, mut arena, mut stats) = (vec![Slot::Missing; fields.len()], Arena::default(), ScanStats::default());
    let mut found = 0_u64;
    while let Some(block) = input.next_block().expect("the stream") {
        let block = TextBlock::new(&block.bytes);
        arena.clear();
        for line in block.lines(1 << 20) {
            let Ok(text) = line.text else { continue };
            if extract(text, line.start, &trie, &mut slots, &mut arena, &mut stats).is_ok() {
                found += u64::from(!slots[0].is_missing());
            }
        }
    }
    std::hint::black_box(found);
    0
}

/// Counts alerts.
struct Count(u64);

impl Handler for Count {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.0 += alerts.len() as u64;
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

    fn progress(&mut self, _: Progress) {}
}

/// The peak of resident memory of this process; 0 where the system does not say.
fn peak_megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
