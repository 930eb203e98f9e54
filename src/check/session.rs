//! Repetitions that time ends, `until silent 30m` and `until 5m`: where they may stand.

use crate::check::Checker;
use crate::check::model::{Model, NodeKind, StepInfo};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{ClauseKind, Pick};
use crate::syntax::source::Span;

/// Why a time cannot end a repetition, and what to do.
struct Refusal {
    span: Span,
    what: &'static str,
    why: &'static str,
    help: &'static str,
}

impl<'a> Checker<'a> {
    /// The time that ends the repeated step at node `at`.
    pub(super) fn ends(&mut self, model: &Model<'a>, at: usize, info: &StepInfo<'a>) {
        let Some(ends) = &info.step.ends else { return };
        self.duration(&ends.length, "`until`");
        let Some(refusal) = against(model, at, info, ends.silent) else { return };
        self.out.push(
            Diagnostic::error(
                codes::TIME_CANNOT_END,
                format!("a time cannot end this repetition: {}", refusal.what),
                ends.span,
                "ends the repetition by time",
            )
            .label(refusal.span, refusal.what)
            .note(refusal.why)
            .help(refusal.help),
        );
    }
}

fn against(model: &Model<'_>, at: usize, info: &StepInfo<'_>, silent: bool) -> Option<Refusal> {
    let refuse = |span, what, why, help| Some(Refusal { span, what, why, help });
    let node = &model.nodes[at];
    let consecutive = info.step.quantifier.as_ref().filter(|q| q.consecutive).map(|q| q.span);
    let directly = node.then.filter(|t| t.directly).map(|t| t.span);
    if let Some(span) = consecutive.or(directly) {
        return refuse(
            span,
            "it is contiguous",
            "a contiguous repetition is ended by the first event that breaks it",
            "leave `consecutive` or `directly` out, or leave out `until`",
        );
    }
    for clause in &model.rule.clauses {
        if matches!(clause.kind, ClauseKind::Pick(Pick::All)) {
            return refuse(
                clause.span,
                "`pick all` may leave any of its events out",
                "whether it is silent would depend on which events are left out",
                "leave `pick all` out: `pick each` gives a match for every first event",
            );
        }
    }
    if model.is_handed_over() {
        let span = model.steps.iter().find_map(|s| s.step.by.first()).map_or(model.rule.name.span, |item| item.span);
        return refuse(
            span,
            "the key is handed over",
            "a repetition would have an end for each key that it might take",
            "give all steps the same key, or end the repetition with an event: `until X`",
        );
    }
    let within = model.matching.and_then(|m| m.within.as_ref());
    let only = matches!((model.nodes.as_slice(), &node.kind), ([_], NodeKind::Step(_)));
    if let (true, false, Some(within)) = (only, silent, within) {
        return refuse(
            within.span,
            "`within` bounds the same stretch a second time",
            "`until 5m` takes what comes within five minutes of the first event; there is nothing left to bound",
            "leave `within` out for stretches one after the other, or leave out `until` for a sliding count",
        );
    }
    None
}
