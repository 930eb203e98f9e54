//! Diagnostics as text for people, as JSON lines, and as a SARIF document.
//!
//! Nothing here prints. Texts from rule files are escaped before they can reach a terminal; JSON carries them as
//! they are, since JSON escapes control characters by itself.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level as Title, Patch, Renderer, Snippet};
use serde_json::{Value, json};

use super::code;
use super::escape::{Escaped, escape};
use super::{Diagnostic, Fix, Level};
use crate::syntax::source::{SourceId, SourceMap, Span};

/// A piece of source longer than this is not shown whole.
const MAX_EXCERPT: usize = 32 * 1024;
/// How much is shown around a label in a longer one.
const WINDOW: usize = 160;

/// Renders diagnostics for people, each followed by an empty line.
pub fn render_text(diagnostics: &[Diagnostic], sources: &SourceMap, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&render_one(diagnostic, sources, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn render_one(diagnostic: &Diagnostic, sources: &SourceMap, renderer: &Renderer) -> String {
    let level = match diagnostic.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
    };
    let mut main = level
        .primary_title(escape(&diagnostic.message))
        .id(diagnostic.code.0)
        .elements([] as [Snippet<'_, annotate_snippets::Annotation<'_>>; 0]);
    // One excerpt for each source, that of the main label first.
    let mut shown: Vec<SourceId> = Vec::new();
    for label in &diagnostic.labels {
        let source = label.span.source;
        if shown.contains(&source) {
            continue;
        }
        shown.push(source);
        let mut labels: Vec<_> = diagnostic.labels.iter().filter(|l| l.span.source == source).collect();
        let spans: Vec<Span> = labels.iter().map(|l| l.span).collect();
        let excerpt = Excerpt::new(sources, source, &spans);
        if excerpt.cut {
            labels.truncate(1);
        }
        let is_main = source == diagnostic.labels[0].span.source;
        let snippet = Snippet::source(excerpt.escaped.text.clone())
            .path(escape(&sources.get(source).name).into_owned())
            .line_start(excerpt.line)
            .annotations(labels.iter().enumerate().map(|(i, label)| {
                let kind = if i == 0 && is_main { AnnotationKind::Primary } else { AnnotationKind::Context };
                let text = (!label.text.is_empty()).then(|| escape(&label.text).into_owned());
                kind.span(excerpt.range(label.span)).label(text)
            }));
        main = main.element(snippet);
    }
    for note in &diagnostic.notes {
        main = main.element(Title::NOTE.message(escape(note)));
    }
    let mut report = Vec::new();
    match (&diagnostic.help, &diagnostic.fix) {
        (help, Some(fix)) => {
            report.push(main);
            let text = help.as_deref().unwrap_or("replace it");
            report.push(suggestion(text, fix, sources));
        }
        (Some(help), None) => report.push(main.element(Title::HELP.message(escape(help)))),
        (None, None) => report.push(main),
    }
    renderer.render(&report)
}

fn suggestion<'a>(help: &'a str, fix: &Fix, sources: &SourceMap) -> Group<'a> {
    let title = Title::HELP.secondary_title(escape(help));
    let excerpt = Excerpt::new(sources, fix.span.source, &[fix.span]);
    let snippet = Snippet::source(excerpt.escaped.text.clone())
        .path(escape(&sources.get(fix.span.source).name).into_owned())
        .line_start(excerpt.line)
        .patch(Patch::new(excerpt.range(fix.span), escape(&fix.replacement).into_owned()));
    title.element(snippet)
}

/// The lines of a source that some spans touch.
struct Excerpt {
    escaped: Escaped,
    /// Where it begins in the source.
    start: usize,
    end: usize,
    /// The number of its first line.
    line: usize,
    /// It is only the surroundings of the first span.
    cut: bool,
}

