//! Absences of groups in place of those of single events.

use super::gen_expr::{Name, Scope, condition};
use super::random::Random;
use super::rule::*;

/// Makes groups of some timed absences.
pub fn absent_groups(r: &mut Random, rule: &mut Rule) {
    if !r.percent(25) || rule.pick == Pick::Pending {
        return;
    }
    let handed = rule.handed_over();
    let mut before: Vec<Name> = vec![];
    let mut free = ["ga", "gb", "gc", "gd", "ge", "gf"].into_iter();
    for (_, elem) in &mut rule.body {
        let group = matches!(elem, Elem::Group { .. });
        for step in elem.steps() {
            before.extend(step.name.clone().map(|name| Name { name, many: group || step.repeated() }));
        }
        let Elem::Absence { events, inner, fewer, end: Some(_) } = elem else { continue };
        if !r.percent(60) {
            continue;
        }
        *fewer = 1;
        events.clear();
        let mut visible = before.clone();
        for i in 0..1 + r.weighted(&[10, 70, 20]) {
            let mut joint = Joint::default();
            if i > 0 {
                match r.weighted(&[55, 20, 12, 13]) {
                    1 => joint.within = Some(Bound { d: r.within(1, 3) * 1000, open: r.percent(15) }),
                    2 => joint.after = Some(r.within(1, 2) * 1000),
                    3 => joint.directly = !handed,
                    _ => {}
                }
            }
            let class = r.choose(&["X", "X", "A", "B", "C", "D"]).to_string();
            let scope = Scope { names: visible.clone(), ..Scope::default() };
            let cond = r.percent(40).then(|| condition(r, &scope));
            let name = if r.percent(75) { free.next().map(str::to_string) } else { None };
            events.push(Guard { classes: vec![class], cond, by: vec![] });
            visible.extend(name.clone().map(|name| Name { name, many: false }));
            inner.push((joint, name));
        }
    }
}
