//! Detection rules as Elastic writes them, in TOML or JSON: a query and what there is to say about it.
//!
//! What cannot be kept to is refused, because the rule would alert on other events without it. What says how often a
//! search runs, and over which indices, has no meaning on a stream and is passed over; docs/eql.md lists it.

use std::collections::BTreeSet;

use super::document::{Kind, Value};
use super::report::refused;
use super::rule_facts::{Facts, Said, unique_name};
use super::suppression::Suppression;
use super::text::Embedded;
use crate::diag::Diagnostic;
use crate::diag::codes::eql as codes;
use crate::syntax::source::Span;

/// A rule's query with what is said about it.
pub(super) struct Detection {
    pub(super) query: Embedded,
    pub(super) facts: Facts,
    /// The field of the event category, if the rule names one.
    pub(super) event_category: Option<Vec<String>>,
}

fn said(value: &Value) -> Option<Said> {
    let text = value.text()?;
    let trimmed = text.text.trim();
    (!trimmed.is_empty()).then(|| (trimmed.to_owned(), value.span))
}

fn all_said(rule: &Value, key: &str) -> Vec<Said> {
    rule.get(key).map_or(&[][..], Value::list).iter().filter_map(said).collect()
}

/// Whether a value says something: no empty list or table.
fn is_filled(value: &Value) -> bool {
    match &value.kind {
        Kind::List(items) => !items.is_empty(),
        Kind::Table(members) => !members.is_empty(),
        Kind::Other => false,
        _ => true,
    }
}

/// The rules of a tree: itself, the members of a list, or what is under `rule`, with the `metadata` beside it.
pub(super) fn rules(tree: &Value) -> Vec<(&Value, Option<&Value>)> {
    match &tree.kind {
        Kind::List(items) => items.iter().flat_map(rules).collect(),
        Kind::Table(_) => match (tree.get("rule"), tree.get("rules")) {
            (Some(rule), _) if matches!(rule.kind, Kind::Table(_)) => vec![(rule, tree.get("metadata"))],
            (_, Some(many)) if matches!(many.kind, Kind::List(_)) => rules(many),
            // The last line of an export counts what there is.
            _ if tree.get("exported_count").is_some() || tree.get("exported_rules_count").is_some() => Vec::new(),
            _ => vec![(tree, tree.get("metadata"))],
        },
        _ => Vec::new(),
    }
}

/// Reads a rule; `None` if it is of another kind, or lacks something, which is reported.
pub(super) fn detection(
    rule: &Value,
    metadata: Option<&Value>,
    taken: &mut BTreeSet<String>,
    out: &mut Vec<Diagnostic>,
) -> Option<Detection> {
    let word = |key: &str| rule.get(key).and_then(Value::text).map(|t| t.text.clone());
    let name = rule.get("name").and_then(said);
    let kind = word("type").or_else(|| word("language"));
    match (kind.as_deref(), word("language").as_deref()) {
        (Some("eql"), _) | (_, Some("eql")) => {}
        (Some(other), _) => {
            let at = rule.get("type").or_else(|| rule.get("language")).map_or(rule.span, |v| v.span);
            out.push(
                Diagnostic::warning(
                    codes::PASSED_OVER,
                    format!("a rule of type `{other}` is passed over"),
                    at,
                    "no EQL",
                )
                .help("rules with `type = \"eql\"` are loaded; write this one as a rule of its own if it is wanted"),
            );
            return None;
        }
        (None, _) => {
            let start = Span { end: (rule.span.start + 1).min(rule.span.end), ..rule.span };
            out.push(refused(
                codes::NOT_READABLE,
                "this is no detection rule",
                start,
                "has no `type`",
                "a detection rule has `type = \"eql\"`, `name` and `query`",
            ));
            return None;
        }
    }
    let place = name.as_ref().map_or(rule.span, |n| n.1);
    let Some(query) = rule.get("query").and_then(Value::text) else {
        let help = "write `query = '''process where …'''`";
        out.push(refused(codes::NOT_READABLE, "the rule has no query", place, "no `query`", help));
        return None;
    };
    let before = out.len();
    refuse_parts(rule, out);
    let suppress = rule.get("alert_suppression").and_then(|value| suppression(value, out));
    if out.len() > before {
        return None;
    }
    let mut facts = Facts {
        name: String::new(),
        place: name.as_ref().map(|n| n.1),
        title: name,
        id: rule.get("rule_id").or_else(|| rule.get("id")).and_then(said),
        status: metadata.and_then(|m| m.get("maturity")).and_then(said).and_then(status),
        severity: rule.get("severity").and_then(said).map(|(level, at)| (level.to_lowercase(), at)),
        risk: rule.get("risk_score").and_then(|v| match v.kind {
            Kind::Number(risk) => Some((risk, v.span)),
            _ => None,
        }),
        tags: all_said(rule, "tags"),
        description: rule.get("description").and_then(said),
        runbook: rule.get("note").and_then(said),
        author: None,
        references: all_said(rule, "references"),
        false_positives: all_said(rule, "false_positives"),
        disabled: rule.get("enabled").filter(|v| matches!(v.kind, Kind::Bool(false))).map(|v| v.span),
        suppress,
    };
    let authors = all_said(rule, "author");
    if let Some((_, at)) = authors.first() {
        let names: Vec<&str> = authors.iter().map(|a| a.0.as_str()).collect();
        facts.author = Some((names.join(", "), *at));
    }
    for threat in rule.get("threat").map_or(&[][..], Value::list) {
        threats(threat, &mut facts.tags);
    }
    facts.name = unique_name(facts.title.as_ref().map_or("query", |t| &t.0), taken);
    let event_category = word("event_category_override").map(|path| path.split('.').map(str::to_owned).collect());
    Some(Detection { query: query.clone(), facts, event_category })
}

