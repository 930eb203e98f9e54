//! Bodies that known receivers want: Slack, Teams, PagerDuty, Opsgenie and Alertmanager.
//!
//! Written from the receivers' public descriptions: Slack incoming webhooks, Adaptive Cards 1.4 in a Teams workflow,
//! PagerDuty Events API v2, Opsgenie Alert API v2, Alertmanager API v2. Alerts that are resolved close what they
//! opened where the receiver can: the alert's id is the deduplication key.

use serde_json::{Value, json};

use super::http::Url;
use super::markup::Markup;
use super::secret::Secret;
use crate::alert::format::words;
use crate::alert::{Alert, Notice, Severity};
use crate::io::deliver::Letter;

/// A known receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// An incoming webhook of Slack.
    Slack,
    /// A workflow of Teams that posts a card.
    Teams,
    /// PagerDuty events; the token is the routing key.
    PagerDuty,
    /// Opsgenie alerts; the token is the API key.
    Opsgenie,
    /// Prometheus Alertmanager.
    Alertmanager,
}

/// A request to be made.
pub(super) struct Wanted {
    pub(super) url: String,
    pub(super) body: Value,
}

/// Characters of a headline.
const HEADLINE: usize = 130;
/// Characters of one value.
const VALUE: usize = 500;
/// Values that are shown to people.
const SHOWN: usize = 20;

impl Preset {
    /// How texts are escaped for the receiver.
    pub fn markup(self) -> Markup {
        match self {
            Self::Slack => Markup::Slack,
            Self::Teams => Markup::Markdown,
            Self::PagerDuty | Self::Opsgenie | Self::Alertmanager => Markup::Plain,
        }
    }

    /// The request for an alert.
    pub(super) fn request(self, letter: &Letter, url: &Url, token: Option<&Secret>) -> Wanted {
        let alert = &*letter.alert;
        let own = || url.reveal();
        match self {
            Self::Slack => Wanted { url: own(), body: slack(alert) },
            Self::Teams => Wanted { url: own(), body: teams(alert) },
            Self::PagerDuty => Wanted { url: own(), body: pagerduty(alert, token) },
            Self::Opsgenie => opsgenie(alert, url),
            Self::Alertmanager => Wanted { url: own(), body: alertmanager(alert) },
        }
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn is_resolved(alert: &Alert) -> bool {
    matches!(alert.notice, Some(Notice::Resolved(_)))
}

fn headline(alert: &Alert) -> String {
    let state = if is_resolved(alert) { "resolved: " } else { "" };
    cut(&format!("{state}{}", words::title(alert)), HEADLINE)
}

/// Key and values, cut and escaped.
fn facts(alert: &Alert, markup: Markup) -> Vec<(String, String)> {
    let values = alert.values.iter().filter(|(name, _)| name != "message");
    let pairs = alert.key.iter().chain(values).take(SHOWN);
    pairs.map(|(name, value)| (markup.escape(name), markup.escape(&cut(&words::value_text(value), VALUE)))).collect()
}

fn slack(alert: &Alert) -> Value {
    let escape = |text: &str| Markup::Slack.escape(text);
    let color = if is_resolved(alert) { "#2eb67d" } else { color(alert.severity) };
    let fields: Vec<Value> = facts(alert, Markup::Slack)
        .into_iter()
        .map(|(title, value)| json!({ "title": title, "value": value, "short": value.len() < 40 }))
        .collect();
    let headline = format!("{} {}", alert.severity.as_str().to_uppercase(), headline(alert));
    json!({
        "text": escape(&headline),
        "attachments": [{
            "color": color,
            "fallback": escape(&words::message(alert)),
            "text": escape(&cut(&words::message(alert), VALUE)),
            "fields": fields,
            "footer": escape(&format!("{} {}", alert.rule_name, alert.id)),
            "ts": alert.time.as_millis() / 1000,
            "mrkdwn_in": [],
        }],
    })
}

fn teams(alert: &Alert) -> Value {
    let escape = |text: &str| Markup::Markdown.escape(text);
    let style = match alert.severity {
        _ if is_resolved(alert) => "good",
        Severity::Critical | Severity::High => "attention",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "accent",
    };
    let mut all = vec![
        json!({ "title": "severity", "value": alert.severity.as_str() }),
        json!({ "title": "time", "value": escape(&alert.time.to_string()) }),
        json!({ "title": "rule", "value": escape(&alert.rule_name) }),
    ];
    all.extend(
        facts(alert, Markup::Markdown).into_iter().map(|(title, value)| json!({ "title": title, "value": value })),
    );
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    { "type": "Container", "style": style, "items": [
                        { "type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true,
                          "text": escape(&headline(alert)) },
                    ] },
                    { "type": "TextBlock", "wrap": true, "text": escape(&cut(&words::message(alert), VALUE)) },
                    { "type": "FactSet", "facts": all },
                ],
            },
        }],
    })
}

