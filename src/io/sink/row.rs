//! The row that tables of alerts have, in SQLite and PostgreSQL alike.
//!
//! `id` is the primary key, so an alert that comes twice is one row. What is said of an alert later (that it is closed,
//! or said again) changes its row.

use crate::alert::Notice;
use crate::alert::format::{Format, words};
use crate::io::deliver::Letter;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) rule: String,
    pub(super) title: String,
    pub(super) severity: &'static str,
    /// RFC 3339.
    pub(super) time: String,
    pub(super) message: String,
    /// JSON.
    pub(super) key: String,
    /// JSON.
    pub(super) tags: String,
    /// JSON: the alert as it is written to files.
    pub(super) alert: String,
    pub(super) change: Change,
}

/// What a row says of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is new.
    New,
    /// It is closed, since this time.
    Resolved(String),
    /// It was said so often again.
    Repeated(i64),
}

impl Row {
    pub(super) fn new(letter: &Letter) -> Self {
        let alert = &letter.alert;
        let key: serde_json::Map<_, _> =
            alert.key.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
        Self {
            id: alert.id.clone(),
            rule: alert.rule_name.to_string(),
            title: words::title(alert).to_owned(),
            severity: alert.severity.as_str(),
            time: alert.time.to_string(),
            message: words::message(alert),
            key: serde_json::Value::Object(key).to_string(),
            tags: serde_json::Value::from(alert.tags.to_vec()).to_string(),
            alert: letter.text(Format::Json),
            change: match alert.notice {
                None => Change::New,
                Some(Notice::Resolved(by)) => Change::Resolved(by.ts.to_string()),
                Some(Notice::Repeat(n)) => Change::Repeated(i64::try_from(n).unwrap_or(i64::MAX)),
            },
        }
    }
}

/// Whether a text is a plain name for a table: letters, digits and `_`, with a letter or `_` first.
pub fn is_table_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
