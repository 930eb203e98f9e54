//! Several rules at once: the order of their alerts, and alerts that are events of other rules.
//!
//! A case is a rule file and lines of events; an alert is written `rule@ms[lines of its events]`.

use tripline::alert::Alert;
use tripline::compile::compile_str;
use tripline::session::{AtEnd, Session, SessionConfig};

/// Time zero of a case, in milliseconds since 1970.
const BASE: i64 = 1_700_000_000_000;

/// Events as `CLASS ms [key]`, separated by commas.
fn run(rules: &str, events: &str) -> Vec<Alert> {
    let rules = compile_str(rules).unwrap_or_else(|d| panic!("{:?}", d.iter().map(|d| &d.message).collect::<Vec<_>>()));
    let mut session = Session::new(rules, SessionConfig::default());
    for event in events.split(',') {
        let words: Vec<&str> = event.split_whitespace().collect();
        let time = BASE + words[1].parse::<i64>().expect("milliseconds");
        let key = words.get(2).map(|k| format!(",\"k\":\"{k}\"")).unwrap_or_default();
        session.push_line(&format!("{{\"ts\":{time},\"type\":\"{}\"{key}}}", words[0]));
    }
    session.finish(AtEnd::Pending);
    session.drain()
}

fn shown(alerts: &[Alert]) -> Vec<String> {
    let one = |a: &Alert| {
        let lines: Vec<String> = a
            .bound
            .iter()
            .flat_map(|s| &s.events)
            .filter(|e| e.seq.line() > 0)
            .map(|e| e.seq.line().to_string())
            .collect();
        format!("{}@{}[{}]", a.rule_name, a.time.as_millis() - BASE, lines.join(","))
    };
    alerts.iter().map(one).collect()
}

fn names(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(|a| format!("{}@{}", a.rule_name, a.time.as_millis() - BASE)).collect()
}

#[test]
fn alerts_of_one_event_stand_in_the_order_of_the_rules() {
    let rules = "rule second { match { B } }  rule first { match { A then B } within 1m }  rule third { match { B } }";
    assert_eq!(shown(&run(rules, "A 0, B 1000")), ["second@1000[2]", "first@1000[1,2]", "third@1000[2]"]);
}

#[test]
fn completions_at_events_come_before_deadlines_of_that_time() {
    let rules = "rule silent { match { A then no C within 5s } }  rule seen { match { B } }";
    let got = run(rules, "A 0, B 5000, Z 9000");
    assert_eq!(shown(&got), ["seen@5000[2]", "silent@5000[1]"]);
}

#[test]
fn deadlines_of_one_time_stand_in_the_order_of_the_rules_then_of_what_is_bound() {
    let rules = "rule x { by k match { A then no C within 5s } }  rule y { by k match { A then no C within 5s } }";
    let got = run(rules, "A 0 q, A 0 p, Z 9000");
    assert_eq!(shown(&got), ["x@5000[1]", "x@5000[2]", "y@5000[1]", "y@5000[2]"]);
}

#[test]
fn deadlines_fire_in_time_order_whatever_the_key() {
    let rules = "rule x { by k match { A then no C within 5s } }  rule y { match { B then no C within 2s } }";
    let got = run(rules, "A 0 q, A 1000 p, B 2000, B 4500, Z 60000");
    assert_eq!(shown(&got), ["y@4000[3]", "x@5000[1]", "x@6000[2]", "y@6500[4]"]);
}

const COUNT: &str = "rule one { by k match { A then B } within 1m }  ";

#[test]
fn a_rule_may_count_the_alerts_of_another() {
    let rules = format!("{COUNT} rule many {{ match {{ hit: at least 2 of alert.one }} within 1m }}");
    let got = run(&rules, "A 0 x, B 1000 x, A 2000 y, B 3000 y, Z 9000");
    assert_eq!(names(&got), ["one@1000", "one@3000", "many@3000"]);
    // What an alert bound counts as bound by the alert that it led to.
    let origins: Vec<u64> =
        got[2].bound.iter().flat_map(|s| &s.events).flat_map(|e| &e.origins).map(|o| o.seq.line()).collect();
    assert_eq!(origins, [1, 2, 3, 4]);
}

