//! Topics of a run: which partitions there are, their sources, and the commits behind checkpoints.
#![expect(clippy::disallowed_methods, reason = "secrets of inputs may stand in the environment")]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tripline::config::{Input, KafkaInput, KafkaPeer, Origin};
use tripline::engine::{Place, Source};
use tripline::io::deliver::Letter;
use tripline::io::kafka::changelog::{Changelog, ChangelogError, ChangelogOptions};
use tripline::io::kafka::lines::ValueFormat;
use tripline::io::kafka::{AlertRecords, Partition, PartitionStanding, Reading, RejectTopic, TopicOptions};
use tripline::io::state::{Commit, Recovered, StateDirError};
use tripline::matcher::saved::Changes;
use tripline::plan::Ruleset;
use tripline::session::Rejected;

use super::inputs::{Placed, reads_provenance};
use crate::cli::exit::Stop;
use crate::cli::settings::Settings;
use crate::cli::terminal::note;

/// How long the end of a run waits for its last offsets to be committed.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// What is read, with secrets. `provenance`: events say where they come from.
pub fn options(kafka: &KafkaInput, settings: &Settings, provenance: bool) -> Result<TopicOptions, Stop> {
    let env = |name: &str| std::env::var(name).ok();
    kafka.options(settings.directory(), &env, provenance).map_err(Stop::usage)
}

/// Puts the partitions that there are in the place of topics.
pub fn expand(inputs: Vec<Input>, settings: &Settings) -> Result<Vec<Input>, Stop> {
    let mut all = Vec::with_capacity(inputs.len());
    for input in inputs {
        let Origin::Kafka { kafka, partition: None } = &input.origin else {
            all.push(input);
            continue;
        };
        let partitions = tripline::io::kafka::partitions(&options(kafka, settings, false)?);
        let partitions = partitions.map_err(|problem| Stop::failed(format!("input {}: {problem}", input.name)))?;
        all.extend(Input::of_partitions(&input, kafka, partitions));
    }
    Ok(all)
}

/// The state of a run in a topic, in place of a directory.
#[derive(Clone)]
pub struct TopicState {
    changelog: Arc<Mutex<Changelog>>,
    topic: String,
    /// The cluster: alerts of its transactions can go nowhere else.
    peer: KafkaPeer,
    /// By the number of the input: which partition it is.
    partitions: Arc<Mutex<Vec<Option<Partition>>>>,
}

impl TopicState {
    /// Takes the state over, if an input names a topic for it, and gives what is there.
    pub fn open(inputs: &[Input], settings: &Settings) -> Result<Option<(Self, Option<Recovered>)>, Stop> {
        let mut named = inputs.iter().filter_map(|input| {
            let (kafka, _) = input.partition()?;
            Some((kafka, kafka.state_topic.as_ref()?, kafka.group.as_ref()?))
        });
        let Some((kafka, topic, group)) = named.next() else { return Ok(None) };
        if named.any(|(other, ..)| other != kafka) {
            return Err(Stop::usage("two inputs name a `state_topic`: the state of a run is in one place"));
        }
        let connection = options(kafka, settings, false)?.connection;
        let options = ChangelogOptions { connection, topic: topic.clone(), group: group.clone() };
        let opened = Changelog::open(options);
        let (changelog, found) = opened.map_err(|problem| Stop::failed(format!("topic {topic}: {problem}")))?;
        let state = Self {
            changelog: Arc::new(Mutex::new(changelog)),
            topic: topic.clone(),
            peer: kafka.peer.clone(),
            partitions: Arc::default(),
        };
        Ok(Some((state, found)))
    }

    fn changelog(&self) -> MutexGuard<'_, Changelog> {
        self.changelog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, problem: &ChangelogError) -> StateDirError {
        StateDirError::Topic { topic: self.topic.clone(), problem: problem.to_string() }
    }

    /// Says which partitions inputs are.
    pub fn set_inputs(&self, inputs: &[Placed]) {
        let partition = |placed: &Placed| Some(placed.input.as_ref()?.partition()?.1.clone());
        *self.partitions.lock().unwrap_or_else(PoisonError::into_inner) = inputs.iter().map(partition).collect();
    }

    /// Commits a checkpoint with the alerts before it.
    pub fn commit(&self, commit: Commit, keys: &Changes) -> Result<(), StateDirError> {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let placed = partitions.iter().zip(&commit.inputs).filter_map(|(partition, input)| {
            let place = Some(&input.place).filter(|place| place.file.is_some())?;
            Some((partition.clone()?, place.offset))
        });
        let places: Vec<(Partition, u64)> = placed.collect();
        self.changelog().commit(commit, keys, &places).map_err(|problem| self.failed(&problem))
    }

    /// Adds alerts to what is committed next.
    pub fn add(&self, letters: impl Iterator<Item = Letter>, records: &AlertRecords) -> Result<(), StateDirError> {
        let mut changelog = self.changelog();
        for letter in letters {
            match changelog.add(&letter, records) {
                Ok(true) => {}
                Ok(false) => note(&format!(
                    "warning: alert {} is too long for a record of {}, and is left out\n",
                    letter.alert.id, records.topic
                )),
                Err(problem) => return Err(self.failed(&problem)),
            }
        }
        Ok(())
    }

    /// Whether the transactions are those of another cluster.
    pub fn is_elsewhere(&self, peer: &KafkaPeer) -> bool {
        self.peer.brokers != peer.brokers
    }
}

