//! Random Sigma detections against an evaluator written straight from the specification, which shares no code with
//! the importer: both the rule as it is loaded and its printed form must agree with it on every event.
//!
//! `PROPTEST_CASES=20000 cargo test --test sigma_oracle` runs more cases; a failure prints the rule and the event.

#[path = "sigma_oracle/eval.rs"]
mod eval;
#[path = "sigma_oracle/random.rs"]
mod random;

use std::sync::Arc;

use tripline::compile::{CompileOptions, compile};
use tripline::diag::render::render_text;
use tripline::import::sigma::pipeline::Pipelines;
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax;
use tripline::syntax::source::SourceMap;

/// The rule set of a text, and the first source's tree printed.
fn compiled(name: &str, text: &str) -> (Arc<Ruleset>, String) {
    let mut sources = SourceMap::new();
    sources.add(name, text);
    let options = CompileOptions {
        strict: true,
        pipelines: Pipelines::new(&["none"], Vec::new()).unwrap_or_default(),
        ..CompileOptions::default()
    };
    let compiled = compile(&sources, &options, &|path, _| Err(format!("no table {path}")));
    let shown = || format!("{text}\n{}", render_text(&compiled.diagnostics, &sources, false));
    (compiled.ruleset.clone().unwrap_or_else(|| panic!("refused: {}", shown())), syntax::print(&compiled.files[0]))
}

/// For each event, whether the rule fires at it.
fn fired(rules: &Arc<Ruleset>, events: &[serde_json::Value]) -> Vec<bool> {
    let mut session = Session::new(rules.clone(), SessionConfig::default());
    let mut fired = vec![false; events.len()];
    for event in events {
        session.push_line(&event.to_string());
    }
    session.finish(AtEnd::Pending);
    for alert in session.drain() {
        let at = alert.time.as_millis() / 1000 - 1_700_000_000;
        fired[usize::try_from(at).expect("a time of the case")] = true;
    }
    fired
}

#[test]
fn a_detection_means_what_the_specification_says() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1500_u64);
    let mut matched = 0;
    for seed in 0..cases {
        let mut random = random::Random::new(seed);
        let rule = random.rule();
        let events: Vec<serde_json::Value> = (0..16)
            .map(|at| {
                let mut event = random.event();
                event["ts"] = serde_json::json!(1_700_000_000 + at);
                event
            })
            .collect();
        let expected: Vec<bool> = events.iter().map(|event| eval::matches(&rule, event)).collect();
        let text = rule.yaml();
        let (rules, printed) = compiled("rule.yml", &text);
        let (again, reprinted) = compiled("rule.trip", &printed);
        assert_eq!(printed, reprinted, "seed {seed}: the printed form is not stable\n{text}");
        for (way, rules) in [("as loaded", rules), ("as printed", again)] {
            let found = fired(&rules, &events);
            if let Some(at) = (0..events.len()).find(|at| found[*at] != expected[*at]) {
                panic!(
                    "seed {seed}, {way}: {} where the specification says {}\n{text}\n{}\n{printed}",
                    found[at], expected[at], events[at]
                );
            }
        }
        matched += expected.iter().filter(|hit| **hit).count();
    }
    let share = matched as f64 / (cases * 16) as f64;
    assert!((0.1..0.9).contains(&share), "the cases say little: {share} of all events match");
}
