//! Repetitions inside a search: which events a repeated step or group binds between its neighbours.
//!
//! ```text
//! p  x1  x2  q          between single neighbours: every qualifying event (maximal munch)
//! p  x1  x2 | y1  y2 q  beside another repetition: every split is tried, and the next begins before x3 would
//!    └run┘ · └run┘      contiguous: one whole run
//! ```

use super::buffer::Id;
use super::forward::Left;
use super::search::{Search, Trigger};
use crate::base::StepId;
use crate::plan::key::encode_tuple;
use crate::plan::ruleset::Pick;
use crate::plan::ruleset::{Element, Quantifier, RoleKind, Step};

/// What follows a repetition.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// An element chosen already, beginning here.
    Pin(Id),
    /// Another repetition; everything lies before this.
    Open(Id),
    /// Nothing: the repetition ends the pattern.
    End,
}

/// Qualifying events in order, without a break.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) ids: Vec<Id>,
    /// The event that ended it by `until`.
    pub(super) until: Option<Id>,
}

impl<'s> Search<'s> {
    pub(super) fn next(&self, at: usize) -> Next {
        let mut open = false;
        for later in at + 1..self.env.rule.elements.len() {
            match &self.pins[later] {
                None => open = true,
                Some(pin) => {
                    if let Some((_, id)) = pin.first() {
                        return if open { Next::Open(*id) } else { Next::Pin(*id) };
                    }
                }
            }
        }
        if open { Next::Open(self.end()) } else { Next::End }
    }

    /// One past the last position that the match may bind.
    pub(super) fn end(&self) -> Id {
        match self.trigger {
            Trigger::Event(id) | Trigger::Arm(id) => id + 1,
            Trigger::Until(id) => id,
            Trigger::Deadline(time, _) | Trigger::Closing(time) => self.buffer.after(time),
        }
    }

    /// Finds what the repeated step at element `at` binds, and goes on.
    pub(super) fn repeat(&mut self, at: usize, step: StepId, left: Left<'s>) {
        let element = &self.env.rule.elements[at];
        let def = &self.env.rule.steps[step.index()];
        let Some(quantifier) = def.quantifier.as_ref() else { return };
        let next = self.next(at);
        let high = match next {
            Next::Pin(id) | Next::Open(id) => id,
            Next::End => self.end(),
        };
        let decided_later = matches!(self.trigger, Trigger::Deadline(..) | Trigger::Arm(_));
        if quantifier.min == 0 && (decided_later || !matches!(next, Next::End)) {
            self.leave_out(at, element, step, quantifier, &left, high);
        }
        if self.env.rule.pick == Pick::All {
            self.subsets(at, step, quantifier, &left, self.region(element, &left), high, next);
            return;
        }
        match left.last {
            // Only the run right behind can be meant. Looking further would make every search quadratic in the buffer.
            Some(last) if element.link.directly && !self.env.rule.handed_over => {
                if let Some(segment) = self.next_run(step, quantifier, last, high) {
                    self.take(at, step, quantifier, &segment, &left, next);
                }
            }
            Some(last) => {
                let from = self.region(element, &left);
                for preset in self.presets(step, from, high) {
                    let before = std::mem::replace(&mut self.preset, preset);
                    self.recompute_components();
                    for segment in self.segments(at, step, quantifier, from, high, Some(last)) {
                        self.take(at, step, quantifier, &segment, &left, next);
                    }
                    self.preset = before;
                    self.recompute_components();
                }
            }
            None => self.first_repeat(at, step, quantifier, &left, high, next),
        }
    }

    /// Where an element's events may begin: after the one before, and after the absences between.
    pub(super) fn region(&self, element: &Element, left: &Left<'_>) -> Id {
        let Some(last) = left.last else { return self.low };
        let absences = left.ahead.iter().copied().chain(&element.ahead);
        let ends = absences.filter_map(|a| self.deadline(a, last));
        ends.map(|deadline| self.buffer.after(deadline)).fold(last + 1, Id::max)
    }

    /// With handed-over keys, the events of a repeated step agree on the components that the step brings in: each
    /// value that occurs is tried. For all others there is one way: as it is.
    fn presets(&mut self, step: StepId, from: Id, high: Id) -> Vec<Vec<Option<Box<[u8]>>>> {
        let def = &self.env.rule.steps[step.index()];
        let open = def.components.iter().any(|c| self.components[c.place].is_none());
        if !self.env.rule.handed_over || !open {
            return vec![self.preset.clone()];
        }
        let mut presets: Vec<Vec<Option<Box<[u8]>>>> = Vec::new();
        let ids: Vec<Id> = self.buffer.range(def.role, from, high).collect();
        for id in ids {
            let agrees = self.agree(step, id);
            let components = self.components.clone();
            self.recompute_components();
            if agrees && !presets.contains(&components) {
                presets.push(components);
            }
        }
        presets
    }

