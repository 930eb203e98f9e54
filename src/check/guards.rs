//! The conditions of a rule, each in its scope: steps, guards, absences, `until`, `cancel on`.

use crate::check::Checker;
use crate::check::model::{Model, NodeKind};
use crate::check::scope::{Place, Scope};
use crate::syntax::ast::{Guard, StepGuardKind};

impl<'a> Checker<'a> {
    /// Every condition inside the pattern.
    pub(crate) fn step_expressions(&mut self, model: &Model<'a>) {
        for (index, info) in model.steps.iter().enumerate() {
            let step = info.step;
            let scope = Scope::step(model, index);
            if let Some(condition) = &step.condition {
                self.condition(condition, &scope, "`where`");
            }
            let conditions = self.conditions_of(&step.classes, step.condition.as_ref());
            if step.condition.is_some() {
                self.contradictions(&conditions);
                let keys: Vec<String> =
                    info.components.iter().filter(|c| !c.item.optional).filter_map(|c| c.field.clone()).collect();
                let own: Vec<_> = step.condition.iter().collect();
                let known: Vec<String> = self.required_by_classes(&step.classes).into_iter().chain(keys).collect();
                self.skipping_negations(&own, &known, &scope);
            }
            if let Some(quantifier) = &step.quantifier {
                let mut inner = scope.clone();
                inner.place = Place::Distinct;
                for field in &quantifier.distinct {
                    self.infer(field, &inner);
                }
            }
            for guard in &step.guards {
                let current = guard.kind != StepGuardKind::Without;
                for event in &guard.events {
                    self.guard(event, &Scope::guard(model, index, current));
                }
            }
            if let Some(until) = &step.until {
                self.guard(until, &Scope::guard(model, index, false));
            }
        }
        for (at, node) in model.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Absence(absence) => {
                    self.absent_conditions(absence, &Scope::before(Place::Guard, model, at));
                }
                NodeKind::All(all, _) => {
                    for event in &all.without {
                        self.guard(event, &Scope::before(Place::Guard, model, at + 1));
                    }
                }
                _ => {}
            }
        }
    }

    /// The condition of one guarded-against event.
    pub(crate) fn guard(&mut self, guard: &'a Guard, scope: &Scope<'_, 'a>) {
        let Some(condition) = &guard.condition else { return };
        let mut scope = scope.clone();
        scope.classes = &guard.classes;
        self.condition(condition, &scope, "`where`");
        let conditions = self.conditions_of(&guard.classes, Some(condition));
        self.contradictions(&conditions);
        let known = self.required_by_classes(&guard.classes);
        self.skipping_negations(&[condition], &known, &scope);
    }
}
