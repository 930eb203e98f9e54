//! What a sliding count asks for beside its number, and which parts of its `having` can be kept up to date as events
//! come and go instead of being computed anew from the whole window.
//!
//! An aggregate whose argument and filter read one event alone, and no table (tables may be read anew), gives the same
//! for that event at every look. It becomes a *tally*; `having` reads it like a statistic.

use super::expr::{AggregateExpr, Attr, Expr, Which};
use super::ruleset::Rule;
use crate::base::Duration;
use crate::base::function::Aggregate;
use crate::base::id::StatId;

/// A sliding count's window and condition.
#[derive(Clone, Debug, Default)]
pub struct Sliding {
    /// The window holds so many of the newest events of the step's class and key, before its `where`.
    pub events: Option<u64>,
    /// The condition must have been true at every look for so long.
    pub lasting: Option<Duration>,
    /// Aggregates that are kept as events come and go.
    pub tallies: Vec<AggregateExpr>,
    /// The parts of `having` that read tallies, and of the events the first and the last alone.
    pub quick: Option<Expr>,
    /// The other parts: over all events of the window.
    pub slow: Option<Expr>,
}

impl Sliding {
    /// For a rule whose pattern is one repeated step.
    pub fn of(rule: &Rule, events: Option<u64>, lasting: Option<Duration>) -> Self {
        let mut sliding = Self { events, lasting, ..Self::default() };
        let (mut quick, mut slow) = (Vec::new(), Vec::new());
        for part in rule.having.iter().cloned().flat_map(Expr::conjuncts) {
            let known = sliding.tallies.len();
            match sliding.tallied(&part) {
                Some(part) => quick.push(part),
                None => {
                    sliding.tallies.truncate(known);
                    slow.push(part);
                }
            }
        }
        sliding.quick = Expr::all(quick);
        sliding.slow = Expr::all(slow);
        sliding
    }

    /// Whether a key holds more than the events of its window.
    pub fn keeps_more(&self) -> bool {
        self.events.is_some() || self.lasting.is_some() || !self.tallies.is_empty()
    }

    /// The expression with its aggregates replaced by tallies; `None` if something in it needs the whole window.
    fn tallied(&mut self, e: &Expr) -> Option<Expr> {
        let mut all = |xs: &[Expr]| xs.iter().map(|x| self.tallied(x)).collect::<Option<Vec<_>>>();
        Some(match e {
            Expr::Const(_) | Expr::Key(_) | Expr::Bound(_, Which::First | Which::Last, _) => e.clone(),
            Expr::Aggregate(aggregate) => Expr::This(Attr::Stat(self.tally(aggregate)?)),
            Expr::And(xs) => Expr::And(all(xs)?),
            Expr::Or(xs) => Expr::Or(all(xs)?),
            Expr::List(xs) => Expr::List(all(xs)?),
            Expr::Call(function, xs) => Expr::Call(*function, all(xs)?),
            Expr::Not(x) => Expr::Not(Box::new(self.tallied(x)?)),
            Expr::Neg(x) => Expr::Neg(Box::new(self.tallied(x)?)),
            Expr::InSet(x, set) => Expr::InSet(Box::new(self.tallied(x)?), set.clone()),
            Expr::Compare(op, a, b) => Expr::Compare(*op, Box::new(self.tallied(a)?), Box::new(self.tallied(b)?)),
            Expr::Arith(op, a, b) => Expr::Arith(*op, Box::new(self.tallied(a)?), Box::new(self.tallied(b)?)),
            Expr::Default(a, b) => Expr::Default(Box::new(self.tallied(a)?), Box::new(self.tallied(b)?)),
            _ => return None,
        })
    }

    fn tally(&mut self, aggregate: &AggregateExpr) -> Option<StatId> {
        let kept = match aggregate.kind {
            Aggregate::Count => true,
            Aggregate::Sum | Aggregate::Avg | Aggregate::Min | Aggregate::Max | Aggregate::Stddev => {
                !aggregate.distinct && aggregate.args.len() == 1
            }
            _ => false,
        };
        if !kept || !aggregate.args.iter().chain(&aggregate.filter).all(reads_event_alone) {
            return None;
        }
        let text = format!("{aggregate:?}");
        let at = self.tallies.iter().position(|known| format!("{known:?}") == text).unwrap_or_else(|| {
            self.tallies.push(aggregate.clone());
            self.tallies.len() - 1
        });
        Some(StatId::from(at))
    }
}

/// Whether an expression gives the same for an event whenever it is asked.
fn reads_event_alone(e: &Expr) -> bool {
    let mut alone = e.is_unary();
    e.walk(&mut |e| alone &= !matches!(e, Expr::InTable(..) | Expr::Lookup(_)));
    alone
}