fn pagerduty(alert: &Alert, token: Option<&Secret>) -> Value {
    let severity = match alert.severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    };
    let source = alert.key.first().map_or_else(|| "tripline".to_owned(), |(_, value)| words::value_text(value));
    let details: serde_json::Map<_, _> =
        facts(alert, Markup::Plain).into_iter().map(|(name, value)| (name, value.into())).collect();
    let mut body = json!({
        "routing_key": token.map(Secret::reveal),
        "event_action": if is_resolved(alert) { "resolve" } else { "trigger" },
        "dedup_key": alert.id,
    });
    if !is_resolved(alert) {
        body["payload"] = json!({
            "summary": cut(&Markup::Plain.escape(&words::message(alert)), 1024),
            "source": cut(&Markup::Plain.escape(&source), VALUE),
            "severity": severity,
            "timestamp": alert.time.to_string(),
            "class": alert.rule_name,
            "custom_details": details,
        });
    }
    body
}

fn opsgenie(alert: &Alert, url: &Url) -> Wanted {
    if is_resolved(alert) {
        let url = url.join(&format!("/{}/close?identifierType=alias", alert.id));
        return Wanted { url, body: json!({ "source": "tripline" }) };
    }
    let priority = match alert.severity {
        Severity::Critical => "P1",
        Severity::High => "P2",
        Severity::Medium => "P3",
        Severity::Low => "P4",
        Severity::Info => "P5",
    };
    let details: serde_json::Map<_, _> =
        facts(alert, Markup::Plain).into_iter().map(|(name, value)| (name, value.into())).collect();
    let body = json!({
        "message": Markup::Plain.escape(&headline(alert)),
        "alias": alert.id,
        "description": cut(&Markup::Plain.escape(&words::message(alert)), 15_000),
        "priority": priority,
        "source": "tripline",
        "entity": alert.rule_name,
        "tags": alert.tags.iter().take(SHOWN).map(|tag| cut(&Markup::Plain.escape(tag), 50)).collect::<Vec<_>>(),
        "details": details,
    });
    Wanted { url: url.reveal(), body }
}

fn alertmanager(alert: &Alert) -> Value {
    let mut labels = serde_json::Map::new();
    labels.insert("alertname".to_owned(), (&*alert.rule_name).into());
    labels.insert("severity".to_owned(), alert.severity.as_str().into());
    for (name, value) in &alert.key {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        labels.insert(format!("key_{}", name.chars().map(plain).collect::<String>()), words::value_text(value).into());
    }
    let mut body = json!({
        "labels": labels,
        "annotations": {
            "summary": Markup::Plain.escape(words::title(alert)),
            "description": Markup::Plain.escape(&words::message(alert)),
            "id": alert.id,
        },
        "startsAt": alert.time.to_string(),
    });
    if let Some(Notice::Resolved(by)) = alert.notice {
        body["endsAt"] = by.ts.to_string().into();
    }
    json!([body])
}

fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "#8b0000",
        Severity::High => "#e01e5a",
        Severity::Medium => "#ecb22e",
        Severity::Low => "#36c5f0",
        Severity::Info => "#9aa0a6",
    }
}
