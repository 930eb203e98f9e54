//! What a host keeps for one host key, as bytes.
//!
//! ```text
//! version │ layout │ cursor │ watched rules: tag │ rules: tag, state │ sent: tag, key, when, how many dropped
//! ```
//! States are those of a state file ([`crate::matcher::saved`]); their layout is part of the head. A cell that holds
//! nothing is no bytes at all.

use std::sync::Arc;

use smallvec::SmallVec;

use super::bytes::{FormatError, Reader, put_bytes, put_number};
use super::names::{HostRules, RuleTag};
use crate::alert::suppress::{Sent, Suppressor};
use crate::base::{RuleId, Timestamp};
use crate::matcher::RuleEnv;
use crate::matcher::key::KeyState;
use crate::matcher::saved::{LAYOUT, read_state, write_state};

const VERSION: u8 = 1;
const WHAT: &str = "the state of a key";

/// A rule's state under a host key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) rule: RuleId,
    pub(super) state: KeyState,
    /// When time alone next does something to it; [`Timestamp::MAX`] for never.
    pub(super) wakes: Timestamp,
}

/// Everything that is kept under a host key.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// In the order of rules.
    pub(super) entries: SmallVec<[Entry; 1]>,
    /// Ticks before this have been made; `None` before any event.
    pub(super) cursor: Option<Timestamp>,
    /// Rules that watch this key, and have begun.
    pub(super) watched: Vec<RuleId>,
    /// What `suppress` remembers.
    pub(super) sent: Suppressor,
    /// States of rules that have gone or were changed.
    pub(super) dropped: usize,
}

pub(super) fn env<'a>(host: &'a HostRules, rule: RuleId, key: &'a [crate::base::Value]) -> RuleEnv<'a> {
    let rules: &'a Arc<_> = &host.rules;
    let rule = &rules.rules[rule.index()];
    RuleEnv { key, ..RuleEnv::new(rule, &rules.tables, &host.config.limits) }
}

impl Cell {
    /// Reads a cell; what it holds of rules that are not in this rule set is dropped and counted.
    pub(super) fn read(host: &HostRules, bytes: &[u8]) -> Result<Self, FormatError> {
        let mut cell = Self::default();
        if bytes.is_empty() {
            return Ok(cell);
        }
        let mut reader = Reader::new(WHAT, bytes, VERSION)?;
        let same_layout = reader.number()? == u64::from(LAYOUT);
        cell.cursor = reader.value::<Option<i64>>()?.map(Timestamp);
        for _ in 0..reader.number()? {
            cell.watched.extend(host.rule(RuleTag(reader.word()?)));
        }
        for _ in 0..reader.number()? {
            let (tag, state) = (RuleTag(reader.word()?), reader.bytes()?);
            let Some(rule) = host.rule(tag).filter(|_| same_layout) else {
                cell.dropped += 1;
                continue;
            };
            let mut state = read_state(state).map_err(|_| reader.damaged())?;
            let env = env(host, rule, &[]);
            state.run.ready(&env);
            let wakes = state.wakes(&env).unwrap_or(Timestamp::MAX);
            cell.entries.push(Entry { rule, state, wakes });
        }
        cell.entries.sort_by_key(|entry| entry.rule);
        for _ in 0..reader.number()? {
            let (tag, key) = (RuleTag(reader.word()?), reader.bytes()?);
            let sent: Sent = reader.value()?;
            if let Some(rule) = host.rule(tag) {
                cell.sent.put_back(rule, key, sent);
            }
        }
        if reader.is_over() { Ok(cell) } else { Err(reader.damaged()) }
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.watched.is_empty() && self.sent.is_empty()
    }

    /// Forgets what no alert from `now` on asks for.
    pub(super) fn forget_before(&mut self, now: Timestamp) {
        if !self.sent.is_empty() {
            self.sent.forget_before(now);
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let states = self.entries.iter().map(|entry| entry.state.heap()).sum::<usize>();
        let spilled = if self.entries.spilled() { self.entries.capacity() * size_of::<Entry>() } else { 0 };
        states + spilled + self.sent.heap()
    }

    /// The cell as bytes; none if it holds nothing.
    pub(super) fn write(&self, host: &HostRules) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut out = vec![VERSION];
        put_number(u64::from(LAYOUT), &mut out);
        let cursor = self.cursor.filter(|_| !host.ticked.is_empty()).map(|cursor| cursor.0);
        out = postcard::to_extend(&cursor, out).expect("memory takes any bytes");
        put_number(self.watched.len() as u64, &mut out);
        for rule in &self.watched {
            out.extend_from_slice(&host.tag(*rule).0.to_le_bytes());
        }
        put_number(self.entries.len() as u64, &mut out);
        let mut state = Vec::new();
        for entry in &self.entries {
            out.extend_from_slice(&host.tag(entry.rule).0.to_le_bytes());
            state.clear();
            state = write_state(&entry.state.run, entry.state.past.as_deref(), state);
            put_bytes(&state, &mut out);
        }
        let sent = self.sent.sorted();
        put_number(sent.len() as u64, &mut out);
        for (rule, key, sent) in sent {
            out.extend_from_slice(&host.tag(rule).0.to_le_bytes());
            put_bytes(key, &mut out);
            out = postcard::to_extend(&sent, out).expect("memory takes any bytes");
        }
        out
    }
}
