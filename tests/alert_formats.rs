//! Every format holds its own rules whatever events contained: read back by the rules of the format, texts are what
//! they were, a line is a line, and nothing acts on a terminal. The JSON form is that of the published schema.

#[path = "alert_formats/schema.rs"]
mod schema;

use std::sync::Arc;

use proptest::prelude::*;
use tripline::alert::format::{Format, Formatter};
use tripline::alert::{About, Alert, BoundEvent, BoundStep, Notice, Origin, Seq, Severity};
use tripline::base::{Duration, RuleId, StepId, Timestamp, Value, visible};

/// Texts with what formats stumble over.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "|",
        "\\",
        "=",
        "\n",
        "\r\n",
        "\t",
        "\"",
        "]",
        "[",
        "{",
        "}",
        "'",
        "\u{0}",
        "\u{1b}[31m",
        "\u{9b}",
        "\u{202e}",
        "\u{2028}",
        "\u{feff}",
        "\u{200b}",
        "<!channel>",
        "&",
        "%",
        ";",
        ",",
        " ",
        "é",
        "東",
        "🙂",
        "\\n",
        "\\u{41}",
        "CEF:0|",
        "\u{7f}",
        "=\\",
        "\\|",
    ]);
    let part = prop_oneof![odd.prop_map(str::to_owned), "[a-zA-Z0-9_. -]{0,8}"];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        text().prop_map(|text| Value::Str(text.into())),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::UInt),
        any::<bool>().prop_map(Value::Bool),
        // Such as any reader of JSON gets back to the last bit.
        any::<i32>().prop_map(|n| Value::Float(f64::from(n) / 8.0)),
        Just(Value::Missing),
        (0..i64::MAX).prop_map(|n| Value::Duration(Duration(n))),
    ];
    plain.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| Value::List(items.into_iter().collect())),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().map(|(k, v)| (k.into(), v)).collect())),
        ]
    })
}

fn pairs() -> impl Strategy<Value = Vec<(String, Value)>> {
    prop::collection::vec((text(), value()), 0..4)
}

fn notice() -> impl Strategy<Value = Option<Notice>> {
    let origin = Origin { ts: Timestamp(5), seq: Seq(7) };
    prop_oneof![Just(None), Just(Some(Notice::Resolved(origin))), (1..99_u64).prop_map(|n| Some(Notice::Repeat(n)))]
}

prop_compose! {
    fn alert()(
        rule in text(), title in prop::option::of(text()), severity in prop::sample::select(Severity::ALL.to_vec()),
        tags in prop::collection::vec(prop_oneof![text(), Just("attack.t1110.001".to_owned())], 0..3),
        time in 0..4_000_000_000_000_i64, key in pairs(), mut values in pairs(), message in prop::option::of(text()),
        fields in pairs(), notice in notice(), suppressed in 0..3_u64, author in prop::option::of(text()),
    ) -> Alert {
        values.extend(message.map(|text| ("message".to_owned(), Value::Str(text.into()))));
        let event = BoundEvent { seq: Seq(3), ts: Timestamp(9), fields, raw: None, origins: Vec::new() };
        Alert {
            id: "00112233445566778899aabbccddeeff".to_owned(),
            rule: RuleId(0),
            rule_name: rule.into(),
            title: title.map(Into::into),
            severity,
            tags: tags.into(),
            about: author.map(|author| Arc::new(About { author: Some(author), ..About::default() })),
            time: Timestamp::from_millis(time),
            key,
            values,
            bound: vec![BoundStep { step: StepId(0), name: None, events: vec![event] }],
            suppressed,
            notes: Vec::new(),
            notice,
        }
    }
}

fn line(format: Format, alert: &Alert) -> String {
    let mut out = String::new();
    Formatter::new(format, vec!["a".to_owned()]).write(alert, &mut out);
    assert!(out.ends_with('\n'), "a line has an end");
    out.pop();
    out
}

