//! What `check` refuses, as far as the generator and the shrinker could make it.

use super::event::Ms;
use super::expr::{Expr, Sel};
use super::rule::*;

/// Why a rule is none; `None` if it is one.
pub fn refusal(rule: &Rule) -> Option<&'static str> {
    let steps = rule.steps();
    let found: Vec<_> = steps.iter().flat_map(|s| &s.last).filter_map(|last| last.name.as_ref()).collect();
    let taken = |n: usize| found[..n].contains(&found[n]) || steps.iter().any(|s| s.name.as_ref() == Some(found[n]));
    if (0..found.len()).any(taken) {
        return Some("two things of one name");
    }
    if let Some(why) = choices(rule) {
        return Some(why);
    }
    if rule.body.iter().any(|(_, e)| matches!(e, Elem::Choice { .. })) {
        return rule.ways().iter().find_map(refusal);
    }
    let Some((_, first)) = rule.body.first() else { return Some("no pattern") };
    let (_, last) = rule.body.last().expect("not empty");
    if matches!(first, Elem::Absence { .. }) {
        return Some("begins with an absence");
    }
    if first.may_be_empty() && !first.steps().iter().all(|s| s.optional()) {
        return Some("begins with nothing");
    }
    if let Elem::Step(s) = first {
        if s.optional() && !matches!(rule.body.get(1), Some((_, Elem::Step(s))) if s.quant.is_none()) {
            return Some("an optional first step before anything but a single one");
        }
        if !s.repeated() && !s.without.is_empty() {
            return Some("`without` on a first single step");
        }
    }
    if !matches!(last, Elem::Absence { .. }) && last.may_be_empty() {
        return Some("ends with nothing");
    }
    for (i, (joint, elem)) in rule.body.iter().enumerate() {
        let following = rule.body.get(i + 1).map(|(_, e)| e);
        if let Some(why) = element(rule, i, joint, elem, following) {
            return Some(why);
        }
    }
    names(rule).or_else(|| whole(rule)).or_else(|| parts(rule))
}

fn element(rule: &Rule, i: usize, joint: &Joint, elem: &Elem, following: Option<&Elem>) -> Option<&'static str> {
    let plain = joint == &Joint::default();
    if joint.after.is_some_and(|a| joint.within.is_some_and(|w| !w.holds(a))) {
        return Some("an empty gap");
    }
    match elem {
        Elem::Choice { .. } => {}
        Elem::Absence { events, inner, fewer, end } => {
            if let Some(why) = against_group(rule, inner, *fewer, end.as_ref()) {
                return Some(why);
            }
            if !plain {
                return Some("a joint before an absence");
            }
            if *fewer > 1 && end.is_none() {
                return Some("a counted absence without an end");
            }
            if end.is_none() && !matches!(following, Some(Elem::Step(s)) if s.quant.is_none()) {
                return Some("`no X` without a step after it");
            }
            if end.is_some() && following.is_some_and(|e| !matches!(e, Elem::Absence { .. }) && e.may_be_empty()) {
                return Some("an absence before a step that may be empty: where its deadline counts is open");
            }
            if inner.is_empty() && events.len() > 1 && events[..events.len() - 1].iter().any(|g| !g.by.is_empty()) {
                return Some("a comma after `by`");
            }
        }
        Elem::Step(s) => {
            if joint.next && (s.quant.is_some() || s.cond.as_ref().is_some_and(Expr::reads_prev)) {
                return Some("`next` on more than a single step");
            }
            if joint.next && s.cond.as_ref().is_some_and(Expr::has_stat) {
                return Some("a statistic in a guard");
            }
            if i == 0 && s.cond.as_ref().is_some_and(Expr::reads_prev) && !s.repeated() {
                return Some("`prev` of a first step");
            }
            if s.quant.as_ref().is_some_and(|q| q.consecutive) && joint.directly {
                return Some("`consecutive` says nothing after `directly`");
            }
            if s.quant.as_ref().is_some_and(|q| q.consecutive && q.count.bounds().0 == 0) {
                return Some("runs of nothing");
            }
            if (s.until.is_some() || s.ends.is_some()) && !s.repeated() {
                return Some("`until` on a single step");
            }
            if let Some(why) = s.ends.and_then(|ends| against_ends(rule, i, joint, s, ends)) {
                return Some(why);
            }
            if rule.handed_over() && s.quant.as_ref().is_some_and(|q| q.count.bounds().0 == 0) {
                return Some("an empty step that hands its key over");
            }
        }
        Elem::All { members, .. } => {
            if members.len() < 2 || joint.next || joint.directly {
                return Some("`all` of one, or behind a joint the oracle leaves out");
            }
        }
        Elem::Any { members } => {
            if members.len() < 2 || joint.next {
                return Some("`any` of one");
            }
        }
        Elem::Group { count, .. } => {
            let after_absence = i > 0 && matches!(rule.body[i - 1].1, Elem::Absence { .. });
            if !plain || after_absence {
                return Some("a joint before a group that the oracle leaves out");
            }
            if rule.pick == Pick::All || matches!(following, Some(Elem::Absence { .. })) || count.bounds().0 == 0 {
                return Some("a group that the oracle leaves out");
            }
            let mut behind = rule.body[i + 1..].iter().map(|(_, e)| e);
            let next = behind.find(|e| matches!(e, Elem::Absence { .. }) || !e.may_be_empty());
            if matches!(next, Some(Elem::Absence { .. })) {
                return Some("a group before an absence");
            }
        }
    }
    None
}

