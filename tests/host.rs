//! Matching with the state kept elsewhere gives what a session gives: the same alerts, ids included.
//!
//! The host is a model ([`model`]): bytes by key, one timer a key, nothing else goes from one step to the next.
//! `PROPTEST_CASES` and `PROPTEST_SEED` as in `tests/oracle.rs`; a hundredth of the cases is spent here.

#[path = "determinism/cases.rs"]
mod cases;
#[path = "host/model.rs"]
mod model;
#[path = "oracle/mod.rs"]
mod oracle;
#[allow(dead_code, reason = "only the rule files are asked for")]
#[path = "support/program.rs"]
mod program;
#[path = "host/ready.rs"]
mod ready;

use std::fs;
use std::sync::Arc;

use cases::{case, number};
use model::Host;
use oracle::random::Random;
use program::{root, rule_files};
use ready::Ready;
use tripline::alert::{Alert, Seq};
use tripline::base::{Duration, Timestamp};
use tripline::compile::{CompileOptions, Compiled, compile, compile_str};
use tripline::decode::TimeConfig;
use tripline::generate::{EFFORT, Options, generate};
use tripline::host::{Bounds, HostConfig, HostRules, Stage};
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax::source::SourceMap;

fn config_of(session: &SessionConfig) -> HostConfig {
    HostConfig {
        time: session.time.clone(),
        lateness: session.lateness,
        evidence: session.evidence,
        limits: session.limits.clone(),
        fail_in: None,
    }
}

/// How often time goes on: after so many lines.
fn hosted(
    rules: &Arc<Ruleset>,
    lines: &[String],
    session: &SessionConfig,
    at_end: AtEnd,
    every: &mut dyn FnMut() -> bool,
) -> Host {
    let mut host = Host::new(rules, &config_of(session), 1);
    for (n, line) in lines.iter().enumerate() {
        host.push(0, line.trim_end());
        // The first watermark is where time begins.
        if n == 0 || every() {
            host.advance(host.reached());
        }
    }
    host.finish(at_end);
    host
}

fn native(rules: &Arc<Ruleset>, lines: &[String], config: &SessionConfig, at_end: AtEnd) -> (Vec<Alert>, u64) {
    let mut session = Session::new(Arc::clone(rules), config.clone());
    lines.iter().for_each(|line| session.push_line(line.trim_end()));
    session.finish(at_end);
    (session.drain(), session.summary().late)
}

fn sorted(mut alerts: Vec<Alert>) -> Vec<Alert> {
    // An alert that is bound as an event has a number among those of its stage, and shows none.
    let bound = alerts.iter_mut().flat_map(|alert| &mut alert.bound).flat_map(|step| &mut step.events);
    bound.filter(|event| event.seq.is_alert()).for_each(|event| event.seq = Seq::alert(0));
    alerts.sort_by_cached_key(|alert| (alert.time, format!("{alert:?}")));
    alerts
}

fn shown(alerts: &[Alert]) -> String {
    let one = |a: &Alert| {
        let bound: Vec<String> = a.bound.iter().flat_map(|s| &s.events).map(|e| e.seq.line().to_string()).collect();
        format!("{}@{}[{}] {:?} -{} {}\n", a.rule_name, a.time, bound.join(","), a.key, a.suppressed, &a.id[..6])
    };
    alerts.iter().map(one).collect()
}

#[track_caller]
fn assert_same(what: &str, got: Vec<Alert>, expected: Vec<Alert>) {
    let (got, expected) = (sorted(got), sorted(expected));
    if got != expected {
        panic!("{what}\nhosted:\n{}a session:\n{}", shown(&got), shown(&expected));
    }
}

/// A random case, and what a session gives for it.
struct Expected {
    seed: u64,
    text: String,
    rules: Arc<Ruleset>,
    lines: Vec<String>,
    config: SessionConfig,
    at_end: AtEnd,
    alerts: Vec<Alert>,
    late: u64,
}

impl Expected {
    /// Holds what a host gave against it.
    fn hold(self, how: &str, alerts: Vec<Alert>, late: usize) {
        let Self { seed, text, lines, at_end, .. } = &self;
        let what = format!("PROPTEST_SEED={seed} {how} {at_end:?}\n{text}{}", lines.concat());
        assert_eq!(late as u64, self.late, "late events: {what}");
        assert_same(&what, alerts, self.alerts);
    }
}

