//! Random constructs that are added to a rule when it is otherwise made, so that they change little of what rules
//! without them look like: counted absences, computed bounds.

use super::expr::{Expr, Op, Sel};
use super::random::Random;
use super::rule::*;

/// A duration over the named steps, or over nothing that is bound often.
fn length(r: &mut Random, steps: &[Step]) -> Option<Expr> {
    if steps.is_empty() {
        return None;
    }
    let step = r.choose(steps);
    let name = step.name.clone()?;
    let sel = match (step.repeated(), r.percent(50)) {
        (false, _) => Sel::Plain,
        (true, true) => Sel::First,
        (true, false) => Sel::Last,
    };
    let field = Expr::Of(sel, name.clone(), if r.percent(70) { "v" } else { "w" }.into());
    Some(match r.below(6) {
        0 => Expr::bin(Op::Add, Expr::bin(Op::Mul, field, Expr::Span(1000)), Expr::Span(1000)),
        1 => Expr::bin(Op::Mul, Expr::Count(name, None), Expr::Span(2000)),
        _ => Expr::bin(Op::Mul, field, Expr::Span(1000)),
    })
}

/// A time over the named steps.
fn time(r: &mut Random, steps: &[Step]) -> Option<Expr> {
    if steps.is_empty() {
        return None;
    }
    let step = r.choose(steps).clone();
    let sel = if step.repeated() { Sel::First } else { Sel::Plain };
    let at = Expr::Of(sel, step.name.clone()?, "@ts".into());
    let d = if r.percent(40) { length(r, &[step])? } else { Expr::Span(r.within(0, 5) * 1000) };
    Some(Expr::bin(Op::Add, at, d))
}

/// Computed bounds and counted absences in place of constant ones.
pub fn spans(r: &mut Random, rule: &mut Rule) {
    if !r.percent(14) {
        return;
    }
    rule.number();
    let in_group = |e: &Elem| matches!(e, Elem::Group { .. });
    let mut before: Vec<Step> = vec![];
    for at in 0..rule.body.len() {
        let elem = &mut rule.body[at].1;
        let own: Vec<Step> = elem.steps().into_iter().cloned().collect();
        if let Elem::Absence { fewer, end: Some(end), .. } = elem {
            if r.percent(40) {
                *fewer = 2 + r.below(2);
            }
            let ended = match r.below(3) {
                0 => length(r, &before).map(End::Computed),
                1 => time(r, &before).map(End::Until),
                _ => None,
            };
            *end = ended.unwrap_or(end.clone());
        }
        let group = in_group(elem);
        for step in elem.steps_mut() {
            if r.percent(50) && !step.repeated() && !group {
                let known: Vec<Step> = before.iter().chain([&*step]).cloned().collect();
                if let (Some(last), Some(d)) = (step.last.first_mut(), length(r, &known)) {
                    last.computed = Some(d);
                    last.d = Bound::closed(0);
                }
            }
        }
        before.extend(own.into_iter().filter(|_| !group));
        if at > 0 && !group && !matches!(rule.body[at].1, Elem::Absence { .. }) && r.percent(35) {
            rule.body[at].0.computed = length(r, &before);
            if rule.body[at].0.computed.is_some() {
                rule.body[at].0.within = None;
            }
        }
    }
    for part in &mut rule.parts {
        if r.percent(35) {
            part.computed = length(r, &before);
            part.within = if part.computed.is_some() { Bound::closed(0) } else { part.within };
        }
    }
    if r.percent(30) && !before.is_empty() {
        rule.computed = length(r, &before);
        if rule.computed.is_some() {
            rule.within = None;
        }
    }
}

/// `pick pending`, with the pattern cut down to what it takes.
pub fn pending(r: &mut Random, rule: &mut Rule) {
    if !r.percent(5) {
        return;
    }
    rule.pick = Pick::Pending;
    rule.parts.clear();
    rule.skip = Skip::PastLast;
    let last = rule.body.iter().rposition(|(_, e)| !matches!(e, Elem::Absence { .. })).unwrap_or(0);
    for (at, (_, elem)) in rule.body.iter_mut().enumerate() {
        if let Elem::All { members, .. } | Elem::Any { members } = elem {
            *elem = Elem::Step(members[0].clone());
        }
        if let Elem::Group { body, .. } = elem {
            *elem = Elem::Step(body[0].1.clone());
        }
        match elem {
            Elem::Step(step) => {
                step.quant = None;
                step.until = None;
                step.ends = None;
            }
            Elem::Absence { fewer, end, .. } => {
                *fewer = 1;
                if at < last {
                    *end = None;
                }
            }
            _ => {}
        }
    }
    if let Some((_, Elem::Step(step))) = rule.body.first_mut() {
        step.without.clear();
    }
    while matches!(rule.body.last(), Some((_, Elem::Absence { end: None, .. }))) {
        rule.body.pop();
    }
    rule.number();
}

