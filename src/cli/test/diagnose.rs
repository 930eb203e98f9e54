//! Why an expected alert did not come: how far the pattern got, and what stopped it.
//!
//! The answer is found by trying: the longest beginning of the pattern that has a match on the same events, what is
//! left without `having` and the guards, and how many events each step alone would take.

use std::sync::Arc;

use tripline::alert::Alert;
use tripline::plan::Ruleset;
use tripline::syntax::ast::{Count, Element, RuleDecl, Step, TestDecl};
use tripline::syntax::source::Span;

use super::expect::since_start;
use super::run;
use super::stream::Line;
use super::variant::{Original, pattern};
use crate::cli::wording::{Wording, count};

/// Bound events of one step that are listed.
const SHOWN: usize = 8;

/// Lines that explain a missing alert.
pub fn diagnose(original: Original<'_>, rule: &RuleDecl, test: &TestDecl, lines: &[Line]) -> Vec<String> {
    let Some(found) = pattern(rule) else { return Vec::new() };
    let wording = Wording::new(&original.texts.sources);
    let elements: Vec<&Element> = found.body.elements().collect();
    let fires = |ruleset: Option<Arc<Ruleset>>| {
        ruleset.map(|r| run::alerts(&r, &rule.name.name, test, lines)).filter(|alerts| !alerts.is_empty())
    };
    let mut report = Vec::new();
    let single_cause = single_cause(original, rule, &fires);
    let reached = (1..=elements.len()).rev().find_map(|n| Some((n, fires(original.prefix(rule, n))?)));
    match &reached {
        Some((n, alerts)) if *n == elements.len() => {
            report.push(format!("all {n} of the pattern's elements were found:"));
            report.extend(alerts.last().map(bound).unwrap_or_default());
        }
        Some((n, alerts)) => {
            report.push(format!("the pattern got as far as element {n} of {}:", elements.len()));
            report.extend(alerts.last().map(bound).unwrap_or_default());
            report.push(format!("it did not go on to: {}", wording.span(elements[*n].span())));
        }
        None => {
            report.push(format!("the pattern did not get past its first element: {}", wording.span(elements[0].span())))
        }
    }
    for part in single_cause {
        report.push(format!("there would be an alert without: {}", wording.span(part)));
    }
    for element in elements.iter().skip(reached.as_ref().map_or(0, |(n, _)| *n)) {
        for step in steps(element) {
            report.extend(qualifying(original, rule, step, test, lines, wording));
        }
    }
    report
}

/// The steps of an element.
fn steps(element: &Element) -> Vec<&Step> {
    match element {
        Element::Step(step) => vec![step],
        Element::All(all) => all.members.iter().collect(),
        Element::Any(any) => any.members.iter().collect(),
        Element::Choice(choice) => choice.members.iter().flat_map(|m| m.elements()).flat_map(steps).collect(),
        Element::Group(group) => group.body.elements().flat_map(steps).collect(),
        Element::Absence(_) => Vec::new(),
    }
}

/// Parts of the rule of which leaving out one alone gives an alert.
fn single_cause(
    original: Original<'_>,
    rule: &RuleDecl,
    fires: &dyn Fn(Option<Arc<Ruleset>>) -> Option<Vec<Alert>>,
) -> Vec<Span> {
    original.parts(rule).into_iter().filter(|part| fires(original.without(rule, *part)).is_some()).collect()
}

/// How many events a step alone would take, by class and by condition.
fn qualifying(
    original: Original<'_>,
    rule: &RuleDecl,
    step: &Step,
    test: &TestDecl,
    lines: &[Line],
    wording: Wording<'_>,
) -> Option<String> {
    let name = wording.step_name(step);
    let asked = step.quantifier.as_ref().filter(|q| !matches!(q.count, Count::Optional | Count::ZeroOrMore));
    let asked = asked.map(|q| format!(", and {} are asked for", count(q.count))).unwrap_or_default();
    let of_class =
        |n: usize| if n == 1 { "1 event is of its class".to_owned() } else { format!("{n} events are of its class") };
    let bare = Step { condition: None, ..step.clone() };
    let all = run::alerts(&original.alone(rule, &bare)?, &rule.name.name, test, lines).len();
    if step.condition.is_none() {
        return Some(format!("step `{name}`: {}{asked}", of_class(all)));
    }
    Some(match original.alone(rule, step) {
        Some(ruleset) => {
            let qualify = run::alerts(&ruleset, &rule.name.name, test, lines).len();
            format!("step `{name}`: {}, {qualify} of {all} meet its condition{asked}", of_class(all))
        }
        None => format!("step `{name}`: {}; its condition reads other steps", of_class(all)),
    })
}

/// What an alert bound, a line a step.
fn bound(alert: &Alert) -> Vec<String> {
    let mut report = Vec::new();
    for step in &alert.bound {
        if step.events.is_empty() {
            continue;
        }
        let name = step.name.clone().unwrap_or_else(|| (step.step.index() + 1).to_string());
        let mut times: Vec<String> =
            step.events.iter().take(SHOWN).map(|event| since_start(event.ts).to_string()).collect();
        if step.events.len() > SHOWN {
            times.push(format!("… {} in all", step.events.len()));
        }
        report.push(format!("  {name} at {}", times.join(", ")));
    }
    report
}
