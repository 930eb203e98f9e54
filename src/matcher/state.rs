//! What one key of a rule holds, by strategy, and what that takes.

use serde::{Deserialize, Serialize};

use super::arrived::RuleEnv;
use super::counter::Counter;
use super::enumerate::Enumerate;
use super::keys::{Live, Slot};
use super::latest_run::LatestRun;
use super::past::Past;
use super::pending::Pending;
use super::runs::Runs;
use crate::base::Value;
use crate::plan::Rule;
use crate::plan::event::StoredEvent;
use crate::plan::ruleset::StrategyKind;

/// What one key holds, by strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum RunState {
    /// Nothing: the rule has one step, and only its past is kept.
    #[default]
    Stateless,
    /// A window.
    Counter(Box<Counter>),
    /// One partial match a state.
    LatestRun(Box<LatestRun>),
    /// Sets of partial matches.
    Enumerate(Box<Enumerate>),
    /// A buffer.
    Runs(Box<Runs>),
    /// One pending match a step.
    Pending(Box<Pending>),
}

impl RunState {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Stateless => true,
            Self::Counter(s) => s.is_empty(),
            Self::LatestRun(s) => s.is_empty(),
            Self::Enumerate(s) => s.is_empty(),
            Self::Runs(s) => s.is_empty(),
            Self::Pending(s) => s.is_empty(),
        }
    }

    /// Makes a state that was read from bytes fit for events.
    pub fn ready(&mut self, env: &RuleEnv<'_>) {
        if let Self::Runs(runs) = self {
            runs.restored(env);
        }
    }

    /// Partial matches and events held.
    pub fn len(&self) -> usize {
        match self {
            Self::Stateless => 0,
            Self::Counter(s) => s.len(),
            Self::LatestRun(s) => s.len(),
            Self::Enumerate(s) => s.len(),
            Self::Runs(s) => s.len(),
            Self::Pending(s) => s.len(),
        }
    }
}

/// What a rule's state takes, estimated from the layout of its types: texts are taken to be 16 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of a key that holds something, without its events.
    pub key: usize,
    /// Bytes of each event it holds.
    pub event: usize,
}

impl Memory {
    /// The estimate for a rule.
    pub fn of(rule: &Rule) -> Self {
        const TEXT: usize = 16;
        let state = match rule.strategy {
            StrategyKind::Stateless => 0,
            StrategyKind::Counter => size_of::<Counter>(),
            StrategyKind::LatestRun => size_of::<LatestRun>(),
            StrategyKind::Enumerate => size_of::<Enumerate>(),
            StrategyKind::Runs => size_of::<Runs>(),
            StrategyKind::Pending => size_of::<Pending>(),
        };
        let past = if rule.hints.needs_past { size_of::<Past>() } else { 0 };
        // The hash table holds an index and a control byte a key, and is at most seven eighths full.
        let index = 8 * (size_of::<u32>() + 1) / 7;
        let key = size_of::<Slot>() + size_of::<Live>() + index + rule.components.len() * TEXT + state + past;
        let fields = rule.kept.len() * (size_of::<Value>() + TEXT) + rule.stats.len() * size_of::<Value>();
        let shared = 2 * size_of::<usize>() + size_of::<usize>();
        Self { key, event: shared + size_of::<StoredEvent>() + fields }
    }
}
