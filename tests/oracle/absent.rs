//! The absence of a group, `no { p: X then q: Y } within d`: whether some candidate of it lies wholly after an event and
//! up to the deadline.

use super::candidates::{Part, Search};
use super::eval::Binds;
use super::event::Ms;
use super::rule::{Guard, Joint};

/// What must not come.
pub struct Absent<'a> {
    pub events: &'a [Guard],
    /// The joint before each, and its name.
    pub inner: &'a [(Joint, Option<String>)],
    /// The event before the absence.
    pub after: usize,
    pub deadline: Ms,
}

impl Search<'_> {
    /// Whether the events from the `at`-th on come, behind that of the one before.
    pub fn occurs(&self, group: &Absent<'_>, part: &Part, at: usize, last: Option<usize>, binds: &Binds) -> bool {
        let world = self.world;
        let Some(guard) = group.events.get(at) else { return true };
        let joint = &group.inner[at].0;
        // `directly` inside minds the classes of the rule's steps and of the group's.
        let class = |g: &Guard| Guard { cond: None, ..g.clone() };
        let of_group = |x: usize| group.events.iter().any(|g| world.meets(&class(g), x, &part.comps, &part.env, binds));
        (last.unwrap_or(group.after) + 1..self.len()).any(|e| {
            let joined = last.is_none_or(|last| {
                let gap = world.events[e].ts - world.events[last].ts;
                let own = |e: usize| self.with(group, at, e, binds);
                joint.after.is_none_or(|d| gap >= d)
                    && joint.computed.as_ref().is_none_or(|d| self.length(d, &own(e)).is_some_and(|d| gap <= d))
                    && joint.within.is_none_or(|d| d.holds(gap))
                    && !(joint.directly && (last + 1..e).any(|x| self.named(x) || of_group(x)))
            });
            if world.events[e].ts > group.deadline || !joined || !world.meets(guard, e, &part.comps, &part.env, binds) {
                return false;
            }
            self.occurs(group, part, at + 1, Some(e), &self.with(group, at, e, binds))
        })
    }

    /// What is bound, with an event for the `at`-th.
    fn with(&self, group: &Absent<'_>, at: usize, event: usize, binds: &Binds) -> Binds {
        let mut binds = binds.clone();
        if let Some(place) = group.inner[at].1.as_ref().and_then(|name| self.world.rule.absent_named(name)) {
            binds.resize(binds.len().max(place + 1), vec![]);
            binds[place] = vec![event];
        }
        binds
    }
}
