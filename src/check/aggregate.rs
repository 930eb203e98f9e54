//! Aggregates over the events that one or several steps bound, and `nth`, which takes one of them.

use crate::base::function::{Aggregate, Kinds};
use crate::check::Checker;
use crate::check::fold::fold;
use crate::check::scope::{Place, Scope, View};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Call, Count, Expr, ExprKind, Ident};
use crate::syntax::source::Span;

impl Checker<'_> {
    pub(crate) fn aggregate(&mut self, aggregate: Aggregate, call: &Call, span: Span, scope: &Scope<'_, '_>) -> Kinds {
        let name = aggregate.name();
        if matches!(scope.place, Place::Aggregate | Place::Statistic) {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_AGGREGATE,
                    format!("`{name}` cannot stand in {}", scope.place.name()),
                    span,
                    "aggregates do not nest",
                )
                .help("compare the two aggregates in `having`"),
            );
            return Kinds::ANY;
        }
        let usage = match aggregate {
            Aggregate::Count => "write `count(a)`, `count(a where a.f > 1)` or `count(distinct a.f)`".to_string(),
            Aggregate::Percentile => "write `percentile(a.f, 95)`".to_string(),
            _ => format!("write `{name}(a.f)`, or `{name}(a.f where a.g > 1)`"),
        };
        let argument = match (aggregate, call.args.as_slice()) {
            (Aggregate::Percentile, [argument, percent]) => {
                self.percent(percent);
                argument
            }
            (Aggregate::Percentile, _) => {
                self.out.push(
                    Diagnostic::error(
                        codes::WRONG_AGGREGATE,
                        "`percentile` takes a field of a step, and which percentile is meant",
                        span,
                        "not two arguments",
                    )
                    .help(usage),
                );
                return Kinds::ANY;
            }
            (_, [argument]) => argument,
            (_, arguments) => {
                let report = Diagnostic::error(
                    codes::WRONG_AGGREGATE,
                    format!("`{name}` is given {} arguments", arguments.len()),
                    span,
                    "an aggregate is over one step",
                );
                self.out.push(match (aggregate, arguments) {
                    (Aggregate::Min | Aggregate::Max, [a, b]) => {
                        let sign = if aggregate == Aggregate::Min { "<" } else { ">" };
                        let (a, b) = (self.sources.text(a.span), self.sources.text(b.span));
                        report
                            .help(format!("of two values: `if({a} {sign} {b}, {a}, {b})`; over a step: `{name}(a.f)`"))
                    }
                    (_, [_, _]) => {
                        report.help(format!("{usage}; over the past: `{name}(value, 1h)`, a constant duration"))
                    }
                    _ => report.help(usage),
                });
                return Kinds::ANY;
            }
        };
        let Some((heads, field)) = over(argument) else {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_AGGREGATE,
                    format!("`{name}` is over a field of a step, not over an expression"),
                    argument.span,
                    "not `step.field`",
                )
                .help(format!("{usage}; over several steps: `{name}((a, b).f)`")),
            );
            return Kinds::ANY;
        };
        let mut steps = Vec::new();
        for head in &heads {
            let Some(step) = scope.step_named(&head.name) else {
                self.unknown_step(head, scope, name);
                return Kinds::ANY;
            };
            if !self.step_is_readable(step, head, scope) {
                return Kinds::ANY;
            }
            if steps.contains(&step) {
                self.out.push(
                    Diagnostic::error(
                        codes::WRONG_AGGREGATE,
                        format!("`{}` is named twice", head.name),
                        head.span,
                        "its events would count twice",
                    )
                    .help("name each step once"),
                );
                return Kinds::ANY;
            }
            steps.push(step);
        }
        let over_text = if heads.len() == 1 { heads[0].name.clone() } else { list_text(&heads) };
        if !self.aggregate_shape(aggregate, call, &over_text, field, argument.span) {
            return Kinds::ANY;
        }
        if let Some(model) = scope.model {
            for step in &steps {
                if scope.views[*step] != View::Later {
                    self.alert_class_field(&model.steps[*step].step.classes, field);
                }
            }
            if let Some(condition) = &call.condition {
                let mut inner = scope.clone();
                inner.place = Place::Aggregate;
                inner.own = None;
                inner.classes = &[];
                // Of several steps the name of one would not say whose event is looked at.
                if let [step] = steps.as_slice() {
                    inner.classes = &model.steps[*step].step.classes;
                    inner.views[*step] = View::One;
                }
                self.condition(condition, &inner, "`where`");
            }
        }
        let kinds = self.fields(field);
        match aggregate {
            Aggregate::Count => Kinds::NUMBER,
            Aggregate::Min | Aggregate::Max => kinds,
            Aggregate::List => Kinds::LIST,
            Aggregate::Sum | Aggregate::Avg | Aggregate::Stddev | Aggregate::Median | Aggregate::Percentile => {
                if !kinds.meets(Kinds::NUMBER) {
                    self.out.push(
                        Diagnostic::error(
                            codes::WRONG_AGGREGATE,
                            format!(
                                "`{name}` is over numbers, and `{over_text}{}` is a {kinds}",
                                field.iter().map(|f| format!(".{}", f.name)).collect::<String>()
                            ),
                            argument.span,
                            "always missing",
                        )
                        .help(format!(
                            "the time that the events span is `last({0}).@ts - first({0}).@ts`",
                            heads[0].name
                        )),
                    );
                }
                Kinds::NUMBER
            }
        }
    }

    /// Which percentile: a number from 0 to 100 that is known now.
    fn percent(&mut self, percent: &Expr) {
        let value = fold(percent, &self.names).and_then(|v| v.as_ref().as_f64());
        if value.is_some_and(|p| (0.0..=100.0).contains(&p)) {
            return;
        }
        self.out.push(
            Diagnostic::error(
                codes::WRONG_PERCENTILE,
                "which percentile is meant is a number from 0 to 100",
                percent.span,
                if value.is_some() { "out of range" } else { "not known when the rule is compiled" },
            )
            .help("write `percentile(a.f, 95)`; the middle is 50, or `median(a.f)`"),
        );
    }

    /// `count(a)`, `count(distinct a.f)`, `sum(a.f)`: whether the argument has the shape that is needed.
    fn aggregate_shape(&mut self, aggregate: Aggregate, call: &Call, step: &str, field: &[Ident], span: Span) -> bool {
        let name = aggregate.name();
        let text = format!("{step}{}", field.iter().map(|f| format!(".{}", f.name)).collect::<String>());
        let report = |message: String, label: &str, help: String| {
            Diagnostic::error(codes::WRONG_AGGREGATE, message, span, label).help(help)
        };
        let found = match (aggregate, call.distinct, field.len() + 1) {
            (Aggregate::Count, true, 1) => report(
                "`distinct` needs a field".into(),
                "different in what?",
                format!("write `count(distinct {step}.field)`; all events of a step differ: `count({step})`"),
            ),
            (Aggregate::Count, false, 2..) => report(
                format!("`count({text})` does not say what to count"),
                "a field of the events",
                format!(
                    "write `count({step})` for the events, `count(distinct {text})` for different values, or `count({step} where exists({text}))` for those that have it"
                ),
            ),
            (Aggregate::Count, ..) => return true,
            (_, true, _) => report(
                format!("`distinct` is only built for `count`, not for `{name}`"),
                "not available",
                format!("write `count(distinct {text})`, or leave out `distinct`"),
            ),
            (_, false, 1) => report(
                format!("`{name}({step})` does not say of which field"),
                "a step, not a field",
                format!("write `{name}({step}.field)`"),
            ),
            _ => return true,
        };
        self.out.push(found);
        false
    }

    /// `nth(a, 2).f`, judged up to the field; whether it may be read.
    pub(crate) fn nth(&mut self, call: &Call, span: Span, scope: &Scope<'_, '_>) -> Option<usize> {
        let (Some(Expr { kind: ExprKind::Path(path), .. }), 2, None, false) =
            (call.args.first(), call.args.len(), &call.condition, call.distinct)
        else {
            self.nth_without_field(call, span);
            return None;
        };
        let head = &path.parts[0];
        let Some(step) = scope.step_named(&head.name).filter(|_| path.parts.len() == 1) else {
            self.unknown_step(head, scope, "nth");
            return None;
        };
        if !self.step_is_readable(step, head, scope) {
            return None;
        }
        let number = &call.args[1];
        let most = match scope.model.map(|m| m.steps[step].step.quantifier.as_ref().map(|q| q.count)) {
            Some(Some(Count::Exactly(n) | Count::Range(_, n))) => n,
            Some(None | Some(Count::Optional)) if scope.views[step] == View::One => 1,
            _ => u64::MAX,
        };
        let (label, help) = match &number.kind {
            ExprKind::Int(n) if *n >= 1 && u64::try_from(*n).is_ok_and(|n| n <= most) => return Some(step),
            ExprKind::Int(n) if *n >= 1 => {
                ("always missing", format!("`{}` binds at most {most}; the newest is `last({0})`", head.name))
            }
            ExprKind::Int(_) => ("not from 1 on", format!("the oldest is `nth({}, 1)`", head.name)),
            _ => ("not a whole number that is written out", format!("write `nth({}, 2).field`", head.name)),
        };
        self.out.push(
            Diagnostic::error(codes::WRONG_NTH, "`nth` is given no event that there can be", number.span, label)
                .help(help),
        );
        None
    }

    /// `nth(a, 2)` as a value.
    pub(crate) fn nth_without_field(&mut self, call: &Call, span: Span) {
        let step = match call.args.first().map(|a| &a.kind) {
            Some(ExprKind::Path(path)) => path.parts[0].name.clone(),
            _ => "a".to_owned(),
        };
        self.out.push(
            Diagnostic::error(
                codes::STEP_AS_VALUE,
                "`nth` gives an event of a step, not a value",
                span,
                "which field of it?",
            )
            .help(format!("write a step, a number and a field: `nth({step}, 2).field`")),
        );
    }
}