/// Topics for records that are no events.
#[derive(Default)]
pub struct RejectTopics {
    topics: Vec<RejectTopic>,
    /// By the number of the input: the partition that it is, how its lines are numbered, and which topic it has.
    inputs: BTreeMap<u16, (Partition, ValueFormat, usize)>,
}

impl RejectTopics {
    /// Opens those that inputs name.
    pub fn open(inputs: &[Placed], settings: &Settings) -> Result<Self, Stop> {
        let (mut all, mut known) = (Self::default(), Vec::<&KafkaInput>::new());
        for (at, placed) in (0..).zip(inputs) {
            let Some((kafka, partition)) = placed.input.as_ref().and_then(Input::partition) else { continue };
            let Some(topic) = &kafka.rejects else { continue };
            let of = match known.iter().position(|other| *other == kafka) {
                Some(of) => of,
                None => {
                    let connection = options(kafka, settings, false)?.connection;
                    all.topics.push(RejectTopic::open(&connection, topic).map_err(Stop::failed)?);
                    known.push(kafka);
                    known.len() - 1
                }
            };
            all.inputs.insert(at, (partition.clone(), kafka.format, of));
        }
        Ok(all)
    }

    /// Whether there are any.
    pub fn wanted(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Writes one, if it comes from a topic that has one for it.
    pub fn rejected(&self, rejected: &Rejected) -> Result<(), String> {
        let Some((partition, format, of)) = self.inputs.get(&rejected.input) else { return Ok(()) };
        self.topics[*of].write(partition, format.offset_of(rejected.line), rejected)
    }

    /// Waits until brokers have everything.
    pub fn settle(&self) -> Result<(), String> {
        self.topics.iter().try_for_each(RejectTopic::flush)
    }
}

/// Topics that are read.
#[derive(Clone, Default)]
pub struct OpenTopics {
    readings: Vec<Reading>,
    /// By the number of the input: which partition it is, and of which reading.
    partitions: BTreeMap<usize, (Partition, usize)>,
}

/// Opens all partitions, and gives a source for each, by the number of its input.
pub fn open(
    inputs: &[Placed],
    rules: &Ruleset,
    settings: &Settings,
    stop: &Arc<AtomicBool>,
) -> Result<(BTreeMap<usize, Box<dyn Source>>, OpenTopics), Stop> {
    let mut groups: Vec<(&KafkaInput, bool, Vec<usize>)> = Vec::new();
    for (at, placed) in inputs.iter().enumerate() {
        let Some((kafka, input)) = placed.input.as_ref().and_then(|input| Some((input.partition()?.0, input))) else {
            continue;
        };
        let provenance = reads_provenance(rules, input, settings);
        match groups.iter_mut().find(|(other, told, _)| *other == kafka && *told == provenance) {
            Some((.., members)) => members.push(at),
            None => groups.push((kafka, provenance, vec![at])),
        }
    }
    let (mut sources, mut topics) = (BTreeMap::new(), OpenTopics::default());
    for (kafka, provenance, members) in groups {
        let named = members.iter().filter_map(|at| {
            let placed = &inputs[*at];
            Some((placed.input.as_ref()?.partition()?.1.clone(), placed.place.clone()))
        });
        let named: Vec<(Partition, Place)> = named.collect();
        let opened = tripline::io::kafka::open(&options(kafka, settings, provenance)?, &named, stop);
        let opened = opened.map_err(Stop::failed)?;
        for notice in &opened.notices {
            note(&format!("warning: {notice}\n"));
        }
        for ((at, source), (partition, _)) in members.iter().zip(opened.sources).zip(named) {
            sources.insert(*at, Box::new(source) as Box<dyn Source>);
            topics.partitions.insert(*at, (partition, topics.readings.len()));
        }
        topics.readings.push(opened.reading);
    }
    Ok((sources, topics))
}

impl OpenTopics {
    /// Commits where partitions go on; `places` are those of all inputs, by their numbers.
    pub fn commit(&self, places: &[Place]) {
        for (at, reading) in self.readings.iter().enumerate() {
            let mine = self.partitions.iter().filter(|(_, (_, of))| *of == at);
            let placed = mine.filter_map(|(input, (partition, _))| {
                let place = places.get(*input).filter(|place| place.file.is_some())?;
                Some((partition, place.offset))
            });
            reading.commit(placed);
        }
    }

    /// Waits until the last commit has been answered, but not for ever.
    pub fn finish(&self) {
        if !self.readings.iter().all(|reading| reading.wait_for_commits(LAST_COMMIT)) {
            note("warning: brokers did not say whether the last offsets are committed\n");
        }
    }

    /// How far each partition has come, by the number of its input.
    pub fn standing(&self) -> BTreeMap<usize, PartitionStanding> {
        let standing: Vec<Vec<PartitionStanding>> = self.readings.iter().map(Reading::standing).collect();
        let of =
            |(partition, of): &(Partition, usize)| standing[*of].iter().find(|s| s.partition == *partition).cloned();
        self.partitions.iter().filter_map(|(input, partition)| Some((*input, of(partition)?))).collect()
    }
}
