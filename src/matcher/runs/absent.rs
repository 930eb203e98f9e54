//! Absences of groups: whether a sequence of events lies wholly between a bound event and a deadline.
//!
//! Any will do, so nothing is kept of what is found. Where no step reads what another one has found, the steps are gone
//! through one after the other, each with all events that it may stand at: an event may follow if one of those before
//! it lies at the right distance. Otherwise every way is tried, the oldest first. That takes a budget of its own; when
//! it is used up nothing is found, so the rule fires, and says that a limit did bite.

use super::buffer::Id;
use super::search::Search;
use crate::base::id::GuardId;
use crate::base::{Duration, Timestamp, ValueRef};
use crate::plan::eval::{eval, passes};
use crate::plan::event::{StoredEvent, StoredView};
use crate::plan::ruleset::{AbsentGroup, AbsentStep, Link};

impl<'s> Search<'s> {
    /// Whether a candidate of the group lies in `from..to`.
    pub(super) fn occurs(&self, group: &AbsentGroup, from: Id, to: Id) -> bool {
        if from >= to {
            return false;
        }
        if group.is_separable() {
            return self.occurs_step_by_step(group, from, to);
        }
        let mut bound = self.bound.clone();
        self.occurs_after(group, 0, None, from, to, &mut bound)
    }

    fn occurs_step_by_step(&self, group: &AbsentGroup, from: Id, to: Id) -> bool {
        let mut before: Option<Vec<Id>> = None;
        for step in &group.steps {
            let length = step.link.computed.as_ref().map(|d| self.duration(d));
            let may_follow = |id: Id| match &before {
                None => true,
                Some(before) => self.follows_one_of(group, &step.link, length, before, id),
            };
            let role = self.env.rule.guards[step.guard.index()].role;
            let here: Vec<Id> =
                self.buffer.range(role, from, to).filter(|id| self.hits(step.guard, *id) && may_follow(*id)).collect();
            if here.is_empty() {
                return false;
            }
            before = Some(here);
        }
        true
    }

    /// Whether an event lies behind one of those of the step before as the joint asks. They stand oldest first.
    fn follows_one_of(
        &self,
        group: &AbsentGroup,
        link: &Link,
        computed: Option<Option<Duration>>,
        before: &[Id],
        id: Id,
    ) -> bool {
        let ts = self.buffer.event(id).ts;
        let most = match computed {
            None => link.within,
            Some(None) => return false,
            Some(length) => length,
        };
        let oldest = most.map_or(0, |d| self.buffer.at_or_after(ts - d));
        let newest = link.after.map_or(id, |d| self.buffer.after(ts - d).min(id));
        let end = before.partition_point(|other| *other < newest);
        let Some(nearest) = before[..end].last().filter(|nearest| **nearest >= oldest) else { return false };
        // The newest that may do lies nearest.
        !link.directly || !self.breaks_contiguity(group, *nearest + 1, id)
    }

    fn breaks_contiguity(&self, group: &AbsentGroup, from: Id, to: Id) -> bool {
        self.named_between(from, to) || self.any_hit(&group.between, from, to, &[])
    }

    /// Whether steps `at..` of the group can be found in `from..to`, behind the event `last` of the one before.
    fn occurs_after(
        &self,
        group: &AbsentGroup,
        at: usize,
        last: Option<Id>,
        from: Id,
        to: Id,
        bound: &mut Vec<Vec<&'s StoredEvent>>,
    ) -> bool {
        let Some(step) = group.steps.get(at) else { return true };
        let role = self.env.rule.guards[step.guard.index()].role;
        for id in self.buffer.range(role, from, to) {
            let budget = self.absent_budget.get();
            if budget == 0 {
                return false;
            }
            self.absent_budget.set(budget - 1);
            if let Some(last) = last
                && self.is_too_late(&step.link, last, self.buffer.event(id).ts)
            {
                return false;
            }
            if !self.hits_over(step.guard, id, bound) {
                continue;
            }
            if let Some(name) = step.name {
                bound[name.index()].push(self.buffer.event(id));
            }
            let found = last.is_none_or(|last| self.joins(group, step, last, id, bound))
                && self.occurs_after(group, at + 1, Some(id), id + 1, to, bound);
            if let Some(name) = step.name {
                bound[name.index()].pop();
            }
            if found {
                return true;
            }
        }
        false
    }

    fn is_too_late(&self, link: &Link, last: Id, ts: Timestamp) -> bool {
        link.within.is_some_and(|d| ts - self.buffer.event(last).ts > d)
    }

    /// Whether the joint before a step holds between two events.
    fn joins(&self, group: &AbsentGroup, step: &AbsentStep, last: Id, id: Id, bound: &[Vec<&'s StoredEvent>]) -> bool {
        let gap = self.buffer.event(id).ts - self.buffer.event(last).ts;
        let link = &step.link;
        let computed = link.computed.as_ref().is_none_or(|d| {
            match eval(d, &self.env.context::<StoredView<'_>>(None, bound, None)).get() {
                ValueRef::Duration(d) => gap <= d,
                _ => false,
            }
        });
        computed
            && link.after.is_none_or(|d| gap >= d)
            && !(link.directly && self.breaks_contiguity(group, last + 1, id))
    }

    /// [`Search::hits`] with other events bound.
    fn hits_over(&self, guard: GuardId, id: Id, bound: &[Vec<&'s StoredEvent>]) -> bool {
        let def = &self.env.rule.guards[guard.index()];
        if !self.meets_key(guard, id) {
            return false;
        }
        let view = self.env.stored(self.buffer.event(id));
        def.cross.as_ref().is_none_or(|cross| passes(cross, &self.env.context(Some(&view), bound, None)))
    }
}
