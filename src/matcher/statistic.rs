//! What a statistic remembers of the earlier events of one key.
//!
//! A mean or deviation over a moving window is kept as two stacks of partial moments (count, mean, sum of squared
//! deviations), merged by Chan's formula: nothing is ever subtracted, so nothing cancels, and an event costs O(1)
//! amortised. Least and greatest use the same stacks. Over all of the past the moments alone are kept.
//!
//! An event is looked at before it is added: everything here lies strictly before the event under test.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::base::budget::block;
use crate::base::function::Statistic;
use crate::base::{Timestamp, Value};
use crate::plan::eval::arithmetic;
use crate::plan::ruleset::{BinaryOp, Stat, StatWindow};

/// What is kept, by what the statistic asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Sample {
    /// The values of a window.
    Window(Box<Window>),
    /// The moments of all values, and the newest.
    Ever(Box<(Moments, Value)>),
    /// A weighted mean: number of values, and the mean.
    Weighted(u64, f64),
    /// The values of the last events, oldest first, missing ones too.
    Recent(VecDeque<Value>),
}

impl Sample {
    /// Of no events.
    pub fn new(stat: &Stat) -> Self {
        match (stat.kind, stat.window) {
            (Statistic::Prior, _) => Self::Recent(VecDeque::new()),
            (Statistic::Ewma, _) => Self::Weighted(0, 0.0),
            (_, StatWindow::Ever) => Self::Ever(Box::default()),
            _ => Self::Window(Box::default()),
        }
    }

    /// Whether it is as good as new.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Window(window) => window.len() == 0,
            Self::Recent(values) => values.is_empty(),
            Self::Ever(_) | Self::Weighted(..) => false,
        }
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        match self {
            Self::Window(window) => block(size_of::<Window>()) + window.heap(),
            Self::Ever(all) => block(size_of::<(Moments, Value)>()) + all.0.heap() + all.1.heap(),
            Self::Weighted(..) => 0,
            Self::Recent(values) => {
                block(values.capacity() * size_of::<Value>()) + values.iter().map(Value::heap).sum::<usize>()
            }
        }
    }

    /// Drops what is older than the window at `now`.
    pub fn drop_old(&mut self, stat: &Stat, now: Timestamp) {
        if let (Self::Window(window), StatWindow::Time(d)) = (self, stat.window) {
            while window.oldest().is_some_and(|ts| ts < now - d) {
                window.pop_oldest();
            }
        }
    }

    /// Adds an event's value. Gives the time of the newest event that `limit` dropped out of the window, if it did.
    pub fn add(
        &mut self,
        stat: &Stat,
        ts: Timestamp,
        value: Value,
        limit: usize,
        dropped: &mut u64,
    ) -> Option<Timestamp> {
        match self {
            Self::Window(window) => {
                window.push(ts, value);
                let (most, limited) = match stat.window {
                    StatWindow::Events(n) => (usize::try_from(n).unwrap_or(usize::MAX), false),
                    _ => (limit, true),
                };
                let mut newest = None;
                while window.len() > most {
                    newest = window.oldest().filter(|_| limited);
                    *dropped += u64::from(limited);
                    window.pop_oldest();
                }
                newest
            }
            Self::Ever(all) => {
                if !value.as_ref().is_missing() {
                    all.0 = all.0.merge(&Moments::of(&value));
                    all.1 = value;
                }
                None
            }
            Self::Weighted(count, mean) => {
                if let Some(x) = value.as_ref().as_f64() {
                    *mean = if *count == 0 { x } else { stat.weight * x + (1.0 - stat.weight) * *mean };
                    *count += 1;
                }
                None
            }
            Self::Recent(values) => {
                if let StatWindow::Events(n) = stat.window
                    && values.len() as u64 >= n
                {
                    values.pop_front();
                }
                values.push_back(value);
                None
            }
        }
    }

    /// The statistic; `current` is the value of the event under test.
    pub fn value(&self, stat: &Stat, current: impl FnOnce() -> Value) -> Value {
        let (moments, newest) = match self {
            Self::Window(window) if stat.kind == Statistic::Last => (window.moments(), window.newest_value()),
            Self::Window(window) => (window.moments(), Value::Missing),
            Self::Ever(all) => (all.0.clone(), all.1.clone()),
            Self::Weighted(count, mean) => {
                return if *count > 0 && *count >= stat.least { Value::number(*mean) } else { Value::Missing };
            }
            Self::Recent(values) => {
                let full = matches!(stat.window, StatWindow::Events(n) if values.len() as u64 == n);
                return values.front().filter(|_| full).cloned().unwrap_or_default();
            }
        };
        if moments.count < stat.least {
            return Value::Missing;
        }
        moments.value(stat, newest, current)
    }
}

