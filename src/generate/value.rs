//! What an expression is worth over events under construction.
//!
//! Follows `plan::eval` as far as values are known before a stream exists; the rest (statistics, aggregates other than
//! `count`) is missing. Nothing relies on this being complete: the engine has the last word on every stream.

use super::draft::Draft;
use super::scope::Scope;
use crate::base::function::{Function, Statistic};
use crate::base::{Duration, Value, ValueRef};
use crate::plan::call::apply;
use crate::plan::eval::{arithmetic, compare};
use crate::syntax::ast::{BinaryOp, Call, Expr, ExprKind, Ident, InSet};

/// Events bound so far, by the name of their step.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// In the order of binding.
    pub steps: Vec<(Option<String>, Draft)>,
}

impl Bound {
    /// The events of a step.
    pub fn of<'b>(&'b self, step: &'b str) -> impl DoubleEndedIterator<Item = &'b Draft> {
        self.steps.iter().filter(move |(name, _)| name.as_deref() == Some(step)).map(|(_, draft)| draft)
    }

    /// Whether a step of this name has bound something.
    pub fn has(&self, step: &str) -> bool {
        self.of(step).next().is_some()
    }
}

/// What the earlier events of a class were like, for running statistics.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The value they lie around, by a few hundredths.
    pub centre: f64,
    /// How many there were.
    pub events: i64,
}

/// What an expression sees.
#[derive(Clone, Copy, Debug)]
pub struct View<'v> {
    /// Declarations.
    pub scope: &'v Scope<'v>,
    /// Events bound before.
    pub bound: &'v Bound,
    /// The name of the step that the event under construction is for.
    pub own: Option<&'v str>,
    /// Earlier events of the class.
    pub past: Option<Past>,
}

