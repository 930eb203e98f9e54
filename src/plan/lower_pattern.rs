//! The pattern of a rule: sequences to elements, steps and guards with their conditions split by what they read.
//!
//! A condition is a conjunction. Its stateless parts become the predicate that finds the event; parts that read
//! statistics are decided when it arrives; the rest is decided by the matcher, against bound events.

use std::ops::Range;
use std::sync::Arc;

use super::expr::{Attr, Expr};
use super::lower_expr::{Lowering, Place};
use super::lower_rule::{PendingRole, RuleBuilder};
use super::ruleset::{
    Ahead, ComputedPart, Element, ElementKind, Ends, Group, Guard, Join, KeyComponent as Component, Link, Lookback,
    OpenGuard, Part, Quantifier, RoleKind, Span, Step,
};
use crate::base::id::GuardId;
use crate::base::limits::MAX_WAYS;
use crate::base::{Duration, StepId, Value};
use crate::syntax::ast::{self, Count, StepGuardKind};

/// One way through a sequence.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub(super) elements: Vec<Element>,
    pub(super) parts: Vec<Part>,
    pub(super) computed_parts: Vec<ComputedPart>,
    /// Absences after its last element.
    pub(super) ahead: Vec<Ahead>,
}

impl Way {
    /// Every way of `before` followed by every way of `after`.
    fn joined(before: &[Self], after: &[Self], link: &Link) -> Vec<Self> {
        let mut all = Vec::new();
        for (way, more) in before.iter().flat_map(|way| after.iter().map(move |more| (way, more))) {
            let mut way = way.clone();
            let at = way.elements.len();
            let mut ahead = std::mem::replace(&mut way.ahead, more.ahead.clone());
            way.elements.extend(more.elements.iter().cloned());
            if let Some(first) = way.elements.get_mut(at) {
                first.link = link.clone();
                ahead.append(&mut first.ahead);
                first.ahead = ahead;
            }
            let place = |elements: &Range<usize>| elements.start + at..elements.end + at;
            way.parts.extend(more.parts.iter().map(|p| Part { within: p.within, elements: place(&p.elements) }));
            let computed = |p: &ComputedPart| ComputedPart { within: p.within.clone(), elements: place(&p.elements) };
            way.computed_parts.extend(more.computed_parts.iter().map(computed));
            all.push(way);
        }
        all
    }
}

impl<'s, 'a> RuleBuilder<'s, 'a> {
    pub(super) fn declare_steps(&mut self, seq: &'s ast::Sequence, low: &mut Lowering<'_>) {
        for element in seq.elements() {
            match element {
                ast::Element::Step(step) => self.declare_step(step, low),
                ast::Element::All(all) => all.members.iter().for_each(|s| self.declare_step(s, low)),
                ast::Element::Any(any) => any.members.iter().for_each(|s| self.declare_step(s, low)),
                ast::Element::Choice(choice) => choice.members.iter().for_each(|m| self.declare_steps(m, low)),
                ast::Element::Group(group) => self.declare_steps(&group.body, low),
                ast::Element::Absence(_) => {}
            }
        }
    }

    fn declare_step(&mut self, step: &'s ast::Step, low: &mut Lowering<'_>) {
        let id = StepId::from(self.step_asts.len());
        if let Some(name) = &step.name {
            low.scope.steps.insert(name.name.clone(), id);
        }
        self.step_asts.push(step);
        self.step_keys.push(Vec::new());
    }

    /// Names that look-backs give to what they find: places behind the steps of the pattern.
    pub(super) fn declare_found(&mut self, low: &mut Lowering<'_>) {
        for step in &self.step_asts {
            for name in step.guards.iter().filter_map(|g| g.name.as_ref()) {
                let id = StepId::from(self.step_asts.len() + self.found.len());
                low.scope.steps.insert(name.name.clone(), id);
                self.found.push(name.name.as_str().into());
            }
        }
    }

    /// The rule's `by`, overridden and extended by the step's own, in the order of the components.
    pub(super) fn step_components(&mut self, step: &ast::Step, low: &mut Lowering<'_>) -> Vec<Component> {
        let mut items: Vec<(usize, ast::KeyItem)> = self.rule_key.clone();
        for item in &step.by {
            let at = self.component(item);
            match items.iter_mut().find(|(place, _)| *place == at) {
                Some(slot) => slot.1 = item.clone(),
                None => items.push((at, item.clone())),
            }
        }
        items.sort_by_key(|(at, _)| *at);
        items
            .into_iter()
            .map(|(place, item)| Component {
                place,
                value: low.expr(&item.value, Place::Event),
                optional: item.optional,
            })
            .collect()
    }

