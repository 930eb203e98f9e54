//! What a key remembers of its past besides partial matches: statistics, and events that `unless`/`if` look back at.
//!
//! An event is looked at before it is added: everything here lies strictly before the event under test.
//!
//! A mean or deviation over a moving window is kept as two stacks of partial moments (count, mean, sum of squared
//! deviations), merged by Chan's formula: nothing is ever subtracted, so nothing cancels, and an event costs O(1)
//! amortised. Least and greatest use the same stacks.

use std::collections::VecDeque;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::arrived::{Arrived, RuleEnv};
use crate::base::function::Statistic;
use crate::base::{Duration, Timestamp, Value};
use crate::plan::eval::{arithmetic, eval, passes, unary};
use crate::plan::expr::Expr;
use crate::plan::key::{encode_scalar, encode_tuple};
use crate::plan::ruleset::BinaryOp;
use crate::plan::ruleset::{Lookback, RoleKind, Stat, StatWindow};

/// The past of one key of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// By statistic of the rule.
    stats: Vec<Window>,
    /// By statistic and the step's key, for rules whose key is handed over: there one state serves all keys.
    keyed: HashMap<(u32, Box<[u8]>), Window, foldhash::fast::FixedState>,
    sweep_at: usize,
    /// By guard of the rule; unused ones stay empty.
    guards: Vec<Seen>,
    newest: Option<Timestamp>,
}

/// When a guard's event was last seen: by the values that must equal those of the event under test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    times: HashMap<Box<[u8]>, Timestamp, foldhash::fast::FixedState>,
    /// Forget what is too old when the map has grown to this.
    sweep_at: usize,
}

/// Moments of a bag of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
    sum: Value,
    min: Value,
    max: Value,
}

impl Moments {
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
}

/// A moving window as two stacks. `front[i]` holds the moments of `front[..=i]` reversed: its top is the oldest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    /// Oldest last, each with the moments of itself and all newer ones in this stack.
    front: Vec<(Timestamp, Value, Moments)>,
    /// Newest last.
    back: VecDeque<(Timestamp, Value)>,
    back_moments: Moments,
}

impl Window {
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

    fn drop_old(&mut self, window: StatWindow, now: Timestamp) {
        if let StatWindow::Time(d) = window {
            while self.oldest().is_some_and(|ts| ts < now - d) {
                self.pop_oldest();
            }
        }
    }

    /// Keeps the last `n`, or what the limit allows.
    fn cap(&mut self, window: StatWindow, limit: usize) {
        let most = match window {
            StatWindow::Events(n) => usize::try_from(n).unwrap_or(usize::MAX),
            StatWindow::Time(_) => limit,
        };
        while self.len() > most {
            self.pop_oldest();
        }
    }

    fn value(&self, kind: Statistic, current: &Value) -> Value {
        let m = self.moments();
        let deviation = || (m.count >= 2).then(|| (m.squares / (m.count - 1) as f64).sqrt());
        match kind {
            Statistic::Count => Value::Int(m.count as i64),
            Statistic::Last => self.newest_value(),
            _ if m.count == 0 => Value::Missing,
            Statistic::Sum => m.sum,
            Statistic::Min => m.min,
            Statistic::Max => m.max,
            Statistic::Mean => Value::number(m.mean),
            Statistic::Stddev => deviation().map_or(Value::Missing, Value::number),
            Statistic::Zscore => match (deviation(), current.as_ref().as_f64()) {
                (Some(deviation), Some(x)) if deviation > 0.0 => Value::number((x - m.mean) / deviation),
                _ => Value::Missing,
            },
        }
    }
}

impl Past {
    /// The statistics as the event sees them. Missing for those whose class it is not of.
    pub fn statistics(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>) -> Vec<Value> {
        let stats = &env.rule.stats;
        if env.rule.handed_over {
            return self.keyed_statistics(env, event);
        }
        self.stats.resize_with(stats.len(), Window::default);
        let read = |stat: &Stat, window: &mut Window| {
            if !event.has(stat.role) {
                return Value::Missing;
            }
            window.drop_old(stat.window, event.ts);
            let current = sample(env, stat, event);
            window.value(stat.kind, &current)
        };
        stats.iter().zip(&mut self.stats).map(|(stat, window)| read(stat, window)).collect()
    }

    fn keyed_statistics(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>) -> Vec<Value> {
        let read = |(at, stat): (usize, &Stat)| {
            let key = event.has(stat.role).then(|| step_key(env, stat.step.index(), event)).flatten();
            let window = key.and_then(|key| self.keyed.get_mut(&(at as u32, key)));
            let current = sample(env, stat, event);
            match window {
                Some(window) => {
                    window.drop_old(stat.window, event.ts);
                    window.value(stat.kind, &current)
                }
                None if event.has(stat.role) => Window::default().value(stat.kind, &current),
                None => Value::Missing,
            }
        };
        env.rule.stats.iter().enumerate().map(read).collect()
    }

    fn add_keyed(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>) {
        for (at, stat) in env.rule.stats.iter().enumerate() {
            if !event.has(stat.role) {
                continue;
            }
            let Some(key) = step_key(env, stat.step.index(), event) else { continue };
            let window = self.keyed.entry((at as u32, key)).or_default();
            window.push(event.ts, sample(env, stat, event));
            window.cap(stat.window, env.rule.runs_per_key);
        }
        if self.keyed.len() > self.sweep_at.max(64) {
            self.keyed.retain(|(at, _), window| {
                window.drop_old(env.rule.stats[*at as usize].window, event.ts);
                window.len() > 0
            });
            self.sweep_at = self.keyed.len() * 2;
        }
    }

