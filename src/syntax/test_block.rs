//! Test blocks: events at virtual times and the alerts that are expected of them.

use pest::iterators::Pair;

use super::ast::{ExpectAlert, Ident, Path, TestDecl, TestEvent, TestItem, TestValue};
use super::build::Builder;
use super::grammar::Rule;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

impl Builder<'_> {
    pub(super) fn test_decl(&mut self, pair: Pair<'_, Rule>) -> Option<TestDecl> {
        let span = self.span(&pair);
        let mut rule = None;
        let mut name = None;
        let mut items = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word | Rule::quoted => rule = Some(self.ident(&part)),
                Rule::string | Rule::compat_quotes => name = Some(self.text(&part)),
                Rule::separator => self.separator(&part),
                Rule::kw_test => {}
                _ => items.extend(self.test_item(part)),
            }
        }
        Some(TestDecl { rule: rule?, name, items, span })
    }

    pub(super) fn test_item(&mut self, pair: Pair<'_, Rule>) -> Option<TestItem> {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::expect_none => Some(TestItem::ExpectNone { span }),
            Rule::expect_alert => Some(TestItem::ExpectAlert(self.expect_alert(pair, span))),
            Rule::test_line => self.test_line(pair, span),
            _ => None,
        }
    }

    fn test_time(&mut self, pair: Pair<'_, Rule>) -> i64 {
        let Some(inner) = pair.into_inner().next() else { return 0 };
        if inner.as_rule() != Rule::integer {
            return self.duration(&inner);
        }
        let span = self.span(&inner);
        let written = inner.as_str().to_owned();
        self.report(
            Diagnostic::error(Code("E0010"), "a time in a test needs a unit", span, "a bare number")
                .help(format!("for seconds write `{written}s`"))
                .fix(span, format!("{written}s")),
        );
        0
    }

    fn test_line(&mut self, pair: Pair<'_, Rule>, span: Span) -> Option<TestItem> {
        let mut at = 0;
        let mut class = None;
        let mut fields = Vec::new();
        let (mut times, mut every) = (1, 0);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::test_time => at = self.test_time(part),
                Rule::kw_stop => return Some(TestItem::Stop { at, span }),
                Rule::class => class = Some(self.class(part)),
                Rule::object => fields = self.object(part, 0),
                Rule::repetition => {
                    for inner in part.into_inner() {
                        match inner.as_rule() {
                            Rule::integer => times = self.count(&inner),
                            Rule::test_time => every = self.test_time(inner),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Some(TestItem::Event(TestEvent { at, class: class?, fields, times, every, span }))
    }

    fn object(&mut self, pair: Pair<'_, Rule>, depth: usize) -> Vec<(Path, TestValue)> {
        let mut fields = Vec::new();
        for field in pair.into_inner() {
            let mut key = None;
            for part in field.into_inner() {
                match part.as_rule() {
                    Rule::object_key => key = part.into_inner().next().map(|p| self.object_key(p)),
                    Rule::compat_colon => {
                        let span = self.span(&part);
                        self.report(
                            Diagnostic::error(
                                Code("E0028"),
                                "a field of a test event gets its value with `:`",
                                span,
                                "this should be `:`",
                            )
                            .help("write `:`")
                            .fix(span, ":"),
                        );
                    }
                    Rule::json => {
                        let value = self.json(part, depth + 1);
                        fields.extend(key.take().map(|key| (key, value)));
                    }
                    _ => {}
                }
            }
        }
        fields
    }

    fn object_key(&mut self, pair: Pair<'_, Rule>) -> Path {
        let span = self.span(&pair);
        if pair.as_rule() == Rule::class {
            let parts = pair.into_inner().map(|part| self.ident(&part)).collect();
            return Path { parts, span };
        }
        let text = self.text(&pair);
        Path { parts: vec![Ident { name: text.value, span }], span }
    }

    fn json(&mut self, pair: Pair<'_, Rule>, depth: usize) -> TestValue {
        let Some(inner) = pair.into_inner().next() else { return TestValue::Null };
        let span = self.span(&inner);
        if depth > self.limits.max_rule_depth {
            self.report_depth(span);
            return TestValue::Null;
        }
        match inner.as_rule() {
            Rule::boolean => TestValue::Bool(inner.as_str() == "true"),
            Rule::json_number => self.json_number(inner.as_str(), span),
            Rule::string | Rule::compat_quotes => TestValue::Str(self.text(&inner).value),
            Rule::json_list => TestValue::List(inner.into_inner().map(|item| self.json(item, depth + 1)).collect()),
            Rule::object => TestValue::Object(self.object(inner, depth)),
            _ => TestValue::Null,
        }
    }

    fn json_number(&mut self, written: &str, span: Span) -> TestValue {
        if let Some(n) = super::literal::integer(written) {
            return TestValue::Int(n);
        }
        match written.parse::<f64>() {
            Ok(x) if x.is_finite() => TestValue::Float(x),
            _ => {
                self.report(
                    Diagnostic::error(
                        Code("E0012"),
                        "this number is out of range",
                        span,
                        "larger than any floating-point number",
                    )
                    .help("the largest is about `1.8e308`"),
                );
                TestValue::Null
            }
        }
    }

    fn expect_alert(&mut self, pair: Pair<'_, Rule>, span: Span) -> ExpectAlert {
        let mut expect = ExpectAlert { times: 1, resolved: false, at: None, conditions: Vec::new(), span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::integer => expect.times = self.count(&part),
                Rule::kw_resolved => expect.resolved = true,
                Rule::expect_at => {
                    let time = part.into_inner().find(|p| p.as_rule() == Rule::test_time);
                    expect.at = time.map(|p| self.test_time(p));
                }
                Rule::conditions => {
                    for inner in part.into_inner() {
                        match inner.as_rule() {
                            Rule::expr => expect.conditions.push(self.expr(inner)),
                            // A comma may stand between two conditions, nothing else needs to.
                            Rule::separator if inner.as_str() != "," => self.separator(&inner),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        expect
    }
}
