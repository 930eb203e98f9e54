//! Walks an expression to change the spans in it.

use super::ast::{Expr, ExprKind, InSet};
use super::source::Span;

/// Calls `change` for every span of an expression.
pub(super) fn expr_spans(expr: &mut Expr, change: &mut impl FnMut(&mut Span)) {
    change(&mut expr.span);
    match &mut expr.kind {
        ExprKind::Str(text) => change(&mut text.span),
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Duration(_) => {}
        ExprKind::Path(path) => {
            change(&mut path.span);
            path.parts.iter_mut().for_each(|part| change(&mut part.span));
        }
        ExprKind::Call(call) => {
            change(&mut call.name.span);
            call.args.iter_mut().for_each(|arg| expr_spans(arg, change));
            call.condition.iter_mut().for_each(|condition| expr_spans(condition, change));
            for item in &mut call.by {
                change(&mut item.span);
                item.name.iter_mut().for_each(|name| change(&mut name.span));
                expr_spans(&mut item.value, change);
            }
        }
        ExprKind::Not(inner) | ExprKind::Neg(inner) | ExprKind::Below(inner) | ExprKind::Index(inner, _) => {
            expr_spans(inner, change)
        }
        ExprKind::Binary(_, left, right) => {
            expr_spans(left, change);
            expr_spans(right, change);
        }
        ExprKind::In { value, set, .. } => {
            expr_spans(value, change);
            match set {
                InSet::List(items) => items.iter_mut().for_each(|item| expr_spans(item, change)),
                InSet::Table(name) => change(&mut name.span),
            }
        }
        ExprKind::Like { value, patterns, .. } => {
            expr_spans(value, change);
            patterns.iter_mut().for_each(|pattern| change(&mut pattern.span));
        }
        ExprKind::Matches { value, patterns } => {
            expr_spans(value, change);
            patterns.iter_mut().for_each(|pattern| change(&mut pattern.span));
        }
        ExprKind::AnyElement { list, name, condition } => {
            expr_spans(list, change);
            change(&mut name.span);
            expr_spans(condition, change);
        }
        ExprKind::Regex(regex) => change(&mut regex.span),
        ExprKind::List(items) => items.iter_mut().for_each(|item| expr_spans(item, change)),
        ExprKind::Lookup { table, key } => {
            change(&mut table.span);
            key.iter_mut().for_each(|part| expr_spans(part, change));
        }
        ExprKind::Member(inner, parts) => {
            expr_spans(inner, change);
            parts.iter_mut().for_each(|part| change(&mut part.span));
        }
    }
}
