//! Running statistics: whether each argument is what its place asks for, and what the call may give.

use crate::base::Value;
use crate::base::function::{Kinds, Statistic};
use crate::check::Checker;
use crate::check::call::argument_help;
use crate::check::fold::{fold, fold_duration};
use crate::check::model::path_text;
use crate::check::scope::{Place, Scope, View};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Call, Expr, ExprKind, Path};
use crate::syntax::source::Span;
use crate::syntax::statistic::{Form, Past};

impl Checker<'_> {
    pub(super) fn statistic(&mut self, form: &Form<'_>, call: &Call, span: Span, scope: &Scope<'_, '_>) -> Kinds {
        let name = form.kind.name();
        self.seen.statistic.get_or_insert(span);
        self.statistic_past(form, span);
        if call.distinct {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("`distinct` has no meaning in the statistic `{name}`"),
                    span,
                    "only aggregates over a step take it",
                )
                .help("count different values of a step: `count(distinct a.field)`"),
            );
            return Kinds::ANY;
        }
        if let Some(surplus) = form.surplus {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("the statistic `{name}` is over one value"),
                    surplus.span,
                    "too many arguments",
                )
                .help(format!("write {}", usage(form.kind))),
            );
            return Kinds::ANY;
        }
        let Some(value) = form.value else {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("the statistic `{name}` is over one value"),
                    span,
                    "no value",
                )
                .help(format!("write {}; `count(@ts, 24h)` counts every earlier event", usage(form.kind))),
            );
            return Kinds::ANY;
        };
        if let Some(least) = form.least {
            self.least(form, least);
        }
        let (kinds, step) = match scope.place {
            Place::Step | Place::Let => {
                let inner = Scope { classes: scope.classes, ..Scope::bare(Place::Statistic) };
                let kinds = self.statistic_value(value, scope, &inner);
                self.statistic_options(call, scope, &inner, None);
                (kinds, scope.own)
            }
            Place::Having | Place::Alert | Place::Severity => self.statistic_of_step(value, call, name, scope),
            _ => {
                self.statistic_out_of_place(span, scope.place, None);
                return Kinds::ANY;
            }
        };
        if let Some(step) = step {
            self.statistic_key(call, step, scope);
        }
        match form.kind {
            Statistic::Count | Statistic::Rate => Kinds::NUMBER,
            Statistic::Last | Statistic::Min | Statistic::Max | Statistic::Prior => kinds,
            Statistic::Sum | Statistic::Mean | Statistic::Stddev | Statistic::Zscore | Statistic::Ewma => {
                if !kinds.is_empty() && !kinds.meets(Kinds::NUMBER) {
                    self.out.push(
                        Diagnostic::error(
                            codes::WRONG_ARGUMENTS,
                            format!("`{name}` is over numbers, and this is a {kinds}"),
                            value.span,
                            "always missing",
                        )
                        .help(argument_help(Kinds::NUMBER, kinds)),
                    );
                }
                Kinds::NUMBER
            }
        }
    }

    /// The window, weight or distance.
    fn statistic_past(&mut self, form: &Form<'_>, span: Span) {
        let name = form.kind.name();
        let wrong = |message: String, at: Span, label: &str| {
            Diagnostic::error(codes::STATISTIC_OPTION, message, at, label).help(format!("write {}", usage(form.kind)))
        };
        match form.past {
            Past::Time(duration) => {
                if fold_duration(duration, &self.names).is_some_and(|d| d <= 0) {
                    self.out.push(
                        Diagnostic::error(
                            codes::NOT_POSITIVE,
                            "a window must be longer than nothing",
                            duration.span,
                            "not above zero",
                        )
                        .help("write a duration such as `24h`"),
                    );
                }
            }
            Past::Events(_) | Past::Ever if form.kind == Statistic::Rate => {
                let message = "a rate is per second of a duration, and this is none".to_owned();
                self.out.push(wrong(message, span, "over how long?"));
            }
            Past::Events(_) if matches!(form.kind, Statistic::Ewma | Statistic::Prior) => {
                self.out.push(wrong(format!("`{name}` takes no window of events"), span, "not a window"));
            }
            Past::Events(0) => self.out.push(
                Diagnostic::error(codes::NOT_POSITIVE, "a window of 0 events is empty", span, "not above zero")
                    .help(format!("write `{name}(value, 10 events)`")),
            ),
            Past::Events(_) | Past::Ever | Past::Back(None) => {}
            Past::Weighted(None) => {
                let message = "`ewma` needs to know the weight of the newest value".to_owned();
                self.out.push(wrong(message, span, "no weight"));
            }
            Past::Weighted(Some(weight)) => {
                let given = fold(weight, &self.names).and_then(|v| v.as_ref().as_f64());
                if !given.is_some_and(|w| w > 0.0 && w <= 1.0) {
                    let message = "the weight of `ewma` is a constant above 0 and at most 1".to_owned();
                    self.out.push(wrong(message, weight.span, "no such weight"));
                }
            }
            Past::Back(Some(n)) => {
                let most = self.limits.max_count;
                if !self.whole_number(n).is_some_and(|n| (1..=most).contains(&n)) {
                    let message = format!("`prior` goes back a constant number of events, from 1 to {most}");
                    self.out.push(wrong(message, n.span, "no such number"));
                }
            }
        }
    }

    fn whole_number(&self, expr: &Expr) -> Option<u64> {
        match fold(expr, &self.names)? {
            Value::Int(n) => u64::try_from(n).ok(),
            Value::UInt(n) => Some(n),
            _ => None,
        }
    }

    /// The least number of values.
    fn least(&mut self, form: &Form<'_>, least: &Expr) {
        let wrong = |message: String, label: &str, help: &str| {
            Diagnostic::error(codes::STATISTIC_OPTION, message, least.span, label).help(help.to_owned())
        };
        let Some(n) = self.whole_number(least) else {
            self.out.push(wrong(
                "the least number of values is a constant".to_owned(),
                "not a whole number",
                "write a number, such as `mean(value, 24h, 20)`",
            ));
            return;
        };
        let anyway = match form.kind {
            Statistic::Count | Statistic::Rate => 0,
            Statistic::Stddev | Statistic::Zscore => 2,
            _ => 1,
        };
        if n <= anyway {
            let name = form.kind.name();
            let fewer = if anyway == 2 { "with fewer than two values" } else { "over no values" };
            self.out.push(wrong(
                match anyway {
                    0 => "a least number of 0 asks for nothing".to_owned(),
                    _ => format!("`{name}` is missing {fewer} anyway"),
                },
                "has no effect",
                "leave it out, or ask for more",
            ));
        }
        if let Past::Events(most) = form.past
            && n > most
            && most > 0
        {
            self.out.push(wrong(
                format!("the last {most} events never hold {n} values"),
                "always missing",
                "ask for fewer values, or look at more events",
            ));
        }
    }

    /// The value of a statistic in a step: over the fields of one event of the class.
    fn statistic_value(&mut self, value: &Expr, outer: &Scope<'_, '_>, inner: &Scope<'_, '_>) -> Kinds {
        if self.reads_match(value, outer, None) { Kinds::ANY } else { self.infer(value, inner) }
    }

    /// Reports an expression that reads bound events, where only one earlier event is looked at.
    fn reads_match(&mut self, expr: &Expr, scope: &Scope<'_, '_>, own: Option<usize>) -> bool {
        let Some(path) = reads_step(expr, scope, own) else { return false };
        self.out.push(
            Diagnostic::error(
                codes::WRONG_STATISTIC,
                format!("a statistic is over fields of the class's earlier events, not over `{}`", path_text(path)),
                path.span,
                "belongs to the match, not to an earlier event",
            )
            .help("compute the statistic of the plain field, and compare with the step outside of it"),
        );
        true
    }

    /// `where` and `by` of a statistic: over the earlier event.
    fn statistic_options(&mut self, call: &Call, outer: &Scope<'_, '_>, inner: &Scope<'_, '_>, own: Option<usize>) {
        if let Some(condition) = &call.condition
            && !self.reads_match(condition, outer, own)
        {
            self.condition(condition, inner, "`where`");
        }
        for item in &call.by {
            if let Some(name) = &item.name {
                self.out.push(
                    Diagnostic::error(
                        codes::STATISTIC_OPTION,
                        format!("the name `{}` has no effect in the key of a statistic", name.name),
                        name.span,
                        "nothing reads it",
                    )
                    .help("write the value alone"),
                );
            }
            if !self.reads_match(&item.value, outer, own) {
                let kinds = self.infer(&item.value, inner);
                if !kinds.meets(Kinds::ANY.except(Kinds::LIST.or(Kinds::OBJECT))) {
                    self.out.push(
                        Diagnostic::error(
                            codes::STATISTIC_OPTION,
                            format!("a {kinds} is no key"),
                            item.value.span,
                            "no event has such a key",
                        )
                        .help("a key is made of texts and numbers"),
                    );
                }
            }
        }
    }

    /// A statistic whose key leaves out a part of the rule's is over events of several keys.
    fn statistic_key(&mut self, call: &Call, step: usize, scope: &Scope<'_, '_>) {
        let (Some(model), Some(first), true) = (scope.model, call.by.first(), self.whole_guard_keys) else { return };
        let text = |expr: &Expr| match &expr.kind {
            ExprKind::Path(path) => path_text(path),
            _ => self.sources.text(expr.span).to_owned(),
        };
        let own: Vec<String> = call.by.iter().map(|item| text(&item.value)).collect();
        let missing: Vec<&str> = model.steps[step]
            .components
            .iter()
            .filter(|c| !own.contains(&text(&c.item.value)))
            .map(|c| c.name.as_str())
            .collect();
        if missing.is_empty() {
            return;
        }
        self.out.push(
            Diagnostic::error(
                codes::PARTIAL_STATISTIC_KEY,
                "this statistic's key leaves out a part of the rule's key",
                first.span,
                format!("without {}", missing.join(", ")),
            )
            .note("a sliding count, `pick pending`, a clock, `expect`, `directly` and `consecutive` look at the events of one whole key")
            .help("name all components of the key here, or alert on the statistic first, and count those alerts"),
        );
    }

    /// `zscore(odd.value, 24h)` after the match: the statistic at the event that the step bound.
    fn statistic_of_step(
        &mut self,
        value: &Expr,
        call: &Call,
        name: &str,
        scope: &Scope<'_, '_>,
    ) -> (Kinds, Option<usize>) {
        if let ExprKind::Path(path) = &value.kind
            && path.parts.len() > 1
            && let Some(step) = scope.step_named(&path.parts[0].name)
        {
            if scope.views[step] == View::One {
                let mut inner = scope.clone();
                inner.place = Place::Statistic;
                if let Some(model) = scope.model {
                    inner.classes = &model.steps[step].step.classes;
                }
                self.statistic_options(call, scope, &inner, Some(step));
                return (self.fields(&path.parts[1..]), Some(step));
            }
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_STATISTIC,
                    format!("`{}` binds several events: the statistic at which of them?", path.parts[0].name),
                    path.span,
                    "a repeated step",
                )
                .help(format!(
                    "compute it in the step's `where`, or take an aggregate over its events, `{}({})`",
                    if matches!(name, "mean" | "zscore" | "ewma") { "avg" } else { name },
                    path_text(path)
                )),
            );
            return (Kinds::ANY, None);
        }
        self.out.push(
            Diagnostic::error(
                codes::WRONG_STATISTIC,
                format!("in {} a statistic is over a field of a step", scope.place.name()),
                value.span,
                "not `step.field`",
            )
            .help(format!("write `{name}(a.field, …)`: the statistic as it was at the event that `a` bound")),
        );
        (Kinds::ANY, None)
    }

    /// Reports a statistic where there is no step to be the past of.
    pub(crate) fn statistic_out_of_place(&mut self, span: Span, place: Place, inside: Option<Span>) {
        let report = Diagnostic::error(
            codes::STATISTIC_OUT_OF_PLACE,
            format!("a running statistic cannot stand in {}", place.name()),
            span,
            "it belongs to the past of a step's class and key",
        );
        let report = match inside {
            Some(inside) => report.label(inside, "the statistic"),
            None => report,
        };
        self.out.push(report.help("use it in the `where` of a step, or in `having` and `alert` over a step's field"));
    }
}

/// How a statistic is written.
fn usage(kind: Statistic) -> String {
    match kind {
        Statistic::Prior => "`prior(value)` or `prior(value, 2)`".to_owned(),
        Statistic::Ewma => "`ewma(value, 0.1)`".to_owned(),
        Statistic::Rate => "`rate(value, 5m)`".to_owned(),
        _ => format!("`{0}(value, 24h)`, `{0}(value, 10 events)` or `{0}(value, ever)`", kind.name()),
    }
}

/// The first path in `expr` that names a visible step other than `own`, or `prev`.
fn reads_step<'e>(expr: &'e Expr, scope: &Scope<'_, '_>, own: Option<usize>) -> Option<&'e Path> {
    let mut found = None;
    crate::check::walk::paths(expr, &mut |path| {
        let head = &path.parts[0].name;
        let step = scope.step_named(head);
        if found.is_none()
            && path.parts.len() > 1
            && (head == "prev" || step.is_some() && step != own || step.is_none() && scope.is_name(head))
        {
            found = Some(path);
        }
    });
    found
}
