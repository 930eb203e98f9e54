//! Sliding counts: a pattern of one repeated step with `within` (meaning 7 of the language).

use super::candidates::{Candidate, Done, Next, Part, Search};
use super::eval::{Env, World};
use super::rule::{Skip, Step};

/// Every alert of one key, in order.
pub fn count(world: &World<'_>, step: &Step, key: &Env) -> Vec<Candidate> {
    let rule = world.rule;
    let within = rule.within.expect("a sliding count has a bound");
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
    };
    let mut out = vec![];
    let mut window: Vec<usize> = vec![];
    let mut before = false;
    for e in 0..world.events.len() {
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
        window.retain(|&x| within.holds(world.events[e].ts - world.events[x].ts));
        if window.is_empty() {
            before = false;
        }
        window.push(e);
        part.binds[step.id] = window.clone();
        let now = quant.count.admits(search.counted(step, &window)) && search.having(&part);
        if now && (!before || rule.skip == Skip::NoSkip) {
            out.push(Candidate { binds: part.binds.clone(), done: Done::Event(e) });
        }
        before = now;
        part.binds[step.id].clear();
    }
    out
}
