//! Property tests: what the engine says of random rules and streams is what the definition says.
//!
//! `PROPTEST_CASES` is the number of cases over the whole file, `PROPTEST_SEED` the first seed. A failure prints its
//! seed and the case, made as small as it could be.

#[path = "oracle/mod.rs"]
mod oracle;

use std::time::Instant;

use oracle::engine::{self, Way};
use oracle::event::{Event, Ms};
use oracle::random::Random;
use oracle::rule::Rule;
use oracle::select::{self, Outcome, Settings};
use oracle::{case, gen_rule, gen_stream, parse, render, shrink, valid};
use tripline::plan::strategy::StrategyKind;

/// How many cases a property gets: its share, in percent, of the whole.
fn budget(percent: u64) -> u64 {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000u64);
    (cases * percent / 100).max(1)
}

fn first_seed() -> u64 {
    std::env::var("PROPTEST_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Tests `fails`, which says what is wrong with a case, on random cases. `PROPTEST_FAILURES` is how many failures
/// to find before giving up, one unless said; `PROPTEST_SKIP` leaves out rules whose text has one of its words
/// (separated by `|`), to look past what is known; `PROPTEST_ONLY` keeps only those with one; `PROPTEST_SLOW` names the
/// cases that take more than so many milliseconds.
fn check(percent: u64, salt: u64, fails: &dyn Fn(&Rule, &[Event], u64) -> Option<String>) {
    let wanted = std::env::var("PROPTEST_FAILURES").ok().and_then(|n| n.parse().ok()).unwrap_or(1usize);
    let mut found: Vec<String> = vec![];
    for seed in first_seed()..first_seed() + budget(percent) {
        let mut r = Random::new(seed ^ (salt << 40));
        let rule = gen_rule::rule(&mut r);
        let text = render::text(&rule);
        if !asked_for(&text) {
            continue;
        }
        let begun = Instant::now();
        let events = gen_stream::interesting(&mut r, &rule);
        let failed = fails(&rule, &events, seed).is_some();
        name_if_slow(begun, seed, &rule, &events);
        if failed {
            let (rule, events) = shrink::shrink(&rule, &events, &|rule, events| fails(rule, events, seed).is_some());
            let stream = events.iter().map(Event::compact).collect::<Vec<_>>().join(" ");
            let why = fails(&rule, &events, seed).expect("it still fails");
            found.push(format!("PROPTEST_SEED={seed}\n{}-- {stream}\n{why}\n", render::text(&rule)));
            if found.len() == wanted {
                break;
            }
        }
    }
    assert!(found.is_empty(), "{} cases fail:\n{}", found.len(), found.join("\n"));
}

/// Whether `PROPTEST_SKIP` and `PROPTEST_ONLY` let a rule be.
fn asked_for(text: &str) -> bool {
    let words = |name| std::env::var(name).unwrap_or_default();
    !words("PROPTEST_SKIP").split('|').any(|word| !word.is_empty() && text.contains(word))
        && words("PROPTEST_ONLY").split('|').any(|word| text.contains(word))
}

/// Prints a case that took more milliseconds than `PROPTEST_SLOW`.
fn name_if_slow(begun: Instant, seed: u64, rule: &Rule, events: &[Event]) {
    let slow: Option<u128> = std::env::var("PROPTEST_SLOW").ok().and_then(|ms| ms.parse().ok());
    let took = begun.elapsed().as_millis();
    if slow.is_some_and(|slow| took > slow) {
        let stream = events.iter().map(Event::compact).collect::<Vec<_>>().join(" ");
        eprintln!("{took} ms: PROPTEST_SEED={seed}\n{}-- {stream}", render::text(rule));
    }
}

fn settings(seed: u64) -> Settings {
    Settings { lateness: 0, flush: seed.is_multiple_of(3) }
}

fn shown(rule: &Rule, outcome: &Outcome) -> String {
    let names: Vec<Option<String>> = rule.names();
    let alerts: Vec<String> = outcome.alerts.iter().map(|a| case::show(a, &names)).collect();
    format!("{}; pending {}", alerts.join(" "), outcome.pending)
}

fn differ(rule: &Rule, expected: &Outcome, got: &Outcome) -> Option<String> {
    (expected != got).then(|| format!("expected {}\n     got {}", shown(rule, expected), shown(rule, got)))
}

/// Rules print and read back; times may be shifted; events of other classes change nothing but contiguity.
#[test]
fn the_definition_itself() {
    check(4, 1, &|rule, events, seed| {
        if parse::rule(&render::text(rule)) != *rule {
            return Some(format!("reads back as {}", render::text(&parse::rule(&render::text(rule)))));
        }
        let plain = select::run(rule, events, settings(seed));
        if rule.clock.is_some() {
            return None;
        }
        let shift: Ms = 7_777_000;
        let moved: Vec<Event> = events.iter().map(|e| Event { ts: e.ts + shift, ..e.clone() }).collect();
        let mut later = select::run(rule, &moved, settings(seed));
        later.alerts.iter_mut().for_each(|a| a.time -= shift);
        differ(rule, &plain, &later)
    });
}

/// Arrival in any order that `lateness` allows gives the same alerts.
#[test]
fn the_definition_waits_for_late_events() {
    check(2, 2, &|rule, events, seed| {
        // Time begins with the first event that comes.
        if rule.clock.is_some() || rule.expect_start {
            return None;
        }
        let mut r = Random::new(seed);
        let lateness = 2000;
        let settings = Settings { lateness, flush: true };
        let mut arrivals = gen_stream::shuffled(&mut r, events, lateness);
        let lines: Vec<usize> = arrivals.iter().map(|e| e.seq).collect();
        shrink::renumber(&mut arrivals);
        let expected = select::run(rule, events, settings);
        let mut got = select::run(rule, &arrivals, settings);
        got.alerts
            .iter_mut()
            .flat_map(select::Alert::lines)
            .for_each(|seq| *seq = seq.checked_sub(1).map_or(0, |at| lines[at]));
        differ(rule, &expected, &got)
    });
}

/// The generator is worth its time: most rules have alerts on some streams, every construct on some.
#[test]
fn the_generator_reaches_every_construct() {
    let constructs = [
        "then directly",
        "then next",
        "then after",
        "then within",
        "at least",
        "exactly",
        "..",
        "one or more",
        "zero or more",
        "optional",
        "distinct",
        "consecutive",
        "all {",
        "any {",
        "of {",
        "{ {",
        "no X",
        "without",
        "unless",
        " if ",
        " if q: ",
        "until",
        "cancel on",
        "having",
        "pick first",
        "pick all",
        "pick each",
        "pick pending",
        "fewer than",
        "* 1s",
        "skip to next",
        "no skip",
        "skip to first",
        "skip to last",
        "suppress",
        "resolve on",
        "resolve when",
        "repeat every",
        "clock T",
        "expect start",
        "by k?",
        "prev.",
        "count(",
        "zscore(",
        "events)",
        "prior(",
        "ewma(",
        "rate(",
        ", ever",
        "events\n",
        " for ",
        " or ",
        "in last",
        "by k, j",
        " by j",
    ];
    let mut seen = vec![0usize; constructs.len()];
    let mut alerting = 0;
    let mut alerts = 0;
    let cases = 6000;
    for seed in 0..cases {
        let mut r = Random::new(seed);
        let rule = gen_rule::rule(&mut r);
        let events = gen_stream::interesting(&mut r, &rule);
        let outcome = select::run(&rule, &events, settings(seed));
        if outcome.alerts.is_empty() {
            continue;
        }
        alerting += 1;
        alerts += outcome.alerts.len();
        let text = render::text(&rule);
        for (n, construct) in seen.iter_mut().zip(&constructs) {
            *n += usize::from(text.contains(construct));
        }
    }
    let table: Vec<String> = constructs.iter().zip(&seen).map(|(c, n)| format!("{c}: {n}")).collect();
    println!("{alerting} of {cases} cases alert, {alerts} alerts\n{}", table.join("\n"));
    assert!(alerting * 10 > cases as usize * 3, "{alerting} of {cases} cases alert");
    for (construct, n) in constructs.iter().zip(&seen) {
        assert!(*n >= 5, "`{construct}` in {n} alerting cases of {cases}");
    }
}

/// The engine in every way given, against the oracle.
fn engine_differs(rule: &Rule, events: &[Event], settings: Settings, ways: &[Way]) -> Option<String> {
    engine_differs_from(&select::run(rule, events, settings), rule, events, settings, ways)
}

fn engine_differs_from(
    expected: &Outcome,
    rule: &Rule,
    events: &[Event],
    settings: Settings,
    ways: &[Way],
) -> Option<String> {
    let expected = counted(expected.clone());
    let text = render::file(rule);
    let names = names(rule);
    ways.iter().find_map(|&way| match engine::run(&text, &names, events, settings, way) {
        Err(why) => Some(format!("{way:?}: {why}")),
        Ok(got) => differ(rule, &expected, &got).map(|d| format!("{way:?}: {d}")),
    })
}

fn names(rule: &Rule) -> Vec<Option<String>> {
    rule.names()
}

/// The engine says how many events were late, not which.
fn counted(mut outcome: Outcome) -> Outcome {
    outcome.late.iter_mut().for_each(|line| *line = 0);
    outcome
}

/// A discarded case: `pick all` may give two alerts of the same events, whose order and number nothing decides.
fn ambiguous(outcome: &Outcome) -> bool {
    let flat = |a: &select::Alert| {
        let mut all: Vec<usize> = a.bound.iter().flatten().copied().collect();
        all.sort_unstable();
        (a.time, all, a.key.clone())
    };
    outcome.alerts.iter().enumerate().any(|(i, a)| outcome.alerts[..i].iter().any(|b| flat(a) == flat(b)))
}

/// The same of a rule over events: `suppress` must not hide that there are two.
fn unclear(rule: &Rule, events: &[Event], settings: Settings) -> bool {
    ambiguous(&select::run(&Rule { suppress: None, ..rule.clone() }, events, settings))
}

/// What a rule gives, unless the search is too large or the case is discarded.
fn clear(rule: &Rule, events: &[Event], settings: Settings) -> Option<Outcome> {
    if rule.suppress.is_some() {
        let all = Rule { suppress: None, ..rule.clone() };
        select::run_if_small(&all, events, settings).filter(|all| !ambiguous(all))?;
    }
    select::run_if_small(rule, events, settings).filter(|outcome| !ambiguous(outcome))
}

#[test]
fn the_chosen_strategy_says_what_the_definition_says() {
    check(35, 3, &|rule, events, seed| {
        let settings = settings(seed);
        if unclear(rule, events, settings) {
            return None;
        }
        engine_differs(rule, events, settings, &[Way::Chosen])
    });
}

#[test]
fn the_general_strategy_says_what_the_definition_says() {
    check(25, 4, &|rule, events, seed| {
        let settings = settings(seed);
        if unclear(rule, events, settings) {
            return None;
        }
        engine_differs(rule, events, settings, &[Way::Runs])
    });
}

#[test]
fn a_restored_session_goes_on_as_if_nothing_had_been() {
    check(10, 5, &|rule, events, seed| {
        let settings = settings(seed);
        if unclear(rule, events, settings) {
            return None;
        }
        engine_differs(rule, events, settings, &[Way::Restored, Way::RunsRestored])
    });
}

#[test]
fn lateness_puts_events_in_order() {
    check(8, 6, &|rule, events, seed| {
        let mut r = Random::new(seed);
        let lateness = *r.choose(&[500, 1000, 2000, 5000]);
        let settings = Settings { lateness, flush: seed.is_multiple_of(2) };
        let mut arrivals = gen_stream::shuffled(&mut r, events, lateness + 500);
        shrink::renumber(&mut arrivals);
        if unclear(rule, &arrivals, settings) {
            return None;
        }
        engine_differs(rule, &arrivals, settings, &[Way::Chosen, Way::Restored])
    });
}

/// Events of no class that a rule names, and events of another key, change nothing.
#[test]
fn what_is_irrelevant_changes_nothing() {
    check(8, 7, &|rule, events, seed| {
        let settings = settings(seed);
        let expected = counted(select::run(rule, events, settings));
        let any = rule.steps().iter().any(|s| s.classes.iter().any(|c| c == "any"));
        let keyed = !rule.handed_over() && rule.by.iter().any(|k| k.field == "k" && k.name == "k" && k.expr.is_none());
        let own = rule.by.len() == 1 || !render::text(rule).contains(" by ");
        // A statistic with a key of its own may be over events of other keys.
        let across = rule.steps().iter().any(|s| valid::partial_statistic(rule, s));
        if any || across || unclear(rule, events, settings) {
            return None;
        }
        let mut r = Random::new(seed);
        let mut more: Vec<Event> = vec![];
        for event in events {
            if r.percent(40) {
                more.push(Event { seq: 0, class: "Q".into(), ..event.clone() });
            }
            if keyed && own && r.percent(40) {
                more.push(Event { seq: 0, k: Some("other".into()), ..event.clone() });
            }
            more.push(event.clone());
        }
        let lines: Vec<usize> = more.iter().map(|e| e.seq).collect();
        shrink::renumber(&mut more);
        let mut got = match engine::run(&render::file(rule), &names(rule), &more, settings, Way::Chosen) {
            Ok(got) => got,
            Err(why) => return Some(why),
        };
        got.alerts.retain(|a| a.key.iter().all(|(_, v)| v != "\"other\""));
        got.alerts
            .iter_mut()
            .flat_map(select::Alert::lines)
            .for_each(|seq| *seq = seq.checked_sub(1).map_or(0, |at| lines[at]));
        got.pending = expected.pending;
        differ(rule, &expected, &got)
    });
}

#[test]
fn shifted_times_shift_the_alerts() {
    check(8, 8, &|rule, events, seed| {
        let settings = settings(seed);
        if rule.clock.is_some() {
            return None;
        }
        let shift: Ms = 86_400_000 * 365 + 1;
        let mut expected = counted(select::run(rule, events, settings));
        expected.alerts.iter_mut().for_each(|a| a.time += shift);
        if unclear(rule, events, settings) {
            return None;
        }
        let moved: Vec<Event> = events.iter().map(|e| Event { ts: e.ts + shift, ..e.clone() }).collect();
        match engine::run(&render::file(rule), &names(rule), &moved, settings, Way::Chosen) {
            Ok(got) => differ(rule, &expected, &got),
            Err(why) => Some(why),
        }
    });
}

/// Longer streams than the definition can be searched on: the strategies, and saved states, agree with each other.
#[test]
fn the_strategies_agree_on_long_streams() {
    let (mut alerts, mut differences) = (0, vec![]);
    for seed in first_seed()..first_seed() + budget(1) / 4 {
        let mut r = Random::new(seed ^ (10 << 40));
        let rule = gen_rule::rule(&mut r);
        if matches!(rule.pick, oracle::rule::Pick::All) || !asked_for(&render::text(&rule)) {
            continue;
        }
        let (mut events, mut start) = (vec![], 0);
        while events.len() < 150 {
            let mut more = gen_stream::stream(&mut r, &rule);
            more.retain(|e| e.class != "Z");
            more.iter_mut().for_each(|e| e.ts += start);
            start = more.last().map_or(start, |e| e.ts) + *r.choose(&[0, 1000, 1000, 30_000]);
            events.extend(more);
        }
        shrink::renumber(&mut events);
        let text = render::file(&rule);
        let names = names(&rule);
        let run =
            |way| engine::run(&text, &names, &events, settings(seed), way).unwrap_or_else(|e| panic!("{text}{e}"));
        let chosen = run(Way::Chosen);
        for way in [Way::Runs, Way::RestoredSometimes] {
            if let Some(difference) = differ(&rule, &chosen, &run(way)) {
                let stream = events.iter().map(Event::compact).collect::<Vec<_>>().join(" ");
                differences
                    .push(format!("PROPTEST_SEED={seed} {way:?}\n{}-- {stream}\n{difference}", render::text(&rule)));
                break;
            }
        }
        alerts += chosen.alerts.len();
    }
    assert!(differences.is_empty(), "{} differ, the first:\n{}", differences.len(), differences[0]);
    assert!(alerts > 0);
}

/// Rules with `pick all` whose matches are enumerated: as the definition has them, all over again after a restart, and as
/// the general strategy finds them.
#[test]
fn what_is_enumerated_is_what_the_definition_says() {
    let (cases, alerts) = strategy_agrees(StrategyKind::Enumerate, 12, &|r, rule| {
        rule.pick = oracle::rule::Pick::All;
        rule.skip = if r.percent(70) { oracle::rule::Skip::NoSkip } else { oracle::rule::Skip::PastLast };
        rule.having = None;
    });
    assert!(alerts > cases, "{alerts} alerts of {cases} rules");
}

/// The same of rules for which every first event opens an attempt.
#[test]
fn what_attempts_find_is_what_the_definition_says() {
    use oracle::rule::{Elem, Joint, Pick, Skip};
    let (cases, alerts) = strategy_agrees(StrategyKind::Attempts, 13, &|r, rule| {
        rule.pick = *r.choose(&[Pick::Each, Pick::Each, Pick::First, Pick::All, Pick::Latest]);
        rule.skip = r.choose(&[Skip::ToNext, Skip::NoSkip, Skip::PastLast]).clone();
        rule.having = None;
        rule.parts.clear();
        if r.percent(50) {
            rule.cancel.clear();
        }
        rule.body.iter_mut().filter(|(_, elem)| !matches!(elem, Elem::Absence { .. })).for_each(|(joint, _)| {
            *joint = Joint::default();
        });
        for step in rule.body.iter_mut().flat_map(|(_, elem)| elem.steps_mut()) {
            step.quant = None;
            step.until = None;
            step.without.clear();
        }
    });
    assert!(cases * 20 > budget(2) as usize, "{cases} rules");
    assert!(alerts > cases, "{alerts} alerts of {cases} rules");
}

/// Holds random rules, each as `shape` makes it, to the definition if a strategy is chosen for them. Gives how many they
/// were, and their alerts.
fn strategy_agrees(strategy: StrategyKind, salt: u64, shape: &dyn Fn(&mut Random, &mut Rule)) -> (usize, usize) {
    let (mut cases, mut alerts, mut differences) = (0, 0, vec![]);
    for seed in first_seed()..first_seed() + budget(2) {
        let mut r = Random::new(seed ^ (salt << 40));
        let mut rule = gen_rule::rule(&mut r);
        shape(&mut r, &mut rule);
        let text = render::text(&rule);
        if valid::refusal(&rule).is_some() || !asked_for(&text) {
            continue;
        }
        let Ok(compiled) = engine::ruleset(&render::file(&rule), Way::Chosen) else { continue };
        if compiled.rules[0].strategy != strategy {
            continue;
        }
        let events = gen_stream::interesting(&mut r, &rule);
        let settings = settings(seed);
        let Some(outcome) = clear(&rule, &events, settings) else { continue };
        cases += 1;
        alerts += outcome.alerts.len();
        let ways = [Way::Chosen, Way::Restored, Way::Runs, Way::Taken];
        let fails = |rule: &Rule, events: &[Event]| {
            if valid::refusal(rule).is_some() {
                return None;
            }
            let outcome = clear(rule, events, settings)?;
            engine_differs_from(&outcome, rule, events, settings, &ways)
        };
        if fails(&rule, &events).is_some() {
            let (rule, events) = shrink::shrink(&rule, &events, &|rule, events| fails(rule, events).is_some());
            let stream = events.iter().map(Event::compact).collect::<Vec<_>>().join(" ");
            let why = fails(&rule, &events).expect("it still fails");
            differences.push(format!("PROPTEST_SEED={seed}\n{}-- {stream}\n{why}", render::text(&rule)));
        }
    }
    println!("{}: {cases} rules, {alerts} alerts", strategy.as_str());
    assert!(differences.is_empty(), "{} of {cases} differ, the first:\n{}", differences.len(), differences[0]);
    (cases, alerts)
}

/// Streams made for the rule, near misses among them: they reach further into a rule than random ones.
#[test]
fn the_engine_says_what_the_definition_says_of_streams_made_for_the_rule() {
    let (mut alerts, mut differences, mut cases) = (0, vec![], 0);
    for seed in first_seed()..first_seed() + budget(1) / 2 {
        let mut r = Random::new(seed ^ (11 << 40));
        let rule = gen_rule::rule(&mut r);
        if matches!(rule.pick, oracle::rule::Pick::All) || !asked_for(&render::text(&rule)) {
            continue;
        }
        let begun = Instant::now();
        let made = gen_stream::made_for(&render::file(&rule), rule.clock, seed);
        name_if_slow(begun, seed, &rule, made.as_deref().unwrap_or_default());
        let Some(events) = made else { continue };
        let settings = settings(seed);
        let Some(outcome) = clear(&rule, &events, settings) else { continue };
        cases += 1;
        alerts += outcome.alerts.len();
        if let Some(difference) = engine_differs_from(&outcome, &rule, &events, settings, &[Way::Chosen, Way::Runs]) {
            let stream = events.iter().map(Event::compact).collect::<Vec<_>>().join(" ");
            differences.push(format!("PROPTEST_SEED={seed}\n{}-- {stream}\n{difference}", render::text(&rule)));
        }
        name_if_slow(begun, seed, &rule, &events);
    }
    assert!(differences.is_empty(), "{} of {cases} differ, the first:\n{}", differences.len(), differences[0]);
    println!("{cases} streams, {alerts} alerts");
    assert!(alerts * 2 > cases, "{alerts} alerts of {cases} streams");
}
