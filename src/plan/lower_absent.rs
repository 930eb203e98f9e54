//! Absences of groups, `no { a: X then b: Y } within d`: the steps inside are guards in an order.
//!
//! Their names have places behind the steps of the pattern, as those of look-backs have, and mean something only while
//! the group is searched for.

use super::expr::Expr;
use super::lower_expr::Lowering;
use super::lower_pattern::link;
use super::lower_rule::RuleBuilder;
use super::ruleset::{AbsentGroup, AbsentStep, Link};
use crate::base::StepId;
use crate::base::id::GuardId;
use crate::syntax::ast;

impl RuleBuilder<'_, '_> {
    /// Gives the names inside absences their places.
    pub(super) fn declare_absent(&mut self, seq: &ast::Sequence, low: &mut Lowering<'_>) {
        for element in seq.elements() {
            match element {
                ast::Element::Absence(absence) => {
                    for name in absence.group.iter().flat_map(|group| &group.names).flatten() {
                        let id = StepId::from(self.step_asts.len() + self.found.len());
                        low.scope.steps.insert(name.name.clone(), id);
                        self.found.push(name.name.as_str().into());
                    }
                }
                ast::Element::Group(group) => self.declare_absent(&group.body, low),
                ast::Element::Choice(choice) => choice.members.iter().for_each(|m| self.declare_absent(m, low)),
                ast::Element::Step(_) | ast::Element::All(_) | ast::Element::Any(_) => {}
            }
        }
    }

    /// A group whose steps have been lowered as guards of the step before it.
    pub(super) fn absent_group(
        &mut self,
        absence: &ast::Absence,
        group: &ast::AbsentGroup,
        guards: Vec<GuardId>,
        previous: Option<StepId>,
        low: &mut Lowering<'_>,
    ) -> AbsentGroup {
        let name = |name: &Option<ast::Ident>| low.scope.steps.get(&name.as_ref()?.name).copied();
        let names: Vec<Option<StepId>> = group.names.iter().map(name).collect();
        let mut steps = Vec::new();
        for (at, guard) in guards.into_iter().enumerate() {
            let joint = at.checked_sub(1).and_then(|before| group.joints.get(before));
            let link = joint.map_or_else(Link::default, |then| link(then, low));
            let mut reads_inside = false;
            for condition in self.guards[guard.index()].cross.iter().chain(link.computed.as_deref()) {
                condition.walk(&mut |e| {
                    reads_inside |= match e {
                        Expr::Bound(step, ..) => names.contains(&Some(*step)),
                        Expr::Aggregate(a) => a.steps.iter().any(|step| names.contains(&Some(*step))),
                        _ => false,
                    }
                });
            }
            let name = names.get(at).copied().flatten();
            self.absent.extend(name.zip(previous));
            steps.push(AbsentStep { guard, name, link, reads_inside });
        }
        let mut between = Vec::new();
        if steps.iter().any(|step| step.link.directly) {
            for event in &absence.events {
                let any = ast::Guard { condition: None, ..event.clone() };
                between.push(self.guard(&any, previous, None, low));
            }
        }
        AbsentGroup { steps, between }
    }
}
