//! Settings with a fixed set of words, each with the words it is written by.

use crate::alert::Evidence;
use crate::decode::timefield::OnMissing;
use crate::session::AtEnd;

/// A setting that is one of a few words.
pub trait Choice: Copy + 'static {
    /// Every word with what it stands for, in the order in which help shows them.
    const WORDS: &'static [(&'static str, Self)];

    /// What a word stands for.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
    }
}

/// How alerts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Pretty,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Ecs,
}

impl Choice for OutputFormat {
    const WORDS: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("pretty", Self::Pretty), ("ecs", Self::Ecs)];
}

impl Choice for OnMissing {
    const WORDS: &'static [(&'static str, Self)] = &[("arrival", Self::Arrival), ("reject", Self::Reject)];
}

impl Choice for AtEnd {
    const WORDS: &'static [(&'static str, Self)] = &[("pending", Self::Pending), ("flush", Self::Flush)];
}

impl Choice for Evidence {
    const WORDS: &'static [(&'static str, Self)] =
        &[("full", Self::Full), ("fields", Self::Fields), ("ids", Self::Ids)];
}
