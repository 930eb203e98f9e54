//! Correlations of an order, or of rules that all must be met: sequences, windows that see each, and what is denied.

use std::collections::BTreeSet;

use super::correlate::{Place, Resolved};
use super::correlate_condition::{self as condition, Decided};
use super::correlate_lower::{Lowering, Parts, aggregate, first_parts, path};
use super::model::CorrelationCondition;
use super::tree::{binary, chain, expr, ident};
use crate::syntax::ast::{
    Absence, All, BinaryOp, Count, Element, Expr, ExprKind, Guard, Ident, KeyItem, Step, StepGuard, StepGuardKind, Then,
};
use crate::syntax::source::Span;

impl Lowering<'_, '_> {
    pub(super) fn temporal(&mut self, resolved: &Resolved) -> Option<Parts> {
        if let Some(logic) = &resolved.logic
            && condition::denies(logic)
        {
            return self.denying(logic);
        }
        let mut places: Vec<Place> = self.targets.iter().map(|target| target.place).collect();
        places.sort_unstable();
        places.dedup();
        let mut wanted = places.len() as u64;
        if matches!(self.rule.condition, Some(CorrelationCondition::Bounds { .. })) {
            let (bounds, fields, _, span) = self.bounds()?;
            self.no_field(&fields)?;
            wanted = condition::least(&bounds);
            if condition::decided(&bounds) == Decided::AtTheEnd || wanted > places.len() as u64 {
                let help = "write `gte` with a number of rules, or `rule_a and not rule_b`";
                self.error(span, "this is no number of different rules that can be waited for", help);
                return None;
            }
        }
        let by = self.key()?;
        if places.len() == 1 || wanted <= 1 && resolved.logic.is_none() {
            return Some((by, self.sliding(self.quantifier(Count::AtLeast(1), Vec::new()), None)));
        }
        let hits: Vec<Expr> = (0..self.targets.len())
            .map(|at| {
                let span = self.targets[at].label.span;
                let mut call = aggregate("count", false, path(&[], span), None, span);
                if let ExprKind::Call(call) = &mut call.kind {
                    call.condition = Some(Box::new(self.is_of(at)));
                }
                binary(BinaryOp::Ge, call, expr(ExprKind::Int(1), span), span)
            })
            .collect();
        let condition = match &resolved.logic {
            Some(logic) => condition::lowered(logic, &|at| hits[at].clone())?,
            None => {
                let mut seen = BTreeSet::new();
                let fresh = self.targets.iter().zip(hits).filter(|(target, _)| seen.insert(target.place));
                let fresh: Vec<Expr> = fresh.map(|(_, hit)| hit).collect();
                if wanted == places.len() as u64 {
                    chain(BinaryOp::And, fresh)?
                } else {
                    super::tree::at_least(usize::try_from(wanted).unwrap_or(usize::MAX), fresh, self.span)?
                }
            }
        };
        Some((by, self.sliding(self.quantifier(Count::OneOrMore, Vec::new()), Some(condition))))
    }

    /// `a and b and not c`: a and b in any order, and no c within the timespan before, between and after them.
    fn denying(&mut self, logic: &super::pipeline::model::Logic) -> Option<Parts> {
        let Some((wanted, denied)) = condition::conjunction(logic) else {
            let help = "write one correlation for each alternative";
            self.error(self.span, "`or` beside `not` is not decided at one time", help);
            return None;
        };
        if wanted.is_empty() {
            let help = "add a rule that must come: `rule_a and not rule_b`";
            self.error(self.span, "nothing begins the timespan: every rule of the condition is denied", help);
            return None;
        }
        let (keys, same_keys) = self.keys()?;
        let guard = |lowering: &Self, at: usize| Guard {
            classes: vec![lowering.class(&lowering.targets[at])],
            condition: None,
            by: if same_keys { Vec::new() } else { keys[at].clone() },
            span: lowering.targets[at].label.span,
        };
        let guards: Vec<Guard> = denied.iter().map(|at| guard(self, *at)).collect();
        let names = self.step_names(&wanted, &keys);
        let mut members: Vec<Step> = Vec::new();
        for (at, name) in wanted.iter().zip(names) {
            let mut step = self.step(Some(name), vec![self.class(&self.targets[*at])]);
            step.span = self.targets[*at].label.span;
            if !same_keys {
                step.by.clone_from(&keys[*at]);
            }
            step.guards.push(StepGuard {
                kind: StepGuardKind::Unless,
                name: None,
                events: guards.clone(),
                last: Some(self.timespan()),
                span: self.span,
            });
            members.push(step);
        }
        let several = members.len() > 1;
        let first = match members.pop() {
            Some(only) if !several => Element::Step(only),
            last => {
                members.extend(last);
                Element::All(All { members, without: guards.clone(), span: self.span })
            }
        };
        let absence = Absence {
            fewer: None,
            events: guards,
            within: Some(self.timespan()),
            until: None,
            group: None,
            span: self.span,
        };
        let body = self.sequence(first, vec![(then(self.span), Element::Absence(absence))]);
        let within = several.then(|| self.timespan());
        let by = if same_keys { keys[wanted[0]].clone() } else { Vec::new() };
        Some((by, vec![self.matching(body, within)]))
    }

    pub(super) fn ordered(&mut self) -> Option<Parts> {
        match &self.rule.condition {
            None => {}
            Some(CorrelationCondition::Expression(text)) => {
                let help = "list the rules in `rules`, and use `temporal` for conditions over them";
                self.error(text.span, "`temporal_ordered` takes its rules in the order of `rules`", help);
                return None;
            }
            Some(_) => {
                let (bounds, fields, _, span) = self.bounds()?;
                self.no_field(&fields)?;
                let all = self.targets.len() as u64;
                if condition::decided(&bounds) == Decided::AtTheEnd || condition::least(&bounds) != all {
                    let help = "delete the condition: every rule must come";
                    self.error(span, "`temporal_ordered` is about every one of its rules", help);
                    return None;
                }
            }
        }
        let (keys, same_keys) = self.keys()?;
        let order: Vec<usize> = (0..self.targets.len()).collect();
        let names = self.step_names(&order, &keys);
        let mut elements = Vec::new();
        for (at, name) in order.iter().zip(names) {
            let mut step = self.step(Some(name), vec![self.class(&self.targets[*at])]);
            step.span = self.targets[*at].label.span;
            if !same_keys {
                step.by.clone_from(&keys[*at]);
            }
            elements.push(Element::Step(step));
        }
        let mut elements = elements.into_iter();
        let first = elements.next()?;
        let rest = elements.map(|element| (then(element.span()), element)).collect();
        let by = if same_keys { keys.into_iter().next().unwrap_or_default() } else { Vec::new() };
        let body = self.sequence(first, rest);
        Some((by, vec![self.matching(body, Some(self.timespan()))]))
    }

    /// Names of steps: those of the rules, each once, and none that a field of the key begins with.
    fn step_names(&self, of: &[usize], keys: &[Vec<KeyItem>]) -> Vec<Ident> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for item in keys.iter().flatten() {
            first_parts(&item.value, &mut taken);
            taken.extend(item.name.iter().map(|name| name.name.clone()));
        }
        let mut names = Vec::new();
        for at in of {
            let target = &self.targets[*at];
            let mut name = target.name.name.clone();
            let mut count = 1;
            while !taken.insert(name.clone()) {
                count += 1;
                name = format!("{}_{count}", target.name.name);
            }
            names.push(ident(name, target.label.span));
        }
        names
    }
}

fn then(span: Span) -> Then {
    Then { directly: false, next: false, after: None, within: None, span }
}