/// What the absence of a group does not take.
fn against_group(
    rule: &Rule,
    inner: &[(Joint, Option<String>)],
    fewer: usize,
    end: Option<&End>,
) -> Option<&'static str> {
    if inner.is_empty() {
        return None;
    }
    let Some(end) = end else { return Some("the absence of a group without an end") };
    let empty = |j: &Joint| j.after.is_some_and(|a| j.within.is_some_and(|w| !w.holds(a)));
    if fewer > 1 || inner.iter().any(|(j, _)| j.next || j.computed.is_some() || empty(j)) || rule.repeat.is_some() {
        return Some("the absence of a group with what it does not take");
    }
    if inner[0].0 != Joint::default() {
        return Some("a joint before the first of a group");
    }
    let least: Ms = inner.iter().filter_map(|(j, _)| j.after).sum();
    if end.fixed().is_some_and(|d| least > d || least == d && least > 0 && d == 0) {
        return Some("a group that takes longer than its absence");
    }
    let directly = inner.iter().any(|(j, _)| j.directly);
    let partial = partial_guard(rule) || rule.steps().iter().any(|s| partial_statistic(rule, s));
    if directly && (rule.handed_over() || partial) {
        return Some("`directly` inside a group where keys are in parts");
    }
    if directly && rule.by.len() == 1 && rule.steps().iter().any(|s| !s.by.is_empty()) {
        return Some("`directly` inside a group over keys from different fields");
    }
    let names: Vec<&String> = inner.iter().filter_map(|(_, name)| name.as_ref()).collect();
    let all: Vec<String> = rule.body.iter().flat_map(|(_, e)| e.absent_names()).collect();
    let twice = |n: &&String| rule.step_named(n).is_some() || all.iter().filter(|other| other == n).count() > 1;
    names.iter().any(twice).then_some("a name of a group twice")
}

