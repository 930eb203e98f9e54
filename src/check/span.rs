//! Lengths of time that may be computed: durations over bound events and tables, and times.
//!
//! A constant is judged by [`Checker::duration`]. What is not constant is an expression over the steps that are bound
//! where it stands; it is evaluated for each candidate, so it tells nothing about how long events must be kept.

use crate::base::function::Kinds;
use crate::check::Checker;
use crate::check::fold::fold;
use crate::check::model::{Model, NodeKind, Part};
use crate::check::scope::{Place, Scope};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Absence, Expr, ExprKind};

/// A bound without the `<` that may stand before it.
fn closed(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Below(inner) => inner,
        _ => expr,
    }
}

impl<'a> Checker<'a> {
    /// Whether a bound is not known when the rule is compiled.
    pub(crate) fn is_computed(&self, expr: &Expr) -> bool {
        fold(closed(expr), &self.names).is_none()
    }

    /// A duration: its length if it is constant, else nothing; reports what is neither.
    pub(crate) fn span(&mut self, expr: &Expr, what: &str, scope: &Scope<'_, 'a>) -> Option<i64> {
        let inner = closed(expr);
        if !self.is_computed(expr) {
            return self.duration(expr, what);
        }
        let kinds = self.infer(inner, scope);
        if !kinds.meets(Kinds::DURATION) {
            let report = Diagnostic::error(
                codes::NOT_A_DURATION,
                match kinds.to_string().as_str() {
                    "any" => format!("{what} needs a duration, and no field is one"),
                    kinds => format!("{what} needs a duration, and this is a {kinds}"),
                },
                inner.span,
                "not a duration",
            )
            .note("a number times a duration is a duration");
            let written = self.sources.text(inner.span);
            self.out.push(match inner.kind {
                ExprKind::Path(_) | ExprKind::Member(..) if kinds.meets(Kinds::NUMBER) => report
                    .help(format!("if it counts seconds, write `{written} * 1s`"))
                    .fix(inner.span, format!("{written} * 1s")),
                _ => report.help("write a duration such as `5m`, or multiply by one: `a.minutes * 1m`"),
            });
        }
        None
    }

    /// The end of an absence at node `at`: its length if it is constant.
    pub(crate) fn absence_end(&mut self, model: &Model<'a>, at: usize, absence: &'a Absence) -> Option<i64> {
        let scope = Scope::before(Place::Bound, model, at);
        if let Some(until) = &absence.until {
            let kinds = self.infer(until, &scope);
            if !kinds.meets(Kinds::TIME) {
                let report = Diagnostic::error(
                    codes::NOT_A_TIME,
                    match kinds.to_string().as_str() {
                        "any" => "`until` needs a time here, and no field is one".to_owned(),
                        kinds => format!("`until` needs a time here, and this is a {kinds}"),
                    },
                    until.span,
                    "not a time",
                );
                self.out.push(if kinds.meets(Kinds::DURATION) {
                    report.help("for a length of time write `within`")
                } else {
                    report.help("write a time, such as `a.@ts + 1h`")
                });
            }
        }
        self.span(absence.within.as_ref()?, "an absence", &scope)
    }

    /// A part with a computed bound: the first step must not reach back as far as that lets it.
    pub(super) fn computed_part(&mut self, model: &Model<'a>, part: &Part<'a>) {
        let repeated = match model.nodes.first().map(|n| &n.kind) {
            Some(NodeKind::Step(i)) => model.steps[*i].is_repeated(),
            Some(NodeKind::Group(..)) => true,
            _ => false,
        };
        if part.nodes.start > 0 || !repeated {
            return;
        }
        let first = model.steps.first().map_or(part.within.span, |s| s.step.span);
        self.out.push(
            Diagnostic::error(
                codes::COMPUTED_REACH,
                "a computed `within` cannot bound a part that begins with a repeated first step",
                part.within.span,
                "known only once the events are bound",
            )
            .label(first, "reaches back as far as the bound lets it")
            .note("which events a repeated first step binds follows from the bound")
            .help("write the longest duration there may be, and ask for the rest in `having`"),
        );
    }

    /// `within` on the match: its length if it is constant. A computed one is refused where events are kept by it.
    pub(crate) fn match_within(&mut self, model: &Model<'a>) -> Option<i64> {
        let within = model.matching.and_then(|m| m.within.as_ref())?;
        let length = self.span(within, "`within`", &Scope::after(Place::Bound, model));
        let repeated = match model.nodes.first().map(|n| &n.kind) {
            Some(NodeKind::Step(i)) => model.steps[*i].is_repeated(),
            Some(NodeKind::Group(..)) => true,
            _ => false,
        };
        if repeated && self.is_computed(within) {
            let first = model.steps.first().map_or(within.span, |s| s.step.span);
            self.out.push(
                Diagnostic::error(
                    codes::COMPUTED_REACH,
                    "a computed `within` cannot bound a repeated first step",
                    within.span,
                    "known only once the events are bound",
                )
                .label(first, "reaches back as far as the bound lets it")
                .note("which events a repeated first step binds, and a sliding count holds, follows from the bound")
                .help("write the longest duration there may be, and ask for the rest in `having`"),
            );
        }
        length
    }
}
