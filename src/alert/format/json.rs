//! Alerts as JSON lines. Also the pieces that the ECS rendering shares.
//!
//! The text is built by hand around `serde_json` values, because an event kept whole is passed on as the bytes that
//! were read, not parsed and printed again.

use std::borrow::Cow;
use std::fmt::Write;

use super::Formatter;
use crate::alert::{About, Alert, BoundEvent, BoundStep, Notice, Origin, Seq};
use crate::base::{Timestamp, Value};

/// Appends the alert as one line.
pub(super) fn write(alert: &Alert, formatter: &Formatter, out: &mut String) {
    let mut object = Object::open(out);
    object.text("id", &alert.id);
    object.text("rule", &alert.rule_name);
    if let Some(title) = &alert.title {
        object.text("title", title);
    }
    match alert.notice {
        Some(Notice::Resolved(_)) => object.text("status", "resolved"),
        Some(Notice::Repeat(n)) => object.number("repeat", n),
        None => {}
    }
    object.text("severity", alert.severity.as_str());
    if !alert.tags.is_empty() {
        object.texts("tags", &alert.tags);
    }
    object.time("time", alert.time);
    object.values("key", &alert.key);
    if let Some(Notice::Resolved(by)) = alert.notice {
        resolved_by(by, formatter, object.key("resolved_by"));
    } else {
        object.values("values", &alert.values);
        events(alert, formatter, object.key("events"));
    }
    if let Some(about) = &alert.about {
        write_about(about, object.key("about"));
    }
    if alert.suppressed > 0 {
        object.number("suppressed", alert.suppressed);
    }
    if !alert.notes.is_empty() {
        object.texts("notes", &alert.notes);
    }
    object.close();
    out.push('\n');
}

/// Appends what the rule says about itself.
pub(super) fn write_about(about: &About, out: &mut String) {
    let mut object = Object::open(out);
    let texts = [("id", &about.id), ("status", &about.status), ("author", &about.author), ("runbook", &about.runbook)];
    for (name, value) in texts {
        if let Some(value) = value {
            object.text(name, value);
        }
    }
    for (name, values) in [("references", &about.references), ("false_positives", &about.false_positives)] {
        if !values.is_empty() {
            object.texts(name, values);
        }
    }
    object.close();
}

/// Appends the place of the event that closed an alert.
pub(super) fn resolved_by(by: Origin, formatter: &Formatter, out: &mut String) {
    let mut object = Object::open(out);
    object.number("seq", by.seq.line());
    if let Some(input) = formatter.input(by.seq) {
        object.text("input", input);
    }
    object.time("time", by.ts);
    object.close();
}

/// Appends the bound events: an object from step to list of events. A step without a name goes by its number.
pub(super) fn events(alert: &Alert, formatter: &Formatter, out: &mut String) {
    let mut steps = Object::open(out);
    for step in &alert.bound {
        let list = steps.key(&step_name(step));
        list.push('[');
        for (n, event) in step.events.iter().enumerate() {
            if n > 0 {
                list.push(',');
            }
            write_event(event, formatter, list);
        }
        list.push(']');
    }
    steps.close();
}

/// The name of a step, or its number from 1.
pub(super) fn step_name(step: &BoundStep) -> Cow<'_, str> {
    match &step.name {
        Some(name) => name.into(),
        None => (step.step.index() + 1).to_string().into(),
    }
}

fn write_event(event: &BoundEvent, formatter: &Formatter, out: &mut String) {
    let mut object = Object::open(out);
    if event.seq == Seq::EXPECTED {
        object.key("expected").push_str("true");
    } else if event.seq.is_recurring() {
        object.key("tick").push_str("true");
    } else if event.seq.is_alert() {
        // Its place among all alerts depends on what other rules there are.
        object.key("alert").push_str("true");
    } else {
        object.number("seq", event.seq.line());
        if let Some(input) = formatter.input(event.seq) {
            object.text("input", input);
        }
    }
    object.time("time", event.ts);
    if let Some(raw) = &event.raw {
        // A line that was decoded is valid JSON; only its line end is not wanted.
        let raw = raw.trim_matches(['\r', '\n', ' ', '\t', '\u{feff}']);
        object.key("event").push_str(raw);
    } else if !event.fields.is_empty() {
        object.values("fields", &event.fields);
    }
    object.close();
}

/// A JSON object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Object<'a> {
    /// Starts an object.
    pub(super) fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes a key; the caller writes the value.
    pub(super) fn key(&mut self, name: &str) -> &mut String {
        self.next();
        text(name, self.out);
        self.out.push(':');
        self.out
    }

    /// As [`Object::key`], for a name of this program's own: nothing in it must be escaped.
    fn own_key(&mut self, name: &'static str) -> &mut String {
        self.next();
        self.out.extend(["\"", name, "\":"]);
        self.out
    }

    fn next(&mut self) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
    }

    /// A member with a text.
    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        text(value, self.own_key(name));
    }

    /// A member with a time, in which nothing must be escaped.
    pub(super) fn time(&mut self, name: &'static str, value: Timestamp) {
        self.own_key(name).extend(["\"", &*value.rfc3339(), "\""]);
    }

    /// A member with a list of texts.
    pub(super) fn texts(&mut self, name: &'static str, values: &[String]) {
        let out = self.own_key(name);
        out.push('[');
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            text(value, out);
        }
        out.push(']');
    }

    /// A member with a whole number.
    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        write!(self.own_key(name), "{value}").expect("a String takes any text");
    }

    /// A member with a whole number that may be negative.
    pub(super) fn signed(&mut self, name: &'static str, value: i64) {
        write!(self.own_key(name), "{value}").expect("a String takes any text");
    }

    /// A member with an object of values, in their order.
    pub(super) fn values(&mut self, name: &'static str, values: &[(String, Value)]) {
        let mut object = Object::open(self.own_key(name));
        for (name, value) in values {
            match value {
                Value::Str(value) => text(value, object.key(name)),
                value => object.key(name).push_str(&value.to_json().to_string()),
            }
        }
        object.close();
    }

    /// Ends the object.
    pub(super) fn close(self) {
        self.out.push('}');
    }
}

/// Appends a JSON string. Most texts hold nothing that must be escaped, and printing a `serde_json` value goes through
/// the machinery of formatting byte by byte, so those are appended as they are.
fn text(value: &str, out: &mut String) {
    // All of them, without a way out: so several are compared at once.
    if value.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'"') | (byte == b'\\')) {
        out.push_str(&serde_json::Value::from(value).to_string());
    } else {
        out.extend(["\"", value, "\""]);
    }
}
