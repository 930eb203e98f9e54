//! Clocks and expected keys.

use super::fields::Fields;
use super::lower_expr::{Declarations, Lowering};
use super::lower_rule::RuleBuilder;
use super::ruleset::{Clock, Element, Expect, TickTimes};
use crate::base::Limits;
use crate::base::calendar::{Ticks, TimeOfDay, Zone, weekday};
use crate::syntax::ast::{ClauseKind, ClockTicks, ClockTime, ExpectKeys, ExprKind};

/// The clocks of a rule set. What `check` refuses ticks never.
pub(super) fn clocks(declarations: &Declarations, limits: &Limits) -> Vec<Clock> {
    let mut fields = Fields::default();
    let mut low = Lowering::new(&mut fields, declarations, limits);
    let zone = |at: &ClockTime| at.zone.as_ref().and_then(|z| Zone::by_name(&z.value)).unwrap_or(Zone::UTC);
    let time = |text: &str| TimeOfDay::parse(text.trim());
    let mut ticks = |ticks: &ClockTicks| match ticks {
        ClockTicks::Every(period) => Some(TickTimes::Every(low.duration(period))),
        ClockTicks::Daily(at) => Some(TickTimes::Local(Ticks::daily(time(&at.time.value)?, zone(at)))),
        ClockTicks::Weekdays(at) => Some(TickTimes::Local(Ticks::weekdays(time(&at.time.value)?, zone(at)))),
        ClockTicks::Weekly(at) => {
            let (day, of_day) = at.time.value.split_once(' ')?;
            Some(TickTimes::Local(Ticks::weekly(weekday(day)?, time(of_day)?, zone(at))))
        }
    };
    let never = TickTimes::Every(crate::base::Duration::ZERO);
    let clock = |d: &crate::syntax::ast::ClockDecl| Clock {
        name: d.name.name.as_str().into(),
        ticks: ticks(&d.ticks).unwrap_or_else(|| never.clone()),
    };
    declarations.clocks.iter().map(clock).collect()
}

impl RuleBuilder<'_, '_> {
    /// What the rule watches for without having seen it.
    pub(super) fn expect(&mut self, elements: &[Element], low: &mut Lowering<'_>) -> Option<Box<Expect>> {
        let expect = self.decl.clauses.iter().find_map(|c| match &c.kind {
            ClauseKind::Expect(expect) => Some(expect),
            _ => None,
        })?;
        let first = elements.first().and_then(|e| e.steps().first().copied());
        let is_clock = |name: &str| self.set.declarations.clocks.iter().any(|d| d.name.name == name);
        let ticks = first.is_some_and(|s| self.step_asts[s.index()].classes.iter().any(|c| is_clock(&c.name)));
        if let Some(step) = first.filter(|s| self.steps[s.index()].arrival.is_some()) {
            let span = self.step_asts[step.index()].span;
            low.problems.push((span, "with `expect` the first step cannot read statistics".to_owned()));
        }
        let (mut table, mut fields) = (None, Vec::new());
        if let ExpectKeys::From { keys, table: name } = expect {
            table = self.set.declarations.table_ids.get(&name.name).copied();
            for item in keys {
                if let ExprKind::Path(path) = &item.value.kind {
                    fields.push(low.fields.intern(path.parts.iter().map(|p| p.name.clone()).collect()));
                }
            }
        }
        Some(Box::new(Expect { table, fields, begins: first.filter(|_| !ticks) }))
    }
}