/// Every name is read after it is bound, and in the way it is bound.
fn names(rule: &Rule) -> Option<&'static str> {
    let steps = rule.steps();
    let twice = |n: usize| steps[n].name.is_some() && steps[..n].iter().any(|s| s.name == steps[n].name);
    if (0..steps.len()).any(twice) {
        return Some("two steps of one name");
    }
    let untaken = rule.untaken.iter().filter_map(|s| Some((s.name.clone()?, s.repeated())));
    let mut bound: Vec<(String, bool)> = untaken.collect();
    let reads = |e: &Expr, bound: &[(String, bool)]| {
        let mut fine = true;
        e.walk(&mut |e| {
            let many = match e {
                Expr::Of(Sel::Plain, n, _) => Some((n, false)),
                Expr::Of(_, n, _) | Expr::Agg(_, n, _) | Expr::CountDistinct(n, _) => Some((n, true)),
                Expr::Nth(n, ..) | Expr::Percentile(n, ..) => Some((n, true)),
                Expr::CountOver(ns, _) | Expr::CountDistinctOver(ns, _) | Expr::AggOver(_, ns, _) => {
                    fine &= ns.iter().all(|n| bound.iter().any(|(b, _)| b == n));
                    fine &= ns.iter().enumerate().all(|(i, n)| !ns[..i].contains(n));
                    None
                }
                Expr::Count(n, Some(_)) => Some((n, true)),
                Expr::Count(n, None) => {
                    fine &= bound.iter().any(|(b, _)| b == n);
                    None
                }
                _ => None,
            };
            fine &= many.is_none_or(|(n, many)| bound.iter().any(|(b, m)| b == n && *m == many));
        });
        fine
    };
    let guards = |gs: &[Guard], bound: &[(String, bool)]| {
        gs.iter().all(|g| g.cond.as_ref().is_none_or(|c| reads(c, bound) && !c.reads_prev() && !c.has_stat()))
    };
    for (joint, elem) in &rule.body {
        let before = bound.clone();
        let mut fine = true;
        for step in elem.steps() {
            let inside = matches!(elem, Elem::Group { .. });
            let mut scope = if inside { bound.clone() } else { before.clone() };
            let own = step.name.clone().map(|n| (n, step.repeated()));
            if step.repeated() {
                scope.extend(own.clone());
            }
            let found: Vec<(String, bool)> =
                step.last.iter().filter_map(|l| l.name.clone()).map(|name| (name, false)).collect();
            let own_scope: Vec<_> = scope.iter().chain(&found).cloned().collect();
            fine &= step.cond.as_ref().is_none_or(|c| reads(c, &own_scope));
            if !step.repeated() {
                scope.extend(own.clone());
            } else {
                scope.clone_from(&before);
            }
            fine &= step.last.iter().all(|l| l.computed.as_ref().is_none_or(|d| reads(d, &scope)));
            fine &= step.last.iter().all(|l| guards(&l.events, &scope)) && guards(&step.without, &scope);
            fine &= step.until.as_ref().is_none_or(|u| guards(std::slice::from_ref(u), &before));
            bound.extend(own);
            if !step.repeated() {
                bound.extend(found);
            }
        }
        if let Elem::Group { .. } = elem {
            bound[before.len()..].iter_mut().for_each(|(_, many)| *many = true);
        }
        fine &= match elem {
            Elem::Absence { events, inner, end, .. } => {
                let mut inside = before.clone();
                events.iter().enumerate().all(|(i, event)| {
                    let fine = guards(std::slice::from_ref(event), &inside);
                    inside.extend(inner.get(i).and_then(|(_, name)| Some((name.clone()?, false))));
                    fine
                }) && match end {
                    Some(End::Computed(e) | End::Until(e)) => reads(e, &before),
                    _ => true,
                }
            }
            Elem::All { without, .. } => guards(without, &before),
            _ => true,
        };
        fine &= joint.computed.as_ref().is_none_or(|d| reads(d, &bound));
        if !fine {
            return Some("a name out of scope");
        }
    }
    let lengths = rule.computed.iter().chain(rule.parts.iter().filter_map(|p| p.computed.as_ref()));
    if !lengths.into_iter().all(|d| reads(d, &bound)) {
        return Some("a name out of scope");
    }
    if let Skip::ToFirst(name) | Skip::ToLast(name) = &rule.skip
        && rule.step_named(name).is_none()
    {
        return Some("a name out of scope");
    }
    if !rule.having.as_ref().is_none_or(|h| reads(h, &bound)) || !guards(&rule.cancel, &bound) {
        return Some("a name out of scope");
    }
    if !rule.resolve_when.as_ref().is_none_or(|h| reads(h, &bound)) || !guards(&rule.resolve_on, &bound) {
        return Some("a name out of scope");
    }
    None
}

/// Whether a step names what it looks back at where it cannot.
fn named_lasts(rule: &Rule) -> bool {
    let named = |s: &Step| s.last.iter().any(|l| l.name.is_some());
    let steps = rule.steps();
    let list = steps.iter().flat_map(|s| &s.last).any(|l| l.name.is_some() && (l.unless || l.events.len() != 1));
    // Some of them exclude each other.
    let of = |s: &Step, unless: bool| -> Vec<String> {
        let all = s.last.iter().filter(|l| l.unless == unless).flat_map(|l| &l.events);
        all.flat_map(|g| g.classes.clone()).collect()
    };
    let list = list || steps.iter().any(|s| of(s, true).iter().any(|c| of(s, false).contains(c)));
    let inside = rule.body.iter().any(|(joint, e)| match e {
        Elem::Group { body, .. } => body.iter().any(|(_, s)| named(s)),
        _ => joint.next && e.steps().into_iter().any(named),
    });
    let nowhere = rule.sliding().is_some() || rule.pick == Pick::Pending;
    // Which of its keys an event looks back for is not among what is bound.
    let nowhere = nowhere || rule.by.iter().any(|k| k.each);
    list || inside || nowhere && steps.into_iter().any(named)
}

