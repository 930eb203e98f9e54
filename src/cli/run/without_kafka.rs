//! What a run says of topics if it was built without Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tripline::config::{Input, Origin};
use tripline::engine::{Place, Source};
use tripline::io::kafka::{NOT_BUILT, PartitionStanding};
use tripline::plan::Ruleset;

use super::inputs::Placed;
use crate::cli::exit::Stop;
use crate::cli::settings::Settings;

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
