//! Every expression of a rule, and every part of an expression; what single clauses say.

use crate::check::walk::expressions;
use crate::syntax::ast::{
    Absence, AbsentGroup, AlertValue, ClauseKind, Element, Expr, ExprKind, Guard, RuleDecl, Sequence, Step,
    StepGuardKind, TemplatePart,
};

/// Calls `seen` with every expression that stands in a rule.
pub fn exprs_of<'a>(rule: &'a RuleDecl, seen: &mut dyn FnMut(&'a Expr)) {
    for clause in &rule.clauses {
        match &clause.kind {
            ClauseKind::Match(found) => {
                sequence(&found.body, seen);
                found.within.iter().for_each(&mut *seen);
            }
            ClauseKind::Having { condition, lasting } => {
                seen(condition);
                lasting.iter().for_each(&mut *seen);
            }
            ClauseKind::Severity(expr)
            | ClauseKind::Risk(expr)
            | ClauseKind::ResolveWhen(expr)
            | ClauseKind::Repeat(expr) => seen(expr),
            ClauseKind::By(items) => items.iter().for_each(|item| seen(&item.value)),
            ClauseKind::CancelOn(list) | ClauseKind::ResolveOn(list) => guards(list, seen),
            ClauseKind::Alert(fields) => {
                for field in fields {
                    match &field.value {
                        AlertValue::Expr(expr) => seen(expr),
                        AlertValue::Template(parts, _) => parts.iter().for_each(|part| {
                            if let TemplatePart::Expr(expr) = part {
                                seen(expr);
                            }
                        }),
                    }
                }
            }
            ClauseKind::Suppress { by, .. } => by.iter().for_each(&mut *seen),
            _ => {}
        }
    }
}

fn sequence<'a>(sequence: &'a Sequence, seen: &mut dyn FnMut(&'a Expr)) {
    for (then, _) in &sequence.rest {
        then.after.iter().chain(&then.within).for_each(&mut *seen);
    }
    for item in sequence.elements() {
        element(item, seen);
    }
}

fn element<'a>(element: &'a Element, seen: &mut dyn FnMut(&'a Expr)) {
    match element {
        Element::Step(found) => step(found, seen),
        Element::Absence(absence) => {
            guards(&absence.events, seen);
            for then in absence.group.iter().flat_map(|group| &group.joints) {
                then.after.iter().chain(&then.within).for_each(&mut *seen);
            }
            absence.within.iter().for_each(&mut *seen);
        }
        Element::All(all) => {
            all.members.iter().for_each(|member| step(member, seen));
            guards(&all.without, seen);
        }
        Element::Any(any) => any.members.iter().for_each(|member| step(member, seen)),
        Element::Choice(choice) => choice.members.iter().for_each(|member| sequence(member, seen)),
        Element::Group(group) => {
            sequence(&group.body, seen);
            group.within.iter().for_each(&mut *seen);
        }
    }
}

fn step<'a>(step: &'a Step, seen: &mut dyn FnMut(&'a Expr)) {
    step.condition.iter().for_each(&mut *seen);
    step.quantifier.iter().flat_map(|quantifier| &quantifier.distinct).for_each(&mut *seen);
    step.by.iter().for_each(|item| seen(&item.value));
    for guard in &step.guards {
        guards(&guard.events, seen);
        guard.last.iter().for_each(&mut *seen);
    }
    guards(step.until.as_slice(), seen);
}

fn guards<'a>(list: &'a [Guard], seen: &mut dyn FnMut(&'a Expr)) {
    for guard in list {
        guard.condition.iter().for_each(&mut *seen);
        guard.by.iter().for_each(|item| seen(&item.value));
    }
}

/// Calls `seen` with every step of a rule.
pub fn steps_of<'a>(rule: &'a RuleDecl, seen: &mut dyn FnMut(&'a Step)) {
    fn inside<'a>(sequence: &'a Sequence, seen: &mut dyn FnMut(&'a Step)) {
        for element in sequence.elements() {
            match element {
                Element::Step(step) => seen(step),
                Element::All(all) => all.members.iter().for_each(&mut *seen),
                Element::Any(any) => any.members.iter().for_each(&mut *seen),
                Element::Choice(choice) => choice.members.iter().for_each(|member| inside(member, seen)),
                Element::Group(group) => inside(&group.body, seen),
                Element::Absence(_) => {}
            }
        }
    }
    for clause in &rule.clauses {
        if let ClauseKind::Match(found) = &clause.kind {
            inside(&found.body, seen);
        }
    }
}