    /// The key components that an event would bring as the first; nothing for keyed rules.
    pub(super) fn components_of(&mut self, step: StepId, id: Id) -> Vec<Option<Box<[u8]>>> {
        if !self.env.rule.handed_over {
            return Vec::new();
        }
        self.agree(step, id);
        let key = self.components.clone();
        self.recompute_components();
        key
    }

    /// Whether a match has used up an event for the key that it would begin.
    pub(super) fn is_used_up(&self, components: &[Option<Box<[u8]>>], id: Id) -> bool {
        if !self.env.rule.handed_over {
            return false;
        }
        self.used.get(&self.key_of(components)).is_some_and(|used| self.buffer.event(id).at() <= *used)
    }

    pub(super) fn is_contiguous(&self, at: usize, q: &Quantifier) -> bool {
        q.consecutive || self.env.rule.elements[at].link.directly
    }

    /// A repetition that binds nothing: nothing may qualify where it would be.
    fn leave_out(&mut self, at: usize, element: &'s Element, step: StepId, q: &Quantifier, left: &Left<'s>, high: Id) {
        let segments = self.segments(at, step, q, self.region(element, left), high, left.last);
        // Subsets may be empty whatever qualifies.
        let any = self.env.rule.pick == Pick::All;
        let first = segments.first().and_then(|s| s.ids.first().copied()).filter(|_| !any);
        if first.is_some() && matches!(self.next(at), Next::End) {
            return;
        }
        let mut left = left.clone();
        // The next element begins at or before the first event that would have been bound.
        left.limit = left.limit.into_iter().chain(first).min();
        left.ahead.extend(&element.ahead);
        self.forward(at + 1, left);
    }

    /// Whether a `distinct` step can count the event.
    pub(super) fn countable(&self, q: &Quantifier, id: Id) -> bool {
        q.distinct.is_empty() || self.tuple(q, id).is_some()
    }

    fn tuple(&self, q: &Quantifier, id: Id) -> Option<Vec<u8>> {
        let view = self.env.stored(self.buffer.event(id));
        let mut bytes = Vec::new();
        encode_tuple(q.distinct.iter(), &self.env.context(Some(&view), &[], None), &mut bytes)?;
        Some(bytes)
    }

    fn count(&self, q: &Quantifier, step: StepId) -> u64 {
        let ids = &self.ids[step.index()];
        if q.distinct.is_empty() {
            return ids.len() as u64;
        }
        let mut tuples: Vec<Vec<u8>> = ids.iter().filter_map(|id| self.tuple(q, *id)).collect();
        tuples.sort_unstable();
        tuples.dedup();
        tuples.len() as u64
    }

    fn fits(&self, q: &Quantifier, step: StepId) -> bool {
        let n = self.count(q, step);
        n >= q.min && q.max.is_none_or(|max| n <= max)
    }

    /// The run of qualifying events that begins directly after `last`, if one does.
    fn next_run(&mut self, step: StepId, q: &Quantifier, last: Id, high: Id) -> Option<Segment> {
        let rule = self.env.rule;
        let buffer = self.buffer;
        let def = &rule.steps[step.index()];
        let named = rule.roles.iter().enumerate().filter(|(_, role)| role.kind == RoleKind::Named);
        let until = def.until.map(|guard| rule.guards[guard.index()].role);
        let roles = named.map(|(at, _)| at as u8).chain([def.role]).chain(until);
        let mut queues: Vec<_> = roles.map(|role| buffer.range(role, last + 1, high).peekable()).collect();
        let mut run = Segment::default();
        while let Some(id) = queues.iter_mut().filter_map(|queue| queue.peek().copied()).min() {
            for queue in &mut queues {
                queue.next_if_eq(&id);
            }
            if def.until.is_some_and(|guard| self.hits(guard, id)) {
                run.until = Some(id);
                break;
            }
            let before = run.ids.last().copied().unwrap_or(last);
            if buffer.has(id, def.role) && self.countable(q, id) && self.bind(step, id, Some(before)) {
                run.ids.push(id);
            } else if self.named_between(id, id + 1) {
                break;
            }
        }
        for _ in &run.ids {
            self.unbind(step);
        }
        (!run.ids.is_empty()).then_some(run)
    }

