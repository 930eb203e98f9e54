//! How often each tuple of values occurs among the events of a window: what counts of distinct values count.

use hashbrown::HashMap;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::budget::block;

type Occurrences = HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>;

/// Encoded tuples with their occurrences. Most windows have none, and take no room for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tuples(Option<Box<Occurrences>>);

impl Tuples {
    /// Different tuples.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |tuples| tuples.len())
    }

    /// One more of a tuple.
    pub(super) fn add(&mut self, tuple: &[u8]) {
        *self.0.get_or_insert_default().entry(tuple.into()).or_insert(0) += 1;
    }

    /// One less.
    pub(super) fn take(&mut self, tuple: &[u8]) {
        let Some(tuples) = &mut self.0 else { return };
        if let Some(count) = tuples.get_mut(tuple) {
            *count -= 1;
            if *count == 0 {
                tuples.remove(tuple);
            }
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let Some(tuples) = &self.0 else { return 0 };
        let keys = tuples.keys().map(|tuple| block(tuple.len())).sum::<usize>();
        block(size_of::<Occurrences>()) + block(tuples.allocation_size()) + keys
    }
}

/// As the map that it is, empty or not.
impl Serialize for Tuples {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(tuples) => tuples.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

impl<'de> Deserialize<'de> for Tuples {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tuples = Occurrences::deserialize(deserializer)?;
        Ok(Self((!tuples.is_empty()).then(|| Box::new(tuples))))
    }
}
