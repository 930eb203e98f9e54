//! `pick pending`: the one selection that is defined by what is kept, not by candidates. One pending match per step.

use super::candidates::{Candidate, Done, Next, Part, Search};
use super::eval::{Env, World};
use super::rule::{Elem, Guard, Joint, Step};

/// A step with the joint before it and the guards that absences before it leave.
type Place<'r> = (&'r Joint, &'r Step, Vec<Guard>);

/// What is reported for one key.
pub fn reported(world: &World<'_>, key: &Env) -> Vec<Candidate> {
    let search = Search { world, key: key.clone(), used: 0, reported: vec![] };
    let mut steps: Vec<Place<'_>> = vec![];
    let mut carried = vec![];
    for (joint, elem) in &world.rule.body {
        match elem {
            Elem::Absence { events, .. } => carried.extend(events.iter().cloned()),
            Elem::Step(step) => steps.push((joint, step, std::mem::take(&mut carried))),
            other => panic!("not pending: {other:?}"),
        }
    }
    let mut pending: Vec<Option<Part>> = vec![None; steps.len()];
    let mut out = vec![];
    for e in 0..world.events.len() {
        let mut moved = vec![false; steps.len()];
        for i in (1..steps.len()).rev() {
            let Some(part) = &pending[i - 1] else { continue };
            let (joint, step, carried) = &steps[i];
            let from = Part { carried: carried.clone(), ..part.clone() };
            // A guard met since makes a match unable to move on: it is as if it were gone.
            let Some(next) = search.place(joint, step, &from, e).filter(|next| fits(world, next, i + 1 == steps.len()))
            else {
                continue;
            };
            pending[i - 1] = None;
            if i + 1 < steps.len() {
                pending[i] = Some(next);
                moved[i] = true;
            } else if search.having(&next) {
                out.push(Candidate { binds: next.binds, done: Done::Event(e) });
            }
        }
        if let Some(next) = search.place(steps[0].0, steps[0].1, &empty(world, key), e) {
            pending[0] = Some(next);
            moved[0] = true;
        }
        let comps = world.rule.comps(world.rule.steps()[0]);
        for (slot, moved) in pending.iter_mut().zip(moved) {
            let cancelled = |p: &Part| world.rule.cancel.iter().any(|g| world.meets(g, e, &comps, key, &p.binds));
            if !moved && slot.as_ref().is_some_and(cancelled) {
                *slot = None;
            }
        }
    }
    out
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
