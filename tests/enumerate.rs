//! Strategy *enumerate* on streams with more matches than can be gone through: their number is what a dynamic program
//! counts, and as many as are asked for are there.

#[path = "../benches/enumerate/stream.rs"]
mod stream;

use std::collections::HashSet;
use std::sync::Arc;

use stream::{Counted, event, rule, types};
use tripline::base::Limits;
use tripline::compile::compile_str;
use tripline::decode::Arena;
use tripline::matcher::enumerate::Enumerate;
use tripline::matcher::{Match, RuleEnv};
use tripline::plan::Ruleset;
use tripline::plan::strategy::StrategyKind;
use tripline::session::{AtEnd, Session, SessionConfig};

/// Matches of one event that are gone through.
const GONE_THROUGH: u128 = 2000;

fn compiled(text: &str) -> Arc<Ruleset> {
    let rules = compile_str(text).expect("the rule has no errors");
    assert_eq!(rules.rules[0].strategy, StrategyKind::Enumerate, "{}", rules.rules[0].reason);
    rules
}

/// The number of matches is right at every event, however large, and each of the matches is one and there once.
#[test]
fn counts_are_those_of_a_dynamic_program() {
    for (length, events) in [(3, 2000), (6, 2000), (12, 3000), (24, 5000)] {
        for window in [100, 1000] {
            let rules = compiled(&rule(length, window));
            let (rule, types) = (&rules.rules[0], types(length, events, 7 + length as u64));
            let counted = Counted::new(&types, length, window);
            let (mut state, arena, mut evicted) = (Enumerate::default(), Arena::default(), 0);
            let (mut most, mut completions) = (0, 0);
            let limits = Limits::default();
            let env = RuleEnv::new(rule, &[], &limits);
            for (place, class) in types.iter().enumerate() {
                let event = event(rule, &arena, *class, place);
                let completion = state.advance(rule, &event, &mut || event.store(&env, &[]), &mut evicted);
                let count = state.count(&completion);
                assert_eq!(count, counted.at(place), "n = {length}, window {window}, event {place}");
                most = most.max(count);
                completions += usize::from(count > 0);
                let mut seen = HashSet::new();
                state.matches(&completion, |bound| {
                    assert!(bound.windows(2).all(|b| b[0].event > b[1].event && b[0].step > b[1].step));
                    assert_eq!(bound.len(), length);
                    assert!(seen.insert(bound.to_vec()), "a match is found twice");
                    (seen.len() as u128) < GONE_THROUGH
                });
                assert_eq!(seen.len() as u128, count.min(GONE_THROUGH));
            }
            println!("n = {length}, window {window}: {completions} completions, {most} matches of one at most");
            assert!(completions > 50 || (length, window) == (12, 100) || (length, window) == (24, 100));
            assert_eq!(evicted, 0);
        }
    }
}

/// What is held does not grow with the stream.
#[test]
fn what_is_out_of_reach_is_forgotten() {
    let rules = compiled(&rule(6, 100));
    let (rule, types) = (&rules.rules[0], types(6, 50_000, 3));
    let (mut state, arena, limits) = (Enumerate::default(), Arena::default(), Limits::default());
    let env = RuleEnv::new(rule, &[], &limits);
    let mut longest = 0;
    for (place, class) in types.iter().enumerate() {
        let event = event(rule, &arena, *class, place);
        let mut out: Vec<Match> = Vec::new();
        state.on_event(&env, &event, &[], &mut out, &mut 0);
        if place % 1000 == 999 {
            let bytes = postcard::to_allocvec(&state).expect("a state can be saved").len();
            longest = if place < 10_000 { bytes.max(longest) } else { longest };
            assert!(bytes <= longest * 2, "{bytes} bytes at event {place}, {longest} before");
        }
    }
}

/// A limit on the matches of one completion bites visibly.
#[test]
fn more_matches_than_the_limit_are_said_to_be_missing() {
    let text = "rule ab { match { x: a then y: b } within 1h pick all after match no skip }";
    let limits = Limits { matches_per_completion: 3, ..Limits::default() };
    let mut session = Session::new(compiled(text), SessionConfig { limits, ..SessionConfig::default() });
    for n in 0..5_i64 {
        session.push_line(&format!(r#"{{"type":"a","ts":{}}}"#, 1_767_225_600_000 + n));
    }
    session.push_line(r#"{"type":"b","ts":1767225601000}"#);
    session.finish(AtEnd::Pending);
    assert_eq!(session.drain().len(), 3);
    assert_eq!(session.summary().rules[0].limited, 3);
}

/// So does a limit on what a key holds: the oldest events go, and matches say so as long as they might have had them.
#[test]
fn events_beyond_the_limit_of_a_key_are_missed_visibly() {
    let text = "rule ab { match { x: a then y: b } within 10s pick all after match no skip }";
    let rules = {
        let limits = Limits { runs_per_key: 2, ..Limits::default() };
        let mut sources = tripline::syntax::source::SourceMap::new();
        sources.add("case", text);
        let options = tripline::compile::CompileOptions { limits, ..Default::default() };
        let compiled = tripline::compile::compile(&sources, &options, &|path, _| Err(format!("no table {path}")));
        compiled.ruleset.expect("the rule has no errors")
    };
    let mut session = Session::new(rules, SessionConfig::default());
    let mut push = |class: &str, second: i64| {
        session.push_line(&format!(r#"{{"type":"{class}","ts":{}}}"#, 1_767_225_600_000 + second * 1000));
        session.summary().rules[0].clone()
    };
    (0..4).for_each(|second| drop(push("a", second)));
    let after = push("b", 5);
    assert_eq!((after.matches, after.limited, after.evicted), (2, 2, 2));
    push("a", 20);
    let after = push("b", 21);
    assert_eq!((after.matches, after.limited, after.evicted), (3, 2, 2), "nothing that was dropped is missed any more");
}