/// A maturity in the words of Sigma, which `--status` knows.
fn status((maturity, at): Said) -> Option<Said> {
    let word = match maturity.as_str() {
        "production" => "stable",
        "beta" => "test",
        "development" => "experimental",
        "deprecated" => "deprecated",
        _ => return None,
    };
    Some((word.to_owned(), at))
}

/// ATT&CK's tactic and techniques as tags.
fn threats(threat: &Value, tags: &mut Vec<Said>) {
    let mut add = |tag: String, at: Span| {
        if !tags.iter().any(|(known, _)| *known == tag) {
            tags.push((tag, at));
        }
    };
    if let Some((name, at)) = threat.get("tactic").and_then(|t| t.get("name")).and_then(said) {
        add(format!("attack.{}", name.to_lowercase().replace(' ', "-")), at);
    }
    for technique in threat.get("technique").map_or(&[][..], Value::list) {
        let subs = technique.get("subtechnique").map_or(&[][..], Value::list);
        for (id, at) in std::iter::once(technique).chain(subs).filter_map(|t| t.get("id")).filter_map(said) {
            add(format!("attack.{}", id.to_lowercase()), at);
        }
    }
}

/// Parts that decide which events alert, and that lie elsewhere.
fn refuse_parts(rule: &Value, out: &mut Vec<Diagnostic>) {
    let parts = [
        ("filters", "filters of Kibana beside the query", "write them as conditions of the query"),
        ("exceptions_list", "exceptions that lie in another system", "write them as `not …` in the query"),
    ];
    for (key, what, help) in parts {
        if let Some(value) = rule.get(key).filter(|v| is_filled(v)) {
            out.push(refused(codes::RULE_PART, format!("`{key}` cannot be kept to"), value.span, what, help));
        }
    }
}

fn suppression(value: &Value, out: &mut Vec<Diagnostic>) -> Option<Suppression> {
    if !is_filled(value) {
        return None;
    }
    let by = all_said(value, "group_by");
    let mut period = None;
    if let Some(duration) = value.get("duration") {
        let number = duration.get("value").and_then(|v| match v.kind {
            Kind::Number(n) => Some(n),
            _ => None,
        });
        let unit = duration.get("unit").and_then(Value::text).and_then(|u| match u.text.as_str() {
            "s" => Some(1_000_000_000_i64),
            "m" => Some(60_000_000_000),
            "h" => Some(3_600_000_000_000),
            "d" => Some(86_400_000_000_000),
            _ => None,
        });
        #[allow(clippy::cast_possible_truncation, reason = "whole, and below 10⁹")]
        let length = number
            .filter(|n| n.fract() == 0.0 && (1.0..1e9).contains(n))
            .zip(unit)
            .and_then(|(n, unit)| (n as i64).checked_mul(unit));
        let Some(length) = length else {
            let help = "write `duration = { value = 1, unit = \"h\" }`";
            let message = "this is no duration";
            out.push(refused(codes::RULE_PART, message, duration.span, "not a number and a unit", help));
            return None;
        };
        period = Some((length, duration.span));
    }
    let strategy = value.get("missing_fields_strategy").and_then(Value::text);
    let alone_if_missing = strategy.is_some_and(|s| s.text == "doNotSuppress");
    Some(Suppression { by, period, alone_if_missing, span: value.span })
}
