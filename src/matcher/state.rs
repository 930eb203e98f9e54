//! What one key of a rule holds, by strategy, and what that takes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arrived::{Arrived, RuleEnv};
use super::attempts::Attempts;
use super::counter::Counter;
use super::enumerate::Enumerate;
use super::joint::Joint;
use super::latest_run::LatestRun;
use super::live::Live;
use super::past::Past;
use super::pending::Pending;
use super::runs::Runs;
use super::shard::Matcher;
use super::slot::Slot;
use crate::base::budget::block;
use crate::base::{Limits, Timestamp, Value, ValueRef};
use crate::decode::view::LineView;
use crate::decode::{Arena, Slot as Field};
use crate::plan::event::{Seq, StoredEvent};
use crate::plan::key::encode_scalar;
use crate::plan::ruleset::StrategyKind;
use crate::plan::{Rule, Ruleset};

/// What one key holds of one rule, by strategy. Windows lie in it: counts are what many rules of one key mostly are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum RunState {
    /// Nothing: the rule has one step, and only its past is kept.
    #[default]
    Stateless,
    /// A window.
    Counter(Counter),
    /// One partial match a state.
    LatestRun(Box<LatestRun>),
    /// A buffer.
    Runs(Box<Runs>),
    /// One pending match a step.
    Pending(Box<Pending>),
    /// Sets of partial matches.
    Enumerate(Box<Enumerate>),
    /// One partial match a first event.
    Attempts(Attempts),
}

impl RunState {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Stateless => true,
            Self::Counter(s) => s.is_empty(),
            Self::LatestRun(s) => s.is_empty(),
            Self::Attempts(s) => s.is_empty(),
            Self::Enumerate(s) => s.is_empty(),
            Self::Runs(s) => s.is_empty(),
            Self::Pending(s) => s.is_empty(),
        }
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        match self {
            Self::Stateless => 0,
            Self::Counter(s) => s.heap(),
            Self::LatestRun(s) => block(size_of::<LatestRun>()) + s.heap(),
            Self::Attempts(s) => s.heap(),
            Self::Enumerate(s) => block(size_of::<Enumerate>()) + s.heap(),
            Self::Runs(s) => block(size_of::<Runs>()) + s.heap(),
            Self::Pending(s) => block(size_of::<Pending>()) + s.heap(),
        }
    }

    /// Whether time alone may bring an alert: an absence is undecided, or an alert is open.
    pub fn is_pending(&self) -> bool {
        match self {
            Self::Stateless | Self::Enumerate(_) => false,
            Self::Counter(s) => s.is_open(),
            Self::LatestRun(s) => s.is_pending(),
            Self::Attempts(s) => s.is_pending(),
            Self::Runs(s) => s.is_pending(),
            Self::Pending(s) => s.is_pending(),
        }
    }

    /// Makes a state that was read from bytes fit for events.
    pub fn ready(&mut self, env: &RuleEnv<'_>) {
        if let Self::Runs(runs) = self {
            runs.restored(env);
        }
    }

    /// Time of the oldest event, where that lies beside the events; for others how much they hold.
    #[inline]
    pub(super) fn oldest(&self) -> i64 {
        match self {
            Self::Counter(s) => s.oldest().map_or(0, |ts| ts.0),
            Self::Attempts(s) => s.oldest().map_or(0, |ts| ts.0),
            Self::LatestRun(s) => s.oldest().map_or(0, |ts| ts.0),
            other => other.len() as i64,
        }
    }

    /// Partial matches and events held.
    pub fn len(&self) -> usize {
        match self {
            Self::Stateless => 0,
            Self::Counter(s) => s.len(),
            Self::LatestRun(s) => s.len(),
            Self::Attempts(s) => s.len(),
            Self::Enumerate(s) => s.len(),
            Self::Runs(s) => s.len(),
            Self::Pending(s) => s.len(),
        }
    }
}

/// A time of today, so that it takes as many bytes as one does.
const MEASURED_AT: i64 = 1_800_000_000_000;

/// Bytes of a text, where that of an event is not known.
const TEXT: usize = 16;

/// What a rule's state takes: estimated from the layout of its types for keys that are ready for events, measured for
/// keys at rest. Texts are taken to be 16 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of a key that holds something, without its events.
    pub key: usize,
    /// Bytes of each event it holds.
    pub event: usize,
    /// Bytes of a key at rest with its first event; `None` if keys of the rule do not rest.
    pub at_rest: Option<usize>,
}

impl Memory {
    /// Of a rule. Keys at rest are measured in a matcher from [`Memory::matcher`].
    pub fn of(rule: &Rule, matcher: &mut Matcher) -> Self {
        let state = match rule.strategy {
            StrategyKind::Stateless => 0,
            _ if matcher.is_joint(rule.id) => size_of::<Joint>(),
            StrategyKind::Counter | StrategyKind::Attempts => 0,
            StrategyKind::LatestRun => size_of::<LatestRun>(),
            StrategyKind::Enumerate => size_of::<Enumerate>(),
            StrategyKind::Runs => size_of::<Runs>(),
            StrategyKind::Pending => size_of::<Pending>(),
        };
        let past = if rule.hints.needs_past { size_of::<Past>() } else { 0 };
        // The hash table holds an index and a control byte a key, and is at most seven eighths full.
        let index = 8 * (size_of::<u32>() + 1) / 7;
        let key = size_of::<Slot>() + size_of::<Live>() + index + rule.components.len() * TEXT + state + past;
        let beside = (rule.kept.len() + rule.stats.len()).saturating_sub(StoredEvent::INLINE) * size_of::<Value>();
        let fields = beside + rule.kept.len() * TEXT;
        let shared = match rule.strategy {
            StrategyKind::Enumerate => 2 * size_of::<usize>() + Enumerate::BYTES_PER_EVENT,
            _ => 3 * size_of::<usize>(),
        };
        Self { key, event: shared + size_of::<StoredEvent>() + fields, at_rest: at_rest(rule, matcher) }
    }

    /// A matcher in which no more than one key of a rule is kept ready.
    pub fn matcher(ruleset: &Arc<Ruleset>) -> Matcher {
        Matcher::new(Arc::clone(ruleset), Limits { live_keys: 0, ..Limits::default() }, None)
    }
}

/// Puts an event into two keys, and looks at the one that does not stay ready.
fn at_rest(rule: &Rule, matcher: &mut Matcher) -> Option<usize> {
    if rule.level > 0 || rule.components.is_empty() || rule.handed_over {
        return None;
    }
    let arena = Arena::default();
    let slots = vec![Field::Str { start: 0, len: TEXT as u32 }; matcher.ruleset().fields.len()];
    let ts = Timestamp::from_millis(MEASURED_AT);
    let seq = Seq::new(0, 1_000_000);
    for first in ["a", "b"] {
        // The fields of an event have the text of its key, as the one that it is found by has.
        let text = format!("{first}{}", "x".repeat(TEXT - 1));
        let view = LineView { slots: &slots, text: &text, arena: &arena, ts, arrival: ts, seq, lazy: None };
        let event = Arrived { view, ts, seq, roles: rule.hints.begins, raw: None, origins: &[], copies: None };
        let mut key = Vec::new();
        for _ in 0..rule.components.len() {
            encode_scalar(ValueRef::Str(&text), &mut key);
        }
        let hash = matcher.ruleset().hash_key(&key);
        matcher.on_hit(rule.id, &key, hash, &event, &mut Vec::new());
    }
    matcher.at_rest(rule.id)
}
