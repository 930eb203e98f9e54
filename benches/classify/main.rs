//! How fast events are classified against many rules: `cargo bench --bench classify [-- EVENTS]`.
//!
//! Makes rules of the kind that detection rule sets hold (a log source, then folded comparisons of texts) and events
//! like those of Windows logs, and prints for 1, 100 and 3,000 rules: the time to compile them, and events a second of
//! decoding with classification and of the whole engine, beside the plain pass over the same bytes that extracts the
//! same fields and does nothing with them. Medians of runs that take turns, in processor time of the thread that matches.
//!
//! `cargo bench --bench classify -- RULES EVENTS.ndjson` takes rules (a file or a directory) and events from disk.
//!
//! Before anything is timed the index is held against asking every predicate, on the first events.

mod generate;

/// As the program has it, so that the figures are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tripline::alert::Alert;
use tripline::base::Timestamp;
use tripline::compile::{CompileOptions, compile};
use tripline::decode::batch::BlockOrigin;
use tripline::decode::decoder::Decoder;
use tripline::decode::view::{Lazy, LineMemo, LineView};
use tripline::decode::{Arena, PathTrie, ScanStats, Slot, TextBlock, extract};
use tripline::engine::{self, EngineConfig, Handler, Progress, SourceFailure};
use tripline::io::source::{BlockOptions, open};
use tripline::plan::Ruleset;
use tripline::plan::classify::Scratch;
use tripline::plan::eval::unary;
use tripline::plan::event::Seq;
use tripline::session::{Rejected, SessionConfig};
use tripline::syntax::source::{SourceId, SourceMap};

/// Runs of each side; the median counts.
const RUNS: usize = 5;
/// Events on which the index is held against asking every predicate.
const COMPARED: usize = 300;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    println!(
        "{:<10} {:>8} {:>10} {:>8} {:>11} {:>11} {:>11} {:>9} {:>9} {:>8}",
        "rules", "compile", "events", "bytes", "plain/s", "classify/s", "engine/s", "of plain", "hits", "alerts"
    );
    if let [rules, events] = arguments.as_slice() {
        let mut sources = SourceMap::new();
        let mut files = Vec::new();
        rule_files(Path::new(rules), &mut files);
        for path in files {
            sources.add(path.display().to_string(), fs::read_to_string(&path).expect("a rule file"));
        }
        case(&sources, Path::new(events));
        return;
    }
    let events = arguments.first().map_or(20_000, |number| number.parse().expect("a number of events"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("classify-{events}.ndjson"));
    fs::write(&file, generate::events(events)).expect("the target directory can be written");
    for rules in [1, 100, 3_000] {
        let mut sources = SourceMap::new();
        sources.add("generated.trip", generate::rules(rules));
        case(&sources, &file);
    }
}

fn rule_files(path: &Path, found: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        found.push(path.to_owned());
        return;
    }
    let mut inner: Vec<PathBuf> =
        fs::read_dir(path).expect("the rules").map(|entry| entry.expect("an entry").path()).collect();
    inner.sort();
    let is_rules = |path: &Path| path.extension().is_some_and(|e| e == "trip" || e == "yml" || e == "eql");
    inner.into_iter().filter(|path| path.is_dir() || is_rules(path)).for_each(|path| rule_files(&path, found));
}

fn case(sources: &SourceMap, file: &Path) {
    let load = |path: &str, _: SourceId| Err(format!("no tables here: {path}"));
    let (compile_time, compiled) = timed(|| compile(sources, &CompileOptions::default(), &load));
    let rules = compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let blocks = blocks(file);
    compare(&rules, &blocks);

    let (mut plains, mut classified, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut events, mut hits, mut alerts) = (0, 0, 0);
    for _ in 0..RUNS {
        let (seconds, count) = timed(|| plain(&rules, &blocks));
        plains.push(seconds);
        let (seconds, found) = timed(|| classify(&rules, &blocks));
        classified.push(seconds);
        (events, hits) = found;
        assert_eq!(events, count, "both sides read every event");
        let (seconds, found) = timed(|| matched(&rules, file));
        runs.push(seconds);
        alerts = found.alerts;
        assert_eq!(found.events, count, "the engine reads every event");
    }
    let bytes: usize = blocks.iter().map(Vec::len).sum();
    let rate = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        events as f64 / times[times.len() / 2]
    };
    let (plain, classify, engine) = (rate(&mut plains), rate(&mut classified), rate(&mut runs));
    println!(
        "{:<10} {:>6} ms {:>10} {:>8} {:>11.0} {:>11.0} {:>11.0} {:>8.0}% {:>9} {:>8}",
        rules.rules.len(),
        (compile_time * 1e3) as u64,
        events,
        bytes as u64 / events.max(1),
        plain,
        classify,
        engine,
        100.0 * engine / plain,
        hits,
        alerts
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let (started, on_processor) = (Instant::now(), processor_seconds());
    let result = work();
    let wall = started.elapsed().as_secs_f64();
    (on_processor.zip(processor_seconds()).map_or(wall, |(from, to)| to - from), result)
}