    /// Whether the `unless`/`if` guards of a step that look at nothing but the event let it pass.
    pub fn lets_pass(&self, env: &RuleEnv<'_>, step: usize, event: &Arrived<'_>) -> bool {
        env.rule.steps[step].lookback.iter().all(|lookback| {
            let since = event.ts - length(lookback);
            let seen = lookback.guards.iter().any(|guard| {
                let Some(seen) = self.guards.get(guard.index()) else { return false };
                let sides = env.rule.guards[guard.index()].equalities.iter().flatten().map(|(_, this)| this);
                let Some(key) = tuple(env, sides, event) else { return false };
                seen.times.get(&key[..]).is_some_and(|ts| *ts >= since)
            });
            seen == lookback.wanted
        })
    }

    /// Adds the event, after everything has looked at the past without it.
    pub fn add(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>) {
        self.newest = Some(event.ts);
        if env.rule.handed_over {
            self.add_keyed(env, event);
            return;
        }
        self.stats.resize_with(env.rule.stats.len(), Window::default);
        for (stat, window) in env.rule.stats.iter().zip(&mut self.stats) {
            if !event.has(stat.role) {
                continue;
            }
            window.push(event.ts, sample(env, stat, event));
            window.cap(stat.window, env.rule.runs_per_key);
        }
        for lookback in env.rule.steps.iter().flat_map(|s| &s.lookback) {
            for guard in &lookback.guards {
                let def = &env.rule.guards[guard.index()];
                if !event.has(def.role) {
                    continue;
                }
                self.guards.resize_with(env.rule.guards.len(), Seen::default);
                let sides = def.equalities.iter().flatten().map(|(theirs, _)| theirs);
                let Some(key) = tuple(env, sides, event) else { continue };
                let seen = &mut self.guards[guard.index()];
                seen.times.insert(key.into(), event.ts);
                if seen.times.len() > seen.sweep_at.max(16) {
                    let since = event.ts - length(lookback);
                    seen.times.retain(|_, ts| *ts >= since);
                    seen.sweep_at = (seen.times.len() * 2).min(env.rule.runs_per_key);
                }
            }
        }
    }

    /// When nothing of it matters any more; `None` is never.
    pub fn expires(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let mut longest = Duration::ZERO;
        for stat in &env.rule.stats {
            match stat.window {
                StatWindow::Time(d) => longest = longest.max(d),
                StatWindow::Events(_) => return None,
            }
        }
        for lookback in env.rule.steps.iter().flat_map(|s| &s.lookback) {
            longest = longest.max(length(lookback));
        }
        self.newest.map(|ts| ts + longest)
    }
}

/// How far back a guard that is decided at arrival looks: only constant ones are.
fn length(lookback: &Lookback) -> Duration {
    lookback.last.fixed().unwrap_or_default()
}

/// The key of a step for an event, encoded; `None` if a component is missing.
fn step_key(env: &RuleEnv<'_>, step: usize, event: &Arrived<'_>) -> Option<Box<[u8]>> {
    let mut key = Vec::new();
    let context = unary(&event.view, &[], env.tables);
    for component in &env.rule.steps[step].components {
        let value = eval(&component.value, &context);
        if (value.get().is_missing() && !component.optional) || !encode_scalar(value.get(), &mut key) {
            return None;
        }
    }
    Some(key.into())
}

/// The value of a statistic's expression for an event.
fn sample(env: &RuleEnv<'_>, stat: &Stat, event: &Arrived<'_>) -> Value {
    let value = eval(&stat.value, &unary(&event.view, &[], env.tables)).into_value();
    // Only what can be added up takes part; `count` and `last` take anything.
    match (&value, stat.kind) {
        (_, Statistic::Count | Statistic::Last | Statistic::Min | Statistic::Max) => value,
        (Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Duration(_), _) => value,
        _ => Value::Missing,
    }
}

fn tuple<'e>(env: &RuleEnv<'_>, sides: impl Iterator<Item = &'e Expr>, event: &Arrived<'_>) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    encode_tuple(sides, &unary(&event.view, &[], env.tables), &mut key)?;
    Some(key)
}

/// Whether an event qualifies for a step as far as the event and its past can say.
pub fn qualifies(env: &RuleEnv<'_>, step: usize, event: &Arrived<'_>, stats: &[Value], past: Option<&Past>) -> bool {
    let def = &env.rule.steps[step];
    event.has(def.role)
        && def.arrival.as_ref().is_none_or(|e| passes(e, &unary(&event.view, stats, env.tables)))
        && (def.lookback.is_empty() || past.is_none_or(|past| past.lets_pass(env, step, event)))
}

/// The bits of `event` without those steps whose arrival conditions fail.
pub fn narrow(env: &RuleEnv<'_>, event: &Arrived<'_>, stats: &[Value], past: Option<&Past>) -> u64 {
    let mut roles = event.roles;
    for (at, role) in env.rule.roles.iter().enumerate() {
        if let RoleKind::Step(step) = role.kind
            && event.has(at as u8)
        {
            let def = &env.rule.steps[step.index()];
            if (def.arrival.is_some() || !def.lookback.is_empty()) && !qualifies(env, step.index(), event, stats, past)
            {
                roles &= !(1 << at);
            }
        }
    }
    roles
}