#[test]
fn the_order_of_declaration_does_not_matter_to_what_depends() {
    let rules = format!("rule many {{ match {{ hit: at least 2 of alert.one }} within 1m }}  {COUNT}");
    let got = run(&rules, "A 0 x, B 1000 x, A 2000 y, B 3000 y, Z 9000");
    let mut names = names(&got);
    names.sort();
    assert_eq!(names, ["many@3000", "one@1000", "one@3000"]);
}

#[test]
fn the_key_of_an_alert_is_a_field() {
    let rules = format!("{COUNT} rule many {{ by key.k match {{ hit: at least 2 of alert.one }} within 1m }}");
    let got = run(&rules, "A 0 x, B 1000 x, A 2000 y, B 3000 y, A 4000 x, B 5000 x, Z 9000");
    assert_eq!(names(&got), ["one@1000", "one@3000", "one@5000", "many@5000"]);
    assert_eq!(got[3].key.len(), 1);
    assert_eq!(got[3].key[0].1.to_json(), "x");
}

#[test]
fn an_alert_comes_after_all_input_of_its_time() {
    let rules = format!("{COUNT} rule late {{ match {{ C then alert.one }} within 1m }}");
    let got = run(&rules, "A 0 x, B 1000 x, C 1000, Z 9000");
    assert_eq!(names(&got), ["one@1000", "late@1000"]);
}

#[test]
fn an_alert_comes_before_the_deadlines_of_its_time() {
    let rules = format!("{COUNT} rule unseen {{ match {{ C then no alert.one within 5s }} }}");
    assert_eq!(names(&run(&rules, "C 0, A 1000 x, B 5000 x, Z 9000")), ["one@5000"]);
    assert_eq!(names(&run(&rules, "C 0, A 1000 x, B 5001 x, Z 9000")), ["unseen@5000", "one@5001"]);
}

#[test]
fn an_alert_at_a_deadline_is_an_event_too() {
    let rules =
        "rule silent { match { A then no C within 5s } }  rule next { match { alert.silent then D } within 1m }";
    assert_eq!(names(&run(rules, "A 0, D 5000, D 6000")), ["silent@5000", "next@6000"]);
}

#[test]
fn suppressed_alerts_feed_dependants() {
    let rules = "rule one { match { A } suppress 1h }  rule many { match { hit: at least 3 of alert.one } within 1m }";
    assert_eq!(names(&run(rules, "A 0, A 1000, A 2000, Z 9000")), ["one@0", "many@2000"]);
}

#[test]
fn shadow_alerts_do_not() {
    let rules = "rule one { match { A } shadow }  rule many { match { hit: at least 2 of alert.one } within 1m }";
    assert!(run(rules, "A 0, A 1000, Z 9000").is_empty());
}

#[test]
fn internal_alerts_feed_dependants_and_are_not_sent() {
    let rules = "rule one { match { A } internal }  rule many { match { hit: at least 2 of alert.one } within 1m }";
    assert_eq!(names(&run(rules, "A 0, A 1000, Z 9000")), ["many@1000"]);
}

const WORK: &str = "rule work { by k match { A } resolve on B }  ";

#[test]
fn an_open_alert_holds_a_step_back() {
    let rules = format!("{WORK} rule fail {{ by k match {{ e: E unless open alert.work }} }}");
    let got = run(&rules, "E 0 x, A 1000 x, E 1000 x, E 2000 x, E 2000 y, B 3000 x, E 3000 x, E 3001 x, Z 9000");
    let of = |rule: &str| names(&got).into_iter().filter(|n| n.starts_with(rule)).collect::<Vec<_>>();
    // What is opened or closed at the time of an event comes after it.
    assert_eq!(of("fail"), ["fail@0", "fail@1000", "fail@2000", "fail@3001"]);
    assert_eq!(of("work"), ["work@1000", "work@3000"]);
    assert!(got.iter().any(|a| a.rule_name.as_ref() == "fail" && a.key[0].1.to_json() == "y"));
}

