//! Repeated groups inside a search: iterations of a short sequence, one after the other.
//!
//! Each iteration is the earliest completion of the body after the one before; among bindings that complete there the
//! rule's `pick` decides. As many iterations are bound as fit before the next element.

use super::buffer::Id;
use super::forward::Left;
use super::repeat::Next;
use super::search::{Search, Trigger};
use crate::base::StepId;
use crate::plan::ruleset::Pick;
use crate::plan::ruleset::{Group, Link};

/// How an iteration joins on to what is before it.
#[derive(Clone, Copy, Debug)]
struct Entry<'l> {
    /// Contiguity and gaps.
    link: &'l Link,
    /// It begins at or before this.
    limit: Option<Id>,
    /// It begins just here.
    begin: Option<Id>,
}

impl<'s> Search<'s> {
    /// Finds the iterations of a repeated group, and goes on.
    pub(super) fn group(&mut self, at: usize, group: &'s Group, left: Left<'s>) {
        let next = self.next(at);
        let high = match next {
            Next::Pin(id) | Next::Open(id) => id,
            Next::End => self.end(),
        };
        let element = &self.env.rule.elements[at];
        if group.quantifier.min == 0 && !matches!(next, Next::End) {
            let mut skip = left.clone();
            let after = Left { last: left.last, ..Left::default() };
            let first = self
                .iterations(at, group, self.region(element, &left), &after, high, None)
                .first()
                .and_then(|i| i.last().copied());
            skip.limit = skip.limit.into_iter().chain(first).min();
            skip.ahead.extend(&element.ahead);
            self.forward(at + 1, skip);
        }
        if left.last.is_some() {
            self.iterate(at, group, &left, self.region(element, &left), high, next);
            return;
        }
        self.first_group(at, group, &left, high, next);
    }

    /// Binds iterations from `from` on.
    pub(super) fn iterate(&mut self, at: usize, group: &'s Group, left: &Left<'s>, from: Id, high: Id, next: Next) {
        let iterations = self.iterations(at, group, from, left, high, None);
        let Some((begin, end)) = iterations.first().and_then(|i| Some((*i.first()?, *i.last()?))) else { return };
        self.go_through(at, group, left, &iterations, next);
        if !left.open {
            return;
        }
        // The others that complete first just there.
        let Some((step, _)) = group.body.first() else { return };
        let role = self.env.rule.steps[step.index()].role;
        let latest = left.limit.map_or(end, |limit| limit.min(end));
        let others: Vec<Id> = self.buffer.range(role, from, latest + 1).filter(|id| *id != begin).collect();
        for other in others {
            if self.done() {
                return;
            }
            let iterations = self.iterations(at, group, from, left, high, Some(other));
            if iterations.first().and_then(|i| i.last()) == Some(&end) {
                self.go_through(at, group, left, &iterations, next);
            }
        }
    }

    /// Binds these iterations, and goes on behind as many of them as may be.
    fn go_through(&mut self, at: usize, group: &'s Group, left: &Left<'s>, iterations: &[Vec<Id>], next: Next) {
        let element = &self.env.rule.elements[at];
        let Some(first) = iterations.first().and_then(|i| i.first().copied()) else { return };
        if !self.joint(element, left, first) {
            return;
        }
        let mut bound = 0;
        let q = &group.quantifier;
        for (i, iteration) in iterations.iter().enumerate() {
            let mut prev = i.checked_sub(1).and_then(|i| iterations[i].last().copied()).or(left.last);
            let mut ok = true;
            for ((step, _), id) in group.body.iter().zip(iteration) {
                ok = self.bind(*step, *id, prev);
                if !ok {
                    break;
                }
                prev = Some(*id);
                bound += 1;
            }
            if !ok {
                break;
            }
            let last = iteration.last().copied().unwrap_or(first);
            let n = i as u64 + 1;
            if q.max.is_some_and(|max| n > max) && matches!((next, self.trigger), (Next::End, Trigger::Event(_))) {
                break;
            }
            let fits = n >= q.min && q.max.is_none_or(|max| n <= max);
            let whole = i + 1 == iterations.len();
            let own: Vec<Id> = iterations[..=i].iter().flatten().copied().collect();
            let since = left.last.unwrap_or(first);
            let clear =
                !self.any_hit(&element.without, since + 1, last, &own) && self.gap_fits(element, left.last, first);
            match (next, self.trigger) {
                (Next::Pin(_), _) | (Next::End, Trigger::Deadline(..) | Trigger::Arm(_)) if whole && fits && clear => {
                    self.forward(at + 1, Left { last: Some(last), ..Left::default() });
                }
                (Next::Open(_), _) if fits && clear => {
                    let limit = iterations.get(i + 1).and_then(|i| i.last().copied());
                    self.forward(at + 1, Left { last: Some(last), limit, open: true, ..Left::default() });
                }
                (Next::End, Trigger::Event(end)) if n >= q.min && self.having_holds() => {
                    if last == end && clear {
                        self.forward(at + 1, Left { last: Some(last), ..Left::default() });
                    }
                    break;
                }
                _ => {}
            }
            if self.done() {
                break;
            }
        }
        // Unbind in reverse of binding order.
        let order: Vec<StepId> = group.body.iter().map(|(s, _)| *s).cycle().take(bound).collect();
        for step in order.iter().rev() {
            self.unbind(*step);
        }
    }

