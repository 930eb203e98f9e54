//! Alerts as OCSF 1.4 Detection Findings (class 2004).
//!
//! The key's components and the alert's values are `observables` of type other, the rule is the `finding_info` and
//! its `analytic`, ATT&CK tags are `attacks`. What OCSF has no place for stands in `unmapped`.

use super::json::{self, Object};
use super::{Formatter, words};
use crate::alert::{Alert, Notice, Severity};
use crate::base::attack;

/// Appends the alert as one line.
pub(super) fn write(alert: &Alert, formatter: &Formatter, out: &mut String) {
    // Create, update, close.
    let (activity, name) = match alert.notice {
        None => (1, "Create"),
        Some(Notice::Repeat(_)) => (2, "Update"),
        Some(Notice::Resolved(_)) => (3, "Close"),
    };
    let mut object = Object::open(out);
    object.number("activity_id", activity);
    object.text("activity_name", name);
    object.number("category_uid", 2);
    object.text("category_name", "Findings");
    object.number("class_uid", 2004);
    object.text("class_name", "Detection Finding");
    object.number("type_uid", 200_400 + activity);
    object.signed("time", alert.time.as_millis());
    let severity = match alert.severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    object.number("severity_id", severity.0);
    object.text("severity", severity.1);
    let (id, status) = match alert.notice {
        Some(Notice::Resolved(_)) => (4, "Resolved"),
        _ => (1, "New"),
    };
    object.number("status_id", id);
    object.text("status", status);
    object.text("message", &words::message(alert));
    if let Some((start, end)) = words::span(alert) {
        object.signed("start_time", start.as_millis());
        object.signed("end_time", end.as_millis());
        object.number("count", words::count(alert).max(1));
    }
    metadata(alert, &mut object);
    finding_info(alert, &mut object);
    observables(alert, &mut object);

    let mut unmapped = Object::open(object.key("unmapped"));
    unmapped.values("key", &alert.key);
    match alert.notice {
        Some(Notice::Resolved(by)) => json::resolved_by(by, formatter, unmapped.key("resolved_by")),
        other => {
            if let Some(Notice::Repeat(n)) = other {
                unmapped.number("repeat", n);
            }
            unmapped.values("values", &alert.values);
            json::events(alert, formatter, unmapped.key("events"));
        }
    }
    if !alert.tags.is_empty() {
        unmapped.texts("tags", &alert.tags);
    }
    if let Some(about) = &alert.about {
        json::write_about(about, unmapped.key("about"));
    }
    if alert.suppressed > 0 {
        unmapped.number("suppressed", alert.suppressed);
    }
    if !alert.notes.is_empty() {
        unmapped.texts("notes", &alert.notes);
    }
    unmapped.close();
    object.close();
    out.push('\n');
}

fn metadata(alert: &Alert, object: &mut Object<'_>) {
    let mut metadata = Object::open(object.key("metadata"));
    metadata.text("version", "1.4.0");
    metadata.text("uid", &words::message_id(alert));
    let mut product = Object::open(metadata.key("product"));
    product.text("name", "Tripline");
    product.text("vendor_name", "Tripline");
    product.text("version", env!("CARGO_PKG_VERSION"));
    product.close();
    metadata.close();
}

fn finding_info(alert: &Alert, object: &mut Object<'_>) {
    let mut info = Object::open(object.key("finding_info"));
    info.text("uid", &alert.id);
    info.text("title", words::title(alert));
    info.signed("created_time", alert.time.as_millis());
    let mut analytic = Object::open(info.key("analytic"));
    analytic.text("uid", &alert.rule_name);
    analytic.text("name", words::title(alert));
    analytic.number("type_id", 1);
    analytic.text("type", "Rule");
    analytic.close();
    if let Some(reference) = alert.about.as_ref().and_then(|about| about.references.first()) {
        info.text("src_url", reference);
    }
    let techniques: Vec<String> = alert.tags.iter().filter_map(|tag| attack::technique(tag)).collect();
    if !techniques.is_empty() {
        let list = info.key("attacks");
        list.push('[');
        for (n, id) in techniques.iter().enumerate() {
            if n > 0 {
                list.push(',');
            }
            let (name, uid) = match id.split_once('.') {
                Some((technique, _)) => ("sub_technique", (technique, Some(id))),
                None => ("technique", (id.as_str(), None)),
            };
            let mut attack = Object::open(list);
            let mut technique = Object::open(attack.key("technique"));
            technique.text("uid", uid.0);
            technique.close();
            if let Some(uid) = uid.1 {
                let mut part = Object::open(attack.key(name));
                part.text("uid", uid);
                part.close();
            }
            attack.close();
        }
        list.push(']');
    }
    info.close();
}

/// The parts of the key: what the finding is about.
fn observables(alert: &Alert, object: &mut Object<'_>) {
    if alert.key.is_empty() {
        return;
    }
    let list = object.key("observables");
    list.push('[');
    for (n, (name, value)) in alert.key.iter().enumerate() {
        if n > 0 {
            list.push(',');
        }
        let mut observable = Object::open(list);
        observable.text("name", name);
        observable.number("type_id", 99);
        observable.text("type", "Other");
        observable.text("value", &words::value_text(value));
        observable.close();
    }
    list.push(']');
}
