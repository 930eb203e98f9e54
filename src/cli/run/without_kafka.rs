//! What a run says of topics if it was built without Kafka.
#![allow(dead_code, reason = "a state in a topic cannot come about without Kafka")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tripline::config::{Input, KafkaPeer, Origin};
use tripline::engine::{Place, Source};
use tripline::io::deliver::Letter;
use tripline::io::kafka::{AlertRecords, NOT_BUILT, PartitionStanding};
use tripline::io::state::{Commit, Recovered, StateDirError};
use tripline::matcher::saved::Changes;
use tripline::plan::Ruleset;
use tripline::session::Rejected;

use super::inputs::Placed;
use crate::cli::exit::Stop;
use crate::cli::settings::Settings;

/// There is no state in a topic, so nobody has one of these.
#[derive(Clone)]
pub struct TopicState;

impl TopicState {
    /// No input names a topic.
    pub fn open(_: &[Input], _: &Settings) -> Result<Option<(Self, Option<Recovered>)>, Stop> {
        Ok(None)
    }

    /// Says which partitions inputs are.
    pub fn set_inputs(&self, _: &[Placed]) {}

    /// Refuses to commit a checkpoint.
    pub fn commit(&self, _: Commit, _: &Changes) -> Result<(), StateDirError> {
        Err(not_built())
    }

    /// Refuses alerts.
    pub fn add(&self, _: impl Iterator<Item = Letter>, _: &AlertRecords) -> Result<(), StateDirError> {
        Err(not_built())
    }

    /// Whether the transactions are those of another cluster.
    pub fn is_elsewhere(&self, _: &KafkaPeer) -> bool {
        true
    }
}

fn not_built() -> StateDirError {
    StateDirError::Topic { topic: "of the state".to_owned(), problem: NOT_BUILT.to_owned() }
}

/// There are no topics for what is rejected.
pub struct RejectTopics;

impl RejectTopics {
    /// No input names one.
    pub fn open(_: &[Placed], _: &Settings) -> Result<Self, Stop> {
        Ok(Self)
    }

    /// There are none.
    pub fn wanted(&self) -> bool {
        false
    }

    /// Nothing is written.
    pub fn rejected(&self, _: &Rejected) -> Result<(), String> {
        Ok(())
    }

    /// Nothing is waited for.
    pub fn settle(&self) -> Result<(), String> {
        Ok(())
    }
}

/// No topics are read.
#[derive(Clone, Default)]
pub struct OpenTopics;

/// Refuses topics.
pub fn expand(inputs: Vec<Input>, _: &Settings) -> Result<Vec<Input>, Stop> {
    match inputs.iter().find(|input| matches!(input.origin, Origin::Kafka { .. })) {
        Some(input) => Err(Stop::usage(format!("input {}: {NOT_BUILT}", input.name))),
        None => Ok(inputs),
    }
}

/// Nothing is opened.
pub fn open(
    _: &[Placed],
    _: &Ruleset,
    _: &Settings,
    _: &Arc<AtomicBool>,
) -> Result<(BTreeMap<usize, Box<dyn Source>>, OpenTopics), Stop> {
    Ok((BTreeMap::new(), OpenTopics))
}

impl OpenTopics {
    /// Nothing is committed.
    pub fn commit(&self, _: &[Place]) {}

    /// Nothing is waited for.
    pub fn finish(&self) {}

    /// Nothing has come anywhere.
    pub fn standing(&self) -> BTreeMap<usize, PartitionStanding> {
        BTreeMap::new()
    }
}
