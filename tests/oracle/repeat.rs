//! Repeated steps and repeated groups: maximal munch, whole runs, subsets under `pick all`, reach-back.

use super::candidates::{Candidate, Next, Part, Search};
use super::eval::{Env, agree, join};
use super::event::{Event, Ms, Val};
use super::rule::{Bound, Count, Elem, Ends, Joint, Pick, Step};
use super::select::newer;

/// One repetition found by a scan: its events, and the `until` event that closed it.
struct Run {
    events: Vec<usize>,
    closed: Option<usize>,
}

/// When time ends a repetition of these events.
fn end_of(ends: Ends, events: &[Event], run: &[usize]) -> Ms {
    events[if ends.silent { run[run.len() - 1] } else { run[0] }].ts + ends.d
}

impl Search<'_> {
    pub fn repeated(&self, i: usize, joint: &Joint, step: &Step, part: &Part, out: &mut Vec<Candidate>) {
        // A component that the step brings is a free choice: all its events agree on it.
        let comps = self.world.rule.comps(step);
        if comps.iter().any(|c| part.env.iter().all(|(name, _)| *name != c.name)) {
            let mut seen: Vec<Env> = vec![];
            for key in self.following(part).into_iter().flat_map(|e| self.world.keys(&comps, e)) {
                if agree(&part.env, &key) && !seen.contains(&key) {
                    let mut one = part.clone();
                    one.env = join(&part.env, &key);
                    self.repeated(i, joint, step, &one, out);
                    seen.push(key);
                }
            }
            return;
        }
        if self.world.rule.pick == Pick::All {
            return self.subsets(i, joint, step, part, &mut vec![], out);
        }
        if part.last.is_some() {
            let from = self.from(part);
            return self.scan(i, joint, step, part, from, out);
        }
        for start in self.following(part) {
            let ended = step.until.as_ref().is_some_and(|u| self.ends(u, step, part, start));
            if ended || self.qualifies(step, part, &[], start).is_none() {
                continue;
            }
            let mut reach = part.clone();
            reach.reach = Some((i, start));
            self.scan(i, joint, step, &reach, start, out);
        }
    }

    /// A repeated step whose scan begins at `from`.
    fn scan(&self, i: usize, joint: &Joint, step: &Step, part: &Part, from: usize, out: &mut Vec<Candidate>) {
        let rest = &self.world.rule.body[i + 1..];
        if rest.is_empty() {
            return self.last_step(i, joint, step, part, from, out);
        }
        // The next event bound is `n`: the step takes what lies before it.
        for n in from..self.len() {
            if !self.free(n) {
                continue;
            }
            let runs = self.runs(joint, step, part, from, n);
            if runs.is_empty() {
                self.none(i, step, part, Next::At(n), out);
            }
            for run in self.choices(part, runs) {
                self.take(i, joint, step, part, &run.events, Next::At(n), out);
            }
        }
        // Nothing is bound after the step: it munches up to the deadline of the trailing absences.
        if rest.iter().all(|(_, e)| e.may_be_empty()) {
            let runs = self.runs(joint, step, part, from, self.len());
            let ts = |e: usize| self.world.events[e].ts;
            let wait = part.last.and_then(|_| self.last_deadline(rest, part));
            let late = |run: &Run| wait.is_some_and(|deadline| ts(run.events[0]) > deadline);
            if runs.iter().all(late) {
                self.none(i, step, part, Next::Nothing, out);
            }
            for run in self.choices(part, runs) {
                for events in self.closed_sets(step, rest, part, &run.events) {
                    self.take(i, joint, step, part, &events, Next::Nothing, out);
                }
            }
        }
    }

    /// The last deadline of the absences in `rest`, from the last event of `part` on.
    fn last_deadline(&self, rest: &[(Joint, Elem)], part: &Part) -> Option<Ms> {
        let ends = rest.iter().filter_map(|(_, e)| match e {
            Elem::Absence { end, .. } => end.as_ref(),
            _ => None,
        });
        ends.filter_map(|end| self.deadline(end, part)).max()
    }

    /// Prefixes of a run whose last event is followed by no further one up to the deadline.
    fn closed_sets(&self, step: &Step, rest: &[(Joint, Elem)], part: &Part, run: &[usize]) -> Vec<Vec<usize>> {
        let closed = |n: &usize| {
            let mut bound = part.clone();
            bound.binds[step.id] = run[..*n].to_vec();
            bound.last = Some(run[n - 1]);
            let deadline = self.last_deadline(rest, &bound);
            *n == run.len() || deadline.is_some_and(|deadline| self.world.events[run[*n]].ts > deadline)
        };
        (1..=run.len()).filter(closed).map(|n| run[..n].to_vec()).collect()
    }

    /// The step binds nothing, if it may.
    fn none(&self, i: usize, step: &Step, part: &Part, next: Next, out: &mut Vec<Candidate>) {
        let least = step.quant.as_ref().map_or(1, |q| q.count.bounds().0);
        if least == 0 && narrower(part.next, next) {
            let mut part = part.clone();
            part.next = next;
            self.go(i + 1, &part, out);
        }
    }

    /// The step binds these events, if count, place and guards allow it; what follows begins at `next`.
    #[allow(clippy::too_many_arguments)]
    fn take(
        &self,
        i: usize,
        joint: &Joint,
        step: &Step,
        part: &Part,
        events: &[usize],
        next: Next,
        out: &mut Vec<Candidate>,
    ) {
        let quant = step.quant.as_ref().expect("a repeated step has a quantifier");
        if !quant.count.admits(self.counted(step, events)) {
            return;
        }
        if let Some(mut bound) = self.with_run(joint, step, part, events) {
            bound.next = next;
            self.go(i + 1, &bound, out);
        }
    }

    /// The part with a run bound, if it may begin there and no `without` stands against it.
    fn with_run(&self, joint: &Joint, step: &Step, part: &Part, events: &[usize]) -> Option<Part> {
        let (&first, &last) = (events.first()?, events.last()?);
        if !self.enters(joint, part, first) {
            return None;
        }
        let key = self.world.key(&self.world.rule.comps(step), first, &part.env)?;
        let mut next = self.bound(part, step, events, &key);
        let mut guards = step.without.clone();
        guards.append(&mut next.carried);
        let from = part.last.unwrap_or(first);
        if self.hit(&guards, from, last, events, &next.comps, &next.env, &next.binds) {
            return None;
        }
        self.gap_fits(joint, part, first, &next).then_some(next)
    }

    /// A last step completes as soon as it is satisfied, or at its `until`.
    fn last_step(&self, i: usize, joint: &Joint, step: &Step, part: &Part, from: usize, out: &mut Vec<Candidate>) {
        let count = step.quant.as_ref().expect("a repeated step has a quantifier").count;
        let runs = self.runs(joint, step, part, from, self.len());
        for run in self.choices(part, runs) {
            if let Some(ends) = step.ends {
                if count.admits(self.counted(step, &run.events))
                    && let Some(mut bound) = self.with_run(joint, step, part, &run.events)
                {
                    bound.ended = Some(end_of(ends, self.world.events, &run.events));
                    self.go(i + 1, &bound, out);
                }
                continue;
            }
            if step.until.is_some() {
                if let Some(closed) = run.closed
                    && count.admits(self.counted(step, &run.events))
                    && let Some(mut bound) = self.with_run(joint, step, part, &run.events)
                {
                    bound.closed = Some(closed);
                    self.go(i + 1, &bound, out);
                }
                continue;
            }
            for n in 1..=run.events.len() {
                let events = &run.events[..n];
                if !count.admits(self.counted(step, events)) {
                    continue;
                }
                let mut trial = part.clone();
                trial.binds[step.id] = events.to_vec();
                if self.having(&trial) {
                    if let Some(bound) = self.with_run(joint, step, part, events) {
                        self.go(i + 1, &bound, out);
                    }
                    break;
                }
            }
        }
    }

    /// Which runs a candidate may choose: any; under `pick each` a first step's run begins at the start.
    fn choices(&self, part: &Part, mut runs: Vec<Run>) -> Vec<Run> {
        if self.world.rule.pick == Pick::Each
            && let (None, Some((_, start))) = (part.last, part.reach)
        {
            runs.retain(|r| r.events[0] == start);
        }
        runs
    }

    /// How many the quantifier counts: events, or different tuples.
    pub fn counted(&self, step: &Step, events: &[usize]) -> usize {
        let distinct = &step.quant.as_ref().expect("a repeated step has a quantifier").distinct;
        if distinct.is_empty() {
            return events.len();
        }
        let mut seen: Vec<Vec<Val>> = vec![];
        for &e in events {
            let tuple = distinct.iter().map(|f| self.world.events[e].field(f)).collect();
            if !seen.contains(&tuple) {
                seen.push(tuple);
            }
        }
        seen.len()
    }

    /// The runs of qualifying events in `from..to`: one, unless `consecutive`, `directly` or the `until` of a
    /// first step split it.
    fn runs(&self, joint: &Joint, step: &Step, part: &Part, from: usize, to: usize) -> Vec<Run> {
        let splits = joint.directly || step.quant.as_ref().is_some_and(|q| q.consecutive);
        let first = part.last.is_none();
        let mut runs: Vec<Run> = vec![];
        let mut run: Vec<usize> = vec![];
        let close = |run: &mut Vec<usize>, runs: &mut Vec<Run>| {
            if !run.is_empty() {
                runs.push(Run { events: std::mem::take(run), closed: None });
            }
        };
        for e in from..to {
            if step.until.as_ref().is_some_and(|u| self.ends(u, step, part, e)) {
                close(&mut run, &mut runs);
                for run in runs.iter_mut().filter(|r| r.closed.is_none()) {
                    run.closed = Some(e);
                }
                if first {
                    continue;
                }
                break;
            }
            let events = self.world.events;
            if step.ends.is_some_and(|ends| !run.is_empty() && events[e].ts > end_of(ends, events, &run)) {
                close(&mut run, &mut runs);
                if !first {
                    break;
                }
            }
            if self.free(e) && self.qualifies(step, part, &run, e).is_some() {
                run.push(e);
            } else if splits && self.named(e) {
                close(&mut run, &mut runs);
                // What ends one run may open the next.
                if self.free(e) && self.qualifies(step, part, &[], e).is_some() {
                    run.push(e);
                }
            }
        }
        close(&mut run, &mut runs);
        runs
    }

    /// `pick all`: every subset of the qualifying events, of whole stretches where the step is contiguous.
    fn subsets(
        &self,
        i: usize,
        joint: &Joint,
        step: &Step,
        part: &Part,
        run: &mut Vec<usize>,
        out: &mut Vec<Candidate>,
    ) {
        let quant = step.quant.as_ref().expect("a repeated step has a quantifier");
        let last_step = i + 1 == self.world.rule.body.len();
        let satisfied = quant.count.admits(self.counted(step, run));
        if satisfied && run.is_empty() {
            self.go(i + 1, part, out);
        } else if satisfied && step.until.is_none_or_middle(last_step) {
            let mut trial = part.clone();
            trial.binds[step.id] = run.clone();
            if !last_step || self.having(&trial) {
                if let Some(bound) = self.with_run(joint, step, part, run) {
                    self.go(i + 1, &bound, out);
                }
                if last_step {
                    return;
                }
            }
        }
        // A contiguous stretch has ended: nothing more is bound, but `until` may still come.
        let mut ended = false;
        let entered = part.last.is_some() || !run.is_empty();
        let from = run.last().map_or_else(|| self.from(part), |l| l + 1);
        for e in from..self.len() {
            if step.until.as_ref().is_some_and(|u| self.ends(u, step, part, e)) {
                if !entered {
                    continue;
                }
                if satisfied
                    && last_step
                    && !run.is_empty()
                    && let Some(mut bound) = self.with_run(joint, step, part, run)
                {
                    bound.closed = Some(e);
                    self.go(i + 1, &bound, out);
                }
                return;
            }
            if !ended && self.free(e) && self.qualifies(step, part, run, e).is_some() {
                run.push(e);
                self.subsets(i, joint, step, part, run, out);
                run.pop();
            }
            let contiguous = quant.consecutive || joint.directly;
            ended |= contiguous && !run.is_empty() && self.named(e);
        }
    }

    /// `at least N of { … }`: iterations one after the other, each the earliest that completes.
    #[allow(clippy::too_many_arguments)]
    pub fn group(
        &self,
        i: usize,
        joint: &Joint,
        count: Count,
        body: &[(Joint, Step)],
        within: Option<Bound>,
        part: &Part,
        out: &mut Vec<Candidate>,
    ) {
        if part.last.is_some() {
            return self.iterate(i, joint, count, body, within, part, out);
        }
        for start in self.following(part) {
            if self.qualifies(&body[0].1, part, &[], start).is_some() {
                let mut reach = part.clone();
                reach.reach = Some((i, start));
                self.iterate(i, joint, count, body, within, &reach, out);
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn iterate(
        &self,
        i: usize,
        joint: &Joint,
        count: Count,
        body: &[(Joint, Step)],
        within: Option<Bound>,
        part: &Part,
        out: &mut Vec<Candidate>,
    ) {
        let start = part.last.map_or_else(|| part.reach.map_or(0, |(_, s)| s), |_| self.from(part));
        let last_elem = i + 1 == self.world.rule.body.len();
        for n in (start..=self.len()).filter(|&n| (n == self.len()) == last_elem) {
            let mut now = part.clone();
            let mut from = start;
            let mut times = 0;
            if last_elem && count.admits(0) {
                return;
            }
            loop {
                let done = count.admits(times) && (!last_elem || self.having(&now));
                if last_elem && done {
                    self.go(i + 1, &now, out);
                    break;
                }
                match self.iteration(joint, body, within, part, &now, from, n) {
                    Some(after) => now = after,
                    None if done && (times > 0 || narrower(part.next, Next::At(n))) => {
                        now.next = Next::At(n);
                        self.go(i + 1, &now, out);
                        break;
                    }
                    None => break,
                }
                from = now.last.map_or(0, |l| l + 1);
                times += 1;
            }
        }
    }

    /// The earliest completion of the body in `from..to`, the rule's pick among those that complete there.
    #[allow(clippy::too_many_arguments)]
    fn iteration(
        &self,
        joint: &Joint,
        body: &[(Joint, Step)],
        within: Option<Bound>,
        part: &Part,
        now: &Part,
        from: usize,
        to: usize,
    ) -> Option<Part> {
        let mut found: Vec<(Vec<Vec<usize>>, Part)> = vec![];
        // Inside an iteration a name stands for this iteration's event.
        let mut inner = now.clone();
        for (_, step) in body {
            inner.binds[step.id].clear();
        }
        // Which completion is the earliest does not depend on what stands before the group; what begins the first
        // iteration does.
        inner.next = Next::Free;
        let first = part.last == now.last;
        self.body(if first { joint } else { &body[0].0 }, body, 0, &inner, from, to, &mut found);
        found.retain(|(lists, _)| {
            let (first, last) = (lists.iter().flatten().min(), lists.iter().flatten().max());
            let ts = |e: Option<&usize>| e.map_or(0, |&e| self.world.events[e].ts);
            within.is_none_or(|d| d.holds(ts(last) - ts(first)))
        });
        let end = found.iter().filter_map(|(_, p)| p.last).min()?;
        let oldest = matches!(self.world.rule.pick, Pick::First | Pick::Each);
        let best = found
            .into_iter()
            .filter(|(_, p)| p.last == Some(end))
            .filter(|(lists, _)| {
                !first
                    || part.next == Next::Free
                    || lists.iter().flatten().min().map(|&e| Next::At(e)) == Some(part.next)
            })
            .reduce(|a, b| if newer(&b.0, &a.0, !oldest) { b } else { a })?;
        let mut next = best.1;
        for (_, step) in body {
            let own = std::mem::take(&mut next.binds[step.id]);
            next.binds[step.id] = now.binds[step.id].iter().copied().chain(own).collect();
        }
        Some(next)
    }

    #[allow(clippy::too_many_arguments)]
    fn body(
        &self,
        joint: &Joint,
        body: &[(Joint, Step)],
        at: usize,
        part: &Part,
        from: usize,
        to: usize,
        found: &mut Vec<(Vec<Vec<usize>>, Part)>,
    ) {
        let Some((_, step)) = body.get(at) else {
            found.push((body.iter().map(|(_, s)| part.binds[s.id].clone()).collect(), part.clone()));
            return;
        };
        for e in from..to {
            if self.free(e)
                && let Some(next) = self.place(joint, step, part, e)
            {
                let joint = body.get(at + 1).map_or(joint, |(j, _)| j);
                self.body(joint, body, at + 1, &next, e + 1, to, found);
            }
        }
    }
}

/// Whether a wish for the next event agrees with an earlier one.
fn narrower(earlier: Next, wish: Next) -> bool {
    earlier == Next::Free || earlier == wish
}

trait UntilOfMiddle {
    fn is_none_or_middle(&self, last_step: bool) -> bool;
}

impl<T> UntilOfMiddle for Option<T> {
    /// A last step with `until` waits for it; a middle step does not.
    fn is_none_or_middle(&self, last_step: bool) -> bool {
        self.is_none() || !last_step
    }
}
