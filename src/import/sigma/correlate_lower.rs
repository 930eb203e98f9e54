//! Correlations to patterns.
//!
//! What is counted, or must come in any order, is a sliding window over the classes of the rules: one alert for each
//! time the condition becomes true. What has an upper bound is known when the timespan is over: the window then opens
//! with an event while none is open. An order is a sequence, and what is denied is an absence with a deadline.
//! docs/sigma.md fixes all of it.

use std::collections::{BTreeMap, BTreeSet};

use super::correlate::{Place, References, Resolved};
use super::correlate_condition::{self as condition, Decided};
use super::link::{class_name, condition_name};
use super::lower;
use super::model::{Bound, CorrelationCondition, CorrelationKind, CorrelationRule, DetectionRule, Text};
use super::pipeline::Pipelines;
use super::tree::{binary, call, expr, field, ident};
use crate::diag::Diagnostic;
use crate::diag::codes::sigma_correlation as codes;
use crate::syntax::ast::{
    BinaryOp, Call, ClassRef, Clause, ClauseKind, Count, Element, Ends, Expr, ExprKind, Ident, KeyItem, MatchClause,
    Path, Quantifier, RuleDecl, Sequence, Step, Then,
};
use crate::syntax::source::Span;

/// What a correlation needs of a rule that it is about.
#[derive(Debug, Default)]
pub(super) struct Need {
    /// Its class of events.
    pub(super) class: bool,
    /// Its condition by name.
    pub(super) condition: bool,
    /// Its alerts.
    pub(super) alerts: bool,
    /// Values of its alerts.
    pub(super) fields: Vec<(String, Expr)>,
}

/// A rule that a correlation is about.
pub(super) struct Target<'a> {
    pub(super) place: Place,
    /// The rule's name.
    pub(super) name: &'a Ident,
    /// What the correlation calls it.
    pub(super) label: &'a Text,
    pub(super) kind: TargetKind<'a>,
}

/// Which kind of rule.
pub(super) enum TargetKind<'a> {
    /// As it was before its pipelines.
    Detection(&'a DetectionRule),
    Correlation(&'a CorrelationRule),
    /// It is not there.
    Gone,
}

/// What correlations share.
pub(super) struct Context<'a> {
    pub(super) references: &'a References,
    pub(super) pipelines: &'a Pipelines,
    pub(super) needs: &'a mut BTreeMap<Place, Need>,
}

/// What events of the window are called.
pub(super) const MATCHED: &str = "matched";

pub(super) struct Lowering<'a, 'c> {
    pub(super) rule: &'a CorrelationRule,
    pub(super) targets: &'a [Target<'a>],
    pub(super) context: &'a mut Context<'c>,
    pub(super) problems: &'a mut Vec<Diagnostic>,
    /// The events are alerts of the rules.
    pub(super) alerts: bool,
    pub(super) span: Span,
}

