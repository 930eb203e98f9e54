//! Parsing and checking a text in tests.

#![allow(dead_code)]

use tripline::base::Limits;
use tripline::check::{check, check_recovered};
use tripline::diag::Diagnostic;
use tripline::syntax::parse;
use tripline::syntax::source::SourceMap;

/// What the parser and the checker have to say of one file.
pub fn problems(text: &str) -> Vec<Diagnostic> {
    let limits = Limits::default();
    let mut sources = SourceMap::new();
    let id = sources.add("rule.trip", text);
    let (file, mut found) = parse(id, text, &limits);
    if found.is_empty() {
        found = check(&[(id, file)], &sources, &limits);
    }
    found
}

/// The codes of [`problems`].
pub fn codes(text: &str) -> Vec<&'static str> {
    problems(text).iter().map(|d| d.code.0).collect()
}

/// A short rendering for failures.
pub fn plain(text: &str, found: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in found {
        out.push_str(&format!("  {} {}\n", d.code.0, d.message));
        for label in &d.labels {
            out.push_str(&format!("    `{}` {}\n", text.get(label.span.range()).unwrap_or("?"), label.text));
        }
        out.push_str(&d.notes.iter().map(|n| format!("    note: {n}\n")).collect::<String>());
        out.push_str(&d.help.iter().map(|n| format!("    help: {n}\n")).collect::<String>());
    }
    out
}

/// The report as a terminal without colours shows it.
pub fn report(name: &str, text: &str) -> String {
    let limits = Limits::default();
    let mut sources = SourceMap::new();
    let id = sources.add(name, text);
    let (file, mut found) = parse(id, text, &limits);
    found.extend(check_recovered(&[(id, file)], &sources, &limits, &found));
    tripline::diag::render::render_text(&found, &sources, false)
}

/// The codes of everything that is said of a text, whatever is wrong with its form.
pub fn all_codes(text: &str) -> Vec<&'static str> {
    let limits = Limits::default();
    let mut sources = SourceMap::new();
    let id = sources.add("rule.trip", text);
    let (file, mut found) = parse(id, text, &limits);
    found.extend(check_recovered(&[(id, file)], &sources, &limits, &found));
    found.iter().map(|d| d.code.0).collect()
}

/// Whether a text that the checker lets pass compiles, with empty tables.
pub fn compiles(text: &str) -> Result<(), String> {
    let mut sources = SourceMap::new();
    sources.add("rule.trip", text);
    let load = |_: &str, _| Ok(b"a,b,c,cidr,sku,shop,least,q\n".to_vec());
    let compiled = tripline::compile::compile(&sources, &Default::default(), &load);
    match compiled.ruleset {
        Some(_) => Ok(()),
        None => Err(plain(text, &compiled.diagnostics)),
    }
}
