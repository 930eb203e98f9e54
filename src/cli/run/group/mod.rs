//! A process that shares a topic with others of its group: each has some of the partitions.
//!
//! ```text
//! Member ─► which partitions are ours ─► Running (one each) ─► Done: alerts, states, offset ─► Process ─► one transaction
//! ```
//! Partitions are matched apart, each as a run of its own, and committed together. When the group asks for a partition
//! it is brought to an end first: what it has read is matched, handed out and committed, and whoever gets it goes on
//! from there. A partition that was lost, and everything after a failure whose outcome is not known, is dropped and
//! restored from what is committed. Relies on `plan::topology` having refused rules that need several partitions.
#![expect(
    clippy::disallowed_methods,
    reason = "ends are waited for by the clock, and secrets stand in the environment"
)]

mod partition;
mod process;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tripline::config::{Input, KafkaInput, Sharing};
use tripline::engine::EngineConfig;
use tripline::io::kafka::SharedReading;
use tripline::io::kafka::changelog::{PartitionState, SharedChangelog};
use tripline::io::kafka::member::Member;
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, SessionConfig};

use super::durable::EVERY;
use super::inputs::{Placed, reads_provenance};
use super::kafka::options;
use super::outputs::{Keeper, Outputs, Record};
use super::rejects::Rejects;
use super::reload::Reload;
use super::summary::{self, Totals};
use super::{catch_signals, engine_config, file, select, wanted_outputs};
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Stop};
use crate::cli::settings::Settings;
use crate::cli::terminal::{Terminal, note, paint, style};
use partition::Common;
use process::Process;

/// A topic that processes share, as the inputs of this one say.
pub struct Shared {
    kafka: KafkaInput,
    sharing: Sharing,
    topic: String,
}

impl Shared {
    /// The fields by which the topic is partitioned.
    pub fn fields(&self) -> &[Vec<String>] {
        &self.sharing.fields
    }
}

/// The topic that is to be shared, if one is.
pub fn wanted(inputs: &[Input]) -> Result<Option<Shared>, Stop> {
    let sharing = |input: &Input| {
        let (kafka, partition) = input.partition()?;
        let sharing = kafka.sharing.clone()?;
        Some(Shared { kafka: kafka.clone(), sharing, topic: partition.topic.clone() })
    };
    let Some(shared) = inputs.iter().find_map(sharing) else { return Ok(None) };
    let is_other = |input: &Input| input.partition().is_none_or(|(kafka, _)| *kafka != shared.kafka);
    match inputs.iter().find(|input| is_other(input)) {
        None => Ok(Some(shared)),
        Some(other) => Err(Stop::usage(format!(
            "input {}: processes that share a topic (`partition_by`) read nothing else: what another input brought \
             would be everybody's",
            other.name
        ))),
    }
}

/// Says what a process of a group cannot do.
fn refuse(args: &RunArgs, settings: &Settings) -> Result<(), Stop> {
    let config = &settings.config;
    let wrong = |words: &str| Err(Stop::usage(format!("with `partition_by`, {words}")));
    if args.state.is_some() || config.state.is_some() {
        return wrong("the state is in the `state_topic`: leave out the state directory");
    }
    if args.journal.is_some() || config.journal.is_some() {
        return wrong("the topic itself is what is read again: leave out the journal");
    }
    if args.at_end.or(config.at_end) == Some(AtEnd::Flush) {
        return wrong("the state is kept for whoever goes on: leave out `--at-end flush`");
    }
    if args.from.is_some() || args.to.is_some() {
        return wrong("the state goes on with the whole: leave out `--from` and `--to`");
    }
    for output in wanted_outputs(args, settings) {
        if output.service.is_some_and(|service| service.group.is_some() || service.limit.is_some()) {
            return wrong(&format!(
                "output {} has no `group` and no `rate_limit`: what they hold back would end with the process",
                output.name
            ));
        }
    }
    Ok(())
}

