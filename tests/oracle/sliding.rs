//! Sliding counts: a pattern of one repeated step with `within` (meaning 7 of the language), of a duration or of a
//! number of events.

use super::candidates::{Candidate, Done, Next, Part, Search};
use super::eval::{At, Env, World};
use super::rule::{Skip, Step};

/// Every alert of one key, in order, and the looks at which `resolve when` is true.
pub fn count(world: &World<'_>, step: &Step, key: &Env) -> (Vec<Candidate>, Vec<usize>) {
    let rule = world.rule;
    let quant = step.quant.as_ref().expect("a sliding count is of a repeated step");
    let search = Search { world, key: key.clone(), used: 0, reported: vec![] };
    let mut part = Part {
        binds: vec![vec![]; rule.steps().len()],
        env: key.clone(),
        comps: rule.comps(step),
        first: None,
        last: None,
        next: Next::Free,
        waits: vec![],
        carried: vec![],
        reach: None,
        closed: None,
        ended: None,
    };
    let (mut out, mut looks) = (vec![], vec![]);
    let mut window: Vec<usize> = vec![];
    // Looks since the window was last empty or the condition last false.
    let mut held: Vec<usize> = vec![];
    let mut before = false;
    let comps = rule.comps(step);
    for e in 0..world.events.len() {
        // The newest events of the class, whatever their `where`, with this one.
        let mut newest =
            (0..=e).rev().filter(|&x| world.is_class(x, &step.classes) && world.key(&comps, x, key).is_some());
        let oldest = rule.events.and_then(|n| newest.nth(n - 1)).unwrap_or(0);
        window.retain(|&x| x >= oldest);
        if search.qualifies(step, &part, &[], e).is_none() {
            part.binds[step.id] = window.clone();
            let hit =
                |guards: &[super::rule::Guard]| guards.iter().any(|g| world.meets(g, e, &part.comps, key, &part.binds));
            let broken = quant.consecutive && search.named(e);
            if hit(&rule.cancel) || hit(&step.without) || broken {
                window.clear();
            }
            part.binds[step.id].clear();
            continue;
        }
        if let Some(within) = rule.within {
            window.retain(|&x| within.holds(world.events[e].ts - world.events[x].ts));
        }
        if window.is_empty() {
            before = false;
            held.clear();
        }
        window.push(e);
        part.binds[step.id] = window.clone();
        let mut now = quant.count.admits(search.counted(step, &window)) && search.having(&part);
        if let Some(lasting) = rule.lasting {
            if !now {
                held.clear();
            } else {
                held.push(e);
                now = held.iter().any(|&look| world.events[e].ts - world.events[look].ts >= lasting);
            }
        }
        if now && (!before || rule.skip == Skip::NoSkip) {
            out.push(Candidate { binds: part.binds.clone(), done: Done::Event(e) });
        }
        let at = At { event: None, binds: &part.binds, prev: None, step: None };
        if rule.resolve_when.as_ref().is_some_and(|c| world.truth(c, at) == Some(true)) {
            looks.push(e);
        }
        before = now;
        part.binds[step.id].clear();
    }
    (out, looks)
}
