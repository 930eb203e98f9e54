//! What a key remembers of its past besides partial matches: statistics, and events that `unless`/`if` look back at.
//!
//! An event is looked at before it is added: everything here lies strictly before the event under test.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::arrived::{Arrived, RuleEnv};
use super::statistic::Sample;
use crate::base::budget::block;
use crate::base::function::Statistic;
use crate::base::{Duration, Timestamp, Value};
use crate::plan::eval::{eval, passes, unary};
use crate::plan::expr::Expr;
use crate::plan::key::{encode_scalar, encode_tuple};
use crate::plan::ruleset::{Lookback, RoleKind, Stat, StatWindow};

/// Bytes of a key in a table, about.
const KEY: usize = 64;

/// The past of one key of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// By statistic of the rule; empty if each has a key of its own.
    stats: Vec<Sample>,
    /// By statistic and its key, for those with a key of their own and for rules whose key is handed over.
    keyed: HashMap<(u32, Box<[u8]>), Keyed, foldhash::fast::FixedState>,
    sweep_at: usize,
    /// By guard of the rule; unused ones stay empty.
    guards: Vec<Seen>,
    newest: Option<Timestamp>,
    /// Up to when a statistic or a look-back lacks events that the limit dropped.
    limited: Option<Timestamp>,
}

/// The events of one key of a statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Keyed {
    sample: Sample,
    /// When an event was added last.
    newest: Timestamp,
}

/// When a guard's event was last seen: by the values that must equal those of the event under test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    times: HashMap<Box<[u8]>, Timestamp, foldhash::fast::FixedState>,
    /// Forget what is too old when the map has grown to this.
    sweep_at: usize,
}

impl Seen {
    /// Forgets what no event from `now` on looks back at, and above the limit what was seen longest ago. If the limit
    /// drops something, the time up to which it may be missed.
    fn sweep(&mut self, length: Duration, now: Timestamp, limit: usize, dropped: &mut u64) -> Option<Timestamp> {
        self.times.retain(|_, ts| *ts >= now - length);
        let mut missed = None;
        if self.times.len() > limit {
            let mut all: Vec<_> = self.times.iter().map(|(key, ts)| (*ts, key.clone())).collect();
            // An eighth more than must go, so that this is rare.
            let over = (self.times.len() - limit + limit / 8).min(all.len());
            let (_, last, _) = all.select_nth_unstable(over - 1);
            self.times.retain(|key, ts| (*ts, key) > (last.0, &last.1));
            *dropped += over as u64;
            missed = Some(last.0 + length);
        }
        self.sweep_at = (self.times.len() * 2).min(limit);
        missed
    }
}

impl Past {
    /// The statistics as the event sees them. Missing for those whose class it is not of.
    pub fn statistics(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>) -> Vec<Value> {
        let stats = &env.rule.stats;
        self.begin(stats);
        let mut read = |(at, stat): (usize, &Stat)| {
            if !event.has(stat.role) {
                return Value::Missing;
            }
            let sample = if stat.key.is_empty() {
                self.stats.get_mut(at)
            } else {
                let key = own_key(env, stat, event);
                key.and_then(|key| self.keyed.get_mut(&(at as u32, key))).map(|keyed| &mut keyed.sample)
            };
            let current = || value_of(env, stat, event);
            match sample {
                Some(sample) => {
                    sample.drop_old(stat, event.ts);
                    sample.value(stat, current)
                }
                None => Sample::new(stat).value(stat, current),
            }
        };
        stats.iter().enumerate().map(&mut read).collect()
    }

    fn begin(&mut self, stats: &[Stat]) {
        if self.stats.is_empty() && stats.iter().any(|stat| stat.key.is_empty()) {
            self.stats = stats.iter().map(Sample::new).collect();
        }
    }

    /// Adds the event to every statistic whose class it is of. What a limit drops is counted.
    fn add_statistics(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>, dropped: &mut u64) {
        self.begin(&env.rule.stats);
        let limit = env.rule.runs_per_key;
        for (at, stat) in env.rule.stats.iter().enumerate() {
            let context = unary(&event.view, &[], env.tables);
            if !event.has(stat.role) || stat.filter.as_ref().is_some_and(|filter| !passes(filter, &context)) {
                continue;
            }
            let sample = if stat.key.is_empty() {
                &mut self.stats[at]
            } else {
                let Some(key) = own_key(env, stat, event) else { continue };
                let new = || {
                    env.note(|| size_of::<Keyed>() + KEY);
                    Keyed { sample: Sample::new(stat), newest: event.ts }
                };
                let keyed = self.keyed.entry((at as u32, key)).or_insert_with(new);
                keyed.newest = event.ts;
                &mut keyed.sample
            };
            let value = value_of(env, stat, event);
            env.note(|| size_of::<(Timestamp, Value)>() + value.heap());
            if let Some(ts) = sample.add(stat, event.ts, value, limit, dropped) {
                let lacks_until = match stat.window {
                    StatWindow::Time(d) => ts + d,
                    StatWindow::Events(_) | StatWindow::Ever => Timestamp::MAX,
                };
                self.limited = self.limited.max(Some(lacks_until));
            }
        }
        if self.keyed.len() > self.sweep_at.max(64) {
            self.sweep(env, event.ts, dropped);
        }
    }