    /// Iterations one after the other, each the earliest completion of the body after the one before.
    /// The first one begins at `begin`, if that is given.
    fn iterations(
        &mut self,
        at: usize,
        group: &'s Group,
        from: Id,
        left: &Left<'s>,
        high: Id,
        begin: Option<Id>,
    ) -> Vec<Vec<Id>> {
        let env = self.env;
        let first = Entry { link: &env.rule.elements[at].link, limit: left.limit, begin };
        let mut all: Vec<Vec<Id>> = Vec::new();
        let mut from = from;
        let mut prev = left.last;
        let mut bound = 0;
        loop {
            // The joint before the group is that of its first iteration; the body's first joint is empty.
            let again = Entry { link: group.body.first().map_or(first.link, |(_, l)| l), limit: None, begin: None };
            let entry = if all.is_empty() { first } else { again };
            let Some(iteration) = self.one_iteration(group, from, prev, high, entry) else { break };
            let mut before = prev;
            for ((step, _), id) in group.body.iter().zip(&iteration) {
                if self.bind(*step, *id, before) {
                    bound += 1;
                }
                before = Some(*id);
            }
            prev = iteration.last().copied();
            from = prev.map_or(from, |l| l + 1);
            all.push(iteration);
            if self.exhausted {
                break;
            }
        }
        let order: Vec<StepId> = group.body.iter().map(|(s, _)| *s).cycle().take(bound).collect();
        for step in order.iter().rev() {
            self.unbind(*step);
        }
        all
    }

    fn one_iteration(
        &mut self,
        group: &'s Group,
        from: Id,
        prev: Option<Id>,
        high: Id,
        entry: Entry<'_>,
    ) -> Option<Vec<Id>> {
        let (last, _) = group.body.last()?;
        let role = self.env.rule.steps[last.index()].role;
        let ends: Vec<Id> = self.buffer.range(role, from, high).collect();
        let oldest = matches!(self.env.rule.pick, Pick::First | Pick::Each);
        for end in ends {
            let mut best: Option<Vec<Id>> = None;
            let mut chosen = Vec::new();
            self.body(group, &mut chosen, from, prev, end, entry, &mut |ids| {
                let better = match &best {
                    None => true,
                    Some(old) if oldest => ids < &old[..],
                    Some(old) => ids.iter().rev().gt(old.iter().rev()),
                };
                if better {
                    best = Some(ids.to_vec());
                }
            });
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// All bindings of a group's body in `from..=end` that end at `end`.
    #[allow(clippy::too_many_arguments)]
    fn body(
        &mut self,
        group: &'s Group,
        chosen: &mut Vec<Id>,
        from: Id,
        prev: Option<Id>,
        end: Id,
        entry: Entry<'_>,
        take: &mut dyn FnMut(&[Id]),
    ) {
        if !self.spend() {
            return;
        }
        let at = chosen.len();
        let Some((step, link)) = group.body.get(at) else {
            if chosen.last() == Some(&end) {
                take(chosen);
            }
            return;
        };
        let role = self.env.rule.steps[step.index()].role;
        let last = at + 1 == group.body.len();
        let start = if last { end.max(from) } else { from };
        let ids: Vec<Id> = self.buffer.range(role, start, end + 1).collect();
        for id in ids {
            if at == 0 && entry.limit.is_some_and(|limit| id > limit) {
                break;
            }
            if at == 0 && entry.begin.is_some_and(|begin| begin != id) {
                continue;
            }
            if let (Some(within), Some(first)) = (group.within, chosen.first())
                && self.buffer.event(id).ts - self.buffer.event(*first).ts > within
            {
                break;
            }
            if let Some(prev) = prev {
                let link = if at == 0 { entry.link } else { link };
                let gap = self.buffer.event(id).ts - self.buffer.event(prev).ts;
                if link.within.is_some_and(|d| gap > d)
                    || link.after.is_some_and(|d| gap < d)
                    || (link.directly && self.named_between(prev + 1, id))
                {
                    continue;
                }
            }
            if self.bind(*step, id, prev) {
                chosen.push(id);
                self.body(group, chosen, id + 1, Some(id), end, entry, take);
                chosen.pop();
                self.unbind(*step);
            }
        }
    }
}