    /// The qualifying events in `from..high`, split into segments.
    pub(super) fn segments(
        &mut self,
        at: usize,
        step: StepId,
        q: &Quantifier,
        from: Id,
        high: Id,
        prev: Option<Id>,
    ) -> Vec<Segment> {
        let rule = self.env.rule;
        let buffer = self.buffer;
        let def = &rule.steps[step.index()];
        let contiguous = self.is_contiguous(at, q);
        let mut segments = Vec::new();
        let mut current = Segment::default();
        let mut ended = false;
        let until_role = def.until.map(|g| rule.guards[g.index()].role);
        // Guards agree with the key that the first event brings, before it is bound.
        let preset = self.preset.clone();
        if rule.handed_over
            && prev.is_none()
            && let Some(first) = buffer.range(def.role, from, high).next()
        {
            self.agree(step, first);
            self.preset.clone_from(&self.components);
        }
        // Roles whose events matter to the scan, merged in order.
        let mut scan: Vec<Id> = buffer.range(def.role, from, high).collect();
        if contiguous {
            for (role, r) in rule.roles.iter().enumerate() {
                if r.kind == RoleKind::Named {
                    scan.extend(buffer.range(role as u8, from, high));
                }
            }
        }
        scan.extend(until_role.into_iter().flat_map(|role| buffer.range(role, from, high)));
        scan.sort_unstable();
        scan.dedup();
        let close = |search: &mut Self, current: &mut Segment, until: Option<Id>| {
            for _ in &current.ids {
                search.unbind(step);
            }
            current.until = until;
            std::mem::take(current)
        };
        for id in scan {
            if let Some(guard) = def.until
                && self.hits(guard, id)
            {
                let segment = close(self, &mut current, Some(id));
                segments.push(segment);
                // It cuts what a first step reaches back over; any other step it ends.
                if prev.is_some() || rule.pick == Pick::Each {
                    ended = true;
                    break;
                }
                continue;
            }
            if self.is_over(def, &current, id) {
                let segment = close(self, &mut current, None);
                segments.push(segment);
                // As `until` does.
                if prev.is_some() || rule.pick == Pick::Each {
                    ended = true;
                    break;
                }
            }
            let role = buffer.has(id, def.role) && self.countable(q, id);
            let last = current.ids.last().copied().or(prev);
            if role && self.bind(step, id, last) {
                current.ids.push(id);
                continue;
            }
            // An event that is looked at only because it might end the repetition breaks no run.
            if contiguous && self.named_between(id, id + 1) && !current.ids.is_empty() {
                let segment = close(self, &mut current, None);
                segments.push(segment);
                // What broke the run may begin the next.
                if role && self.bind(step, id, prev) {
                    current.ids.push(id);
                }
            }
        }
        if !ended {
            let segment = close(self, &mut current, None);
            segments.push(segment);
        }
        segments.retain(|s| !s.ids.is_empty());
        if rule.handed_over {
            self.preset = preset;
            self.recompute_components();
        }
        segments
    }

    /// Whether time has ended a repetition before the event at `id`.
    fn is_over(&self, def: &Step, segment: &Segment, id: Id) -> bool {
        let (Some(ends), Some(first), Some(last)) = (def.ends, segment.ids.first(), segment.ids.last()) else {
            return false;
        };
        let ts = |id: Id| self.buffer.event(id).ts;
        ts(id) > ends.deadline(ts(*first), ts(*last))
    }

