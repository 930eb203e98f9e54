//! Running statistics of a rule: calls to entries of [`super::Rule::stats`].
//!
//! A statistic with a `by` of its own has a key beside that of the rule. Where it names all of the rule's components
//! its events lie in one key of the rule, whose state holds them apart; else they lie in several, and the rule has one
//! state for all of them.

use super::expr::{Attr, Expr, Which};
use super::key::KeyPart;
use super::lower_expr::{Lowering, Place, fold_constant};
use super::ruleset::{KeyComponent, Stat, StatWindow};
use crate::base::function::Statistic;
use crate::base::id::StatId;
use crate::base::{Duration, Value};
use crate::syntax::ast;
use crate::syntax::ast::ExprKind;
use crate::syntax::statistic::{Past, form};

impl Lowering<'_> {
    /// The statistic that a call is, if it is one.
    pub(super) fn statistic(&mut self, call: &ast::Call, place: Place) -> Option<Expr> {
        Statistic::by_name(&call.name.name)?;
        let durations: Vec<Option<Duration>> = call.args.iter().map(|arg| self.constant_duration(arg)).collect();
        let duration = |e: &ast::Expr| {
            let at = call.args.iter().position(|arg| std::ptr::eq(arg, e))?;
            durations[at]
        };
        let form = form(call, |e| duration(e).is_some())?;
        let span = call.name.span;
        let value = form.value?;
        let (step, bound) = match place {
            Place::Step(step) => (step, false),
            Place::Match => (self.step_in(value)?, true),
            _ => return Some(self.problem(span, "a statistic belongs in a step's condition or in an alert")),
        };
        let mut weight = 0.0;
        let window = match form.past {
            Past::Time(d) => StatWindow::Time(duration(d)?),
            Past::Events(n) => StatWindow::Events(n),
            Past::Ever => StatWindow::Ever,
            Past::Weighted(given) => {
                weight = given.and_then(|e| self.constant(e)).and_then(|v| v.as_ref().as_f64()).unwrap_or(1.0);
                StatWindow::Ever
            }
            Past::Back(n) => StatWindow::Events(n.and_then(|e| self.constant_count(e)).unwrap_or(1)),
        };
        let least = form.least.and_then(|e| self.constant_count(e)).unwrap_or(0);
        let element = Place::Element(step);
        let value = self.expr(value, element);
        let filter = call.condition.as_ref().map(|condition| self.expr(condition, element));
        let key = call
            .by
            .iter()
            .map(|item| KeyPart { value: self.expr(&item.value, element), optional: item.optional })
            .collect();
        let stat = Stat { kind: form.kind, value, window, weight, least, filter, key, step, role: 0 };
        let name = |stat: &Stat| format!("{stat:?}");
        let id = match self.scope.stats.iter().position(|s| name(s) == name(&stat)) {
            Some(at) => StatId::from(at),
            None => {
                self.scope.stats.push(stat);
                StatId::from(self.scope.stats.len() - 1)
            }
        };
        Some(if bound { Expr::Bound(step, Which::Last, Attr::Stat(id)) } else { Expr::This(Attr::Stat(id)) })
    }

    fn constant(&mut self, e: &ast::Expr) -> Option<Value> {
        match self.expr(e, Place::Event) {
            Expr::Const(value) => Some(value),
            other => fold_constant(&other),
        }
    }

    fn constant_count(&mut self, e: &ast::Expr) -> Option<u64> {
        match self.constant(e)? {
            Value::Int(n) => u64::try_from(n).ok(),
            Value::UInt(n) => Some(n),
            _ => None,
        }
    }

    fn constant_duration(&mut self, e: &ast::Expr) -> Option<Duration> {
        let before = self.problems.len();
        // A path is a field, never a window; only look at what can fold.
        if matches!(e.kind, ExprKind::Path(_))
            && !matches!(&e.kind, ExprKind::Path(p) if self.declarations.lets.contains_key(&p.parts[0].name))
        {
            return None;
        }
        let lowered = self.expr(e, Place::Event);
        self.problems.truncate(before);
        match lowered {
            Expr::Const(Value::Duration(d)) => Some(d),
            _ => None,
        }
    }
}

impl Stat {
    /// Whether events of one key of the statistic always lie in one key of the step.
    pub(super) fn is_within(&self, components: &[KeyComponent]) -> bool {
        let text = |e: &Expr| format!("{e:?}");
        self.key.is_empty()
            || components.iter().all(|c| self.key.iter().any(|part| text(&part.value) == text(&c.value)))
    }
}
