//! Inputs of a run: opened where an earlier one had come to, with a journal before those that cannot be read again.
#![expect(clippy::disallowed_methods, reason = "secrets of inputs may stand in the environment")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tripline::config::{Input, OpenInput, Origin};
use tripline::engine::{Place, Source, SourceBlock, SourceFailure};
use tripline::io::disk::Disk;
use tripline::io::journal::{Journal, JournalOptions, Needed};
use tripline::io::kafka::PartitionStanding;
use tripline::io::listen::Counts;
use tripline::plan::Ruleset;
use tripline::session::SourceSummary;

use super::durable::Wanted;
use super::kafka::{self, OpenTopics};
use crate::cli::exit::Stop;
use crate::cli::settings::Settings;
use crate::cli::terminal::note;

/// An input as a run numbers it.
pub struct Placed {
    /// Its name.
    pub name: String,
    /// What it is; `None` for one of an earlier run that is not read any more.
    pub input: Option<Input>,
    /// Where it goes on.
    pub place: Place,
}

impl Placed {
    /// Inputs from their beginning.
    pub fn anew(inputs: Vec<Input>) -> Vec<Self> {
        inputs
            .into_iter()
            .map(|input| Self { name: input.name.clone(), input: Some(input), place: Place::default() })
            .collect()
    }

    /// Whether it can be read again after a crash.
    fn is_readable_again(&self) -> bool {
        self.input.as_ref().is_some_and(Input::is_readable_again)
    }
}

/// All inputs at work, by their numbers.
#[derive(Default)]
pub struct Opened {
    /// What gives events.
    pub sources: Vec<Box<dyn Source>>,
    /// To be told which part of a journal is still needed.
    pub needed: Vec<Option<Needed>>,
    /// What listeners turn away.
    pub counts: Vec<Option<Counts>>,
    /// Topics.
    pub topics: OpenTopics,
}

/// An input of an earlier run that is not read any more.
struct Gone;

impl Source for Gone {
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        Ok(None)
    }
}

/// Opens all inputs.
pub fn open(
    inputs: &[Placed],
    rules: &Ruleset,
    settings: &Settings,
    wanted: &Wanted,
    following: bool,
    stop: &Arc<AtomicBool>,
) -> Result<Opened, Stop> {
    let env = |name: &str| std::env::var(name).ok();
    let max_line = settings.config.limits.max_line;
    let (mut partitions, topics) = kafka::open(inputs, rules, settings, stop)?;
    let mut opened = Opened { topics, ..Opened::default() };
    for (at, placed) in inputs.iter().enumerate() {
        if let Some(source) = partitions.remove(&at) {
            opened.sources.push(source);
            opened.needed.push(None);
            opened.counts.push(None);
            continue;
        }
        let Some(input) = &placed.input else {
            note(&format!("input {} of earlier runs is not read any more\n", placed.name));
            opened.sources.push(Box::new(Gone));
            opened.needed.push(None);
            opened.counts.push(None);
            continue;
        };
        let journal = match &wanted.journal {
            Some(dir) if !placed.is_readable_again() => {
                let options = JournalOptions { retain: wanted.retain, ..JournalOptions::default() };
                let journal = Journal::open(&dir.join(input.journal_name()), options, &placed.place, Disk::default());
                Some(journal.map_err(Stop::failed)?)
            }
            _ => None,
        };
        if wanted.state.is_some() && !placed.is_readable_again() && journal.is_none() {
            let what = if input.is_stdin() { "standard input" } else { &placed.name };
            note(&format!(
                "warning: {what} cannot be read again: after a crash, what it gave since the last checkpoint is lost; \
                 --journal DIR keeps it\n"
            ));
        }
        let directory = settings.directory();
        let journalled = journal.is_some();
        let provenance = reads_provenance(rules, input, settings);
        let how = OpenInput { directory, env: &env, max_line, following, provenance, journalled, stop };
        let at = journal.as_ref().map_or(&placed.place, Journal::end);
        let given = how.open(input, at).map_err(Stop::failed)?;
        if let Some(notice) = given.notice {
            note(&format!("warning: {notice}\n"));
        }
        if let Some(address) = given.address {
            note(&format!("input {} listens on {address}\n", placed.name));
            warn_if_open(input);
        }
        opened.needed.push(journal.as_ref().map(Journal::needed));
        opened.counts.push(given.counts);
        opened.sources.push(match (journal, given.durable) {
            (None, _) => given.source,
            (Some(journal), None) => Box::new(journal.before(given.source, stop.clone())),
            (Some(journal), Some(durable)) => Box::new(journal.telling(given.source, stop.clone(), durable)),
        });
    }
    Ok(opened)
}

/// Says that strangers can send events.
fn warn_if_open(input: &Input) {
    let Origin::Http { address, token: None, tls, .. } = &input.origin else { return };
    if !address.ip().is_loopback() && tls.as_ref().is_none_or(|tls| tls.ca.is_none()) {
        note(&format!(
            "warning: input {}: whoever reaches {address} can send events; set `token`, or `ca` for certificates\n",
            input.name
        ));
    }
}

/// Whether rules, or what says the time, read where events come from.
pub fn reads_provenance(rules: &Ruleset, input: &Input, settings: &Settings) -> bool {
    let is_ours = |path: &[String]| path.is_empty() || path.first().is_some_and(|name| name == "kafka");
    let named = |field: &String| field == "kafka" || field.starts_with("kafka.");
    let times = input.reading.time_fields.as_ref().or(settings.config.time_fields.as_ref());
    rules.fields.iter().any(|path| is_ours(path)) || times.into_iter().flatten().any(named)
}

/// What one input did, for the summary.
pub struct InputReport {
    /// Its name.
    pub name: String,
    /// What the engine counted.
    pub counts: SourceSummary,
    /// What it turned away, by reason.
    pub turned_away: Vec<(&'static str, u64)>,
    /// How far a partition of a topic has come.
    pub standing: Option<PartitionStanding>,
}

/// What inputs did; nothing if it is a single one that turns nothing away and ends by itself.
pub fn reports(
    names: &[String],
    sources: &[SourceSummary],
    counts: &[Option<Counts>],
    topics: &OpenTopics,
) -> Vec<InputReport> {
    let mut standing = topics.standing();
    if names.len() < 2 && counts.iter().all(Option::is_none) && standing.is_empty() {
        return Vec::new();
    }
    let report = |(at, ((name, source), counts)): (usize, ((&String, &SourceSummary), &Option<Counts>))| InputReport {
        name: name.clone(),
        counts: source.clone(),
        turned_away: counts.as_ref().map(Counts::all).unwrap_or_default(),
        standing: standing.remove(&at),
    };
    names.iter().zip(sources).zip(counts).enumerate().map(report).collect()
}
