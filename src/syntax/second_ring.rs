//! Constructs that the language has and this version does not build yet: each is recognised and refused by name.
//!
//! Some have a grammar rule of their own (`later_*`), the others are found in the finished tree.

use super::ast::{Call, Expr, ExprKind, Path};
use super::build::Builder;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

/// A construct that is refused.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) code: &'static str,
    /// As the user would call it, in backquotes where it is a keyword; several where one code stands for several.
    pub(super) name: &'static str,
    /// What to do until it is built.
    pub(super) instead: &'static str,
}

macro_rules! later {
    ($($id:ident = $code:literal, $name:literal, $instead:literal;)*) => {
        $(pub(super) const $id: Later = Later { code: $code, name: $name, instead: $instead };)*
    };
}

later! {
    CLOCK = "E0101", "`clock`", "let a scheduler send an event, and name its class";
    UNTIL_TIME = "E0102", "an absence `until` a time", "bound it by a duration: `no X within 1h`";
    COMPUTED_BOUND = "E0103", "a bound that depends on events or tables", "write a fixed duration, such as `within 1h`";
    FEWER_THAN = "E0104", "`fewer than N of`", "`no X within d` is built: it is `fewer than 1 of`";
    GROUP_ABSENCE = "E0105", "the absence of a group", "name the single class that must not come: `no X within d`";
    PART_WITHIN = "E0106", "`within` on a part of the pattern", "bound a gap, `then within 5m`, or the whole match";
    ANY_OF_SEQUENCES = "E0107", "`any` of sequences", "write a rule for each sequence; members of `any` are single steps";
    UNTIL_SILENT = "E0108", "`until` a silence or a duration", "name the event that ends the repetition: `until X`";
    EVENTS_BOUND = "E0109", "`within` a number of events", "bound the match by a duration: `within 5m`";
    HAVING_FOR = "E0110", "`having … for` a duration", "ask for the condition at one look: leave `for` out";
    NAMED_GUARD = "E0111", "a name after `if` or `unless`", "leave the name out, or make it a step of the match";
    OPEN_ALERT = "E0112", "`unless open alert`", "use `suppress` to hold back repeated alerts";
    RESOLVE = "E0113", "`resolve`", "leave it out, and write a second rule for the end of the trouble";
    REPEAT = "E0114", "`repeat every`", "leave it out: the absence alerts once";
    EXPECT = "E0116", "`expect`", "leave it out: a key is watched from its first event on";
    PICK_PENDING = "E0118", "`pick pending`", "there are `pick latest`, `pick first`, `pick each` and `pick all`";
    PRIOR = "E0119", "`prior`", "`prev.f` reads the event bound before";
    MORE_STATISTICS = "E0120", "`ewma` or `rate`", "there are `mean`, `stddev` and `zscore`";
    STATISTIC_OPTIONS = "E0121", "an option of a statistic", "leave it out: `mean(x, 24h)` reads the class and key of the step";
}

impl Builder<'_> {
    /// Refuses a construct.
    pub(super) fn later(&mut self, what: &Later, span: Span) {
        self.later_named(what, what.name, span);
    }

    /// Refuses one of several constructs that share a code.
    pub(super) fn later_named(&mut self, what: &Later, name: &str, span: Span) {
        self.report(
            Diagnostic::error(
                Code(what.code),
                format!("{name} is not built yet"),
                span,
                "part of the language, but not of this version",
            )
            .note("the rule is refused, because leaving this out would change what it means")
            .help(what.instead),
        );
    }
}

/// A bound is a duration that is known when the rule is compiled: literals and `let` names.
pub(super) fn bound(builder: &mut Builder<'_>, expr: &Expr) {
    if let ExprKind::Call(call) = &expr.kind
        && call.name.name == "workday"
    {
        return;
    }
    let fixed = |expr: &Expr| match &expr.kind {
        ExprKind::Path(Path { parts, .. }) => parts.len() == 1 && !parts[0].name.starts_with('@'),
        ExprKind::Lookup { .. } | ExprKind::Member(..) | ExprKind::Call(_) => false,
        _ => true,
    };
    if !every(expr, &fixed) {
        builder.later(&COMPUTED_BOUND, expr.span);
    }
}

fn every(expr: &Expr, holds: &impl Fn(&Expr) -> bool) -> bool {
    holds(expr)
        && match &expr.kind {
            ExprKind::Binary(_, left, right) => every(left, holds) && every(right, holds),
            ExprKind::Neg(inner) | ExprKind::Not(inner) => every(inner, holds),
            _ => true,
        }
}

/// Functions of the second ring, and second-ring forms of functions of the first.
pub(super) fn call(builder: &mut Builder<'_>, call: &Call, span: Span) {
    let what = match call.name.name.as_str() {
        "prior" => &PRIOR,
        "ewma" | "rate" => &MORE_STATISTICS,
        "mean" | "stddev" | "zscore" | "count" | "sum" | "min" | "max" | "last" if is_statistic_option(call) => {
            &STATISTIC_OPTIONS
        }
        _ => return,
    };
    // A regular expression among the arguments has already been refused.
    if !builder.diagnostics.iter().any(|d| d.code == Code(what.code) && d.labels.iter().any(|l| within(l.span, span))) {
        let name = match what.code {
            "E0121" => statistic_option(call).to_owned(),
            _ => format!("`{}`", call.name.name),
        };
        builder.later_named(what, &name, span);
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.start >= outer.start && inner.end <= outer.end
}

/// `mean(x, ever)`, `mean(x, 24h, 20)`, `mean(x, 24h where …)`
fn is_statistic_option(call: &Call) -> bool {
    let ever = |arg: &Expr| match &arg.kind {
        ExprKind::Path(path) => path.parts.len() == 1 && path.parts[0].name == "ever",
        _ => false,
    };
    let windowed = call.events.is_some() || call.args.len() >= 2;
    windowed && (call.condition.is_some() || call.args.iter().skip(1).any(ever))
        || call.args.len() + usize::from(call.events.is_some()) > 2
}

fn statistic_option(call: &Call) -> &'static str {
    let ever = |arg: &Expr| matches!(&arg.kind, ExprKind::Path(path) if path.parts[0].name == "ever");
    if call.condition.is_some() {
        "`where` in a statistic"
    } else if call.args.iter().skip(1).any(ever) {
        "`ever`"
    } else {
        "a least number of values in a statistic"
    }
}