/// A correlation as a rule. None if it cannot be built, which is reported.
pub(super) fn correlation(
    resolved: &Resolved,
    targets: &[Target<'_>],
    name: Ident,
    context: &mut Context<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<RuleDecl> {
    let rule = &resolved.rule;
    let span = rule.kind_span;
    let above = targets.iter().any(|target| !matches!(target.kind, TargetKind::Detection(_)));
    let metric = matches!(
        rule.kind,
        CorrelationKind::ValueSum
            | CorrelationKind::ValueAvg
            | CorrelationKind::ValuePercentile
            | CorrelationKind::ValueMedian
    );
    let mut lowering = Lowering { rule, targets, context, problems, alerts: above || metric, span };
    let (by, clauses) = match rule.kind {
        CorrelationKind::EventCount => lowering.event_count()?,
        CorrelationKind::ValueCount => lowering.value_count()?,
        CorrelationKind::Temporal => lowering.temporal(resolved)?,
        CorrelationKind::TemporalOrdered => lowering.ordered()?,
        _ => lowering.metric()?,
    };
    lowering.note_needs();
    let mut all = lower::clauses(&rule.head);
    if !by.is_empty() {
        all.push(Clause { kind: ClauseKind::By(by), span });
    }
    all.extend(clauses);
    let title = rule.head.title.as_ref().map(|title| super::tree::literal(title.value.trim_end(), false, title.span));
    Some(RuleDecl { name, title, clauses: all, span: rule.head.span })
}

pub(super) type Parts = (Vec<KeyItem>, Vec<Clause>);

impl Lowering<'_, '_> {
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let report = Diagnostic::error(codes::CORRELATION, message, span, "");
        self.problems.push(report.note("the correlation is refused").help(help));
    }

    /// The bounds, with what stands beside them.
    pub(super) fn bounds(&mut self) -> Option<(Vec<Bound>, Vec<Text>, Option<(f64, Span)>, Span)> {
        match &self.rule.condition {
            Some(CorrelationCondition::Bounds { bounds, field, percentile, span }) => {
                let found = (bounds.clone(), field.clone(), *percentile, *span);
                if let Some((_, span)) = percentile
                    && self.rule.kind != CorrelationKind::ValuePercentile
                {
                    self.error(*span, "`percentile` belongs to `value_percentile`", "change the type, or delete it");
                    return None;
                }
                Some(found)
            }
            Some(CorrelationCondition::Expression(text)) => {
                let help = "write `condition: {gte: 10}`";
                self.error(text.span, "a number is needed here, not names of rules", help);
                None
            }
            None => {
                self.error(self.span, "the correlation has no `condition`", "add `condition: {gte: 10}`");
                None
            }
        }
    }

    /// Refuses `field` where nothing reads it.
    pub(super) fn no_field(&mut self, fields: &[Text]) -> Option<()> {
        let Some(field) = fields.first() else { return Some(()) };
        let help = "use `value_count` to count different values, or delete `field`";
        self.error(field.span, "`field` has no meaning here: events are counted", help);
        None
    }

    /// Refuses bounds that no number of at least one fulfils.
    pub(super) fn possible(&mut self, bounds: &[Bound], span: Span) -> Option<()> {
        if condition::can_hold(bounds) {
            return Some(());
        }
        let help = "a window begins with an event, so there is at least one; what does not come at all is `not rule` in a `temporal` condition";
        self.error(span, "no number of events is in these bounds", help);
        None
    }

    // What the events are.

    pub(super) fn classes(&self) -> Vec<ClassRef> {
        let mut seen = BTreeSet::new();
        let fresh = self.targets.iter().filter(|target| seen.insert(target.place));
        fresh.map(|target| self.class(target)).collect()
    }

    pub(super) fn class(&self, target: &Target<'_>) -> ClassRef {
        let name = if self.alerts { format!("alert.{}", target.name.name) } else { class_name(&target.name.name) };
        ClassRef { name, span: target.label.span }
    }

    /// Whether an event is of a target, as a condition over it.
    pub(super) fn is_of(&mut self, at: usize) -> Expr {
        let target = &self.targets[at];
        let span = target.label.span;
        if self.alerts {
            let rule = expr(ExprKind::Path(Path { parts: vec![ident("rule", span)], span }), span);
            return binary(BinaryOp::Eq, rule, super::tree::string(target.name.name.clone(), false, span), span);
        }
        self.context.needs.entry(target.place).or_default().condition = true;
        let name = ident(condition_name(&target.name.name), span);
        expr(ExprKind::Path(Path { parts: vec![name], span }), span)
    }

    pub(super) fn note_needs(&mut self) {
        for target in self.targets {
            let need = self.context.needs.entry(target.place).or_default();
            if self.alerts {
                need.alerts = true;
            } else {
                need.class = true;
            }
        }
    }

    // Fields.

    /// What a field of the correlation is called in a target: as an alias says, or the same.
    pub(super) fn field_of(&mut self, at: usize, name: &Text) -> Option<Text> {
        let Some(alias) = self.rule.aliases.iter().find(|alias| alias.name.value == name.value) else {
            return Some(name.clone());
        };
        let target = &self.targets[at];
        let of = |rule: &Text| {
            rule.value == target.label.value || self.context.references.find(rule.as_str()) == Some(target.place)
        };
        let found = alias.fields.iter().find(|(rule, _)| of(rule)).map(|(_, field)| field.clone());
        if found.is_none() {
            let message = format!("the alias `{}` names no field of `{}`", name.as_str(), target.label.as_str());
            let help = format!("add `{}: field` to the alias", target.label.as_str());
            self.error(alias.name.span, message, help);
        }
        found
    }

    /// A field of the events of a target: a path, or several of which the first that is there counts.
    pub(super) fn value_of(&mut self, at: usize, name: &Text) -> Option<Expr> {
        let name = self.field_of(at, name)?;
        let paths = match &self.targets[at].kind {
            TargetKind::Detection(rule) => self.context.pipelines.renamed(rule, &name),
            TargetKind::Correlation(below) => {
                if !below.group_by.iter().any(|known| known.value == name.value) {
                    let label = self.targets[at].label.as_str();
                    let message = format!("the correlation `{label}` has no field `{}`", name.as_str());
                    let help = "what a correlation finds has the fields of its own `group-by`: add the field there";
                    self.error(name.span, message, help);
                    return None;
                }
                vec![name.value.clone()]
            }
            TargetKind::Gone => return None,
        };
        let mut value: Option<Expr> = None;
        for path in paths.into_iter().rev() {
            let path = Text { value: path, span: name.span };
            let Some(path) = field(&path) else {
                self.error(name.span, format!("`{}` cannot be a field", name.as_str()), "write the field's name");
                return None;
            };
            value = Some(match value {
                Some(rest) => binary(BinaryOp::Default, path, rest, name.span),
                None => path,
            });
        }
        value
    }

    /// A field of the correlation as an expression for each target. With alerts it is a value of theirs, under one name.
    pub(super) fn values(&mut self, name: &Text, number: bool) -> Option<Vec<Expr>> {
        let own: Vec<Expr> = (0..self.targets.len()).map(|at| self.value_of(at, name)).collect::<Option<_>>()?;
        if !self.alerts {
            return Some(own);
        }
        let targets = self.targets;
        let wanted: Vec<Expr> = targets
            .iter()
            .zip(own)
            .map(|(target, value)| match target.kind {
                TargetKind::Detection(_) => {
                    let value = within(value, MATCHED);
                    let span = value.span;
                    if number { call("number", vec![value], span) } else { value }
                }
                _ => value,
            })
            .collect();
        let mut unique = name.value.clone();
        let mut count = 1;
        while targets.iter().zip(&wanted).any(|(target, value)| {
            let known = self.context.needs.get(&target.place).map_or(&[][..], |need| &need.fields);
            known.iter().any(|(name, other)| *name == unique && !same(other, value))
                || matches!(unique.as_str(), "key" | "severity" | "rule")
        }) {
            count += 1;
            unique = format!("{}_{count}", name.value);
        }
        for (target, value) in targets.iter().zip(wanted) {
            let fields = &mut self.context.needs.entry(target.place).or_default().fields;
            if !fields.iter().any(|(name, _)| *name == unique) {
                fields.push((unique.clone(), value));
            }
        }
        let path = field(&Text { value: unique, span: name.span })?;
        Some(vec![path; targets.len()])
    }

    /// One expression for all targets: theirs if it is the same, or chosen by which of them the event is of.
    pub(super) fn one_value(&mut self, values: &[Expr]) -> Option<Expr> {
        let (last, others) = values.split_last()?;
        if others.iter().all(|value| same(value, last)) {
            return Some(last.clone());
        }
        let mut value = last.clone();
        for (at, other) in others.iter().enumerate().rev() {
            let span = other.span;
            value = call("if", vec![self.is_of(at), other.clone(), value], span);
        }
        Some(value)
    }

    /// The key of a window over all targets.
    pub(super) fn key(&mut self) -> Option<Vec<KeyItem>> {
        let mut items = Vec::new();
        for name in &self.rule.group_by {
            let values = self.values(name, false)?;
            items.push(key_item(name, self.one_value(&values)?));
        }
        Some(items)
    }

    /// The key of each target, and whether they are all the same.
    pub(super) fn keys(&mut self) -> Option<(Vec<Vec<KeyItem>>, bool)> {
        let mut keys: Vec<Vec<KeyItem>> = vec![Vec::new(); self.targets.len()];
        let mut all_same = true;
        for name in &self.rule.group_by {
            let values = self.values(name, false)?;
            all_same &= values.windows(2).all(|pair| same(&pair[0], &pair[1]));
            for (key, value) in keys.iter_mut().zip(values) {
                key.push(key_item(name, value));
            }
        }
        Some((keys, all_same))
    }

    // Patterns.

    pub(super) fn timespan(&self) -> Expr {
        expr(ExprKind::Duration(self.rule.timespan.nanos), self.rule.timespan.span)
    }

    pub(super) fn quantifier(&self, count: Count, distinct: Vec<Expr>) -> Quantifier {
        Quantifier { consecutive: false, count, distinct, span: self.span }
    }

    pub(super) fn step(&self, name: Option<Ident>, classes: Vec<ClassRef>) -> Step {
        Step {
            name,
            quantifier: None,
            classes,
            condition: None,
            by: Vec::new(),
            guards: Vec::new(),
            until: None,
            ends: None,
            span: self.span,
        }
    }

    pub(super) fn matching(&self, body: Sequence, within: Option<Expr>) -> Clause {
        let clause = MatchClause { body, within, events: None, span: self.span };
        Clause { kind: ClauseKind::Match(clause), span: self.span }
    }

    pub(super) fn having(&self, condition: Expr) -> Clause {
        Clause { kind: ClauseKind::Having { condition, lasting: None }, span: self.span }
    }

    pub(super) fn window(&self, quantifier: Quantifier) -> Step {
        let mut step = self.step(Some(ident(MATCHED, self.span)), self.classes());
        step.quantifier = Some(quantifier);
        step
    }

    pub(super) fn sequence(&self, first: Element, rest: Vec<(Then, Element)>) -> Sequence {
        Sequence { first: Box::new(first), rest, span: self.span }
    }

    /// `at least N of …` in a window that slides.
    pub(super) fn sliding(&self, quantifier: Quantifier, condition: Option<Expr>) -> Vec<Clause> {
        let body = self.sequence(Element::Step(self.window(quantifier)), Vec::new());
        let mut clauses = vec![self.matching(body, Some(self.timespan()))];
        clauses.extend(condition.map(|condition| self.having(condition)));
        clauses
    }

    /// A window that opens with an event and is looked at when the timespan is over.
    pub(super) fn closing(&self, filter: Option<Expr>, condition: Expr) -> Vec<Clause> {
        let mut step = self.window(self.quantifier(Count::OneOrMore, Vec::new()));
        step.condition = filter;
        step.ends = Some(Ends { silent: false, length: self.timespan(), span: self.rule.timespan.span });
        let body = self.sequence(Element::Step(step), Vec::new());
        vec![self.matching(body, None), self.having(condition)]
    }

    pub(super) fn event_count(&mut self) -> Option<Parts> {
        let (bounds, fields, _, span) = self.bounds()?;
        self.no_field(&fields)?;
        self.possible(&bounds, span)?;
        let by = self.key()?;
        let clauses = match condition::decided(&bounds) {
            Decided::AtEvents => {
                self.sliding(self.quantifier(Count::AtLeast(condition::least(&bounds)), Vec::new()), None)
            }
            Decided::AtTheEnd => {
                let count = aggregate("count", false, path(&[], self.span), None, self.span);
                self.closing(None, condition::compared(&count, &bounds)?)
            }
        };
        Some((by, clauses))
    }

    pub(super) fn value_count(&mut self) -> Option<Parts> {
        let (bounds, fields, _, span) = self.bounds()?;
        if fields.is_empty() {
            self.error(
                span,
                "`value_count` needs `field`: whose values are counted?",
                "add `field: user` to the condition",
            );
            return None;
        }
        self.possible(&bounds, span)?;
        if condition::decided(&bounds) == Decided::AtEvents {
            let by = self.key()?;
            let mut distinct = Vec::new();
            for name in &fields {
                let values = self.values(name, false)?;
                distinct.push(self.one_value(&values)?);
            }
            let quantifier = self.quantifier(Count::AtLeast(condition::least(&bounds)), distinct);
            return Some((by, self.sliding(quantifier, None)));
        }
        let [name] = fields.as_slice() else {
            let help = "give a lower bound alone, or count one field";
            self.error(span, "several fields are counted with a lower bound only", help);
            return None;
        };
        // An aggregate reads a field as it is: where it has several names the alerts give it one.
        let own: Option<Vec<Expr>> = (0..self.targets.len()).map(|at| self.value_of(at, name)).collect();
        let own = own?;
        let plain = own.windows(2).all(|pair| same(&pair[0], &pair[1]))
            && own.iter().all(|value| matches!(value.kind, ExprKind::Path(_)));
        self.alerts |= !plain;
        let by = self.key()?;
        let values = self.values(name, false)?;
        let value = self.one_value(&values)?;
        let count = aggregate("count", true, within(value.clone(), MATCHED), None, name.span);
        let there = call("exists", vec![value], name.span);
        Some((by, self.closing(Some(there), condition::compared(&count, &bounds)?)))
    }

    pub(super) fn metric(&mut self) -> Option<Parts> {
        let (bounds, fields, percentile, span) = self.bounds()?;
        let [name] = fields.as_slice() else {
            let help = "add `field: bytes` to the condition";
            self.error(span, "one `field` is needed, whose numbers are taken", help);
            return None;
        };
        let by = self.key()?;
        let values = self.values(name, true)?;
        let value = within(self.one_value(&values)?, MATCHED);
        let word = match self.rule.kind {
            CorrelationKind::ValueSum => "sum",
            CorrelationKind::ValueAvg => "avg",
            CorrelationKind::ValueMedian => "median",
            _ => "percentile",
        };
        let extra = match (self.rule.kind, percentile) {
            (CorrelationKind::ValuePercentile, Some((value, span))) => Some(expr(whole_or_not(value), span)),
            (CorrelationKind::ValuePercentile, None) => {
                let help = "add `percentile: 95`: the bounds compare the value below which 95 % of the values lie";
                self.error(span, "`value_percentile` does not say which percentile", help);
                return None;
            }
            _ => None,
        };
        let value = aggregate(word, false, value, extra, name.span);
        let condition = condition::compared(&value, &bounds)?;
        // A sum grows; a mean may fall as well as rise, and is looked at with every event.
        let at_the_end =
            self.rule.kind == CorrelationKind::ValueSum && condition::decided(&bounds) == Decided::AtTheEnd;
        let clauses = if at_the_end {
            self.closing(None, condition)
        } else {
            self.sliding(self.quantifier(Count::OneOrMore, Vec::new()), Some(condition))
        };
        Some((by, clauses))
    }
}

pub(super) fn key_item(name: &Text, value: Expr) -> KeyItem {
    let span = name.span;
    let item = KeyItem { name: None, value, optional: false, span };
    if item.component_name().as_deref() == Some(name.as_str()) {
        return item;
    }
    KeyItem { name: Some(ident(name.value.clone(), span)), ..item }
}

/// `name(matched.field, extra)`, or `count(matched)` for a path without parts.
pub(super) fn aggregate(name: &str, distinct: bool, value: Expr, extra: Option<Expr>, span: Span) -> Expr {
    let mut args = vec![value];
    args.extend(extra);
    let call = Call { name: ident(name, span), distinct, args, events: None, condition: None, by: Vec::new() };
    expr(ExprKind::Call(call), span)
}

/// `matched` with parts behind it.
pub(super) fn path(parts: &[Ident], span: Span) -> Expr {
    let parts = std::iter::once(ident(MATCHED, span)).chain(parts.iter().cloned()).collect();
    expr(ExprKind::Path(Path { parts, span }), span)
}

/// Every field of an expression as one of a step.
pub(super) fn within(mut value: Expr, step: &str) -> Expr {
    match &mut value.kind {
        ExprKind::Path(path) => path.parts.insert(0, ident(step, path.span)),
        ExprKind::Binary(_, left, right) => {
            **left = within((**left).clone(), step);
            **right = within((**right).clone(), step);
        }
        _ => {}
    }
    value
}

pub(super) fn first_parts(value: &Expr, found: &mut BTreeSet<String>) {
    match &value.kind {
        ExprKind::Path(path) => drop(found.insert(path.parts[0].name.clone())),
        ExprKind::Binary(_, left, right) => {
            first_parts(left, found);
            first_parts(right, found);
        }
        _ => {}
    }
}

/// Whether two expressions read the same, wherever they stand.
pub(super) fn same(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Path(a), ExprKind::Path(b)) => {
            a.parts.iter().map(|part| &part.name).eq(b.parts.iter().map(|part| &part.name))
        }
        (ExprKind::Binary(op, left, right), ExprKind::Binary(other, l, r)) => {
            op == other && same(left, l) && same(right, r)
        }
        (ExprKind::Call(a), ExprKind::Call(b)) => {
            a.name.name == b.name.name
                && a.args.len() == b.args.len()
                && a.args.iter().zip(&b.args).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a percentile lies from 0 to 100")]
pub(super) fn whole_or_not(value: f64) -> ExprKind {
    if value.fract() == 0.0 { ExprKind::Int(value as i128) } else { ExprKind::Float(value) }
}