/// Moments of a bag of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
    sum: Value,
    min: Value,
    max: Value,
}

impl Moments {
    fn heap(&self) -> usize {
        self.sum.heap() + self.min.heap() + self.max.heap()
    }

    fn of(value: &Value) -> Self {
        let mean = value.as_ref().as_f64().unwrap_or(0.0);
        Self { count: 1, mean, squares: 0.0, sum: value.clone(), min: value.clone(), max: value.clone() }
    }

    fn merge(&self, other: &Self) -> Self {
        if self.count == 0 {
            return other.clone();
        }
        if other.count == 0 {
            return self.clone();
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let delta = other.mean - self.mean;
        let better = |a: &Value, b: &Value, order| {
            if b.as_ref().compare(a.as_ref()) == Some(order) { b.clone() } else { a.clone() }
        };
        Self {
            count: self.count + other.count,
            mean: self.mean + delta * m / (n + m),
            squares: self.squares + other.squares + delta * delta * n * m / (n + m),
            sum: arithmetic(BinaryOp::Add, self.sum.as_ref(), other.sum.as_ref()),
            min: better(&self.min, &other.min, std::cmp::Ordering::Less),
            max: better(&self.max, &other.max, std::cmp::Ordering::Greater),
        }
    }

    fn value(self, stat: &Stat, newest: Value, current: impl FnOnce() -> Value) -> Value {
        let deviation = || (self.count >= 2).then(|| (self.squares / (self.count - 1) as f64).sqrt());
        match stat.kind {
            Statistic::Count => Value::Int(self.count as i64),
            Statistic::Rate => match stat.window {
                StatWindow::Time(d) => Value::number(self.count as f64 / (d.0 as f64 / 1e9)),
                StatWindow::Events(_) | StatWindow::Ever => Value::Missing,
            },
            Statistic::Last => newest,
            _ if self.count == 0 => Value::Missing,
            Statistic::Sum => self.sum,
            Statistic::Min => self.min,
            Statistic::Max => self.max,
            Statistic::Mean => Value::number(self.mean),
            Statistic::Stddev => deviation().map_or(Value::Missing, Value::number),
            Statistic::Zscore => match (deviation(), current().as_ref().as_f64()) {
                (Some(deviation), Some(x)) if deviation > 0.0 => Value::number((x - self.mean) / deviation),
                _ => Value::Missing,
            },
            Statistic::Ewma | Statistic::Prior => Value::Missing,
        }
    }
}

/// A moving window as two stacks. `front[i]` holds the moments of `front[..=i]` reversed: its top is the oldest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Oldest last, each with the moments of itself and all newer ones in this stack.
    front: Vec<(Timestamp, Value, Moments)>,
    /// Newest last.
    back: VecDeque<(Timestamp, Value)>,
    back_moments: Moments,
}

impl Window {
    fn heap(&self) -> usize {
        let front = self.front.iter().map(|(_, value, moments)| value.heap() + moments.heap()).sum::<usize>();
        let back = self.back.iter().map(|(_, value)| value.heap()).sum::<usize>();
        block(self.front.capacity() * size_of::<(Timestamp, Value, Moments)>())
            + front
            + block(self.back.capacity() * size_of::<(Timestamp, Value)>())
            + back
            + self.back_moments.heap()
    }

    fn len(&self) -> usize {
        self.front.len() + self.back.len()
    }

    fn push(&mut self, ts: Timestamp, value: Value) {
        if !value.as_ref().is_missing() {
            self.back_moments = self.back_moments.merge(&Moments::of(&value));
        }
        self.back.push_back((ts, value));
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.front.last().map(|e| e.0).or_else(|| self.back.front().map(|e| e.0))
    }

    fn pop_oldest(&mut self) {
        if self.front.is_empty() {
            let mut all = Moments::default();
            while let Some((ts, value)) = self.back.pop_back() {
                if !value.as_ref().is_missing() {
                    all = Moments::of(&value).merge(&all);
                }
                self.front.push((ts, value, all.clone()));
            }
            self.back_moments = Moments::default();
        }
        self.front.pop();
    }

    fn moments(&self) -> Moments {
        self.front.last().map_or_else(|| self.back_moments.clone(), |e| e.2.merge(&self.back_moments))
    }

    fn newest_value(&self) -> Value {
        let back = self.back.iter().rev().map(|e| &e.1);
        let front = self.front.iter().map(|e| &e.1);
        back.chain(front).find(|v| !v.as_ref().is_missing()).cloned().unwrap_or_default()
    }
}