/// Runs as a member of the group.
pub fn run(
    args: &RunArgs,
    settings: &Settings,
    terminal: Terminal,
    (rules, ruleset): (&[PathBuf], &Arc<Ruleset>),
    inputs: Vec<Input>,
    shared: &Shared,
) -> Result<Exit, Stop> {
    refuse(args, settings)?;
    let Shared { kafka, sharing, topic } = shared;
    let (Some(group), Some(state_topic)) = (&kafka.group, &kafka.state_topic) else {
        return Err(Stop::usage("`partition_by` goes with a `group` and a `state_topic`"));
    };
    let config = &settings.config;
    let provenance = inputs.iter().any(|input| reads_provenance(ruleset, input, settings));
    let topics = options(kafka, settings, provenance)?;
    let placed = Placed::anew(inputs);
    let names: Vec<String> = placed.iter().map(|placed| placed.name.clone()).collect();
    let count = placed.len();
    let stop = Arc::new(AtomicBool::new(false));
    let record = |flag: Option<&std::path::Path>, configured: Option<&str>| {
        Record::open(file(flag, configured, settings).as_deref())
    };
    let rejected = file(args.rejects.as_deref(), config.rejects.as_deref(), settings);
    let rejects = Rejects::open(rejected.as_deref(), &placed, settings)?;
    let late = record(args.late.as_deref(), config.late.as_deref())?;
    let engine = engine_config(args, settings, &placed, rejects.wanted(), &stop);
    let engine = EngineConfig {
        // Partitions share what there is.
        session: SessionConfig {
            limits: tripline::base::Limits {
                memory: engine.session.limits.memory.map(|all| all / count.max(1)),
                ..engine.session.limits.clone()
            },
            ..engine.session
        },
        threads: 1,
        checkpoints: true,
        ..engine
    };
    let connection = topics.connection.clone();
    let state = PartitionState { connection, topic: state_topic.clone(), group: group.clone() };
    let in_topic = |problem| Stop::failed(format!("topic {state_topic}: {problem}"));
    state.prepare(count).map_err(in_topic)?;
    let process = sharing.membership.instance.clone().unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
    let changelog = SharedChangelog::open(state.clone(), &process).map_err(in_topic)?;
    let places = wanted_outputs(args, settings);
    super::outputs::check_routes(&places, ruleset);
    let outputs = Outputs::open(&places, settings, terminal.color_out, &names, Keeper::Group(&kafka.peer), &stop)?;
    let every = args.checkpoint_every.or(config.checkpoint_every);
    let common = Common {
        rules: Arc::clone(ruleset),
        config: engine,
        topic: topic.clone(),
        count,
        reading: SharedReading::open(&topics, topic, count).map_err(Stop::failed)?,
        state,
        has_name: sharing.membership.instance.is_some(),
        every: every.map_or(EVERY, |every| Duration::from_nanos(u64::try_from(every.0).unwrap_or(0))),
        min_level: args.filter.min_level,
        tables: Mutex::default(),
    };
    let mut reload = Reload::on_hangup(ruleset, || select::compile(args, rules, settings, None, terminal))?;
    catch_signals(&stop)?;
    let started = Instant::now();
    let ends = kafka.until_end.then(|| common.reading.ends()).transpose().map_err(Stop::failed)?;
    let member = Member::join(&topics.connection, group, topic, &sharing.membership).map_err(Stop::failed)?;
    let mut process = Process::new(member, changelog, outputs, (rejects, late), names, common);
    while !stop.load(Ordering::Relaxed) && !ends.as_ref().is_some_and(|ends| process.has_come_to(ends)) {
        process.turn()?;
        if let Some(rules) = reload.take() {
            process.set_tables(rules);
        }
    }
    let report = process.leave()?;
    if !args.quiet {
        let totals = Totals::new(&report.summary, started.elapsed(), report.reached, &report.inputs, &report.outputs);
        note(&format!("{}{}", summary::render(&totals, terminal.color_err), report.words));
    }
    let undelivered = report.outputs.iter().any(|output| output.standing.waiting > 0 && !output.kept);
    Ok(if stop.load(Ordering::Relaxed) {
        note(&format!("{}\n", paint(terminal.color_err, style::YELLOW, "interrupted")));
        Exit::Interrupted
    } else if undelivered {
        Exit::Failed
    } else if args.fail_on_alert && report.alerts > 0 {
        Exit::Found
    } else {
        Exit::Done
    })
}
