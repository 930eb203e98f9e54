//! The shipped rules: they check clean, are formatted, their tests pass, and every rule has enough of them.
//!
//! Runs the program as a user would.

#[path = "support/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use program::{root, rule_files, tripline};

/// A rule needs at least: it fires, it does not, and what happens at its bound.
const TESTS_PER_RULE: usize = 3;

/// What a rule that people keep must say beside its pattern.
const CLAUSES: [&str; 5] = ["severity ", "tags ", "description ", "runbook ", "alert {"];

/// The fields of work that have a pack.
const FOLDERS: [&str; 11] = [
    "activity",
    "fraud",
    "inventory",
    "location",
    "logs",
    "marketing",
    "models",
    "monitoring",
    "rides",
    "siem",
    "trading",
];

#[test]
fn all_packs_check_without_a_finding() {
    let run = tripline(["check", "--deny-warnings", "rules"]);
    assert!(run.success, "tripline check rules:\n{}{}", run.stdout, run.stderr);
}

#[test]
fn all_tests_in_packs_pass() {
    let run = tripline(["test", "rules"]);
    assert!(run.success, "tripline test rules:\n{}{}", run.stdout, run.stderr);
}

#[test]
fn packs_are_formatted() {
    let run = tripline(["fmt", "--check", "rules"]);
    assert!(run.success, "tripline fmt --check rules:\n{}{}", run.stdout, run.stderr);
}

#[test]
fn every_field_of_work_has_a_rule() {
    for folder in FOLDERS {
        assert!(
            rule_files().iter().any(|file| file.starts_with(root().join("rules").join(folder))),
            "rules/{folder} holds no rule file"
        );
    }
}

#[test]
fn every_rule_has_enough_tests_and_says_what_it_is_for() {
    let mut tests: BTreeMap<String, usize> = BTreeMap::new();
    let mut rules: Vec<(String, PathBuf, String)> = Vec::new();
    for file in rule_files() {
        let text = fs::read_to_string(&file).expect("a rule file is readable");
        for part in declarations(&text) {
            let name = part.split_whitespace().nth(1).unwrap_or_default().to_owned();
            if part.starts_with("rule ") {
                rules.push((name, file.clone(), part.to_owned()));
            } else if part.starts_with("test ") {
                *tests.entry(name).or_default() += 1;
            }
        }
    }
    assert!(rules.len() >= 30, "only {} rules found", rules.len());
    for (name, file, text) in &rules {
        let count = tests.get(name).copied().unwrap_or(0);
        assert!(count >= TESTS_PER_RULE, "{name} in {} has {count} tests", file.display());
        for clause in CLAUSES {
            assert!(text.contains(clause), "{name} in {} has no `{clause}`", file.display());
        }
    }
}

#[test]
fn the_guide_names_every_file() {
    let guide = fs::read_to_string(root().join("rules/README.md")).expect("rules/README.md");
    for file in rule_files() {
        let name = file.strip_prefix(root().join("rules")).expect("below rules").display().to_string();
        assert!(guide.contains(&format!("`{name}`")), "rules/README.md does not name {name}");
    }
}

/// The declarations of a file that is formatted: each begins in the first column.
fn declarations(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if ["rule ", "test ", "event ", "let ", "table "].iter().any(|word| line.starts_with(word)) {
            starts.push(offset);
        }
        offset += line.len();
    }
    starts
        .iter()
        .enumerate()
        .map(|(n, start)| &text[*start..starts.get(n + 1).copied().unwrap_or(text.len())])
        .collect()
}
