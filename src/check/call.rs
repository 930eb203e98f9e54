//! Calls: functions over values, aggregates over the events of a step, running statistics over the past.

use crate::base::function::{Aggregate, Function, Kinds, LATER, SELECTORS, Statistic};
use crate::check::Checker;
use crate::check::fold::fold_duration;
use crate::check::model::path_text;
use crate::check::scope::{Place, Scope, View};
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Call, Expr, ExprKind, Path};
use crate::syntax::source::Span;

/// Names that people know from elsewhere, with what to write here.
const ALIASES: [(&str, &str); 21] = [
    ("length", "write `len(…)`"),
    ("size", "write `len(…)`"),
    ("lowercase", "write `lower(…)`"),
    ("uppercase", "write `upper(…)`"),
    ("tolower", "write `lower(…)`"),
    ("toupper", "write `upper(…)`"),
    ("average", "write `avg(a.f)` over a step, or `mean(f, 1h)` over the past"),
    ("std", "write `stddev(…)`"),
    ("coalesce", "write `a ?? b`"),
    ("ifnull", "write `a ?? b`"),
    ("isnull", "write `not exists(a)`"),
    ("is_null", "write `not exists(a)`"),
    ("matches", "write `a =~ /regex/`"),
    ("regex", "write `a =~ /regex/`"),
    ("now", "rules have no clock: `@ts` is the time of the current event"),
    ("cidr_match", "write `cidr(address, \"10.0.0.0/8\")`"),
    ("cidrmatch", "write `cidr(address, \"10.0.0.0/8\")`"),
    ("haversine", "write `distance_km(…)`"),
    ("distinct", "write `count(distinct a.f)`"),
    ("count_distinct", "write `count(distinct a.f)`"),
    ("within", "`within` follows the braces of `match`, or `then`"),
];

