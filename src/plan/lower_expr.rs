//! Syntax expressions to resolved expressions.
//!
//! Relies on `check`: names resolve, arities fit, patterns compile. Should something slip through, the expression
//! is missing rather than a panic, and [`Lowering::problems`] says so.

use std::sync::Arc;

use hashbrown::HashMap;

use super::expr::{AggregateExpr, Attr, ConstSet, Expr, Lookup, Which};
use super::fields::{Fields, WHOLE_EVENT};
use super::fold::fold_case;
use super::glob::Glob;
use super::glob_set::GlobSet;
use super::key::encode_scalar;
use super::net::{CidrSet, parse_network};
use super::pattern::Pattern;
use super::ruleset::Stat;
use super::table::Table;
use crate::base::function::{Aggregate, Function};
use crate::base::id::TableId;
use crate::base::{Duration, Limits, StepId, Value};
use crate::syntax::ast;
use crate::syntax::ast::{BinaryOp, ExprKind, InSet};
use crate::syntax::source::Span;

/// What a file set declares besides rules.
#[derive(Debug, Default)]
pub struct Declarations {
    /// `event name = …`
    pub classes: HashMap<String, ast::Expr, foldhash::fast::FixedState>,
    /// `clock name = …`, in the order of the files.
    pub clocks: Vec<ast::ClockDecl>,
    /// `let name = …`
    pub lets: HashMap<String, ast::Expr, foldhash::fast::FixedState>,
    /// Table ids by name.
    pub table_ids: HashMap<String, TableId, foldhash::fast::FixedState>,
    /// The tables.
    pub tables: Vec<Arc<Table>>,
}

/// Where an expression stands, which decides what names mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Over one event only: a class, a key.
    Event,
    /// A step's condition.
    Step(StepId),
    /// A guard's condition.
    Guard,
    /// `having`, `alert`, `suppress by`, `severity`: over the match.
    Match,
    /// Inside an aggregate or statistic over a step: its fields are the event under test.
    Element(StepId),
}

/// What a rule's expressions can name, and what they have asked for so far.
#[derive(Debug, Default)]
pub struct Scope {
    /// Step names.
    pub steps: HashMap<String, StepId, foldhash::fast::FixedState>,
    /// Key components: name, and the path it defaults to.
    pub key: Vec<(String, Option<Vec<String>>)>,
    /// Statistics asked for: role bits are given later.
    pub stats: Vec<Stat>,
}

/// Turns expressions of one rule into resolved ones.
#[derive(Debug)]
pub struct Lowering<'a> {
    /// Shared over the rule set.
    pub fields: &'a mut Fields,
    /// Shared over the rule set.
    pub declarations: &'a Declarations,
    /// Of this rule.
    pub scope: Scope,
    /// Limits on patterns.
    pub limits: &'a Limits,
    /// What `check` should have refused.
    pub problems: Vec<(Span, String)>,
    /// How often `any_value()` was asked for, so that it can be told whether predicates alone do.
    pub whole_reads: usize,
    /// Names of the elements that the expression at hand can read, outermost first.
    elements: Vec<String>,
    depth: usize,
}

impl<'a> Lowering<'a> {
    /// A lowering with an empty scope.
    pub fn new(fields: &'a mut Fields, declarations: &'a Declarations, limits: &'a Limits) -> Self {
        Self {
            fields,
            declarations,
            scope: Scope::default(),
            limits,
            problems: Vec::new(),
            whole_reads: 0,
            elements: Vec::new(),
            depth: 0,
        }
    }

    pub(super) fn problem(&mut self, span: Span, text: impl Into<String>) -> Expr {
        self.problems.push((span, text.into()));
        Expr::Const(Value::Missing)
    }

    /// Whether an expression is a constant duration.
    pub fn is_constant(&mut self, e: &ast::Expr) -> bool {
        if let ExprKind::Below(inner) = &e.kind {
            return self.is_constant(inner);
        }
        // What it reads is met again where it is lowered for good.
        let touched = self.fields.touched.clone();
        let lowered = self.expr(e, Place::Guard);
        self.fields.touched = touched;
        matches!(lowered, Expr::Const(Value::Duration(_)))
            || matches!(fold_constant(&lowered), Some(Value::Duration(_)))
    }

