//! An aggregate over a sliding window, kept up to date as events come and go.
//!
//! Invariant: [`Tally::value`] is what [`aggregate`] gives over the window's events, to the last bit. Whole numbers add
//! up exactly and are subtracted again. Where that would not be the same (floating point, sums beyond what a float holds
//! exactly, values that do not compare) the values, which are kept, are folded anew.

use std::cmp::Ordering;
use std::collections::VecDeque;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::arrived::RuleEnv;
use crate::base::Value;
use crate::base::function::Aggregate;
use crate::plan::eval::{aggregate, eval, passes};
use crate::plan::event::StoredEvent;
use crate::plan::expr::AggregateExpr;
use crate::plan::key::encode_any;

/// Up to this, sums of whole numbers are exact as floats, whatever the order.
const EXACT: u128 = 1 << 53;

/// One aggregate of one window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// One an event of the window, oldest first.
    entries: VecDeque<Entry>,
    /// Entries that take part.
    count: u64,
    /// Of those that are whole numbers: how many, their sum, and the sum of their amounts.
    whole: (u64, i128, u128),
    /// Of those that are floating point.
    floats: u64,
    /// Number of the oldest entry, counted over the life of the tally.
    oldest: u64,
    /// For least and greatest: entries that will be it when all before them have gone, with their numbers.
    candidates: VecDeque<(u64, Value)>,
    /// For `distinct`: how often each tuple is there.
    tuples: HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>,
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
        let entry = entry(env, of, event);
        match &entry {
            Entry::Nothing => {}
            Entry::Tuple(tuple) => *self.tuples.entry(tuple.clone()).or_insert(0) += 1,
            Entry::Value(value) => {
                self.count += 1;
                match whole(value) {
                    Some(n) => {
                        self.whole.0 += 1;
                        self.whole.1 += n;
                        self.whole.2 += n.unsigned_abs();
                    }
                    None => self.floats += u64::from(matches!(value, Value::Float(_))),
                }
                if let Some(wanted) = wanted(of.kind) {
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

    /// Drops the oldest event.
    pub fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        match entry {
            Entry::Nothing => {}
            Entry::Tuple(tuple) => {
                if let Some(count) = self.tuples.get_mut(&tuple) {
                    *count -= 1;
                    if *count == 0 {
                        self.tuples.remove(&tuple);
                    }
                }
            }
            Entry::Value(value) => {
                self.count -= 1;
                match whole(&value) {
                    Some(n) => {
                        self.whole.0 -= 1;
                        self.whole.1 -= n;
                        self.whole.2 -= n.unsigned_abs();
                    }
                    None => self.floats -= u64::from(matches!(value, Value::Float(_))),
                }
            }
        }
        if self.candidates.front().is_some_and(|(at, _)| *at == self.oldest) {
            self.candidates.pop_front();
        }
        self.oldest += 1;
    }

    /// The aggregate over the window.
    pub fn value(&self, of: &AggregateExpr) -> Value {
        let (number, sum, amount) = self.whole;
        match of.kind {
            Aggregate::Count if of.distinct => Value::Int(self.tuples.len() as i64),
            Aggregate::Count => Value::Int(self.count as i64),
            Aggregate::Sum | Aggregate::Avg if number == self.count && amount <= EXACT => match number {
                0 => Value::Missing,
                _ if of.kind == Aggregate::Sum => Value::integer(sum),
                _ => Value::number(sum as f64 / number as f64),
            },
            // Numbers all compare; of equal ones the oldest is in front.
            Aggregate::Min | Aggregate::Max if number + self.floats == self.count => {
                self.candidates.front().map(|(_, value)| value.clone()).unwrap_or_default()
            }
            kind => {
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

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(n) => Some(i128::from(*n)),
        Value::UInt(n) => Some(i128::from(*n)),
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
