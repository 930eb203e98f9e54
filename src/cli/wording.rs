//! Parts of a rule as short texts, for graphs and explanations: taken from the source by their spans, on one line.

use tripline::syntax::ast::{ClassRef, Count, Expr, Guard, KeyItem, Quantifier, Step, StepGuard, StepGuardKind, Then};
use tripline::syntax::source::{SourceMap, Span};

/// Reads pieces of rule texts.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    sources: &'a SourceMap,
}

impl<'a> Wording<'a> {
    /// Over the texts that the tree was read from.
    pub fn new(sources: &'a SourceMap) -> Self {
        Self { sources }
    }

    /// The text of a span with runs of white space made one blank, comments left as they are.
    pub fn span(&self, span: Span) -> String {
        self.sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// An expression.
    pub fn expr(&self, expr: &Expr) -> String {
        self.span(expr.span)
    }

    /// `source.ip, user = user.name`
    pub fn key(&self, items: &[KeyItem]) -> String {
        items.iter().map(|item| self.span(item.span)).collect::<Vec<_>>().join(", ")
    }

    /// `(X or Y)`, or the one class.
    pub fn classes(&self, classes: &[ClassRef]) -> String {
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        if names.len() == 1 { names[0].to_owned() } else { format!("({})", names.join(" or ")) }
    }

    /// `X where P by k`
    pub fn guard(&self, guard: &Guard) -> String {
        self.event(&guard.classes, guard.condition.as_ref(), &guard.by)
    }

    /// Guards with commas between.
    pub fn guards(&self, guards: &[Guard]) -> String {
        guards.iter().map(|guard| self.guard(guard)).collect::<Vec<_>>().join(", ")
    }

    /// What one event of a step must be: `X where P by k`.
    pub fn event_of(&self, step: &Step) -> String {
        self.event(&step.classes, step.condition.as_ref(), &step.by)
    }

    /// `unless X in last d`
    pub fn step_guard(&self, guard: &StepGuard) -> String {
        let word = match guard.kind {
            StepGuardKind::Unless => "unless",
            StepGuardKind::If => "if",
            StepGuardKind::Without => "without",
            StepGuardKind::UnlessOpen => "unless open",
        };
        let last = guard.last.as_ref().map(|d| format!(" in last {}", self.expr(d))).unwrap_or_default();
        let name = guard.name.as_ref().map(|name| format!("{}: ", name.name)).unwrap_or_default();
        format!("{word} {name}{}{last}", self.guards(&guard.events))
    }

    /// `consecutive at least 5 distinct dst.port`, without `of`.
    pub fn quantifier(&self, quantifier: &Quantifier) -> String {
        let mut words = Vec::new();
        if quantifier.consecutive {
            words.push("consecutive".to_owned());
        }
        words.push(count(quantifier.count));
        if !quantifier.distinct.is_empty() {
            let fields: Vec<String> = quantifier.distinct.iter().map(|e| self.expr(e)).collect();
            words.push(format!("distinct {}", fields.join(", ")));
        }
        words.join(" ")
    }

    /// The bounds of a joint, one text each: `directly`, `at least 5s later`, `at most 1m later`.
    pub fn bounds(&self, then: &Then) -> Vec<String> {
        let mut bounds = Vec::new();
        if then.directly {
            bounds.push("directly".to_owned());
        }
        if then.next {
            bounds.push("the next one".to_owned());
        }
        if let Some(after) = &then.after {
            bounds.push(format!("at least {} later", self.expr(after)));
        }
        if let Some(within) = &then.within {
            bounds.push(format!("at most {} later", self.expr(within)));
        }
        bounds
    }

    /// The name of a step, or its classes.
    pub fn step_name(&self, step: &Step) -> String {
        step.name.as_ref().map_or_else(|| self.classes(&step.classes), |name| name.name.clone())
    }

    fn event(&self, classes: &[ClassRef], condition: Option<&Expr>, by: &[KeyItem]) -> String {
        let mut text = self.classes(classes);
        if let Some(condition) = condition {
            text = format!("{text} where {}", self.expr(condition));
        }
        if !by.is_empty() {
            text = format!("{text} by {}", self.key(by));
        }
        text
    }
}

/// `at least 5`
pub fn count(count: Count) -> String {
    match count {
        Count::AtLeast(n) => format!("at least {n}"),
        Count::Exactly(n) => format!("exactly {n}"),
        Count::Range(n, m) => format!("{n} to {m}"),
        Count::OneOrMore => "one or more".to_owned(),
        Count::ZeroOrMore => "zero or more".to_owned(),
        Count::Optional => "optional".to_owned(),
    }
}