impl Checker<'_> {
    /// What a call may give.
    pub(crate) fn call(&mut self, call: &Call, span: Span, scope: &Scope<'_, '_>) -> Kinds {
        let name = call.name.name.as_str();
        if let Some(statistic) = Statistic::by_name(name)
            && self.has_window(call)
        {
            return self.statistic(statistic, call, span, scope);
        }
        if call.events.is_some() {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("`{name}` takes no window of events"),
                    call.name.span,
                    "not a running statistic",
                )
                .help(format!("running statistics are: {}", names(Statistic::ALL.iter().map(|s| s.name())))),
            );
            return Kinds::ANY;
        }
        if SELECTORS.contains(&name)
            && let [Expr { kind: ExprKind::Path(path), .. }] = call.args.as_slice()
            && path.parts.len() == 1
            && name != "nth"
        {
            match scope.step_named(&path.parts[0].name) {
                Some(_) => self.selector_without_field(call, span, &path.parts[0].name),
                None => self.unknown_step(&path.parts[0], scope, name),
            }
            return Kinds::ANY;
        }
        if let Some(aggregate) = Aggregate::by_name(name) {
            return self.aggregate(aggregate, call, span, scope);
        }
        if name == "nth" {
            self.nth_without_field(call, span);
            return Kinds::ANY;
        }
        if name == "each" {
            self.each_out_of_place(span);
            return Kinds::ANY;
        }
        if SELECTORS.contains(&name) || Statistic::by_name(name).is_some() {
            self.statistic_without_window(call, span);
            return Kinds::ANY;
        }
        if let Some(function) = Function::by_name(name) {
            return self.function(function, call, span, scope);
        }
        self.unknown_function(call);
        Kinds::ANY
    }

    /// Whether a call is a running statistic by its last argument.
    pub(crate) fn has_window(&self, call: &Call) -> bool {
        call.events.is_some() || call.args.last().is_some_and(|d| fold_duration(d, &self.names).is_some())
    }

    fn selector_without_field(&mut self, call: &Call, span: Span, step: &str) {
        let name = &call.name.name;
        self.out.push(
            Diagnostic::error(
                codes::STEP_AS_VALUE,
                format!("`{name}({step})` is an event, not a value"),
                span,
                "which field of it?",
            )
            .help(format!("write the field: `{name}({step}).field`, or its time: `{name}({step}).@ts`")),
        );
    }

    fn statistic_without_window(&mut self, call: &Call, span: Span) {
        let name = &call.name.name;
        let alternative = match name.as_str() {
            "mean" => "; over the events of a step it is `avg(a.f)`",
            "first" | "last" => "; over a step it takes the step alone: `last(a).f`",
            _ => "",
        };
        self.out.push(
            Diagnostic::error(
                codes::WRONG_ARGUMENTS,
                format!("`{name}` needs to know over which past"),
                span,
                "no window",
            )
            .help(format!(
                "give a duration or a number of events: `{name}(value, 24h)`, `{name}(value, 10 events)`{alternative}"
            )),
        );
    }

    fn unknown_function(&mut self, call: &Call) {
        let name = call.name.name.as_str();
        if LATER.contains(&name) {
            self.out.push(
                Diagnostic::error(
                    codes::NOT_BUILT_YET,
                    format!("`{name}` is not built yet"),
                    call.name.span,
                    "not available",
                )
                .note("the name is reserved for a later version of the language"),
            );
            return;
        }
        let report = Diagnostic::error(
            codes::UNKNOWN_FUNCTION,
            format!("there is no function `{name}`"),
            call.name.span,
            "unknown function",
        );
        let all = Function::ALL
            .iter()
            .map(|f| f.name())
            .chain(Aggregate::ALL.iter().map(|a| a.name()))
            .chain(Statistic::ALL.iter().map(|s| s.name()))
            .chain(SELECTORS);
        let lower = name.to_lowercase();
        let report = if let Some((_, hint)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
            report.help(*hint)
        } else if let Some(near) = closest(name, all) {
            report.help(format!("did you mean `{near}`?")).fix(call.name.span, near)
        } else {
            report.help(format!("the functions are: {}", names(Function::ALL.iter().map(|f| f.name()))))
        };
        self.out.push(report);
    }

    // ---- functions over values ----

    fn function(&mut self, function: Function, call: &Call, span: Span, scope: &Scope<'_, '_>) -> Kinds {
        let info = function.info();
        if call.distinct || call.condition.is_some() {
            let (what, at) = match &call.condition {
                Some(condition) => ("where", condition.span),
                None => ("distinct", call.name.span),
            };
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("`{what}` has no meaning in `{}`", info.name),
                    at,
                    "only aggregates over a step take it",
                )
                .help(format!("write `{}`", info.usage().join("` or `"))),
            );
            return info.result;
        }
        let Some(signature) = info.signature(call.args.len()) else {
            let given = match call.args.len() {
                0 => "none".to_string(),
                1 => "1 argument".to_string(),
                n => format!("{n} arguments"),
            };
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("`{}` is given {given}", info.name),
                    span,
                    "wrong number of arguments",
                )
                .note(info.doc)
                .help(format!("write `{}`", info.usage().join("` or `"))),
            );
            return info.result;
        };
        if function == Function::AnyValue {
            self.whole_event(span, scope);
        }
        let folds = matches!(function, Function::Contains | Function::StartsWith | Function::EndsWith);
        let mut given = Vec::with_capacity(call.args.len());
        for (i, arg) in call.args.iter().enumerate() {
            if function == Function::If && i == 0 {
                self.condition(arg, scope, "`if`");
                given.push(Kinds::BOOL);
                continue;
            }
            if let (Function::Extract, 1, ExprKind::Regex(regex)) = (function, i, &arg.kind) {
                self.extract_regex(regex);
                continue;
            }
            let kinds = if folds && i == 1 { self.infer_comparable(arg, scope) } else { self.infer(arg, scope) };
            given.push(kinds);
            let Some(param) = signature.param(i) else { continue };
            if param.constant {
                self.constant_argument(function, arg);
            } else if param.name == "zone" && self.zone_argument(arg) {
                continue;
            } else if !kinds.is_empty() && !kinds.meets(param.kinds) {
                self.out.push(
                    Diagnostic::error(
                        codes::WRONG_ARGUMENTS,
                        format!("`{}` takes a {} as `{}`, and this is a {kinds}", info.name, param.kinds, param.name),
                        arg.span,
                        "the call is always missing",
                    )
                    .note(format!("{} {}", info.usage().join(", "), info.doc))
                    .help(argument_help(param.kinds, kinds)),
                );
            }
        }
        match function {
            Function::If => given.get(1).copied().unwrap_or(Kinds::ANY).or(given.get(2).copied().unwrap_or(Kinds::ANY)),
            Function::Abs => given.first().copied().unwrap_or(Kinds::ANY).and(info.result),
            _ => info.result,
        }
    }

    fn constant_argument(&mut self, function: Function, arg: &Expr) {
        match (function, &arg.kind) {
            (Function::Cidr, ExprKind::Str(text)) => self.network(&text.value, arg.span),
            (Function::Extract, _) => self.extract_pattern(arg),
            (Function::InPolygon, _) if is_polygon(arg) => {}
            (Function::InPolygon, _) => self.out.push(
                Diagnostic::error(
                    codes::NOT_LITERAL,
                    "the corners of `in_polygon` must be written out",
                    arg.span,
                    "not a list of at least three corners",
                )
                .help("write `((52.5, 13.3), (52.6, 13.3), (52.6, 13.5))`: latitude, then longitude"),
            ),
            _ => self.out.push(
                Diagnostic::error(
                    codes::NOT_LITERAL,
                    "a network of `cidr` must be written out",
                    arg.span,
                    "not a text that is known when the rule is compiled",
                )
                .help("write `cidr(source.ip, \"10.0.0.0/8\")`; for networks in a file declare `table nets from \"nets.csv\" key cidr` and ask `source.ip in @nets`"),
            ),
        }
    }

    // ---- running statistics ----

    fn statistic(&mut self, statistic: Statistic, call: &Call, span: Span, scope: &Scope<'_, '_>) -> Kinds {
        let name = statistic.name();
        self.seen.statistic.get_or_insert(span);
        if let Some(duration) = call.args.last().filter(|_| call.events.is_none()) {
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
        } else if call.events == Some(0) {
            self.out.push(
                Diagnostic::error(codes::NOT_POSITIVE, "a window of 0 events is empty", span, "not above zero")
                    .help(format!("write `{name}(value, 10 events)`")),
            );
        }
        let values =
            if call.events.is_some() { &call.args[..] } else { &call.args[..call.args.len().saturating_sub(1)] };
        if call.condition.is_some() || call.distinct {
            self.out.push(
                Diagnostic::error(
                    codes::NOT_BUILT_YET,
                    format!("`where` and `distinct` inside the statistic `{name}` are not built yet"),
                    call.condition.as_ref().map_or(span, |c| c.span),
                    "not available",
                )
                .note("a statistic is over all earlier events of the step's class and key")
                .help("declare an event class with the condition, and let the step name it"),
            );
            return Kinds::ANY;
        }
        let [value] = values else {
            let report = Diagnostic::error(
                codes::WRONG_ARGUMENTS,
                format!("the statistic `{name}` is over one value"),
                span,
                if values.is_empty() { "no value" } else { "too many arguments" },
            );
            self.out.push(if values.is_empty() {
                report.help(format!("write `{name}(value, 24h)`; `count(@ts, 24h)` counts every earlier event"))
            } else {
                report
                    .note("a least number of values is not built yet")
                    .help(format!("write `{name}(value, 24h)`; to wait for values, add `count(value, 24h) >= 30`"))
            });
            return Kinds::ANY;
        };
        let kinds = match scope.place {
            Place::Step | Place::Let => {
                let inner = Scope { classes: scope.classes, ..Scope::bare(Place::Statistic) };
                self.statistic_value(value, scope, &inner)
            }
            Place::Having | Place::Alert | Place::Severity => self.statistic_of_step(value, name, scope),
            _ => {
                self.statistic_out_of_place(span, scope.place, None);
                return Kinds::ANY;
            }
        };
        match statistic {
            Statistic::Count => Kinds::NUMBER,
            Statistic::Last | Statistic::Min | Statistic::Max => kinds,
            Statistic::Sum | Statistic::Mean | Statistic::Stddev | Statistic::Zscore => {
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

    /// The value of a statistic in a step: over the fields of one event of the class.
    fn statistic_value(&mut self, value: &Expr, outer: &Scope<'_, '_>, inner: &Scope<'_, '_>) -> Kinds {
        if let Some(path) = reads_step(value, outer) {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_STATISTIC,
                    format!("a statistic is over fields of the class's earlier events, not over `{}`", path_text(path)),
                    path.span,
                    "belongs to the match, not to an earlier event",
                )
                .help("compute the statistic of the plain field, and compare with the step outside of it"),
            );
            return Kinds::ANY;
        }
        self.infer(value, inner)
    }

    /// `zscore(odd.value, 24h)` after the match: the statistic at the event that the step bound.
    fn statistic_of_step(&mut self, value: &Expr, name: &str, scope: &Scope<'_, '_>) -> Kinds {
        if let ExprKind::Path(path) = &value.kind
            && path.parts.len() > 1
            && let Some(step) = scope.step_named(&path.parts[0].name)
        {
            if scope.views[step] == View::One {
                return self.fields(&path.parts[1..]);
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
                    if name == "mean" || name == "zscore" { "avg" } else { name },
                    path_text(path)
                )),
            );
            return Kinds::ANY;
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
        Kinds::ANY
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

/// The first path in `expr` that names a visible step, or `prev`.
fn reads_step<'e>(expr: &'e Expr, scope: &Scope<'_, '_>) -> Option<&'e Path> {
    let mut found = None;
    crate::check::walk::paths(expr, &mut |path| {
        let head = &path.parts[0].name;
        if found.is_none() && path.parts.len() > 1 && (head == "prev" || scope.step_named(head).is_some()) {
            found = Some(path);
        }
    });
    found
}

