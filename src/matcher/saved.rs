//! States of keys as bytes: what checkpoints and saved sessions hold of a matcher.
//!
//! ```text
//! change = rule │ length of the key │ key │ 0: gone, or 1 + length of the state │ state
//! ```
//! Numbers are varints; the state is a [`RunState`] and a [`Past`] in postcard's form. Changes are gathered in chunks
//! of about a mebibyte, so that whoever stores them never has to hold all of them at once. Who folds changes together
//! needs to know nothing of states: the last change of a rule and key counts.

use serde::{Deserialize, Serialize};

use super::key::KeyState;
use super::past::Past;
use super::shard::{Matcher, RuleCounters};
use super::state::RunState;
use crate::base::RuleId;

/// The form of states of keys. It is to be raised when what any state writes changes: then states of the old form are
/// read by code that is kept for them, or their rules begin anew.
pub const LAYOUT: u32 = 1;

/// A chunk is closed once it is this long.
const CHUNK: usize = 1 << 20;

/// What is saved of a rule beside its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHead {
    /// Its counters.
    pub counters: RuleCounters,
    /// Expected keys that have begun.
    pub(super) expected: Vec<Box<[u8]>>,
}

impl RuleHead {
    /// Adds what another shard has of the same rule.
    pub fn add(&mut self, other: Self) {
        self.counters.add(&other.counters);
        self.expected.extend(other.expected);
    }
}

/// Changes of keys, in chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Each holds whole changes.
    pub chunks: Vec<Vec<u8>>,
    /// How many changes they are.
    pub count: u64,
}

/// A change of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The rule, by its place in the rule set that wrote it.
    pub rule: u32,
    /// The encoded key.
    pub key: &'a [u8],
    /// What it holds; `None` if it holds nothing any more.
    pub state: Option<&'a [u8]>,
}

fn write_number(n: usize, out: &mut Vec<u8>) {
    let bytes = postcard::to_extend(&(n as u64), std::mem::take(out)).expect("memory takes any bytes");
    *out = bytes;
}

impl Changes {
    fn chunk(&mut self) -> &mut Vec<u8> {
        if self.chunks.last().is_none_or(|chunk| chunk.len() >= CHUNK) {
            self.chunks.push(Vec::new());
        }
        self.count += 1;
        self.chunks.last_mut().expect("one was pushed")
    }

    /// Adds a change.
    pub fn push(&mut self, change: Change<'_>) {
        let chunk = self.chunk();
        write_number(change.rule as usize, chunk);
        write_number(change.key.len(), chunk);
        chunk.extend_from_slice(change.key);
        write_number(change.state.map_or(0, |state| state.len() + 1), chunk);
        chunk.extend_from_slice(change.state.unwrap_or_default());
    }

    /// Adds those of another shard.
    pub fn append(&mut self, mut other: Self) {
        self.chunks.append(&mut other.chunks);
        self.count += other.count;
    }
}

/// The changes of a chunk, in order.
///
/// # Errors
/// The bytes are no chunk.
pub fn read_chunk(chunk: &[u8]) -> Result<Vec<Change<'_>>, postcard::Error> {
    fn cut<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], postcard::Error> {
        let length = usize::try_from(length).map_err(|_| postcard::Error::DeserializeUnexpectedEnd)?;
        let (taken, left) = rest.split_at_checked(length).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        *rest = left;
        Ok(taken)
    }
    fn number(rest: &mut &[u8]) -> Result<u64, postcard::Error> {
        let (n, left) = postcard::take_from_bytes(rest)?;
        *rest = left;
        Ok(n)
    }
    let (mut rest, mut changes) = (chunk, Vec::new());
    while !rest.is_empty() {
        let rule = u32::try_from(number(&mut rest)?).map_err(|_| postcard::Error::DeserializeBadVarint)?;
        let length = number(&mut rest)?;
        let key = cut(&mut rest, length)?;
        let state = match number(&mut rest)? {
            0 => None,
            length => Some(cut(&mut rest, length - 1)?),
        };
        changes.push(Change { rule, key, state });
    }
    Ok(changes)
}

/// Writes a state that is ready for events.
pub fn write_state(run: &RunState, past: Option<&Past>, out: Vec<u8>) -> Vec<u8> {
    let out = postcard::to_extend(run, out).expect("memory takes any bytes");
    postcard::to_extend(&past, out).expect("memory takes any bytes")
}

/// Reads what [`write_state`] wrote.
pub fn read_state(bytes: &[u8]) -> Result<KeyState, postcard::Error> {
    let (run, rest) = postcard::take_from_bytes(bytes)?;
    let (past, rest) = postcard::take_from_bytes(rest)?;
    if rest.is_empty() { Ok(KeyState { run, past }) } else { Err(postcard::Error::DeserializeBadEncoding) }
}

impl Matcher {
    /// What is saved of each rule beside its keys.
    pub fn heads(&self) -> Vec<RuleHead> {
        (0..self.counters().len()).map(|at| self.head(RuleId::from(at))).collect()
    }

    /// The states of all keys, sorted by rule and key.
    pub fn save_keys(&self) -> Changes {
        let mut changes = Changes::default();
        let mut state = Vec::new();
        for rule in (0..self.counters().len()).map(RuleId::from) {
            for (key, held) in self.sorted(rule) {
                state.clear();
                state = write_state(&held.run, held.past.as_deref(), state);
                changes.push(Change { rule: rule.0, key: &key, state: Some(&state) });
            }
        }
        changes
    }

    /// From now on remembers which keys change; those that are there have.
    pub fn track_changes(&mut self) {
        self.tables_mut().iter_mut().for_each(|table| table.track());
    }

    /// What has changed since the last call, or since [`Matcher::track_changes`].
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        self.tables_mut().iter_mut().for_each(|table| table.take_changed(&mut changes));
        changes
    }
}
