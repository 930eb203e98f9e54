//! The same alerts, ids included, in the same order: whatever the number of threads, wherever blocks are cut, and
//! with one session fed line by line.
//!
//! `PROPTEST_CASES` and `PROPTEST_SEED` as in `tests/oracle.rs`; a hundredth of the cases is spent here.

#[path = "determinism/cases.rs"]
mod cases;
#[path = "determinism/crashes.rs"]
mod crashes;
#[path = "oracle/mod.rs"]
mod oracle;

use std::ops::ControlFlow;
use std::sync::Arc;

use cases::{case, number};
use oracle::random::Random;
use tripline::alert::Alert;
use tripline::compile::compile_str;
use tripline::engine::{EngineConfig, Handler, Place, Progress, Source, SourceBlock, SourceFailure};
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Rejected, Session, SessionConfig};

/// Lines in blocks of so many.
struct Lines {
    lines: Vec<String>,
    at: usize,
    sizes: Vec<usize>,
    /// Read by a thread of its own, or by those that work.
    waits: bool,
}

impl Source for Lines {
    fn may_wait(&self) -> bool {
        self.waits
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        if self.at == self.lines.len() {
            return Ok(None);
        }
        let size = self.sizes.pop().unwrap_or(1).clamp(1, self.lines.len() - self.at);
        let bytes = self.lines[self.at..self.at + size].concat().into_bytes();
        let offset = self.lines[..self.at].iter().map(|l| l.len() as u64).sum();
        let first_line = self.at as u64 + 1;
        self.at += size;
        let after = Place { line: self.at as u64 + 1, offset: offset + bytes.len() as u64, ..Place::default() };
        let block = SourceBlock { bytes, first_line, offset, after, ..SourceBlock::default() };
        Ok(Some(block))
    }
}

#[derive(Default)]
struct Collected {
    alerts: Vec<Alert>,
    late: usize,
}

impl Handler for Collected {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.alerts.extend_from_slice(alerts);
        ControlFlow::Continue(())
    }
    fn late(&mut self, _: u16, _: &str) -> ControlFlow<()> {
        self.late += 1;
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

fn threads(
    rules: &Arc<Ruleset>,
    lines: &[Vec<String>],
    session: &SessionConfig,
    at_end: AtEnd,
    threads: usize,
    r: &mut Random,
) -> Collected {
    let config = EngineConfig { session: session.clone(), threads, at_end, ..EngineConfig::default() };
    let most = *r.choose(&[1, 3, 100]);
    let sources = lines.iter().map(|lines| -> Box<dyn Source> {
        let sizes = lines.iter().map(|_| 1 + r.below(most)).collect();
        Box::new(Lines { lines: lines.clone(), at: 0, sizes, waits: r.percent(50) })
    });
    let mut out = Collected::default();
    tripline::engine::run(rules, &config, sources.collect(), &mut out);
    out
}

#[test]
fn threads_and_blocks_make_no_difference() {
    let first = number("PROPTEST_SEED", 1);
    let (mut alerts, mut late) = (0, 0);
    for seed in first..first + number("PROPTEST_CASES", 100_000) / 100 {
        let mut r = Random::new(seed ^ (9 << 40));
        let (text, lines, config, at_end) = case(&mut r);
        if text.is_empty() {
            continue;
        }
        let rules = compile_str(&text).unwrap_or_else(|d| panic!("{text}{d:?}"));
        let one = threads(&rules, &lines, &config, at_end, 1, &mut r);
        if let [lines] = &lines[..] {
            let mut session = Session::new(Arc::clone(&rules), config.clone());
            lines.iter().for_each(|line| session.push_line(line.trim_end()));
            session.finish(at_end);
            assert_same(seed, &text, lines, "a session line by line", &session.drain(), &one.alerts);
            let mut session = Session::new(Arc::clone(&rules), config.clone());
            session.push_block(lines.concat().as_bytes());
            session.finish(at_end);
            assert_same(seed, &text, lines, "a session in one block", &session.drain(), &one.alerts);
        }
        for n in [2, 3, 8] {
            let many = threads(&rules, &lines, &config, at_end, n, &mut r);
            assert_same(seed, &text, &lines.concat(), &format!("{n} threads"), &many.alerts, &one.alerts);
            assert_eq!(many.late, one.late, "PROPTEST_SEED={seed}: late with {n} threads");
        }
        alerts += one.alerts.len();
        late += one.late;
    }
    println!("{alerts} alerts, {late} late events");
    assert!(alerts > 0);
}

fn assert_same(seed: u64, rules: &str, lines: &[String], what: &str, got: &[Alert], expected: &[Alert]) {
    if got != expected {
        let show = |alerts: &[Alert]| {
            let one = |a: &Alert| {
                let bound: Vec<String> =
                    a.bound.iter().flat_map(|s| &s.events).map(|e| format!("{}", e.seq.line())).collect();
                format!("{}@{}[{}] {:?} -{} {}", a.rule_name, a.time, bound.join(","), a.key, a.suppressed, &a.id[..6])
            };
            alerts.iter().map(one).collect::<Vec<_>>().join("\n")
        };
        panic!(
            "PROPTEST_SEED={seed}\n{rules}{}{what}:\n{}\none thread:\n{}",
            lines.concat(),
            show(got),
            show(expected)
        );
    }
}
