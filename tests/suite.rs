//! Conformance: every case under `tests/suite/`, on the oracle and on the engine.
//!
//! The cases are text and know nothing of the engine; `tests/oracle/case.rs` says how they are written.

#[path = "oracle/mod.rs"]
mod oracle;

use std::path::PathBuf;

use oracle::case::{self, Case};
use oracle::engine::{self, Way};
use oracle::{parse, render, select};

/// The files, each with what it is about. A file that is not listed here fails the suite.
const FILES: &[&str] = &[
    "absence_ahead.txt",
    "absent_group.txt",
    "aggregates.txt",
    "all.txt",
    "all_matches.txt",
    "alternation.txt",
    "asof.txt",
    "behind.txt",
    "bounds.txt",
    "cancel.txt",
    "choice.txt",
    "clock.txt",
    "conditions.txt",
    "consecutive.txt",
    "contiguity.txt",
    "distinct.txt",
    "each.txt",
    "gaps.txt",
    "groups.txt",
    "handed_over.txt",
    "having.txt",
    "keys.txt",
    "lasting.txt",
    "lifecycle.txt",
    "parts.txt",
    "pending.txt",
    "pick.txt",
    "quantifiers.txt",
    "regressions.txt",
    "skip.txt",
    "sliding.txt",
    "sliding_events.txt",
    "spans.txt",
    "statistic_options.txt",
    "statistics.txt",
    "suppress.txt",
    "table.txt",
    "time.txt",
    "until.txt",
    "until_time.txt",
    "without.txt",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite")
}

fn cases() -> Vec<Case> {
    let read = |file: &&str| {
        let text = std::fs::read_to_string(folder().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let cases = case::read(file, &text);
        assert!(!cases.is_empty(), "{file} has no case");
        cases
    };
    FILES.iter().flat_map(read).collect()
}

#[test]
fn no_file_is_forgotten() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .expect("tests/suite")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut listed: Vec<String> = FILES.iter().map(ToString::to_string).collect();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn names_are_unique() {
    let mut names: Vec<String> = cases().iter().map(|c| format!("{}: {}", c.file, c.name)).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "two cases of one name in a file");
}

#[test]
fn oracle_agrees() {
    let mut failures = vec![];
    let cases = cases();
    for case in &cases {
        println!("{}: {}", case.file, case.name);
        let rule = parse::rule(&case.rule);
        let names: Vec<Option<String>> = rule.names();
        let outcome = select::run(&rule, &case.stream, case.settings);
        if let Some(difference) = case.differs(&outcome, &names) {
            failures.push(format!("{}: {}\n{}  {difference}\n", case.file, case.name, case.rule));
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// The printer and the parser of the oracle agree on every rule of the suite.
#[test]
fn rules_print_and_read_back() {
    for case in cases() {
        let rule = parse::rule(&case.rule);
        assert_eq!(parse::rule(&render::text(&rule)), rule, "{}: {}\n{}", case.file, case.name, render::text(&rule));
    }
}

#[test]
fn engine_agrees() {
    let mut failures = vec![];
    let cases = cases();
    for case in &cases {
        let rule = parse::rule(&case.rule);
        let names: Vec<Option<String>> = rule.names();
        let text = render::wrap(&case.rule);
        for way in [Way::Chosen, Way::Runs, Way::Restored, Way::RunsRestored] {
            let difference = match engine::run(&text, &names, &case.stream, case.settings, way) {
                Ok(outcome) => case.differs(&outcome, &names),
                Err(why) => Some(why),
            };
            if let Some(difference) = difference {
                failures.push(format!("{}: {}, {way:?}\n{}  {difference}\n", case.file, case.name, case.rule));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