fn text_of(value: &Value) -> String {
    match value.to_json() {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The text as people see it, line ends aside.
fn seen(text: &str) -> String {
    text.split_inclusive(['\r', '\n'])
        .map(|part| {
            let inner = part.trim_end_matches(['\r', '\n']);
            format!("{}{}", visible(inner), &part[inner.len()..])
        })
        .collect()
}

/// Splits at a separator that is not escaped, at most so often, leaving escapes in place.
fn split_unescaped(text: &str, separator: char, most: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == separator && parts.len() <= most {
            parts.push(String::new());
            continue;
        }
        let part = parts.last_mut().expect("one part at least");
        part.push(c);
        if c == '\\' {
            part.extend(chars.next());
        }
    }
    parts
}

/// Takes escapes away as CEF defines them for values.
fn cef_value(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            assert_ne!(c, '=', "an equals sign in a value is escaped");
            out.push(c);
            continue;
        }
        out.push(match chars.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some(c @ ('\\' | '=')) => c,
            other => panic!("no escape of CEF: {other:?}"),
        });
    }
    out
}

fn is_quiet(text: &str) -> bool {
    visible(text) == text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn json_formats_are_one_value_with_the_texts_they_were_given(alert in alert()) {
        for format in [Format::Json, Format::Ecs, Format::Ocsf] {
            let line = line(format, &alert);
            prop_assert!(!line.contains('\n'));
            let json: serde_json::Value = serde_json::from_str(&line).expect("one JSON value");
            let key = match format {
                Format::Json => &json["key"],
                Format::Ecs => &json["tripline"]["key"],
                _ => &json["unmapped"]["key"],
            };
            for (name, value) in &alert.key {
                let same = alert.key.iter().filter(|(other, _)| other == name).count() > 1;
                prop_assert!(same || key[name] == value.to_json());
            }
        }
    }

    #[test]
    fn the_native_form_is_that_of_the_schema(alert in alert()) {
        let json: serde_json::Value = serde_json::from_str(&line(Format::Json, &alert)).expect("one JSON value");
        let problems = schema::problems(&json);
        prop_assert!(problems.is_empty(), "{problems:?}\n{json}");
    }

    #[test]
    fn a_finding_has_what_its_class_asks_for(alert in alert()) {
        let json: serde_json::Value = serde_json::from_str(&line(Format::Ocsf, &alert)).expect("one JSON value");
        let number = |name: &str| json[name].as_u64().unwrap_or_default();
        prop_assert_eq!((number("class_uid"), number("category_uid")), (2004, 2));
        prop_assert_eq!(number("type_uid"), 2004 * 100 + number("activity_id"));
        prop_assert!((1..=6).contains(&number("severity_id")));
        prop_assert_eq!(json["time"].as_i64(), Some(alert.time.as_millis()));
        prop_assert_eq!(&json["finding_info"]["uid"], &alert.id);
        prop_assert!(json["finding_info"]["title"].is_string() && json["metadata"]["product"].is_object());
        prop_assert_eq!(&json["metadata"]["version"], "1.4.0");
    }

    #[test]
    fn cef_reads_back(alert in alert()) {
        let line = line(Format::Cef, &alert);
        prop_assert!(is_quiet(&line), "{line:?}");
        let head = split_unescaped(&line, '|', 7);
        prop_assert_eq!(head.len(), 8, "{}", line);
        prop_assert_eq!(&head[..3], &["CEF:0", "Tripline", "Tripline"].map(str::to_owned)[..]);
        let unescaped = head[4].replace("\\|", "|").replace("\\\\", "\\");
        // Both replacements agree with a reader only if every backslash is part of an escape.
        prop_assert_eq!(split_unescaped(&head[4], '|', 9).len(), 1);
        prop_assert!(unescaped.len() <= head[4].len());
        // Values: a name is followed by the first `=` that is not escaped; blanks in values are no separators.
        let mut rest = head[7].as_str();
        let mut found = Vec::new();
        while let Some(at) = next_equals(rest) {
            let name = rest[..at].trim_start().to_owned();
            let value = &rest[at + 1..];
            let end = match next_equals(value) {
                Some(next) => value[..next].rfind(' ').expect("a blank before the next name"),
                None => value.len(),
            };
            found.push((name, cef_value(&value[..end])));
            rest = &value[end..];
        }
        let find = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        prop_assert_eq!(find("externalId"), Some(alert.id.as_str()));
        if let Some((_, Value::Str(message))) = alert.values.iter().find(|(n, _)| n == "message") {
            let shown = seen(message);
            prop_assert_eq!(find("msg").map(str::trim_end), Some(shown.trim_end()));
        }
        prop_assert!(found.iter().all(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))));
    }

    #[test]
    fn leef_reads_back(alert in alert()) {
        let line = line(Format::Leef, &alert);
        let head: Vec<&str> = line.splitn(7, '|').collect();
        prop_assert_eq!(&head[..3], &["LEEF:2.0", "Tripline", "Tripline"]);
        prop_assert_eq!(head[5], "x09");
        let pairs: Vec<(&str, &str)> = head[6].split('\t').map(|pair| pair.split_once('=').expect("a pair")).collect();
        prop_assert!(pairs.iter().all(|(_, value)| is_quiet(value)) && is_quiet(head[4]));
        let find = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        prop_assert_eq!(find("id"), Some(alert.id.as_str()));
        prop_assert_eq!(pairs.iter().filter(|(name, _)| name.starts_with("tripline.")).count(),
            alert.key.len() + alert.values.iter().filter(|(n, _)| n != "message").count() + usize::from(alert.suppressed > 0));
    }

    #[test]
    fn syslog_reads_back(alert in alert()) {
        let line = line(Format::Rfc5424, &alert);
        prop_assert!(is_quiet(&line), "{line:?}");
        let priority: u32 = line[1..line.find('>').expect("a priority")].parse().expect("a number");
        prop_assert_eq!(priority / 8, 16);
        let head: Vec<&str> = line.splitn(7, ' ').collect();
        prop_assert_eq!((head[2], head[3], head[4]), ("-", "tripline", "-"));
        prop_assert!(head[5].len() <= 32);
        let (data, message) = structured(head[6]);
        prop_assert_eq!(data.iter().find(|(n, _)| n == "id").map(|(_, v)| v.as_str()), Some(alert.id.as_str()));
        prop_assert_eq!(data.iter().find(|(n, _)| n == "rule").map(|(_, v)| v.as_str()), Some(&*visible(&alert.rule_name)));
        prop_assert!(data.iter().all(|(name, _)| name.len() <= 32 && name.chars().all(|c| c.is_ascii_graphic())));
        let keys: Vec<&str> = data.iter().filter(|(n, _)| n.starts_with("key.")).map(|(_, v)| v.as_str()).collect();
        let given: Vec<String> = alert.key.iter().filter(|(n, _)| n != "message")
            .map(|(_, v)| visible(&text_of(v)).into_owned()).collect();
        prop_assert_eq!(keys, given);
        if let Some((_, Value::Str(text))) = alert.values.iter().find(|(n, _)| n == "message") {
            prop_assert_eq!(message, &*visible(text));
        }
    }
}

