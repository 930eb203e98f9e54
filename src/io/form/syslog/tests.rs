//! Messages as senders write them, and as they should not.

use super::*;

/// 2026-01-02T03:04:05Z.
const ARRIVAL: Timestamp = Timestamp(1_767_323_045_000_000_000);

fn event(message: &str) -> Value {
    opened(message, SyslogForm::default())
}

fn opened(message: &str, form: SyslogForm) -> Value {
    let line = form.line(message.as_bytes(), ARRIVAL).expect("a message");
    assert!(!line.contains('\n'));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_message_of_rfc_5424_has_all_its_parts() {
    let message = "<165>1 2026-01-02T03:04:04.003+01:00 mymachine.example.com evntslog 812 ID47 \
                   [exampleSDID@32473 iut=\"3\" eventSource=\"App \\\"x\\\"\"][other@1 k=\"v\"] \u{feff}An event \u{e9}";
    assert_eq!(
        event(message),
        json!({
            "@timestamp": "2026-01-02T02:04:04.003+00:00",
            "type": "evntslog",
            "message": "An event \u{e9}",
            "syslog": {
                "facility": "local4", "severity": "notice", "severity_code": 5,
                "host": "mymachine.example.com", "app": "evntslog", "procid": "812", "msgid": "ID47",
                "structured": {"exampleSDID@32473": {"iut": "3", "eventSource": "App \"x\""}, "other@1": {"k": "v"}},
            },
        })
    );
}

#[test]
fn parts_that_are_not_there_are_no_fields() {
    assert_eq!(
        event("<0>1 - - - - - -"),
        json!({"type": "syslog", "message": "", "syslog": {"facility": "kern", "severity": "emerg", "severity_code": 0}})
    );
}

#[test]
fn a_message_of_rfc_3164_is_of_the_year_that_is_nearest() {
    let time = |message: &str| event(message)["@timestamp"].clone();
    assert_eq!(time("<34>Jan  2 03:04:00 web-1 sshd[812]: x"), "2026-01-02T03:04:00+00:00");
    assert_eq!(time("<34>Dec 31 23:59:59 web-1 sshd[812]: x"), "2025-12-31T23:59:59+00:00");
    assert_eq!(time("<34>Feb 28 00:00:00 web-1 sshd[812]: x"), "2026-02-28T00:00:00+00:00");
    assert_eq!(
        event("<34>Jan  2 03:04:00 web-1 sshd[812]: Failed password for bob"),
        json!({
            "@timestamp": "2026-01-02T03:04:00+00:00",
            "type": "sshd",
            "message": "Failed password for bob",
            "syslog": {
                "facility": "auth", "severity": "crit", "severity_code": 2, "host": "web-1", "app": "sshd", "procid": "812",
            },
        })
    );
}

#[test]
fn a_time_without_a_zone_is_of_the_zone_that_is_set() {
    let form = SyslogForm { zone: Tz::Europe__Berlin, ..SyslogForm::default() };
    let time = |message| opened(message, form)["@timestamp"].clone();
    assert_eq!(time("<34>Jan  2 04:04:00 web-1 app: x"), "2026-01-02T03:04:00+00:00");
    assert_eq!(time("<34>Jan 2 2025 04:04:00 web-1 app: x"), "2025-01-02T03:04:00+00:00");
    assert_eq!(time("<34>1 2026-01-02T03:04:00Z web-1 app - - - x"), "2026-01-02T03:04:00+00:00");
}

#[test]
fn brackets_in_an_old_message_are_text() {
    assert_eq!(event("<34>Jan  2 03:04:00 web-1 nginx: [error] 12#0: no file")["message"], "[error] 12#0: no file");
}

#[test]
fn what_has_a_priority_is_an_event_whatever_follows() {
    assert_eq!(event("<13>just text")["message"], "just text");
    assert_eq!(event("<13>Jan 32 99:99:99 no time")["message"], "Jan 32 99:99:99 no time");
    assert_eq!(event("<13>")["message"], "");
    let form = SyslogForm::default();
    for none in ["", "text", "<>x", "<192>x", "<1234>x", "<-1>x", "<13x", "{\"a\":1}", " 13> "] {
        assert_eq!(form.line(none.as_bytes(), ARRIVAL), Err(Reject::NotSyslog), "{none:?}");
    }
    assert!(form.line(b"<13>\xff\xfe\0", ARRIVAL).expect("a message").contains('\u{fffd}'));
}

#[test]
fn json_in_a_message_is_opened_if_that_is_asked_for() {
    let form = SyslogForm { open_json: true, ..SyslogForm::default() };
    let message =
        "<13>Jan  2 03:04:00 web-1 app: @cee: {\"type\":\"login\",\n\"n\":12345678901234567890,\"syslog\":\"no\"}";
    let event = opened(message, form);
    assert_eq!((&event["type"], &event["n"]), (&json!("login"), &json!(12_345_678_901_234_567_890_u64)));
    assert_eq!(event["syslog"]["host"], "web-1", "which the message cannot forge");
    assert_eq!(opened("<13>Jan  2 03:04:00 web-1 app: {}", form)["message"], "{}");
    assert_eq!(opened("<13>Jan  2 03:04:00 web-1 app: {broken", form)["message"], "{broken");
    assert_eq!(opened(message, SyslogForm::default())["type"], "app");
}