    /// A constant duration expression.
    pub fn duration(&mut self, e: &ast::Expr) -> Duration {
        if let ExprKind::Below(inner) = &e.kind {
            // Times are whole nanoseconds, so excluding the bound is a bound one less.
            return self.duration(inner) + Duration(-1);
        }
        match self.expr(e, Place::Event) {
            Expr::Const(Value::Duration(d)) => d,
            other => match fold_constant(&other) {
                Some(Value::Duration(d)) => d,
                _ => {
                    self.problem(e.span, "this is not a constant duration");
                    Duration::ZERO
                }
            },
        }
    }

    /// Lowers an expression.
    pub fn expr(&mut self, e: &ast::Expr, place: Place) -> Expr {
        self.depth += 1;
        let lowered = if self.depth > 4 * self.limits.max_rule_depth + 64 {
            self.problem(e.span, "this expression is nested too deeply")
        } else {
            self.expr_inner(e, place)
        };
        self.depth -= 1;
        lowered
    }

    fn boxed(&mut self, e: &ast::Expr, place: Place) -> Box<Expr> {
        Box::new(self.expr(e, place))
    }

    fn expr_inner(&mut self, e: &ast::Expr, place: Place) -> Expr {
        match &e.kind {
            ExprKind::Str(s) => Expr::Const(Value::Str(s.value.as_str().into())),
            ExprKind::Int(v) => Expr::Const(Value::integer(*v)),
            ExprKind::Float(v) => Expr::Const(Value::number(*v)),
            ExprKind::Bool(v) => Expr::Const(Value::Bool(*v)),
            ExprKind::Duration(v) => Expr::Const(Value::Duration(Duration(*v))),
            ExprKind::Path(path) => self.path(path, place),
            ExprKind::Call(call) => self.call(call, e.span, place),
            ExprKind::Not(a) => Expr::Not(self.boxed(a, place)),
            ExprKind::Neg(a) => match self.expr(a, place) {
                Expr::Const(v) => {
                    fold_constant(&Expr::Neg(Box::new(Expr::Const(v)))).map_or(Expr::Const(Value::Missing), Expr::Const)
                }
                a => Expr::Neg(Box::new(a)),
            },
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, place),
            ExprKind::In { value, set, negated } => {
                let found = self.membership(value, set, place);
                if *negated { Expr::Not(Box::new(found)) } else { found }
            }
            ExprKind::Like { value, patterns, negated } => {
                let globs: Vec<Glob> = patterns.iter().map(|p| Glob::new(&p.value, p.fold)).collect();
                let found = Expr::Like(self.boxed(value, place), Arc::new(GlobSet::new(globs)));
                if *negated { Expr::Not(Box::new(found)) } else { found }
            }
            ExprKind::Matches { value, patterns } => {
                let mut regexes = Vec::new();
                for p in patterns {
                    match Pattern::new(&p.pattern, p.fold, self.limits) {
                        Ok(pattern) => regexes.push(pattern),
                        Err(why) => return self.problem(p.span, why),
                    }
                }
                Expr::Matches(self.boxed(value, place), regexes.into())
            }
            ExprKind::List(items) => {
                let items: Vec<Expr> = items.iter().map(|item| self.expr(item, place)).collect();
                let constant: Option<Vec<Value>> = items
                    .iter()
                    .map(|item| match item {
                        Expr::Const(v) => Some(v.clone()),
                        _ => None,
                    })
                    .collect();
                constant.map_or(Expr::List(items), |values| Expr::Const(Value::List(values.into())))
            }
            ExprKind::Lookup { table, key } => self.lookup(table, key, &[], place),
            ExprKind::Member(inner, path) => self.member(inner, path, place),
            ExprKind::Below(inner) => self.expr(inner, place),
            ExprKind::AnyElement { list, name, condition } => {
                let list = self.expr(list, place);
                self.elements.push(name.name.clone());
                let condition = self.expr(condition, place);
                self.elements.pop();
                Expr::Some(Box::new((list, condition)))
            }
            ExprKind::Regex(regex) => self.problem(regex.span, "a regular expression is no value"),
            ExprKind::Index(inner, at) => Expr::Index(self.boxed(inner, place), *at),
        }
    }

    /// How often an expression reads the whole event under test.
    pub fn whole_reads_in(&self, e: &Expr) -> usize {
        let Some(whole) = self.fields.find(&WHOLE_EVENT) else { return 0 };
        let mut reads = 0;
        e.walk(&mut |e| reads += usize::from(matches!(e, Expr::This(Attr::Field(field)) if *field == whole)));
        reads
    }

    fn attr(&mut self, parts: &[ast::Ident]) -> Attr {
        match parts {
            [one] if one.name == "@ts" => Attr::Ts,
            [one] if one.name == "@arrival" => {
                self.fields.touch_arrival();
                Attr::Arrival
            }
            [one] if one.name == "@seq" => {
                self.fields.touch_position();
                Attr::Seq
            }
            parts => Attr::Field(self.fields.intern(parts.iter().map(|p| p.name.clone()).collect())),
        }
    }

    fn path(&mut self, path: &ast::Path, place: Place) -> Expr {
        let (head, rest) = (&path.parts[0], &path.parts[1..]);
        if let Some(outer) = self.elements.iter().rev().position(|name| *name == head.name) {
            return Expr::Element(outer, rest.iter().map(|p| p.name.as_str().into()).collect());
        }
        if let Place::Element(step) = place
            && self.scope.steps.get(&head.name) == Some(&step)
            && !rest.is_empty()
        {
            return Expr::This(self.attr(rest));
        }
        if place != Place::Event && !rest.is_empty() {
            if head.name == "prev" && matches!(place, Place::Step(_)) && !self.scope.steps.contains_key("prev") {
                return Expr::Prev(self.attr(rest));
            }
            if let Some(step) = self.scope.steps.get(&head.name).copied() {
                return Expr::Bound(step, Which::Last, self.attr(rest));
            }
        }
        if rest.is_empty()
            && let Some(value) = self.declarations.lets.get(&head.name)
        {
            // A `let` means the same everywhere: names of elements around its use are not its own.
            let elements = std::mem::take(&mut self.elements);
            let value = self.expr(&value.clone(), place);
            self.elements = elements;
            return value;
        }
        if place == Place::Match {
            let parts: Vec<String> = path.parts.iter().map(|p| p.name.clone()).collect();
            let dotted = parts.join(".");
            if let Some(at) = self.scope.key.iter().position(|(name, _)| *name == dotted) {
                return Expr::Key(at);
            }
            if let Some(at) = self.scope.key.iter().position(|(_, field)| field.as_ref() == Some(&parts)) {
                return Expr::Key(at);
            }
            if parts.len() == 2
                && parts[0] == "key"
                && let Some(at) = self.scope.key.iter().position(|(name, _)| *name == parts[1])
            {
                return Expr::Key(at);
            }
            return self.problem(path.span, format!("`{dotted}` is neither a step's field nor part of the key"));
        }
        Expr::This(self.attr(&path.parts))
    }

    fn binary(&mut self, op: BinaryOp, a: &ast::Expr, b: &ast::Expr, place: Place) -> Expr {
        match op {
            BinaryOp::And => {
                let mut parts = self.expr(a, place).conjuncts();
                parts.extend(self.expr(b, place).conjuncts());
                Expr::And(parts)
            }
            BinaryOp::Or => {
                let mut parts = Vec::new();
                for side in [a, b] {
                    match self.expr(side, place) {
                        Expr::Or(more) => parts.extend(more),
                        other => parts.push(other),
                    }
                }
                Expr::Or(parts)
            }
            BinaryOp::Default => Expr::Default(self.boxed(a, place), self.boxed(b, place)),
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => {
                let e = Expr::Arith(op, self.boxed(a, place), self.boxed(b, place));
                fold_constant(&e).map_or(e, Expr::Const)
            }
            _ => {
                let fold = [a, b].iter().any(|e| matches!(&e.kind, ExprKind::Str(s) if s.fold));
                let (a, b) = (self.expr(a, place), self.expr(b, place));
                if fold {
                    Expr::Compare(op, Box::new(folded(a)), Box::new(folded(b)))
                } else {
                    Expr::Compare(op, Box::new(a), Box::new(b))
                }
            }
        }
    }

    fn membership(&mut self, value: &ast::Expr, set: &InSet, place: Place) -> Expr {
        match set {
            InSet::Table(table) => {
                let Some(id) = self.declarations.table_ids.get(&table.name).copied() else {
                    return self.problem(table.span, "no such table");
                };
                let key = match &value.kind {
                    ExprKind::List(items) => items.iter().map(|item| self.expr(item, place)).collect(),
                    _ => vec![self.expr(value, place)],
                };
                Expr::InTable(key, id)
            }
            InSet::List(items) => {
                let value = self.boxed(value, place);
                let mut constants = ConstSet::default();
                let mut open = false;
                let mut lowered = Vec::new();
                for item in items {
                    let fold = matches!(&item.kind, ExprKind::Str(s) if s.fold);
                    let item = self.expr(item, place);
                    match &item {
                        Expr::Const(Value::Str(text)) if fold => {
                            constants.folded.insert(fold_case(text).into());
                        }
                        Expr::Const(v) => {
                            let mut bytes = Vec::new();
                            if encode_scalar(v.as_ref(), &mut bytes) {
                                constants.exact.insert(bytes.into());
                            }
                        }
                        _ => open = true,
                    }
                    lowered.push(item);
                }
                if open { Expr::InList(value, lowered) } else { Expr::InSet(value, Arc::new(constants)) }
            }
        }
    }

    fn lookup(&mut self, table: &ast::Ident, key: &[ast::Expr], path: &[ast::Ident], place: Place) -> Expr {
        let Some(id) = self.declarations.table_ids.get(&table.name).copied() else {
            return self.problem(table.span, "no such table");
        };
        // `@zones[(lat, lon)]` is `@zones[lat, lon]`.
        let key = match key {
            [ast::Expr { kind: ExprKind::List(parts), .. }] => parts,
            parts => parts,
        };
        let key = key.iter().map(|k| self.expr(k, place)).collect();
        Expr::Lookup(Box::new(Lookup { table: id, key, path: path.iter().map(|p| p.name.as_str().into()).collect() }))
    }

    fn member(&mut self, inner: &ast::Expr, path: &[ast::Ident], place: Place) -> Expr {
        match &inner.kind {
            ExprKind::Lookup { table, key } => return self.lookup(table, key, path, place),
            ExprKind::Call(call) if call.name.name == "nth" => {
                if let [ast::Expr { kind: ExprKind::Path(step), .. }, ast::Expr { kind: ExprKind::Int(n), .. }] =
                    call.args.as_slice()
                    && let [step] = step.parts.as_slice()
                    && let Some(id) = self.scope.steps.get(&step.name).copied()
                    && let Some(n) = usize::try_from(*n).ok().and_then(|n| n.checked_sub(1))
                {
                    return Expr::Bound(id, Which::Nth(n), self.attr(path));
                }
            }
            ExprKind::Call(call) if call.name.name == "first" || call.name.name == "last" => {
                if let [ast::Expr { kind: ExprKind::Path(step), .. }] = call.args.as_slice()
                    && let [step] = step.parts.as_slice()
                    && let Some(id) = self.scope.steps.get(&step.name).copied()
                {
                    let which = if call.name.name == "first" { Which::First } else { Which::Last };
                    return Expr::Bound(id, which, self.attr(path));
                }
            }
            _ => {}
        }
        Expr::Member(self.boxed(inner, place), path.iter().map(|p| p.name.as_str().into()).collect())
    }

    /// The step that an aggregate or statistic is over: the first step name in its arguments.
    pub(super) fn step_in(&self, e: &ast::Expr) -> Option<StepId> {
        match &e.kind {
            ExprKind::Path(path) => self.scope.steps.get(&path.parts[0].name).copied(),
            ExprKind::Call(call) => call.args.iter().find_map(|a| self.step_in(a)),
            ExprKind::Not(a) | ExprKind::Neg(a) | ExprKind::Member(a, _) | ExprKind::Index(a, _) => self.step_in(a),
            ExprKind::Binary(_, a, b) => self.step_in(a).or_else(|| self.step_in(b)),
            ExprKind::In { value, .. } | ExprKind::Like { value, .. } | ExprKind::Matches { value, .. } => {
                self.step_in(value)
            }
            ExprKind::List(items) => items.iter().find_map(|a| self.step_in(a)),
            ExprKind::AnyElement { list, .. } => self.step_in(list),
            ExprKind::Lookup { key, .. } => key.iter().find_map(|a| self.step_in(a)),
            _ => None,
        }
    }

    fn call(&mut self, call: &ast::Call, span: Span, place: Place) -> Expr {
        let name = call.name.name.as_str();
        if let Some(stat) = self.statistic(call, place) {
            return stat;
        }
        if let Some(kind) = Aggregate::by_name(name)
            && let Some((steps, field)) = call.args.first().and_then(|a| self.aggregated(a))
        {
            return self.aggregate(kind, steps, field, call, span);
        }
        if name == "each"
            && place == Place::Event
            && let [list] = call.args.as_slice()
        {
            return Expr::Each(self.boxed(list, place));
        }
        let Some(function) = Function::by_name(name) else {
            return self.problem(span, format!("no function is called `{name}`"));
        };
        if function == Function::AnyValue {
            self.whole_reads += 1;
            return Expr::This(Attr::Field(self.fields.intern(WHOLE_EVENT.to_vec())));
        }
        if let (Function::Extract, [text, ast::Expr { kind: ExprKind::Regex(regex), .. }]) =
            (function, call.args.as_slice())
        {
            return match Pattern::new(&regex.pattern, regex.fold, self.limits) {
                Ok(pattern) => Expr::Extract(self.boxed(text, place), Arc::new(pattern)),
                Err(why) => self.problem(regex.span, why),
            };
        }
        if function == Function::Cidr {
            let mut nets = CidrSet::default();
            for arg in &call.args[1..] {
                match &arg.kind {
                    ExprKind::Str(s) if parse_network(&s.value).is_some() => {
                        if let Some((address, length)) = parse_network(&s.value) {
                            nets.insert(address, length, 0);
                        }
                    }
                    _ => return self.problem(arg.span, "this is not a network"),
                }
            }
            return Expr::InNets(self.boxed(&call.args[0], place), Arc::new(nets));
        }
        if matches!(function, Function::Contains | Function::StartsWith | Function::EndsWith)
            && let [value, texts] = call.args.as_slice()
            && let Some(found) = self.text_test(function, value, texts, place)
        {
            return found;
        }
        let args: Vec<Expr> = call.args.iter().map(|a| self.expr(a, place)).collect();
        let e = Expr::Call(function, args);
        fold_constant(&e).map_or(e, Expr::Const)
    }

    /// What an aggregate is over: `a`, `a.f`, `(a, b)` or `(a, b).f`.
    fn aggregated<'e>(&self, argument: &'e ast::Expr) -> Option<(Vec<StepId>, &'e [ast::Ident])> {
        let step = |name: &ast::Ident| self.scope.steps.get(&name.name).copied();
        let list = |items: &[ast::Expr]| -> Option<Vec<StepId>> {
            items
                .iter()
                .map(|item| match &item.kind {
                    ExprKind::Path(path) if path.parts.len() == 1 => step(&path.parts[0]),
                    _ => None,
                })
                .collect()
        };
        match &argument.kind {
            ExprKind::Path(path) => Some((vec![step(&path.parts[0])?], &path.parts[1..])),
            ExprKind::List(items) => Some((list(items)?, &[])),
            ExprKind::Member(inner, field) => match &inner.kind {
                ExprKind::List(items) => Some((list(items)?, field)),
                _ => None,
            },
            _ => None,
        }
    }

    fn aggregate(
        &mut self,
        kind: Aggregate,
        steps: Vec<StepId>,
        field: &[ast::Ident],
        call: &ast::Call,
        span: Span,
    ) -> Expr {
        let args = if field.is_empty() { Vec::new() } else { vec![Expr::This(self.attr(field))] };
        let filter = call.condition.as_ref().map(|c| self.expr(c, Place::Element(steps[0])));
        let percent = match (kind, call.args.get(1)) {
            (Aggregate::Percentile, Some(percent)) => match self.expr(percent, Place::Event) {
                Expr::Const(v) if v.as_ref().as_f64().is_some() => v.as_ref().as_f64().unwrap_or_default(),
                _ => return self.problem(span, "which percentile is not known"),
            },
            _ => 0.0,
        };
        Expr::Aggregate(Box::new(AggregateExpr { kind, steps, distinct: call.distinct, args, filter, percent }))
    }
}

fn folded(e: Expr) -> Expr {
    match e {
        Expr::Const(Value::Str(text)) => Expr::Const(Value::Str(fold_case(&text).into())),
        other => Expr::Fold(Box::new(other)),
    }
}

/// The value of an expression that reads nothing; `None` if it reads something or is missing.
pub fn fold_constant(e: &Expr) -> Option<Value> {
    let mut constant = true;
    e.walk(&mut |e| {
        constant &= matches!(
            e,
            Expr::Const(_) | Expr::Neg(_) | Expr::Arith(..) | Expr::Call(..) | Expr::List(_) | Expr::Default(..)
        );
    });
    if !constant {
        return None;
    }
    struct Nothing;
    impl super::event::EventView for Nothing {
        fn attr(&self, _: Attr) -> crate::base::ValueRef<'_> {
            crate::base::ValueRef::Missing
        }
    }
    let c = super::eval::unary(&Nothing, &[], &[]);
    match super::eval::eval(e, &c).into_value() {
        Value::Missing => None,
        value => Some(value),
    }
}
