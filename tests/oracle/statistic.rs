//! Running statistics from their definition: over the earlier events of the step's class and key, all looked at anew.

use super::eval::{At, World, aggregate, number};
use super::event::{Ms, Val};
use super::expr::{Agg, Expr};

/// `mean(v, 5s, 2 where w > 1 by j)`
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub stat: Stat,
    pub field: String,
    pub window: Window,
    pub least: Option<usize>,
    pub cond: Option<Expr>,
    /// Fields; the step's key if none.
    pub by: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stat {
    Count,
    Sum,
    Min,
    Max,
    Last,
    Mean,
    Stddev,
    Zscore,
    Rate,
    Ewma,
    Prior,
}

impl Stat {
    pub const NAMES: [(Stat, &'static str); 11] = [
        (Stat::Count, "count"),
        (Stat::Sum, "sum"),
        (Stat::Min, "min"),
        (Stat::Max, "max"),
        (Stat::Last, "last"),
        (Stat::Mean, "mean"),
        (Stat::Stddev, "stddev"),
        (Stat::Zscore, "zscore"),
        (Stat::Rate, "rate"),
        (Stat::Ewma, "ewma"),
        (Stat::Prior, "prior"),
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(stat, _)| *stat == self).expect("all are named").1
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Window {
    Time(Ms),
    Events(usize),
    Ever,
    /// Of the newest value, in hundredths: `ewma`.
    Weight(u32),
    /// The n-th previous: `prior`.
    Back(usize),
}

impl Call {
    pub fn new(stat: Stat, field: String, window: Window) -> Self {
        Self { stat, field, window, least: None, cond: None, by: vec![] }
    }
}

impl World<'_> {
    pub(super) fn statistic(&self, call: &Call, at: At<'_>) -> Val {
        let (Some(current), Some(step)) = (at.event, at.step) else { panic!("a statistic outside a step") };
        let comps = self.rule.comps(step);
        let key = |i: usize| -> Option<Vec<String>> {
            if call.by.is_empty() {
                return self.key(&comps, i, &vec![]).map(|env| env.into_iter().map(|(_, value)| value).collect());
            }
            let values = call.by.iter().map(|f| match self.events[i].field(f) {
                Val::Missing => None,
                value => Some(format!("{value:?}")),
            });
            values.collect()
        };
        let mine = key(current);
        let none = vec![];
        let counts = |i: usize| {
            let event = At { event: Some(i), binds: &none, prev: None, step: None };
            call.cond.as_ref().is_none_or(|cond| self.truth(cond, event) == Some(true))
        };
        let mut past: Vec<usize> = (0..current)
            .filter(|&i| self.is_class(i, &step.classes) && mine.is_some() && key(i) == mine && counts(i))
            .collect();
        let value = |i: usize| self.events[i].field(&call.field);
        match call.window {
            Window::Time(d) => past.retain(|&i| self.events[i].ts >= self.events[current].ts - d),
            Window::Events(n) => drop(past.drain(..past.len().saturating_sub(n))),
            Window::Ever | Window::Weight(_) => {}
            Window::Back(n) => return past.iter().rev().nth(n - 1).map_or(Val::Missing, |&i| value(i)),
        }
        let xs: Vec<f64> = past.iter().filter_map(|&i| number(&value(i))).collect();
        let present = past.iter().filter(|&&i| value(i) != Val::Missing).count();
        if call.least.is_some_and(|least| present < least) {
            return Val::Missing;
        }
        match call.stat {
            Stat::Count => Val::Num(present as f64),
            Stat::Sum => aggregate(Agg::Sum, xs),
            Stat::Min => aggregate(Agg::Min, xs),
            Stat::Max => aggregate(Agg::Max, xs),
            Stat::Mean => aggregate(Agg::Avg, xs),
            Stat::Stddev => aggregate(Agg::Stddev, xs),
            Stat::Last => xs.last().map_or(Val::Missing, |x| Val::Num(*x)),
            Stat::Zscore => {
                let mean = aggregate(Agg::Avg, xs.clone());
                match (number(&value(current)), mean, aggregate(Agg::Stddev, xs)) {
                    (Some(x), Val::Num(mean), Val::Num(sd)) if sd > 0.0 => Val::Num((x - mean) / sd),
                    _ => Val::Missing,
                }
            }
            Stat::Rate => match call.window {
                Window::Time(d) => Val::Num(present as f64 / (d as f64 / 1000.0)),
                _ => panic!("a rate over no time"),
            },
            Stat::Ewma => {
                let Window::Weight(hundredths) = call.window else { panic!("no weight") };
                let a = f64::from(hundredths) / 100.0;
                xs.into_iter().reduce(|s, x| a * x + (1.0 - a) * s).map_or(Val::Missing, Val::Num)
            }
            Stat::Prior => panic!("`prior` goes back"),
        }
    }
}
