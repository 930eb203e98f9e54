//! Near misses: streams that differ from a firing one in one thing, and do not fire.
//!
//! Each is made from a scenario that was seen to fire, and kept only if the engine stays silent on it: one event
//! short, one millisecond late (a millisecond earlier would have fired), another key, or an event that the rule forbids.

use fastrand::Rng;

use super::draft::Draft;
use super::scenario::{Builder, fixed};
use super::scope::{Scope, key_of};
use super::walk::{exprs_of, guards_of};
use crate::base::{Duration, Value};
use crate::syntax::ast::{Guard, KeyItem, RuleDecl};

/// What a near miss lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NearMiss {
    /// One of the events is left out.
    OneShort,
    /// An event comes a millisecond after a bound.
    OneLate,
    /// One event has another key.
    OtherKey,
    /// An event comes that must not.
    Broken,
}

impl NearMiss {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::OneShort, Self::OneLate, Self::OtherKey, Self::Broken];

    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneShort => "one event short",
            Self::OneLate => "one millisecond late",
            Self::OtherKey => "another key",
            Self::Broken => "with an event that must not come",
        }
    }
}

/// A near miss of a kind, if the scenario has one. `fires` asks the engine.
pub fn miss(
    kind: NearMiss,
    scope: &Scope<'_>,
    rule: &RuleDecl,
    scenario: &[Draft],
    rng: &mut Rng,
    fires: &mut dyn FnMut(&[Draft]) -> bool,
) -> Option<Vec<Draft>> {
    match kind {
        NearMiss::OneShort => {
            let mut places: Vec<usize> = (0..scenario.len()).collect();
            rng.shuffle(&mut places);
            places.into_iter().find_map(|at| {
                let mut less = scenario.to_vec();
                less.remove(at);
                (!fires(&less)).then_some(less)
            })
        }
        NearMiss::OneLate => one_late(scope, rule, scenario, rng, fires),
        NearMiss::OtherKey => other_key(scope, rule, scenario, rng, fires),
        NearMiss::Broken => broken(scope, rule, scenario, rng, fires),
    }
}

/// Moves an event, and all after it, to just past a bound that the rule names.
fn one_late(
    scope: &Scope<'_>,
    rule: &RuleDecl,
    scenario: &[Draft],
    rng: &mut Rng,
    fires: &mut dyn FnMut(&[Draft]) -> bool,
) -> Option<Vec<Draft>> {
    let mut bounds = Vec::new();
    exprs_of(rule, &mut |expr| bounds.extend(fixed(expr)));
    bounds.extend(scope.durations().iter().map(|d| Duration(*d)));
    bounds.dedup();
    let mut pairs: Vec<(usize, usize)> = (1..scenario.len()).flat_map(|to| [(0, to), (to - 1, to)]).collect();
    pairs.dedup();
    rng.shuffle(&mut pairs);
    for bound in bounds {
        for (from, to) in pairs.iter().copied().take(12) {
            let moved = |to_gap: Duration| {
                let shift = (scenario[from].ts + to_gap) - scenario[to].ts;
                let mut moved = scenario.to_vec();
                moved[to..].iter_mut().for_each(|draft| draft.ts = draft.ts + shift);
                moved.sort_by_key(|draft| draft.ts);
                moved
            };
            let late = moved(bound + Duration::from_millis(1));
            if !fires(&late) && fires(&moved(bound)) {
                return Some(late);
            }
        }
    }
    None
}

fn other_key(
    scope: &Scope<'_>,
    rule: &RuleDecl,
    scenario: &[Draft],
    rng: &mut Rng,
    fires: &mut dyn FnMut(&[Draft]) -> bool,
) -> Option<Vec<Draft>> {
    let mut items: Vec<KeyItem> = key_of(rule).to_vec();
    super::walk::steps_of(rule, &mut |step| items.extend(step.by.iter().cloned()));
    let mut places: Vec<usize> = (0..scenario.len()).collect();
    rng.shuffle(&mut places);
    for at in places {
        for item in &items {
            let Some(path) = scope.key_field(item) else { continue };
            let old = scenario[at].get(&path);
            if old == Value::Missing {
                continue;
            }
            let mut other = scenario.to_vec();
            let value = scope.plausible(&path, rng.u64(900_000..999_999), rng);
            other[at].set(&path, &value);
            if other[at].get(&path) != old && !fires(&other) {
                return Some(other);
            }
        }
    }
    None
}

/// Adds an event that an absence, `unless`, `without` or `cancel on` asks not to come.
fn broken(
    scope: &Scope<'_>,
    rule: &RuleDecl,
    scenario: &[Draft],
    rng: &mut Rng,
    fires: &mut dyn FnMut(&[Draft]) -> bool,
) -> Option<Vec<Draft>> {
    let mut found: Vec<&Guard> = Vec::new();
    guards_of(rule, &mut |guard| found.push(guard));
    let mut bounds = Vec::new();
    exprs_of(rule, &mut |expr| bounds.extend(fixed(expr)));
    let first = scenario.first()?;
    let last = scenario.last()?;
    for guard in found {
        let mut times = vec![last.ts + Duration::from_millis(1), first.ts - Duration::from_millis(1)];
        times.extend(bounds.iter().map(|d| last.ts + *d));
        times.extend(scenario.windows(2).map(|pair| pair[0].ts + Duration((pair[1].ts - pair[0].ts).0 / 2)));
        times.truncate(24);
        for ts in times {
            let Some(event) = Builder::forbidden(scope, guard, rule, scenario, ts, rng) else { continue };
            let mut more = scenario.to_vec();
            more.push(event);
            more.sort_by_key(|draft| draft.ts);
            if !fires(&more) {
                return Some(more);
            }
        }
    }
    None
}
