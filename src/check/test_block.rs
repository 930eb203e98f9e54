//! `test` blocks: the rule, the events and their order, the expectations.

use crate::base::Duration;
use crate::base::function::Kinds;
use crate::check::Checker;
use crate::check::lifecycle;
use crate::check::model::path_text;
use crate::check::pattern::all_classes;
use crate::check::predicate::required_fields;
use crate::check::scope::Scope;
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{ExpectAlert, Path, TestDecl, TestEvent, TestItem, TestValue};
use crate::syntax::source::Span;

impl<'a> Checker<'a> {
    /// One `test` block.
    pub(crate) fn test_block(&mut self, test: &'a TestDecl) {
        let rule = self.names.rules.get(test.rule.name.as_str()).copied();
        if rule.is_none() {
            let report = Diagnostic::error(
                codes::UNKNOWN_RULE,
                format!("there is no rule `{}` to test", test.rule.name),
                test.rule.span,
                "unknown rule",
            );
            self.out.push(match closest(&test.rule.name, self.names.rules.keys().copied()) {
                Some(near) => report.help(format!("did you mean `{near}`?")).fix(test.rule.span, near),
                None => report.help("a test stands in the same rule set as its rule"),
            });
        }
        self.test_order(test);
        for item in &test.items {
            if let TestItem::Event(event) = item {
                self.test_event(event, test);
            }
        }
        self.expectations(test);
        let Some(mut shape) = self.alerts.get(&test.rule.name).cloned() else { return };
        if rule.is_some_and(lifecycle::repeats) {
            shape.values.push(("repeat".to_owned(), Kinds::NUMBER));
        }
        for item in &test.items {
            if let TestItem::ExpectAlert(expect) = item {
                for condition in &expect.conditions {
                    self.condition(condition, &Scope::test(&shape), "an expectation");
                }
            }
        }
    }

    fn test_order(&mut self, test: &TestDecl) {
        let mut last: Option<(i64, Span)> = None;
        let mut stopped: Option<Span> = None;
        for item in &test.items {
            let (at, end, span) = match item {
                TestItem::Event(e) => {
                    let repeats = i64::try_from(e.times.saturating_sub(1)).unwrap_or(i64::MAX);
                    (e.at, e.at.saturating_add(e.every.saturating_mul(repeats)), e.span)
                }
                TestItem::Stop { at, span } => (*at, *at, *span),
                _ => continue,
            };
            if let Some(stop) = stopped {
                self.out.push(
                    Diagnostic::error(
                        codes::TEST_AFTER_STOP,
                        "this comes after the time has stopped",
                        span,
                        "never happens",
                    )
                    .label(stop, "time goes no further")
                    .help("put it before `stop`, or delete `stop`"),
                );
                continue;
            }
            if let Some((before, there)) = last
                && at < before
            {
                self.out.push(
                    Diagnostic::error(
                        codes::TEST_ORDER,
                        format!(
                            "the events of a test stand in the order of time, and {} comes after {}",
                            Duration(at),
                            Duration(before)
                        ),
                        span,
                        "earlier than the line before",
                    )
                    .label(there, format!("ends at {}", Duration(before)))
                    .note("a late event is dropped by the engine, so the test would show something else than it says")
                    .help("move the line up, or change its time"),
                );
                continue;
            }
            last = Some((end, span));
            if matches!(item, TestItem::Stop { .. }) {
                stopped = Some(span);
            }
        }
    }

    fn test_event(&mut self, event: &TestEvent, test: &TestDecl) {
        let class = &event.class;
        if class.name == "any" || class.name == "alert" || class.name.starts_with("alert.") {
            let what = if class.name == "any" { "`any` is no class of its own" } else { "alerts are made by rules" };
            self.out.push(
                Diagnostic::error(
                    codes::TEST_CLASS,
                    format!("a test cannot make an event of `{}`", class.name),
                    class.span,
                    what,
                )
                .help("write the class of a plain event"),
            );
            return;
        }
        if self.names.clocks.contains_key(class.name.as_str()) {
            self.out.push(
                Diagnostic::error(
                    codes::TEST_CLASS,
                    format!("a test cannot make the clock `{}` tick", class.name),
                    class.span,
                    "ticks by itself",
                )
                .help("delete the line: time in a test begins at 1970-01-01T00:00:00Z and clocks follow it"),
            );
            return;
        }
        if event.times == 0 {
            self.out.push(
                Diagnostic::error(codes::NO_EFFECT, "`x 0` makes no event", event.span, "never happens")
                    .help("delete the line"),
            );
        }
        match self.names.classes.get(class.name.as_str()).copied() {
            Some(decl) => {
                // Fields of `==` and `in` are filled in; for the rest the test must speak.
                let mut required = Vec::new();
                required_fields(&decl.condition, &mut required);
                let filled = filled_fields(&decl.condition);
                let missing = required.iter().find(|field| !filled.contains(field) && !gives(&event.fields, field));
                if let Some(field) = missing {
                    self.out.push(
                        Diagnostic::warning(
                            codes::TEST_NOT_OF_CLASS,
                            format!("this event will not be a `{}`: it has no `{field}`", class.name),
                            event.span,
                            format!("`{field}` is not given"),
                        )
                        .label(decl.condition.span, "what makes an event one of the class")
                        .note("only fields that the class compares with `==` or `in` are filled in by themselves")
                        .help(format!("add `{field}: …`")),
                    );
                }
            }
            None => {
                let used = self.names.rules.get(test.rule.name.as_str()).copied().map(all_classes).unwrap_or_default();
                if used.iter().any(|c| c.name == class.name || c.name == "any") {
                    return;
                }
                let known = used.iter().map(|c| c.name.as_str()).chain(self.names.classes.keys().copied());
                if let Some(near) = closest(&class.name, known) {
                    let near = near.to_string();
                    self.out.push(
                        Diagnostic::warning(
                            codes::UNDECLARED_CLASS,
                            format!("the rule does not read the class `{}`, but `{near}`", class.name),
                            class.span,
                            "not read by the rule",
                        )
                        .help(format!("did you mean `{near}`?"))
                        .fix(class.span, near),
                    );
                }
            }
        }
    }

