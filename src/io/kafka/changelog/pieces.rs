//! The states of keys as records: one record a state, or several if it is longer than brokers take.
//!
//! ```text
//! "/" rule 0 key         ─►  the state
//! "=" rule 0 key         ─►  number of further parts u32 │ hash of the whole u64 │ first part       of a long one
//! "+" number rule 0 key  ─►  a further part; numbers are u32, the most significant byte first
//! ```
//! Invariants: of one name there is a "/" or a "=", never both. What a state no longer needs is taken away with the
//! next record of its name, so that compaction never brings back a part of what once was. For that whoever writes has
//! to know which states are [`Long`] in the topic.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use super::ChangelogError;

/// Bytes of a part: brokers take a mebibyte if nothing else is set, and the key of the record is part of that.
pub(super) const PART: usize = 512 << 10;

const WHOLE: u8 = b'/';
const FIRST: u8 = b'=';
const FURTHER: u8 = b'+';

/// Key and value of a record; a tombstone has no value.
pub(super) type Record = (Vec<u8>, Option<Vec<u8>>);

/// The states of a partition as they were read, by their names: rule, 0, key.
#[derive(Debug, Default)]
pub(super) struct States {
    whole: BTreeMap<Vec<u8>, Vec<u8>>,
    firsts: BTreeMap<Vec<u8>, Vec<u8>>,
    further: BTreeMap<Vec<u8>, BTreeMap<u32, Vec<u8>>>,
}

/// Names of states that stand in several records, with the highest number of a part that may be there.
#[derive(Debug, Default)]
pub(super) struct Long(BTreeMap<Vec<u8>, u32>);

impl States {
    /// Takes in a record, in the order of offsets. `false` if it is none of a state.
    pub(super) fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> bool {
        let Some((kind, name)) = key.split_first() else { return false };
        match *kind {
            WHOLE => put(&mut self.whole, name.to_vec(), value),
            FIRST => put(&mut self.firsts, name.to_vec(), value),
            FURTHER => {
                let Some((number, name)) = name.split_first_chunk::<4>() else { return false };
                let parts = self.further.entry(name.to_vec()).or_default();
                put(parts, u32::from_be_bytes(*number), value);
                if parts.is_empty() {
                    self.further.remove(name);
                }
            }
            _ => return false,
        }
        true
    }

    /// All names of which there is anything.
    pub(super) fn names(&self) -> BTreeSet<&[u8]> {
        let names = self.whole.keys().chain(self.firsts.keys()).chain(self.further.keys());
        names.map(Vec::as_slice).collect()
    }

    /// A state, put together; none if only parts of an earlier one are left.
    pub(super) fn get(&self, name: &[u8]) -> Result<Option<Cow<'_, [u8]>>, ChangelogError> {
        let first = match (self.whole.get(name), self.firsts.get(name)) {
            (None, None) => return Ok(None),
            (Some(whole), None) => return Ok(Some(Cow::Borrowed(whole))),
            (None, Some(first)) => first,
            (Some(_), Some(_)) => return Err(ChangelogError::Unreadable),
        };
        let unreadable = || ChangelogError::Unreadable;
        let (count, rest) = first.split_first_chunk::<4>().ok_or_else(unreadable)?;
        let (hash, first) = rest.split_first_chunk::<8>().ok_or_else(unreadable)?;
        let mut whole = first.to_vec();
        for number in 1..=u32::from_le_bytes(*count) {
            let part = self.further.get(name).and_then(|parts| parts.get(&number)).ok_or(ChangelogError::Missing)?;
            whole.extend_from_slice(part);
        }
        // Parts of different checkpoints would be as bad as one that is not there.
        if xxh3_64(&whole) == u64::from_le_bytes(*hash) { Ok(Some(whole.into())) } else { Err(ChangelogError::Missing) }
    }

    /// Which of them stand in several records.
    pub(super) fn long(&self) -> Long {
        let mut long: BTreeMap<Vec<u8>, u32> = self.firsts.keys().map(|name| (name.clone(), 0)).collect();
        for (name, parts) in &self.further {
            long.insert(name.clone(), parts.keys().next_back().copied().unwrap_or(0));
        }
        Long(long)
    }
}

fn put<K: Ord>(into: &mut BTreeMap<K, Vec<u8>>, key: K, value: Option<&[u8]>) {
    match value {
        Some(value) => drop(into.insert(key, value.to_vec())),
        None => drop(into.remove(&key)),
    }
}

