//! EQL: queries to rules. Messages for what is refused, the printed form, and the corpus of published sequences.

use std::collections::BTreeSet;
use std::path::Path;

use tripline::base::Limits;
use tripline::compile::{CompileOptions, compile};
use tripline::diag::render::render_text;
use tripline::diag::{Diagnostic, Level};
use tripline::import::eql::{Kind, Options, parse};
use tripline::syntax::ast::File;
use tripline::syntax::source::{SourceId, SourceMap};

fn read(text: &str, options: &Options) -> (File, Vec<Diagnostic>, SourceMap) {
    read_as(text, "hunt.eql", options)
}

fn read_as(text: &str, name: &str, options: &Options) -> (File, Vec<Diagnostic>, SourceMap) {
    let mut sources = SourceMap::new();
    let id = sources.add(name, text);
    let kind = Kind::of(name).expect("a kind");
    let (file, problems) = parse(id, name, text, kind, options, &Limits::default(), &mut BTreeSet::new());
    (file, problems, sources)
}

fn reports(diagnostics: &[&Diagnostic], sources: &SourceMap) -> String {
    render_text(&diagnostics.iter().copied().cloned().collect::<Vec<_>>(), sources, false)
}

/// A tree without its spans.
fn bare(file: &File) -> String {
    let text = format!("{file:?}");
    let mut parts = text.split("Span { ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    out
}

/// Compiles a rule file; the reports of errors.
fn compiled(text: &str) -> Result<(), String> {
    let mut sources = SourceMap::new();
    sources.add("printed.trip", text);
    let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Err("no tables".to_owned()));
    let errors: Vec<&Diagnostic> = compiled.diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    if errors.is_empty() { Ok(()) } else { Err(reports(&errors, &sources)) }
}

/// Every query of the corpus parses, prints, reads back as the same tree, and compiles.
#[test]
fn the_corpus_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/eql_sequences.jsonl");
    let path = if path.exists() { path } else { "/work/shared/corpora/eql_sequences.jsonl".into() };
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: there is no {}", path.display());
        return;
    };
    let (mut all, mut failures) = (0, String::new());
    for complete in [false, true] {
        for line in text.lines() {
            let query: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let options = Options { complete, ..Options::default() };
            let written = query["query"].as_str().expect("a query");
            all += 1;
            let (file, problems, sources) = read(written, &options);
            let id = &query["id"];
            let errors: Vec<&Diagnostic> = problems.iter().filter(|d| d.level == Level::Error).collect();
            if !errors.is_empty() || file.items.is_empty() {
                let reports: String = reports(&errors, &sources);
                failures.push_str(&format!("{id} does not parse\n{reports}\n"));
                continue;
            }
            let printed = tripline::syntax::print(&file);
            let (again, problems) = tripline::syntax::parse(SourceId(0), &printed, &Limits::default());
            if !problems.is_empty() {
                failures.push_str(&format!("{id} prints what does not parse\n{printed}\n{problems:?}\n"));
                continue;
            }
            if bare(&again) != bare(&file) {
                failures.push_str(&format!("{id} prints another tree\n{printed}\n"));
                continue;
            }
            if let Err(why) = compiled(&printed) {
                failures.push_str(&format!("{id} does not compile\n{why}\n"));
            }
        }
    }
    assert!(failures.is_empty(), "of {all}:\n{failures}");
    println!("{all} queries load");
}

/// The text of a fenced block after a heading of an explanation, and its language.
fn example<'t>(explanation: &'t str, heading: &str) -> (&'t str, &'t str) {
    let (_, after) = explanation.split_once(&format!("{heading}:\n\n```")).expect("the explanation has the heading");
    let (language, text) = after.split_once('\n').expect("a block");
    (text.split_once("\n```").expect("the fence is closed").0, language)
}

#[test]
fn examples_of_codes_give_their_code_and_no_other() {
    for info in tripline::diag::codes::eql::CODES {
        for (heading, wanted) in [("Wrong", &[info.code][..]), ("Right", &[])] {
            let (text, language) = example(info.explanation, heading);
            let (_, problems, sources) = read_as(text, &format!("rule.{language}"), &Options::default());
            let mut codes: Vec<&str> = problems.iter().map(|d| d.code.0).collect();
            codes.dedup();
            assert_eq!(codes, wanted, "{}: {text}\n{}", info.code, render_text(&problems, &sources, false));
            assert!(problems.iter().all(|d| d.help.is_some()), "{}: no way out", info.code);
        }
    }
}