#[test]
fn suppressed_and_internal_alerts_are_open() {
    for clause in ["suppress 1h", "internal", "shadow"] {
        let rules = format!(
            "rule work {{ by k match {{ A }} resolve on B {clause} }} \
             rule fail {{ by k match {{ e: E unless open alert.work }} }}"
        );
        let got = run(&rules, "A 0 x, B 1000 x, A 2000 x, E 3000 x, B 4000 x, E 5000 x, Z 9000");
        let fails: Vec<String> = names(&got).into_iter().filter(|n| n.starts_with("fail")).collect();
        assert_eq!(fails, ["fail@5000"], "{clause}");
    }
}

#[test]
fn an_open_alert_of_a_part_of_the_key_holds_back() {
    let rules = format!("{WORK} rule fail {{ by k, type match {{ e: E unless open alert.work }} }}");
    assert_eq!(names(&run(&rules, "A 0 x, E 1000 x, E 1000 y, Z 9000")), ["work@0", "fail@1000"]);
}

#[test]
fn alerts_may_resolve_alerts() {
    let rules = "rule up { by k match { B } }  rule down { by k match { A } resolve on alert.up by k = key.k }";
    let got = run(rules, "A 0 x, A 0 y, B 2000 x, Z 9000");
    assert_eq!(names(&got), ["down@0", "down@0", "up@2000", "down@2000"]);
    assert_eq!(got[3].id, got[0].id);
}

#[test]
fn repeats_feed_dependants_and_notices_do_not() {
    let rules = "rule gone { by k match { A then no A within 2s } repeat every 1s resolve on A }  \
                 rule each { match { x: alert.gone } }  rule many { match { hit: at least 3 of alert.gone } within 1m }";
    let got = run(rules, "A 0 x, A 4500 x, Z 5000");
    let expected =
        ["each@2000", "gone@2000", "each@3000", "gone@3000", "each@4000", "many@4000", "gone@4000", "gone@4500"];
    assert_eq!(names(&got), expected);
    let mut ids: Vec<&str> = got.iter().filter(|a| *a.rule_name == *"each").map(|a| &*a.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "alerts on repeats are told apart");
}

#[test]
fn any_does_not_see_alerts() {
    let rules = "rule one { match { A } }  rule all { match { x: at least 2 of any } within 1m }";
    assert_eq!(names(&run(rules, "A 0")), ["one@0"]);
}

#[test]
fn values_and_severity_are_fields() {
    let rules = "rule one { severity high match { a: A } alert { who = a.k } }  \
                 rule two { match { x: alert.one where who == \"p\" and severity == \"high\" } }";
    assert_eq!(names(&run(rules, "A 0 q, A 1000 p, Z 9000")), ["one@0", "one@1000", "two@1000"]);
}

#[test]
fn three_rules_in_a_row() {
    let rules = "rule one { match { A } }  rule two { match { x: at least 2 of alert.one } within 1m }  \
                 rule three { match { alert.two then B } within 1m }";
    assert_eq!(names(&run(rules, "A 0, A 1000, B 1000, B 2000")), ["one@0", "one@1000", "two@1000", "three@2000"]);
}

#[test]
fn a_circle_is_refused() {
    let rules = "rule one { match { alert.two } }  rule two { match { alert.one } }";
    assert!(compile_str(rules).is_err());
}

#[test]
fn what_has_no_key_is_counted() {
    let rules = compile_str("rule one { by k match { A then B } within 1m }").expect("a rule");
    let mut session = Session::new(rules, SessionConfig::default());
    for (n, line) in [r#""A""#, r#""A","k":"x""#, r#""B","k":null"#, r#""B","k":["x"]"#, r#""Q""#].iter().enumerate() {
        session.push_line(&format!("{{\"ts\":{},\"type\":{line}}}", BASE + n as i64));
    }
    session.finish(AtEnd::Pending);
    assert!(session.drain().is_empty());
    assert_eq!(session.summary().rules[0].no_key, 3);
}

#[test]
fn ids_do_not_depend_on_other_rules() {
    let one = run("rule one { match { A then B } within 1m }", "A 0, B 1000");
    let two = run("rule zero { match { B } }  rule one { match { A then B } within 1m }", "A 0, B 1000");
    assert_eq!(one[0].id, two[1].id);
    assert_eq!(one[0].id.len(), 32);
    let moved = run("rule one { match { A then B } within 1m }", "Z 0, A 0, B 1000");
    assert_ne!(one[0].id, moved[0].id);
}
