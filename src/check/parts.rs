//! How many steps, guards and statistics a rule has: each takes room in the state of every key.

use std::collections::BTreeSet;

use crate::check::model::{Model, NodeKind};
use crate::check::{Checker, walk};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{AlertValue, ClauseKind, Expr, ExprKind, TemplatePart};

/// Steps, guards and statistics of one rule together, at most.
const MAX_PARTS: usize = 64;

impl<'a> Checker<'a> {
    pub(super) fn sizes(&mut self, model: &Model<'a>) {
        if model.steps.len() > self.limits.max_steps {
            let over = model.steps[self.limits.max_steps].step.span;
            self.out.push(
                Diagnostic::error(
                    codes::TOO_MANY_STEPS,
                    format!("this rule has {} steps", model.steps.len()),
                    over,
                    format!("the limit is {} steps", self.limits.max_steps),
                )
                .help("count repeated events with `at least N of`, or build a second rule on the alerts of a first"),
            );
        }
    }

    /// The parts of a rule that look at events each have a bit in a word of 64.
    pub(crate) fn parts(&mut self, model: &Model<'a>) {
        let mut statistics: BTreeSet<(usize, String)> = BTreeSet::new();
        let mut guards = 0;
        let mut contiguous = false;
        for (index, info) in model.steps.iter().enumerate() {
            guards += info.step.guards.iter().map(|g| g.events.len()).sum::<usize>();
            guards += usize::from(info.step.until.is_some());
            if let Some(condition) = &info.step.condition {
                self.statistics_in(condition, index, &mut statistics);
            }
        }
        for node in &model.nodes {
            contiguous |= node.then.is_some_and(|t| t.directly);
            guards += node.then.map_or(0, |t| usize::from(t.next));
            guards += match &node.kind {
                NodeKind::Absence(absence) => {
                    let direct = absence.group.as_ref().is_some_and(|g| g.joints.iter().any(|j| j.directly));
                    absence.events.len() * if direct { 2 } else { 1 }
                }
                NodeKind::All(all, _) => all.without.len(),
                _ => 0,
            };
        }
        for clause in &model.rule.clauses {
            match &clause.kind {
                ClauseKind::CancelOn(events) => guards += events.len(),
                ClauseKind::Having { condition: e, .. } | ClauseKind::Severity(e) | ClauseKind::Risk(e) => {
                    self.statistics_in(e, usize::MAX, &mut statistics);
                }
                ClauseKind::Alert(fields) => {
                    for field in fields {
                        match &field.value {
                            AlertValue::Expr(e) => self.statistics_in(e, usize::MAX, &mut statistics),
                            AlertValue::Template(parts, _) => {
                                for part in parts {
                                    if let TemplatePart::Expr(e) = part {
                                        self.statistics_in(e, usize::MAX, &mut statistics);
                                    }
                                }
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        let parts = model.steps.len() + guards + statistics.len() + usize::from(contiguous);
        if parts > MAX_PARTS && model.steps.len() <= self.limits.max_steps {
            self.out.push(
                Diagnostic::error(
                    codes::TOO_MANY_STEPS,
                    format!("this rule has {parts} steps, guards and statistics together"),
                    model.rule.name.span,
                    format!("the limit is {MAX_PARTS}"),
                )
                .note(format!(
                    "steps: {}, guarded events: {guards}, statistics: {}",
                    model.steps.len(),
                    statistics.len()
                ))
                .help("build a second rule on the alerts of a first: `alert.rule_name`"),
            );
        }
    }

    /// The running statistics of an expression, `let`s included.
    pub(super) fn statistics_in(&self, expr: &Expr, step: usize, found: &mut BTreeSet<(usize, String)>) {
        let mut lets: Vec<&str> = Vec::new();
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            walk::expressions(expr, &mut |e| {
                match &e.kind {
                    ExprKind::Call(call) if self.statistic_form(call).is_some() => {
                        found.insert((step, self.sources.text(e.span).to_string()));
                    }
                    ExprKind::Path(path) if path.parts.len() == 1 => {
                        let name = path.parts[0].name.as_str();
                        if let Some(decl) = self.names.lets.get(name)
                            && !lets.contains(&name)
                        {
                            lets.push(name);
                            open.push(&decl.value);
                        }
                    }
                    _ => {}
                }
                true
            });
        }
    }
}