fn whole(rule: &Rule) -> Option<&'static str> {
    if named_lasts(rule) {
        return Some("a name for what is looked back at");
    }
    if rule.pick == Pick::Pending
        && let Some(why) = against_pending(rule)
    {
        return Some(why);
    }
    let steps = rule.steps();
    if let Some(why) = timed(rule) {
        return Some(why);
    }
    let mut beyond = false;
    for e in steps.iter().filter_map(|s| s.cond.as_ref()).chain(&rule.having).chain(&rule.resolve_when) {
        e.walk(&mut |e| {
            if let Expr::Nth(name, n, _) = e {
                let most = |s: &Step| s.quant.as_ref().map_or(1, |q| q.count.bounds().1);
                let of_group = rule.body.iter().any(|(_, e)| {
                    matches!(e, Elem::Group { .. }) && e.steps().iter().any(|s| s.name.as_ref() == Some(name))
                });
                beyond |= !of_group && rule.step_named(name).is_some_and(|s| most(s) < *n);
            }
        });
    }
    if beyond {
        return Some("an event beyond the last");
    }
    if rule.by.iter().any(|k| k.each) {
        if steps.iter().any(|s| s.cond.as_ref().is_some_and(Expr::has_stat)) {
            return Some("statistics of several keys at once");
        }
        if rule.handed_over() || partial_guard(rule) {
            return Some("`each` in a part of the key");
        }
    }
    let mut own_key = false;
    for e in steps.iter().filter_map(|s| s.cond.as_ref()).chain(rule.classes.iter().map(|(_, c)| c)) {
        e.walk(&mut |e| own_key |= matches!(e, Expr::Stat(call) if !call.by.is_empty()));
    }
    if rule.by.iter().any(|k| k.expr.is_some()) && (rule.handed_over() || own_key) {
        return Some("a key handed over in a way the oracle leaves out");
    }
    if rule.resolve_when.is_some() && rule.sliding().is_none() {
        return Some("`resolve when` without a sliding count");
    }
    let absent = rule.body.last().is_some_and(|(_, e)| matches!(e, Elem::Absence { .. }));
    if rule.repeat.is_some() && (!absent || rule.handed_over()) {
        return Some("`repeat every` without an absence of the key at the end");
    }
    let key = rule.comps(steps[0]);
    let part = |g: &Guard| !g.by.is_empty() && key.iter().any(|k| !g.by.iter().any(|own| own.name == k.name));
    let unknown = |g: &Guard| g.by.iter().any(|own| !key.iter().any(|k| k.name == own.name));
    if rule.resolve_on.iter().any(|g| part(g) || unknown(g)) || rule.repeat.is_some() && partial_guard(rule) {
        return Some("what ends an alert with a part of the key");
    }
    if rule.computed.is_some() {
        let first = &rule.body[0].1;
        if rule.within.is_some() || steps.len() == 1 || first.steps().iter().any(|s| s.repeated()) {
            return Some("a computed bound over a repeated first step, or over one step");
        }
        if matches!(first, Elem::Group { .. } | Elem::Any { .. }) && rule.body.len() == 1 {
            return Some("a computed bound over one element");
        }
        if matches!(first, Elem::Group { .. }) {
            return Some("a computed bound over a repeated first step");
        }
    }
    let single = rule.body.len() == 1 && matches!(&rule.body[0].1, Elem::Step(s) if !s.repeated());
    if single && (rule.within.is_some() || !rule.cancel.is_empty() || rule.skip != Skip::PastLast) {
        return Some("a clause without effect on a single step");
    }
    let alone = rule.body.len() == 1 && matches!(&rule.body[0].1, Elem::Any { .. });
    if alone && (rule.within.is_some() || !rule.cancel.is_empty()) {
        return Some("a clause without effect on a single step");
    }
    let bare = |e: &Elem| {
        matches!(e, Elem::Absence { .. } | Elem::Any { .. }) || matches!(e, Elem::Step(s) if s.quant.is_none())
    };
    let binding = rule.body.iter().filter(|(_, e)| !matches!(e, Elem::Absence { .. })).count();
    if (rule.within.is_some() || rule.computed.is_some()) && binding == 1 && rule.body.iter().all(|(_, e)| bare(e)) {
        return Some("`within` on one event");
    }
    // What looks at neighbours, or at one window a key, has guards that agree on the whole key.
    let contiguous = rule.body.iter().any(|(j, e)| {
        j.directly
            || matches!(e, Elem::Group { body, .. } if body.iter().any(|(j, _)| j.directly))
            || matches!(e, Elem::Step(s) if s.quant.as_ref().is_some_and(|q| q.consecutive))
    });
    if (contiguous || rule.sliding().is_some()) && partial_guard(rule) {
        return Some("a guard with a part of the key");
    }
    if rule.skip == Skip::ToNext && matches!(rule.body[0].1, Elem::Group { .. }) {
        return Some("`skip to next` into a group");
    }
    if single && rule.pick != Pick::Latest {
        return Some("`pick` on a single step");
    }
    if rule.sliding().is_none() && (rule.events.is_some() || rule.lasting.is_some()) {
        return Some("a clause of sliding counts");
    }
    if rule.lasting.is_some() && rule.having.is_none() {
        return Some("`for` without a condition");
    }
    if rule.events.is_some_and(|n| {
        let quant = rule.sliding().and_then(|s| s.quant.as_ref());
        rule.within.is_some() || n < 1 || quant.is_some_and(|q| q.count.bounds().0 > n)
    }) {
        return Some("a window of too few events");
    }
    if (contiguous || rule.sliding().is_some()) && steps.iter().any(|s| partial_statistic(rule, s)) {
        return Some("a statistic with a part of the key");
    }
    if let Some(step) = rule.sliding() {
        let own = step
            .cond
            .as_ref()
            .is_some_and(|c| c.reads_prev() || c.names().iter().any(|n| Some(n) == step.name.as_ref()));
        if rule.pick != Pick::Latest || !matches!(rule.skip, Skip::PastLast | Skip::NoSkip) || own {
            return Some("a sliding count with what it does not have");
        }
    }
    if rule.handed_over()
        && (rule.body.iter().any(|(j, _)| j.directly)
            || steps.iter().any(|s| s.quant.as_ref().is_some_and(|q| q.consecutive || q.count.bounds().0 == 0)))
    {
        return Some("contiguity with a handed-over key");
    }
    let names = |s: &Step| rule.comps(s).into_iter().map(|c| c.name).collect::<Vec<_>>();
    if rule.handed_over() {
        if !rule.by.is_empty() || rule.body.iter().any(|(_, e)| !matches!(e, Elem::Step(_) | Elem::Absence { .. })) {
            return Some("a key handed over in a way the oracle leaves out");
        }
        let shares = |i: usize| steps[..i].iter().any(|s| names(s).iter().any(|n| names(steps[i]).contains(n)));
        if !(1..steps.len()).all(shares) {
            return Some("a step that shares no component");
        }
    }
    let own_fields = rule.by.len() == 1 && steps.iter().any(|s| !s.by.is_empty());
    if own_fields
        && (rule.body.iter().any(|(j, _)| j.directly)
            || steps.iter().any(|s| {
                s.quant.as_ref().is_some_and(|q| q.consecutive) || s.cond.as_ref().is_some_and(Expr::has_stat)
            }))
    {
        return Some("contiguity or statistics over keys from different fields");
    }
    if let Some(why) = gaps(rule) {
        return Some(why);
    }
    // Own `by` of guards names components of the rule's.
    let mut guards: Vec<&Guard> = rule.cancel.iter().collect();
    for (_, elem) in &rule.body {
        for s in elem.steps() {
            guards.extend(s.last.iter().flat_map(|l| &l.events).chain(&s.without).chain(&s.until));
        }
        match elem {
            Elem::Absence { events, .. } => guards.extend(events),
            Elem::All { without, .. } => guards.extend(without),
            _ => {}
        }
    }
    if guards.iter().any(|g| g.by.iter().any(|c| rule.by.iter().all(|k| k.name != c.name))) {
        return Some("a guard's component that the rule does not have");
    }
    // A repeated first step that `skip to next` or contiguity would cut: readings of the page differ.
    let first = rule.body[0].1.steps();
    if rule.skip == Skip::ToNext
        && first
            .iter()
            .any(|s| s.until.is_some() || s.ends.is_some() || s.quant.as_ref().is_some_and(|q| q.consecutive))
    {
        return Some("`skip to next` into runs");
    }
    // `cancel on` that reads the repeated first step would depend on where it starts.
    if first.iter().any(|s| s.repeated()) || matches!(rule.body[0].1, Elem::Group { .. }) {
        let own: Vec<&String> = first.iter().filter_map(|s| s.name.as_ref()).collect();
        let reads = |g: &Guard| g.cond.as_ref().is_some_and(|c| c.names().iter().any(|n| own.contains(&n)));
        // An event that the repetition may bind and that also ends it leaves two readings.
        let named: Vec<&String> = first.iter().flat_map(|s| &s.classes).collect();
        let wide = named.iter().any(|c| c.len() > 1);
        let meets = |g: &Guard| g.classes.iter().any(|c| named.contains(&c) || wide && "ABCDX".contains(c.as_str()));
        if rule.cancel.iter().any(meets) || first.iter().any(|s| s.without.iter().any(meets)) {
            return Some("a repeated first step that its own guards meet");
        }
        // Where it starts would depend on what it has bound.
        let history = first.iter().any(|s| {
            s.cond.as_ref().is_some_and(|c| c.reads_prev() || c.names().iter().any(|n| Some(n) == s.name.as_ref()))
        });
        if history
            && (!rule.cancel.is_empty()
                || first.iter().any(|s| !s.without.is_empty() || s.until.is_some() || s.ends.is_some()))
        {
            return Some("a repeated first step with history and cuts");
        }
        if rule.cancel.iter().any(reads) {
            return Some("`cancel on` over a repeated first step");
        }
    }
    None
}

