//! EQL, as Elastic documents it, read into the tree of the rule language.
//!
//! ```text
//! file ─► scan ─► split ─► parser ─► model ─► lower ─► syntax::ast
//! ```
//! A file holds queries ([`Kind::Queries`]), or detection rules with a query each ([`Kind::Toml`], [`Kind::Json`]). Each
//! query becomes one rule, and where stages repeat an event class before it. All spans point into the file.
//! docs/eql.md says what is supported, and where the meaning differs from Elasticsearch's.

mod call;
mod detection;
mod document;
mod grammar;
mod lower;
mod lower_expr;
mod model;
mod parse_expr;
mod parser;
mod regex;
mod report;
mod rule_facts;
mod scan;
mod shape;
mod split;
mod suppression;
mod text;

use std::collections::BTreeSet;

pub use lower::Options;

use crate::base::Limits;
use crate::diag::{Diagnostic, Level};
use crate::syntax::ast::File;
use crate::syntax::source::{SourceId, Span};
use rule_facts::{Facts, unique_name};
use text::Embedded;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Queries.
    Queries,
    /// Detection rules in TOML.
    Toml,
    /// Detection rules in JSON, or a line each.
    Json,
}

impl Kind {
    /// What a file of a name may hold; `None` for no EQL. TOML and JSON may hold other things too.
    pub fn of(file_name: &str) -> Option<Self> {
        let ending = file_name.rsplit_once('.')?.1;
        match ending.to_ascii_lowercase().as_str() {
            "eql" => Some(Self::Queries),
            "toml" => Some(Self::Toml),
            "json" | "ndjson" | "jsonl" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Whether a file holds rules of this kind, as far as a look at it says; others may lie in a folder of rules.
pub fn holds_rules(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Queries => true,
        Kind::Toml => text.lines().any(|line| line.trim_end() == "[rule]"),
        Kind::Json => text.contains("\"rule_id\"") && text.contains("\"query\""),
    }
}

/// Reads a file. `file_name` names the rules whose queries have no name; `taken` are the names of rules so far, and
/// grows. The tree holds the queries without errors.
pub fn parse(
    source: SourceId,
    file_name: &str,
    text: &str,
    kind: Kind,
    options: &Options,
    limits: &Limits,
    taken: &mut BTreeSet<String>,
) -> (File, Vec<Diagnostic>) {
    let mut reading = Reading { options, limits, taken, file: File::default(), out: Vec::new() };
    match kind {
        Kind::Queries => reading.queries(source, file_name, text),
        Kind::Toml => match document::toml(source, text) {
            Ok(tree) => reading.detections(&tree),
            Err(report) => reading.out.push(*report),
        },
        Kind::Json => match document::json(source, text) {
            Ok(trees) => trees.iter().for_each(|tree| reading.detections(tree)),
            Err(report) => reading.out.push(*report),
        },
    }
    (reading.file, reading.out)
}

struct Reading<'r> {
    options: &'r Options,
    limits: &'r Limits,
    taken: &'r mut BTreeSet<String>,
    file: File,
    out: Vec<Diagnostic>,
}

impl Reading<'_> {
    fn queries(&mut self, source: SourceId, file_name: &str, text: &str) {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let embedded = Embedded::plain(source, body, text.len() - body.len());
        let scanned = scan::scan(body);
        let pieces = split::queries(body, &scanned);
        if pieces.is_empty() {
            lower::refuse_empty(Span::new(source, 0, text.len()), &mut self.out);
        }
        let stem = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
        for piece in pieces {
            let mut facts = Facts::default();
            for (key, value, (start, end)) in piece.facts {
                let said = (value, embedded.span(start, end));
                match key.as_str() {
                    "name" => facts.title = Some(said),
                    "id" => facts.id = Some(said),
                    "severity" => facts.severity = Some(said),
                    "description" => facts.description = Some(said),
                    _ => facts.tags = said.0.split(',').map(|tag| (tag.trim().to_owned(), said.1)).collect(),
                }
            }
            facts.name = unique_name(facts.title.as_ref().map_or(stem, |t| &t.0), self.taken);
            facts.place = facts.title.as_ref().map(|t| t.1);
            self.rule(&embedded, &scanned, piece.tokens, &facts, self.options);
        }
    }

    fn detections(&mut self, tree: &document::Value) {
        for (rule, metadata) in detection::rules(tree) {
            let Some(found) = detection::detection(rule, metadata, self.taken, &mut self.out) else { continue };
            let scanned = scan::scan(&found.query.text);
            let all = 0..scanned.tokens.len();
            if all.is_empty() {
                lower::refuse_empty(found.query.span(0, found.query.text.len()), &mut self.out);
                continue;
            }
            let mut options = self.options.clone();
            if let Some(field) = found.event_category {
                options.event_category = field;
            }
            self.rule(&found.query, &scanned, all, &found.facts, &options);
        }
    }

    /// One query, of some of the tokens of a text.
    fn rule(
        &mut self,
        text: &Embedded,
        scanned: &scan::Tokens,
        tokens: std::ops::Range<usize>,
        facts: &Facts,
        options: &Options,
    ) {
        let (query, problems) = parser::query(text, scanned, &scanned.tokens[tokens], self.limits);
        let broken = problems.iter().any(|d| d.level == Level::Error);
        self.out.extend(problems);
        let Some(query) = query.filter(|_| !broken) else { return };
        let before = self.out.len();
        let items = lower::lower(&query, facts, options, &mut self.out);
        if !self.out[before..].iter().any(|d| d.level == Level::Error) {
            self.file.items.extend(items);
        }
    }
}
