//! The stages of the engine as pieces of work of their own, for a clock (`benches/stages`) and for counting instructions
//! (`benches/instructions`). What a stage gets from the one before is made beforehand.
//!
//! Everything is made up from numbers that are the same everywhere, and runs on one thread.

#[path = "../classify/generate.rs"]
mod detections;
#[path = "lines.rs"]
pub mod lines;

use std::fmt::Write;
use std::sync::Arc;

use tripline::alert::Alert;
use tripline::alert::format::{Format, Formatter};
use tripline::base::{Duration, Limits, Timestamp};
use tripline::compile::{CompileOptions, compile};
use tripline::decode::batch::{Batch, BlockOrigin};
use tripline::decode::decoder::Decoder;
use tripline::decode::{Arena, PathTrie, ScanStats, Slot, TextBlock, extract};
use tripline::matcher::{Arrived, Matcher};
use tripline::plan::Ruleset;
use tripline::plan::ruleset::StrategyKind;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax::source::{SourceId, SourceMap};
use tripline::time::released::{Events, Released};
use tripline::time::sequencer::{OrderConfig, Sequencer, SourceOrder};

/// A piece of work: does it once, and says what came of it, so that nothing is optimised away and a change shows.
pub type Work = Box<dyn FnMut() -> u64>;

/// A stage on its own.
pub struct Stage {
    /// `stage/what`.
    pub name: &'static str,
    /// Events, rules or alerts that it works through.
    pub items: u64,
    /// Makes what it needs.
    pub prepare: fn() -> Work,
}

/// Events of the streams of users.
const EVENTS: u64 = 20_000;
/// Lines of events of about 430 bytes.
const LINES: u64 = 5_000;
/// Events like those of Windows logs.
const DETECTED: u64 = 1_000;

/// All stages, in the order of data.
pub const STAGES: &[Stage] = &[
    Stage { name: "decode/lines", items: LINES, prepare: cut },
    Stage { name: "decode/six fields", items: LINES, prepare: fields },
    Stage { name: "classify/100 rules", items: DETECTED, prepare: || classified(100) },
    Stage { name: "classify/3000 rules", items: DETECTED, prepare: || classified(3_000) },
    Stage { name: "order/in order", items: EVENTS, prepare: || ordered(false) },
    Stage { name: "order/within lateness", items: EVENTS, prepare: || ordered(true) },
    Stage { name: "match/stateless", items: EVENTS, prepare: || matched(STATELESS, StrategyKind::Stateless) },
    Stage { name: "match/counter", items: EVENTS, prepare: || matched(COUNTER, StrategyKind::Counter) },
    Stage { name: "match/latest-run", items: EVENTS, prepare: || matched(LATEST_RUN, StrategyKind::LatestRun) },
    Stage { name: "match/absence", items: EVENTS, prepare: || matched(ABSENCE, StrategyKind::LatestRun) },
    Stage { name: "match/attempts", items: EVENTS, prepare: || matched(ATTEMPTS, StrategyKind::Attempts) },
    Stage { name: "match/pending", items: EVENTS, prepare: || matched(PENDING, StrategyKind::Pending) },
    Stage { name: "match/enumerate", items: EVENTS, prepare: || matched(ENUMERATE, StrategyKind::Enumerate) },
    Stage { name: "match/runs", items: EVENTS, prepare: || matched(RUNS, StrategyKind::Runs) },
    Stage { name: "alert/json", items: ALERTS, prepare: || rendered(Format::Json) },
    Stage { name: "alert/ecs", items: ALERTS, prepare: || rendered(Format::Ecs) },
    Stage { name: "alert/pretty", items: ALERTS, prepare: || rendered(Format::Pretty { color: true }) },
    Stage { name: "compile/sequences", items: RULES, prepare: || compiled(sequences(RULES)) },
    Stage { name: "compile/detections", items: RULES, prepare: || compiled(detections::rules(RULES as usize)) },
    Stage { name: "session/all", items: EVENTS, prepare: whole },
];

