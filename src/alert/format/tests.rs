//! The three renderings of one alert, and of one with hostile content.

use super::*;
use crate::alert::{About, BoundEvent, BoundStep, Seq, Severity};
use crate::base::{Duration, RuleId, StepId, Timestamp, Value};

fn event(input: u64, line: u64, fields: &[(&str, Value)], raw: Option<&str>) -> BoundEvent {
    BoundEvent {
        seq: Seq(input << 48 | line),
        ts: Timestamp::from_millis(line as i64 * 1000),
        fields: fields.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
        raw: raw.map(str::to_owned),
        origins: Vec::new(),
    }
}

fn alert() -> Alert {
    Alert {
        id: "00112233445566778899aabbccddeeff".to_owned(),
        rule: RuleId(0),
        rule_name: "brute_force".into(),
        title: Some("Brute force".into()),
        severity: Severity::High,
        tags: vec!["attack.t1110".to_owned()].into(),
        about: None,
        time: Timestamp::from_millis(3000),
        key: vec![("source.ip".to_owned(), Value::Str("192.0.2.7".into())), ("n".to_owned(), Value::Int(1))],
        values: vec![
            ("message".to_owned(), Value::Str("192.0.2.7 got in".into())),
            ("span".to_owned(), Value::Duration(Duration::from_secs(90))),
        ],
        bound: vec![
            BoundStep {
                step: StepId(0),
                name: Some("fail".to_owned()),
                events: vec![event(0, 1, &[("outcome", Value::Str("failure".into()))], None), event(0, 2, &[], None)],
            },
            BoundStep {
                step: StepId(1),
                name: None,
                events: vec![event(1, 3, &[], Some("{\"outcome\" : \"success\"}\r"))],
            },
        ],
        suppressed: 2,
        notes: Vec::new(),
        notice: None,
    }
}

fn render(format: Format, inputs: &[&str], alert: &Alert) -> String {
    let mut out = String::new();
    Formatter::new(format, inputs.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()).write(alert, &mut out);
    out
}

#[test]
fn json_is_one_object_a_line() {
    assert_eq!(
        render(Format::Json, &["a"], &alert()),
        concat!(
            r#"{"id":"00112233445566778899aabbccddeeff","rule":"brute_force","title":"Brute force","severity":"high","#,
            r#""tags":["attack.t1110"],"time":"1970-01-01T00:00:03.000Z","key":{"source.ip":"192.0.2.7","n":1},"#,
            r#""values":{"message":"192.0.2.7 got in","span":"1m30s"},"events":{"fail":["#,
            r#"{"seq":1,"time":"1970-01-01T00:00:01.000Z","fields":{"outcome":"failure"}},"#,
            r#"{"seq":2,"time":"1970-01-01T00:00:02.000Z"}],"2":["#,
            r#"{"seq":3,"time":"1970-01-01T00:00:03.000Z","event":{"outcome" : "success"}}]},"suppressed":2}"#,
            "\n"
        )
    );
}

