//! Lines and records that gave no event: to a file, and where an input of topics says so to a topic too.

use std::io;
use std::path::Path;

use tripline::io::sink::{LineSink, SinkError};
use tripline::session::Rejected;

use super::inputs::Placed;
use super::kafka::RejectTopics;
use super::outputs::Record;
use crate::cli::exit::Stop;
use crate::cli::settings::Settings;

/// Where they go.
pub struct Rejects {
    file: Record,
    topics: RejectTopics,
}

impl Rejects {
    /// Opens the file, if one is wanted, and the topics of inputs.
    pub fn open(path: Option<&Path>, inputs: &[Placed], settings: &Settings) -> Result<Self, Stop> {
        Ok(Self { file: Record::open(path)?, topics: RejectTopics::open(inputs, settings)? })
    }

    /// Whether anything is kept.
    pub fn wanted(&self) -> bool {
        self.file.wanted() || self.topics.wanted()
    }

    /// What writes lines, to be marked and cut back.
    pub fn lines(&mut self) -> impl Iterator<Item = &mut LineSink> {
        self.file.lines()
    }

    /// Writes one with its place and the reason.
    pub fn rejected(&mut self, input: &str, rejected: &Rejected) -> Result<(), SinkError> {
        self.file.rejected(input, rejected)?;
        self.topics.rejected(rejected).map_err(failed)
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.file.flush()
    }

    /// Waits until topics have everything.
    pub fn settle(&mut self) -> Result<(), SinkError> {
        self.topics.settle().map_err(failed)
    }
}

fn failed(words: String) -> SinkError {
    SinkError::queue(io::Error::other(words))
}