/// The step names and the field that an aggregate is over: `a`, `a.f`, `(a, b)`, `(a, b).f`.
fn over(argument: &Expr) -> Option<(Vec<&Ident>, &[Ident])> {
    let list = |items: &'_ [Expr]| -> Option<Vec<usize>> {
        items
            .iter()
            .enumerate()
            .map(|(i, e)| matches!(&e.kind, ExprKind::Path(p) if p.parts.len() == 1).then_some(i))
            .collect()
    };
    fn heads(items: &[Expr]) -> Vec<&Ident> {
        items
            .iter()
            .filter_map(|e| match &e.kind {
                ExprKind::Path(path) => Some(&path.parts[0]),
                _ => None,
            })
            .collect()
    }
    match &argument.kind {
        ExprKind::Path(path) if !path.parts[0].name.starts_with('@') => Some((vec![&path.parts[0]], &path.parts[1..])),
        ExprKind::List(items) => list(items).map(|_| (heads(items), &[][..])),
        ExprKind::Member(inner, field) => match &inner.kind {
            ExprKind::List(items) => list(items).map(|_| (heads(items), field.as_slice())),
            _ => None,
        },
        _ => None,
    }
}

fn list_text(heads: &[&Ident]) -> String {
    format!("({})", heads.iter().map(|h| h.name.as_str()).collect::<Vec<_>>().join(", "))
}