impl Long {
    /// Adds the records by which a name has this state from now on; none if it holds nothing any more.
    pub(super) fn put(&mut self, name: &[u8], state: Option<&[u8]>, records: &mut Vec<Record>) {
        let before = self.0.remove(name);
        let mut kept = 0;
        match state {
            Some(state) if state.len() > PART => {
                let (first, further) = state.split_at(PART);
                for (number, part) in (1_u32..).zip(further.chunks(PART)) {
                    records.push((further_key(number, name), Some(part.to_vec())));
                    kept = number;
                }
                if before.is_none() {
                    records.push((key(WHOLE, name), None));
                }
                let head = [&kept.to_le_bytes()[..], &xxh3_64(state).to_le_bytes(), first].concat();
                records.push((key(FIRST, name), Some(head)));
                self.0.insert(name.to_vec(), kept);
            }
            Some(state) => records.push((key(WHOLE, name), Some(state.to_vec()))),
            None if before.is_none() => records.push((key(WHOLE, name), None)),
            None => {}
        }
        if let Some(highest) = before {
            if kept == 0 {
                records.push((key(FIRST, name), None));
            }
            records.extend((kept + 1..=highest).map(|number| (further_key(number, name), None)));
        }
    }
}

fn key(kind: u8, name: &[u8]) -> Vec<u8> {
    [&[kind], name].concat()
}

fn further_key(number: u32, name: &[u8]) -> Vec<u8> {
    [&[FURTHER], &number.to_be_bytes()[..], name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A topic after compaction: the newest record of each key.
    #[derive(Default)]
    struct Topic(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Topic {
        fn write(&mut self, records: Vec<Record>) {
            for (key, value) in records {
                assert!(value.as_ref().is_none_or(|value| value.len() <= PART + 12), "brokers take each");
                put(&mut self.0, key, value.as_deref());
            }
        }

        fn read(&self) -> States {
            let mut states = States::default();
            self.0.iter().for_each(|(key, value)| assert!(states.take(key, Some(value))));
            states
        }
    }

    fn state(bytes: usize, seed: usize) -> Vec<u8> {
        (0..bytes).map(|n| ((n + seed) % 251) as u8).collect()
    }

    /// Also with a new process between any two checkpoints, which knows only what it reads.
    #[test]
    fn a_state_that_is_longer_than_a_record_may_be_comes_back_whole() {
        let name = b"rule\0key";
        let sizes = [3 * PART + 7, 10, 2 * PART, PART + 1, 4 * PART, PART, 0, 5 * PART];
        for restarts in [false, true] {
            let (mut topic, mut long) = (Topic::default(), Long::default());
            for (seed, bytes) in sizes.into_iter().enumerate() {
                if restarts {
                    long = topic.read().long();
                }
                let (state, mut records) = (state(bytes, seed), Vec::new());
                long.put(name, Some(&state), &mut records);
                topic.write(records);
                assert_eq!(topic.read().get(name).expect("whole").as_deref(), Some(&state[..]), "{bytes}");
                let needed = 1 + bytes.saturating_sub(1) / PART;
                assert_eq!(topic.0.len(), needed, "nothing is left of longer ones: {bytes}");
            }
            let mut records = Vec::new();
            long.put(name, None, &mut records);
            topic.write(records);
            assert!(topic.0.is_empty(), "all of it is gone");
        }
    }

    #[test]
    fn a_state_of_which_a_part_is_missing_or_another_is_refused() {
        let name = b"rule\0key";
        let (mut topic, mut records) = (Topic::default(), Vec::new());
        Long::default().put(name, Some(&state(3 * PART, 1)), &mut records);
        topic.write(records);
        let keys: Vec<Vec<u8>> = topic.0.keys().filter(|key| key[0] == FURTHER).cloned().collect();
        assert_eq!(keys.len(), 2);
        for key in keys {
            let part = topic.0.remove(&key).expect("a part");
            assert_eq!(topic.read().get(name), Err(ChangelogError::Missing));
            topic.0.insert(key.clone(), state(PART, 2));
            assert_eq!(topic.read().get(name), Err(ChangelogError::Missing));
            topic.0.insert(key, part);
        }
        assert!(topic.read().get(name).is_ok());
    }
}
