//! Makes a failing case smaller: drops events, clauses, elements and conditions while it still fails.

use super::event::Event;
use super::rule::*;
use super::valid;

/// The smallest rule and stream found for which `fails` stays true.
pub fn shrink(rule: &Rule, events: &[Event], fails: &dyn Fn(&Rule, &[Event]) -> bool) -> (Rule, Vec<Event>) {
    let (mut rule, mut events) = (rule.clone(), events.to_vec());
    'again: loop {
        for i in (0..events.len()).rev() {
            let mut fewer = events.clone();
            fewer.remove(i);
            renumber(&mut fewer);
            if fails(&rule, &fewer) {
                events = fewer;
                continue 'again;
            }
        }
        for smaller in smaller(&rule) {
            if fails(&smaller, &events) {
                rule = smaller;
                continue 'again;
            }
        }
        for i in 0..events.len() {
            for field in 0..4 {
                let mut plainer = events.clone();
                let e = &mut plainer[i];
                match field {
                    0 => e.k = Some("x".into()),
                    1 => e.j = None,
                    2 => e.v = None,
                    _ => e.w = None,
                }
                if plainer != events && fails(&rule, &plainer) {
                    events = plainer;
                    continue 'again;
                }
            }
        }
        return (rule, events);
    }
}

/// Lines are numbered without gaps.
pub fn renumber(events: &mut [Event]) {
    for (i, e) in events.iter_mut().enumerate() {
        e.seq = i + 1;
    }
}

/// Rules with one thing less.
fn smaller(rule: &Rule) -> Vec<Rule> {
    let mut out: Vec<Rule> = vec![];
    let mut with = |change: &dyn Fn(&mut Rule)| {
        let mut next = rule.clone();
        change(&mut next);
        next.number();
        if next != *rule && !next.body.is_empty() && valid::refusal(&next).is_none() {
            out.push(next);
        }
    };
    with(&|r| r.having = None);
    with(&|r| r.suppress = None);
    with(&|r| r.resolve_on.clear());
    with(&|r| drop(r.resolve_on.pop()));
    with(&|r| r.resolve_on.iter_mut().for_each(|g| g.cond = None));
    with(&|r| r.resolve_when = None);
    with(&|r| r.repeat = None);
    with(&|r| r.expect_start = false);
    with(&|r| r.cancel.clear());
    with(&|r| drop(r.cancel.pop()));
    with(&|r| r.within = None);
    with(&|r| r.computed = None);
    with(&|r| r.lasting = None);
    with(&|r| r.within.iter_mut().for_each(|b| b.open = false));
    with(&|r| r.pick = Pick::Latest);
    with(&|r| r.skip = Skip::PastLast);
    with(&|r| r.by.iter_mut().for_each(|k| k.expr = None));
    with(&|r| drop(r.by.pop()));
    with(&|r| r.by.iter_mut().for_each(|k| k.optional = false));
    for i in 0..rule.parts.len() {
        with(&|r| {
            r.parts.remove(i);
        });
    }
    for i in 0..rule.body.len() {
        with(&|r| {
            r.body.remove(i);
            for part in &mut r.parts {
                part.from -= usize::from(part.from > i);
                part.to -= usize::from(part.to > i);
            }
            r.parts.retain(|p| p.from < p.to);
        });
        with(&|r| r.body[i].0 = Joint::default());
        with(&|r| {
            if let Elem::All { without, .. } = &mut r.body[i].1 {
                without.clear();
            }
        });
        with(&|r| {
            if let Elem::Absence { events, inner, .. } = &mut r.body[i].1 {
                events.truncate(1);
                inner.clear();
                events[0].cond = None;
                events[0].by.clear();
            }
        });
        for n in 0..3 {
            with(&|r| {
                if let Elem::Absence { events, inner, .. } = &mut r.body[i].1
                    && n < inner.len()
                    && inner.len() > 1
                {
                    events.remove(n);
                    inner.remove(n);
                    inner[0].0 = Joint::default();
                }
            });
            with(&|r| {
                if let Elem::Absence { events, inner, .. } = &mut r.body[i].1
                    && n < inner.len()
                {
                    events[n].cond = None;
                    inner[n] = (Joint::default(), None);
                }
            });
            with(&|r| {
                if let Elem::Absence { events, inner, .. } = &mut r.body[i].1
                    && n < inner.len()
                {
                    events[n].cond = None;
                }
            });
        }
        with(&|r| {
            if let Elem::Absence { fewer, .. } = &mut r.body[i].1 {
                *fewer = (*fewer - 1).max(1);
            }
        });
        with(&|r| {
            if let Elem::Absence { end: end @ Some(_), .. } = &mut r.body[i].1 {
                *end = Some(End::After(2000));
            }
        });
        for m in 0..3 {
            with(&|r| {
                if let Elem::Choice { members } = &mut r.body[i].1
                    && m < members.len()
                {
                    let mut member = members.swap_remove(m);
                    member[0].0 = r.body[i].0.clone();
                    r.body.splice(i..=i, member);
                    r.parts.clear();
                }
            });
            with(&|r| {
                if let Elem::Choice { members } = &mut r.body[i].1
                    && m < members.len()
                {
                    members[m].pop();
                }
            });
        }
        with(&|r| {
            if let Elem::Any { members } | Elem::All { members, .. } = &r.body[i].1 {
                r.body[i].1 = Elem::Step(members[0].clone());
            }
        });
        with(&|r| {
            if let Elem::Group { body, .. } = &mut r.body[i].1 {
                body.truncate(1);
            }
        });
        with(&|r| {
            if let Elem::Group { within, .. } = &mut r.body[i].1 {
                *within = None;
            }
        });
    }
    for id in 0..rule.steps().len() {
        let mut step = |change: &dyn Fn(&mut Step)| {
            with(&|r| change(r.body.iter_mut().flat_map(|(_, e)| e.steps_mut()).nth(id).expect("a step")));
        };
        step(&|s| s.cond = None);
        step(&|s| s.quant = None);
        step(&|s| s.until = None);
        step(&|s| s.ends = None);
        step(&|s| s.without.clear());
        step(&|s| s.last.clear());
        step(&|s| s.last.iter_mut().for_each(|l| l.name = None));
        step(&|s| s.last.iter_mut().flat_map(|l| &mut l.events).for_each(|g| g.cond = None));
        step(&|s| s.by.clear());
        step(&|s| s.classes.truncate(1));
        step(&|s| s.quant.iter_mut().for_each(|q| q.consecutive = false));
        step(&|s| s.quant.iter_mut().for_each(|q| q.distinct.clear()));
        step(&|s| s.quant.iter_mut().for_each(|q| q.count = Count::AtLeast(2)));
        step(&|s| s.without.iter_mut().for_each(|g| g.cond = None));
    }
    out
}
