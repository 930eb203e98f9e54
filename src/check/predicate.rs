//! Conditions against each other: contradictions inside one, steps that can never bind, members of `any`
//! that cannot be told apart.

use std::collections::BTreeMap;

use crate::base::Value;
use crate::check::Checker;
use crate::check::fold::{fold, fold_duration};
use crate::check::model::{Model, NodeKind, conjuncts, path_text};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{BinaryOp, ClassRef, Expr, ExprKind, Guard, InSet, Step, StepGuardKind};
use crate::syntax::source::Span;

/// What the conjuncts of a condition say of one field.
#[derive(Default)]
struct Facts {
    /// `== v`
    equal: Vec<(Value, Span)>,
    /// `> v`, `>= v` (closed)
    above: Vec<(Value, bool, Span)>,
    /// `< v`, `<= v` (closed)
    below: Vec<(Value, bool, Span)>,
}

impl<'a> Checker<'a> {
    /// The conditions that an event of a step meets: that of its class, if it has one class, and its own.
    pub(crate) fn conditions_of(&self, classes: &[ClassRef], own: Option<&'a Expr>) -> Vec<&'a Expr> {
        let class = match classes {
            [class] => self.names.classes.get(class.name.as_str()).map(|d| &d.condition),
            _ => None,
        };
        class.into_iter().chain(own).collect()
    }

    /// Warns about two conjuncts over one field that no single value meets.
    pub(crate) fn contradictions(&mut self, conditions: &[&Expr]) {
        let mut fields: BTreeMap<String, Facts> = BTreeMap::new();
        for conjunct in conditions.iter().flat_map(|c| conjuncts(c)) {
            let ExprKind::Binary(op, a, b) = &conjunct.kind else { continue };
            let (path, value, op) = match (&a.kind, &b.kind) {
                (ExprKind::Path(path), _) => (path, fold(b, &self.names), *op),
                (_, ExprKind::Path(path)) => (path, fold(a, &self.names), op.mirrored()),
                _ => continue,
            };
            let Some(value) = value else { continue };
            let facts = fields.entry(path_text(path)).or_default();
            let span = conjunct.span;
            match op {
                BinaryOp::Eq => facts.equal.push((value, span)),
                BinaryOp::Gt => facts.above.push((value, false, span)),
                BinaryOp::Ge => facts.above.push((value, true, span)),
                BinaryOp::Lt => facts.below.push((value, false, span)),
                BinaryOp::Le => facts.below.push((value, true, span)),
                _ => {}
            }
        }
        for (field, facts) in fields {
            let Some((a, b)) = facts.contradiction() else { continue };
            self.out.push(
                Diagnostic::warning(
                    codes::CONTRADICTION,
                    format!("no single value of `{field}` meets both conditions"),
                    b,
                    "excluded by the other condition",
                )
                .label(a, "the other condition")
                .note("only an array field could meet both, each by an element of its own; otherwise nothing passes")
                .help("did you mean `or`? For one of several values write `in (…)`"),
            );
        }
    }

    /// Steps that their own guards exclude.
    pub(crate) fn unreachable(&mut self, model: &Model<'a>) {
        for info in &model.steps {
            self.until_is_step(info.step);
            self.opposite_guards(info.step);
        }
    }

    /// `at least 3 of A until A`: each A ends the repetition before it is counted.
    fn until_is_step(&mut self, step: &Step) {
        let Some(until) = &step.until else { return };
        let same_class = step.classes.iter().all(|c| until.classes.iter().any(|u| u.name == c.name));
        let covers = until.condition.is_none()
            || until.condition.as_ref().map(|c| self.words(c.span))
                == step.condition.as_ref().map(|c| self.words(c.span));
        if same_class && covers && until.by.is_empty() {
            self.out.push(
                Diagnostic::error(
                    codes::NEVER_BINDS,
                    "this step can never bind an event: each one ends the repetition",
                    until.span,
                    "every event of the step is one of these",
                )
                .label(step.span, "the step")
                .note("an event that qualifies for the step and for `until` ends the repetition, and is not bound")
                .help("give `until` a condition that the step's events do not meet"),
            );
        }
    }

    /// `if X in last 5m unless X in last 10m`.
    fn opposite_guards(&mut self, step: &Step) {
        for (wanted, a) in of_kind(step, StepGuardKind::If) {
            for (unwanted, b) in of_kind(step, StepGuardKind::Unless) {
                let [wanted_event] = wanted else { continue };
                let Some(same) = unwanted.iter().find(|u| self.covers(u, wanted_event)) else { continue };
                let reach = |e: Option<&Expr>| e.and_then(|e| fold_duration(e, &self.names));
                if reach(a) > reach(b) || reach(a).is_none() {
                    continue;
                }
                self.out.push(
                    Diagnostic::error(
                        codes::NEVER_BINDS,
                        "this step can never bind an event: its guards exclude each other",
                        same.span,
                        "must not have happened",
                    )
                    .label(wanted_event.span, "must have happened")
                    .help("delete one of the guards, or give `unless` the shorter time"),
                );
            }
        }
    }

    /// Whether every event of `narrow` is one of `wide`, as far as the text shows it.
    fn covers(&self, wide: &Guard, narrow: &Guard) -> bool {
        narrow.classes.iter().all(|c| wide.classes.iter().any(|w| w.name == c.name))
            && wide.by.is_empty()
            && (wide.condition.is_none()
                || wide.condition.as_ref().map(|c| self.words(c.span))
                    == narrow.condition.as_ref().map(|c| self.words(c.span)))
    }

    /// Members of `any` where the earlier takes every event of the later.
    pub(crate) fn ambiguous_any(&mut self, model: &Model<'a>) {
        for node in &model.nodes {
            let NodeKind::Any(_, members) = &node.kind else { continue };
            let steps: Vec<&Step> = members.iter().map(|i| model.steps[*i].step).collect();
            for (i, later) in steps.iter().enumerate() {
                let taker = steps[..i].iter().find(|earlier| {
                    let classes = later.classes.iter().all(|c| earlier.classes.iter().any(|e| e.name == c.name));
                    let condition = earlier.condition.is_none()
                        || earlier.condition.as_ref().map(|c| self.words(c.span))
                            == later.condition.as_ref().map(|c| self.words(c.span));
                    classes && condition && earlier.guards.is_empty() && earlier.by.is_empty()
                });
                let Some(taker) = taker else { continue };
                self.out.push(
                    Diagnostic::warning(
                        codes::AMBIGUOUS_ANY,
                        "this member of `any` is never bound: an earlier one takes all its events",
                        later.span,
                        "never bound",
                    )
                    .label(taker.span, "takes every such event first")
                    .help(
                        "give the earlier member a `where` that leaves these events, or put the narrower member first",
                    ),
                );
            }
        }
    }

    /// The text of a span with white space evened out, to compare conditions.
    fn words(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn of_kind(step: &Step, kind: StepGuardKind) -> impl Iterator<Item = (&[Guard], Option<&Expr>)> {
    step.guards.iter().filter(move |g| g.kind == kind).map(|g| (g.events.as_slice(), g.last.as_ref()))
}

impl Facts {
    fn contradiction(&self) -> Option<(Span, Span)> {
        for (i, (a, first)) in self.equal.iter().enumerate() {
            for (b, second) in &self.equal[i + 1..] {
                if a.as_ref().equals(b.as_ref()) == Some(false) {
                    return Some((*first, *second));
                }
            }
            let out_of = |bound: &Value, closed: bool, wrong: std::cmp::Ordering| {
                a.as_ref().compare(bound.as_ref()).is_some_and(|o| o == wrong || (!closed && o.is_eq()))
            };
            for (bound, closed, span) in &self.above {
                if out_of(bound, *closed, std::cmp::Ordering::Less) {
                    return Some(ordered(*first, *span));
                }
            }
            for (bound, closed, span) in &self.below {
                if out_of(bound, *closed, std::cmp::Ordering::Greater) {
                    return Some(ordered(*first, *span));
                }
            }
        }
        for (low, low_closed, first) in &self.above {
            for (high, high_closed, second) in &self.below {
                let order = low.as_ref().compare(high.as_ref());
                if order.is_some_and(|o| o.is_gt() || (o.is_eq() && !(*low_closed && *high_closed))) {
                    return Some(ordered(*first, *second));
                }
            }
        }
        None
    }
}

fn ordered(a: Span, b: Span) -> (Span, Span) {
    if (a.source, a.start) <= (b.source, b.start) { (a, b) } else { (b, a) }
}

/// The fields that an event must have for `expr` to be true, as far as conjuncts show it.
pub(crate) fn required_fields(expr: &Expr, found: &mut Vec<String>) {
    for conjunct in conjuncts(expr) {
        let operands: Vec<&Expr> = match &conjunct.kind {
            ExprKind::Path(_) => vec![conjunct],
            ExprKind::Binary(BinaryOp::Eq | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge, a, b) => {
                vec![a, b]
            }
            ExprKind::In { value, negated: false, set: InSet::List(_) | InSet::Table(_) }
            | ExprKind::Like { value, negated: false, .. }
            | ExprKind::Matches { value, .. } => vec![value],
            ExprKind::Call(call) => call.args.iter().collect(),
            _ => continue,
        };
        for operand in operands {
            if let ExprKind::Path(path) = &operand.kind {
                found.push(path_text(path));
            }
        }
    }
}
