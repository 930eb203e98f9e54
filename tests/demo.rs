//! The sample beside the shipped rules is what its generator makes, and the shipped rules find in it what is listed.

#[path = "demo/generator.rs"]
mod generator;
#[path = "support/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::fs;

use program::{root, tripline};

#[test]
fn the_committed_sample_is_what_the_generator_makes() {
    let path = root().join("rules/samples/demo.ndjson");
    let made = generator::demo();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &made).expect("the sample is writable");
    }
    let kept = fs::read_to_string(&path).expect("rules/samples/demo.ndjson is in the repository");
    assert!(made == kept, "rules/samples/demo.ndjson differs from its generator; UPDATE_GOLDEN=1 rewrites it");
    assert!(made.len() <= 300 * 1024, "the sample has grown to {} bytes", made.len());
}

/// Runs all packs over the sample; a line an alert: time, rule, key, and what it is if it is no new alert.
fn alerts(threads: &str) -> String {
    let run = tripline(["run", "rules", "rules/samples/demo.ndjson", "--quiet", "--threads", threads]);
    assert!(run.success, "{}", run.stderr);
    let mut text = String::new();
    for line in run.stdout.lines() {
        let alert: serde_json::Value = serde_json::from_str(line).expect("an alert is a JSON object");
        let part = |name: &str| alert[name].as_str().unwrap_or_default();
        text.push_str(&format!("{} {} {}", part("time"), part("rule"), alert["key"]));
        if let Some(status) = alert["status"].as_str() {
            text.push_str(&format!(" {status}"));
        } else if let Some(again) = alert["repeat"].as_u64() {
            text.push_str(&format!(" repeat {again}"));
        }
        text.push('\n');
    }
    text
}

#[test]
fn all_packs_over_the_sample_give_the_listed_alerts() {
    let path = root().join("rules/samples/demo.alerts");
    let found = alerts("1");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).expect("the list is writable");
    }
    let listed = fs::read_to_string(&path).expect("rules/samples/demo.alerts is in the repository");
    assert_eq!(found, listed, "UPDATE_GOLDEN=1 rewrites rules/samples/demo.alerts");
    assert_eq!(alerts("2"), listed, "two threads give other alerts than one");
    let rules: BTreeSet<&str> = listed.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert!(rules.len() >= 30, "the sample makes only {} rules fire: {rules:?}", rules.len());
}