/// How long this thread has had a processor: other programs do not count. `None` where the system does not say.
fn processor_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos / 1e9)
}

fn blocks(file: &Path) -> Vec<Vec<u8>> {
    let mut input = open(file.to_str().expect("UTF-8"), BlockOptions::default()).expect("the events");
    std::iter::from_fn(|| input.next_block().expect("the events")).map(|block| block.bytes).collect()
}

/// Holds the index against asking every predicate.
fn compare(rules: &Ruleset, blocks: &[Vec<u8>]) {
    let trie = PathTrie::new(&rules.fields);
    let (mut slots, mut arena) = (vec![Slot::Missing; rules.fields.len()], Arena::default());
    let (mut scratch, mut memo) = (Scratch::default(), LineMemo::new(&rules.fields, 64));
    let lines: usize = blocks.iter().map(|b| b.iter().filter(|b| **b == b'\n').count()).sum();
    let every = (lines / COMPARED).max(1);
    let mut at = 0;
    for block in blocks {
        let block = TextBlock::new(block);
        for line in block.lines(1 << 20) {
            at += 1;
            let Ok(text) = line.text else { continue };
            if at % every != 0
                || extract(text, line.start, &trie, &mut slots, &mut arena, &mut ScanStats::default()).is_err()
            {
                continue;
            }
            let (ts, seq) = (Timestamp(0), Seq::default());
            let view = |lazy| LineView { slots: &slots, text: block.text(), arena: &arena, ts, arrival: ts, seq, lazy };
            let (mut indexed, mut asked) = (Vec::new(), Vec::new());
            rules.classes.classify_plainly(&unary(&view(None), &[], &rules.tables), |pred| {
                asked.extend_from_slice(&pred.subscribers);
            });
            rules.classes.classify(
                &unary(&view(Some(Lazy { memo: &memo, line: text })), &[], &rules.tables),
                &mut scratch,
                |pred| {
                    indexed.extend_from_slice(&pred.subscribers);
                },
            );
            memo.clear();
            asked.sort_unstable();
            indexed.sort_unstable();
            assert_eq!(indexed, asked, "{text}");
        }
    }
}

/// The fastest plain pass: the same lines and fields, and nothing done with them.
fn plain(rules: &Ruleset, blocks: &[Vec<u8>]) -> u64 {
    let mut fields = rules.fields.clone();
    fields.push(vec!["@timestamp".to_owned()]);
    // Reading the whole event is work of its own, which no plain pass does.
    fields.retain(|path| !path.is_empty());
    let trie = PathTrie::new(&fields);
    let (mut slots, mut arena, mut stats) = (vec![Slot::Missing; fields.len()], Arena::default(), ScanStats::default());
    let mut events = 0;
    for block in blocks {
        let block = TextBlock::from_vec(block.clone());
        arena.clear();
        for line in block.lines(1 << 20) {
            let Ok(text) = line.text else { continue };
            let extracted = extract(text, line.start, &trie, &mut slots, &mut arena, &mut stats);
            events += u64::from(extracted.is_ok());
        }
    }
    events
}

/// Decoding with classification: events and hits.
fn classify(rules: &Arc<Ruleset>, blocks: &[Vec<u8>]) -> (u64, u64) {
    let mut decoder = Decoder::new(Arc::clone(rules), SessionConfig::default().decode(1));
    let origin = BlockOrigin { input: 0, first_line: 1, offset: 0, arrival: Timestamp(0) };
    blocks.iter().fold((0, 0), |(events, hits), block| {
        let batch = decoder.decode(block.clone(), origin);
        (events + batch.stats.events, hits + batch.hits.len() as u64)
    })
}

/// The whole engine on one thread.
fn matched(rules: &Arc<Ruleset>, file: &Path) -> Count {
    let input = open(file.to_str().expect("UTF-8"), BlockOptions::default()).expect("the events");
    let mut count = Count::default();
    engine::run(rules, &EngineConfig::default(), vec![Box::new(input)], &mut count);
    count
}

/// Counts alerts.
#[derive(Default)]
struct Count {
    alerts: u64,
    events: u64,
}

impl Handler for Count {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.alerts += alerts.len() as u64;
        ControlFlow::Continue(())
    }

    fn late(&mut self, _: u16, _: &str) -> ControlFlow<()> {
        ControlFlow::Continue(())
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