/// Where a time cannot end a repetition.
fn against_ends(rule: &Rule, i: usize, joint: &Joint, step: &Step, ends: Ends) -> Option<&'static str> {
    if step.until.is_some() {
        return Some("two `until`");
    }
    if joint.directly || step.quant.as_ref().is_some_and(|q| q.consecutive) {
        return Some("a time that ends a contiguous repetition");
    }
    if rule.pick == Pick::All || rule.handed_over() {
        return Some("a time that ends what may be bound in several ways");
    }
    if i + 1 == rule.body.len() && step.quant.as_ref().is_some_and(|q| q.count.bounds().0 == 0) {
        return Some("a time that ends nothing");
    }
    (rule.body.len() == 1 && !ends.silent && (rule.within.is_some() || rule.computed.is_some()))
        .then_some("`within` beside `until 3s`")
}

/// `pick pending` takes single steps under one key.
fn against_pending(rule: &Rule) -> Option<&'static str> {
    let last = rule.body.iter().rposition(|(_, e)| matches!(e, Elem::Step(_)));
    let single = |(at, e): (usize, &Elem)| match e {
        Elem::Step(s) => s.quant.is_none(),
        Elem::Absence { inner, end, fewer, .. } => {
            inner.is_empty() && (end.is_none() || *fewer == 1 && Some(at) > last)
        }
        _ => false,
    };
    let looks_back = |s: &&Step| {
        let own = |g: &Guard| g.cond.as_ref().is_some_and(|c| c.names().iter().any(|n| Some(n) == s.name.as_ref()));
        s.without.iter().any(own) || s.last.iter().any(|l| l.computed.is_some() || l.events.iter().any(own))
    };
    let singles = rule.body.iter().map(|(_, e)| e).enumerate().all(single);
    if !rule.parts.is_empty() || !singles || rule.steps().iter().any(looks_back) {
        return Some("`pick pending` over more than single steps");
    }
    let partial = partial_guard(rule) || rule.steps().iter().any(|s| partial_statistic(rule, s));
    (rule.handed_over() || rule.skip != Skip::PastLast || partial).then_some("`pick pending` and its key")
}