    fn expectations(&mut self, test: &TestDecl) {
        let wrong = |message: &str, span: Span, label: &str, help: &str| {
            Diagnostic::error(codes::TEST_EXPECTATION, message, span, label).help(help)
        };
        let alerts: Vec<&ExpectAlert> = test
            .items
            .iter()
            .filter_map(|i| match i {
                TestItem::ExpectAlert(e) => Some(e),
                _ => None,
            })
            .collect();
        let none: Vec<Span> = test
            .items
            .iter()
            .filter_map(|i| match i {
                TestItem::ExpectNone { span } => Some(*span),
                _ => None,
            })
            .collect();
        let mut found = Vec::new();
        match (alerts.first(), none.first()) {
            (None, None) => found.push(wrong(
                "this test expects nothing",
                test.rule.span,
                "no `expect` line",
                "add `expect alert at 30s`, or `expect no alert`",
            )),
            (Some(some), Some(none)) => found.push(
                wrong("this test expects an alert and none", *none, "none", "delete one of the two")
                    .label(some.span, "an alert"),
            ),
            _ => {}
        }
        if let [_, again, ..] = none.as_slice() {
            found.push(wrong("`expect no alert` is said twice", *again, "said before", "delete it"));
        }
        if let Some(expect) = alerts.iter().find(|e| e.resolved)
            && self.names.rules.get(test.rule.name.as_str()).is_some_and(|rule| !lifecycle::resolves(rule))
        {
            found.push(wrong(
                "the alerts of this rule are never resolved",
                expect.span,
                "the rule has no `resolve`",
                "delete the line, or give the rule a `resolve on X`",
            ));
        }
        for expect in alerts.iter().filter(|e| e.times == 0) {
            found.push(wrong("0 alerts are no alert", expect.span, "expects nothing", "write `expect no alert`"));
        }
        let timed: Vec<(i64, Span)> = alerts.iter().filter_map(|e| e.at.map(|at| (at, e.span))).collect();
        for pair in timed.windows(2) {
            if pair[1].0 < pair[0].0 {
                found.push(
                    wrong(
                        "expectations stand in the order of time",
                        pair[1].1,
                        &format!("{} comes before {}", Duration(pair[1].0), Duration(pair[0].0)),
                        "exchange the two lines",
                    )
                    .label(pair[0].1, "a later alert"),
                );
            }
        }
        self.out.extend(found);
    }
}

/// The fields that a test fills in for a declared class: those of `==` and `in` with constants.
fn filled_fields(condition: &crate::syntax::ast::Expr) -> Vec<String> {
    use crate::syntax::ast::{BinaryOp, ExprKind, InSet};
    let mut found = Vec::new();
    for conjunct in crate::check::model::conjuncts(condition) {
        let (a, b) = match &conjunct.kind {
            ExprKind::Binary(BinaryOp::Eq, a, b) => (&**a, &**b),
            ExprKind::In { value, set: InSet::List(items), negated: false } if !items.is_empty() => {
                (&**value, &items[0])
            }
            _ => continue,
        };
        for (path, other) in [(a, b), (b, a)] {
            if let (ExprKind::Path(path), false) = (&path.kind, matches!(other.kind, ExprKind::Path(_))) {
                found.push(path_text(path));
            }
        }
    }
    found
}

/// Whether written fields hold a path, as nested objects or as one dotted name.
fn gives(fields: &[(Path, TestValue)], wanted: &str) -> bool {
    fields.iter().any(|(path, value)| {
        let name = path_text(path);
        if matches!(value, TestValue::Null) {
            return false;
        }
        let below = wanted.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
        match (below, value) {
            _ if name == wanted => true,
            (Some(rest), TestValue::Object(inner)) => gives(inner, rest),
            _ => false,
        }
    })
}
