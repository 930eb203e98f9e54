//! What several renderings say of an alert in words and numbers.

use crate::alert::{Alert, Notice, Severity};
use crate::base::{Timestamp, Value};

/// The alert's own message, else the title, else the rule's name.
pub fn message(alert: &Alert) -> String {
    let own = alert.values.iter().find(|(name, _)| name == "message").and_then(|(_, value)| match value {
        Value::Str(text) => Some(text.to_string()),
        _ => None,
    });
    own.unwrap_or_else(|| title(alert).to_owned())
}

/// The title, else the rule's name.
pub fn title(alert: &Alert) -> &str {
    alert.title.as_deref().unwrap_or(&alert.rule_name)
}

/// What it is: a new alert, one that is closed, or one that is said again.
pub fn status(alert: &Alert) -> &'static str {
    match alert.notice {
        None => "new",
        Some(Notice::Resolved(_)) => "resolved",
        Some(Notice::Repeat(_)) => "repeated",
    }
}

/// An id for this very message: alerts that are closed or said again keep the id of the alert, which is another
/// message.
pub fn message_id(alert: &Alert) -> String {
    match alert.notice {
        None => alert.id.clone(),
        Some(Notice::Resolved(_)) => format!("{}-resolved", alert.id),
        Some(Notice::Repeat(n)) => format!("{}-repeat-{n}", alert.id),
    }
}

/// A severity from 0 to 10, as CEF and LEEF have it.
pub(super) fn of_ten(severity: Severity) -> u64 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

/// A value as text: texts bare, everything else as JSON.
pub fn value_text(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The times of the first and the last bound event.
pub(super) fn span(alert: &Alert) -> Option<(Timestamp, Timestamp)> {
    let times = || alert.bound.iter().flat_map(|step| step.events.iter().map(|event| event.ts));
    Some((times().min()?, times().max()?))
}

/// The number of bound events.
pub(super) fn count(alert: &Alert) -> u64 {
    alert.bound.iter().map(|step| step.events.len() as u64).sum()
}

/// A name in which everything but letters, digits, `.`, `_` and `-` of ASCII is `_`.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' }).collect()
}