/// Bounds on parts that say nothing, that cross, or whose braces cut something apart.
fn parts(rule: &Rule) -> Option<&'static str> {
    let open = |e: &Elem| matches!(e, Elem::Absence { end: None, .. });
    for (i, part) in rule.parts.iter().enumerate() {
        let elems: Vec<&Elem> = rule.body[part.from..part.to].iter().map(|(_, e)| e).collect();
        if elems.len() == rule.body.len() {
            return Some("a part that is the whole");
        }
        let binding: Vec<_> = elems.iter().filter(|e| !matches!(e, Elem::Absence { .. })).collect();
        let one = |e: &Elem| matches!(e, Elem::Any { .. }) || matches!(e, Elem::Step(s) if !s.repeated());
        if binding.is_empty() || binding.len() == 1 && one(binding[0]) {
            return Some("a part that is one event");
        }
        if rule.parts[..i].iter().any(|p| p.from == part.from && p.to == part.to || p.to > part.from && p.to < part.to)
        {
            return Some("parts that cross");
        }
        let before = part.from.checked_sub(1).map(|b| &rule.body[b].1);
        if matches!(elems[0], Elem::Absence { .. })
            || open(elems[elems.len() - 1])
            || before.is_some_and(open)
            || rule.body[part.from].0.next
        {
            return Some("braces beside an absence");
        }
        let first = &rule.body[0].1;
        if part.computed.is_some()
            && part.from == 0
            && (matches!(first, Elem::Group { .. }) || first.steps().iter().any(|s| s.quant.is_some()))
        {
            return Some("a computed part that begins with a repetition");
        }
        if part.computed.is_none() && gaps_of(&rule.body[part.from..part.to], Some(part.within), true) {
            return Some("gaps longer than the part");
        }
    }
    let group = |e: &Elem| match e {
        Elem::Group { body, within: Some(d), .. } => {
            let least: i64 = body.iter().skip(1).map(|(j, _)| j.after.unwrap_or(0)).sum();
            body.len() < 2 || !d.holds(least)
        }
        _ => false,
    };
    rule.body.iter().any(|(_, e)| group(e)).then_some("a bound on an iteration that says nothing")
}