/// Random rules over one input each, with what is left of the random numbers.
fn random_cases(salt: u64) -> impl Iterator<Item = (Random, Expected)> {
    let first = number("PROPTEST_SEED", 1);
    (first..first + number("PROPTEST_CASES", 100_000) / 100).filter_map(move |seed| {
        let mut r = Random::new(seed ^ (salt << 40));
        let (text, lines, config, at_end) = case(&mut r);
        let Ok([lines]) = <[Vec<String>; 1]>::try_from(lines) else { return None };
        if text.is_empty() {
            return None;
        }
        let rules = compile_str(&text).unwrap_or_else(|d| panic!("{text}{d:?}"));
        let (alerts, late) = native(&rules, &lines, &config, at_end);
        Some((r, Expected { seed, text, rules, lines, config, at_end, alerts, late }))
    })
}

#[test]
fn random_rules_give_what_a_session_gives() {
    let (mut alerts, mut late) = (0, 0);
    for (mut r, expected) in random_cases(11) {
        let percent = *r.choose(&[100, 100, 30, 5]);
        let Expected { rules, lines, config, at_end, .. } = &expected;
        let host = hosted(rules, lines, config, *at_end, &mut || r.percent(percent));
        alerts += expected.alerts.len();
        late += host.late;
        expected.hold(&format!("{percent} %"), host.alerts, host.late);
    }
    println!("{alerts} alerts, {late} late events");
    assert!(alerts > 0);
}

/// The same with keys that are kept ready, few or many of them, and go back at any moment.
#[test]
fn random_rules_give_the_same_with_keys_that_are_kept_ready() {
    let (mut alerts, mut moved) = (0, (0, 0));
    for (mut r, expected) in random_cases(12) {
        let (percent, disturbed) = (*r.choose(&[100, 100, 30, 5]), *r.choose(&[0, 5, 50]));
        let Expected { rules, lines, config, at_end, .. } = &expected;
        let host = ready(rules, lines, config, *at_end, percent, disturbed, &mut r);
        alerts += expected.alerts.len();
        moved = (moved.0 + host.moved().0, moved.1 + host.moved().1);
        expected.hold(&format!("{percent} % {disturbed} %"), host.alerts, host.late);
    }
    println!("{alerts} alerts; {} keys were loaded, {} put back to make room", moved.0, moved.1);
    assert!(alerts > 0 && moved.0 > 0 && moved.1 > 0);
}

fn ready(
    rules: &Arc<Ruleset>,
    lines: &[String],
    session: &SessionConfig,
    at_end: AtEnd,
    percent: usize,
    disturbed: usize,
    r: &mut Random,
) -> Ready {
    let keys = *r.choose(&[0, 1, 3, 1000]);
    let bytes = *r.choose(&[1 << 30, 1 << 30, 2000]);
    let mut host = Ready::new(rules, &config_of(session), Bounds { keys, bytes });
    for (n, line) in lines.iter().enumerate() {
        host.push(line.trim_end());
        if n == 0 || r.percent(percent) {
            host.advance(host.reached());
        }
        if r.percent(disturbed) {
            host.disturb(r);
        }
    }
    host.finish(at_end);
    host
}

fn packs() -> Compiled {
    let mut sources = SourceMap::new();
    let files = rule_files();
    for file in &files {
        sources.add(file.display().to_string(), fs::read_to_string(file).expect("a rule file"));
    }
    let load = |written: &str, source: tripline::syntax::source::SourceId| {
        let folder = files[source.0 as usize].parent().expect("a pack");
        fs::read(folder.join(written)).map_err(|error| error.to_string())
    };
    compile(&sources, &CompileOptions::default(), &load)
}

#[test]
fn the_sample_of_all_packs_gives_what_a_session_gives() {
    let rules = packs().ruleset.expect("the packs have no errors");
    let sample = fs::read_to_string(root().join("rules/samples/demo.ndjson")).expect("the sample");
    let lines: Vec<String> = sample.lines().map(str::to_owned).collect();
    for lateness in [0, 90] {
        let lateness = Duration::from_secs(lateness);
        let mut shuffled = lines.clone();
        if lateness > Duration::ZERO {
            // Within the lateness, but for ties of time, which positions decide.
            let mut r = Random::new(7);
            let at = |line: &String| {
                let event: serde_json::Value = serde_json::from_str(line).expect("an event");
                let ts = event["ts"].as_str().or(event["@timestamp"].as_str()).expect("a time");
                ts.parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339").timestamp_millis()
            };
            shuffled.sort_by_cached_key(|line| at(line) + i64::try_from(r.below(80_000)).expect("small"));
        }
        let config = SessionConfig { lateness, ..SessionConfig::default() };
        for at_end in [AtEnd::Pending, AtEnd::Flush] {
            let (expected, late) = native(&rules, &shuffled, &config, at_end);
            assert_eq!(late, 0);
            assert!(expected.len() > 30, "only {} alerts", expected.len());
            let mut n = 0;
            let host = hosted(&rules, &shuffled, &config, at_end, &mut || {
                n += 1;
                n % 10 == 0
            });
            assert_same(&format!("{lateness:?} {at_end:?}"), host.alerts, expected.clone());
            let mut r = Random::new(3);
            let host = ready(&rules, &shuffled, &config, at_end, 10, 3, &mut r);
            assert_same(&format!("{lateness:?} {at_end:?}, ready"), host.alerts, expected);
        }
    }
}

