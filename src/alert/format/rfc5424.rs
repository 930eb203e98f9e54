//! Alerts as syslog messages of RFC 5424: one line, with the alert's parts as structured data.
//!
//! ```text
//! <129>1 2026-03-02T12:31:40.000Z host tripline - rule [tripline@32473 id="…" key.user="bob"] bob got in
//! ```
//! In values `"`, `\` and `]` are escaped as the RFC says; what cannot be seen is written out as `\u{…}`. The message
//! carries no byte order mark, since receivers show it. `32473` is the number that RFC 5612 sets aside for examples:
//! Tripline has no number of its own.

use std::fmt::Write;

use super::words;
use crate::alert::{Alert, Severity};
use crate::base::visible;

/// Who speaks, as the head of a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// The facility, 0 to 23.
    pub facility: u8,
    /// The host's name; `-` for none.
    pub hostname: String,
    /// The program's.
    pub app_name: String,
}

impl Default for Speaker {
    /// `local0`, no host, `tripline`.
    fn default() -> Self {
        Self { facility: 16, hostname: "-".to_owned(), app_name: "tripline".to_owned() }
    }
}

/// Appends the alert without a line end. `text` is what stands in place of the message.
pub fn write(alert: &Alert, speaker: &Speaker, text: Option<&str>, out: &mut String) {
    let level = match alert.severity {
        Severity::Critical => 1,
        Severity::High => 2,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    };
    let priority = u32::from(speaker.facility) * 8 + level;
    let (host, app, rule) = (token(&speaker.hostname, 255), token(&speaker.app_name, 48), token(&alert.rule_name, 32));
    write!(out, "<{priority}>1 {} {host} {app} - {rule} [tripline@32473", alert.time).expect("a String takes any text");
    pair("id", &alert.id, out);
    pair("rule", &alert.rule_name, out);
    pair("severity", alert.severity.as_str(), out);
    pair("status", words::status(alert), out);
    for tag in alert.tags.iter() {
        pair("tag", tag, out);
    }
    for (kind, pairs) in [("key", &alert.key), ("value", &alert.values)] {
        for (name, value) in pairs.iter().filter(|(name, _)| name != "message") {
            pair(&token(&format!("{kind}.{name}"), 32), &words::value_text(value), out);
        }
    }
    out.push_str("] ");
    match text {
        Some(text) => out.push_str(text),
        None => out.push_str(&visible(&words::message(alert))),
    }
}

fn pair(name: &str, value: &str, out: &mut String) {
    write!(out, " {name}=\"").expect("a String takes any text");
    for c in visible(value).chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// A name of the head or of structured data: printable ASCII without blanks, `=`, `]` and `"`, of this length at most.
fn token(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"') { c } else { '_' };
    let token: String = text.chars().map(plain).take(most).collect();
    if token.is_empty() { "-".to_owned() } else { token }
}
