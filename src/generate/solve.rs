//! Makes a condition true, or false, of an event under construction by setting its fields.
//!
//! Goes down the condition and sets the field that a comparison is about; where a field is wrapped in arithmetic, two
//! probes tell how the side depends on it. What cannot be turned round is tried with random values. It may fail: the
//! engine judges the stream, and the next attempt chooses otherwise.

use fastrand::Rng;

use super::draft::Draft;
use super::scope::{rounded, table_of};
use super::text;
use super::value::{View, truth};
use crate::base::{Value, ValueRef};
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, InSet, StrLit};

/// Random values tried for a comparison that cannot be turned round.
const TRIES: usize = 24;

impl View<'_> {
    /// Sets fields so that the condition has the truth asked for, as far as that can be told.
    pub fn solve(&self, expr: &Expr, want: bool, this: &mut Draft, rng: &mut Rng) {
        match &expr.kind {
            ExprKind::Not(inner) => self.solve(inner, !want, this, rng),
            ExprKind::Binary(BinaryOp::And, left, right) | ExprKind::Binary(BinaryOp::Or, left, right) => {
                let both = matches!(expr.kind, ExprKind::Binary(BinaryOp::And, ..)) == want;
                if both || rng.bool() {
                    self.solve(left, want, this, rng);
                }
                if both || truth(&self.eval(expr, this)) != Some(want) {
                    self.solve(right, want, this, rng);
                }
            }
            ExprKind::Binary(op, left, right) => {
                let op = if want { *op } else { op.opposite() };
                if !self.compare(op, left, right, this, rng) && !self.compare(op.mirrored(), right, left, this, rng) {
                    self.shake(expr, want, this, rng);
                }
            }
            ExprKind::In { value, set, negated } => self.solve_in(value, set, want != *negated, this, rng),
            ExprKind::Like { value, patterns, negated } => {
                let text = patterns.get(rng.usize(0..patterns.len().max(1)));
                if let (Some(path), Some(text)) = (self.field(value), text) {
                    let value = if want != *negated { text::of_glob(&text.value, rng) } else { "other".to_owned() };
                    this.set(&path, &Value::Str(value.into()));
                }
            }
            ExprKind::Matches { value, patterns } => {
                let pattern = patterns.get(rng.usize(0..patterns.len().max(1)));
                if let (Some(path), Some(pattern)) = (self.field(value), pattern) {
                    let text = if want { text::of_regex(&pattern.pattern, rng) } else { Some("-".to_owned()) };
                    this.set(&path, &text.map_or(Value::Missing, |text| Value::Str(text.into())));
                }
            }
            ExprKind::Call(call) => self.solve_call(call, want, this, rng),
            ExprKind::Path(_) => match (self.expansion(expr), self.field(expr)) {
                (Some(named), _) => self.solve(named, want, this, rng),
                (None, Some(path)) => this.set(&path, &Value::Bool(want)),
                (None, None) => {}
            },
            _ => {}
        }
    }

    /// The field of the event under construction that an expression is, or is a plain function of.
    pub fn field(&self, expr: &Expr) -> Option<Vec<String>> {
        match &expr.kind {
            ExprKind::Path(path) => {
                let parts: Vec<String> = path.parts.iter().map(|part| part.name.clone()).collect();
                let first = parts.first()?;
                if parts.iter().any(|part| part.starts_with('@')) || first == "prev" {
                    return None;
                }
                if parts.len() > 1 && Some(first.as_str()) == self.own {
                    return Some(parts[1..].to_vec());
                }
                if parts.len() > 1 && self.bound.has(first) {
                    return None;
                }
                match self.expansion(expr) {
                    Some(named) => self.field(named),
                    None => Some(parts),
                }
            }
            ExprKind::Call(call) => match call.name.name.as_str() {
                "lower" | "upper" | "trim" | "number" | "string" | "abs" | "round" | "floor" | "ceil" | "each" => {
                    self.field(call.args.first()?)
                }
                _ => None,
            },
            ExprKind::Binary(BinaryOp::Default, left, _) => self.field(left),
            _ => None,
        }
    }

    fn expansion(&self, expr: &Expr) -> Option<&Expr> {
        match &expr.kind {
            ExprKind::Path(path) if path.parts.len() == 1 => self.scope.lets.get(path.parts[0].name.as_str()).copied(),
            _ => None,
        }
    }

    /// Sets a field on the left so that the comparison holds; `false` if there is none, or the right is not known.
    fn compare(&self, op: BinaryOp, left: &Expr, right: &Expr, this: &mut Draft, rng: &mut Rng) -> bool {
        let mut fields = Vec::new();
        super::walk::parts_of(left, &mut |part| fields.extend(self.field(part)));
        let Some(path) = fields.first().cloned() else { return false };
        let target = self.eval(right, this);
        if target.as_ref().is_missing() {
            return false;
        }
        if self.field(left).is_some() {
            this.set(&path, &fitting(op, &target, rng));
            return true;
        }
        let Some(goal) = fitting(op, &target, rng).as_ref().as_f64() else { return false };
        let old = this.get(&path);
        let mut at = |x: f64| {
            this.set(&path, &Value::number(x));
            self.eval(left, this).as_ref().as_f64()
        };
        let (Some(zero), Some(one)) = (at(0.0), at(1.0)) else {
            this.set(&path, &old);
            return false;
        };
        let slope = one - zero;
        if slope == 0.0 || at(2.0).is_none_or(|two| (two - one - slope).abs() > 1e-9 * slope.abs()) {
            this.set(&path, &old);
            return false;
        }
        this.set(&path, &number((goal - zero) / slope));
        true
    }

    fn solve_in(&self, value: &Expr, set: &InSet, want: bool, this: &mut Draft, rng: &mut Rng) {
        if let (ExprKind::List(place), Some(table)) = (&value.kind, table_of(set)) {
            return self.place_in(place, table, want, this, rng);
        }
        let Some(path) = self.field(value) else { return };
        match set {
            InSet::List(items) if want => {
                if let Some(item) = items.get(rng.usize(0..items.len().max(1))) {
                    let item = self.eval(item, this);
                    this.set(&path, &item);
                }
            }
            InSet::Table(_) if want => {
                let known = table_of(set).and_then(|table| self.scope.table_key(table, 0, rng));
                if let Some(known) = known {
                    this.set(&path, &known);
                }
            }
            _ => {
                let other = self.scope.plausible(&path, rng.u64(900..1000), rng);
                this.set(&path, &other);
            }
        }
    }

    /// A place in an area of a table, or near one.
    fn place_in(&self, place: &[Expr], table: &str, want: bool, this: &mut Draft, rng: &mut Rng) {
        let [lat, lon] = place else { return };
        let (Some(lat), Some(lon), Some(table)) = (self.field(lat), self.field(lon), self.scope.table(table)) else {
            return;
        };
        let row = rng.usize(0..table.len().max(1));
        let Some([south, west, north, east]) = u32::try_from(row).ok().and_then(|row| table.area(row)) else { return };
        for _ in 0..TRIES {
            let mut between = |low: f64, high: f64| {
                let margin = if want { 0.0 } else { (high - low) / 2.0 };
                Value::Float(rounded(100.0 * (low - margin + rng.f64() * (high - low + 2.0 * margin))) / 100.0)
            };
            let (y, x) = (between(south, north), between(west, east));
            let inside = table.find(&[y.as_ref(), x.as_ref()]).is_some();
            this.set(&lat, &y);
            this.set(&lon, &x);
            if inside == want {
                return;
            }
        }
    }

    fn solve_call(&self, call: &Call, want: bool, this: &mut Draft, rng: &mut Rng) {
        let Some(first) = call.args.first() else { return };
        let texts: Vec<String> = call.args.iter().skip(1).flat_map(|arg| self.texts(arg, this)).collect();
        let chosen = texts.get(rng.usize(0..texts.len().max(1))).cloned();
        let Some(path) = self.field(first) else { return };
        let padding: String = std::iter::repeat_with(|| rng.lowercase()).take(3).collect();
        let value = match (call.name.name.as_str(), chosen) {
            ("exists", _) if want => match this.get(&path) {
                Value::Missing => self.scope.plausible(&path, 1, rng),
                there => there,
            },
            ("exists", _) => Value::Missing,
            (_, _) if !want => self.scope.plausible(&path, rng.u64(900..1000), rng),
            ("starts_with", Some(text)) => Value::Str(format!("{text}{padding}").into()),
            ("ends_with", Some(text)) => Value::Str(format!("{padding}{text}").into()),
            ("contains", Some(text)) => Value::Str(format!("{padding}{text}").into()),
            ("cidr", Some(net)) => Value::Str(net.split('/').next().unwrap_or("192.0.2.1").into()),
            ("in_polygon", _) => return self.inside(call, this, rng),
            _ => return,
        };
        this.set(&path, &value);
    }

    /// A place between the corners of a polygon.
    fn inside(&self, call: &Call, this: &mut Draft, rng: &mut Rng) {
        let [lat, lon, corners] = call.args.as_slice() else { return };
        let (Some(lat), Some(lon)) = (self.field(lat), self.field(lon)) else { return };
        let Value::List(corners) = self.eval(corners, this) else { return };
        let mut weights: Vec<f64> = corners.iter().map(|_| rng.f64() + 0.05).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        let mean = |axis: usize| -> f64 {
            let part = |corner: &Value| match corner {
                Value::List(pair) => pair.get(axis).and_then(|v| v.as_ref().as_f64()).unwrap_or(0.0),
                _ => 0.0,
            };
            corners.iter().zip(&weights).map(|(corner, weight)| part(corner) * weight).sum()
        };
        this.set(&lat, &Value::number(mean(0)));
        this.set(&lon, &Value::number(mean(1)));
    }

    fn texts(&self, expr: &Expr, this: &Draft) -> Vec<String> {
        match (&expr.kind, self.eval(expr, this)) {
            (ExprKind::Str(StrLit { value, .. }), _) => vec![value.clone()],
            (ExprKind::List(items), _) => items.iter().flat_map(|item| self.texts(item, this)).collect(),
            (_, Value::Str(text)) => vec![text.into()],
            _ => Vec::new(),
        }
    }

    /// Tries random values for all fields of a comparison: near what the same field was before, or anywhere.
    fn shake(&self, expr: &Expr, want: bool, this: &mut Draft, rng: &mut Rng) {
        let mut fields = Vec::new();
        super::walk::parts_of(expr, &mut |part| fields.extend(self.field(part)));
        fields.retain(|path| !matches!(this.get(path), Value::Str(_)));
        for _ in 0..TRIES {
            let near = rng.bool();
            for path in &fields {
                let before = self.bound.steps.iter().rev().map(|(_, draft)| draft.get(path));
                let before = before.filter_map(|v| v.as_ref().as_f64()).next();
                let value = match before {
                    Some(before) if near => number(before * (1.0 + (rng.f64() - 0.5) * 0.0001)),
                    Some(before) if rng.bool() => number(before * scale(rng)),
                    _ => match self.scope.plausible(path, rng.u64(1..1000), rng) {
                        place @ (Value::Float(_) | Value::Object(_)) => place,
                        _ => number(magnitude(self.scope.numbers(), rng)),
                    },
                };
                this.set(path, &value);
            }
            if truth(&self.eval(expr, this)).is_none_or(|holds| holds == want) {
                return;
            }
        }
    }
}

