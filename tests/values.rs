//! Functions of whole events, lists, texts and time zones, in rules that run.
//!
//! A case is a condition and events; what counts is the lines for which it holds.

use std::sync::Arc;

use tripline::compile::compile_str;
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};

fn compiled(rules: &str) -> Arc<Ruleset> {
    compile_str(rules).unwrap_or_else(|d| panic!("{rules}\n{:?}", d.iter().map(|d| &d.message).collect::<Vec<_>>()))
}

fn session(rules: &str, events: &[&str]) -> Session {
    let mut session = Session::new(compiled(rules), SessionConfig::default());
    for (n, event) in events.iter().enumerate() {
        let time = if event.contains("\"ts\"") { String::new() } else { format!("\"ts\":{},", 1_700_000_000_000 + n) };
        session.push_line(&event.replacen('{', &format!("{{{time}"), 1).replace(",}", "}"));
    }
    session.finish(AtEnd::Pending);
    session
}

/// The lines, from 1, of the events for which a condition holds.
fn holds(condition: &str, events: &[&str]) -> Vec<u64> {
    let alerts = session(&format!("rule r {{ match {{ a: any where {condition} }} }}"), events).drain();
    alerts.iter().map(|a| a.bound[0].events[0].seq.line()).collect()
}

/// The value of an expression over one event, as JSON.
fn value(expr: &str, event: &str) -> String {
    let rules = format!("rule r {{ match {{ a: any }} alert {{ v = {expr} }} }}");
    session(&rules, &[event]).drain()[0].values[0].1.to_json().to_string()
}

