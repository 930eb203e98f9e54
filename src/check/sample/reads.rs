//! Which fields of which classes a rule set reads, and how.

use crate::base::function::{Aggregate, Function, Kinds, SELECTORS};
use crate::check::clauses::alert_fields;
use crate::check::missing::skips;
use crate::check::model::{Component, Model, NodeKind, component};
use crate::check::names::Names;
use crate::check::predicate::required_fields;
use crate::check::walk;
use crate::syntax::ast::{
    AlertValue, BinaryOp, ClassRef, ClauseKind, Expr, ExprKind, Guard, Ident, InSet, Path, RuleDecl, TemplatePart,
};
use crate::syntax::source::Span;
use crate::syntax::statistic;

/// How a field is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Somewhere.
    Plain,
    /// Where only these kinds can do.
    Needs(Kinds),
    /// As a key component; events without it take no part.
    Key,
    /// As a key component with `?`, or in `exists` and before `??`: it may be missing.
    MayMiss,
}

/// One place that reads a field; an empty path is a class that is only named.
#[derive(Clone, Debug)]
pub(super) struct Read<'a> {
    /// Sorted class names; empty is every event.
    pub(super) classes: Vec<&'a str>,
    pub(super) path: Vec<String>,
    pub(super) span: Span,
    pub(super) how: Use,
    pub(super) rule: Option<&'a str>,
}

/// A negation that skips events of the classes without the field.
#[derive(Clone, Debug)]
pub(super) struct Negated<'a> {
    pub(super) classes: Vec<&'a str>,
    pub(super) path: Vec<String>,
    pub(super) span: Span,
}

/// Collects over all declarations.
pub(super) fn collect<'a>(names: &Names<'a>) -> (Vec<Read<'a>>, Vec<Negated<'a>>) {
    let mut collector = Collector { names, rule: None, reads: Vec::new(), negations: Vec::new() };
    for class in names.classes.values() {
        collector.expression(&class.condition, &At { classes: Vec::new(), model: None, own: None }, Use::Plain, 0);
    }
    for rule in &names.all_rules {
        collector.rule(rule);
    }
    (collector.reads, collector.negations)
}

/// Where an expression stands.
struct At<'m, 'a> {
    /// The classes of the current event; alerts are left out.
    classes: Vec<&'a str>,
    model: Option<&'m Model<'a>>,
    /// The step for `prev`.
    own: Option<usize>,
}

struct Collector<'n, 'a> {
    names: &'n Names<'a>,
    rule: Option<&'a str>,
    reads: Vec<Read<'a>>,
    negations: Vec<Negated<'a>>,
}