#[test]
fn inputs_are_named_if_there_are_several() {
    let text = render(Format::Json, &["a.ndjson", "b.ndjson"], &alert());
    assert!(text.contains(r#"{"seq":1,"input":"a.ndjson","#), "{text}");
    assert!(text.contains(r#"{"seq":3,"input":"b.ndjson","#), "{text}");
}

#[test]
fn ecs_has_the_names_of_the_schema() {
    let text = render(Format::Ecs, &[], &alert());
    let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(text.matches('\n').count(), 1);
    assert_eq!(json["@timestamp"], "1970-01-01T00:00:03.000Z");
    assert_eq!(json["event"]["kind"], "alert");
    assert_eq!(json["event"]["severity"], 73);
    assert_eq!(json["event"]["start"], "1970-01-01T00:00:01.000Z");
    assert_eq!(json["rule"]["id"], "brute_force");
    assert_eq!(json["rule"]["name"], "Brute force");
    assert_eq!(json["message"], "192.0.2.7 got in");
    assert_eq!(json["tripline"]["key"]["source.ip"], "192.0.2.7");
    assert_eq!(json["tripline"]["suppressed"], 2);
}

#[test]
fn pretty_is_for_people() {
    assert_eq!(
        render(Format::Pretty { color: false }, &["a", "b"], &alert()),
        "1970-01-01T00:00:03.000Z HIGH     brute_force  Brute force\n\
         \x20 key      source.ip=192.0.2.7 n=1\n\
         \x20 message  192.0.2.7 got in\n\
         \x20 span     1m30s\n\
         \x20 fail (2 events)\n\
         \x20   1970-01-01T00:00:01.000Z  a:1  outcome=failure\n\
         \x20   1970-01-01T00:00:02.000Z  a:2\n\
         \x20 2\n\
         \x20   1970-01-01T00:00:03.000Z  b:3  {\"outcome\" : \"success\"}\n\
         \x20 2 like this suppressed before\n\
         \x20 id 00112233445566778899aabbccddeeff\n\n"
    );
    let colored = render(Format::Pretty { color: true }, &[], &alert());
    assert!(colored.contains("\u{1b}[31mHIGH    \u{1b}[0m"), "{colored:?}");
}

#[test]
fn hostile_content_stays_on_its_line() {
    let mut alert = alert();
    let evil = "x\u{1b}]0;owned\u{7}\u{202e}\nid 0";
    alert.key[0].1 = Value::Str(evil.into());
    alert.values[0] = (evil.to_owned(), Value::List(vec![Value::Str(evil.into())].into()));
    alert.bound[1].events[0].raw = Some("{\"a\":\"\u{202e}\u{9b}\"}".to_owned());
    let pretty = render(Format::Pretty { color: false }, &[evil, evil], &alert);
    assert!(pretty.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{pretty:?}");
    let lines = render(Format::Pretty { color: false }, &[], &super::tests::alert()).lines().count();
    assert_eq!(pretty.lines().count(), lines);
    for format in [Format::Json, Format::Ecs] {
        let text = render(format, &[], &alert);
        assert_eq!(text.matches('\n').count(), 1);
        let json: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
        let key = if format == Format::Ecs { &json["tripline"]["key"] } else { &json["key"] };
        assert_eq!(key["source.ip"], evil);
    }
}

#[test]
fn many_events_are_cut_for_people_only() {
    let mut alert = alert();
    alert.bound[0].events = (1..=100).map(|n| event(0, n, &[], None)).collect();
    let pretty = render(Format::Pretty { color: false }, &[], &alert);
    assert!(pretty.contains("… 94 more"), "{pretty}");
    assert!(pretty.contains("line 100\n"), "{pretty}");
    assert!(render(Format::Json, &[], &alert).contains("\"seq\":50"));
}

#[test]
fn what_a_rule_says_of_itself_goes_with_its_alerts() {
    let mut alert = alert();
    alert.tags = vec!["attack.t1110.001".to_owned(), "attack.credential_access".to_owned()].into();
    alert.about = Some(
        About {
            id: Some("8d7a".to_owned()),
            status: Some("test".to_owned()),
            references: vec!["https://example.org/a".to_owned()],
            false_positives: vec!["A changed \"password\"".to_owned()],
            ..About::default()
        }
        .into(),
    );
    let json = render(Format::Json, &["a"], &alert);
    assert!(
        json.contains(concat!(
            r#""about":{"id":"8d7a","status":"test","references":["https://example.org/a"],"#,
            r#""false_positives":["A changed \"password\""]},"suppressed":2}"#
        )),
        "{json}"
    );
    let ecs: serde_json::Value = serde_json::from_str(&render(Format::Ecs, &[], &alert)).expect("one JSON object");
    assert_eq!(ecs["rule"]["uuid"], "8d7a");
    assert_eq!(ecs["rule"]["reference"], "https://example.org/a");
    assert_eq!(ecs["threat"]["tactic"]["name"][0], "credential-access");
    assert_eq!(ecs["threat"]["technique"]["id"][0], "T1110");
    assert_eq!(ecs["threat"]["technique"]["subtechnique"]["id"][0], "T1110.001");
    assert_eq!(ecs["tripline"]["about"]["false_positives"][0], "A changed \"password\"");
}