    /// The ways through a sequence: one, but for `any` of sequences.
    pub(super) fn sequence(&mut self, seq: &ast::Sequence, low: &mut Lowering<'_>) -> Vec<Way> {
        let none = ast::Then { directly: false, next: false, after: None, within: None, span: seq.span };
        let joined = std::iter::once((&none, &*seq.first)).chain(seq.rest.iter().map(|(t, e)| (t, e)));
        let mut ways = vec![Way::default()];
        // `no X` without `within` is `without X` on the next step.
        let mut without: Vec<&ast::Guard> = Vec::new();
        for (then, element) in joined {
            let link = link(then, low);
            match element {
                ast::Element::Absence(absence) => match end(absence, low) {
                    None => without.extend(&absence.events),
                    Some(within) => {
                        let previous = ways.first().and_then(|w| w.elements.last()?.steps().last().copied());
                        let mut guards =
                            absence.events.iter().map(|g| self.guard(g, previous, None, low)).collect::<Vec<_>>();
                        let group = absence.group.as_ref().map(|group| {
                            let steps = std::mem::take(&mut guards);
                            Box::new(self.absent_group(absence, group, steps, previous, low))
                        });
                        let ahead = Ahead { guards, group, fewer: absence.fewer.unwrap_or(1), within };
                        ways.iter_mut().for_each(|way| way.ahead.push(ahead.clone()));
                    }
                },
                ast::Element::Group(group) if group.quantifier.is_none() => {
                    // A plain group is its content; its first joint is the one before the group.
                    let mut inner = self.sequence(&group.body, low);
                    if let Some(bound) = &group.within {
                        let within = span(bound, low);
                        for way in &mut inner {
                            let elements = 0..way.elements.len();
                            match &within {
                                Span::Fixed(within) => way.parts.insert(0, Part { elements, within: *within }),
                                Span::Computed(within) | Span::Until(within) => {
                                    way.computed_parts.insert(0, ComputedPart { elements, within: within.clone() });
                                }
                            }
                        }
                    }
                    ways = Way::joined(&ways, &inner, &link);
                }
                ast::Element::Choice(choice) => {
                    let mut inner = Vec::new();
                    for member in &choice.members {
                        inner.extend(self.sequence(member, low));
                    }
                    if ways.len() * inner.len() > MAX_WAYS {
                        low.problems.push((choice.span, format!("more than {MAX_WAYS} ways through a pattern")));
                        inner.truncate(1);
                    }
                    ways = Way::joined(&ways, &inner, &link);
                }
                other => {
                    let mut built = self.element(other, then.next, low);
                    built.link = link;
                    let guarded = built.steps().first().copied();
                    for guard in without.drain(..) {
                        let guard = self.guard(guard, guarded, None, low);
                        built.without.push(guard);
                    }
                    for way in &mut ways {
                        let mut built = built.clone();
                        built.ahead.append(&mut way.ahead);
                        way.elements.push(built);
                    }
                }
            }
        }
        ways
    }

