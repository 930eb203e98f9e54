//! From what pest matched to the syntax tree: the state that all builders share, spans, names and texts.
//!
//! The builders never fail. What a `compat_*` rule matched is reported and mended, so one pass over
//! a text finds all its problems.

use pest::iterators::Pair;

use super::ast::{ClassRef, Ident, Path, StrLit};
use super::grammar::Rule;
use super::literal;
use super::misspelt::{self, Edit};
use super::scanner::Token;
use super::source::{SourceId, Span};
use crate::base::Limits;
use crate::diag::{Code, Diagnostic};

/// What every builder needs.
pub(super) struct Builder<'t> {
    pub(super) source: SourceId,
    /// The whole text.
    pub(super) text: &'t str,
    /// The tokens of the whole text.
    pub(super) tokens: &'t [Token],
    /// Where the piece begins that pest reads.
    pub(super) offset: usize,
    /// Words replaced in that piece to read on behind misspelt ones; none in a text that parses.
    pub(super) edits: Vec<Edit>,
    /// Where the whole text begins in its source; not 0 for a piece of a template.
    pub(super) base: usize,
    pub(super) limits: &'t Limits,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    pub(super) fn new(source: SourceId, text: &'t str, tokens: &'t [Token], limits: &'t Limits) -> Self {
        Self { source, text, tokens, offset: 0, edits: Vec::new(), base: 0, limits, diagnostics: Vec::new() }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// A span of the whole text in its source.
    pub(super) fn at(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, self.base + start, self.base + end)
    }

    /// The span of a pair, without the blanks and comments that pest lets it end with.
    pub(super) fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let start = self.offset + misspelt::written(&self.edits, pair.as_span().start());
        let end = self.offset + misspelt::written(&self.edits, pair.as_span().end());
        let after = self.tokens.partition_point(|t| t.start < end);
        let last = after.checked_sub(1).map(|i| self.tokens[i].end).filter(|&e| e > start);
        self.at(start, last.unwrap_or(end).min(end))
    }

    /// The text of a pair of one token.
    pub(super) fn name_text(pair: &Pair<'_, Rule>) -> String {
        let text = pair.as_str();
        text.strip_prefix('`').and_then(|t| t.strip_suffix('`')).unwrap_or(text).to_owned()
    }

    /// A name; one with odd characters is reported and kept as it is.
    pub(super) fn ident(&mut self, pair: &Pair<'_, Rule>) -> Ident {
        let span = self.span(pair);
        let name = Self::name_text(pair);
        if pair.as_rule() == Rule::compat_name {
            let mended: String = name.replace('-', "_");
            let mended = if mended.starts_with(|c: char| c.is_ascii_digit()) { format!("_{mended}") } else { mended };
            self.report(
                Diagnostic::error(
                    Code("E0030"),
                    format!("`{name}` is not a name"),
                    span,
                    "a name has letters, digits and `_`, and does not begin with a digit",
                )
                .help(format!("write `{mended}`, or put the name in backquotes"))
                .fix(span, mended),
            );
        }
        Ident { name, span }
    }

    /// A dotted path.
    pub(super) fn path(&mut self, pair: Pair<'_, Rule>) -> Path {
        let span = self.span(&pair);
        let parts = pair.into_inner().map(|part| self.ident(&part)).collect();
        Path { parts, span }
    }

    /// `.a.b` after something that is no path.
    pub(super) fn members(&mut self, pair: Pair<'_, Rule>) -> Vec<Ident> {
        pair.into_inner().map(|part| self.ident(&part)).collect()
    }

    pub(super) fn class(&mut self, pair: Pair<'_, Rule>) -> ClassRef {
        let span = self.span(&pair);
        let parts: Vec<String> = pair.into_inner().map(|part| Self::name_text(&part)).collect();
        ClassRef { name: parts.join("."), span }
    }

    /// A string literal of any form.
    pub(super) fn text(&mut self, pair: &Pair<'_, Rule>) -> StrLit {
        let span = self.span(pair);
        let written = pair.as_str();
        let (body, fold) = match written.strip_suffix('i') {
            Some(body) => (body, true),
            None => (written, false),
        };
        let raw = body.starts_with("r\"");
        let opening = if raw { 2 } else { 1 };
        let inner = &body[opening..body.len() - 1];
        if pair.as_rule() == Rule::compat_quotes {
            let fixed = format!("\"{}\"{}", inner.replace('"', "\\\""), if fold { "i" } else { "" });
            self.report(
                Diagnostic::error(
                    Code("E0014"),
                    "a string stands in double quotes",
                    span,
                    "this one is in single quotes",
                )
                .help(format!("write `{fixed}`"))
                .fix(span, fixed),
            );
        }
        let value = if raw {
            inner.to_owned()
        } else {
            let start = span.start as usize + opening;
            let (value, problems) = literal::unescape(inner, pair.as_rule() == Rule::compat_quotes);
            for problem in problems {
                let at = Span::new(self.source, start + problem.range.start, start + problem.range.end);
                let mut report = Diagnostic::error(Code("E0013"), problem.message, at, "not an escape")
                    .note("strings know `\\\\`, `\\\"`, `\\n`, `\\t` and `\\u{…}`");
                if !problem.doubling_helps {
                    report = report.help("name a character by its hexadecimal number: `\\u{e9}`");
                } else {
                    report = report
                        .help("write `\\\\` for a backslash, or use a raw string: `r\"…\"`")
                        .fix(Span::new(self.source, start + problem.range.start, start + problem.range.start), "\\");
                }
                self.report(report);
            }
            value
        };
        StrLit { value, fold, raw, span }
    }
}
