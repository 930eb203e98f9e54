//! Calls: functions over values, aggregates over the events of a step, running statistics over the past.

use crate::base::function::{Aggregate, Function, Kinds, SELECTORS, Statistic};
use crate::check::Checker;
use crate::check::fold::fold_duration;
use crate::check::scope::Scope;
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Call, Expr, ExprKind};
use crate::syntax::source::Span;
use crate::syntax::statistic::{Form, form};

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
        if let Some(form) = self.statistic_form(call) {
            return self.statistic(&form, call, span, scope);
        }
        if let Some(item) = call.by.first() {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("`by` has no meaning in `{name}`"),
                    item.span,
                    "only running statistics take it",
                )
                .help("a running statistic has a window: `mean(value, 24h by user)`"),
            );
            return Kinds::ANY;
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

    /// The running statistic that a call is, if it is one.
    pub(crate) fn statistic_form<'e>(&self, call: &'e Call) -> Option<Form<'e>> {
        form(call, |e| fold_duration(e, &self.names).is_some())
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
            .help(match name.as_str() {
                "rate" => "give a duration: `rate(value, 5m)`".to_owned(),
                _ => format!(
                    "give a duration or a number of events: `{name}(value, 24h)`, `{name}(value, 10 events)`{alternative}"
                ),
            }),
        );
    }

    fn unknown_function(&mut self, call: &Call) {
        let name = call.name.name.as_str();
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

pub(super) fn argument_help(wanted: Kinds, given: Kinds) -> String {
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