    /// Binds a segment, or prefixes of it where what follows may share it out, and goes on.
    pub(super) fn take(
        &mut self,
        at: usize,
        step: StepId,
        q: &Quantifier,
        segment: &Segment,
        left: &Left<'s>,
        next: Next,
    ) {
        let element = &self.env.rule.elements[at];
        let def = &self.env.rule.steps[step.index()];
        let Some(first) = segment.ids.first().copied() else { return };
        if !self.joint(element, left, first) {
            return;
        }
        let mut bound = 0;
        for (i, id) in segment.ids.iter().enumerate() {
            let prev = i.checked_sub(1).map(|i| segment.ids[i]).or(left.last);
            if !self.bind(step, *id, prev) {
                break;
            }
            bound += 1;
            let whole = i + 1 == segment.ids.len();
            match (next, self.trigger) {
                (Next::Pin(_), _) if whole && self.fits(q, step) => {
                    self.after_repeat(at, element, step, left, *id, None)
                }
                (Next::Open(_), _) if self.fits(q, step) => {
                    let limit = segment.ids.get(i + 1).copied();
                    self.after_repeat(at, element, step, left, *id, limit);
                }
                (Next::End, Trigger::Event(end)) => {
                    let n = self.count(q, step);
                    if q.max.is_some_and(|max| n > max) {
                        break;
                    }
                    if n >= q.min && self.having_holds() {
                        // The first event at which it is satisfied completes it; later ones do not again.
                        if *id == end {
                            self.after_repeat(at, element, step, left, *id, None);
                        }
                        break;
                    }
                }
                (Next::End, Trigger::Until(end)) if whole => {
                    // A run that something broke is over, too, once an earlier `until` has come.
                    let over = |guard| self.any_hit(&[guard], *id + 1, end, &[]);
                    let ended = match segment.until {
                        Some(until) => until == end,
                        None => !def.until.is_some_and(over),
                    };
                    let ends = def.until.is_some_and(|guard| self.hits(guard, end));
                    if ended && ends && self.fits(q, step) {
                        self.after_repeat(at, element, step, left, *id, None);
                    }
                }
                (Next::End, Trigger::Deadline(..) | Trigger::Closing(_) | Trigger::Arm(_))
                    if whole && self.fits(q, step) =>
                {
                    self.after_repeat(at, element, step, left, *id, None);
                }
                _ => {}
            }
            if self.done() {
                break;
            }
        }
        for _ in 0..bound {
            self.unbind(step);
        }
    }

    /// The repetition is bound up to `last`: tests its `without` and goes on.
    fn after_repeat(
        &mut self,
        at: usize,
        element: &'s Element,
        step: StepId,
        left: &Left<'s>,
        last: Id,
        limit: Option<Id>,
    ) {
        let own = self.ids[step.index()].clone();
        let from = left.last.or(own.first().copied()).unwrap_or(last);
        if self.any_hit(&element.without, from + 1, last, &own) {
            return;
        }
        if !self.gap_fits(element, left.last, own.first().copied().unwrap_or(last)) {
            return;
        }
        self.forward(at + 1, Left { last: Some(last), limit, open: true, ..Left::default() });
    }

    /// `pick all`: any events that qualify, in order.
    #[allow(clippy::too_many_arguments)]
    fn subsets(&mut self, at: usize, step: StepId, q: &Quantifier, left: &Left<'s>, from: Id, high: Id, next: Next) {
        let element = &self.env.rule.elements[at];
        let def = &self.env.rule.steps[step.index()];
        let buffer = self.buffer;
        let own = self.ids[step.index()].clone();
        let before = own.last().copied().or(left.last);
        for id in buffer.range(def.role, from, high) {
            if self.done() || !self.spend() {
                return;
            }
            // A repetition is entered after the absences before it.
            let since = if own.is_empty() { before.map_or(id, |_| from) } else { before.map_or(id, |b| b + 1) };
            if let Some(until) = def.until {
                if self.env.rule.handed_over {
                    self.agree(step, id);
                }
                let ended = self.hits(until, id) || self.any_hit(&[until], since, id, &[]);
                if self.env.rule.handed_over {
                    self.recompute_components();
                }
                if ended && own.is_empty() && left.last.is_none() {
                    // It ends a repetition that has not begun; another may begin after it.
                    continue;
                }
                if ended {
                    return;
                }
            }
            if own.is_empty() && !self.joint(element, left, id) {
                continue;
            }
            if !own.is_empty() && self.is_contiguous(at, q) && self.named_between(since, id) {
                return;
            }
            if !self.countable(q, id) || !self.bind(step, id, before) {
                continue;
            }
            let n = self.count(q, step);
            let enough = n >= q.min && q.max.is_none_or(|max| n <= max);
            // A tuple that was there already makes no more of them.
            let mut extend = q.max.is_none_or(|max| n < max || n == max && !q.distinct.is_empty());
            match (next, self.trigger) {
                (Next::End, Trigger::Event(end)) if enough && self.having_holds() => {
                    if id == end {
                        self.after_repeat(at, element, step, left, id, None);
                    }
                    extend = false;
                }
                (Next::End, Trigger::Event(_)) => {}
                (Next::End, Trigger::Until(end)) => {
                    let ended = def.until.is_some_and(|u| self.any_hit(&[u], id + 1, end, &[]));
                    let ends = def.until.is_some_and(|u| self.hits(u, end));
                    if enough && ends && !ended {
                        self.after_repeat(at, element, step, left, id, None);
                    }
                }
                _ if enough => self.after_repeat(at, element, step, left, id, None),
                _ => {}
            }
            if extend {
                self.subsets(at, step, q, left, id + 1, high, next);
            }
            self.unbind(step);
        }
    }
}
