//! What `pick pending` takes: sequences of single steps under one key, with absences between them and at the end.

use crate::check::Checker;
use crate::check::model::{Model, NodeKind};
use crate::check::walk::paths;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Clause, ClauseKind, Pick};
use crate::syntax::source::Span;

/// Whether a rule has `pick pending`.
pub(crate) fn is_pending(model: &Model<'_>) -> bool {
    model.rule.clauses.iter().any(|c| matches!(c.kind, ClauseKind::Pick(Pick::Pending)))
}

impl<'a> Checker<'a> {
    /// Refuses what one pending match per step cannot do. One report a rule.
    pub(crate) fn pending(&mut self, clause: &Clause, model: &Model<'a>) {
        let Some((span, what, help)) = self.against_pending(model) else { return };
        self.out.push(
            Diagnostic::error(
                codes::PENDING_SHAPE,
                format!("`pick pending` does not take {what}"),
                span,
                "not with one pending match per step",
            )
            .label(clause.span, "asks for one pending match per step and key")
            .note("it takes a sequence of single steps under one key, as EQL does")
            .help(help),
        );
    }

    fn against_pending(&self, model: &Model<'a>) -> Option<(Span, &'static str, &'static str)> {
        const LATEST: &str = "leave `pick pending` out: `pick latest` finds every match";
        if let Some(group) = model.flattened.first().or(model.parts.first().map(|p| &p.group)) {
            return Some((group.span, "braces", LATEST));
        }
        if let Some((choice, _)) = model.choices.first() {
            return Some((choice.span, "`any` of sequences", LATEST));
        }
        let last = model.nodes.iter().rposition(|n| matches!(n.kind, NodeKind::Step(_))).unwrap_or(0);
        for (place, node) in model.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Step(i) => {
                    let step = model.steps[*i].step;
                    if let Some(quantifier) = &step.quantifier {
                        return Some((quantifier.span, "a repeated or optional step", LATEST));
                    }
                    for guard in &step.guards {
                        let mut reads = guard.last.as_ref().is_some_and(|last| self.is_computed(last));
                        for condition in guard.events.iter().filter_map(|e| e.condition.as_ref()) {
                            paths(condition, &mut |path| {
                                let named = model.step_named(&path.parts[0].name).filter(|_| path.parts.len() > 1);
                                // What lies between is decided when it comes: the step's own event is not there yet.
                                // A look-back that reads earlier events is asked when the step's event has come.
                                reads |= named == Some(*i);
                            });
                        }
                        if reads {
                            let help = "compare with the event in a step of its own, or leave `pick pending` out";
                            return Some((guard.span, "a guard that compares with the event of its own step", help));
                        }
                    }
                }
                NodeKind::Absence(absence) if absence.is_timed() && place < last => {
                    return Some((absence.span, "an absence with a deadline before a step", LATEST));
                }
                NodeKind::Absence(absence) if absence.group.is_some() => {
                    return Some((absence.span, "the absence of a group", LATEST));
                }
                NodeKind::Absence(absence) if absence.fewer.is_some() => {
                    return Some((absence.span, "an absence that counts", LATEST));
                }
                NodeKind::Absence(_) => {}
                NodeKind::All(all, _) => return Some((all.span, "`all`", LATEST)),
                NodeKind::Any(any, _) => return Some((any.span, "`any`", LATEST)),
                NodeKind::Group(group, _) => return Some((group.span, "a repeated group", LATEST)),
            }
        }
        if model.is_handed_over() {
            let by = model.steps.iter().find_map(|s| s.step.by.first()).map_or(model.rule.name.span, |item| item.span);
            return Some((by, "a key that is handed over", LATEST));
        }
        let after = model.rule.clauses.iter().find(|c| matches!(c.kind, ClauseKind::AfterMatch(_)))?;
        Some((
            after.span,
            "`after match`",
            "delete it: a match that completes is no longer pending, and no other changes",
        ))
    }
}