impl Excerpt {
    fn new(sources: &SourceMap, source: SourceId, spans: &[Span]) -> Self {
        let text = sources.get(source).text.as_str();
        let from = spans.iter().map(|s| s.start as usize).min().unwrap_or(0).min(text.len());
        let to = spans.iter().map(|s| s.end as usize).max().unwrap_or(0).clamp(from, text.len());
        let (from, to) = (floor(text, from), ceiling(text, to));
        let mut start = text[..from].rfind('\n').map_or(0, |i| i + 1);
        let mut end = text[to..].find('\n').map_or(text.len(), |i| to + i);
        let mut line_at = start;
        let cut = end - start > MAX_EXCERPT;
        if cut {
            let first = spans.first().map_or(0, |s| s.start as usize).min(text.len());
            line_at = floor(text, first);
            start = floor(text, first.saturating_sub(WINDOW));
            end = ceiling(text, (first + WINDOW).min(text.len()));
            let start_of_line = text[start..line_at].rfind('\n').map_or(start, |i| start + i + 1);
            start = start_of_line;
            end = text[line_at..end].find('\n').map_or(end, |i| line_at + i);
        }
        let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..line_at]).count() + 1;
        // The mark at the start of a file is not shown.
        if start == 0 && text.starts_with('\u{feff}') {
            start = '\u{feff}'.len_utf8().min(end);
        }
        Self { escaped: Escaped::new(&text[start..end]), start, end, line, cut }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let place = |byte: u32| self.escaped.place((byte as usize).clamp(self.start, self.end) - self.start);
        let (start, end) = (place(span.start), place(span.end));
        start..end.max(start)
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceiling(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// Renders each diagnostic as one JSON object on a line of its own.
pub fn render_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    diagnostics.iter().map(|d| json_of(d, sources).to_string() + "\n").collect()
}

fn json_of(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let mut labels: Vec<Value> = Vec::new();
    for label in &diagnostic.labels {
        let mut place = place_of(label.span, sources);
        place["text"] = json!(label.text);
        labels.push(place);
    }
    let fix = diagnostic.fix.as_ref().map(|fix| {
        let mut place = place_of(fix.span, sources);
        place["replacement"] = json!(fix.replacement);
        place
    });
    json!({
        "code": diagnostic.code.0,
        "level": level_name(diagnostic.level),
        "message": diagnostic.message,
        "labels": labels,
        "notes": diagnostic.notes,
        "help": diagnostic.help,
        "fix": fix,
    })
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

fn place_of(span: Span, sources: &SourceMap) -> Value {
    let (line, column) = sources.line_column(span.source, span.start);
    let (end_line, end_column) = sources.line_column(span.source, span.end);
    json!({
        "file": sources.get(span.source).name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "start": span.start,
        "end": span.end,
    })
}

/// Renders diagnostics as a SARIF 2.1.0 document.
pub fn render_sarif(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut used: Vec<&str> = diagnostics.iter().map(|d| d.code.0).collect();
    used.sort_unstable();
    used.dedup();
    let rules: Vec<Value> = used.iter().map(|code| sarif_rule(code)).collect();
    let results: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let index = used.binary_search(&diagnostic.code.0).unwrap_or(0);
            sarif_result(diagnostic, index, sources)
        })
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tripline",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn sarif_rule(code: &str) -> Value {
    match code::info(code) {
        Some(info) => json!({
            "id": code,
            "shortDescription": { "text": info.title },
            "fullDescription": { "text": info.explanation.trim() },
        }),
        None => json!({ "id": code }),
    }
}