#[test]
fn streams_made_for_every_rule_of_the_packs_give_what_a_session_gives() {
    let compiled = packs();
    let rules = compiled.ruleset.as_ref().expect("the packs have no errors");
    let mut seen = 0;
    for rule in &rules.rules {
        let options = Options {
            seed: 3,
            count: 1,
            near_misses: true,
            type_field: vec!["type".to_owned()],
            time: TimeConfig::default(),
            effort: EFFORT / 10,
        };
        // Some need more effort than there is time for here.
        let Ok(made) = generate(&compiled.files, rules, &rule.name, &options) else { continue };
        let config = SessionConfig::default();
        let (expected, _) = native(rules, &made.lines, &config, AtEnd::Flush);
        let host = hosted(rules, &made.lines, &config, AtEnd::Flush, &mut || true);
        assert_same(&rule.name, host.alerts, expected);
        seen += 1;
    }
    assert!(seen > 40, "only {seen} rules");
}

const TWO: &str = r#"
rule pair { by k match { a: A then b: B } within 10s }
rule quiet { by k match { a: A then no C within 5s } suppress 1m }
"#;

fn event(class: &str, key: &str, ms: i64) -> String {
    format!(r#"{{"type":"{class}","k":"{key}","ts":{},"n":1}}"#, 1_700_000_000_000 + ms)
}

#[test]
fn rules_that_stay_keep_their_state_when_others_are_edited() {
    let config = HostConfig::default();
    let before = compile_str(TWO).expect("no errors");
    // A rule in front, so that numbers of rules and fields differ; one changed; one as it was.
    let text = r#"
rule first { by z match { x: X where y > 3 } }
rule quiet { by k match { a: A then no C within 6s } suppress 1m }
rule pair { by k match { a: A then b: B } within 10s }
"#;
    let after = compile_str(text).expect("no errors");
    let mut host = Host::new(&before, &config, 1);
    host.push(0, &event("A", "one", 0));
    host.advance(host.reached());
    host.push(0, &event("A", "two", 1));
    host.advance(host.reached());
    let mut host = host.with_rules(&after, &config);
    host.push(0, &event("B", "one", 2000));
    host.push(0, &event("B", "two", 2001));
    host.push(0, &event("D", "two", 60_000));
    host.advance(host.reached());
    host.finish(AtEnd::Flush);
    let mut names: Vec<&str> = host.alerts.iter().map(|alert| &*alert.rule_name).collect();
    names.sort_unstable();
    assert_eq!(names, ["pair", "pair"]);
    // Key two had no state yet: its event waited.
    assert_eq!(host.dropped, 1, "the state of the rule that was changed");
    // The last events wait for the watermark while rules are edited.
    let mut host = Host::new(&before, &config, 1);
    host.push(0, &event("A", "one", 0));
    host.push(0, &event("B", "one", 2000));
    let mut host = host.with_rules(&after, &config);
    host.finish(AtEnd::Pending);
    assert_eq!(host.alerts.len(), 1);
}

/// Rules of every strategy, with rules on alerts, suppression, clocks and expected keys.
const OF_ALL_KINDS: &str = r#"
clock tick = every 7s
rule pair { by k match { a: A then b: B } within 1m }
rule count { by k match { x: at least 3 of A where n > 2 } within 30s suppress 20s }
rule quiet { by k match { a: A then no C within 5s } suppress 20s by a.n }
rule all_of { by k match { a: A then b: B then c: C } within 40s pick all after match no skip }
rule pending { by k match { a: A then c: C } within 20s pick pending }
rule mean { by k match { x: A where n > mean(n, 1m) } }
rule handed { match { a: A by k then b: B by k } within 10s }
rule whole { match { x: at least 3 of D } within 3s }
rule ticked { by k match { a: A then t: tick } within 10s }
rule begun { match { s: A then no A within 9s } expect start }
rule open { by k match { x: C then no B within 4s } resolve on A repeat every 15s }
rule top { match { x: at least 2 of alert.open } within 8s }
"#;

/// Rules whose alerts go to a second stage by key, and rules of which a part of the key stays.
const OF_STAGES: &str = r#"
rule pair { by k match { a: A then b: B } within 1m suppress 20s }
rule quiet { by k match { a: A then no C within 5s } }
rule handed { match { a: A by k, n then b: B by k then c: C by k, m = n } within 20s }
rule whole { match { a: A by n then b: B by n, k then c: C by k } within 5s }
rule above { match { x: alert.pair by k = key.k then y: C by k } within 30s suppress 5s }
rule held { by k = key.k match { x: alert.quiet then no alert.pair within 20s } }
rule top { match { x: at least 2 of alert.pair } within 8s }
rule twice { by k = key.k match { x: at least 2 of alert.quiet } within 30s }
rule far { by k = key.k match { x: at least 2 of alert.twice } within 2m }
"#;

#[test]
fn rules_on_alerts_are_matched_by_key_unless_they_need_the_order_of_all() {
    let rules = compile_str(OF_STAGES).unwrap_or_else(|d| panic!("{d:?}"));
    let host = HostRules::new(Arc::clone(&rules), HostConfig::default());
    let stage = |name: &str| host.stage(rules.rule(name).expect("a rule").id);
    for (name, expected) in [
        ("pair", Stage::Match),
        ("handed", Stage::Match),
        ("above", Stage::Upper),
        ("held", Stage::Upper),
        ("top", Stage::Upper),
        // A rule on its alerts needs those of all keys in order.
        ("twice", Stage::Gather),
        ("far", Stage::Gather),
    ] {
        assert_eq!(stage(name), expected, "{name}");
    }
    let groups = host.key_groups();
    let of = |name: &str| {
        let id = rules.rule(name).expect("a rule").id;
        groups.iter().find(|group| group.rules.contains(&id)).map(|group| group.components.join(","))
    };
    assert_eq!((of("handed").as_deref(), of("whole").as_deref()), (Some("k"), Some("")));
    let lines = of_all_kinds();
    for at_end in [AtEnd::Pending, AtEnd::Flush] {
        let config = SessionConfig::default();
        let (expected, _) = native(&rules, &lines, &config, at_end);
        let names: std::collections::BTreeSet<&str> = expected.iter().map(|alert| &*alert.rule_name).collect();
        assert_eq!(names.len(), rules.rules.len(), "{names:?}");
        let mut n = 0;
        let host = hosted(&rules, &lines, &config, at_end, &mut || {
            n += 1;
            n % 3 == 0
        });
        assert!(host.above > 20, "only {} alerts went up", host.above);
        assert_same(&format!("{at_end:?}"), host.alerts, expected.clone());
        for disturbed in [0, 10, 60] {
            let mut r = Random::new(disturbed as u64);
            let host = ready(&rules, &lines, &config, at_end, 33, disturbed, &mut r);
            assert_same(&format!("{at_end:?}, disturbed {disturbed} %"), host.alerts, expected.clone());
        }
    }
}

fn of_all_kinds() -> Vec<String> {
    let mut r = Random::new(17);
    let mut at = 0;
    let mut event = |_| {
        at += i64::try_from(r.below(900)).expect("small");
        let (class, key) = (*r.choose(&["A", "A", "B", "C", "D"]), r.below(6));
        format!(r#"{{"type":"{class}","k":"key {key}","ts":{},"n":{}}}"#, 1_700_000_000_000 + at, r.below(5))
    };
    (0..600).map(&mut event).collect()
}

/// What was kept of the first half of the events, written by an earlier release. It is never written anew: where a form of
/// bytes changes, a file of the new form comes beside it.
#[test]
fn bytes_of_earlier_releases_go_on() {
    go_on("kept-1.json", OF_ALL_KINDS, 11);
}

#[test]
fn bytes_of_the_second_stage_go_on() {
    go_on("kept-2.json", OF_STAGES, 8);
}

fn go_on(kept: &str, rules: &str, seen: usize) {
    let rules = compile_str(rules).unwrap_or_else(|d| panic!("{d:?}"));
    let (lines, config) = (of_all_kinds(), HostConfig::default());
    let path = root().join("tests/host").join(kept);
    let half = lines.len() / 2;
    if !path.exists() && std::env::var_os("UPDATE_GOLDEN").is_some() {
        let mut host = Host::new(&rules, &config, 1);
        for line in &lines[..half] {
            host.push(0, line);
            host.advance(host.reached());
        }
        fs::write(&path, serde_json::to_string_pretty(&host.export()).expect("plain data")).expect("written");
    }
    let bytes = fs::read_to_string(&path).unwrap_or_else(|_| panic!("tests/host/{kept} is in the repository"));
    let kept = serde_json::from_str(&bytes).expect("JSON");
    let mut host = Host::import(&rules, &config, &kept);
    for line in &lines[half..] {
        host.push(0, line);
        host.advance(host.reached());
    }
    host.finish(AtEnd::Flush);
    assert_eq!(host.dropped, 0);
    let (mut whole, _) = native(&rules, &lines, &SessionConfig::default(), AtEnd::Flush);
    // What came before was told by whoever wrote the file: a session over the first half knows it.
    let mut first = Session::new(Arc::clone(&rules), SessionConfig::default());
    lines[..half].iter().for_each(|line| first.push_line(line));
    let told = first.drain();
    // At the watermark itself the host has not told what a session has: its events wait for the watermark to pass them.
    let last = first.watermark();
    whole.retain(|alert| alert.time >= last || !told.contains(alert));
    let names: std::collections::BTreeSet<&str> = whole.iter().map(|alert| &*alert.rule_name).collect();
    assert!(names.len() >= seen, "{names:?}");
    assert_same("the second half", host.alerts, whole);
}

#[test]
fn nothing_is_kept_of_a_key_that_is_over() {
    let rules = compile_str(TWO).expect("no errors");
    let mut host = Host::new(&rules, &HostConfig::default(), 1);
    for n in 0..100 {
        host.push(0, &event("A", &format!("key {n}"), n));
    }
    host.advance(host.reached());
    assert!(host.kept().0 >= 99, "{:?}", host.kept());
    host.advance(Timestamp::from_millis(1_700_000_200_000));
    assert_eq!(host.kept(), (0, 0));
    assert_eq!(host.alerts.len(), 100);
}

#[test]
fn nothing_is_kept_ready_of_a_key_that_is_over() {
    let rules = compile_str(TWO).expect("no errors");
    let mut host = Ready::new(&rules, &HostConfig::default(), Bounds { keys: 1000, bytes: 1 << 20 });
    for n in 0..100 {
        host.push(&event("A", &format!("key {n}"), n));
    }
    host.advance(host.reached());
    host.checkpoint();
    assert_eq!(host.kept(), (100, 100));
    host.advance(1_700_000_200_000);
    host.checkpoint();
    assert_eq!(host.kept(), (0, 0));
    assert_eq!(host.alerts.len(), 100);
}

#[test]
fn damaged_bytes_are_errors_not_panics() {
    use tripline::decode::batch::BlockOrigin;
    use tripline::host::{Cells, Gatherer, HostRules, Input, Item, Router, Until};
    let rules = compile_str(TWO).expect("no errors");
    let host = Arc::new(HostRules::new(rules, HostConfig::default()));
    let mut router = Router::new(Arc::clone(&host));
    let mut cells = Cells::new(Arc::clone(&host));
    let origin = BlockOrigin { input: 0, first_line: 1, offset: 0, arrival: Timestamp(0) };
    let mut event_bytes = Vec::new();
    router.route(event("A", "one", 0).as_bytes(), origin, Timestamp::MIN, |item| {
        if let Item::Event { event, .. } = item {
            event_bytes = event.to_vec();
        }
    });
    let key = b"\x06\x03\0\0\0one";
    let mut step = |state: &[u8], event: Option<&[u8]>| {
        let input = Input { key, state, events: event.into_iter().collect(), start: Timestamp::MIN };
        cells.step(&input, Until::Watermark(Timestamp::from_millis(1_700_000_001_000)))
    };
    let state = step(&[], Some(&event_bytes)).expect("sound").state;
    assert!(!state.is_empty());
    let mut r = Random::new(5);
    for _ in 0..20_000 {
        let mut bytes = if r.percent(50) { state.clone() } else { event_bytes.clone() };
        let at = r.below(bytes.len());
        bytes[at] ^= 1 << r.below(8);
        bytes.truncate(if r.percent(20) { at } else { bytes.len() });
        let _ = step(&bytes, None);
        let _ = step(&state, Some(&bytes));
    }
    let wrong = step(&[9, 1], None).expect_err("of another form").to_string();
    assert!(wrong.contains("[\"one\"]") && wrong.contains("form 9"), "{wrong}");
    let saved = Gatherer::new(Arc::clone(&host)).save();
    for at in 0..saved.len() {
        let _ = Gatherer::restore(Arc::clone(&host), &saved[..at]);
    }
}