/// A number of a size that the rules speak of, or far from it.
pub fn magnitude(numbers: &[f64], rng: &mut Rng) -> f64 {
    let base = if numbers.is_empty() || rng.u8(0..4) == 0 {
        [0.5, 1.0, 10.0, 100.0, 1e4, 1e6][rng.usize(0..6)]
    } else {
        numbers[rng.usize(0..numbers.len())]
    };
    base * scale(rng)
}

fn scale(rng: &mut Rng) -> f64 {
    [0.01, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0, 100.0][rng.usize(0..8)]
}

/// Whole numbers stay whole.
fn number(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 1e15 { Value::Int(n as i64) } else { Value::number(n) }
}

/// A value that stands to the target as the operator says.
fn fitting(op: BinaryOp, target: &Value, rng: &mut Rng) -> Value {
    let Some(n) = target.as_ref().as_f64() else {
        return match (op, target) {
            (BinaryOp::Ne, Value::Str(text)) => Value::Str(format!("not-{text}").into()),
            (BinaryOp::Ne, Value::Bool(b)) => Value::Bool(!b),
            _ => target.clone(),
        };
    };
    let whole = matches!(target.as_ref(), ValueRef::Int(_) | ValueRef::UInt(_));
    let step = match rng.u8(0..4) {
        0 => n.abs() * 0.01,
        1 => n.abs() * 0.1,
        2 => n.abs() * 0.5,
        _ => 1.0,
    };
    let step = if whole { step.ceil().max(1.0) } else { step.max(0.01) };
    let moved = match op {
        BinaryOp::Lt => n - step,
        BinaryOp::Gt | BinaryOp::Ne => n + step,
        BinaryOp::Le if rng.bool() => n - step,
        BinaryOp::Ge if rng.bool() => n + step,
        _ => return target.clone(),
    };
    if whole { number(moved) } else { Value::number(rounded(moved * 100.0) / 100.0) }
}
