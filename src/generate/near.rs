//! Near misses: streams that differ from a firing one in one thing, and do not fire.
//!
//! Each is made from a scenario that was seen to fire, and kept only if the engine stays silent on it: one event
//! short, one millisecond late (a millisecond earlier would have fired), another key, or an event that the rule forbids.

use fastrand::Rng;

use super::draft::Draft;
use super::scenario::{Builder, fixed};
use super::scope::{Scope, key_of};
use super::walk::{absent_groups_of, exprs_of, guards_of};
use crate::base::{Duration, Value};
use crate::syntax::ast::{Absence, AbsentGroup, Guard, KeyItem, RuleDecl, Then};

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
    let mut bounds = Vec::new();
    exprs_of(rule, &mut |expr| bounds.extend(fixed(expr)));
    let mut search = Search { scope, rule, scenario, bounds, rng, fires };
    match kind {
        NearMiss::OneShort => search.one_short(),
        NearMiss::OneLate => search.one_late(),
        NearMiss::OtherKey => search.other_key(),
        NearMiss::Broken => search.broken(),
    }
}

/// A firing scenario, and what its near misses are made with.
struct Search<'a, 's> {
    scope: &'a Scope<'s>,
    rule: &'a RuleDecl,
    scenario: &'a [Draft],
    /// Durations that the rule names.
    bounds: Vec<Duration>,
    rng: &'a mut Rng,
    fires: &'a mut dyn FnMut(&[Draft]) -> bool,
}

impl Search<'_, '_> {
    /// Places of the scenario in random order.
    fn places(&mut self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.scenario.len()).collect();
        self.rng.shuffle(&mut places);
        places
    }

    fn one_short(&mut self) -> Option<Vec<Draft>> {
        self.places().into_iter().find_map(|at| {
            let mut less = self.scenario.to_vec();
            less.remove(at);
            (!(self.fires)(&less)).then_some(less)
        })
    }

    /// Moves an event, and all after it, to just past a bound that the rule names.
    fn one_late(&mut self) -> Option<Vec<Draft>> {
        let scenario = self.scenario;
        let mut bounds = self.bounds.clone();
        bounds.extend(self.scope.durations().iter().map(|d| Duration(*d)));
        bounds.dedup();
        let mut pairs: Vec<(usize, usize)> = (1..scenario.len()).flat_map(|to| [(0, to), (to - 1, to)]).collect();
        pairs.dedup();
        self.rng.shuffle(&mut pairs);
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
                if !(self.fires)(&late) && (self.fires)(&moved(bound)) {
                    return Some(late);
                }
            }
        }
        None
    }

    fn other_key(&mut self) -> Option<Vec<Draft>> {
        let mut items: Vec<KeyItem> = key_of(self.rule).to_vec();
        super::walk::steps_of(self.rule, &mut |step| items.extend(step.by.iter().cloned()));
        for at in self.places() {
            for item in &items {
                let Some(path) = self.scope.key_field(item) else { continue };
                let old = self.scenario[at].get(&path);
                if old == Value::Missing {
                    continue;
                }
                let mut other = self.scenario.to_vec();
                let value = self.scope.plausible(&path, self.rng.u64(900_000..999_999), self.rng);
                other[at].set(&path, &value);
                if other[at].get(&path) != old && !(self.fires)(&other) {
                    return Some(other);
                }
            }
        }
        None
    }

    /// Adds an event that an absence, `unless`, `without` or `cancel on` asks not to come.
    fn broken(&mut self) -> Option<Vec<Draft>> {
        let scenario = self.scenario;
        let mut found: Vec<&Guard> = Vec::new();
        guards_of(self.rule, &mut |guard| found.push(guard));
        let first = scenario.first()?;
        let last = scenario.last()?;
        for guard in found {
            let mut times = vec![last.ts + Duration::from_millis(1), first.ts - Duration::from_millis(1)];
            times.extend(self.bounds.iter().map(|d| last.ts + *d));
            times.extend(scenario.windows(2).map(|pair| pair[0].ts + Duration((pair[1].ts - pair[0].ts).0 / 2)));
            times.truncate(24);
            for ts in times {
                let forbidden = Builder::forbidden(self.scope, guard, self.rule, scenario, ts, false, self.rng);
                let Some(event) = forbidden else { continue };
                let mut more = scenario.to_vec();
                more.push(event);
                more.sort_by_key(|draft| draft.ts);
                if !(self.fires)(&more) {
                    return Some(more);
                }
            }
        }
        let mut groups = Vec::new();
        absent_groups_of(self.rule, &mut |absence, group| groups.push((absence, group)));
        groups.into_iter().find_map(|(absence, group)| self.with_group(absence, group))
    }

    /// Adds all events of a group that must not come, in its order.
    fn with_group(&mut self, absence: &Absence, group: &AbsentGroup) -> Option<Vec<Draft>> {
        let gap = |joint: Option<&Then>| {
            let least = joint.and_then(|then| then.after.as_ref().and_then(fixed));
            least.unwrap_or_default().max(Duration::from_millis(1))
        };
        for at in self.places() {
            let mut more = self.scenario.to_vec();
            let mut ts = more[at].ts;
            for (place, guard) in absence.events.iter().enumerate() {
                ts = ts + gap(place.checked_sub(1).and_then(|before| group.joints.get(before)));
                let mut event = Builder::forbidden(self.scope, guard, self.rule, &more, ts, true, self.rng)?;
                event.step = group.names.get(place).and_then(|name| Some(name.as_ref()?.name.clone()));
                more.push(event);
            }
            more.sort_by_key(|draft| draft.ts);
            if !(self.fires)(&more) {
                return Some(more);
            }
        }
        None
    }
}