/// `any` of sequences.
fn choices(rule: &Rule) -> Option<&'static str> {
    let open = |e: &Elem| matches!(e, Elem::Absence { end: None, .. });
    for (i, (joint, elem)) in rule.body.iter().enumerate() {
        let Elem::Choice { members } = elem else { continue };
        let single = |m: &Vec<(Joint, Elem)>| matches!(&m[..], [(_, Elem::Step(_))]);
        if members.len() < 2
            || members.iter().any(Vec::is_empty)
            || members.iter().all(single)
            || joint.next
            || joint.computed.is_some()
        {
            return Some("a choice of one, or of steps");
        }
        if rule.handed_over() {
            return Some("a choice with a handed-over key");
        }
        let borders = |m: &Vec<(Joint, Elem)>| {
            matches!(m[0].1, Elem::Absence { .. })
                || open(&m[m.len() - 1].1)
                || m[0].0 != Joint::default()
                || m.iter().any(|(_, e)| matches!(e, Elem::Group { .. } | Elem::Choice { .. }))
        };
        if members.iter().any(borders) || i > 0 && open(&rule.body[i - 1].1) {
            return Some("borders of a choice");
        }
        let computed = |e: &Elem| matches!(e, Elem::Absence { end: Some(end), .. } if end.fixed().is_none());
        if rule.body.iter().map(|(_, e)| e).chain(members.iter().flatten().map(|(_, e)| e)).any(computed) {
            return Some("a choice beside a computed deadline");
        }
        let closes = |e: &Elem| matches!(e, Elem::Step(s) if s.ends.is_some());
        if members.iter().flatten().any(|(_, e)| closes(e)) || rule.body.iter().any(|(_, e)| closes(e)) {
            return Some("a choice beside a repetition that time ends");
        }
        if i == 0 && rule.expect_start {
            return Some("`expect start` before a choice");
        }
        if rule.repeat.is_some() || rule.pick == Pick::Pending {
            return Some("a choice that repeats, or is pending");
        }
    }
    None
}