#[test]
fn any_value_reads_texts_numbers_and_bools_at_every_depth() {
    let events = [
        r#"{"a":{"b":["x",{"c":"run mimikatz.exe"}]}}"#,
        r#"{"mimikatz":"only a key"}"#,
        r#"{"a":7,"b":[true,null]}"#,
        r#"{"a":"7"}"#,
        r#"{"a":"x\u0041"}"#,
        r#"{"a":"mimikatz","a":"the last of equal keys counts"}"#,
        r#"{"a":"mimikatz \ud800"}"#,
    ];
    assert_eq!(holds(r#"any_value() like "*MIMIKATZ*"i"#, &events), [1, 7]);
    assert_eq!(holds("any_value() == 7", &events), [3]);
    assert_eq!(holds("any_value() == true", &events), [3]);
    assert_eq!(holds(r#"any_value() == "xA""#, &events), [5]);
    assert_eq!(holds("any_value() =~ /^run /", &events), [1]);
    assert_eq!(holds(r#"contains(any_value(), ("xA", "7"))"#, &events), [4, 5]);
}

#[test]
fn any_value_is_kept_only_where_bound_events_are_asked_for_it() {
    let whole = |rules: &Ruleset, at: usize| {
        let rule = &rules.rules[at];
        (rule.reads_whole, rule.kept.iter().any(|f| rules.fields[f.index()].is_empty()))
    };
    let rules = compiled(
        r#"event hit = any_value() like "*x*"
        rule a { match { a: any where any_value() == 1 and user == "x" then b: any } within 1h }
        rule b { match { a: hit then b: any where any_value() == a.user } within 1h }
        rule c { match { a: login then b: any } within 1h }
        rule d { match { a: at least 2 of login } within 1h alert { n = count(a where any_value() == 1) } }"#,
    );
    assert_eq!(
        (0..4).map(|at| whole(&rules, at)).collect::<Vec<_>>(),
        [(true, false), (true, true), (false, false), (true, true)]
    );
}

#[test]
fn any_value_of_bound_events() {
    let rules = r#"rule r {
        match { a: login then b: any where any_value() == a.user } within 1h
        alert { n = count(b where any_value() == "deep") }
    }"#;
    let mut session = session(rules, &[r#"{"type":"login","user":"bob"}"#, r#"{"x":{"y":["bob","deep"]}}"#]);
    let alerts = session.drain();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].values[0].1.to_json(), 1);
    // The whole event is no field, so evidence does not show it.
    assert!(alerts[0].bound.iter().flat_map(|s| &s.events).flat_map(|e| &e.fields).all(|(name, _)| !name.is_empty()));
}

#[test]
fn some_asks_elements_one_by_one() {
    let events = [
        r#"{"items":[{"price":5,"n":9},{"price":200,"n":1}]}"#,
        r#"{"items":[{"price":200,"n":9}]}"#,
        r#"{"items":[{"n":9}]}"#,
        r#"{"items":[]}"#,
        r#"{"other":1}"#,
        r#"{"items":{"price":200,"n":9}}"#,
    ];
    // Two fields of one element, where a comparison of two lists would mix elements.
    assert_eq!(holds("some(items as i where i.price > 100 and i.n > 5)", &events), [2, 6]);
    // Three-valued: an element without a price is neither, and neither is a missing list.
    assert_eq!(holds("not some(items as i where i.price > 100)", &events), [4]);
    let tags = [r#"{"tags":["a","bb"],"least":2}"#, r#"{"tags":["a"],"least":2}"#];
    assert_eq!(holds("some(tags as t where len(t) >= least)", &tags), [1]);
    let nested = [r#"{"xs":[{"ys":[1,2]},{"ys":[3]}]}"#, r#"{"xs":[{"ys":[1]},{"z":3}]}"#];
    assert_eq!(holds("some(xs as x where some(x.ys as y where y == 3 and exists(x.ys)))", &nested), [1]);
}

#[test]
fn a_let_inside_some_does_not_see_the_element() {
    let rules = "let hot = level > 3  rule r { match { a: any where some(xs as level where level.q == 1 and hot) } }";
    let lines = [r#"{"level":5,"xs":[{"q":1}]}"#, r#"{"level":1,"xs":[{"q":1}]}"#];
    assert_eq!(session(rules, &lines).drain().len(), 1);
}

#[test]
fn lists_and_texts() {
    let event = r#"{"xs":[1,1.0,"1",2,2,[1],[1]],"m":"user=bob id=7","ms":["none","user=eve"],"one":"x"}"#;
    assert_eq!(value("unique(a.xs)", event), r#"[1,"1",2,[1]]"#);
    assert_eq!(value("unique(a.one)", event), "null");
    assert_eq!(value(r"extract(a.m, /user=(\w+)/)", event), r#""bob""#);
    assert_eq!(value(r"extract(a.m, /id=\d/)", event), r#""id=7""#);
    assert_eq!(value(r"extract(a.m, /USER=(\w)/i)", event), r#""b""#);
    assert_eq!(value(r"extract(a.m, /x(y)|user/)", event), "null");
    assert_eq!(value(r"extract(a.m, /nothing/)", event), "null");
    assert_eq!(value(r"extract(a.ms, /user=(\w+)/)", event), r#""eve""#);
    assert_eq!(value(r"number(extract(a.m, /id=(\d+)/)) + 1", event), "8");
}

#[test]
fn parts_of_times_in_zones() {
    // 00:30 UTC on 25 October 2026, when clocks go back in Berlin: 02:30 there, a Sunday.
    let event = r#"{"ts":"2026-10-25T00:30:00Z","zone":"Europe/Berlin","wrong":"Europe/Berlim"}"#;
    assert_eq!(value(r#"hour(a.@ts, "Europe/Berlin")"#, event), "2");
    assert_eq!(value("hour(a.@ts, a.zone)", event), "2");
    assert_eq!(value("hour(a.@ts, a.wrong)", event), "null");
    assert_eq!(value("hour(a.@ts, a.absent)", event), "null");
    assert_eq!(value("hour(a.@ts)", event), "0");
    assert_eq!(value(r#"day(a.@ts, "America/New_York")"#, event), "24");
    assert_eq!(value(r#"weekday(a.@ts, "America/New_York")"#, event), "6");
    assert_eq!(value(r#"minute(a.@ts, "Asia/Kolkata")"#, event), "0");
    assert_eq!(value(r#"month(a.@ts, "Asia/Kolkata") + year(a.@ts, "Asia/Kolkata")"#, event), "2036");
    // An hour later it is 02:30 again.
    assert_eq!(value(r#"hour(a.@ts + 1h, "Europe/Berlin")"#, event), "2");
}

#[test]
fn working_days() {
    // A Friday; clocks go forward in Berlin on the Sunday after it.
    let event = r#"{"ts":"2026-03-27T09:00:00Z","n":1,"half":0.5,"zone":"Europe/Berlin"}"#;
    assert_eq!(value("workday(a.@ts, 1)", event), r#""2026-03-30T09:00:00.000Z""#);
    assert_eq!(value("workday(a.@ts, a.n, a.zone)", event), r#""2026-03-30T08:00:00.000Z""#);
    assert_eq!(value("workday(a.@ts, -1, a.zone)", event), r#""2026-03-26T09:00:00.000Z""#);
    assert_eq!(value("workday(a.@ts, a.half)", event), "null");
    assert_eq!(value(r#"(workday(a.@ts, 1, "Europe/Berlin") - a.@ts) / 1h"#, event), "71.0");
}
