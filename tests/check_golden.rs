//! Golden reports: one rule file a code under `tests/ui/check`, with the report it gives.
//!
//! `UPDATE_GOLDEN=1 cargo test --test check_golden` writes the reports and `docs/diagnostics.md` anew.

mod check;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use check::report;
use tripline::diag::code::all;
use tripline::diag::codes::check::CODES;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn golden_dir() -> PathBuf {
    root().join("tests/ui/check")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// Compares a file with what it should hold, or writes it.
fn hold(path: &Path, wanted: &str) -> Result<(), String> {
    if updating() {
        std::fs::write(path, wanted).expect("golden files can be written");
        return Ok(());
    }
    let held = std::fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    if held == wanted {
        return Ok(());
    }
    let name = path.strip_prefix(root()).unwrap_or(path).display();
    Err(format!(
        "{name} does not hold; with UPDATE_GOLDEN=1 it is written anew\n--- held\n{held}\n+++ found\n{wanted}\n"
    ))
}

/// The `.trip` files with their texts, in order.
fn cases() -> Vec<(PathBuf, String)> {
    let mut found: Vec<(PathBuf, String)> = std::fs::read_dir(golden_dir())
        .expect("the golden files are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "trip"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a golden file can be read");
            (path, text)
        })
        .collect();
    found.sort();
    found
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

#[test]
fn reports_hold() {
    let mut failures = String::new();
    for (path, text) in cases() {
        let name = format!("{}.trip", stem(&path));
        if let Err(failure) = hold(&path.with_extension("stderr"), &report(&name, &text)) {
            failures.push_str(&failure);
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_code_has_a_golden_report_that_names_it() {
    let cases = cases();
    let mut missing = Vec::new();
    for info in CODES {
        let named = cases.iter().any(|(path, text)| {
            let stem = stem(path);
            (stem == info.code || stem.starts_with(&format!("{}_", info.code)))
                && check::codes(text).contains(&info.code)
        });
        if !named {
            missing.push(info.code);
        }
    }
    assert!(missing.is_empty(), "no golden report for {missing:?}");
}

#[test]
fn no_golden_file_is_forgotten() {
    let stems: BTreeSet<String> = cases().iter().map(|(path, _)| stem(path)).collect();
    let mut stray = Vec::new();
    for entry in std::fs::read_dir(golden_dir()).expect("the golden files are there") {
        let path = entry.expect("the folder can be read").path();
        if !stems.contains(&stem(&path)) {
            stray.push(path);
        }
    }
    assert!(stray.is_empty(), "reports without a rule file: {stray:?}");
}

#[test]
fn the_documentation_lists_every_code() {
    let mut page = String::from(
        "# Diagnostics\n\n\
         Every problem that Tripline reports in rules and configuration has a stable code. `E` codes are errors: the rule\n\
         set does not run. `W` codes are warnings: it runs, but perhaps not as meant. Numbers are never reused.\n\n\
         `tripline rule CODE` explains one of them with a wrong and a right example. A report names the place, what\n\
         follows from the problem and a way out; where the way out is a replacement, it is shown as one.\n\n\
         This page is held by `tests/check_golden.rs`; `UPDATE_GOLDEN=1 cargo test --test check_golden` writes it.\n",
    );
    let ranges = [
        ("E00", "Syntax"),
        ("E02", "Names, kinds, keys and tests"),
        ("E03", "Patterns, bounds and clauses"),
        ("E04", "Tables and configuration"),
        ("W05", "Rules that run, but perhaps not as meant"),
        ("W06", "Rules against sample data"),
        ("E07", "EQL queries and detection rules"),
        ("W07", "EQL queries that run, but perhaps not as meant"),
        ("E08", "Sigma rules"),
        ("W08", "Sigma rules that run, but perhaps not as meant"),
    ];
    let mut listed = 0;
    for (prefix, title) in ranges {
        let mut rows: Vec<_> = all().filter(|info| info.code.starts_with(prefix)).collect();
        rows.sort_by_key(|info| info.code);
        listed += rows.len();
        if rows.is_empty() {
            continue;
        }
        write!(page, "\n## {title}\n\n| code | meaning |\n|---|---|\n").expect("a string can be written");
        for info in rows {
            writeln!(page, "| `{}` | {} |", info.code, info.title.replace('|', "\\|"))
                .expect("a string can be written");
        }
    }
    assert_eq!(listed, all().count(), "a code lies outside the ranges");
    if let Err(failure) = hold(&root().join("docs/diagnostics.md"), &page) {
        panic!("{failure}");
    }
}