/// Whether the least gaps of elements take longer than they have.
fn gaps_of(body: &[(Joint, Elem)], within: Option<Bound>, skip_first: bool) -> bool {
    let (mut least, mut waiting, mut strict) = (0, 0, false);
    for (i, (joint, elem)) in body.iter().enumerate() {
        if let Elem::Absence { end, .. } = elem {
            waiting = waiting.max(end.as_ref().and_then(End::fixed).unwrap_or(0));
            continue;
        }
        strict |= waiting > 0;
        least += waiting.max(if i == 0 && skip_first { 0 } else { joint.after.unwrap_or(0) });
        waiting = 0;
    }
    within.is_some_and(|w| !w.holds(least) || strict && least == w.d)
}

/// Gaps that leave no room.
fn gaps(rule: &Rule) -> Option<&'static str> {
    let mut waiting = 0;
    for (joint, elem) in &rule.body {
        if let Elem::Absence { end, .. } = elem {
            waiting = waiting.max(end.as_ref().and_then(End::fixed).unwrap_or(0));
            continue;
        }
        if joint.within.is_some_and(|w| waiting > 0 && w.d <= waiting) {
            return Some("a gap inside an absence");
        }
        waiting = 0;
    }
    if gaps_of(&rule.body, rule.within, false) {
        return Some("gaps longer than the whole");
    }
    // Each event of the step ends it.
    let ends = |s: &Step| {
        s.until
            .as_ref()
            .is_some_and(|u| (u.cond.is_none() || u.cond == s.cond) && s.classes.iter().any(|c| u.classes.contains(c)))
    };
    rule.steps().into_iter().any(ends).then_some("a repetition that ends before it begins")
}

/// Whether a guard with a `by` of its own leaves out a component of the rule's `by`.
fn partial_guard(rule: &Rule) -> bool {
    let one = |g: &Guard| !g.by.is_empty() && rule.by.iter().any(|k| !g.by.iter().any(|own| own.name == k.name));
    let partial = |guards: &[Guard]| guards.iter().any(one);
    let of_body = rule.body.iter().flat_map(|(_, e)| e.absent()).chain(&rule.untaken_absent).any(one);
    let of_steps = rule.steps().iter().any(|s| {
        partial(&s.without)
            || s.last.iter().any(|l| partial(&l.events))
            || s.until.iter().any(|u| partial(std::slice::from_ref(u)))
    });
    of_body || of_steps || partial(&rule.cancel)
}

/// Whether a statistic with a key of its own leaves out a component of the step's.
pub fn partial_statistic(rule: &Rule, step: &Step) -> bool {
    let mut partial = false;
    let comps = rule.comps(step);
    step.cond.iter().for_each(|cond| {
        cond.walk(&mut |e| {
            if let Expr::Stat(call) = e {
                partial |= !call.by.is_empty() && comps.iter().any(|c| !call.by.contains(&c.field));
            }
        });
    });
    partial
}

/// Where a clock or `expect start` may not stand.
fn timed(rule: &Rule) -> Option<&'static str> {
    let steps = rule.steps();
    let clock = |classes: &[String]| classes.iter().any(|c| c == "T");
    let ticks = |guards: &[Guard]| guards.iter().any(|g| clock(&g.classes));
    if rule.clock.is_some() {
        if rule.handed_over() {
            return Some("a clock where keys are handed over");
        }
        if partial_guard(rule) || steps.iter().any(|s| partial_statistic(rule, s)) {
            return Some("a clock beside a part of a key");
        }
        if ticks(&rule.resolve_on) || rule.repeat.is_some() && super::render::text(rule).matches('T').count() > 1 {
            return Some("a clock that ends an alert");
        }
        let keyed = !rule.comps(steps[0]).is_empty();
        let first = rule.body.iter().position(|(_, e)| !e.may_be_empty()).unwrap_or(0);
        let begins = rule.body[..=first].iter().flat_map(|(_, e)| e.steps()).any(|s| clock(&s.classes));
        if keyed && (begins || steps.iter().any(|s| s.last.iter().any(|l| ticks(&l.events)))) {
            return Some("a clock that begins a key");
        }
    }
    if rule.expect_start {
        let plain = matches!(&rule.body[0].1, Elem::Step(s)
            if s.quant.is_none() && s.last.is_empty() && s.without.is_empty() && !clock(&s.classes)
                && !s.cond.as_ref().is_some_and(Expr::has_stat));
        if !rule.comps(steps[0]).is_empty() || rule.handed_over() || !plain || rule.body.len() == 1 {
            return Some("`expect start` before what it cannot begin");
        }
    }
    None
}