const EVERY: &str = "rule r { match { a: any where value >= 0 } }";
const STATELESS: &str = "rule r { match { a: A where value > 50 } }";
const COUNTER: &str = "rule r { by user match { f: at least 5 of failed } within 10s }";
const LATEST_RUN: &str = "rule r { by user match { f: at least 5 of failed then s: success } within 30s }";
const ABSENCE: &str = "rule r { by user match { a: A then no B within 5s } }";
const ATTEMPTS: &str =
    "rule r { by user match { a: A then b: B then c: C } within 20s pick each after match skip to next }";
const PENDING: &str = "rule r { by user match { a: A then b: B then c: C } within 20s pick pending }";
const ENUMERATE: &str = "rule r { by user match { a: A then b: B then c: C } within 10s pick all after match no skip }";
const RUNS: &str = "rule r { by user match { a: A then b: B where value > a.value then c: C where value > b.value } \
                    within 20s pick each after match skip to next }";

/// Alerts that are rendered.
const ALERTS: u64 = 500;
/// Rules that are compiled.
const RULES: u64 = 200;

fn cut() -> Work {
    let text = lines::lines(LINES as u32);
    Box::new(move || TextBlock::new(text.as_bytes()).lines(1 << 20).count() as u64)
}

fn fields() -> Work {
    let text = lines::lines(LINES as u32);
    let trie = lines::trie();
    let (mut arena, mut slots) = (Arena::default(), vec![Slot::Missing; trie.fields()]);
    Box::new(move || extracted(&text, &trie, &mut arena, &mut slots))
}

/// Extracts the fields of all lines; how many were there.
pub fn extracted(text: &str, trie: &PathTrie, arena: &mut Arena, slots: &mut [Slot]) -> u64 {
    let mut found = 0;
    arena.clear();
    for line in TextBlock::new(text.as_bytes()).lines(1 << 20) {
        let good = line.text.expect("the lines are UTF-8");
        extract(good, line.start, trie, slots, arena, &mut ScanStats::default()).expect("the lines are good");
        found += slots.iter().filter(|slot| !slot.is_missing()).count() as u64;
    }
    found
}

fn classified(count: usize) -> Work {
    let rules = ruleset(&detections::rules(count));
    let text = detections::events(DETECTED as usize).into_bytes();
    let mut decoder = Decoder::new(rules, SessionConfig::default().decode(1));
    Box::new(move || decoder.decode(text.clone(), ORIGIN).hits.len() as u64)
}

const ORIGIN: BlockOrigin = BlockOrigin { input: 0, first_line: 1, offset: 0, arrival: Timestamp(0) };

fn ordered(shuffled: bool) -> Work {
    let mut stream: Vec<String> = users().lines().map(str::to_owned).collect();
    if shuffled {
        // Within 64 events, so within a third of a second.
        stream
            .chunks_mut(64)
            .for_each(|chunk| chunk.sort_by_key(|line| line.len().wrapping_mul(31) ^ line.as_bytes()[21] as usize));
    }
    let batches = batches(&ruleset(EVERY), &stream);
    let lateness = if shuffled { Duration::from_millis(500) } else { Duration::ZERO };
    Box::new(move || {
        let mut sequencer = Sequencer::new(OrderConfig {
            sources: vec![SourceOrder { lateness, max_future: None }],
            ..OrderConfig::default()
        });
        let mut released = 0;
        let mut count = |events: Released| {
            released += match events.events() {
                Events::Whole(batch) => batch.records.len() as u64,
                Events::Records(records) => records.len() as u64,
            }
        };
        for batch in &batches {
            let progress = sequencer.push(Arc::clone(batch));
            assert!(progress.late.is_empty(), "nothing is late");
            count(progress.released);
        }
        count(sequencer.end(0).released);
        released
    })
}

/// Events of a hundred users in blocks, decoded.
fn batches(rules: &Arc<Ruleset>, stream: &[String]) -> Vec<Arc<Batch>> {
    let mut decoder = Decoder::new(Arc::clone(rules), SessionConfig::default().decode(1));
    let mut first_line = 1;
    let mut block = |lines: &[String]| {
        let origin = BlockOrigin { first_line, ..ORIGIN };
        first_line += lines.len() as u64;
        Arc::new(decoder.decode((lines.join("\n") + "\n").into_bytes(), origin))
    };
    stream.chunks(500).map(&mut block).collect()
}

