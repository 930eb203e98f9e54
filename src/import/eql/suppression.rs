//! `alert_suppression` of a detection rule as `suppress`, where it means the same.

use super::model::{Field, Query};
use super::report::refused;
use super::rule_facts::Said;
use crate::diag::Diagnostic;
use crate::diag::codes::eql as codes;
use crate::syntax::ast::{Clause, ClauseKind, Expr, ExprKind, Ident, Path};
use crate::syntax::source::Span;

/// What a rule asks for.
#[derive(Clone, Debug)]
pub(super) struct Suppression {
    /// The fields that alerts of one group share, as dotted paths.
    pub(super) by: Vec<Said>,
    /// In nanoseconds, if a time is given.
    pub(super) period: Option<(i64, Span)>,
    /// Alerts without one of the fields are each reported.
    pub(super) alone_if_missing: bool,
    /// The whole.
    pub(super) span: Span,
}

fn dotted(field: &Field) -> String {
    field.parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".")
}

impl Suppression {
    /// The clause, or a report of why there is none.
    pub(super) fn clause(&self, query: &Query, out: &mut Vec<Diagnostic>) -> Option<Clause> {
        let mut no = |label: &str, help: &str| {
            out.push(
                refused(codes::RULE_PART, "this suppression has no exact meaning on a stream", self.span, label, help)
                    .note(
                        "`suppress 1h by …` drops an alert if one with the same values was sent less than an hour ago",
                    ),
            );
            None
        };
        let Some((period, at)) = self.period else {
            return no("once for each run of a search", "give it a time: `duration = { value = 1, unit = \"h\" }`");
        };
        if self.alone_if_missing {
            return no("alerts without the field are not suppressed", "leave `missing_fields_strategy` out");
        }
        let keys: Vec<String> = match query {
            Query::Sequence(s) => s.by.iter().map(dotted).collect(),
            Query::Event(_) => self.by.iter().map(|(name, _)| name.clone()).collect(),
        };
        if self.by.iter().any(|(name, _)| !keys.contains(name)) {
            return no("by a field that is no key of the sequence", "group by fields of `sequence by` only");
        }
        let step = matches!(query, Query::Event(_)).then_some("e");
        let by = self.by.iter().map(|(name, span)| {
            let parts = step.into_iter().chain(name.split('.'));
            let parts = parts.map(|p| Ident { name: p.to_owned(), span: *span }).collect();
            Expr { kind: ExprKind::Path(Path { parts, span: *span }), span: *span }
        });
        let period = Expr { kind: ExprKind::Duration(period), span: at };
        Some(Clause { kind: ClauseKind::Suppress { period, by: by.collect() }, span: self.span })
    }
}
