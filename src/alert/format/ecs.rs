//! Alerts with the field names of the Elastic Common Schema 8: `@timestamp`, `event.*`, `rule.*`, `tags`, `message`.
//! What the schema has no place for stands under `tripline`.

use super::json::{self, Object};
use super::{Formatter, words};
use crate::alert::{Alert, Notice, Severity};
use crate::base::{Value, attack};

/// Appends the alert as one line.
pub(super) fn write(alert: &Alert, formatter: &Formatter, out: &mut String) {
    let mut object = Object::open(out);
    object.text("@timestamp", &alert.time.to_string());
    object.values("ecs", &[("version".to_owned(), Value::Str("8.17".into()))]);
    object.text("message", &words::message(alert));
    if !alert.tags.is_empty() {
        object.texts("tags", &alert.tags);
    }

    let mut event = Object::open(object.key("event"));
    event.text("kind", "alert");
    match alert.notice {
        Some(Notice::Resolved(_)) => event.text("action", "resolved"),
        Some(Notice::Repeat(_)) => event.text("action", "repeated"),
        None => {}
    }
    event.text("id", &alert.id);
    event.number("severity", severity_number(alert.severity));
    event.text("provider", "tripline");
    event.text("dataset", "tripline.alert");
    if let Some((start, end)) = words::span(alert) {
        event.text("start", &start.to_string());
        event.text("end", &end.to_string());
    }
    event.close();

    let mut rule = Object::open(object.key("rule"));
    rule.text("id", &alert.rule_name);
    rule.text("name", words::title(alert));
    if let Some(about) = &alert.about {
        if let Some(id) = &about.id {
            rule.text("uuid", id);
        }
        if let Some(author) = &about.author {
            rule.texts("author", std::slice::from_ref(author));
        }
        if let Some(reference) = about.references.first() {
            rule.text("reference", reference);
        }
    }
    rule.close();
    threat(&alert.tags, &mut object);

    let mut own = Object::open(object.key("tripline"));
    own.text("severity", alert.severity.as_str());
    own.values("key", &alert.key);
    match alert.notice {
        Some(Notice::Resolved(by)) => {
            own.text("status", "resolved");
            json::resolved_by(by, formatter, own.key("resolved_by"));
        }
        other => {
            if let Some(Notice::Repeat(n)) = other {
                own.number("repeat", n);
            }
            own.values("values", &alert.values);
            json::events(alert, formatter, own.key("events"));
        }
    }
    if let Some(about) = &alert.about {
        json::write_about(about, own.key("about"));
    }
    if alert.suppressed > 0 {
        own.number("suppressed", alert.suppressed);
    }
    if !alert.notes.is_empty() {
        own.texts("notes", &alert.notes);
    }
    own.close();

    object.close();
    out.push('\n');
}

/// Tactics and techniques that the tags name.
fn threat(tags: &[String], object: &mut Object<'_>) {
    let tactics: Vec<String> = tags.iter().filter_map(|tag| attack::tactic(tag)).collect();
    let named: Vec<String> = tags.iter().filter_map(|tag| attack::technique(tag)).collect();
    if tactics.is_empty() && named.is_empty() {
        return;
    }
    // A sub-technique is listed under its technique, which a rule seldom names beside it.
    let mut techniques: Vec<String> = Vec::new();
    for id in &named {
        let technique = id.split('.').next().unwrap_or(id);
        if !techniques.iter().any(|known| known == technique) {
            techniques.push(technique.to_owned());
        }
    }
    let parts: Vec<String> = named.iter().filter(|id| id.contains('.')).cloned().collect();
    let mut threat = Object::open(object.key("threat"));
    threat.text("framework", "MITRE ATT&CK");
    if !tactics.is_empty() {
        let mut tactic = Object::open(threat.key("tactic"));
        tactic.texts("name", &tactics);
        tactic.close();
    }
    if !techniques.is_empty() {
        let mut technique = Object::open(threat.key("technique"));
        technique.texts("id", &techniques);
        if !parts.is_empty() {
            let mut part = Object::open(technique.key("subtechnique"));
            part.texts("id", &parts);
            part.close();
        }
        technique.close();
    }
    threat.close();
}

/// The numbers that Elastic's own detection rules use for their levels.
fn severity_number(severity: Severity) -> u64 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    }
}