fn matched(text: &str, strategy: StrategyKind) -> Work {
    let rules = ruleset(text);
    assert_eq!(rules.rules[0].strategy, strategy, "{text}");
    let stream: Vec<String> = users().lines().map(str::to_owned).collect();
    let batches = batches(&rules, &stream);
    let mut found = Vec::new();
    Box::new(move || {
        let mut matcher = Matcher::new(Arc::clone(&rules), Limits::default(), None);
        let mut matches = 0;
        for batch in &batches {
            for hit in &batch.hits {
                let record = &batch.records[hit.record as usize];
                matcher.advance(record.ts, &mut found);
                let (view, seq) = (batch.view(record), batch.seq(record));
                let event =
                    Arrived { view, ts: record.ts, seq, roles: hit.roles, raw: None, origins: &[], copies: None };
                matcher.on_hit(hit.rule, batch.key(hit), hit.hash, &event, &mut found);
            }
            matches += found.len() as u64;
            found.clear();
        }
        matches
    })
}

fn rendered(format: Format) -> Work {
    let formatter = Formatter::new(format, Vec::new());
    let alerts = alerts(&ruleset(LATEST_RUN));
    let mut out = String::new();
    Box::new(move || {
        out.clear();
        alerts.iter().take(ALERTS as usize).for_each(|alert| formatter.write(alert, &mut out));
        out.len() as u64
    })
}

fn alerts(rules: &Arc<Ruleset>) -> Vec<Alert> {
    let mut session = Session::new(Arc::clone(rules), SessionConfig::default());
    session.push_block(users().as_bytes());
    session.finish(AtEnd::Pending);
    let alerts = session.drain();
    assert!(alerts.len() as u64 >= ALERTS, "{} alerts are enough", alerts.len());
    alerts
}

fn compiled(text: String) -> Work {
    Box::new(move || ruleset(&text).rules.len() as u64)
}

/// Every stage at once: all strategies over one stream, alerts as JSON.
fn whole() -> Work {
    let mut text = String::new();
    for (n, rule) in [STATELESS, COUNTER, LATEST_RUN, ABSENCE, PENDING, ENUMERATE, RUNS].iter().enumerate() {
        let _ = writeln!(text, "{}", rule.replacen("rule r ", &format!("rule r{n} "), 1));
    }
    let rules = ruleset(&text);
    let stream: Vec<String> = users().lines().map(str::to_owned).collect();
    let blocks: Vec<String> = stream.chunks(500).map(|lines| lines.join("\n") + "\n").collect();
    let formatter = Formatter::new(Format::Json, Vec::new());
    Box::new(move || {
        let mut session = Session::new(Arc::clone(&rules), SessionConfig::default());
        let mut out = String::new();
        for block in &blocks {
            session.push_block(block.as_bytes());
            session.drain().iter().for_each(|alert| formatter.write(alert, &mut out));
        }
        session.finish(AtEnd::Flush);
        session.drain().iter().for_each(|alert| formatter.write(alert, &mut out));
        out.len() as u64
    })
}

fn ruleset(text: &str) -> Arc<Ruleset> {
    let mut sources = SourceMap::new();
    sources.add("stage.trip", text);
    let load = |path: &str, _: SourceId| Err(format!("no tables here: {path}"));
    let compiled = compile(&sources, &CompileOptions::default(), &load);
    compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

/// Rules that differ in their classes: sequences of two steps.
fn sequences(count: u64) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            "rule s{n} {{ by user match {{ a: class{n} where value > {n} then b: class{} where value < a.value }} within {}m }}",
            n + 1,
            1 + n % 60
        );
        text
    })
}

/// A stream of a hundred users: an event every five milliseconds, ten types.
fn users() -> String {
    const TYPES: [&str; 10] = ["A", "B", "C", "failed", "failed", "success", "search", "view", "basket", "leave"];
    let mut state = 0x7374_6167_6573_0001_u64;
    let mut below = |n: u64| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        ((state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * n) >> 32
    };
    (0..EVENTS).fold(String::new(), |mut text, n| {
        let (kind, user, value) = (TYPES[below(10) as usize], below(100), below(100));
        let time = 1_767_225_600_000 + n * 5;
        let _ = writeln!(text, r#"{{"@timestamp":{time},"user":"user{user}","type":"{kind}","value":{value}}}"#);
        text
    })
}
