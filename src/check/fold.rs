//! Constant folding: the value of an expression that reads nothing from events.
//!
//! Only what bounds and dead conditions need: literals, arithmetic, comparisons, logic and `let` names.
//! `None` means "not constant", never "missing".

use std::cmp::Ordering;

use crate::base::value::Value;
use crate::base::{Duration, ValueRef};
use crate::check::names::Names;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, InSet};

/// A `let` may name another one; more than this is a cycle, which is reported elsewhere.
const MAX_LET_DEPTH: usize = 32;

/// The value of `expr` if it is the same for every event.
pub(crate) fn fold(expr: &Expr, names: &Names<'_>) -> Option<Value> {
    fold_at(expr, names, 0)
}

/// The nanoseconds of a constant duration.
pub(crate) fn fold_duration(expr: &Expr, names: &Names<'_>) -> Option<i64> {
    match fold(expr, names) {
        Some(Value::Duration(d)) => Some(d.0),
        _ => None,
    }
}

fn fold_at(expr: &Expr, names: &Names<'_>, depth: usize) -> Option<Value> {
    let fold = |e: &Expr| fold_at(e, names, depth);
    match &expr.kind {
        ExprKind::Str(s) if !s.fold => Some(Value::Str(s.value.as_str().into())),
        ExprKind::Int(n) => Some(Value::integer(*n)),
        ExprKind::Float(n) => Some(Value::number(*n)),
        ExprKind::Bool(b) => Some(Value::Bool(*b)),
        ExprKind::Duration(d) => Some(Value::Duration(Duration(*d))),
        ExprKind::Path(path) if path.parts.len() == 1 && depth < MAX_LET_DEPTH => {
            let decl = names.lets.get(path.parts[0].name.as_str())?;
            fold_at(&decl.value, names, depth + 1)
        }
        ExprKind::Not(x) => match fold(x)? {
            Value::Bool(b) => Some(Value::Bool(!b)),
            _ => None,
        },
        ExprKind::Neg(x) => match fold(x)? {
            Value::Int(n) => Some(Value::integer(-i128::from(n))),
            Value::Float(n) => Some(Value::number(-n)),
            Value::Duration(d) => Some(Value::Duration(Duration(d.0.saturating_neg()))),
            _ => None,
        },
        ExprKind::Binary(op, a, b) => binary(*op, fold(a), fold(b)),
        ExprKind::In { value, set: InSet::List(items), negated } => {
            let value = fold(value)?;
            let mut found = false;
            for item in items {
                found |= value.as_ref().equals(fold(item)?.as_ref())?;
            }
            Some(Value::Bool(found != *negated))
        }
        _ => None,
    }
}

fn binary(op: BinaryOp, a: Option<Value>, b: Option<Value>) -> Option<Value> {
    // Logic may be decided by one side alone.
    match (op, &a, &b) {
        (BinaryOp::And, Some(Value::Bool(false)), _) | (BinaryOp::And, _, Some(Value::Bool(false))) => {
            return Some(Value::Bool(false));
        }
        (BinaryOp::Or, Some(Value::Bool(true)), _) | (BinaryOp::Or, _, Some(Value::Bool(true))) => {
            return Some(Value::Bool(true));
        }
        _ => {}
    }
    let (a, b) = (a?, b?);
    let (x, y) = (a.as_ref(), b.as_ref());
    let ordered = |wanted: fn(Ordering) -> bool| x.compare(y).map(|o| Value::Bool(wanted(o)));
    match op {
        BinaryOp::And | BinaryOp::Or => match (x, y) {
            (ValueRef::Bool(x), ValueRef::Bool(y)) => {
                Some(Value::Bool(if op == BinaryOp::And { x && y } else { x || y }))
            }
            _ => None,
        },
        BinaryOp::Eq => x.equals(y).map(Value::Bool),
        BinaryOp::Ne => x.equals(y).map(|e| Value::Bool(!e)),
        BinaryOp::Lt => ordered(Ordering::is_lt),
        BinaryOp::Le => ordered(Ordering::is_le),
        BinaryOp::Gt => ordered(Ordering::is_gt),
        BinaryOp::Ge => ordered(Ordering::is_ge),
        BinaryOp::Default => Some(a),
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => arithmetic(op, &a, &b),
    }
}

fn arithmetic(op: BinaryOp, a: &Value, b: &Value) -> Option<Value> {
    let scaled = |n: f64| {
        let fits = n.is_finite() && n.abs() < i64::MAX as f64;
        fits.then_some(Value::Duration(Duration(n as i64)))
    };
    match (op, a, b) {
        (BinaryOp::Add, Value::Duration(x), Value::Duration(y)) => {
            Some(Value::Duration(Duration(x.0.saturating_add(y.0))))
        }
        (BinaryOp::Sub, Value::Duration(x), Value::Duration(y)) => {
            Some(Value::Duration(Duration(x.0.saturating_sub(y.0))))
        }
        (BinaryOp::Mul, Value::Duration(x), Value::Int(n)) | (BinaryOp::Mul, Value::Int(n), Value::Duration(x)) => {
            Some(Value::Duration(Duration(x.0.saturating_mul(*n))))
        }
        (BinaryOp::Mul, Value::Duration(x), n) | (BinaryOp::Mul, n, Value::Duration(x)) => {
            scaled(x.0 as f64 * n.as_ref().as_f64()?)
        }
        (BinaryOp::Div, Value::Duration(x), Value::Duration(y)) => Some(Value::number(x.0 as f64 / y.0 as f64)),
        (BinaryOp::Div, Value::Duration(x), n) => scaled(x.0 as f64 / n.as_ref().as_f64()?),
        (_, Value::Int(x), Value::Int(y)) if op != BinaryOp::Div => {
            let (x, y) = (i128::from(*x), i128::from(*y));
            match op {
                BinaryOp::Add => Some(Value::integer(x + y)),
                BinaryOp::Sub => Some(Value::integer(x - y)),
                BinaryOp::Mul => Some(Value::integer(x * y)),
                _ => x.checked_rem(y).map(Value::integer),
            }
        }
        _ => {
            let (x, y) = (a.as_ref().as_f64()?, b.as_ref().as_f64()?);
            let result = match op {
                BinaryOp::Add => x + y,
                BinaryOp::Sub => x - y,
                BinaryOp::Mul => x * y,
                BinaryOp::Div => x / y,
                _ => x % y,
            };
            result.is_finite().then(|| Value::number(result))
        }
    }
}
