//! The fields that a rule set reads: a path has one id, whoever reads it.

use hashbrown::{HashMap, HashSet};

use crate::base::FieldId;

/// The path of no parts: its value is the list of all scalars of the event, which `any_value()` reads.
pub const WHOLE_EVENT: [String; 0] = [];

/// Interns field paths over the whole rule set.
#[derive(Debug, Default)]
pub struct Fields {
    paths: Vec<Vec<String>>,
    ids: HashMap<Vec<String>, FieldId, foldhash::fast::FixedState>,
    pub(super) touched: Vec<FieldId>,
    arrival: bool,
    position: bool,
}

impl Fields {
    /// The fields interned or met again since the last call, in the order in which they were met first. Other rules of
    /// the set change nothing about that order: saved states rely on it.
    pub fn take_touched(&mut self) -> Vec<FieldId> {
        let mut seen = HashSet::new();
        self.touched.retain(|field| seen.insert(*field));
        std::mem::take(&mut self.touched)
    }

    /// Notes that `@arrival` is read.
    pub fn touch_arrival(&mut self) {
        self.arrival = true;
    }

    /// Whether `@arrival` was met since the last call.
    pub fn take_arrival(&mut self) -> bool {
        std::mem::take(&mut self.arrival)
    }

    /// Notes that `@seq` is read.
    pub fn touch_position(&mut self) {
        self.position = true;
    }

    /// Whether `@seq` was met since the last call.
    pub fn take_position(&mut self) -> bool {
        std::mem::take(&mut self.position)
    }

    /// The id of a path.
    pub fn intern(&mut self, parts: Vec<String>) -> FieldId {
        if let Some(id) = self.ids.get(&parts) {
            self.touched.push(*id);
            return *id;
        }
        let id = FieldId::from(self.paths.len());
        self.touched.push(id);
        self.paths.push(parts.clone());
        self.ids.insert(parts, id);
        id
    }

    /// The id of a path that was interned.
    pub fn find(&self, parts: &[String]) -> Option<FieldId> {
        self.ids.get(parts).copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// All paths, by id.
    pub fn into_paths(self) -> Vec<Vec<String>> {
        self.paths
    }
}
