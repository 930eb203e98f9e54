//! The list of what cannot be combined, in `docs/language.md`, is complete: every code for patterns, keys and clauses
//! either stands there, or is said here to be about one thing alone.

use std::collections::BTreeSet;

use tripline::diag::codes::check::CODES;

/// Codes that refuse something for itself, whatever stands beside it.
const ALONE: &[&str] = &[
    // Patterns and clauses.
    "E0301", "E0302", "E0303", "E0304", "E0305", "E0306", "E0307", "E0308", "E0309", "E0318", "E0323", "E0341", "E0353",
    // Options of statistics.
    "E0350",
];

/// Codes outside the E03xx that refuse pairs.
const PAIRS_ELSEWHERE: &[&str] = &["E0234", "E0241", "E0242", "E0243", "E0276"];

/// The codes in the tables of the section.
fn listed() -> BTreeSet<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/language.md")).expect("the page");
    let (_, section) = page.split_once("\n## What cannot be combined\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or(section);
    let cells = section.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('|').map(str::trim));
    cells.filter(|cell| cell.len() == 5 && cell.starts_with("E0")).map(str::to_owned).collect()
}

#[test]
fn every_refused_pair_is_listed() {
    let listed = listed();
    let mut wanted: BTreeSet<String> = PAIRS_ELSEWHERE.iter().map(ToString::to_string).collect();
    wanted.extend(CODES.iter().map(|info| info.code.to_owned()).filter(|c| c.starts_with("E03")));
    wanted.retain(|code| !ALONE.contains(&code.as_str()));
    let missing: Vec<&String> = wanted.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/language.md, \"What cannot be combined\", lacks {missing:?}");
    let unknown: Vec<&String> = listed.difference(&wanted).collect();
    assert!(unknown.is_empty(), "no such pair, or said to be about one thing alone: {unknown:?}");
}

#[test]
fn codes_that_stand_alone_exist() {
    for code in ALONE.iter().chain(PAIRS_ELSEWHERE) {
        assert!(CODES.iter().any(|info| info.code == *code), "{code}");
    }
}