/// Calls `seen` with every guard whose events must not come: absences, `without`, `unless`, `cancel on`.
pub fn guards_of<'a>(rule: &'a RuleDecl, seen: &mut dyn FnMut(&'a Guard)) {
    fn inside<'a>(sequence: &'a Sequence, seen: &mut dyn FnMut(&'a Guard)) {
        for element in sequence.elements() {
            match element {
                Element::Absence(absence) => absence.events.iter().for_each(&mut *seen),
                Element::All(all) => all.without.iter().for_each(&mut *seen),
                Element::Choice(choice) => choice.members.iter().for_each(|member| inside(member, seen)),
                Element::Group(group) => inside(&group.body, seen),
                Element::Step(_) | Element::Any(_) => {}
            }
        }
    }
    for clause in &rule.clauses {
        match &clause.kind {
            ClauseKind::Match(found) => inside(&found.body, seen),
            ClauseKind::CancelOn(list) => list.iter().for_each(&mut *seen),
            _ => {}
        }
    }
    steps_of(rule, &mut |step| {
        let against = step.guards.iter().filter(|guard| guard.kind != StepGuardKind::If);
        against.flat_map(|guard| &guard.events).for_each(&mut *seen);
    });
}

/// Calls `seen` with every absence of a group.
pub fn absent_groups_of<'a>(rule: &'a RuleDecl, seen: &mut dyn FnMut(&'a Absence, &'a AbsentGroup)) {
    fn inside<'a>(sequence: &'a Sequence, seen: &mut dyn FnMut(&'a Absence, &'a AbsentGroup)) {
        for element in sequence.elements() {
            match element {
                Element::Absence(absence) => absence.group.iter().for_each(|group| seen(absence, group)),
                Element::Choice(choice) => choice.members.iter().for_each(|member| inside(member, seen)),
                Element::Group(group) => inside(&group.body, seen),
                Element::Step(_) | Element::Any(_) | Element::All(_) => {}
            }
        }
    }
    for clause in &rule.clauses {
        if let ClauseKind::Match(found) = &clause.kind {
            inside(&found.body, seen);
        }
    }
}

/// Calls `seen` with an expression and all its parts.
pub fn parts_of<'a>(expr: &'a Expr, seen: &mut dyn FnMut(&'a Expr)) {
    expressions(expr, &mut |part| {
        seen(part);
        true
    });
}

/// Whether a rule watches for keys that were not seen.
pub fn expects(rule: &RuleDecl) -> bool {
    rule.clauses.iter().any(|clause| matches!(clause.kind, ClauseKind::Expect(_)))
}

/// Conditions of what `having` counts.
pub fn counted_in_having(rule: &RuleDecl) -> Vec<&Expr> {
    let mut found = Vec::new();
    for clause in &rule.clauses {
        if let ClauseKind::Having { condition, .. } = &clause.kind {
            parts_of(condition, &mut |part| {
                if let ExprKind::Call(call) = &part.kind {
                    found.extend(call.condition.as_deref());
                }
            });
        }
    }
    found
}

/// The field that a value of an alert is taken from.
pub fn alert_field(rule: &RuleDecl, value: &str) -> Option<Vec<String>> {
    let fields = rule.clauses.iter().find_map(|clause| match &clause.kind {
        ClauseKind::Alert(fields) => Some(fields),
        _ => None,
    })?;
    let field = fields.iter().find(|field| field.name.name == value)?;
    match &field.value {
        AlertValue::Expr(Expr { kind: ExprKind::Path(path), .. }) => {
            Some(path.parts.iter().skip(1).map(|part| part.name.clone()).collect())
        }
        AlertValue::Expr(Expr { kind: ExprKind::Member(_, parts), .. }) => {
            Some(parts.iter().map(|part| part.name.clone()).collect())
        }
        _ => None,
    }
}
