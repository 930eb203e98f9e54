//! Named look-backs, `Y if q: X in last d`: the newest X is found before Y's own condition is read, which may read it.
//!
//! A name has a place behind the steps of the pattern in [`crate::plan::ruleset::Rule::steps`]. What it holds is read
//! like a bound event and is none: it has no position among [`Search::ids`], so no part in order, bounds and keys.

use smallvec::SmallVec;

use super::buffer::Id;
use super::search::Search;
use super::{RuleEnv, Runs};
use crate::base::StepId;
use crate::base::id::GuardId;
use crate::plan::eval::passes;
use crate::plan::ruleset::{Lookback, Step};

impl Search<'_> {
    /// [`Search::bind`] for a step that names what it looks back at.
    pub(super) fn bind_naming(&mut self, step: StepId, id: Id, prev: Option<Id>) -> bool {
        let def = &self.env.rule.steps[step.index()];
        let (event, buffer) = (self.buffer.event(id), self.buffer);
        let before = if self.env.rule.handed_over { Some(self.components.clone()) } else { None };
        let agrees = before.is_none() || self.agree(step, id);
        // Guards may read the event of the step; its own condition may not.
        self.bound[step.index()].push(event);
        self.ids[step.index()].push(id);
        let found = if agrees && self.looks_back(&def.cross_lookback, id) { self.newest_hits(def, id) } else { None };
        self.bound[step.index()].pop();
        let mut binds = false;
        if let Some(found) = found {
            for (name, id) in found {
                self.bound[name.index()].push(buffer.event(id));
                self.named.push((name, id));
            }
            let view = self.env.stored(event);
            let context = self.env.context(Some(&view), &self.bound, prev.map(|id| buffer.event(id)));
            binds = def.cross.as_ref().is_none_or(|cross| passes(cross, &context));
            // A repeated step looks back for each of its events: outside, no one of them is meant.
            if !binds || def.quantifier.is_some() {
                self.forget_names(step);
            }
        }
        if binds {
            self.bound[step.index()].push(event);
        } else {
            self.ids[step.index()].pop();
            if let Some(before) = before {
                self.components = before;
            }
        }
        binds
    }

    /// What each named look-back of a step finds; nothing if one finds nothing.
    fn newest_hits(&self, step: &Step, id: Id) -> Option<SmallVec<[(StepId, Id); 2]>> {
        step.naming().map(|(lookback, name)| Some((name, self.newest_hit(lookback, id)?))).collect()
    }

    fn newest_hit(&self, lookback: &Lookback, id: Id) -> Option<Id> {
        let from = self.buffer.at_or_after(self.buffer.event(id).ts - self.length(&lookback.last)?);
        let newest = |guard: GuardId| {
            let role = self.env.rule.guards[guard.index()].role;
            self.buffer.range(role, from, id).rev().find(|id| self.hits(guard, *id))
        };
        lookback.guards.iter().filter_map(|guard| newest(*guard)).max()
    }

    /// Takes back what a step has named.
    pub(super) fn forget_names(&mut self, step: StepId) {
        for (_, name) in self.env.rule.steps[step.index()].naming() {
            self.bound[name.index()].clear();
        }
        let steps = &self.env.rule.steps;
        self.named.retain(|(name, _)| steps[name.index()].found_by != Some(step));
    }
}

impl Runs {
    /// Behind an event of a rule of one step, decided or not: keeps what later events may look back at.
    pub(super) fn settle_lone(&mut self, env: &RuleEnv<'_>, step: &Step, roles: u64, found: bool) {
        let guards = &env.rule.guards;
        let role = |lookback: &Lookback| lookback.guards.iter().map(|g| 1_u64 << guards[g.index()].role).sum::<u64>();
        let looked_at = step.cross_lookback.iter().fold(0, |mask, lookback| mask | role(lookback));
        if roles & looked_at == 0 {
            self.buffer.pop_back(env);
        } else if self.is_newest_enough(env, step) {
            while self.buffer.len() > 1 {
                self.buffer.pop_front(env);
            }
        }
        self.limited &= !found;
    }

    /// Whether any event that is looked back at takes the place of all before it.
    fn is_newest_enough(&self, env: &RuleEnv<'_>, step: &Step) -> bool {
        match step.cross_lookback.as_slice() {
            [Lookback { wanted: true, guards, .. }] => match guards.as_slice() {
                [guard] => env.rule.guards[guard.index()].cross.is_none() && !env.rule.handed_over,
                _ => false,
            },
            _ => false,
        }
    }
}
