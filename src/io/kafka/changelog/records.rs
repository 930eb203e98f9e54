//! What a checkpoint is as records of a partition of a state topic.
//!
//! ```text
//! "/" rule 0 key  ─►  the state of the key        a tombstone where it holds nothing any more
//! "commit"        ─►  form │ commit               the last record of each checkpoint
//! ```
//! Rules are known by their names, so records stay good when rules come and go. Compaction keeps the newest record of
//! each name.

use std::collections::{BTreeMap, BTreeSet};

use super::ChangelogError;
use crate::io::state::{Commit, Recovered};
use crate::matcher::saved::{Change, Changes, read_chunk};
use crate::session::head::Head;

/// The form of what is written. To be raised when it changes.
const FORM: u8 = 1;
/// The key of the record that holds everything but the states of keys.
const COMMIT: &[u8] = b"commit";
/// What keys of states begin with.
const STATE: u8 = b'/';

/// Everything that is committed in a partition.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The newest commit.
    commit: Option<Vec<u8>>,
    /// States by the keys of their records.
    states: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Known {
    /// Takes in a record, in the order of offsets.
    pub(super) fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        match (key, value) {
            (Some(COMMIT), Some(value)) => self.commit = Some(value.to_vec()),
            (Some(key), Some(value)) => drop(self.states.insert(key.to_vec(), value.to_vec())),
            (Some(key), None) => drop(self.states.remove(key)),
            (None, _) => {}
        }
    }

    /// What it is to a run; nothing if nothing was ever committed.
    pub(super) fn recovered(&self) -> Result<Option<Recovered>, ChangelogError> {
        let broken = || ChangelogError::Unreadable;
        let Some(bytes) = &self.commit else { return Ok(None) };
        let bytes = bytes.strip_prefix(&[FORM]).ok_or_else(broken)?;
        let commit = Commit::from_bytes(bytes).map_err(|_| broken())?;
        let head = Head::from_bytes(&commit.head).map_err(|_| broken())?;
        let mut keys = Changes::default();
        for (name, state) in &self.states {
            let rest = name.strip_prefix(&[STATE]).ok_or_else(broken)?;
            let end = memchr::memchr(0, rest).ok_or_else(broken)?;
            // A rule that the head does not know has been taken away since.
            let Some(rule) = head.rules.iter().position(|rule| rule.name.as_bytes() == &rest[..end]) else { continue };
            keys.push(Change { rule: rule as u32, key: &rest[end + 1..], state: Some(state) });
        }
        Ok(Some(Recovered { commit, keys }))
    }
}

/// The records of one checkpoint, the commit last.
#[derive(Debug)]
pub(super) struct Records(Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl Records {
    /// States that have changed, and the commit. With what is known of the partition, only what differs from it: the
    /// first checkpoint of a run has all keys, and what it does not have is to be taken away.
    pub(super) fn new(known: Option<Known>, commit: &Commit, keys: &Changes) -> Result<Self, ChangelogError> {
        let head = Head::from_bytes(&commit.head).map_err(|_| ChangelogError::Unreadable)?;
        let mut records = Vec::new();
        let mut same = BTreeSet::new();
        for chunk in &keys.chunks {
            for Change { rule, key, state } in read_chunk(chunk).map_err(|_| ChangelogError::Unreadable)? {
                let rule = head.rules.get(rule as usize).map_or(&b""[..], |rule| rule.name.as_bytes());
                let name = [&[STATE], rule, &[0], key].concat();
                match &known {
                    Some(known) if known.states.get(&name).map(Vec::as_slice) == state => drop(same.insert(name)),
                    Some(_) => {
                        same.insert(name.clone());
                        records.push((name, state.map(<[u8]>::to_vec)));
                    }
                    None => records.push((name, state.map(<[u8]>::to_vec))),
                }
            }
        }
        let gone = known.into_iter().flat_map(|known| known.states.into_keys()).filter(|name| !same.contains(name));
        records.extend(gone.map(|name| (name, None)));
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&commit.to_bytes());
        records.push((COMMIT.to_vec(), Some(bytes)));
        Ok(Self(records))
    }

    /// Key and value of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
}
