//! The conditions of correlations: bounds on numbers, and expressions over names of rules.

use super::model::{Bound, BoundOp, Number, Text};
use super::pipeline::model::Logic;
use super::tree::{binary, chain, expr};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};
use crate::syntax::source::Span;

/// What a stream has to wait for until bounds are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// More events can only make them true: at an event.
    AtEvents,
    /// More events can make them false: when the timespan is over.
    AtTheEnd,
}

/// When bounds on something that grows are decided.
pub(super) fn decided(bounds: &[Bound]) -> Decided {
    let grows = bounds.iter().all(|bound| matches!(bound.op, BoundOp::Gt | BoundOp::Gte));
    if grows { Decided::AtEvents } else { Decided::AtTheEnd }
}

/// The least number of things that lower bounds ask for; at least one.
pub(super) fn least(bounds: &[Bound]) -> u64 {
    let of = |bound: &Bound| {
        let (whole, exact) = match bound.value {
            Number::Int(value) => (value, true),
            #[expect(clippy::cast_possible_truncation, reason = "what does not fit is cut to the greatest number")]
            Number::Float(value) => (value.ceil() as i128, value.fract() == 0.0),
        };
        let more = i128::from(bound.op == BoundOp::Gt && exact);
        u64::try_from((whole + more).max(1)).unwrap_or(u64::MAX)
    };
    bounds.iter().map(of).max().unwrap_or(1)
}

/// Whether a number of at least one can be in the bounds.
pub(super) fn can_hold(bounds: &[Bound]) -> bool {
    let value = |number: Number| match number {
        #[expect(clippy::cast_precision_loss, reason = "compared with small numbers")]
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    };
    let (mut low, mut high) = (1.0_f64, f64::INFINITY);
    for bound in bounds {
        let number = value(bound.value);
        match bound.op {
            BoundOp::Gte => low = low.max(number.ceil()),
            BoundOp::Gt => low = low.max(number.floor() + 1.0),
            BoundOp::Lte => high = high.min(number.floor()),
            BoundOp::Lt => high = high.min(number.ceil() - 1.0),
            BoundOp::Eq if number.fract() != 0.0 => return false,
            BoundOp::Eq => (low, high) = (low.max(number), high.min(number)),
            BoundOp::Neq => {}
        }
    }
    low <= high
}

/// Bounds as comparisons of a value.
pub(super) fn compared(value: &Expr, bounds: &[Bound]) -> Option<Expr> {
    let one = |bound: &Bound| {
        let op = match bound.op {
            BoundOp::Gt => BinaryOp::Gt,
            BoundOp::Gte => BinaryOp::Ge,
            BoundOp::Lt => BinaryOp::Lt,
            BoundOp::Lte => BinaryOp::Le,
            BoundOp::Eq => BinaryOp::Eq,
            BoundOp::Neq => BinaryOp::Ne,
        };
        binary(op, value.clone(), number(bound.value, bound.span), bound.span)
    };
    chain(BinaryOp::And, bounds.iter().map(one).collect())
}

/// A number as the language writes it; below zero it has a sign of its own.
fn number(number: Number, span: Span) -> Expr {
    let (negative, kind) = match number {
        Number::Int(value) => (value < 0, ExprKind::Int(value.saturating_abs())),
        Number::Float(value) => (value < 0.0, ExprKind::Float(value.abs())),
    };
    let positive = expr(kind, span);
    if negative { expr(ExprKind::Neg(Box::new(positive)), span) } else { positive }
}

/// An expression over rules: the names in it, each once, and their logic.
pub(super) fn expression(text: &Text) -> Result<(Vec<Text>, Logic), String> {
    let mut names: Vec<Text> = Vec::new();
    let mut start = 0;
    let separator = |c: char| c.is_whitespace() || matches!(c, '(' | ')');
    for part in text.value.split_inclusive(separator) {
        let word = part.trim_end_matches(separator);
        let end = start + word.len();
        let is_word = ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
        if !word.is_empty() && !is_word && !names.iter().any(|name| name.value == word) {
            names.push(Text { value: word.to_owned(), span: text.part(start, end) });
        }
        start += part.len();
    }
    let words: Vec<&str> = names.iter().map(Text::as_str).collect();
    let logic = Logic::parse(&text.value, &words)?;
    Ok((names, logic))
}

/// What an expression needs and forbids, if it is a conjunction of names and denied names.
pub(super) fn conjunction(logic: &Logic) -> Option<(Vec<usize>, Vec<usize>)> {
    fn walk(logic: &Logic, negated: bool, found: &mut (Vec<usize>, Vec<usize>)) -> Option<()> {
        match (logic, negated) {
            (Logic::Name(at), false) => found.0.push(*at),
            (Logic::Name(at), true) => found.1.push(*at),
            (Logic::Not(inner), _) => walk(inner, !negated, found)?,
            (Logic::And(parts), false) | (Logic::Or(parts), true) => {
                for part in parts {
                    walk(part, negated, found)?;
                }
            }
            _ => return None,
        }
        Some(())
    }
    let mut found = (Vec::new(), Vec::new());
    walk(logic, false, &mut found)?;
    for list in [&mut found.0, &mut found.1] {
        list.sort_unstable();
        list.dedup();
    }
    Some(found)
}

/// Whether something is denied.
pub(super) fn denies(logic: &Logic) -> bool {
    match logic {
        Logic::Name(_) => false,
        Logic::Not(_) => true,
        Logic::And(parts) | Logic::Or(parts) => parts.iter().any(denies),
    }
}

/// An expression of which each name is a condition.
pub(super) fn lowered(logic: &Logic, of: &dyn Fn(usize) -> Expr) -> Option<Expr> {
    let all = |parts: &[Logic]| parts.iter().map(|part| lowered(part, of)).collect::<Option<Vec<Expr>>>();
    match logic {
        Logic::Name(at) => Some(of(*at)),
        Logic::Not(_) => None,
        Logic::And(parts) => chain(BinaryOp::And, all(parts)?),
        Logic::Or(parts) => chain(BinaryOp::Or, all(parts)?),
    }
}