/// The place of the next `=` that is not escaped.
fn next_equals(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let hit = c == '=' && !escaped;
        escaped = c == '\\' && !escaped;
        hit.then_some(at)
    })
}

/// Structured data by the rules of RFC 5424, and what follows it.
fn structured(text: &str) -> (Vec<(String, String)>, &str) {
    let inner = text.strip_prefix("[tripline@32473").expect("structured data");
    let mut found = Vec::new();
    let mut chars = inner.char_indices();
    let (mut name, mut value, mut quoted) = (String::new(), String::new(), false);
    while let Some((at, c)) = chars.next() {
        match (quoted, c) {
            (false, ']') => return (found, inner[at + 1..].strip_prefix(' ').expect("a blank")),
            (false, ' ') => name.clear(),
            (false, '=') => {}
            (false, '"') => (quoted, value) = (true, String::new()),
            (false, c) => name.push(c),
            (true, '"') => {
                quoted = false;
                found.push((name.clone(), std::mem::take(&mut value)));
            }
            (true, '\\') => match chars.next() {
                Some((_, c @ ('"' | '\\' | ']'))) => value.push(c),
                other => panic!("no escape of RFC 5424: {other:?}"),
            },
            (true, ']') => panic!("a bracket in a value is escaped"),
            (true, c) => value.push(c),
        }
    }
    panic!("structured data without an end")
}

#[test]
fn the_schema_refuses_what_is_not_an_alert() {
    for wrong in [
        serde_json::json!({}),
        serde_json::json!({"id": "x", "rule": "r", "severity": "high", "time": "now", "key": {}, "values": {}, "events": {}}),
        serde_json::json!({"id": "0".repeat(32), "rule": "r", "severity": "bad", "time": "1970-01-01T00:00:00.000Z",
            "key": {}, "values": {}, "events": {}}),
        serde_json::json!({"id": "0".repeat(32), "rule": "r", "severity": "high", "time": "1970-01-01T00:00:00.000Z",
            "key": {}, "values": {}, "events": {}, "other": 1}),
    ] {
        assert!(!schema::problems(&wrong).is_empty(), "{wrong}");
    }
}