fn is_polygon(expr: &Expr) -> bool {
    let number = |e: &Expr| match &e.kind {
        ExprKind::Int(_) | ExprKind::Float(_) => true,
        ExprKind::Neg(inner) => matches!(inner.kind, ExprKind::Int(_) | ExprKind::Float(_)),
        _ => false,
    };
    let corner = |e: &Expr| matches!(&e.kind, ExprKind::List(pair) if pair.len() == 2 && pair.iter().all(number));
    matches!(&expr.kind, ExprKind::List(corners) if corners.len() >= 3 && corners.iter().all(corner))
}

fn argument_help(wanted: Kinds, given: Kinds) -> String {
    if wanted == Kinds::STRING {
        "turn it into a text with `string(…)`".into()
    } else if wanted == Kinds::TIME {
        "times are `@ts`, `@arrival`, and those of steps: `a.@ts`".into()
    } else if wanted.meets(Kinds::NUMBER) && given == Kinds::DURATION {
        "divide the duration by its unit: `d / 1s` is a number".into()
    } else if wanted.meets(Kinds::NUMBER) && given == Kinds::STRING {
        "turn it into a number with `number(…)`".into()
    } else {
        format!("give it a {wanted}")
    }
}

fn names<'n>(all: impl Iterator<Item = &'n str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}
