//! Steps of a pattern: quantifiers, suffixes and guards.

use pest::iterators::Pair;

use super::ast::{ClassRef, Count, Ends, Expr, ExprKind, Guard, Quantifier, Step, StepGuard, StepGuardKind};
use super::build::Builder;
use super::grammar::Rule;
use super::pattern::StrayWithin;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

impl Builder<'_> {
    pub(super) fn step(&mut self, pair: Pair<'_, Rule>, stray: &mut StrayWithin) -> Option<Step> {
        let span = self.span(&pair);
        let mut step = Step {
            name: None,
            quantifier: None,
            classes: Vec::new(),
            condition: None,
            by: Vec::new(),
            guards: Vec::new(),
            until: None,
            ends: None,
            span,
        };
        // The place of the last suffix in their order, and its word.
        let mut last: (usize, &'static str) = (0, "");
        for part in pair.into_inner() {
            let at = self.span(&part);
            let place = match part.as_rule() {
                Rule::step_where => (1, "where"),
                Rule::step_by => (2, "by"),
                Rule::step_guard => (3, "unless"),
                Rule::step_without => (4, "without"),
                Rule::step_until => (5, "until"),
                _ => (0, ""),
            };
            if place.0 > 0 {
                self.suffix_order(last, place, at);
                last = last.max(place);
            }
            match part.as_rule() {
                Rule::label => step.name = part.into_inner().next().map(|name| self.ident(&name)),
                Rule::quantifier => step.quantifier = Some(self.quantifier(part)),
                Rule::compat_late_label => {
                    self.report(
                        Diagnostic::error(Code("E0034"), "the name of a step stands first", at, "after the number")
                            .help(format!(
                                "write `{} {} …`",
                                self.written(at),
                                step.quantifier.as_ref().map_or("", |q| self.written(q.span))
                            )),
                    );
                    let label = part.into_inner().next().and_then(|label| label.into_inner().next());
                    step.name = label.map(|name| self.ident(&name));
                }
                Rule::classes => step.classes = self.classes(part),
                Rule::step_where => step.condition = self.condition(part),
                Rule::step_by => step.by = self.key_items(part),
                Rule::step_guard => step.guards.extend(self.step_guard(part)),
                Rule::step_without => {
                    let events = part.into_inner().find(|p| p.as_rule() == Rule::guards).map(|p| self.guards(p))?;
                    step.guards.push(StepGuard {
                        kind: StepGuardKind::Without,
                        name: None,
                        events,
                        last: None,
                        span: at,
                    });
                }
                Rule::step_until => {
                    for inner in part.into_inner() {
                        let at = self.span(&inner);
                        match inner.as_rule() {
                            Rule::guard => step.until = Some(self.guard(inner)),
                            rule @ (Rule::until_silent | Rule::until_after) => {
                                let silent = rule == Rule::until_silent;
                                step.ends = inner
                                    .into_inner()
                                    .find(|p| matches!(p.as_rule(), Rule::duration | Rule::compat_duration))
                                    .map(|length| {
                                        let kind = ExprKind::Duration(self.duration(&length));
                                        Ends { silent, length: Expr { kind, span: self.span(&length) }, span: at }
                                    });
                            }
                            _ => {}
                        }
                    }
                }
                Rule::compat_within => {
                    let keyword = Span { end: at.start + 6, ..at };
                    if let Some(bound) = self.bound(part) {
                        self.refuse_stray(stray.replace((keyword, bound)));
                    }
                }
                _ => {}
            }
        }
        Some(step)
    }

    fn suffix_order(&mut self, last: (usize, &str), this: (usize, &str), span: Span) {
        let repeated = last.0 == this.0;
        if repeated && matches!(this.1, "unless" | "without") {
            return;
        }
        if repeated {
            let help = if this.1 == "where" { "join the two conditions with `and`" } else { "leave one of them out" };
            self.report(
                Diagnostic::error(Code("E0025"), format!("a step has one `{}`", this.1), span, "a second one")
                    .help(help),
            );
        } else if this.0 < last.0 {
            self.report(
                Diagnostic::error(
                    Code("E0025"),
                    format!("`{}` stands before `{}`", this.1, last.1),
                    span,
                    "out of order",
                )
                .help("the order is `where`, `by`, `if` or `unless`, `without`, `until`"),
            );
        }
    }

    fn condition(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let mut condition = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => condition = Some(self.expr(part)),
                Rule::compat_where => {
                    let at = self.span(&part);
                    self.report(
                        Diagnostic::error(
                            Code("E0016"),
                            format!("`{}` is written `where` here", part.as_str()),
                            at,
                            "not a keyword of this language",
                        )
                        .help("write `where`")
                        .fix(at, "where")
                        .mended(),
                    );
                }
                _ => {}
            }
        }
        condition
    }

    fn step_guard(&mut self, pair: Pair<'_, Rule>) -> Option<StepGuard> {
        let span = self.span(&pair);
        let mut kind = StepGuardKind::Unless;
        let mut name = None;
        let mut events = Vec::new();
        let mut last = None;
        let mut refused = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_if => kind = StepGuardKind::If,
                Rule::guards => events = self.guards(part),
                Rule::in_last => last = self.bound(part),
                Rule::open_alert => {
                    if kind == StepGuardKind::If {
                        self.report(
                            Diagnostic::error(
                                Code("E0009"),
                                "there is no `if open`",
                                span,
                                "an open alert can only hold a step back",
                            )
                            .help("write `unless open alert.r`, or `if alert.r in last 1h`"),
                        );
                        refused = true;
                    }
                    kind = StepGuardKind::UnlessOpen;
                    let class = part.into_inner().find(|p| p.as_rule() == Rule::class).map(|p| self.class(p));
                    events = class
                        .map(|class| Guard { span: class.span, classes: vec![class], condition: None, by: Vec::new() })
                        .into_iter()
                        .collect();
                }
                Rule::named_guard => {
                    for inner in part.into_inner() {
                        match inner.as_rule() {
                            Rule::label => name = inner.into_inner().next().map(|name| self.ident(&name)),
                            Rule::guards => events = self.guards(inner),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if refused {
            return None;
        }
        if kind == StepGuardKind::UnlessOpen {
            if let Some(last) = last.take() {
                self.report(
                    Diagnostic::error(
                        Code("E0026"),
                        "`unless open` looks at what is open now, not back",
                        last.span,
                        "not needed",
                    )
                    .help("delete `in last …`; for any alert of that time write `unless alert.r in last 1h`"),
                );
            }
            return Some(StepGuard { kind, name, events, last, span });
        }
        if last.is_none() {
            let word = if kind == StepGuardKind::If { "if" } else { "unless" };
            let end = Span { start: span.end, ..span };
            self.report(
                Diagnostic::error(
                    Code("E0026"),
                    format!("`{word}` needs to know how far back to look"),
                    span,
                    "no `in last` after it",
                )
                .note("a condition on the event itself belongs in `where`")
                .help(format!("write `{word} … in last 1h`"))
                .fix(end, " in last 1h"),
            );
        }
        Some(StepGuard { kind, name, events, last, span })
    }

    pub(super) fn guards(&mut self, pair: Pair<'_, Rule>) -> Vec<Guard> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::guard).map(|p| self.guard(p)).collect()
    }

    fn guard(&mut self, pair: Pair<'_, Rule>) -> Guard {
        let mut guard = Guard { classes: Vec::new(), condition: None, by: Vec::new(), span: self.span(&pair) };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::classes => guard.classes = self.classes(part),
                Rule::step_where => guard.condition = self.condition(part),
                Rule::guard_by => guard.by = self.key_items(part),
                _ => {}
            }
        }
        guard
    }

    fn classes(&mut self, pair: Pair<'_, Rule>) -> Vec<ClassRef> {
        let span = self.span(&pair);
        let mut classes = Vec::new();
        let mut wrong = false;
        let mut bare = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::class => classes.push(self.class(part)),
                Rule::compat_or => wrong = true,
                Rule::compat_alternatives => {
                    bare = true;
                    for class in part.into_inner().filter(|p| p.as_rule() == Rule::class) {
                        classes.push(self.class(class));
                    }
                }
                _ => {}
            }
        }
        if wrong || bare {
            let names: Vec<&str> = classes.iter().map(|class| self.written(class.span)).collect();
            let fixed = format!("({})", names.join(" or "));
            let (message, label) = if bare {
                ("alternatives stand in parentheses", "no parentheses")
            } else {
                ("alternatives are joined by `or`", "another sign")
            };
            self.report(
                Diagnostic::error(Code("E0027"), message, span, label)
                    .help(format!("write `{fixed}`"))
                    .fix(span, fixed),
            );
        }
        classes
    }

    pub(super) fn quantifier(&mut self, pair: Pair<'_, Rule>) -> Quantifier {
        let span = self.span(&pair);
        let mut quantifier = Quantifier { consecutive: false, count: Count::Optional, distinct: Vec::new(), span };
        let mut of = false;
        for part in pair.into_inner() {
            let at = self.span(&part);
            match part.as_rule() {
                Rule::kw_consecutive => quantifier.consecutive = true,
                Rule::kw_of => of = true,
                Rule::distinct => {
                    let exprs = part.into_inner().filter(|p| p.as_rule() == Rule::expr);
                    quantifier.distinct = exprs.map(|p| self.expr(p)).collect();
                }
                Rule::compat_count => quantifier.count = self.foreign_count(part, at),
                _ => quantifier.count = self.quantity(part),
            }
        }
        if !of && quantifier.count != Count::Optional {
            let end = Span { start: span.end, ..span };
            self.report(
                Diagnostic::error(Code("E0021"), "`of` is missing between the number and the class", span, "no `of`")
                    .help(format!("write `{} of`", self.written(span)))
                    .fix(end, " of"),
            );
        }
        quantifier
    }

    fn quantity(&mut self, pair: Pair<'_, Rule>) -> Count {
        let rule = pair.as_rule();
        let numbers: Vec<u64> = pair
            .into_inner()
            .filter(|p| matches!(p.as_rule(), Rule::integer | Rule::range_start))
            .map(|p| self.count(&p))
            .collect();
        match (rule, numbers.as_slice()) {
            (Rule::at_least, [n]) => Count::AtLeast(*n),
            (Rule::exactly, [n]) => Count::Exactly(*n),
            (Rule::range, [low, high]) => Count::Range(*low, *high),
            (Rule::one_or_more, _) => Count::OneOrMore,
            (Rule::zero_or_more, _) => Count::ZeroOrMore,
            _ => Count::Optional,
        }
    }

    /// `5 of`, `5+ of`, `>= 5 of`, `more than 5 of`, `at most 5 of`
    fn foreign_count(&mut self, pair: Pair<'_, Rule>, at: Span) -> Count {
        let mut number = 0u64;
        let (mut most, mut more, mut plus) = (false, false, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::compat_most => most = true,
                Rule::compat_more => more = true,
                Rule::compat_minimum => plus = true,
                Rule::compat_plus => plus |= !matches!(part.as_str().trim(), "times" | "x"),
                Rule::compat_number => number = self.count(&part),
                _ => {}
            }
        }
        let (count, fixed) = if most {
            (Count::Range(0, number), format!("0..{number}"))
        } else if more {
            (Count::AtLeast(number.saturating_add(1)), format!("at least {}", number.saturating_add(1)))
        } else if plus {
            (Count::AtLeast(number), format!("at least {number}"))
        } else {
            (Count::Exactly(number), format!("exactly {number}"))
        };
        let mut report = Diagnostic::error(
            Code("E0022"),
            "a number of events is written `at least`, `exactly` or `N..M`",
            at,
            "not one of these",
        );
        report = if matches!(count, Count::Exactly(_)) {
            report.help(format!("write `at least {number} of` if more may come, else `exactly {number} of`"))
        } else {
            report.help(format!("write `{fixed} of`"))
        };
        self.report(report.fix(at, fixed));
        count
    }
}
