//! What of the rules the tests hold in place.
//!
//! A step is covered if some test has an alert that bound it. A clause is covered if some test fails when the clause is
//! left out of the rule: a clause that no test would miss is not tested, however often it was executed.

use std::collections::BTreeSet;
use std::sync::Arc;

use tripline::alert::Alert;
use tripline::plan::Ruleset;
use tripline::syntax::ast::{RuleDecl, TestDecl};
use tripline::syntax::source::Span;

use super::expect;
use super::run;
use super::stream::Line;
use super::variant::Original;
use crate::cli::wording::Wording;

/// The coverage of one rule.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Steps, and those that no alert bound.
    pub steps: usize,
    /// Names of steps that no alert bound.
    pub unbound: Vec<String>,
    /// Clauses that can be left out.
    pub clauses: usize,
    /// Clauses that no test would miss.
    pub unmissed: Vec<Span>,
    /// Some test expects an alert.
    pub fires: bool,
    /// Some test expects none.
    pub silent: bool,
}

/// A test that passed, with what it needs to run again.
pub struct Passed<'a> {
    /// The test.
    pub test: &'a TestDecl,
    /// Its events.
    pub lines: &'a [Line],
    /// Its alerts.
    pub alerts: &'a [Alert],
}

/// Measures one rule by its tests.
pub fn measure(original: Original<'_>, compiled: &Ruleset, rule: &RuleDecl, tests: &[Passed<'_>]) -> Coverage {
    let wording = Wording::new(&original.texts.sources);
    let mut coverage = Coverage::default();
    let mut bound: BTreeSet<usize> = BTreeSet::new();
    for test in tests {
        coverage.fires |= !test.alerts.is_empty();
        coverage.silent |= test.alerts.is_empty();
        for alert in test.alerts {
            bound.extend(alert.bound.iter().filter(|step| !step.events.is_empty()).map(|step| step.step.index()));
        }
    }
    if let Some(plan) = compiled.rule(&rule.name.name) {
        let steps = plan.steps.iter().enumerate().filter(|(_, step)| !plan.must_not_come(step));
        coverage.steps = steps.clone().count();
        let missing = steps.filter(|(n, _)| !bound.contains(n));
        coverage.unbound = missing.map(|(_, step)| step.label.to_string()).collect();
    }
    for part in original.parts(rule) {
        let Some(variant) = original.without(rule, part) else { continue };
        coverage.clauses += 1;
        if !missed(&variant, rule, tests, wording) {
            coverage.unmissed.push(part);
        }
    }
    coverage
}

/// Whether some test notices the difference.
fn missed(variant: &Arc<Ruleset>, rule: &RuleDecl, tests: &[Passed<'_>], wording: Wording<'_>) -> bool {
    tests.iter().any(|passed| {
        let alerts = run::alerts(variant, &rule.name.name, passed.test, passed.lines);
        !expect::compare(passed.test, &alerts, wording).is_empty()
    })
}
