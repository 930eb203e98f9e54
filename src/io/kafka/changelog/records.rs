//! What a checkpoint is as records of a partition of a state topic.
//!
//! ```text
//! "/" rule 0 key …  ─►  the state of the key (`pieces`)      tombstones where it holds nothing any more
//! "commit.1" …      ─►  a further part of the commit, if it is long
//! "commit"          ─►  form │ number of further parts │ commit     the last record of each checkpoint
//! ```
//! Rules are known by their names, so records stay good when rules come and go. Compaction keeps the newest record of
//! each name.

use std::collections::{BTreeMap, BTreeSet};

use super::ChangelogError;
use super::pieces::{Long, PART, Record, States};
use crate::io::state::{Commit, Recovered};
use crate::matcher::saved::{Change, Changes, read_chunk};
use crate::session::head::Head;

/// The form of what is written. To be raised when it changes.
const FORM: u8 = 2;
/// The form in which a commit was one record.
const WHOLE: u8 = 1;
/// The key of the record that holds everything but the states of keys.
const COMMIT: &[u8] = b"commit";

/// Everything that is committed in a partition.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The newest commit.
    commit: Option<Vec<u8>>,
    /// Further parts of commits by their numbers; those of an earlier, longer one may be among them.
    parts: BTreeMap<usize, Vec<u8>>,
    /// The states of keys.
    states: States,
    /// A record was there that this release would not write.
    strange: bool,
}

impl Known {
    /// Takes in a record, in the order of offsets.
    pub(super) fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        match (key, value) {
            (Some(COMMIT), Some(value)) => self.commit = Some(value.to_vec()),
            (Some(key), Some(value)) if part(key).is_some() => {
                self.parts.extend(part(key).map(|number| (number, value.to_vec())));
            }
            (Some(key), value) => self.strange |= !self.states.take(key, value) && value.is_some(),
            (None, _) => {}
        }
    }

    /// What it is to a run; nothing if nothing was ever committed.
    pub(super) fn recovered(&self) -> Result<Option<Recovered>, ChangelogError> {
        let broken = || ChangelogError::Unreadable;
        if self.commit.is_none() {
            return Ok(None);
        }
        if self.strange {
            return Err(broken());
        }
        let commit = Commit::from_bytes(&self.whole()?).map_err(|_| broken())?;
        let head = Head::from_bytes(&commit.head).map_err(|_| broken())?;
        let mut keys = Changes::default();
        for name in self.states.names() {
            let end = memchr::memchr(0, name).ok_or_else(broken)?;
            // A rule that the head does not know has been taken away since.
            let Some(rule) = head.rules.iter().position(|rule| rule.name.as_bytes() == &name[..end]) else { continue };
            if let Some(state) = self.states.get(name)? {
                keys.push(Change { rule: rule as u32, key: &name[end + 1..], state: Some(&state) });
            }
        }
        Ok(Some(Recovered { commit, keys }))
    }
}

impl Known {
    /// The newest commit, put together.
    fn whole(&self) -> Result<Vec<u8>, ChangelogError> {
        let commit = self.commit.as_deref().unwrap_or_default();
        if let Some(bytes) = commit.strip_prefix(&[WHOLE]) {
            return Ok(bytes.to_vec());
        }
        let parts = commit.strip_prefix(&[FORM]).and_then(|rest| rest.split_first_chunk::<4>());
        let (count, first) = parts.ok_or(ChangelogError::Unreadable)?;
        let mut whole = first.to_vec();
        for number in 1..=u32::from_le_bytes(*count) {
            whole.extend_from_slice(self.parts.get(&(number as usize)).ok_or(ChangelogError::Missing)?);
        }
        Ok(whole)
    }

    /// Which states stand in several records.
    pub(super) fn long(&self) -> Long {
        self.states.long()
    }
}

/// The number of a further part of a commit, if a key is that of one.
fn part(key: &[u8]) -> Option<usize> {
    let number = key.strip_prefix(COMMIT)?.strip_prefix(b".")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The records of a commit.
fn commit_records(commit: &[u8]) -> Vec<Record> {
    let (first, further) = commit.split_at(commit.len().min(PART));
    let mut records = Vec::new();
    for (number, part) in (1_u32..).zip(further.chunks(PART)) {
        records.push((format!("commit.{number}").into_bytes(), Some(part.to_vec())));
    }
    let count = u32::try_from(records.len()).unwrap_or(u32::MAX).to_le_bytes();
    records.push((COMMIT.to_vec(), Some([&[FORM][..], &count, first].concat())));
    records
}

/// The records of one checkpoint, the commit last.
#[derive(Debug)]
pub(super) struct Records(Vec<Record>);

impl Records {
    /// States that have changed, and the commit. With what is known of the partition, only what differs from it: the
    /// first checkpoint of a run has all keys, and what it does not have is to be taken away. `long` is which states
    /// stand in several records, and is kept right.
    pub(super) fn new(
        known: Option<Known>,
        long: &mut Long,
        commit: &Commit,
        keys: &Changes,
    ) -> Result<Self, ChangelogError> {
        let head = Head::from_bytes(&commit.head).map_err(|_| ChangelogError::Unreadable)?;
        let mut records = Vec::new();
        let mut seen = BTreeSet::new();
        for chunk in &keys.chunks {
            for Change { rule, key, state } in read_chunk(chunk).map_err(|_| ChangelogError::Unreadable)? {
                let rule = head.rules.get(rule as usize).map_or(&b""[..], |rule| rule.name.as_bytes());
                let name = [rule, &[0], key].concat();
                let same = match &known {
                    Some(known) => known.states.get(&name)?.as_deref() == state,
                    None => false,
                };
                if !same {
                    long.put(&name, state, &mut records);
                }
                if known.is_some() {
                    seen.insert(name);
                }
            }
        }
        if let Some(known) = known {
            for name in known.states.names().into_iter().filter(|name| !seen.contains(*name)) {
                long.put(name, None, &mut records);
            }
        }
        records.extend(commit_records(&commit.to_bytes()));
        Ok(Self(records))
    }

    /// Key and value of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(commits: &[Vec<u8>]) -> Result<Vec<u8>, ChangelogError> {
        let mut known = Known::default();
        for (key, value) in commits.iter().flat_map(|commit| commit_records(commit)) {
            assert!(value.as_ref().is_some_and(|value| value.len() <= PART + 5), "brokers take each");
            known.take(Some(&key), value.as_deref());
        }
        known.whole()
    }

    /// A run over a topic that is far ahead in one partition holds more events back than a record may be long.
    #[test]
    fn a_commit_that_is_longer_than_a_record_may_be_comes_back_whole() {
        let long: Vec<u8> = (0..3 * PART + 7).map(|n| (n % 251) as u8).collect();
        let short = b"short".to_vec();
        for commits in [vec![long.clone()], vec![short.clone()], vec![long.clone(), short], vec![Vec::new(), long]] {
            assert_eq!(read(&commits).ok(), commits.last().cloned());
        }
    }

    #[test]
    fn a_commit_of_the_first_form_is_read() {
        let mut known = Known::default();
        known.take(Some(COMMIT), Some(&[WHOLE, 7, 8]));
        assert_eq!(known.whole(), Ok(vec![7, 8]));
    }
}