impl<'a> Collector<'_, 'a> {
    /// Sorted names of the classes that events of a sample can be of; `None` if there are none. Alerts and ticks of
    /// clocks are in no sample.
    fn plain_classes(&self, classes: &'a [ClassRef]) -> Option<Vec<&'a str>> {
        let plain =
            |name: &&str| *name != "alert" && !name.starts_with("alert.") && !self.names.clocks.contains_key(name);
        let mut names: Vec<&str> = classes.iter().map(|c| c.name.as_str()).filter(plain).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { None } else { Some(names) }
    }

    fn rule(&mut self, rule: &'a RuleDecl) {
        self.rule = Some(&rule.name.name);
        let model = Model::new(rule);
        for (index, info) in model.steps.iter().enumerate() {
            let step = info.step;
            let keys: Vec<&Component<'a>> = info.components.iter().collect();
            self.event(&step.classes, step.condition.as_ref(), &keys, &model, Some(index));
            if let (Some(quantifier), Some(classes)) = (&step.quantifier, self.plain_classes(&step.classes)) {
                let at = At { classes, model: Some(&model), own: Some(index) };
                quantifier.distinct.iter().for_each(|e| self.expression(e, &at, Use::Plain, 0));
            }
            for guard in step.guards.iter().flat_map(|g| &g.events).chain(&step.until) {
                self.guard(guard, &keys, &model);
            }
        }
        let key: Vec<&Component<'a>> = model.key().iter().collect();
        for (at, node) in model.nodes.iter().enumerate() {
            let before = model.steps.iter().rev().find(|s| s.node < at).map(|s| s.components.iter().collect());
            let keys: Vec<&Component<'a>> = before.unwrap_or_else(|| key.clone());
            match &node.kind {
                NodeKind::Absence(absence) => absence.events.iter().for_each(|g| self.guard(g, &keys, &model)),
                NodeKind::All(all, _) => all.without.iter().for_each(|g| self.guard(g, &keys, &model)),
                _ => {}
            }
        }
        let whole = At { classes: Vec::new(), model: Some(&model), own: None };
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::CancelOn(guards) => guards.iter().for_each(|g| self.guard(g, &key, &model)),
                ClauseKind::Having { condition: e, .. } | ClauseKind::Severity(e) | ClauseKind::Risk(e) => {
                    self.of_steps(e, &whole)
                }
                ClauseKind::Suppress { by, .. } => by.iter().for_each(|e| self.of_steps(e, &whole)),
                _ => {}
            }
        }
        for field in alert_fields(rule) {
            match &field.value {
                AlertValue::Expr(e) => self.of_steps(e, &whole),
                AlertValue::Template(parts, _) => {
                    for part in parts {
                        if let TemplatePart::Expr(e) = part {
                            self.of_steps(e, &whole);
                        }
                    }
                }
            }
        }
        self.rule = None;
    }

    fn guard(&mut self, guard: &'a Guard, keys: &[&Component<'a>], model: &Model<'a>) {
        if guard.by.is_empty() {
            self.event(&guard.classes, guard.condition.as_ref(), keys, model, None);
        } else {
            let own: Vec<Component<'a>> = guard.by.iter().map(component).collect();
            self.event(&guard.classes, guard.condition.as_ref(), &own.iter().collect::<Vec<_>>(), model, None);
        }
    }

    /// One step or guarded-against event: its classes, condition and key.
    fn event(
        &mut self,
        classes: &'a [ClassRef],
        condition: Option<&'a Expr>,
        keys: &[&Component<'a>],
        model: &Model<'a>,
        own: Option<usize>,
    ) {
        let Some(plain) = self.plain_classes(classes) else { return };
        let at = At { classes: plain, model: Some(model), own };
        let span = classes.first().map_or(model.rule.name.span, |c| c.span);
        self.push(&at.classes, Vec::new(), span, Use::Plain);
        for key in keys {
            let how = if key.item.optional { Use::MayMiss } else { Use::Key };
            self.expression(&key.item.value, &at, how, 0);
        }
        let Some(condition) = condition else { return };
        self.expression(condition, &at, Use::Plain, 0);
        let mut known: Vec<String> = keys.iter().filter(|c| !c.item.optional).filter_map(|c| c.field.clone()).collect();
        if let [class] = classes
            && let Some(decl) = self.names.classes.get(class.name.as_str())
        {
            required_fields(&decl.condition, &mut known);
        }
        for skip in skips(&[condition], &known, self.names, &|name| model.is_name(name)) {
            self.negations.push(Negated {
                classes: at.classes.clone(),
                path: skip.path.parts.iter().map(|p| p.name.clone()).collect(),
                span: skip.conjunct.span,
            });
        }
    }

    fn push(&mut self, classes: &[&'a str], path: Vec<String>, span: Span, how: Use) {
        self.reads.push(Read { classes: classes.to_vec(), path, span, how, rule: self.rule });
    }

    /// An expression over the match: only fields of steps are read.
    fn of_steps(&mut self, expr: &'a Expr, at: &At<'_, 'a>) {
        self.expression(expr, at, Use::Plain, 0);
    }

    fn path(&mut self, path: &'a Path, at: &At<'_, 'a>, how: Use, depth: usize) {
        let head = path.parts[0].name.as_str();
        let whole_match = at.model.is_some() && at.classes.is_empty();
        if path.parts.len() > 1 {
            if let Some(step) = at.model.and_then(|m| m.step_named(head)) {
                return self.step_field(step, &path.parts[1..], path.span, at, how);
            }
            if let Some(found) = at.model.and_then(|m| m.found_named(head)) {
                let classes = found.guard.events.first().and_then(|e| self.plain_classes(&e.classes));
                return self.fields_of(classes, &path.parts[1..], path.span, how);
            }
            if let Some(absent) = at.model.and_then(|m| m.absent_named(head)) {
                return self.fields_of(self.plain_classes(&absent.guard.classes), &path.parts[1..], path.span, how);
            }
            if head == "prev" {
                if let Some(own) = at.own {
                    self.step_field(own, &path.parts[1..], path.span, at, Use::MayMiss);
                }
                return;
            }
        } else if let Some(decl) = self.names.lets.get(head).filter(|_| depth < 32) {
            return self.expression(&decl.value, at, how, depth + 1);
        }
        if whole_match || head.starts_with('@') {
            return;
        }
        let parts = path.parts.iter().map(|p| p.name.clone()).collect();
        self.push(&at.classes, parts, path.span, how);
    }

    fn step_field(&mut self, step: usize, fields: &'a [Ident], span: Span, at: &At<'_, 'a>, how: Use) {
        let Some(model) = at.model else { return };
        self.fields_of(self.plain_classes(&model.steps[step].step.classes), fields, span, how);
    }

    fn fields_of(&mut self, classes: Option<Vec<&'a str>>, fields: &'a [Ident], span: Span, how: Use) {
        let Some(classes) = classes else { return };
        if fields.first().is_none_or(|f| f.name.starts_with('@')) {
            return;
        }
        self.push(&classes, fields.iter().map(|p| p.name.clone()).collect(), span, how);
    }

    fn expression(&mut self, expr: &'a Expr, at: &At<'_, 'a>, how: Use, depth: usize) {
        let needs = Use::Needs;
        match &expr.kind {
            ExprKind::Path(path) => self.path(path, at, how, depth),
            ExprKind::Str(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Duration(_) => {}
            ExprKind::Not(inner) => self.expression(inner, at, needs(Kinds::BOOL), depth),
            ExprKind::Neg(inner) => self.expression(inner, at, needs(Kinds::NUMBER), depth),
            ExprKind::Below(inner) => self.expression(inner, at, how, depth),
            ExprKind::Index(inner, _) => self.expression(inner, at, needs(Kinds::LIST), depth),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, at, depth),
            ExprKind::In { value, set, .. } => {
                let kinds = match set {
                    InSet::Table(_) => Use::Plain,
                    InSet::List(items) => {
                        let kinds = items.iter().fold(Kinds::NONE, |all, item| all.or(literal_kinds(item)));
                        items.iter().for_each(|item| self.expression(item, at, Use::Plain, depth));
                        needs(kinds)
                    }
                };
                self.expression(value, at, kinds, depth);
            }
            ExprKind::Like { value, .. } | ExprKind::Matches { value, .. } => {
                self.expression(value, at, needs(Kinds::STRING), depth);
            }
            ExprKind::List(items) => items.iter().for_each(|e| self.expression(e, at, how, depth)),
            ExprKind::Lookup { key, .. } => key.iter().for_each(|e| self.expression(e, at, Use::Plain, depth)),
            ExprKind::AnyElement { list, condition, .. } => {
                self.expression(list, at, Use::Plain, depth);
                // What the condition reads of the event; elements are not followed.
                let elements = walk::element_names(expr);
                walk::paths(condition, &mut |path| {
                    if !elements.contains(&path.parts[0].name.as_str()) {
                        self.path(path, at, Use::Plain, depth);
                    }
                });
            }
            ExprKind::Regex(_) => {}
            ExprKind::Member(base, fields) => {
                if let ExprKind::Call(call) = &base.kind
                    && SELECTORS.contains(&call.name.name.as_str())
                    && let [Expr { kind: ExprKind::Path(path), .. }, ..] = call.args.as_slice()
                    && let Some(step) = at.model.and_then(|m| m.step_named(&path.parts[0].name))
                {
                    return self.step_field(step, fields, expr.span, at, how);
                }
                self.expression(base, at, Use::Plain, depth);
            }
            ExprKind::Call(call) => {
                if let (Some(_), Some(Expr { kind: ExprKind::Member(inner, field), .. })) =
                    (Aggregate::by_name(&call.name.name), call.args.first())
                    && let (ExprKind::List(items), Some(model)) = (&inner.kind, at.model)
                {
                    for item in items {
                        if let ExprKind::Path(path) = &item.kind
                            && let Some(step) = model.step_named(&path.parts[0].name)
                        {
                            self.step_field(step, field, expr.span, at, Use::Plain);
                        }
                    }
                    return;
                }
                if let Some(step) = self.aggregated_step(call, at) {
                    if let ([Expr { kind: ExprKind::Path(path), .. }], true) = (call.args.as_slice(), step.1) {
                        self.step_field(step.0, &path.parts[1..], path.span, at, Use::Plain);
                    }
                    if let (Some(condition), Some(model)) = (&call.condition, at.model)
                        && let Some(classes) = self.plain_classes(&model.steps[step.0].step.classes)
                    {
                        let inner = At { classes, model: at.model, own: None };
                        self.expression(condition, &inner, Use::Plain, depth);
                    }
                    return;
                }
                if let Some(form) = statistic::form(call, |e| matches!(e.kind, ExprKind::Duration(_))) {
                    let condition = call.condition.as_deref();
                    for read in form.value.into_iter().chain(condition).chain(call.by.iter().map(|item| &item.value)) {
                        self.expression(read, at, Use::Plain, depth);
                    }
                    return;
                }
                let signature = Function::by_name(&call.name.name).map(|f| f.info());
                let signature = signature.and_then(|info| info.signature(call.args.len()));
                for (i, arg) in call.args.iter().enumerate() {
                    let kinds = signature.and_then(|s| s.param(i)).map(|p| p.kinds);
                    let inner = match (how, kinds) {
                        _ if call.name.name == "exists" => Use::MayMiss,
                        (Use::Key | Use::MayMiss, _) => how,
                        (_, Some(kinds)) if kinds != Kinds::ANY => needs(kinds),
                        _ => Use::Plain,
                    };
                    self.expression(arg, at, inner, depth);
                }
                if let Some(condition) = &call.condition {
                    self.expression(condition, at, Use::Plain, depth);
                }
            }
        }
    }

    /// The step that an aggregate is over, and whether a field of it is read.
    fn aggregated_step(&self, call: &crate::syntax::ast::Call, at: &At<'_, 'a>) -> Option<(usize, bool)> {
        Aggregate::by_name(&call.name.name)?;
        let Some(Expr { kind: ExprKind::Path(path), .. }) = call.args.first() else { return None };
        let step = at.model?.step_named(&path.parts[0].name)?;
        Some((step, path.parts.len() > 1))
    }

    fn binary(&mut self, op: BinaryOp, a: &'a Expr, b: &'a Expr, at: &At<'_, 'a>, depth: usize) {
        let (left, right) = match op {
            BinaryOp::And | BinaryOp::Or => (Use::Needs(Kinds::BOOL), Use::Needs(Kinds::BOOL)),
            BinaryOp::Default => (Use::MayMiss, Use::Plain),
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => {
                (Use::Needs(Kinds::NUMBER), Use::Needs(Kinds::NUMBER))
            }
            _ => {
                let of = |other: &Expr| {
                    let kinds = literal_kinds(other);
                    if kinds.is_empty() { Use::Plain } else { Use::Needs(kinds) }
                };
                (of(b), of(a))
            }
        };
        // A path as an operand of logic is a condition; anything else there has its own needs.
        let operand = |e: &Expr, how: Use| if matches!(e.kind, ExprKind::Path(_)) { how } else { Use::Plain };
        self.expression(a, at, operand(a, left), depth);
        self.expression(b, at, operand(b, right), depth);
    }
}

/// The kinds of a literal; none for anything that is read.
fn literal_kinds(expr: &Expr) -> Kinds {
    match &expr.kind {
        ExprKind::Str(_) => Kinds::STRING,
        ExprKind::Int(_) | ExprKind::Float(_) => Kinds::NUMBER,
        ExprKind::Neg(inner) => literal_kinds(inner),
        ExprKind::Bool(_) => Kinds::BOOL,
        _ => Kinds::NONE,
    }
}

/// A path as it is shown.
pub(super) fn show(path: &[String]) -> String {
    path.join(".")
}
