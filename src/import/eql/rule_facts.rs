//! What is said about a query besides its text: by comments, by a detection rule, or by the name of its file.

use super::model::Query;
use crate::diag::Diagnostic;
use crate::syntax::ast::{Clause, ClauseKind, Expr, ExprKind, Ident, Path, StrLit};
use crate::syntax::source::Span;

/// A text with its place.
pub(super) type Said = (String, Span);

/// What is known of a rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The rule's name, unique.
    pub(super) name: String,
    /// Where the name comes from, if it is written anywhere.
    pub(super) place: Option<Span>,
    /// The title.
    pub(super) title: Option<Said>,
    /// The stable id.
    pub(super) id: Option<Said>,
    /// How ripe it is.
    pub(super) status: Option<Said>,
    /// A level word.
    pub(super) severity: Option<Said>,
    /// 0 to 100.
    pub(super) risk: Option<(f64, Span)>,
    /// Tags, ATT&CK's among them.
    pub(super) tags: Vec<Said>,
    /// What it is about.
    pub(super) description: Option<Said>,
    /// What to do.
    pub(super) runbook: Option<Said>,
    /// Who wrote it.
    pub(super) author: Option<Said>,
    /// Where to read more.
    pub(super) references: Vec<Said>,
    /// What else it may be.
    pub(super) false_positives: Vec<Said>,
    /// It is switched off, and where that stands.
    pub(super) disabled: Option<Span>,
    /// Alerts of one key in so many nanoseconds are one.
    pub(super) suppress: Option<super::suppression::Suppression>,
}

fn text((value, span): &Said) -> StrLit {
    StrLit { value: value.clone(), fold: false, raw: false, span: *span }
}

impl Facts {
    pub(super) fn title(&self) -> Option<StrLit> {
        self.title.as_ref().map(text)
    }

    /// The clauses that stand before the pattern.
    pub(super) fn clauses_before(&self) -> Vec<Clause> {
        let mut out = Vec::new();
        let mut add = |kind, span| out.push(Clause { kind, span });
        if let Some(said) = &self.id {
            add(ClauseKind::Id(text(said)), said.1);
        }
        if let Some(said) = &self.status {
            add(ClauseKind::Status(text(said)), said.1);
        }
        if let Some((level, span)) = &self.severity {
            let part = Ident { name: level.clone(), span: *span };
            let path = ExprKind::Path(Path { parts: vec![part], span: *span });
            add(ClauseKind::Severity(Expr { kind: path, span: *span }), *span);
        }
        if let Some((risk, span)) = self.risk {
            #[allow(clippy::cast_possible_truncation, reason = "whole, and at most 100")]
            let kind = if risk.fract() == 0.0 { ExprKind::Int(risk as i128) } else { ExprKind::Float(risk) };
            add(ClauseKind::Risk(Expr { kind, span }), span);
        }
        if !self.tags.is_empty() {
            add(ClauseKind::Tags(self.tags.iter().map(text).collect()), self.tags[0].1);
        }
        if let Some(said) = &self.description {
            add(ClauseKind::Description(text(said)), said.1);
        }
        if let Some(said) = &self.runbook {
            add(ClauseKind::Runbook(text(said)), said.1);
        }
        if let Some(said) = &self.author {
            add(ClauseKind::Author(text(said)), said.1);
        }
        if !self.references.is_empty() {
            add(ClauseKind::References(self.references.iter().map(text).collect()), self.references[0].1);
        }
        if !self.false_positives.is_empty() {
            let texts = self.false_positives.iter().map(text).collect();
            add(ClauseKind::FalsePositives(texts), self.false_positives[0].1);
        }
        out
    }

    /// The clauses that stand behind the pattern.
    pub(super) fn clauses_after(&self, query: &Query, out: &mut Vec<Diagnostic>) -> Vec<Clause> {
        let off = self.disabled.map(|span| Clause { kind: ClauseKind::Enabled(false), span });
        self.suppress.as_ref().and_then(|s| s.clause(query, out)).into_iter().chain(off).collect()
    }
}

/// A name for a rule: the letters and digits of a text in lower case, joined by `_`, not yet taken.
pub(super) fn unique_name(text: &str, taken: &mut std::collections::BTreeSet<String>) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        if name.len() >= 80 {
            break;
        }
    }
    let name = name.trim_end_matches('_');
    let name = match name.bytes().next() {
        None => "query".to_owned(),
        Some(b) if b.is_ascii_digit() => format!("query_{name}"),
        Some(_) => name.to_owned(),
    };
    let mut out = name.clone();
    let mut n = 2;
    while !taken.insert(out.clone()) {
        out = format!("{name}_{n}");
        n += 1;
    }
    out
}
