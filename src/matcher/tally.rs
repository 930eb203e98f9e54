//! An aggregate over a sliding window, kept up to date as events come and go.
//!
//! Invariant: [`Tally::value`] is what [`aggregate`] gives over the window's events, to the last bit. Sums are exact, so
//! that numbers can be taken away again. Where that would not be the same (numbers beyond what a sum can hold exactly,
//! values that do not compare, deviations) the values, which are kept, are folded anew.

use std::cmp::Ordering;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::arrived::RuleEnv;
use super::tuples::Tuples;
use crate::base::Value;
use crate::base::budget::block;
use crate::base::function::Aggregate;
use crate::plan::eval::{aggregate, eval, passes};
use crate::plan::event::StoredEvent;
use crate::plan::exact::ExactSum;
use crate::plan::expr::AggregateExpr;
use crate::plan::key::encode_any;

/// One aggregate of one window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// One an event of the window, oldest first.
    entries: VecDeque<Entry>,
    /// Entries that take part.
    count: u64,
    /// Of those that are numbers: how many, and their sum.
    numbers: u64,
    sum: ExactSum,
    /// Number of the oldest entry, counted over the life of the tally.
    oldest: u64,
    /// For least and greatest: entries that will be it when all before them have gone, with their numbers.
    candidates: VecDeque<(u64, Value)>,
    /// For `distinct`: how often each tuple is there.
    tuples: Tuples,
}

/// What an event contributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Entry {
    Nothing,
    Value(Value),
    Tuple(Box<[u8]>),
}

impl Tally {
    /// Adds the newest event of the window.
    pub fn push(&mut self, env: &RuleEnv<'_>, of: &AggregateExpr, event: &StoredEvent) {
        self.take(of.kind, entry(env, of, event));
    }

    fn take(&mut self, kind: Aggregate, entry: Entry) {
        match &entry {
            Entry::Nothing => {}
            Entry::Tuple(tuple) => self.tuples.add(tuple),
            Entry::Value(value) => {
                self.count += 1;
                self.numbers += u64::from(self.sum.add(value));
                if let Some(wanted) = wanted(kind) {
                    let beats = |old: &Value| value.as_ref().compare(old.as_ref()) == Some(wanted);
                    while self.candidates.back().is_some_and(|(_, old)| beats(old)) {
                        self.candidates.pop_back();
                    }
                    self.candidates.push_back((self.oldest + self.entries.len() as u64, value.clone()));
                }
            }
        }
        self.entries.push_back(entry);
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        let entry = |entry: &Entry| match entry {
            Entry::Nothing => 0,
            Entry::Value(value) => value.heap(),
            Entry::Tuple(tuple) => block(tuple.len()),
        };
        let candidates = self.candidates.iter().map(|(_, value)| value.heap()).sum::<usize>();
        block(self.entries.capacity() * size_of::<Entry>())
            + self.entries.iter().map(entry).sum::<usize>()
            + block(self.candidates.capacity() * size_of::<(u64, Value)>())
            + candidates
            + self.tuples.heap()
    }

