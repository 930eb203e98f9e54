//! Guards inside a search: whether an event of a guard hits, and whether one does between two positions.

use super::buffer::Id;
use super::search::Search;
use crate::base::id::GuardId;
use crate::plan::eval::passes;
use crate::plan::event::StoredEvent;
use crate::plan::key::encode_scalar;
use crate::plan::ruleset::{KeyComponent, Lookback, RoleKind};

impl<'s> Search<'s> {
    /// Whether an event of a named class lies in `from..to`.
    pub(super) fn named_between(&self, from: Id, to: Id) -> bool {
        let roles = &self.env.rule.roles;
        (0..roles.len()).any(|at| roles[at].kind == RoleKind::Named && self.buffer.any(at as u8, from, to))
    }

    /// Whether the event at `id` hits a guard, under what is bound now.
    pub(super) fn hits(&self, guard: GuardId, id: Id) -> bool {
        let def = &self.env.rule.guards[guard.index()];
        if !self.meets_key(guard, id) {
            return false;
        }
        let view = self.env.stored(self.buffer.event(id));
        def.cross.as_ref().is_none_or(|cross| passes(cross, &self.env.context(Some(&view), &self.bound, None)))
    }

    /// Whether the event at `id` is of a guard's class and key.
    pub(super) fn meets_key(&self, guard: GuardId, id: Id) -> bool {
        let def = &self.env.rule.guards[guard.index()];
        self.buffer.has(id, def.role)
            && (!self.env.rule.handed_over || self.agrees(&def.components, self.buffer.event(id)))
    }

    /// Whether any of the guards is hit in `from..to` by an event that `skip` does not name.
    pub(super) fn any_hit(&self, guards: &[GuardId], from: Id, to: Id, skip: &[Id]) -> bool {
        guards.iter().any(|guard| {
            let role = self.env.rule.guards[guard.index()].role;
            self.buffer.range(role, from, to).any(|id| !skip.contains(&id) && self.hits(*guard, id))
        })
    }

    /// How many events in `from..to` hit any of the guards; counts no further than `most`.
    pub(super) fn hit_count(&self, guards: &[GuardId], from: Id, to: Id, most: u64) -> u64 {
        let role = |guard: &GuardId| self.env.rule.guards[guard.index()].role;
        let mut ids: Vec<Id> = guards.iter().flat_map(|g| self.buffer.range(role(g), from, to)).collect();
        ids.sort_unstable();
        // An event that hits several of them counts once.
        ids.dedup();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        ids.into_iter().filter(|id| guards.iter().any(|g| self.hits(*g, *id))).take(most).count() as u64
    }

    /// Whether the guard's key agrees with the components bound so far; one not bound yet does not agree.
    fn agrees(&self, components: &[KeyComponent], event: &StoredEvent) -> bool {
        let view = self.env.stored(event);
        let context = self.env.context(Some(&view), &[], None);
        components.iter().all(|component| {
            let Some(agreed) = &self.components[component.place] else { return false };
            let mut bytes = Vec::new();
            let value = crate::plan::eval::eval(&component.value, &context);
            (component.optional || !value.get().is_missing())
                && encode_scalar(value.get(), &mut bytes)
                && bytes[..] == agreed[..]
        })
    }

    /// Whether the `unless`/`if` guards of a step that need bound events let the event pass. It must be bound already.
    pub(super) fn looks_back(&self, lookbacks: &[Lookback], id: Id) -> bool {
        let ts = self.buffer.event(id).ts;
        lookbacks.iter().filter(|l| l.names.is_none()).all(|lookback| {
            let Some(length) = self.length(&lookback.last) else { return false };
            let from = self.buffer.at_or_after(ts - length);
            self.any_hit(&lookback.guards, from, id, &[]) == lookback.wanted
        })
    }

    /// `cancel on`: whether the candidate is cancelled in `from..to`. Names mean what was bound before the hit.
    pub(super) fn cancelled(&mut self, from: Id, to: Id, bound: &[Id]) -> bool {
        let rule = self.env.rule;
        for guard in &rule.cancel {
            let def = &rule.guards[guard.index()];
            for id in self.buffer.range(def.role, from, to) {
                if bound.contains(&id) {
                    continue;
                }
                if def.cross.is_none() && !rule.handed_over {
                    return true;
                }
                let whole = self.bound.clone();
                let components = self.components.clone();
                for (events, ids) in self.bound.iter_mut().zip(&self.ids) {
                    let upto = ids.partition_point(|other| *other < id);
                    events.truncate(upto);
                }
                // What a look-back found is there from the event on that looked.
                for (name, found) in &self.named {
                    let finder = rule.steps[name.index()].found_by;
                    if finder.is_some_and(|step| !self.bound[step.index()].is_empty()) {
                        self.bound[name.index()].push(self.buffer.event(*found));
                    }
                }
                if rule.handed_over {
                    self.unset_components_after(id);
                }
                let hit = self.hits(*guard, id);
                self.bound = whole;
                self.components = components;
                if hit {
                    return true;
                }
            }
        }
        false
    }

    /// Forgets components that only steps bound at or after `id` have set.
    fn unset_components_after(&mut self, id: Id) {
        let rule = self.env.rule;
        for place in 0..self.components.len() {
            let set = rule.steps.iter().zip(&self.ids).any(|(step, ids)| {
                step.components.iter().any(|c| c.place == place) && ids.first().is_some_and(|first| *first < id)
            });
            if !set {
                self.components[place] = None;
            }
        }
    }
}
