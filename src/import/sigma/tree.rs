//! Pieces of the syntax tree as imported rules need them.
//!
//! Sigma knows two truth values, the rule language three: a comparison with a missing field is missing. Where nothing
//! is denied that is the same, since only *true* passes. What is denied is given a default: `not (x) ?? false`.
//! Invariant: chains of `and` and `or` have the balanced form in which the parser gives them.

use super::model::Text;
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, Ident, InSet, Path, RegexLit, StrLit};
use crate::syntax::source::Span;
use crate::syntax::{flatten, join};

pub(super) fn expr(kind: ExprKind, span: Span) -> Expr {
    Expr { kind, span }
}

/// A name that stands where the text does.
pub(super) fn ident(name: impl Into<String>, span: Span) -> Ident {
    Ident { name: name.into(), span }
}

/// A field. Dots part it, unless that would leave a part empty. None if no name can be written so.
pub(super) fn field(name: &Text) -> Option<Expr> {
    let text = name.as_str();
    if text.is_empty() || text.contains(['`', '\n', '\r']) {
        return None;
    }
    let mut parts = Vec::new();
    if text.split('.').any(str::is_empty) {
        parts.push(ident(text, name.span));
    } else {
        let mut start = 0;
        for part in text.split('.') {
            parts.push(ident(part, name.part(start, start + part.len())));
            start += part.len() + 1;
        }
    }
    Some(expr(ExprKind::Path(Path { parts, span: name.span }), name.span))
}

/// A text literal; raw where that spares backslashes.
pub(super) fn literal(value: impl Into<String>, fold: bool, span: Span) -> StrLit {
    let value = value.into();
    let raw = value.contains('\\') && !value.contains('"') && !value.chars().any(char::is_control);
    StrLit { fold: fold && has_case(&value), raw, value, span }
}

/// Whether folding case can make a difference.
fn has_case(text: &str) -> bool {
    text.chars().any(|c| if c.is_ascii() { c.is_ascii_alphabetic() } else { c.is_alphabetic() || !c.is_alphanumeric() })
}

pub(super) fn string(value: impl Into<String>, fold: bool, span: Span) -> Expr {
    expr(ExprKind::Str(literal(value, fold, span)), span)
}

pub(super) fn call(name: &str, args: Vec<Expr>, span: Span) -> Expr {
    let call = Call { name: ident(name, span), distinct: false, args, events: None, condition: None, by: Vec::new() };
    expr(ExprKind::Call(call), span)
}

pub(super) fn binary(op: BinaryOp, left: Expr, right: Expr, span: Span) -> Expr {
    expr(ExprKind::Binary(op, Box::new(left), Box::new(right)), span)
}

pub(super) fn exists(value: Expr, span: Span) -> Expr {
    call("exists", vec![value], span)
}

/// `value == one`, or `value in (…)`; the values must not be empty.
pub(super) fn one_of(value: Expr, mut values: Vec<Expr>, span: Span) -> Expr {
    if values.len() == 1
        && let Some(only) = values.pop()
    {
        return binary(BinaryOp::Eq, value, only, span);
    }
    expr(ExprKind::In { value: Box::new(value), set: InSet::List(values), negated: false }, span)
}

pub(super) fn like(value: Expr, patterns: Vec<StrLit>, span: Span) -> Expr {
    expr(ExprKind::Like { value: Box::new(value), patterns, negated: false }, span)
}

pub(super) fn matches(value: Expr, patterns: Vec<RegexLit>, span: Span) -> Expr {
    expr(ExprKind::Matches { value: Box::new(value), patterns }, span)
}

/// All of these, or any of them; none if there are none.
pub(super) fn chain(op: BinaryOp, parts: Vec<Expr>) -> Option<Expr> {
    let mut flat = Vec::with_capacity(parts.len());
    parts.into_iter().for_each(|part| flatten(op, part, &mut flat));
    (!flat.is_empty()).then(|| join(op, flat))
}

/// The opposite, true where the condition is missing.
pub(super) fn not(condition: Expr, span: Span) -> Expr {
    if let ExprKind::Not(inner) = condition.kind {
        return *inner;
    }
    let inner = if never_missing(&condition) {
        condition
    } else {
        binary(BinaryOp::Default, condition, expr(ExprKind::Bool(false), span), span)
    };
    expr(ExprKind::Not(Box::new(inner)), span)
}

/// Whether a condition is true or false for every event.
fn never_missing(condition: &Expr) -> bool {
    match &condition.kind {
        ExprKind::Not(inner) => never_missing(inner),
        ExprKind::Binary(BinaryOp::And | BinaryOp::Or, left, right) => never_missing(left) && never_missing(right),
        ExprKind::Binary(BinaryOp::Default, _, default) => matches!(default.kind, ExprKind::Bool(_)),
        ExprKind::Binary(BinaryOp::Ge, sum, _) => counts(sum),
        ExprKind::Call(call) => call.name.name == "exists",
        ExprKind::Like { value, .. } | ExprKind::Matches { value, .. } => reads_whole_event(value),
        _ => false,
    }
}

/// A sum of `if(c, 1, 0)`.
fn counts(sum: &Expr) -> bool {
    match &sum.kind {
        ExprKind::Binary(BinaryOp::Add, left, right) => counts(left) && counts(right),
        ExprKind::Call(call) => call.name.name == "if",
        _ => false,
    }
}

fn reads_whole_event(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Call(call) if call.name.name == "any_value" => true,
        ExprKind::Call(call) if call.name.name == "texts" => call.args.iter().all(reads_whole_event),
        _ => false,
    }
}

/// At least so many of these.
pub(super) fn at_least(count: usize, parts: Vec<Expr>, span: Span) -> Option<Expr> {
    let int = |n: usize| expr(ExprKind::Int(n as i128), span);
    let ones = parts.into_iter().map(|part| call("if", vec![part, int(1), int(0)], span));
    let sum = ones.reduce(|sum, one| binary(BinaryOp::Add, sum, one, span))?;
    Some(binary(BinaryOp::Ge, sum, int(count), span))
}