    fn element(&mut self, element: &ast::Element, next: bool, low: &mut Lowering<'_>) -> Element {
        let plain = |kind| Element { kind, link: Link::default(), ahead: Vec::new(), without: Vec::new() };
        match element {
            ast::Element::Step(step) => {
                let (id, without) = self.step(step, next, low);
                let kind = match &step.quantifier {
                    None => ElementKind::Single(id),
                    Some(q) if q.count == Count::Optional => ElementKind::Optional(id),
                    Some(_) => ElementKind::Repeat(id),
                };
                Element { without, ..plain(kind) }
            }
            ast::Element::All(all) => {
                let mut without = Vec::new();
                let steps: Vec<StepId> = all
                    .members
                    .iter()
                    .map(|s| {
                        let (id, mut more) = self.step(s, next, low);
                        without.append(&mut more);
                        id
                    })
                    .collect();
                for guard in &all.without {
                    let guard = self.guard(guard, None, steps.first().copied(), low);
                    without.push(guard);
                }
                Element { without, ..plain(ElementKind::All(steps)) }
            }
            ast::Element::Any(any) => {
                let mut without = Vec::new();
                let steps = any
                    .members
                    .iter()
                    .map(|s| {
                        let (id, mut more) = self.step(s, next, low);
                        without.append(&mut more);
                        id
                    })
                    .collect();
                Element { without, ..plain(ElementKind::Any(steps)) }
            }
            ast::Element::Group(group) => {
                let mut body = Vec::new();
                let none = ast::Then { directly: false, next: false, after: None, within: None, span: group.span };
                let joined =
                    std::iter::once((&none, &*group.body.first)).chain(group.body.rest.iter().map(|(t, e)| (t, e)));
                for (then, inner) in joined {
                    let link = link(then, low);
                    if let ast::Element::Step(step) = inner {
                        let (id, _) = self.step(step, false, low);
                        body.push((id, link));
                    } else {
                        low.problems.push((inner.span(), "a repeated group holds plain steps only".to_owned()));
                    }
                }
                let quantifier = quantifier(group.quantifier.as_ref(), StepId(0), low);
                let within = group.within.as_ref().map(|d| low.duration(d));
                plain(ElementKind::Group(Group { body, quantifier, within }))
            }
            ast::Element::Absence(_) | ast::Element::Choice(_) => plain(ElementKind::All(Vec::new())),
        }
    }