fn sarif_result(diagnostic: &Diagnostic, rule: usize, sources: &SourceMap) -> Value {
    let mut text = diagnostic.message.clone();
    for more in diagnostic.notes.iter().chain(&diagnostic.help) {
        text.push_str(". ");
        text.push_str(more);
    }
    let location = |span: Span, message: &str| {
        json!({
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&sources.get(span.source).name) },
                "region": region(span, sources),
            },
            "message": { "text": message },
        })
    };
    let mut labels = diagnostic.labels.iter();
    let main: Vec<Value> = labels.next().map(|l| location(l.span, &l.text)).into_iter().collect();
    let related: Vec<Value> = labels.map(|l| location(l.span, &l.text)).collect();
    let mut result = json!({
        "ruleId": diagnostic.code.0,
        "ruleIndex": rule,
        "level": level_name(diagnostic.level),
        "message": { "text": text },
        "locations": main,
    });
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    if let Some(fix) = &diagnostic.fix {
        result["fixes"] = json!([{
            "description": { "text": diagnostic.help.as_deref().unwrap_or("replace it") },
            "artifactChanges": [{
                "artifactLocation": { "uri": uri(&sources.get(fix.span.source).name) },
                "replacements": [{
                    "deletedRegion": region(fix.span, sources),
                    "insertedContent": { "text": fix.replacement },
                }],
            }],
        }]);
    }
    result
}

fn region(span: Span, sources: &SourceMap) -> Value {
    let (line, column) = sources.line_column(span.source, span.start);
    let (end_line, end_column) = sources.line_column(span.source, span.end);
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

/// A path as a relative URI reference: what a URI does not take is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            b'\\' => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;

    fn sample() -> (SourceMap, Vec<Diagnostic>) {
        let mut sources = SourceMap::new();
        let id = sources.add("my rules/a.trip", "let a = 1\nlet b = \x1b 2 && 3\r\nlet c = 4\n");
        let diagnostics = vec![
            Diagnostic::error(Code("E0016"), "`&&` is written `and` here", Span::new(id, 22, 24), "not an operator")
                .label(Span::new(id, 4, 5), "another place")
                .note("a note")
                .help("write `and`")
                .fix(Span::new(id, 22, 24), "and"),
        ];
        (sources, diagnostics)
    }

    #[test]
    fn text_shows_lines_and_hides_escape_codes() {
        let (sources, diagnostics) = sample();
        let text = render_text(&diagnostics, &sources, false);
        assert!(!text.contains('\x1b'));
        assert!(text.contains("error[E0016]"), "{text}");
        assert!(text.contains("--> my rules/a.trip:2:"), "{text}");
        assert!(text.contains("let b = \\u{1b} 2 && 3"), "{text}");
        assert!(text.contains("help: write `and`"), "{text}");
        assert!(render_text(&diagnostics, &sources, true).contains('\x1b'));
    }

    #[test]
    fn json_has_lines_and_columns() {
        let (sources, diagnostics) = sample();
        let value: Value = serde_json::from_str(render_json(&diagnostics, &sources).trim()).expect("valid JSON");
        assert_eq!(value["code"], "E0016");
        assert_eq!((&value["labels"][0]["line"], &value["labels"][0]["column"]), (&json!(2), &json!(13)));
        assert_eq!(value["fix"]["replacement"], "and");
    }

    #[test]
    fn sarif_names_tool_rule_and_region() {
        let (sources, diagnostics) = sample();
        let value: Value = serde_json::from_str(&render_sarif(&diagnostics, &sources)).expect("valid JSON");
        let run = &value["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "tripline");
        let result = &run["results"][0];
        let at = &result["locations"][0]["physicalLocation"];
        assert_eq!(at["artifactLocation"]["uri"], "my%20rules/a.trip");
        assert_eq!(at["region"]["startLine"], 2);
        assert_eq!(result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "and");
    }

    #[test]
    fn a_span_in_a_very_long_line_is_shown_with_its_surroundings() {
        let mut sources = SourceMap::new();
        let id = sources.add("long.trip", format!("let a = {}", "é(".repeat(200_000)));
        let at = Span::new(id, 300_001, 300_002);
        let text = render_text(&[Diagnostic::error(Code("E0006"), "deep", at, "here")], &sources, false);
        assert!(text.len() < 5_000, "{} bytes", text.len());
    }
}
