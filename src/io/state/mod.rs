//! The state directory of a run: checkpoints, in two generations, each checked frame by frame.
//!
//! ```text
//! DIR/lock                            held while a run uses the directory
//! DIR/00000007.checkpoints            the generation before
//! DIR/00000008.checkpoints            base │ commit │ changes │ commit │ changes │ commit …
//! DIR/00000005.checkpoints.damaged    set aside, never deleted
//! ```
//! A checkpoint counts once its commit is on the disk, whole. Changes are appended; when they outweigh the base, a new
//! generation begins with everything folded together. What is found damaged is named and set aside, and the newest
//! checkpoint from which everything back to its base is intact is used: inputs are then read again from there, and
//! outputs are cut back to where they stood, so the answer is the same. Relies on `segment` for frames, on `session`
//! and `matcher` for what heads and chunks of keys hold; does not look into states.

mod error;
mod generation;
mod inspect;
mod lock;
mod store;
mod writer;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::engine::Place;

pub use error::StateDirError;
pub use inspect::{GenerationReport, inspect, inspect_bytes, repair};
pub use store::{Finding, Recovered, StateDir};
pub use writer::{CheckpointWriter, Committed, Durable};

/// Where one input had come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedInput {
    /// Its name, as the run was given it.
    pub name: String,
    /// The place after what the state has taken in.
    pub place: Place,
}

/// Where one output stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOutput {
    /// Its name, as messages give it.
    pub name: String,
    /// Its length in bytes, or its position in a log.
    pub end: u64,
}

/// What a checkpoint holds beside the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Checkpoints of the directory are numbered from 1.
    pub number: u64,
    /// When it was taken, by the wall clock.
    pub taken: Timestamp,
    /// The release that wrote it.
    pub release: String,
    /// Inputs, in the order of their numbers.
    pub inputs: Vec<SavedInput>,
    /// Outputs.
    pub outputs: Vec<SavedOutput>,
    /// The engine's head: [`crate::session::head::Head`].
    pub head: Vec<u8>,
    /// What outputs hold for summaries; in states of earlier releases there is none.
    #[serde(skip)]
    pub held: Vec<SavedHeld>,
}

/// What one output holds for a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedHeld {
    /// The output's name.
    pub name: String,
    /// What it holds: [`crate::io::deliver::Fleet::held`].
    pub held: Vec<u8>,
}

impl Commit {
    /// The commit as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let commit = postcard::to_stdvec(self).expect("a commit is plain data");
        postcard::to_extend(&self.held, commit).expect("a commit is plain data")
    }

    /// Reads what [`Commit::to_bytes`] gave.
    ///
    /// # Errors
    /// The bytes are no commit.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (mut commit, rest): (Self, _) = postcard::take_from_bytes(bytes)?;
        if !rest.is_empty() {
            commit.held = postcard::from_bytes(rest)?;
        }
        Ok(commit)
    }
}

#[cfg(test)]
mod tests;
