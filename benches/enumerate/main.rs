//! What an event costs a rule with `pick all`, and what a match: `cargo bench --bench enumerate [-- EVENTS]`.
//!
//! Streams are those of `stream.rs`, decoded beforehand: events go to the matcher, one after the other, as a session
//! hands them over. First with no match asked for, so that what is measured is the update; then with matches gone
//! through. Numbers of matches are held against the dynamic program on a part of each stream. Medians of runs that take
//! turns, in processor time of the thread.

#[path = "stream.rs"]
mod stream;

/// As the program has it, so that the figures are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use stream::{Counted, event, rule, types};
use tripline::base::{Limits, RuleId};
use tripline::compile::compile_str;
use tripline::decode::Arena;
use tripline::matcher::enumerate::Enumerate;
use tripline::matcher::{Matcher, RuleEnv};
use tripline::plan::Ruleset;

/// Runs of each case; the median counts.
const RUNS: usize = 5;
/// Events on which numbers of matches are held against the dynamic program.
const COMPARED: usize = 20_000;
/// Matches of one event that are gone through.
const GONE_THROUGH: usize = 10_000;

struct Case {
    length: usize,
    window: usize,
    rules: Arc<Ruleset>,
    types: Vec<usize>,
    /// Nanoseconds an event, by run.
    update: Vec<f64>,
    /// Nanoseconds an event of a match gone through, by run.
    delay: Vec<f64>,
    matches: u128,
}

fn main() {
    let events = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(1_000_000);
    let mut cases: Vec<Case> = Vec::new();
    for length in [3, 6, 12, 24] {
        for window in [100, 1000] {
            let rules = compile_str(&rule(length, window)).expect("the rule has no errors");
            let types = types(length, events, length as u64);
            let mut case = Case { length, window, rules, types, update: vec![], delay: vec![], matches: 0 };
            case.matches = compare(&case);
            cases.push(case);
        }
    }
    for _ in 0..RUNS {
        for case in &mut cases {
            let update = updated(case);
            case.update.push(update);
            let delay = gone_through(case);
            case.delay.push(delay);
        }
    }
    println!(
        "{:>3} {:>7} {:>11} {:>10} {:>14} {:>22}",
        "n", "window", "ns/event", "M events/s", "ns/bound event", "matches of the sample"
    );
    for case in &cases {
        let (update, delay) = (median(&case.update), median(&case.delay));
        println!(
            "{:>3} {:>7} {:>11.1} {:>10.1} {:>14.1} {:>22}",
            case.length,
            case.window,
            update,
            1000.0 / update,
            delay,
            case.matches
        );
    }
    let of = |length, window| {
        let case = cases.iter().find(|c| (c.length, c.window) == (length, window)).expect("a case");
        median(&case.update)
    };
    for length in [3, 6, 12, 24] {
        println!("n = {length}: window 1000 / window 100 = {:.2}", of(length, 1000) / of(length, 100));
    }
    for window in [100, 1000] {
        println!("window {window}: n = 24 / n = 3 = {:.2}", of(24, window) / of(3, window));
    }
}

/// Counts of the matcher and of the dynamic program are equal on the first events; gives their sum.
fn compare(case: &Case) -> u128 {
    let rule = &case.rules.rules[0];
    let (mut state, arena, limits) = (Enumerate::default(), Arena::default(), Limits::default());
    let env = RuleEnv::new(rule, &[], &limits);
    let counted = Counted::new(&case.types, case.length, case.window);
    let mut sum = 0_u128;
    for (place, class) in case.types.iter().take(COMPARED).enumerate() {
        let event = event(rule, &arena, *class, place);
        let completion = state.advance(rule, &event, &mut || event.store(&env, &[]), &mut 0);
        let count = state.count(&completion);
        assert_eq!(count, counted.at(place), "n = {}, window {}, event {place}", case.length, case.window);
        sum += count;
    }
    sum
}

/// Nanoseconds an event, with no match asked for.
fn updated(case: &Case) -> f64 {
    let limits = Limits { matches_per_completion: 0, ..Limits::default() };
    let mut matcher = Matcher::new(Arc::clone(&case.rules), limits, None);
    let (arena, mut found) = (Arena::default(), Vec::new());
    let rule = &case.rules.rules[0];
    let begun = now();
    for (place, class) in case.types.iter().enumerate() {
        let event = event(rule, &arena, *class, place);
        matcher.advance(event.ts, &mut found);
        // An event that no step names does not come so far as to be a hit.
        if event.roles != 0 {
            matcher.on_hit(RuleId(0), &[], 0, &event, &mut found);
        }
    }
    let took = now() - begun;
    assert!(found.is_empty());
    took / case.types.len() as f64
}

/// Nanoseconds for each event of each match that is gone through: what a run takes longer than one without.
fn gone_through(case: &Case) -> f64 {
    let rule = &case.rules.rules[0];
    let (arena, limits) = (Arena::default(), Limits::default());
    let env = RuleEnv::new(rule, &[], &limits);
    let run = |most: usize| {
        let (mut state, mut bound, mut sum) = (Enumerate::default(), 0_usize, 0_u64);
        let begun = now();
        for (place, class) in case.types.iter().take(COMPARED).enumerate() {
            let event = event(rule, &arena, *class, place);
            let completion = state.advance(rule, &event, &mut || event.store(&env, &[]), &mut 0);
            let mut matches = 0;
            if most == 0 || completion.is_empty() {
                continue;
            }
            state.matches(&completion, |events| {
                bound += events.len();
                sum = sum.wrapping_add(events[0].event);
                matches += 1;
                matches < most
            });
        }
        std::hint::black_box(sum);
        (now() - begun, bound)
    };
    let (without, _) = run(0);
    let (with, bound) = run(GONE_THROUGH);
    (with - without).max(0.0) / bound.max(1) as f64
}

/// How many nanoseconds this thread has had a processor: other programs do not count. Where the system does not say,
/// those since the first call.
fn now() -> f64 {
    static FIRST: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let first = FIRST.get_or_init(Instant::now);
    let on_processor = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let on_processor = on_processor.and_then(|text| text.split_whitespace().next()?.parse().ok());
    on_processor.unwrap_or_else(|| first.elapsed().as_nanos() as f64)
}

fn median(runs: &[f64]) -> f64 {
    let mut runs = runs.to_vec();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
