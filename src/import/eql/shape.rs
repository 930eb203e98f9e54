//! What a sequence must be like before it can be a rule, and a walk over the fields of a query.

use super::model::{Expr, ExprKind, Field, Query, Sequence};
use super::report::refused;
use crate::diag::Diagnostic;
use crate::diag::codes::eql as codes;

/// Elasticsearch's bound on `runs`.
const MAX_RUNS: u64 = 100;

/// Reports what Elasticsearch refuses as well, and what it accepts and ignores.
pub(super) fn check(sequence: &Sequence, out: &mut Vec<Diagnostic>) {
    let span = sequence.span;
    let happen: u64 = sequence.stages.iter().filter(|s| !s.missing).map(|s| s.runs).sum();
    let Some(first) = sequence.stages.first() else { return };
    if happen == 0 {
        out.push(
            refused(
                codes::SEQUENCE_SHAPE,
                "all events of this sequence are missing ones",
                span,
                "nothing begins it",
                "one stage must be an event that happens: `[ … ]` without `!`",
            )
            .note("for keys that are silent from the start a rule has `expect`"),
        );
        return;
    }
    if sequence.stages.len() == 1 && first.runs < 2 {
        out.push(refused(
            codes::SEQUENCE_SHAPE,
            "a sequence has two stages or more",
            span,
            "only one",
            "for one event leave `sequence` and the brackets out, or write `with runs=3` behind it",
        ));
    }
    for stage in sequence.stages.iter().filter(|s| s.runs > MAX_RUNS) {
        let message = format!("`runs` is {MAX_RUNS} at most");
        let help = "count them: `match { e: at least 200 of … } within 10m` in a rule";
        out.push(refused(codes::SEQUENCE_SHAPE, message, stage.span, "more", help));
    }
    if let (Some(missing), None) = (sequence.stages.iter().find(|s| s.missing), sequence.maxspan) {
        out.push(
            refused(
                codes::SEQUENCE_SHAPE,
                "a missing event needs `maxspan`",
                missing.span,
                "missing for how long?",
                "write `sequence with maxspan=5m`, behind `by` if there is one",
            )
            .note("without a time there is none at which it could be said to be missing"),
        );
    }
    let width = first.by.len();
    let all = sequence.stages.iter().chain(&sequence.until);
    if let Some(other) = all.clone().find(|s| s.by.len() != width) {
        out.push(
            refused(
                codes::SEQUENCE_SHAPE,
                "all stages have equally many keys",
                other.span,
                keys(other.by.len()),
                "write `by` with as many fields behind each stage, `until` too",
            )
            .label(first.span, keys(width)),
        );
    }
    if let Some(until) = &sequence.until
        && until.missing
    {
        out.push(
            refused(
                codes::SEQUENCE_SHAPE,
                "`until` names an event that happens",
                until.span,
                "a missing one",
                "leave `!` out; for a time that ends the sequence there is `maxspan`",
            )
            .note("Elasticsearch accepts the `!` and ignores it"),
        );
    }
    if let Some(until) = &sequence.until
        && until.runs != 1
    {
        let help = "leave `with runs` out: the first such event ends the sequence";
        out.push(refused(codes::SEQUENCE_SHAPE, "`until` has no `runs`", until.span, "more than one", help));
    }
}

fn keys(n: usize) -> String {
    match n {
        0 => "no keys".to_owned(),
        1 => "one key".to_owned(),
        n => format!("{n} keys"),
    }
}

/// Calls for every field of a query, keys included.
pub(super) fn each_field(query: &Query, found: &mut impl FnMut(&Field)) {
    match query {
        Query::Event(event) => fields(&event.condition, found),
        Query::Sequence(sequence) => {
            sequence.by.iter().for_each(&mut *found);
            for stage in sequence.stages.iter().chain(&sequence.until) {
                stage.by.iter().for_each(&mut *found);
                fields(&stage.event.condition, found);
            }
        }
    }
}

/// Calls for every field of an expression.
pub(super) fn fields(expr: &Expr, found: &mut impl FnMut(&Field)) {
    match &expr.kind {
        ExprKind::Field(field) => found(field),
        ExprKind::Call { args, .. } => args.iter().for_each(|e| fields(e, found)),
        ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().for_each(|e| fields(e, found)),
        ExprKind::Not(inner) | ExprKind::Neg(inner) => fields(inner, found),
        ExprKind::Arith(_, a, b) | ExprKind::Compare(_, a, b) => {
            fields(a, found);
            fields(b, found);
        }
        ExprKind::Test { value, list, .. } => {
            fields(value, found);
            list.iter().for_each(|e| fields(e, found));
        }
        ExprKind::Null | ExprKind::Bool(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) => {}
    }
}
