//! What a test expects, held against the alerts of its rule.

use tripline::alert::{Alert, Notice};
use tripline::base::{Duration, Limits, Timestamp, Value, ValueRef};
use tripline::plan::eval::{truth, unary};
use tripline::plan::event::EventView;
use tripline::plan::expr::Attr;
use tripline::plan::fields::Fields;
use tripline::plan::lower_expr::{Declarations, Lowering, Place};
use tripline::syntax::ast::{ExpectAlert, Expr, TestDecl, TestItem};

use crate::cli::wording::Wording;

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// An alert was expected and did not come.
    Absent(String),
    /// An alert came that nothing expects.
    Surplus(String),
    /// An alert came, but not as expected.
    Different(String),
    /// The test says nothing about alerts.
    Nothing,
}

/// Compares alerts with the expectations of a test, both in order.
pub fn compare(test: &TestDecl, alerts: &[Alert], wording: Wording<'_>) -> Vec<Mismatch> {
    let mut expected: Vec<&ExpectAlert> = Vec::new();
    let mut says_something = false;
    for item in &test.items {
        match item {
            TestItem::ExpectAlert(expect) => {
                says_something = true;
                let times = usize::try_from(expect.times).unwrap_or(usize::MAX);
                // More than there are alerts need not be written out.
                expected.extend(std::iter::repeat_n(expect, times.min(alerts.len() + 1)));
            }
            TestItem::ExpectNone { .. } => says_something = true,
            _ => {}
        }
    }
    if !says_something {
        return vec![Mismatch::Nothing];
    }
    let mut mismatches = Vec::new();
    for (n, expect) in expected.iter().enumerate() {
        match alerts.get(n) {
            Some(alert) => mismatches.extend(differences(expect, alert, wording)),
            None => mismatches.push(Mismatch::Absent(format!("expected {}", described(expect, wording)))),
        }
    }
    for alert in alerts.iter().skip(expected.len()) {
        mismatches.push(Mismatch::Surplus(format!("not expected: {}", brief(alert))));
    }
    mismatches
}

/// An alert in a few words: time, key and values.
pub fn brief(alert: &Alert) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (name, value) in alert.key.iter().chain(&alert.values) {
        parts.push(format!("{name} = {}", shown(value)));
    }
    if let Some(Notice::Repeat(n)) = alert.notice {
        parts.push(format!("repeat = {n}"));
    }
    format!("{} at {} {{ {} }}", what(alert.notice), since_start(alert.time), parts.join(", "))
}

/// What came.
fn what(notice: Option<Notice>) -> &'static str {
    if matches!(notice, Some(Notice::Resolved(_))) { "resolved" } else { "alert" }
}

/// A time as the offset from the start of the test.
pub fn since_start(time: Timestamp) -> Duration {
    time - Timestamp(0)
}

fn described(expect: &ExpectAlert, wording: Wording<'_>) -> String {
    wording.span(expect.span).trim_start_matches("expect ").to_owned()
}

fn differences(expect: &ExpectAlert, alert: &Alert, wording: Wording<'_>) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let resolved = matches!(alert.notice, Some(Notice::Resolved(_)));
    if resolved != expect.resolved {
        let wanted = if expect.resolved { "resolved" } else { "an alert" };
        found.push(Mismatch::Different(format!("expected {wanted}, it was {}", brief(alert))));
        return found;
    }
    if let Some(at) = expect.at
        && Timestamp(at) != alert.time
    {
        found.push(Mismatch::Different(format!(
            "expected {} at {}, it came at {}",
            if resolved { "resolved" } else { "an alert" },
            Duration(at),
            since_start(alert.time)
        )));
    }
    for condition in &expect.conditions {
        let (truth, read) = evaluate(condition, alert);
        if truth == Some(true) {
            continue;
        }
        let verdict = if truth.is_none() { "is missing" } else { "is false" };
        let read: Vec<String> = read.iter().map(|(name, value)| format!("{name} = {}", shown(value))).collect();
        let read = if read.is_empty() { String::new() } else { format!(", with {}", read.join(", ")) };
        let at = since_start(alert.time);
        let what = what(alert.notice);
        found.push(Mismatch::Different(format!("{what} at {at}: `{}` {verdict}{read}", wording.expr(condition))));
    }
    found
}

/// The truth of a condition over an alert, and the values that it reads.
fn evaluate(condition: &Expr, alert: &Alert) -> (Option<bool>, Vec<(String, Value)>) {
    let (mut fields, declarations, limits) = (Fields::default(), Declarations::default(), Limits::default());
    let lowered = Lowering::new(&mut fields, &declarations, &limits).expr(condition, Place::Event);
    let paths = fields.into_paths();
    let values: Vec<Value> = paths.iter().map(|path| lookup(path, alert)).collect();
    let view = AlertView { values: &values, time: Value::Duration(since_start(alert.time)) };
    let truth = truth(&lowered, &unary(&view, &[], &[]));
    (truth, paths.iter().map(|path| path.join(".")).zip(values).collect())
}

/// What a name means in a condition: a value of the alert, a component of its key, or `severity`.
fn lookup(path: &[String], alert: &Alert) -> Value {
    let whole = path.join(".");
    let bare = whole.strip_prefix("key.").unwrap_or(&whole);
    let value = alert.values.iter().find(|(name, _)| *name == whole);
    let value = value.or_else(|| alert.key.iter().find(|(name, _)| name == bare));
    if let Some((_, value)) = value {
        return relative(value);
    }
    if let Some((_, Value::Object(members))) = path.first().and_then(|f| alert.values.iter().find(|(n, _)| n == f)) {
        let mut found = Value::Object(members.clone());
        for part in &path[1..] {
            found = match found {
                Value::Object(members) => {
                    members.iter().find(|(name, _)| **name == **part).map_or(Value::Missing, |(_, value)| value.clone())
                }
                _ => Value::Missing,
            };
        }
        return relative(&found);
    }
    match whole.as_str() {
        "severity" => Value::Str(alert.severity.as_str().into()),
        "rule" => Value::Str(alert.rule_name.as_ref().into()),
        "repeat" => match alert.notice {
            Some(Notice::Repeat(n)) => Value::integer(n.into()),
            _ => Value::Missing,
        },
        "suppressed" => Value::integer(alert.suppressed.into()),
        _ => Value::Missing,
    }
}

/// Times count from the start of the test.
fn relative(value: &Value) -> Value {
    match value {
        Value::Time(time) => Value::Duration(since_start(*time)),
        other => other.clone(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Missing => "missing".to_owned(),
        Value::Duration(d) => d.to_string(),
        Value::Time(t) => since_start(*t).to_string(),
        other => other.to_json().to_string(),
    }
}

/// An alert as the expressions of the library see an event.
struct AlertView<'a> {
    values: &'a [Value],
    time: Value,
}

impl EventView for AlertView<'_> {
    fn attr(&self, attr: Attr) -> ValueRef<'_> {
        match attr {
            Attr::Field(field) => self.values.get(field.index()).map_or(ValueRef::Missing, Value::as_ref),
            Attr::Ts | Attr::Arrival => self.time.as_ref(),
            _ => ValueRef::Missing,
        }
    }
}
