//! Walks over expressions: every path, every sub-expression.

use crate::syntax::ast::{Expr, ExprKind, InSet, Path};

/// Calls `visit` for `expr` and everything inside it, outermost first; stops going deeper where it gives false.
pub(crate) fn expressions<'e>(expr: &'e Expr, visit: &mut impl FnMut(&'e Expr) -> bool) {
    if !visit(expr) {
        return;
    }
    for child in children(expr) {
        expressions(child, visit);
    }
}

/// Calls `visit` for every path in `expr`.
pub(crate) fn paths<'e>(expr: &'e Expr, visit: &mut impl FnMut(&'e Path)) {
    expressions(expr, &mut |e| {
        if let ExprKind::Path(path) = &e.kind {
            visit(path);
        }
        true
    });
}

/// The names that `some(… as name where …)` gives to elements anywhere in `expr`.
pub(crate) fn element_names(expr: &Expr) -> Vec<&str> {
    let mut found = Vec::new();
    expressions(expr, &mut |e| {
        if let ExprKind::AnyElement { name, .. } = &e.kind {
            found.push(name.name.as_str());
        }
        true
    });
    found
}

/// The expressions right inside `expr`.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Str(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Bool(_)
        | ExprKind::Duration(_)
        | ExprKind::Regex(_)
        | ExprKind::Path(_) => Vec::new(),
        ExprKind::AnyElement { list, condition, .. } => vec![list, condition],
        ExprKind::Call(call) => {
            call.args.iter().chain(call.condition.as_deref()).chain(call.by.iter().map(|item| &item.value)).collect()
        }
        ExprKind::Not(inner)
        | ExprKind::Neg(inner)
        | ExprKind::Below(inner)
        | ExprKind::Member(inner, _)
        | ExprKind::Index(inner, _) => vec![inner],
        ExprKind::Binary(_, a, b) => vec![a, b],
        ExprKind::In { value, set: InSet::List(items), .. } => std::iter::once(&**value).chain(items).collect(),
        ExprKind::In { value, .. } | ExprKind::Like { value, .. } | ExprKind::Matches { value, .. } => vec![value],
        ExprKind::List(items) => items.iter().collect(),
        ExprKind::Lookup { key, .. } => key.iter().collect(),
    }
}
