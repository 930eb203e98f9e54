//! Golden files of the parser: `tests/ui/syntax/*.trip` with the diagnostics they give (`.stderr`), and
//! `tests/ui/syntax/valid/*.trip` with their trees (`.ast`) and canonical form (`.fmt`).
//!
//! `UPDATE_GOLDEN=1` writes what is found instead of comparing.

mod syntax_support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use syntax_support::dump;
use tripline::base::Limits;
use tripline::diag::{Diagnostic, code, render};
use tripline::syntax::source::{SourceId, SourceMap};
use tripline::syntax::{format, parse, parse_rule_one_liner};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/syntax").join(name)
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "trip"))
        .collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Compares with a golden file, or writes it.
fn compare(golden: &Path, found: &str, failures: &mut Vec<String>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, found).expect("golden files can be written");
        return;
    }
    let wanted = std::fs::read_to_string(golden).unwrap_or_default();
    if wanted != found {
        failures.push(format!("{}\n--- wanted\n{wanted}\n--- found\n{found}", golden.display()));
    }
}

fn diagnose(path: &Path) -> (String, SourceMap, Vec<Diagnostic>) {
    let text = read(path);
    let mut sources = SourceMap::new();
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    let id = sources.add(name, text.clone());
    let (_, diagnostics) = parse(id, &text, &Limits::default());
    (text, sources, diagnostics)
}

#[test]
fn diagnostics_are_as_written_down() {
    let mut failures = Vec::new();
    for path in cases(&folder("")) {
        let (_, sources, diagnostics) = diagnose(&path);
        let rendered = render::render_text(&diagnostics, &sources, false);
        compare(&path.with_extension("stderr"), &rendered, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_case_shows_the_code_it_is_named_after() {
    for path in cases(&folder("")) {
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let (_, _, diagnostics) = diagnose(&path);
        if let Some(code) = name.get(..5).filter(|c| c.starts_with('E')) {
            let codes: Vec<&str> = diagnostics.iter().map(|d| d.code.0).collect();
            assert!(codes.contains(&code), "{name}: found {codes:?}");
        }
    }
}

#[test]
fn no_code_is_forgotten() {
    let mut shown = BTreeSet::new();
    let mut used = BTreeSet::new();
    for path in cases(&folder("")) {
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        shown.extend(name.get(..5).filter(|c| c.starts_with('E')).map(str::to_owned));
        used.extend(diagnose(&path).2.iter().map(|d| d.code.0.to_owned()));
    }
    let ours = |code: &&str| code.starts_with("E00") || code.starts_with("E01");
    let known: BTreeSet<String> = code::all().map(|info| info.code).filter(ours).map(str::to_owned).collect();
    assert_eq!(known.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new(), "codes without a case");
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "codes that are not registered");
}

#[test]
fn every_diagnostic_says_what_to_do_and_fits_its_text() {
    for path in cases(&folder("")) {
        let (text, _, diagnostics) = diagnose(&path);
        for d in &diagnostics {
            assert!(!d.message.ends_with('.') && !d.message.is_empty(), "{}: {}", path.display(), d.message);
            // What stands where nothing is expected can be too many things to advise on.
            assert!(
                d.help.is_some() || d.code.0 == "E0001" || d.code.0 == "E0004",
                "{}: {}",
                path.display(),
                d.message
            );
            for label in &d.labels {
                assert!(text.get(label.span.range()).is_some(), "{}: {:?}", path.display(), label);
            }
        }
    }
}

/// What a fix promises: with all fixes of a text made, its problem is gone.
#[test]
fn fixes_mend() {
    for path in cases(&folder("")) {
        let (mut text, _, mut diagnostics) = diagnose(&path);
        let all_fixable = diagnostics.iter().all(|d| d.fix.is_some());
        for _ in 0..500 {
            let Some(fix) = diagnostics.iter().find_map(|d| d.fix.clone()) else { break };
            text.replace_range(fix.span.range(), &fix.replacement);
            diagnostics = parse(SourceId(0), &text, &Limits::default()).1;
        }
        if all_fixable {
            let left: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
            assert!(left.is_empty(), "{}: {left:?} in\n{text}", path.display());
        }
    }
}

#[test]
fn valid_texts_have_their_trees_and_forms() {
    let mut failures = Vec::new();
    for path in cases(&folder("valid")) {
        let text = read(&path);
        let (file, diagnostics) = parse(SourceId(0), &text, &Limits::default());
        assert_eq!(diagnostics, [], "{}", path.display());
        let tree = dump(&file);
        compare(&path.with_extension("ast"), &tree, &mut failures);
        let formatted = format(SourceId(0), &text).expect("a valid text");
        compare(&path.with_extension("fmt"), &formatted, &mut failures);
        let again = parse(SourceId(0), &formatted, &Limits::default()).0;
        assert_eq!(dump(&again), tree, "{}: formatting changed the tree", path.display());
        assert_eq!(format(SourceId(0), &formatted).as_ref(), Ok(&formatted), "{}", path.display());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// The examples in the explanations are about what they explain.
#[test]
fn explanations_have_a_wrong_and_a_right_example() {
    for info in code::all().filter(|info| info.code.starts_with("E00") || info.code.starts_with("E01")) {
        assert_eq!(info.explanation.matches("```text").count(), 2, "{}", info.code);
    }
}

#[test]
fn one_liners_become_a_rule() {
    let mut out = String::new();
    for text in [
        "fail then ok",
        "fail then ok within 5m by user",
        "fail then ok by user within 5m",
        "A then no B within 5m",
        "A then no B within 5m within 1h by k",
        "f: at least 5 of auth where outcome == \"failure\" then within 30s ok: auth within 10m by ip having count(f) > 6",
        "A then within 1m B where x == 1 by k",
        "at least 100 distinct dst.ip of conn within 1m by src.ip suppress 1h",
        "login where user == \"root\"",
        "rule named { match { A } }",
    ] {
        let (file, diagnostics) = parse_rule_one_liner(SourceId(0), text, &Limits::default());
        assert_eq!(diagnostics, [], "{text}");
        out.push_str(&format!("{text}\n{}\n", dump(&file)));
    }
    let mut failures = Vec::new();
    compare(&folder("valid").join("one_liners.txt"), &out, &mut failures);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn a_broken_one_liner_is_reported() {
    for text in [
        "",
        "A then B within 5m by k within 6m",
        "A then",
        "A then B within 5 minutes",
        "A -> B",
        "rule \"x\" {",
        "within 5m",
        "A within",
    ] {
        let (_, diagnostics) = parse_rule_one_liner(SourceId(0), text, &Limits::default());
        assert!(!diagnostics.is_empty(), "{text:?} passes");
    }
}