    /// Drops the oldest event.
    pub fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        match entry {
            Entry::Nothing => {}
            Entry::Tuple(tuple) => self.tuples.take(&tuple),
            Entry::Value(value) => {
                self.count -= 1;
                self.numbers -= u64::from(self.sum.remove(&value));
            }
        }
        if self.candidates.front().is_some_and(|(at, _)| *at == self.oldest) {
            self.candidates.pop_front();
        }
        self.oldest += 1;
    }

    fn each_number(&self) -> impl Iterator<Item = f64> + '_ {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Value(value) => value.as_ref().as_f64(),
            Entry::Nothing | Entry::Tuple(_) => None,
        })
    }

    /// The aggregate over the window.
    pub fn value(&self, of: &AggregateExpr) -> Value {
        self.folded(of.kind, of.distinct)
    }

    fn folded(&self, kind: Aggregate, distinct: bool) -> Value {
        let numbers = self.numbers == self.count;
        let exact = match kind {
            Aggregate::Sum if numbers => self.sum.sum(),
            Aggregate::Avg if numbers => self.sum.mean(),
            _ => None,
        };
        if let Some(value) = exact {
            return value;
        }
        match kind {
            Aggregate::Count if distinct => Value::Int(self.tuples.len() as i64),
            Aggregate::Count => Value::Int(self.count as i64),
            // Numbers all compare; of equal ones the oldest is in front.
            Aggregate::Min | Aggregate::Max if numbers => {
                self.candidates.front().map(|(_, value)| value.clone()).unwrap_or_default()
            }
            Aggregate::Stddev if self.count < 2 => Value::Missing,
            Aggregate::Stddev if numbers => {
                let mean = self.each_number().sum::<f64>() / self.count as f64;
                let square: f64 = self.each_number().map(|x| (x - mean) * (x - mean)).sum();
                Value::number((square / (self.count - 1) as f64).sqrt())
            }
            _ => {
                let values = self.entries.iter().filter_map(|entry| match entry {
                    Entry::Value(value) => Some(value.clone()),
                    Entry::Nothing | Entry::Tuple(_) => None,
                });
                aggregate(kind, self.count as i64, values.collect())
            }
        }
    }
}

fn wanted(kind: Aggregate) -> Option<Ordering> {
    match kind {
        Aggregate::Min => Some(Ordering::Less),
        Aggregate::Max => Some(Ordering::Greater),
        _ => None,
    }
}

/// What an event contributes, as the evaluator of aggregates has it.
fn entry(env: &RuleEnv<'_>, of: &AggregateExpr, event: &StoredEvent) -> Entry {
    let view = env.stored(event);
    let context = env.context(Some(&view), &[], None);
    if of.filter.as_ref().is_some_and(|filter| !passes(filter, &context)) {
        return Entry::Nothing;
    }
    let mut tuple = Vec::new();
    let mut first = Value::Bool(true);
    for (i, arg) in of.args.iter().enumerate() {
        let value = eval(arg, &context);
        if value.get().is_missing() {
            return Entry::Nothing;
        }
        if of.distinct {
            encode_any(value.get(), &mut tuple);
        } else if i == 0 {
            first = value.into_value();
        }
    }
    if of.distinct { Entry::Tuple(tuple.into()) } else { Entry::Value(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of all lengths over numbers of all kinds: as if folded anew, to the last bit.
    #[test]
    fn coming_and_going_is_the_same_as_anew() {
        let mut seed = 1_u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let kinds =
            [Aggregate::Count, Aggregate::Sum, Aggregate::Avg, Aggregate::Min, Aggregate::Max, Aggregate::Stddev];
        for round in 0..200 {
            for kind in kinds {
                let (mut tally, mut window) = (Tally::default(), VecDeque::new());
                for _ in 0..60 {
                    let value = match random(if round % 4 == 0 { 8 } else { 5 }) {
                        0 | 1 => Value::Int(random(9) as i64 - 4),
                        2 => Value::Float(random(1000) as f64 / 7.0 - 50.0),
                        3 => Value::Float(random(4) as f64),
                        4 => Value::Missing,
                        5 => Value::UInt(u64::MAX - random(3)),
                        6 => Value::Float(1e300),
                        _ => Value::Str("x".into()),
                    };
                    let entry = if value == Value::Missing { Entry::Nothing } else { Entry::Value(value.clone()) };
                    tally.take(kind, entry);
                    window.push_back(value);
                    while window.len() as u64 > random(12) {
                        tally.pop();
                        window.pop_front();
                    }
                    let values: Vec<Value> = window.iter().filter(|v| **v != Value::Missing).cloned().collect();
                    let anew = aggregate(kind, values.len() as i64, values.clone());
                    assert_eq!(tally.folded(kind, false), anew, "{kind:?} over {values:?}");
                }
            }
        }
    }
}
