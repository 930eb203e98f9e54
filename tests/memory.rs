//! What a key costs: bytes are promised in docs/configuration.md, so they are held here.

use tripline::base::Limits;
use tripline::compile::compile_str;
use tripline::session::{Session, SessionConfig};

/// Keys of the test.
const KEYS: usize = 1000;

fn session(rule: &str) -> Session {
    Session::new(compile_str(rule).expect("the rule has no errors"), SessionConfig::default())
}

/// A saved key is what a packed one is, but for its head.
#[test]
fn an_open_run_with_one_event_takes_a_few_dozen_bytes() {
    let mut session = session("rule ab { by k match { a: a then b: b } within 10m }");
    let empty = session.save().len();
    for n in 0..KEYS {
        session.push_line(&format!(r#"{{"type":"a","k":"u{n:08}","ts":{}}}"#, 1_767_225_600_000_i64 + n as i64));
    }
    let bytes = (session.save().len() - empty) / KEYS;
    assert!(bytes <= 56, "{bytes} bytes a key");
}

/// Packed and ready keys give the same alerts.
#[test]
fn packed_keys_go_on_where_they_were() {
    let rules = compile_str("rule ab { by k match { a: a then b: b } within 10m alert { n = b.n - a.n } }");
    let rules = rules.expect("the rule has no errors");
    let run = |live_keys: usize| {
        let limits = Limits { live_keys, ..Limits::default() };
        let mut session = Session::new(rules.clone(), SessionConfig { limits, ..SessionConfig::default() });
        for round in 0..3_i64 {
            for n in 0..200_i64 {
                let class = if (n + round) % 3 == 0 { "b" } else { "a" };
                let (ts, n) = (1_767_225_600_000 + round * 200_000 + n * 1000, round * 1000 + n);
                session.push_line(&format!(r#"{{"type":"{class}","k":{},"n":{n},"ts":{ts}}}"#, n % 200));
            }
        }
        session.drain()
    };
    let (packed, ready) = (run(0), run(1 << 17));
    assert!(packed.len() > 50, "{}", packed.len());
    assert_eq!(packed, ready);
}

const START: i64 = 1_767_225_600_000;

/// A session with a cap on what keys take.
fn capped(rule: &str, memory: usize) -> Session {
    let rules = compile_str(rule).expect("the rule has no errors");
    let limits = Limits { memory: Some(memory), live_keys: 2000, ..Limits::default() };
    Session::new(rules, SessionConfig { limits, ..SessionConfig::default() })
}

fn dropped(session: &Session) -> u64 {
    session.summary().rules.iter().map(|rule| rule.dropped).sum()
}

/// One event for each of many keys, none of which comes to anything.
fn flood(session: &mut Session, class: &str, keys: usize, from: i64) {
    for n in 0..keys {
        session.push_line(&format!(r#"{{"type":"{class}","k":"flood{n:08}","ts":{}}}"#, from + n as i64));
    }
}

#[test]
fn a_flood_of_new_keys_does_not_push_out_an_attack_under_way() {
    let mut session = capped("rule abc { by k match { a: a then b: b then c: c } within 1d }", 1 << 20);
    session.push_line(&format!(r#"{{"type":"a","k":"victim","ts":{START}}}"#));
    session.push_line(&format!(r#"{{"type":"b","k":"victim","ts":{}}}"#, START + 1));
    flood(&mut session, "a", 40_000, START + 2);
    assert!(dropped(&session) > 20_000, "{}", dropped(&session));
    session.push_line(&format!(r#"{{"type":"c","k":"victim","ts":{}}}"#, START + 100_000));
    assert_eq!(session.drain().len(), 1);
}

#[test]
fn a_flood_of_new_keys_does_not_push_out_a_pending_absence() {
    let rules = "rule silent { by k match { a: go then no stop within 1h } }\n\
                 rule pair { by k match { a: a then b: b } within 1d }";
    let mut session = capped(rules, 1 << 20);
    session.push_line(&format!(r#"{{"type":"go","k":"victim","ts":{START}}}"#));
    flood(&mut session, "a", 40_000, START + 2);
    assert!(dropped(&session) > 20_000, "{}", dropped(&session));
    session.push_line(&format!(r#"{{"type":"other","ts":{}}}"#, START + 3_600_001));
    assert_eq!(session.drain().len(), 1);
}

/// Deadlines of keys that are gone do not pile up, and the newest keys find a place.
#[test]
fn a_flood_of_absences_stays_within_its_memory() {
    let mut session = capped("rule silent { by k match { a: go then no stop within 1h } }", 1 << 20);
    flood(&mut session, "go", 40_000, START);
    let gone = dropped(&session);
    assert!(gone > 20_000, "{gone}");
    session.push_line(&format!(r#"{{"type":"other","ts":{}}}"#, START + 4_000_000));
    let alerts = session.drain();
    assert_eq!(alerts.len() as u64, 40_000 - gone);
    assert_eq!(alerts.last().expect("some").key[0].1, tripline::base::Value::Str("flood00039999".into()));
}

#[test]
fn a_key_that_takes_too_much_goes_before_others() {
    let mut session = capped("rule many { by k match { a: at least 500 of a where exists(t) } within 1d }", 1 << 20);
    for n in 0..3 {
        session.push_line(&format!(r#"{{"type":"a","k":"victim","t":"x","ts":{}}}"#, START + n));
    }
    let long = "x".repeat(9000);
    for n in 0..400 {
        session.push_line(&format!(r#"{{"type":"a","k":"fat","t":"{long}","ts":{}}}"#, START + 10 + n));
    }
    let summary = session.summary();
    assert!((1..=10).contains(&summary.rules[0].dropped), "{}", summary.rules[0].dropped);
    for n in 0..497 {
        session.push_line(&format!(r#"{{"type":"a","k":"victim","t":"x","ts":{}}}"#, START + 1000 + n));
    }
    assert_eq!(session.drain().len(), 1);
}

/// What was dropped is gone for good, also in what is saved; the rest goes on after a restart.
#[test]
fn a_session_that_dropped_keys_goes_on_from_what_it_saved() {
    let rule = "rule ab { by k match { a: a then b: b } within 1d }";
    let mut session = capped(rule, 1 << 20);
    flood(&mut session, "a", 30_000, START);
    let gone = dropped(&session);
    let rules = compile_str(rule).expect("the rule has no errors");
    let (mut again, _) = Session::restore(rules, SessionConfig::default(), &session.save()).expect("just saved");
    assert_eq!(dropped(&again), gone);
    for session in [&mut session, &mut again] {
        flood(session, "b", 30_000, START + 1_000_000);
    }
    let alerts = session.drain();
    assert_eq!(alerts.len() as u64, 30_000 - gone);
    assert_eq!(alerts, again.drain());
}

/// Events held back are let go early rather than without bound, and counted.
#[test]
fn a_long_lateness_gives_way_when_memory_is_short() {
    let rules = compile_str("rule a { by k match { a: a } }").expect("the rule has no errors");
    let limits = Limits { memory: Some(1 << 20), ..Limits::default() };
    let config = SessionConfig { limits, lateness: tripline::base::Duration::from_secs(86_400), ..Default::default() };
    let mut session = Session::new(rules, config);
    for n in 0..100_i64 {
        let lines = |i: i64| format!(r#"{{"type":"a","k":{},"ts":{}}}"#, n * 500 + i, START + n * 500 + i) + "\n";
        session.push_block(&(0..500).map(lines).collect::<String>().into_bytes());
    }
    let summary = session.summary();
    assert!(summary.hurried > 10_000, "{}", summary.hurried);
    assert_eq!(session.drain().len() as u64, summary.hurried);
    session.finish(tripline::session::AtEnd::Pending);
    assert_eq!(session.drain().len() as u64, 50_000 - summary.hurried);
}

/// What a look-back tells apart is bounded like all that a key holds, and costs the same however much it is.
#[test]
fn a_look_back_over_many_values_is_bounded_visibly() {
    let rules =
        compile_str("rule new { match { x: a unless a where k == x.k in last 30d } limits { runs_per_key = 1000 } }");
    let mut session = Session::new(rules.expect("the rule has no errors"), SessionConfig::default());
    let mut push = |k: i64, n: i64| {
        session.push_line(&format!(r#"{{"type":"a","k":{k},"ts":{}}}"#, START + n));
        session.drain()
    };
    for n in 0..1000 {
        let alerts = push(n, n);
        assert!(alerts.len() == 1 && alerts[0].notes.is_empty(), "{n}: {alerts:?}");
    }
    for n in 1000..50_000 {
        assert_eq!(push(n, n).len(), 1);
    }
    assert_eq!(push(49_999, 50_000).len(), 0, "the newest are known");
    assert_eq!(push(49_200, 50_001).len(), 0, "and those before them");
    let again = push(40_000, 50_002);
    assert!(again.len() == 1 && !again[0].notes.is_empty(), "what was forgotten is said: {again:?}");
    let summary = session.summary();
    assert!((48_000..50_000).contains(&summary.rules[0].evicted), "{}", summary.rules[0].evicted);
}

/// A search that is given up before it has found anything leaves no alert that could say so: it is counted.
#[test]
fn a_search_that_finds_nothing_in_its_time_is_counted() {
    let rules = compile_str("rule r { match { x: a then y: b then z: c where v > x.v + y.v } within 1h }");
    let limits = Limits { search_steps: 1000, ..Limits::default() };
    let config = SessionConfig { limits, ..SessionConfig::default() };
    let mut session = Session::new(rules.expect("the rule has no errors"), config);
    for n in 0..100 {
        let class = if n < 50 { "a" } else { "b" };
        session.push_line(&format!(r#"{{"type":"{class}","v":1,"ts":{}}}"#, START + n));
    }
    session.push_line(&format!(r#"{{"type":"c","v":1,"ts":{}}}"#, START + 100));
    let summary = session.summary();
    assert_eq!((summary.rules[0].matches, summary.rules[0].limited), (0, 1));
}

/// Members of `all` that have events enough are not tried in every combination while another has none.
#[test]
fn a_member_without_events_ends_the_search_at_once() {
    let rules = compile_str("rule r { match { all { x: a  y: a  z: b } } within 1h }");
    let limits = Limits { search_steps: 1000, ..Limits::default() };
    let config = SessionConfig { limits, ..SessionConfig::default() };
    let mut session = Session::new(rules.expect("the rule has no errors"), config);
    for n in 0..200 {
        session.push_line(&format!(r#"{{"type":"a","ts":{}}}"#, START + n));
    }
    assert_eq!(session.summary().rules[0].limited, 0);
    session.push_line(&format!(r#"{{"type":"b","ts":{}}}"#, START + 200));
    assert_eq!(session.drain().len(), 1);
}
