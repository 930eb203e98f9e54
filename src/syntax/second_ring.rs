//! Constructs that the language has and this version does not build yet: each is recognised and refused by name.
//!
//! Some have a grammar rule of their own (`later_*`), the others are found in the finished tree.

use super::ast::{Call, Expr, ExprKind, KeyItem};
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
    GROUP_ABSENCE = "E0105", "the absence of a group", "name the single class that must not come: `no X within d`";
    UNTIL_SILENT = "E0108", "`until` a silence or a duration", "name the event that ends the repetition: `until X`";
    NAMED_GUARD = "E0111", "a name after `if` or `unless`", "leave the name out, or make it a step of the match";
    EXPECT = "E0116", "`expect`", "leave it out: a key is watched from its first event on";
    PICK_PENDING = "E0118", "`pick pending`", "there are `pick latest`, `pick first`, `pick each` and `pick all`";
    OVER_STEPS = "E0122", "an aggregate over several steps", "aggregate each step apart";
    PERCENTILE = "E0123", "`percentile` or `nth`", "there are `median`, `first` and `last`";
    EACH = "E0125", "`each` in a key", "use one element of the list: `tags[0]`";
    COMPUTED_KEY = "E0126", "a key computed from more than one field", "use one field, or a function of one field, such as `lower(user.name)`";
    POLYGON = "E0127", "a table of polygons", "`in_polygon` takes a polygon written in the rule";
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

/// A key component: a field, or a plain function of one field.
pub(super) fn key(builder: &mut Builder<'_>, item: &KeyItem) {
    if let ExprKind::Call(call) = &item.value.kind
        && call.name.name == "each"
    {
        builder.later(&EACH, item.value.span);
        return;
    }
    let mut fields = 0;
    if !is_plain(&item.value, &mut fields) || fields != 1 {
        builder.later(&COMPUTED_KEY, item.value.span);
    }
}

fn is_plain(expr: &Expr, fields: &mut usize) -> bool {
    match &expr.kind {
        ExprKind::Path(_) => {
            *fields += 1;
            true
        }
        ExprKind::Str(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Duration(_) => true,
        ExprKind::Call(call) => {
            !call.distinct
                && call.condition.is_none()
                && call.events.is_none()
                && call.args.iter().all(|arg| is_plain(arg, fields))
        }
        ExprKind::Index(inner, _) | ExprKind::Member(inner, _) => is_plain(inner, fields),
        _ => false,
    }
}

/// Functions of the second ring, and second-ring forms of functions of the first.
pub(super) fn call(builder: &mut Builder<'_>, call: &Call, span: Span) {
    let what = match call.name.name.as_str() {
        "percentile" | "nth" => &PERCENTILE,
        "count" | "min" | "max" | "sum" | "avg" | "stddev" | "median" | "list" if is_over_steps(call) => &OVER_STEPS,
        _ => return,
    };
    // A regular expression among the arguments has already been refused.
    if !builder.diagnostics.iter().any(|d| d.code == Code(what.code) && d.labels.iter().any(|l| within(l.span, span))) {
        let name = match what.code {
            "E0122" => what.name.to_owned(),
            _ => format!("`{}`", call.name.name),
        };
        builder.later_named(what, &name, span);
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.start >= outer.start && inner.end <= outer.end
}

/// `count(distinct (a, b).f)`
fn is_over_steps(call: &Call) -> bool {
    call.args.iter().any(|arg| match &arg.kind {
        ExprKind::Member(inner, _) => matches!(inner.kind, ExprKind::List(_)),
        _ => false,
    })
}
