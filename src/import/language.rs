//! In which language a source is written: its name's ending says it.

use super::eql;

/// A language of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rule files, `.trip`, and whatever has no other known ending.
    Trip,
    /// EQL: `.eql`, and Elastic's detection rules in `.toml`, `.json` and `.ndjson`.
    Eql(eql::Kind),
    /// Sigma: `.yml` and `.yaml`.
    Sigma,
}

impl Language {
    /// The language of a source of this name.
    pub fn of(name: &str) -> Self {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match eql::Kind::of(name) {
            Some(kind) => Self::Eql(kind),
            None if ending.eq_ignore_ascii_case("yml") || ending.eq_ignore_ascii_case("yaml") => Self::Sigma,
            None => Self::Trip,
        }
    }

    /// Whether it is read into the tree of the rule language from another one.
    pub fn is_imported(self) -> bool {
        self != Self::Trip
    }
}