    /// Lowers a step; gives its id and the guards of its `without` and `next`.
    fn step(&mut self, step: &ast::Step, next: bool, low: &mut Lowering<'_>) -> (StepId, Vec<GuardId>) {
        let id = StepId::from(self.steps.len());
        let label: Arc<str> = step.name.as_ref().map_or_else(|| class_label(&step.classes), |n| n.name.as_str().into());
        let parts: Vec<Expr> =
            step.condition.as_ref().map(|c| low.expr(c, Place::Step(id)).conjuncts()).unwrap_or_default();
        let (mut stateless, mut arrival, mut cross) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            if part.is_stateless() {
                stateless.push(part);
            } else if part.is_unary() {
                arrival.push(part);
            } else {
                cross.push(part);
            }
        }
        let preds = self.predicates(&step.classes, Expr::all(stateless), low);
        let (mut reads, mut reads_prev) = (Vec::new(), false);
        for part in &cross {
            part.walk(&mut |e| match e {
                Expr::Bound(step, ..) => reads.push(*step),
                Expr::Aggregate(a) => reads.extend(&a.steps),
                Expr::Prev(_) => reads_prev = true,
                _ => {}
            });
        }
        reads.sort();
        reads.dedup();
        let own_history = cross.iter().any(|e| reads_own(e, id));
        let components = self.step_keys[id.index()].clone();
        self.pending_roles.push(PendingRole { kind: RoleKind::Step(id), preds, components: components.clone() });
        let joins = cross.iter().filter_map(equality).collect::<Vec<_>>();
        // The earlier step holds the join, because that is the one looked up.
        for (earlier, theirs, mine) in joins {
            if let Some(earlier) = self.steps.get_mut(earlier.index()) {
                earlier.joins.push(Join { step: id, this: theirs, other: mine });
            }
        }
        self.steps.push(Step {
            name: step.name.as_ref().map(|n| n.name.as_str().into()),
            label,
            role: 0,
            arrival: Expr::all(arrival),
            lookback: Vec::new(),
            cross: Expr::all(cross),
            cross_lookback: Vec::new(),
            unless_open: Vec::new(),
            quantifier: None,
            until: None,
            ends: None,
            components,
            joins: Vec::new(),
            own_history,
            reads,
            reads_prev,
            found_by: None,
        });
        let mut without = Vec::new();
        for guard in &step.guards {
            match guard.kind {
                StepGuardKind::Without => {
                    for g in &guard.events {
                        let g = self.guard(g, Some(id), None, low);
                        without.push(g);
                    }
                }
                StepGuardKind::UnlessOpen => {
                    let names =
                        guard.events.iter().flat_map(|g| &g.classes).filter_map(|c| c.name.strip_prefix("alert."));
                    let rules: Vec<_> = names.filter_map(|name| self.set.rule_ids.get(name).copied()).collect();
                    // The other rule's key is known when all rules are.
                    let open = rules.into_iter().map(|rule| OpenGuard { rule, key: Vec::new() });
                    self.steps[id.index()].unless_open.extend(open);
                }
                kind => {
                    let last = guard.last.as_ref().map_or(Span::Fixed(Duration::MAX), |d| span(d, low));
                    let guards: Vec<GuardId> =
                        guard.events.iter().map(|g| self.guard(g, Some(id), None, low)).collect();
                    let names = guard.name.as_ref().and_then(|name| low.scope.steps.get(&name.name).copied());
                    let decidable = last.fixed().is_some() && names.is_none();
                    let simple = decidable && guards.iter().all(|g| self.guards[g.index()].equalities.is_some());
                    let lookback = Lookback { wanted: kind == StepGuardKind::If, guards, names, last };
                    let step = &mut self.steps[id.index()];
                    if simple { step.lookback.push(lookback) } else { step.cross_lookback.push(lookback) }
                }
            }
        }
        if next {
            let same = ast::Guard {
                classes: step.classes.clone(),
                condition: step.condition.clone(),
                by: step.by.clone(),
                span: step.span,
            };
            let g = self.guard(&same, Some(id), None, low);
            without.push(g);
        }
        if let Some(until) = &step.until {
            let g = self.guard(until, Some(id), None, low);
            self.steps[id.index()].until = Some(g);
        }
        if let Some(ends) = &step.ends {
            let length = low.duration(&ends.length);
            self.steps[id.index()].ends = Some(if ends.silent { Ends::Silent(length) } else { Ends::After(length) });
        }
        if let Some(q) = &step.quantifier
            && q.count != Count::Optional
        {
            let q = quantifier(Some(q), id, low);
            self.steps[id.index()].quantifier = Some(q);
        }
        (id, without)
    }

    /// Puts the places of names that look-backs give behind the steps of the pattern.
    pub(super) fn add_found(&mut self) {
        let finders: Vec<(StepId, StepId)> = (0..self.steps.len())
            .map(StepId::from)
            .flat_map(|step| self.steps[step.index()].naming().map(move |(_, name)| (name, step)).collect::<Vec<_>>())
            .chain(self.absent.iter().copied())
            .collect();
        for (at, name) in std::mem::take(&mut self.found).into_iter().enumerate() {
            let id = StepId::from(self.step_asts.len() + at);
            let found_by = finders.iter().find(|(found, _)| *found == id).map(|(_, step)| *step);
            self.steps.push(Step {
                name: Some(Arc::clone(&name)),
                label: name,
                role: 0,
                arrival: None,
                lookback: Vec::new(),
                cross: None,
                cross_lookback: Vec::new(),
                unless_open: Vec::new(),
                quantifier: None,
                until: None,
                ends: None,
                components: Vec::new(),
                joins: Vec::new(),
                own_history: false,
                reads: Vec::new(),
                reads_prev: false,
                found_by,
            });
        }
    }

    pub(super) fn guard(
        &mut self,
        guard: &ast::Guard,
        guarded: Option<StepId>,
        like: Option<StepId>,
        low: &mut Lowering<'_>,
    ) -> GuardId {
        let id = GuardId::from(self.guards.len());
        let parts: Vec<Expr> =
            guard.condition.as_ref().map(|c| low.expr(c, Place::Guard).conjuncts()).unwrap_or_default();
        let (mut stateless, mut cross) = (Vec::new(), Vec::new());
        for part in parts {
            if part.is_stateless() { stateless.push(part) } else { cross.push(part) }
        }
        let preds = self.predicates(&guard.classes, Expr::all(stateless), low);
        let equalities = guarded.and_then(|step| {
            cross
                .iter()
                .map(|e| equality(e).filter(|(s, _, _)| *s == step).map(|(_, other, this)| (this, other)))
                .collect()
        });
        let components = if guard.by.is_empty() {
            // The rule's `by` where it names a component; else what the guarded step says.
            let own = match guarded.or(like) {
                Some(step) => self.step_keys[step.index()].clone(),
                None if self.rule_key.is_empty() => self.step_keys.first().cloned().unwrap_or_default(),
                None => Vec::new(),
            };
            let mut components: Vec<Component> = self
                .rule_key
                .clone()
                .into_iter()
                .map(|(place, item)| Component {
                    place,
                    value: low.expr(&item.value, Place::Event),
                    optional: item.optional,
                })
                .collect();
            let named: Vec<usize> = components.iter().map(|c| c.place).collect();
            components.extend(own.into_iter().filter(|c| !named.contains(&c.place)));
            components.sort_by_key(|c| c.place);
            components
        } else {
            let mut components: Vec<Component> = guard
                .by
                .iter()
                .map(|item| Component {
                    place: self.component(item),
                    value: low.expr(&item.value, Place::Event),
                    optional: item.optional,
                })
                .collect();
            components.sort_by_key(|c| c.place);
            components
        };
        self.pending_roles.push(PendingRole { kind: RoleKind::Guard(id), preds, components: components.clone() });
        self.guards.push(Guard {
            label: class_label(&guard.classes),
            role: 0,
            cross: Expr::all(cross),
            guarded,
            components,
            equalities,
        });
        id
    }
}

