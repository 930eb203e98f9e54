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

/// Everything that is kept under a host key. It is small: there are many, and they lie anywhere in memory.
#[derive(Debug, Default)]
pub(super) struct Cell {
    /// In the order of rules.
    pub(super) entries: SmallVec<[Entry; 1]>,
    /// Ticks before this have been made; `None` before any event.
    pub(super) cursor: Option<Timestamp>,
    /// Not there if it is empty.
    beside: Option<Box<Beside>>,
}

/// What few keys have.
#[derive(Debug, Default)]
struct Beside {
    /// Rules that watch this key, and have begun.
    watched: Vec<RuleId>,
    /// What `suppress` remembers.
    sent: Suppressor,
}

pub(super) fn env<'a>(host: &'a HostRules, rule: RuleId, key: &'a [crate::base::Value]) -> RuleEnv<'a> {
    let rules: &'a Arc<_> = &host.rules;
    let rule = &rules.rules[rule.index()];
    RuleEnv { key, ..RuleEnv::new(rule, &rules.tables, &host.config.limits) }
}

impl Cell {
    /// One that has seen no event, with states.
    pub(super) fn of(entries: impl Iterator<Item = Entry>) -> Self {
        Self { entries: entries.collect(), ..Self::default() }
    }

    /// Reads a cell; what it holds of rules that are not in this rule set is dropped and counted.
    pub(super) fn read(host: &HostRules, bytes: &[u8]) -> Result<(Self, usize), FormatError> {
        let (mut cell, mut dropped) = (Self::default(), 0);
        if bytes.is_empty() {
            return Ok((cell, dropped));
        }
        let mut reader = Reader::new(WHAT, bytes, VERSION)?;
        let same_layout = reader.number()? == u64::from(LAYOUT);
        cell.cursor = reader.value::<Option<i64>>()?.map(Timestamp);
        for _ in 0..reader.number()? {
            if let Some(rule) = host.rule(RuleTag(reader.word()?)) {
                cell.watch(rule);
            }
        }
        for _ in 0..reader.number()? {
            let (tag, state) = (RuleTag(reader.word()?), reader.bytes()?);
            let Some(rule) = host.rule(tag).filter(|_| same_layout) else {
                dropped += 1;
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
                cell.sent_mut().put_back(rule, key, sent);
            }
        }
        if reader.is_over() { Ok((cell, dropped)) } else { Err(reader.damaged()) }
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.beside.is_none()
    }

    /// Whether a rule watches this key, and has begun.
    pub(super) fn watches(&self, rule: RuleId) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.watched.contains(&rule))
    }

    /// A rule watches this key from now on.
    pub(super) fn watch(&mut self, rule: RuleId) {
        self.beside.get_or_insert_default().watched.push(rule);
    }

    /// What `suppress` remembers. [`Cell::forget_before`] comes behind changes.
    pub(super) fn sent_mut(&mut self) -> &mut Suppressor {
        &mut self.beside.get_or_insert_default().sent
    }

    /// When the first of what `suppress` remembers makes no difference any more.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.beside.as_ref()?.sent.expires()
    }

    /// Forgets what no alert from `now` on asks for.
    pub(super) fn forget_before(&mut self, now: Timestamp) {
        let Some(beside) = &mut self.beside else { return };
        beside.sent.forget_before(now);
        if beside.watched.is_empty() && beside.sent.is_empty() {
            self.beside = None;
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let states = self.entries.iter().map(|entry| entry.state.heap()).sum::<usize>();
        let spilled = if self.entries.spilled() { self.entries.capacity() * size_of::<Entry>() } else { 0 };
        let beside = self.beside.as_ref().map_or(0, |beside| size_of::<Beside>() + beside.sent.heap());
        states + spilled + beside
    }

    /// The cell as bytes; none if it holds nothing.
    pub(super) fn write(&self, host: &HostRules) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut out = vec![VERSION];
        put_number(u64::from(LAYOUT), &mut out);
        let cursor = self.cursor.filter(|_| !host.ticked.is_empty()).map(|cursor| cursor.0);
        let (nothing, beside) = (Beside::default(), self.beside.as_deref());
        let Beside { watched, sent } = beside.unwrap_or(&nothing);
        out = postcard::to_extend(&cursor, out).expect("memory takes any bytes");
        put_number(watched.len() as u64, &mut out);
        for rule in watched {
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
        let sent = sent.sorted();
        put_number(sent.len() as u64, &mut out);
        for (rule, key, sent) in sent {
            out.extend_from_slice(&host.tag(rule).0.to_le_bytes());
            put_bytes(key, &mut out);
            out = postcard::to_extend(&sent, out).expect("memory takes any bytes");
        }
        out
    }
}