/// Repetitions that time ends, and patterns of nothing else.
pub fn ends(r: &mut Random, rule: &mut Rule) {
    if !r.percent(8) || rule.handed_over() {
        return;
    }
    let mut some = false;
    let alone = rule.body.len() == 1;
    let last = rule.body.len() - 1;
    for (at, (joint, elem)) in rule.body.iter_mut().enumerate() {
        let Elem::Step(step) = elem else { continue };
        if !step.repeated() || !r.percent(if at == last { 85 } else { 60 }) {
            continue;
        }
        step.until = None;
        let half = if r.percent(20) { 500 } else { 0 };
        step.ends = Some(Ends { silent: r.percent(65), d: r.within(1, 3) * 1000 + half });
        some = true;
        joint.directly = false;
        if let Some(quant) = &mut step.quant {
            quant.consecutive = false;
            if at == last && quant.count == Count::ZeroOrMore {
                quant.count = Count::OneOrMore;
            }
        }
    }
    if !some {
        return;
    }
    if rule.pick == Pick::All {
        rule.pick = Pick::Latest;
    }
    if rule.skip == Skip::ToNext && r.percent(70) {
        rule.skip = Skip::PastLast;
    }
    rule.lasting = None;
    rule.events = None;
    if alone && (r.percent(40) || matches!(&rule.body[0].1, Elem::Step(s) if s.ends.is_some_and(|e| !e.silent))) {
        rule.within = None;
        rule.computed = None;
    }
}

/// Names for what steps look back at, and conditions that read them.
pub fn named_lasts(r: &mut Random, rule: &mut Rule) {
    const COMPARISONS: [Op; 6] = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];
    if !r.percent(9) || rule.pick == Pick::Pending || rule.sliding().is_some() {
        return;
    }
    rule.number();
    let (mut found, mut taken): (Vec<String>, usize) = (vec![], 0);
    let mut before: Vec<String> = vec![];
    let compare = |r: &mut Random, names: &[String]| {
        let field = *r.choose(&["v", "v", "w", "j"]);
        let op = if field == "j" || r.percent(25) { Op::Eq } else { *r.choose(&COMPARISONS) };
        let name = r.choose(names).clone();
        Expr::bin(op, Expr::field(field), Expr::Of(Sel::Plain, name, field.into()))
    };
    let join = |cond: &mut Option<Expr>, more: Expr| {
        *cond = Some(match cond.take() {
            Some(c) => Expr::bin(Op::And, c, more),
            None => more,
        });
    };
    for at in 0..rule.body.len() {
        let next = rule.body[at].0.next;
        if matches!(rule.body[at].1, Elem::Group { .. }) {
            continue;
        }
        if let Elem::Absence { events, .. } = &mut rule.body[at].1 {
            if !found.is_empty() && r.percent(30) {
                join(&mut events[0].cond, compare(r, &found));
            }
            continue;
        }
        let visible = found.clone();
        let mut own_names: Vec<String> = vec![];
        for step in rule.body[at].1.steps_mut() {
            if !visible.is_empty() && r.percent(25) {
                join(&mut step.cond, compare(r, &visible));
            }
            if !step.repeated()
                && let Some(own) = step.name.clone()
            {
                own_names.push(own);
            }
            if next || !r.percent(65) {
                continue;
            }
            let name = ["q", "r", "s", "t", "u", "x", "y", "z"][taken % 8].to_string();
            taken += 1;
            let known: Vec<String> =
                before.iter().chain(step.name.iter().filter(|_| !step.repeated())).cloned().collect();
            match step.last.iter_mut().find(|l| !l.unless && l.events.len() == 1) {
                Some(last) => last.name = Some(name.clone()),
                None => {
                    let class = r.choose(&["X", "X", "A", "B", "C", "D"]).to_string();
                    let cond = (!known.is_empty() && r.percent(30)).then(|| compare(r, &known));
                    let events = vec![Guard { classes: vec![class], cond, by: vec![] }];
                    let d = Bound { d: r.within(1, 4) * 1000, open: r.percent(10) };
                    step.last.push(Last { unless: false, name: Some(name.clone()), events, d, computed: None });
                }
            }
            if r.percent(60) {
                join(&mut step.cond, compare(r, std::slice::from_ref(&name)));
            }
            // Of a repeated step only its own `where` reads it.
            if !step.repeated() {
                found.push(name);
            }
        }
        before.extend(own_names);
    }
    if found.is_empty() {
        return;
    }
    if r.percent(25) {
        let name = r.choose(&found).clone();
        let other = Expr::Num(r.within(0, 3) as f64);
        join(&mut rule.having, Expr::bin(*r.choose(&COMPARISONS), Expr::Of(Sel::Plain, name, "v".into()), other));
    }
    for guard in rule.cancel.iter_mut().chain(&mut rule.resolve_on) {
        if r.percent(25) {
            join(&mut guard.cond, compare(r, &found));
        }
    }
}
