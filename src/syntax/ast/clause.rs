//! Clauses of a rule: its key, how it picks, what its alerts hold.

use super::{Expr, ExprKind, Guard, Ident, MatchClause, StrLit};
use crate::syntax::source::Span;

/// One clause of a rule.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Clause {
    /// Which, with its parts.
    pub kind: ClauseKind,
    /// The clause from its keyword on.
    pub span: Span,
}

/// The clauses a rule may have.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum ClauseKind {
    /// `severity high`, or an expression over the match. A bare level word is a [`ExprKind::Path`] of one part.
    Severity(Expr),
    /// `tags "a", "b"`
    Tags(Vec<StrLit>),
    /// `title "…"`
    Title(StrLit),
    /// `id "…"`: what the rule is called where it came from, kept through renaming.
    Id(StrLit),
    /// `status "stable"`: how far the rule is trusted.
    Status(StrLit),
    /// `description "…"`
    Description(StrLit),
    /// `runbook "…"`
    Runbook(StrLit),
    /// `author "…"`
    Author(StrLit),
    /// `references "…", "…"`
    References(Vec<StrLit>),
    /// `false_positives "…", "…"`: what else fires it.
    FalsePositives(Vec<StrLit>),
    /// `risk 70`: a number, or an expression over the match.
    Risk(Expr),
    /// `by source.ip, user = user.name`
    By(Vec<KeyItem>),
    /// `match { … } within 10m`
    Match(MatchClause),
    /// `having …`
    Having {
        /// On the whole match.
        condition: Expr,
        /// `for 10m`: true at every look for that long.
        lasting: Option<Expr>,
    },
    /// `pick first`
    Pick(Pick),
    /// `after match skip to next`
    AfterMatch(AfterMatch),
    /// `cancel on X where …, Y`
    CancelOn(Vec<Guard>),
    /// `alert { name = expr … }`
    Alert(Vec<AlertField>),
    /// `suppress 1h by user.name`
    Suppress {
        /// For how long.
        period: Expr,
        /// Per what; the rule's key when empty.
        by: Vec<Expr>,
    },
    /// `enabled false`
    Enabled(bool),
    /// `shadow`
    Shadow(bool),
    /// `internal`
    Internal(bool),
    /// `resolve on X where …, Y`
    ResolveOn(Vec<Guard>),
    /// `resolve when …`
    ResolveWhen(Expr),
    /// `repeat every 5m`
    Repeat(Expr),
    /// `expect device.id from @devices`, `expect start`
    Expect(ExpectKeys),
    /// `limits { runs_per_key = 1000 }`
    Limits(Vec<(Ident, u64)>),
}

/// What a rule watches for without having seen it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum ExpectKeys {
    /// `expect start`
    Start,
    /// `expect device.id from @devices`
    From {
        /// The key, as in the rule's `by`.
        keys: Vec<KeyItem>,
        /// The table, without its `@`.
        table: Ident,
    },
}

/// A component of a key: `user = user.name`, `source.ip`, `host.id?`.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct KeyItem {
    /// The component's name where one is written.
    pub name: Option<Ident>,
    /// Its value, an expression over the event.
    pub value: Expr,
    /// `?`: missing is a key of its own.
    pub optional: bool,
    /// The item.
    pub span: Span,
}

impl KeyItem {
    /// What the component is called: as written, or else like the one field that it is or that its function is of.
    /// `None` for anything else, which needs a written name.
    pub fn component_name(&self) -> Option<String> {
        fn field(expr: &Expr) -> Option<String> {
            match &expr.kind {
                ExprKind::Path(path) if !path.parts[0].name.starts_with('@') => {
                    Some(path.parts.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join("."))
                }
                ExprKind::Index(inner, _) | ExprKind::Member(inner, _) => field(inner),
                ExprKind::Call(call) => {
                    let literal = |e: &Expr| {
                        matches!(e.kind, ExprKind::Str(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Regex(_))
                    };
                    let mut fields = call.args.iter().filter(|arg| !literal(arg));
                    let name = field(fields.next()?)?;
                    fields.next().is_none().then_some(name)
                }
                _ => None,
            }
        }
        self.name.as_ref().map(|name| name.name.clone()).or_else(|| field(&self.value))
    }

    /// The list that `each(…)` goes through, if the component has a key for each element.
    pub fn each(&self) -> Option<&Expr> {
        match &self.value.kind {
            ExprKind::Call(call) if call.name.name == "each" => match call.args.as_slice() {
                [list] => Some(list),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Which candidate a completion reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pick {
    /// The newest binding.
    Latest,
    /// The oldest binding.
    First,
    /// Every one, subsets of repeated steps included.
    All,
    /// For every first event the oldest.
    Each,
    /// What one pending match per step gives, a newer one overwriting it (EQL).
    Pending,
}

/// What a match uses up [`AFTER MATCH SKIP`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AfterMatch {
    /// `skip past last`: everything up to the completion.
    SkipPastLast,
    /// `skip to next`: the first event.
    SkipToNext,
    /// `no skip`: nothing.
    NoSkip,
    /// `skip to first a`: what lies before the first event of a step.
    SkipToFirst(Ident),
    /// `skip to last a`: what lies before the last event of a step.
    SkipToLast(Ident),
}

/// `name = expr` in an `alert` block.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct AlertField {
    /// The name.
    pub name: Ident,
    /// The value.
    pub value: AlertValue,
    /// The whole.
    pub span: Span,
}

/// A value of an alert: an expression, or a text with `{expr}` in it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum AlertValue {
    /// Any expression.
    Expr(Expr),
    /// A string literal, split at its `{…}`; `{{` and `}}` are braces.
    Template(Vec<TemplatePart>, StrLit),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum TemplatePart {
    /// Plain text.
    Text(String),
    /// `{expr}`
    Expr(Expr),
}
