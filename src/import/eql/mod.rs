//! EQL, as Elastic documents it, read into the tree of the rule language.
//!
//! ```text
//! file ─► scan ─► split ─► parser ─► model ─► lower ─► syntax::ast
//! ```
//! A file holds queries ([`Kind::Queries`]), or detection rules with a query each ([`Kind::Toml`], [`Kind::Json`]). Each
//! query becomes one rule, and where stages repeat an event class before it. All spans point into the file.
//! docs/eql.md says what is supported, and where the meaning differs from Elasticsearch's.

mod call;
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

/// Reads a file of queries. `file_name` names the rules whose queries have no name; `taken` are the names of rules so
/// far, and grows. The tree holds the queries without errors.
pub fn parse(
    source: SourceId,
    file_name: &str,
    text: &str,
    options: &Options,
    limits: &Limits,
    taken: &mut BTreeSet<String>,
) -> (File, Vec<Diagnostic>) {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let embedded = Embedded::plain(source, body, text.len() - body.len());
    let scanned = scan::scan(body);
    let pieces = split::queries(body, &scanned);
    let mut file = File::default();
    let mut out = Vec::new();
    if pieces.is_empty() {
        lower::refuse_empty(Span::new(source, 0, text.len()), &mut out);
    }
    for piece in pieces {
        let tokens = &scanned.tokens[piece.tokens.clone()];
        let (query, problems) = parser::query(&embedded, &scanned, tokens, limits);
        let broken = problems.iter().any(|d| d.level == Level::Error);
        out.extend(problems);
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
        let stem = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
        let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
        facts.name = unique_name(facts.title.as_ref().map_or(stem, |t| &t.0), taken);
        facts.place = facts.title.as_ref().map(|t| t.1);
        if let Some(query) = query.filter(|_| !broken) {
            let before = out.len();
            let items = lower::lower(&query, &facts, options, &mut out);
            if !out[before..].iter().any(|d| d.level == Level::Error) {
                file.items.extend(items);
            }
        }
    }
    (file, out)
}
