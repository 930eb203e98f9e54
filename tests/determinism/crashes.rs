//! Runs that crash between two blocks and go on from their last checkpoint, with another number of threads each time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tripline::alert::Alert;
use tripline::engine::{Checkpoint, EngineConfig, Handler, Place, Progress, Saved, Source, SourceFailure, run_from};
use tripline::matcher::saved::{Change, Changes, read_chunk};
use tripline::session::Rejected;
use tripline::session::head::Head;

use super::{Lines, Random, assert_same, case, compile_str, number, threads};

/// What is on the disk.
#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    keys: BTreeMap<(u32, Vec<u8>), Vec<u8>>,
    places: Vec<Place>,
    /// Alerts that were written, and how many of them the last checkpoint knows.
    alerts: Vec<Alert>,
    known: usize,
}

/// Writes to the disk until it crashes.
struct Crashing<'a> {
    kept: &'a mut Kept,
    random: Random,
    /// No checkpoint was asked for, or written, yet.
    first: bool,
    unwritten: bool,
    /// Percent of moments between blocks at which a checkpoint is taken.
    often: usize,
    /// Checkpoints and batches of alerts until the crash.
    left: usize,
}

impl Crashing<'_> {
    fn go_on(&mut self) -> ControlFlow<()> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Handler for Crashing<'_> {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.kept.alerts.extend_from_slice(alerts);
        self.go_on()
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
    fn wants_checkpoint(&mut self) -> bool {
        std::mem::take(&mut self.first) || self.random.percent(self.often)
    }
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> ControlFlow<()> {
        self.kept.head = checkpoint.head;
        self.kept.places = checkpoint.places;
        self.kept.known = self.kept.alerts.len();
        // The first of a run holds all keys, and takes the place of what the run went on from.
        if std::mem::take(&mut self.unwritten) {
            self.kept.keys.clear();
        }
        for change in checkpoint.keys.chunks.iter().flat_map(|chunk| read_chunk(chunk).expect("a chunk")) {
            let key = (change.rule, change.key.to_vec());
            match change.state {
                Some(state) => drop(self.kept.keys.insert(key, state.to_vec())),
                None => assert!(self.kept.keys.remove(&key).is_some(), "what is gone was there"),
            }
        }
        self.go_on()
    }
    fn progress(&mut self, _: Progress) {}
}

#[test]
fn crashes_make_no_difference() {
    let first = number("PROPTEST_SEED", 1);
    let (mut alerts, mut crashes) = (0, 0);
    for seed in first..first + number("PROPTEST_CASES", 100_000) / 100 {
        let mut r = Random::new(seed ^ (10 << 40));
        let (text, lines, session, at_end) = case(&mut r);
        if text.is_empty() {
            continue;
        }
        let rules = compile_str(&text).unwrap_or_else(|d| panic!("{text}{d:?}"));
        let expected = threads(&rules, &lines, &session, at_end, 1, &mut r);
        let mut kept = Kept::default();
        let mut threads = Vec::new();
        for attempt in 0.. {
            threads.push(*r.choose(&[1, 1, 2, 3]));
            let config = EngineConfig {
                session: session.clone(),
                threads: threads[attempt],
                at_end,
                checkpoints: true,
                ..EngineConfig::default()
            };
            let most = *r.choose(&[1, 3, 20]);
            let sources = lines.iter().enumerate().map(|(source, lines)| -> Box<dyn Source> {
                let at = kept.places.get(source).map_or(0, |place| place.line as usize - 1);
                let sizes = lines.iter().map(|_| 1 + r.below(most)).collect();
                Box::new(Lines { lines: lines.clone(), at, sizes, waits: r.percent(50) })
            });
            let sources = sources.collect();
            let saved = (!kept.places.is_empty()).then(|| {
                let mut keys = Changes::default();
                for ((rule, key), state) in &kept.keys {
                    keys.push(Change { rule: *rule, key, state: Some(state) });
                }
                let head = Head::from_bytes(&kept.head).expect("a head");
                Saved { head, keys: keys.chunks, places: kept.places.clone() }
            });
            kept.alerts.truncate(kept.known);
            // The last attempt goes through.
            let left = if attempt < 4 { 1 + r.below(12) } else { usize::MAX };
            let (random, often) = (Random::new(seed ^ (11 << 40) ^ attempt as u64), *r.choose(&[5, 30, 100]));
            let mut handler = Crashing { kept: &mut kept, random, first: true, unwritten: true, often, left };
            run_from(&rules, &config, sources, saved, &mut handler).expect("the state is readable");
            if handler.left > 0 {
                break;
            }
            crashes += 1;
        }
        let what = format!("crashes, {threads:?} threads");
        assert_same(seed, &text, &lines.concat(), &what, &kept.alerts, &expected.alerts);
        alerts += expected.alerts.len();
    }
    println!("{alerts} alerts, {crashes} crashes");
    assert!(alerts > 0 && crashes > 0);
}