impl View<'_> {
    /// The value of an expression for the event under construction.
    pub fn eval(&self, expr: &Expr, this: &Draft) -> Value {
        match &expr.kind {
            ExprKind::Str(text) => Value::Str(text.value.as_str().into()),
            ExprKind::Int(n) => Value::integer(*n),
            ExprKind::Float(n) => Value::number(*n),
            ExprKind::Bool(b) => Value::Bool(*b),
            ExprKind::Duration(d) => Value::Duration(Duration(*d)),
            ExprKind::Path(path) => self.path(&path.parts, this),
            ExprKind::Call(call) => self.call(call, this),
            ExprKind::Not(inner) => bool_of(truth(&self.eval(inner, this)).map(|b| !b)),
            ExprKind::Neg(inner) => arithmetic(BinaryOp::Sub, ValueRef::Int(0), self.eval(inner, this).as_ref()),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, this),
            ExprKind::In { value, set: InSet::List(items), negated } => {
                let value = self.eval(value, this);
                let found =
                    items.iter().any(|item| self.eval(item, this).as_ref().equals(value.as_ref()) == Some(true));
                if value.as_ref().is_missing() { Value::Missing } else { Value::Bool(found != *negated) }
            }
            ExprKind::In { value, set: InSet::Table(name), negated } => {
                self.in_table(&name.name, value, *negated, this)
            }
            ExprKind::List(items) => Value::List(items.iter().map(|item| self.eval(item, this)).collect()),
            ExprKind::Lookup { table, key } => self.row(&table.name, key, &[], this),
            ExprKind::Member(inner, parts) => self.member(inner, parts, this),
            _ => Value::Missing,
        }
    }

    fn path(&self, parts: &[Ident], this: &Draft) -> Value {
        let names: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
        match names.as_slice() {
            [only] if only == "@ts" => Value::Time(this.ts),
            [first, rest @ ..] if first == "prev" => {
                let step = self.own.filter(|own| self.bound.has(own));
                let newest = match step {
                    Some(own) => self.bound.of(own).next_back(),
                    None => self.bound.steps.last().map(|(_, draft)| draft),
                };
                newest.map_or(Value::Missing, |draft| attribute(draft, rest))
            }
            [first, rest @ ..] if self.bound.has(first) && !rest.is_empty() => {
                self.bound.of(first).next_back().map_or(Value::Missing, |draft| attribute(draft, rest))
            }
            [first, rest @ ..] if Some(first.as_str()) == self.own && !rest.is_empty() => attribute(this, rest),
            [only] if self.scope.lets.contains_key(only.as_str()) => self.eval(self.scope.lets[only.as_str()], this),
            _ => this.get(&names),
        }
    }

    fn call(&self, call: &Call, this: &Draft) -> Value {
        if call.name.name == "count"
            && let [Expr { kind: ExprKind::Path(path), .. }] = call.args.as_slice()
            && let [step] = path.parts.as_slice()
            && !call.distinct
            && call.condition.is_none()
        {
            return Value::Int(self.bound.of(&step.name).count() as i64);
        }
        if let (Some(past), Some(_)) = (self.past, call.args.first())
            && (call.args.len() > 1 || call.events.is_some())
            && let Some(statistic) = Statistic::by_name(&call.name.name)
        {
            let deviation = past.centre.abs() * 0.0145;
            return match statistic {
                // The earlier events differ in what it goes by.
                Statistic::Count if !call.by.is_empty() => Value::Int(0),
                _ if !call.by.is_empty() => Value::Missing,
                Statistic::Count => Value::Int(past.events),
                Statistic::Sum => Value::number(past.centre * past.events as f64),
                Statistic::Stddev => Value::number(deviation),
                Statistic::Zscore => match self.eval(&call.args[0], this).as_ref().as_f64() {
                    Some(x) if deviation > 0.0 => Value::number((x - past.centre) / deviation),
                    _ => Value::Missing,
                },
                _ => Value::number(past.centre),
            };
        }
        let Some(function) = Function::by_name(&call.name.name) else { return Value::Missing };
        if call.events.is_some() || call.distinct {
            return Value::Missing;
        }
        let args: Vec<Value> = call.args.iter().map(|arg| self.eval(arg, this)).collect();
        if function == Function::Exists {
            return Value::Bool(args.iter().all(|arg| !arg.as_ref().is_missing()));
        }
        let args: Vec<ValueRef<'_>> = args.iter().map(Value::as_ref).collect();
        if function.info().signature(args.len()).is_none() { Value::Missing } else { apply(function, &args) }
    }

    fn binary(&self, op: BinaryOp, left: &Expr, right: &Expr, this: &Draft) -> Value {
        let (a, b) = (self.eval(left, this), self.eval(right, this));
        match op {
            BinaryOp::And => bool_of(match (truth(&a), truth(&b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (a, b) => a.zip(b).map(|_| true),
            }),
            BinaryOp::Or => bool_of(match (truth(&a), truth(&b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (a, b) => a.zip(b).map(|_| false),
            }),
            BinaryOp::Default if a.as_ref().is_missing() => b,
            BinaryOp::Default => a,
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                bool_of(compare(op, a.as_ref(), b.as_ref()))
            }
            _ => arithmetic(op, a.as_ref(), b.as_ref()),
        }
    }

    fn member(&self, inner: &Expr, parts: &[Ident], this: &Draft) -> Value {
        let names: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
        match &inner.kind {
            ExprKind::Call(call) => {
                let Some(ExprKind::Path(path)) = call.args.first().map(|arg| &arg.kind) else { return Value::Missing };
                let Some(step) = path.parts.first() else { return Value::Missing };
                let draft = match call.name.name.as_str() {
                    "first" => self.bound.of(&step.name).next(),
                    "last" => self.bound.of(&step.name).next_back(),
                    _ => None,
                };
                draft.map_or(Value::Missing, |draft| attribute(draft, &names))
            }
            ExprKind::Lookup { table, key } => self.row(&table.name, key, &names, this),
            _ => Value::Missing,
        }
    }

    fn in_table(&self, table: &str, value: &Expr, negated: bool, this: &Draft) -> Value {
        let Some(table) = self.scope.table(table) else { return Value::Missing };
        let value = self.eval(value, this);
        let key: Vec<ValueRef<'_>> = match &value {
            Value::List(parts) => parts.iter().map(Value::as_ref).collect(),
            single => vec![single.as_ref()],
        };
        if key.iter().any(|part| part.is_missing()) {
            return Value::Missing;
        }
        Value::Bool(table.find(&key).is_some() != negated)
    }

    fn row(&self, table: &str, key: &[Expr], path: &[String], this: &Draft) -> Value {
        let Some(table) = self.scope.table(table) else { return Value::Missing };
        let key: Vec<Value> = key.iter().map(|part| self.eval(part, this)).collect();
        let key: Vec<ValueRef<'_>> = key.iter().map(Value::as_ref).collect();
        let path: Vec<Box<str>> = path.iter().map(|part| part.as_str().into()).collect();
        table.find(&key).map_or(Value::Missing, |row| table.read(row, &path).to_owned())
    }
}

fn attribute(draft: &Draft, path: &[String]) -> Value {
    match path {
        [only] if only == "@ts" => Value::Time(draft.ts),
        path => draft.get(path),
    }
}

/// The truth of a value; nothing for what is neither true nor false.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        _ => None,
    }
}

fn bool_of(value: Option<bool>) -> Value {
    value.map_or(Value::Missing, Value::Bool)
}
