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

/// Key and lines of each alert: `x[1,2]`.
fn keyed(rules: &str, events: &[&str]) -> Vec<String> {
    let shown = |a: &tripline::alert::Alert| {
        let key: Vec<String> = a.key.iter().map(|(name, v)| format!("{name}={}", v.to_json())).collect();
        let lines: Vec<String> = a.bound.iter().flat_map(|s| &s.events).map(|e| e.seq.line().to_string()).collect();
        format!("{}[{}]", key.join(","), lines.join(","))
    };
    session(rules, events).drain().iter().map(shown).collect()
}

#[test]
fn each_gives_an_event_a_key_for_every_different_element() {
    let rules = "rule r { by each(tags) match { a: A then b: B } within 1h }";
    let events = [
        r#"{"type":"A","tags":["x","y","x",1]}"#,
        r#"{"type":"A","tags":[]}"#,
        r#"{"type":"A"}"#,
        r#"{"type":"A","tags":"z"}"#,
        r#"{"type":"A","tags":[["list"],{"no":"key"},null]}"#,
        r#"{"type":"B","tags":["y","z","w"]}"#,
        r#"{"type":"B","tags":[1.0]}"#,
    ];
    assert_eq!(keyed(rules, &events), [r#"tags="y"[1,6]"#, r#"tags="z"[4,6]"#, "tags=1[1,7]"]);
    let mut session = session(rules, &events);
    assert_eq!(session.summary().rules[0].no_key, 3);
    session.drain();
}

#[test]
fn each_with_other_components_with_guards_and_optional() {
    let rules = "rule r { by host, tag = each(tags) match { a: A then no X within 1h } }";
    let events = [
        r#"{"ts":"2026-01-01T00:00:00Z","type":"A","host":"h","tags":["x","y"]}"#,
        r#"{"ts":"2026-01-01T00:10:00Z","type":"X","host":"h","tags":["y","q"]}"#,
        r#"{"ts":"2026-01-01T00:20:00Z","type":"X","host":"i","tags":["x"]}"#,
        r#"{"ts":"2026-01-01T03:00:00Z","type":"Z"}"#,
    ];
    assert_eq!(keyed(rules, &events), [r#"host="h",tag="x"[1]"#]);
    let rules = "rule r { by tag = each(tags)? match { a: A then b: B } within 1h }";
    let events = [r#"{"type":"A","tags":[]}"#, r#"{"type":"B"}"#, r#"{"type":"B","tags":["x"]}"#];
    assert_eq!(keyed(rules, &events), ["tag=null[1,2]"]);
    // One side has a list, the other one value.
    let rules = "rule r { match { a: A by tag = each(tags) then b: B by tag = t } within 1h }";
    assert_eq!(keyed(rules, &[r#"{"type":"A","tags":["x","y"]}"#, r#"{"type":"B","t":"y"}"#]), [r#"tag="y"[1,2]"#]);
}

#[test]
fn too_many_keys_of_one_event_are_cut_and_counted() {
    let tags: Vec<String> = (0..1500).map(|n| n.to_string()).collect();
    let event = format!(r#"{{"type":"A","tags":[{}]}}"#, tags.join(","));
    let mut session = session("rule r { by each(tags) match { at least 1 of A } within 1h }", &[&event]);
    assert_eq!(session.drain().len(), 1000);
    assert_eq!(session.summary().cut_keys, 1);
}

#[test]
fn keys_are_any_expression_over_the_event() {
    let rules = r#"
        let bucket = floor(@ts / 5m)
        rule r { by bucket, net = substring(ip, 0, 4), pair = concat(x, "-", y) match { a: A then b: B } within 1h }"#;
    let events = [
        r#"{"ts":600000,"type":"A","ip":"10.1.2.3","x":1,"y":2}"#,
        r#"{"ts":899000,"type":"B","ip":"10.1.9.9","x":1,"y":2}"#,
        r#"{"ts":900000,"type":"B","ip":"10.1.9.9","x":1,"y":2}"#,
        r#"{"ts":899500,"type":"B","ip":"10.2.9.9","x":1,"y":2}"#,
    ];
    let time =
        |e: &str| e.replace("600000", "1700000400000").replace("899", "1700000699").replace("900000", "1700000700000");
    let events: Vec<String> = events.iter().map(|e| time(e)).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    assert_eq!(keyed(rules, &events[..3]), [r#"bucket=5666668,net="10.1",pair="1-2"[1,2]"#]);
    assert_eq!(keyed(rules, &[events[0], events[3]]), Vec::<String>::new());
    // Handed over: the second step brings a bucket of its own.
    let rules = "rule r { match { a: A by u = lower(user) then b: B by u = user, big = v > 3 then c: C by big = w > 3 } within 1h }";
    let events = [
        r#"{"type":"A","user":"BOB"}"#,
        r#"{"type":"B","user":"bob","v":5}"#,
        r#"{"type":"C","w":1}"#,
        r#"{"type":"C","w":4}"#,
    ];
    assert_eq!(keyed(rules, &events), [r#"u="bob"[1,2,4]"#]);
}

#[test]
fn a_function_of_one_field_is_called_like_it() {
    let rules = r#"rule r { by lower(user.name) match { a: A } alert { who = user.name } }"#;
    assert_eq!(keyed(rules, &[r#"{"type":"A","user":{"name":"Bob"}}"#]), [r#"user.name="bob"[1]"#]);
}

#[test]
fn aggregates_over_steps_percentiles_and_the_nth_event() {
    let rules = "rule r {
        match { a: exactly 3 of A then b: one or more of B where v > 1 then c: C } within 1h
        alert {
            both = count((a, b))  kinds = count(distinct (a, b).k)  total = sum((a, b, c).v)  large = count((a, b) where v > 2)
            order = list((b, a).v)  middle = percentile((a, b).v, 50)  p0 = percentile(a.v, 0)  p100 = percentile(a.v, 100)
            p25 = percentile(a.v, 25)  p90 = percentile(a.v, 90)  second = nth(a, 2).v  third = nth(b, 3).v  one = nth(c, 1).v
            none = percentile(a.missing, 50)
        }
    }";
    let events = [
        r#"{"type":"A","v":4,"k":"x"}"#,
        r#"{"type":"A","v":1,"k":"y"}"#,
        r#"{"type":"A","v":2,"k":"x"}"#,
        r#"{"type":"B","v":9,"k":"z"}"#,
        r#"{"type":"B","v":3}"#,
        r#"{"type":"C","v":7}"#,
    ];
    let values = session(rules, &events).drain().remove(0).values;
    let got: Vec<String> = values.iter().map(|(name, v)| format!("{name}={}", v.to_json())).collect();
    assert_eq!(
        got,
        [
            "both=5",
            "kinds=3",
            "total=26",
            "large=3",
            "order=[4,1,2,9,3]",
            "middle=3.0",
            "p0=1.0",
            "p100=4.0",
            "p25=1.5",
            "p90=3.6",
            "second=1",
            "third=null",
            "one=7",
            "none=null"
        ]
    );
}

/// Rules over a table of areas, which is read anew while partial matches are open.
#[test]
fn areas_are_read_anew_like_other_tables() {
    use tripline::compile::{CompileOptions, compile};
    use tripline::syntax::source::SourceMap;

    let area = |west: i32| {
        let ring: Vec<[i32; 2]> = vec![[west, 0], [west + 10, 0], [west + 10, 10], [west, 10], [west, 0]];
        let json = serde_json::json!({
            "type": "Feature",
            "properties": { "name": format!("from {west}") },
            "geometry": { "type": "Polygon", "coordinates": [ring] },
        });
        json.to_string().into_bytes()
    };
    let text = r#"table zones from "zones.geojson" key polygon
        rule r { match { a: A then b: B where (lat, lon) in @zones } within 1h alert { name = @zones[b.lat, b.lon].name } }"#;
    let mut sources = SourceMap::new();
    sources.add("rules.trip", text);
    let with = |west: i32| {
        let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Ok(area(west)));
        compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
    };
    let mut session = Session::new(with(0), SessionConfig::default());
    session.push_line(r#"{"ts":1700000000000,"type":"A"}"#);
    session.push_line(r#"{"ts":1700000001000,"type":"B","lat":5,"lon":25}"#);
    assert!(session.set_tables(&with(20)));
    session.push_line(r#"{"ts":1700000002000,"type":"B","lat":5,"lon":25}"#);
    session.finish(AtEnd::Pending);
    let alerts = session.drain();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].values[0].1.to_json(), "from 20");

    let broken = compile(&sources, &CompileOptions::default(), &|_, _| {
        Ok(br#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]}}]}"#.to_vec())
    });
    let messages: Vec<&str> = broken.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        ["table `zones` cannot be used: feature 1: a `Point` is no area: Polygon and MultiPolygon are"]
    );
}
