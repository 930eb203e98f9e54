//! Every code of the checker: its wrong example gives it, its right example gives nothing.

mod check;

use check::{compiles, plain, problems};
use tripline::diag::codes::check::CODES;

/// The text of a fenced block after a heading of an explanation.
fn example<'t>(explanation: &'t str, heading: &str) -> &'t str {
    let (_, after) =
        explanation.split_once(&format!("{heading}:\n\n```trip\n")).expect("the explanation has the heading");
    after.split_once("\n```").expect("the fence is closed").0
}

#[test]
fn wrong_examples_give_their_code_and_no_other() {
    let mut failures = String::new();
    for info in CODES {
        let text = example(info.explanation, "Wrong");
        let found = problems(text);
        let codes: Vec<&str> = found.iter().map(|d| d.code.0).collect();
        if codes.is_empty() || codes.iter().any(|c| *c != info.code) {
            failures.push_str(&format!("{} {}:\n{text}\n{}\n", info.code, info.title, plain(text, &found)));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn right_examples_give_nothing() {
    let mut failures = String::new();
    for info in CODES {
        let text = example(info.explanation, "Right");
        let found = problems(text);
        if !found.is_empty() {
            failures.push_str(&format!("{} {}:\n{text}\n{}\n", info.code, info.title, plain(text, &found)));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn right_examples_compile() {
    let mut failures = String::new();
    for info in CODES {
        let text = example(info.explanation, "Right");
        if let Err(found) = compiles(text) {
            failures.push_str(&format!("{} {}:\n{text}\n{found}\n", info.code, info.title));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_report_says_what_to_do() {
    for info in CODES {
        for diagnostic in problems(example(info.explanation, "Wrong")) {
            let text = format!("{}: {diagnostic:#?}", info.code);
            assert!(diagnostic.help.is_some() || !diagnostic.notes.is_empty(), "no way out: {text}");
            assert!(!diagnostic.message.ends_with('.'), "a full stop: {text}");
            assert!(diagnostic.labels.iter().all(|l| l.span.end >= l.span.start), "a span runs backwards: {text}");
        }
    }
}
