//! What the threads of the engine promise besides the alerts: bounded reading ahead, and no waiting for who is gone.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tripline::alert::Alert;
use tripline::compile::compile_str;
use tripline::engine::{self, EngineConfig, Handler, Progress, Source, SourceBlock, SourceFailure};
use tripline::session::Rejected;

/// Gives blocks of one event, and counts them.
struct Blocks {
    given: Arc<AtomicU64>,
    most: u64,
    waits: bool,
    /// Panics at this block.
    breaks_at: Option<u64>,
}

impl Source for Blocks {
    fn may_wait(&self) -> bool {
        self.waits
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        let n = self.given.load(Ordering::SeqCst);
        assert_ne!(Some(n), self.breaks_at, "the source breaks, as the test wants it");
        if n == self.most {
            return Ok(None);
        }
        self.given.fetch_add(1, Ordering::SeqCst);
        let bytes = format!("{{\"type\":\"a\",\"k\":\"k{}\",\"ts\":{}}}\n", n % 7, 1_767_225_600_000 + n).into_bytes();
        Ok(Some(SourceBlock { bytes, first_line: n + 1, offset: n * 64, ..SourceBlock::default() }))
    }
}

/// Takes alerts, and nothing else may come.
struct AlertsOnly<F>(F);

impl<F: FnMut(&[Alert]) -> ControlFlow<()>> Handler for AlertsOnly<F> {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        (self.0)(alerts)
    }
    fn late(&mut self, _: u16, line: &str) -> ControlFlow<()> {
        panic!("nothing is late: {line}")
    }
    fn rejected(&mut self, rejected: &Rejected) -> ControlFlow<()> {
        panic!("{rejected:?}")
    }
    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        panic!("{failure}");
    }
    fn progress(&mut self, _: Progress) {}
}

/// Notes how far reading is ahead of each alert.
struct Slow {
    given: Arc<AtomicU64>,
    taken: u64,
    ahead: u64,
}

impl Slow {
    fn take(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        // Whoever can read on does so meanwhile.
        for _ in 0..100 {
            std::thread::yield_now();
        }
        self.ahead = self.ahead.max(self.given.load(Ordering::SeqCst) - self.taken);
        self.taken += alerts.len() as u64;
        ControlFlow::Continue(())
    }
}

fn run(threads: usize, waits: bool, breaks_at: Option<u64>) -> Slow {
    let rules = compile_str("rule r { by k match { x: a } }").expect("the rule has no errors");
    let given = Arc::new(AtomicU64::new(0));
    let source = Blocks { given: Arc::clone(&given), most: 2000, waits, breaks_at };
    let mut slow = Slow { given, taken: 0, ahead: 0 };
    let config = EngineConfig { threads, ..EngineConfig::default() };
    engine::run(&rules, &config, vec![Box::new(source)], &mut AlertsOnly(|alerts: &[Alert]| slow.take(alerts)));
    slow
}

#[test]
fn a_slow_handler_stops_the_reading() {
    for (threads, waits) in [(1, false), (1, true), (2, false), (2, true), (5, false), (5, true)] {
        let slow = run(threads, waits, None);
        assert_eq!(slow.taken, 2000, "{threads} threads");
        // What is on its way, what a reader has ahead, and what it has in its hands.
        let most = 2 * threads as u64 + 2 + if waits { 5 } else { 0 };
        assert!(slow.ahead <= most, "{threads} threads: {} blocks ahead", slow.ahead);
    }
}

#[test]
fn a_panic_in_a_thread_ends_the_run() {
    for threads in [1, 2, 4] {
        let ended = catch_unwind(AssertUnwindSafe(|| run(threads, false, Some(100))));
        assert!(ended.is_err(), "{threads} threads");
    }
}

/// Gives one block, as large as it is.
struct OneBlock(Option<Vec<u8>>);

impl Source for OneBlock {
    fn may_wait(&self) -> bool {
        false
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        Ok(self.0.take().map(|bytes| SourceBlock { bytes, first_line: 1, ..SourceBlock::default() }))
    }
}

/// Notes how many alerts come at once, and breaks off after some.
struct Portions {
    most: usize,
    ids: Vec<String>,
    enough: usize,
}

impl Portions {
    fn take(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.most = self.most.max(alerts.len());
        self.ids.extend(alerts.iter().map(|alert| alert.id.to_string()));
        if self.ids.len() < self.enough { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Regression: all alerts of a block were held until it was matched to its end, tens of gigabytes for this rule.
#[test]
fn alerts_of_pick_all_are_sent_before_more_are_found() {
    let rules = compile_str("rule r { match { a: x then b: y then c: z } pick all after match no skip }");
    let rules = rules.expect("the rule has no errors");
    let line =
        |n: u64| format!("{{\"type\":\"{}\",\"ts\":{}}}\n", ["x", "y", "z"][n as usize % 3], 1_767_225_600_000 + n);
    let block: String = (0..3000).map(line).collect();
    let run = |threads: usize| {
        let mut portions = Portions { most: 0, ids: Vec::new(), enough: 20_000 };
        let mut config = EngineConfig { threads, ..EngineConfig::default() };
        config.session.limits.matches_per_completion = 100;
        let source = OneBlock(Some(block.clone().into_bytes()));
        let mut handler = AlertsOnly(|alerts: &[Alert]| portions.take(alerts));
        engine::run(&rules, &config, vec![Box::new(source)], &mut handler);
        portions
    };
    let one = run(1);
    assert!(one.ids.len() >= 20_000 && one.most <= 32_768, "{} of {}", one.most, one.ids.len());
    for threads in [2, 4] {
        let more = run(threads);
        assert!(more.most <= 49_152, "{threads} threads: {}", more.most);
        assert_eq!(one.ids[..20_000], more.ids[..20_000], "{threads} threads");
    }
}
