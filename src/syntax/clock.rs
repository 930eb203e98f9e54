//! `clock` declarations, and `expect` of a rule: what time brings without an event.

use pest::iterators::Pair;

use super::ast::{ClockDecl, ClockTicks, ClockTime, ExpectKeys, Ident};
use super::build::Builder;
use super::grammar::Rule;

impl Builder<'_> {
    /// `clock six = daily "06:00" "Europe/Berlin"`
    pub(super) fn clock_decl(&mut self, pair: Pair<'_, Rule>) -> Option<ClockDecl> {
        let span = self.span(&pair);
        let (mut name, mut days, mut every) = (None, String::new(), None);
        let mut texts = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::word | Rule::quoted | Rule::compat_name => name = Some(self.ident(&part)),
                Rule::compat_assign => self.wrong_assign(&part, "clock"),
                Rule::clock_days => part.as_str().clone_into(&mut days),
                Rule::string | Rule::compat_quotes => texts.push(self.text(&part)),
                Rule::expr => {
                    let period = self.expr(part);
                    self.check_bound(&period);
                    every = Some(period);
                }
                _ => {}
            }
        }
        let mut texts = texts.into_iter();
        let mut time = || Some(ClockTime { time: texts.next()?, zone: texts.next() });
        let ticks = match (days.as_str(), every) {
            (_, Some(period)) => ClockTicks::Every(period),
            ("daily", _) => ClockTicks::Daily(time()?),
            ("weekdays", _) => ClockTicks::Weekdays(time()?),
            _ => ClockTicks::Weekly(time()?),
        };
        Some(ClockDecl { name: name?, ticks, span })
    }

    /// `expect device.id from @devices`, `expect start`
    pub(super) fn expect_keys(&mut self, pair: Pair<'_, Rule>) -> Option<ExpectKeys> {
        if pair.clone().into_inner().any(|p| p.as_rule() == Rule::kw_start) {
            return Some(ExpectKeys::Start);
        }
        let table = pair.clone().into_inner().find(|p| p.as_rule() == Rule::table)?;
        let table = self.table_name(table)?;
        Some(ExpectKeys::From { keys: self.key_items(pair), table })
    }

    fn table_name(&mut self, pair: Pair<'_, Rule>) -> Option<Ident> {
        pair.into_inner().next().map(|name| self.ident(&name))
    }
}