    /// Forgets keys of statistics that hold nothing any more, and above the limit those that were quiet for longest.
    fn sweep(&mut self, env: &RuleEnv<'_>, now: Timestamp, dropped: &mut u64) {
        self.keyed.retain(|(at, _), keyed| {
            keyed.sample.drop_old(&env.rule.stats[*at as usize], now);
            !keyed.sample.is_empty()
        });
        let limit = env.rule.runs_per_key;
        if self.keyed.len() > limit {
            let mut all: Vec<_> = self.keyed.iter().map(|(key, keyed)| (keyed.newest, key.clone())).collect();
            all.sort();
            // An eighth more than must go, so that this is rare.
            let over = self.keyed.len() - limit + limit / 8;
            for (_, key) in &all[..over.min(all.len())] {
                self.keyed.remove(key);
            }
            *dropped += over as u64;
            self.limited = Some(Timestamp::MAX);
        }
        self.sweep_at = (self.keyed.len() * 2).clamp(64, limit.max(64));
    }

    /// Whether a statistic or a look-back of an event at this time lacks what a limit dropped.
    pub fn is_limited(&self, at: Timestamp) -> bool {
        self.limited.is_some_and(|until| until >= at)
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

    /// Adds the event, after everything has looked at the past without it. What a limit drops is counted.
    pub fn add(&mut self, env: &RuleEnv<'_>, event: &Arrived<'_>, dropped: &mut u64) {
        self.newest = Some(event.ts);
        self.add_statistics(env, event, dropped);
        if env.rule.handed_over {
            return;
        }
        let limit = env.rule.runs_per_key;
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
                env.note(|| KEY + key.len());
                seen.times.insert(key.into(), event.ts);
                if seen.times.len() > seen.sweep_at.max(16).min(limit) {
                    self.limited = self.limited.max(seen.sweep(length(lookback), event.ts, limit, dropped));
                }
            }
        }
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        let stats = self.stats.iter().map(Sample::heap).sum::<usize>();
        let keyed = self.keyed.iter().map(|((_, key), keyed)| block(key.len()) + keyed.sample.heap()).sum::<usize>();
        let guards = self.guards.iter().map(|seen| {
            let keys = seen.times.keys().map(|key| block(key.len())).sum::<usize>();
            block(seen.times.allocation_size()) + keys
        });
        block(self.stats.capacity() * size_of::<Sample>())
            + stats
            + block(self.keyed.allocation_size())
            + keyed
            + block(self.guards.capacity() * size_of::<Seen>())
            + guards.sum::<usize>()
    }

    /// When nothing of it matters any more; `None` is never.
    pub fn expires(&self, env: &RuleEnv<'_>) -> Option<Timestamp> {
        let mut longest = Duration::ZERO;
        for stat in &env.rule.stats {
            match stat.window {
                StatWindow::Time(d) => longest = longest.max(d),
                StatWindow::Events(_) | StatWindow::Ever => return None,
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

/// The key of a statistic for an event, encoded; `None` if a component is missing.
fn own_key(env: &RuleEnv<'_>, stat: &Stat, event: &Arrived<'_>) -> Option<Box<[u8]>> {
    let mut key = Vec::new();
    let context = unary(&event.view, &[], env.tables);
    for part in &stat.key {
        let value = eval(&part.value, &context);
        if (value.get().is_missing() && !part.optional) || !encode_scalar(value.get(), &mut key) {
            return None;
        }
    }
    Some(key.into())
}

/// The value of a statistic's expression for an event.
fn value_of(env: &RuleEnv<'_>, stat: &Stat, event: &Arrived<'_>) -> Value {
    let value = eval(&stat.value, &unary(&event.view, &[], env.tables)).into_value();
    // Only what can be added up takes part; the others take anything.
    match (&value, stat.kind) {
        (
            _,
            Statistic::Count | Statistic::Rate | Statistic::Last | Statistic::Min | Statistic::Max | Statistic::Prior,
        ) => value,
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