/// A length of time: what is not constant is an expression over bound events.
fn span(d: &ast::Expr, low: &mut Lowering<'_>) -> Span {
    if low.is_constant(d) {
        return Span::Fixed(low.duration(d));
    }
    Span::Computed(match &d.kind {
        // Times are whole nanoseconds, so excluding the bound is a bound one less.
        ast::ExprKind::Below(inner) => Expr::Arith(
            ast::BinaryOp::Sub,
            Box::new(low.expr(inner, Place::Guard)),
            Box::new(Expr::Const(Value::Duration(Duration(1)))),
        ),
        _ => low.expr(d, Place::Guard),
    })
}

/// A bound, constant or not.
pub(super) fn bound(d: Option<&ast::Expr>, low: &mut Lowering<'_>) -> (Option<Duration>, Option<Box<Expr>>) {
    match d.map(|d| span(d, low)) {
        None => (None, None),
        Some(Span::Fixed(d)) => (Some(d), None),
        Some(Span::Computed(e) | Span::Until(e)) => (None, Some(Box::new(e))),
    }
}

pub(super) fn link(then: &ast::Then, low: &mut Lowering<'_>) -> Link {
    let after = then.after.as_ref().map(|d| low.duration(d));
    let (within, computed) = bound(then.within.as_ref(), low);
    Link { directly: then.directly, after, within, computed }
}

/// When an absence ends; `None` with the next step.
fn end(absence: &ast::Absence, low: &mut Lowering<'_>) -> Option<Span> {
    match (&absence.within, &absence.until) {
        (Some(d), _) => Some(span(d, low)),
        (None, Some(time)) => Some(Span::Until(low.expr(time, Place::Guard))),
        (None, None) => None,
    }
}

/// `this side == earlier step's side`: the step, its side as an expression over its own event, this side.
fn equality(e: &Expr) -> Option<(StepId, Expr, Expr)> {
    let Expr::Compare(ast::BinaryOp::Eq, a, b) = e else { return None };
    let bound = |e: &Expr| match e {
        Expr::Bound(step, _, attr @ (Attr::Field(_) | Attr::Ts)) => Some((*step, Expr::This(*attr))),
        _ => None,
    };
    let (this, (step, other)) = match (bound(a), bound(b)) {
        (Some(other), None) => (&**b, other),
        (None, Some(other)) => (&**a, other),
        _ => return None,
    };
    this.is_stateless().then(|| (step, other, this.clone()))
}

fn reads_own(e: &Expr, step: StepId) -> bool {
    let mut own = false;
    e.walk(&mut |e| {
        own |= match e {
            Expr::Prev(_) => true,
            Expr::Bound(s, ..) => *s == step,
            Expr::Aggregate(a) => a.steps.contains(&step),
            _ => false,
        }
    });
    own
}

fn quantifier(q: Option<&ast::Quantifier>, step: StepId, low: &mut Lowering<'_>) -> Quantifier {
    let Some(q) = q else { return Quantifier { min: 1, max: Some(1), distinct: Vec::new(), consecutive: false } };
    let (min, max) = match q.count {
        Count::AtLeast(n) => (n, None),
        Count::Exactly(n) => (n, Some(n)),
        Count::Range(n, m) => (n, Some(m)),
        Count::OneOrMore => (1, None),
        Count::ZeroOrMore => (0, None),
        Count::Optional => (0, Some(1)),
    };
    let distinct = q.distinct.iter().map(|e| low.expr(e, Place::Element(step))).collect();
    Quantifier { min, max, distinct, consecutive: q.consecutive }
}

pub(super) fn class_label(classes: &[ast::ClassRef]) -> Arc<str> {
    classes.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(" or ").into()
}
