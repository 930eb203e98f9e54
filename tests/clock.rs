//! Clocks and expected keys through the library: zones, tables, saved state.

#[path = "support/put_back.rs"]
mod put_back;

use std::sync::Arc;

use tripline::alert::{Alert, Seq};
use tripline::base::Timestamp;
use tripline::compile::{CompileOptions, compile};
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax::source::SourceMap;

fn rules_with(text: &str, table: &str) -> Arc<Ruleset> {
    let mut sources = SourceMap::new();
    sources.add("case", text);
    let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Ok(table.as_bytes().to_vec()));
    compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

fn at(text: &str) -> Timestamp {
    let time = chrono::DateTime::parse_from_rfc3339(text).expect("a time");
    Timestamp(time.timestamp_nanos_opt().expect("in range"))
}

fn line(time: &str, class: &str, id: &str) -> String {
    format!("{{\"ts\":\"{time}\",\"type\":\"{class}\",\"device\":{{\"id\":\"{id}\"}}}}")
}

fn times(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(|a| a.time.to_string().replace(":00.000Z", "")).collect()
}

/// Alerts of lines, with the state saved and restored before each of them if asked.
fn run(rules: &Arc<Ruleset>, lines: &[String], restore: bool) -> Vec<Alert> {
    put_back::run(rules, &SessionConfig::default(), lines, |_| restore.then(|| Arc::clone(rules)))
}

#[test]
fn a_daily_clock_ticks_once_a_day_whatever_clocks_do() {
    let rules = rules_with("clock c = daily \"02:30\" \"Europe/Berlin\"\nrule r { match { t: c } }", "");
    let lines = |from: &str, to: &str| [line(from, "x", "d"), line(to, "x", "d")];
    let spring = run(&rules, &lines("2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z"), false);
    assert_eq!(times(&spring), ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]);
    let autumn = run(&rules, &lines("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"), true);
    assert_eq!(times(&autumn), ["2026-10-25T00:30", "2026-10-26T01:30"]);
    let mut ids: Vec<String> = spring.iter().chain(&autumn).map(|a| a.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "every tick is an event of its own");
}

const DEVICES: &str = "table devices from \"d.json\" key id\n";
const THREE: &str = r#"[{"id":"d1"},{"id":"d2"},{"id":"d3"}]"#;

#[test]
fn a_device_that_was_never_seen_is_missed() {
    let text = format!(
        "{DEVICES}rule lost {{ by device.id expect device.id from @devices \
         match {{ b: beat then no beat within 5m }} alert {{ since = b.@ts }} }}"
    );
    let rules = rules_with(&text, THREE);
    let lines = [
        line("2026-01-01T00:00:00Z", "other", "d9"),
        line("2026-01-01T00:04:00Z", "beat", "d2"),
        line("2026-01-01T00:08:00Z", "beat", "d1"),
        line("2026-01-01T00:20:00Z", "other", "d9"),
    ];
    for restore in [false, true] {
        let alerts = run(&rules, &lines, restore);
        let shown: Vec<String> = alerts.iter().map(|a| format!("{} {}", a.key[0].1.to_json(), a.time)).collect();
        let expected = [
            "\"d1\" 2026-01-01T00:05:00.000Z",
            "\"d3\" 2026-01-01T00:05:00.000Z",
            "\"d2\" 2026-01-01T00:09:00.000Z",
            "\"d1\" 2026-01-01T00:13:00.000Z",
        ];
        assert_eq!(shown, expected);
        let first = &alerts[0].bound[0].events[0];
        assert_eq!((first.seq, first.ts), (Seq::EXPECTED, at("2026-01-01T00:00:00Z")));
        assert_eq!(first.fields, [("device.id".to_owned(), tripline::base::Value::Str("d1".into()))]);
    }
}

#[test]
fn a_tick_goes_to_each_expected_key() {
    let text = format!(
        "{DEVICES}clock c = daily \"06:00\"\nrule r {{ by device.id expect device.id from @devices \
         match {{ t: c then no report within 1h }} }}"
    );
    let rules = rules_with(&text, THREE);
    let lines = [
        line("2026-01-01T05:00:00Z", "report", "d9"),
        line("2026-01-01T06:30:00Z", "report", "d2"),
        line("2026-01-01T08:00:00Z", "report", "d9"),
    ];
    for restore in [false, true] {
        let alerts = run(&rules, &lines, restore);
        let keys: Vec<String> = alerts.iter().map(|a| a.key[0].1.to_json().to_string()).collect();
        assert_eq!(keys, ["\"d1\"", "\"d3\""]);
        assert_eq!(times(&alerts), ["2026-01-01T07:00", "2026-01-01T07:00"]);
        assert_ne!(alerts[0].id, alerts[1].id);
    }
}

#[test]
fn a_key_that_a_reloaded_table_brings_begins_then() {
    let text = format!(
        "{DEVICES}rule lost {{ by device.id expect device.id from @devices match {{ b: beat then no beat within 5m }} }}"
    );
    let mut session = Session::new(rules_with(&text, r#"[{"id":"d1"}]"#), SessionConfig::default());
    session.push_line(&line("2026-01-01T00:00:00Z", "other", "d9"));
    session.push_line(&line("2026-01-01T00:10:00Z", "other", "d9"));
    assert!(session.set_tables(&rules_with(&text, THREE)));
    session.push_line(&line("2026-01-01T00:30:00Z", "other", "d9"));
    session.finish(AtEnd::Pending);
    assert_eq!(times(&session.drain()), ["2026-01-01T00:05", "2026-01-01T00:15", "2026-01-01T00:15"]);
}

#[test]
fn rules_on_alerts_see_ticks_before_the_alerts_of_their_time() {
    let rules = rules_with(
        "clock c = every 1h\nrule a { match { x: A } }\nrule b { match { t: c then y: alert.a } within 1m }",
        "",
    );
    let lines = [
        line("2026-01-01T00:30:00Z", "z", ""),
        line("2026-01-01T01:00:00Z", "A", ""),
        line("2026-01-01T02:30:00Z", "z", ""),
    ];
    let alerts = run(&rules, &lines, false);
    let names: Vec<&str> = alerts.iter().map(|a| &*a.rule_name).collect();
    assert_eq!(names, ["a", "b"]);
}
