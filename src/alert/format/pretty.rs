//! Alerts for people: a head line, the key and values, and the bound events step by step.

use std::fmt::Write;

use super::Formatter;
use super::json::step_name;
use crate::alert::{Alert, BoundEvent, Notice, Seq, Severity};
use crate::base::{Value, visible};

/// Events of one step that are shown; of more, the first and last few.
const SHOWN_EVENTS: usize = 6;

/// Characters of one value that are shown.
const SHOWN_CHARS: usize = 160;

/// Characters of a value's name up to which the values stand in one column.
const SHOWN_NAME: usize = 24;

/// Appends the alert as some lines and an empty one.
pub(super) fn write(alert: &Alert, formatter: &Formatter, color: bool, out: &mut String) {
    let paint = Paint { color };
    let level = format!("{:<8}", alert.severity.as_str().to_uppercase());
    let title = alert.title.as_deref().unwrap_or_default();
    let status = match alert.notice {
        Some(Notice::Resolved(_)) => format!(" {}", paint.with(GREEN, "resolved")),
        Some(Notice::Repeat(n)) => format!(" {}", paint.with(DIM, &format!("again, {n}"))),
        None => String::new(),
    };
    line(
        out,
        &[
            &alert.time.to_string(),
            " ",
            &paint.with(severity_color(alert.severity), &level),
            " ",
            &paint.with(BOLD, &visible(&alert.rule_name)),
            &status,
            if title.is_empty() { "" } else { "  " },
            &visible(title),
        ],
    );
    let width = alert.values.iter().map(|(name, _)| visible(name).chars().count()).max().unwrap_or(0);
    let width = width.clamp("key".len(), SHOWN_NAME);
    if !alert.key.is_empty() {
        line(out, &["  ", &paint.with(DIM, &format!("{:<width$}", "key")), "  ", &pairs(&alert.key, &paint)]);
    }
    for (name, value) in &alert.values {
        line(out, &["  ", &paint.with(DIM, &format!("{:<width$}", visible(name))), "  ", &shown(value)]);
    }
    for step in &alert.bound {
        let name = step_name(step);
        let count = step.events.len();
        if count == 0 {
            continue;
        }
        let times = if count > 1 { format!(" ({count} events)") } else { String::new() };
        line(out, &["  ", &paint.with(CYAN, &visible(&name)), &times]);
        let cut = count > SHOWN_EVENTS;
        let head = if cut { SHOWN_EVENTS - 2 } else { count };
        for event in &step.events[..head] {
            write_event(event, formatter, &paint, out);
        }
        if cut {
            line(out, &["    ", &paint.with(DIM, &format!("… {} more", count - SHOWN_EVENTS))]);
            for event in &step.events[count - 2..] {
                write_event(event, formatter, &paint, out);
            }
        }
    }
    if let Some(Notice::Resolved(by)) = alert.notice {
        let place = match formatter.input(by.seq) {
            Some(input) => format!("{}:{}", visible(input), by.seq.line()),
            None => format!("line {}", by.seq.line()),
        };
        line(out, &["  ", &paint.with(DIM, &format!("by {place}"))]);
    }
    if alert.suppressed > 0 {
        line(out, &["  ", &paint.with(DIM, &format!("{} like this suppressed before", alert.suppressed))]);
    }
    for note in &alert.notes {
        line(out, &["  ", &paint.with(DIM, &format!("note: {}", visible(note)))]);
    }
    line(out, &["  ", &paint.with(DIM, &format!("id {}", alert.id))]);
    out.push('\n');
}

fn write_event(event: &BoundEvent, formatter: &Formatter, paint: &Paint, out: &mut String) {
    let place = match formatter.input(event.seq) {
        _ if event.seq == Seq::EXPECTED => "expected".to_owned(),
        _ if event.seq.is_recurring() => "tick".to_owned(),
        _ if event.seq.is_alert() => "alert".to_owned(),
        Some(input) => format!("{}:{}", visible(input), event.seq.line()),
        None => format!("line {}", event.seq.line()),
    };
    let fields = match &event.raw {
        Some(raw) => cut(&visible(raw.trim())),
        None => pairs(&event.fields, paint),
    };
    line(out, &["    ", &event.ts.to_string(), "  ", &paint.with(DIM, &place), "  ", &fields]);
}

/// `name=value` with blanks between.
fn pairs(values: &[(String, Value)], paint: &Paint) -> String {
    let mut text = String::new();
    for (name, value) in values {
        if matches!(value, Value::Missing) {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        write!(text, "{}{}", paint.with(DIM, &format!("{}=", visible(name))), shown(value))
            .expect("a String takes any text");
    }
    text
}

/// A value: texts bare, everything else as JSON.
fn shown(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => cut(&visible(&text)),
        other => cut(&visible(&other.to_string())),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Appends a line without blanks at its end.
fn line(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const CYAN: &str = "36";

fn severity_color(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "34",
        Severity::Low => "32",
        Severity::Medium => "33",
        Severity::High => "31",
        Severity::Critical => "1;97;41",
    }
}

struct Paint {
    color: bool,
}

impl Paint {
    fn with(&self, style: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
