//! `pick pending`: the one selection that is defined by what is kept, not by candidates. One pending match per step.
//! What an absence forbids is spoiled: it moves on and takes the place of others, but is not reported.

use super::candidates::{Candidate, Done, Next, Part, Search};
use super::eval::{Env, World};
use super::rule::{Elem, End, Guard, Joint, Last, Rule, Step};

/// A step with the joint before it and the guards that absences before it leave.
type Place<'r> = (&'r Joint, &'r Step, Vec<Guard>);

/// What is reported for one key.
pub fn reported(world: &World<'_>, key: &Env) -> Vec<Candidate> {
    let search = Search { world, key: key.clone(), used: 0, reported: vec![] };
    let mut steps: Vec<Place<'_>> = vec![];
    let mut carried = vec![];
    let mut behind: Vec<(&[Guard], &End)> = vec![];
    for (joint, elem) in &world.rule.body {
        match elem {
            Elem::Absence { events, end: Some(end), .. } => behind.push((events, end)),
            Elem::Absence { events, .. } => carried.extend(events.iter().cloned()),
            Elem::Step(step) => steps.push((joint, step, std::mem::take(&mut carried))),
            other => panic!("not pending: {other:?}"),
        }
    }
    // A match that waits for the absences behind it; those do not replace each other.
    let complete = |next: &Part, e: usize, out: &mut Vec<Candidate>| {
        if !search.having(next) {
            return;
        }
        let Some(ends) = behind.iter().map(|(_, end)| search.deadline(end, next)).collect::<Option<Vec<_>>>() else {
            return;
        };
        let Some(&deadline) = ends.iter().max() else {
            out.push(Candidate { binds: next.binds.clone(), done: Done::Event(e) });
            return;
        };
        let meets = |g: &Guard, x: usize| world.meets(g, x, &next.comps, &next.env, &next.binds);
        let broken = behind.iter().zip(&ends).any(|((guards, _), &end)| {
            (e + 1..world.events.len()).any(|x| world.events[x].ts <= end && guards.iter().any(|g| meets(g, x)))
        });
        let comps = world.rule.comps(world.rule.steps()[0]);
        let cancelled = (e + 1..world.events.len()).any(|x| {
            world.events[x].ts <= deadline
                && world.rule.cancel.iter().any(|g| world.meets(g, x, &comps, key, &next.binds))
        });
        if !broken && !cancelled {
            out.push(Candidate { binds: next.binds.clone(), done: Done::Deadline(deadline) });
        }
    };
    let mut pending: Vec<Option<(Part, bool)>> = vec![None; steps.len()];
    let mut out = vec![];
    for e in 0..world.events.len() {
        let mut moved = vec![false; steps.len()];
        for i in (1..steps.len()).rev() {
            let Some((part, spoiled)) = &pending[i - 1] else { continue };
            let (joint, step, carried) = &steps[i];
            let (plain, late) = split(world.rule, step);
            let Some(next) = search
                .place(&Joint { next: false, ..(*joint).clone() }, &plain, part, e)
                .filter(|next| fits(world, next, i + 1 == steps.len()))
            else {
                continue;
            };
            let mut guards = step.without.clone();
            guards.extend(carried.iter().cloned());
            if joint.next {
                let by = if step.by.is_empty() { vec![] } else { world.rule.comps(step) };
                guards.push(Guard { classes: step.classes.clone(), cond: step.cond.clone(), by });
            }
            let before = part.last.expect("bound");
            let between = search.hit(&guards, before, e, &[], &next.comps, &next.env, &next.binds);
            let forbidden = late.iter().any(|last| {
                let met = (0..e).any(|x| {
                    last.d.holds(world.events[e].ts - world.events[x].ts)
                        && last.events.iter().any(|g| world.meets(g, x, &next.comps, &next.env, &next.binds))
                });
                met == last.unless
            });
            let spoiled = *spoiled || between || forbidden;
            pending[i - 1] = None;
            if i + 1 < steps.len() {
                pending[i] = Some((next, spoiled));
                moved[i] = true;
            } else if !spoiled {
                complete(&next, e, &mut out);
            }
        }
        if let Some(next) = search.place(steps[0].0, steps[0].1, &empty(world, key), e) {
            if steps.len() == 1 {
                complete(&next, e, &mut out);
            } else {
                pending[0] = Some((next, false));
                moved[0] = true;
            }
        }
        let comps = world.rule.comps(world.rule.steps()[0]);
        for (slot, moved) in pending.iter_mut().zip(moved) {
            let cancelled = |p: &Part| world.rule.cancel.iter().any(|g| world.meets(g, e, &comps, key, &p.binds));
            if !moved && slot.as_ref().is_some_and(|(p, _)| cancelled(p)) {
                *slot = None;
            }
        }
    }
    out
}

/// A step without what only spoils a match, and the look-backs that do: those that read what is bound before.
fn split(rule: &Rule, step: &Step) -> (Step, Vec<Last>) {
    let reads = |last: &Last| {
        let mut names = last.events.iter().filter_map(|g| g.cond.as_ref()).flat_map(|c| c.names());
        names.any(|n| rule.step_named(&n).is_some())
    };
    let (late, early) = step.last.iter().cloned().partition(reads);
    (Step { without: vec![], last: early, ..step.clone() }, late)
}

/// The bounds of the whole match; a computed one when it is bound.
fn fits(world: &World<'_>, part: &Part, complete: bool) -> bool {
    let (Some(first), Some(last)) = (part.first, part.last) else { return false };
    let span = world.events[last].ts - world.events[first].ts;
    let search = Search { world, key: vec![], used: 0, reported: vec![] };
    let computed = world.rule.computed.as_ref().filter(|_| complete);
    world.rule.within.is_none_or(|d| d.holds(span))
        && computed.is_none_or(|d| search.length(d, &part.binds).is_some_and(|d| span <= d))
}

fn empty(world: &World<'_>, key: &Env) -> Part {
    Part {
        binds: vec![vec![]; world.rule.steps().len()],
        env: key.clone(),
        comps: vec![],
        first: None,
        last: None,
        next: Next::Free,
        waits: vec![],
        carried: vec![],
        reach: None,
        closed: None,
        ended: None,
    }
}
