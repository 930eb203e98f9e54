//! Outputs of a run: alerts to one or more places, rejected lines and late events to files of their own.

#![expect(clippy::disallowed_methods, reason = "secrets of outputs may stand in the environment")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::flag;
use tripline::alert::Alert;
use tripline::alert::format::Formatter;
use tripline::config::{self, KafkaPeer, Output, Target};
use tripline::io::deliver::queue::Queue;
use tripline::io::deliver::{DeadLetters, Fleet, Letter, Report, Route, Spool, SpoolOptions, Wanted};
use tripline::io::kafka::AlertRecords;
use tripline::io::sink::{LineSink, SinkError};
use tripline::io::state::SavedHeld;
use tripline::plan::Ruleset;
use tripline::session::Rejected;

use super::durable::Begin;
use super::kafka::TopicState;
use crate::cli::exit::Stop;
use crate::cli::settings::Settings;
use crate::cli::terminal::note;

/// Characters of a rejected line that are kept.
const REJECT_TEXT: usize = 512;

/// How long the end of a run waits for outputs that have not delivered everything.
const DRAIN: Duration = Duration::from_secs(30);

/// Where alerts go: some are written by the run itself, the others have couriers.
pub struct Outputs {
    direct: Vec<Direct>,
    /// Alerts that are committed with the state.
    committed: Vec<InTransactions>,
    fleet: Option<Fleet>,
    drain: Duration,
    /// Set by SIGHUP.
    reopen: Arc<AtomicBool>,
}

struct Direct {
    route: Route,
    sink: LineSink,
    formatter: Formatter,
    path: Option<PathBuf>,
}

/// What keeps the state of a run, and with it alerts that are committed with the state.
pub enum Keeper<'b> {
    /// Nothing is kept, or in this process.
    Run(Option<&'b mut Begin>),
    /// The transactions of a process that shares a topic of this cluster.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "there are no topics"))]
    Group(&'b KafkaPeer),
}

/// An output whose alerts are part of the transactions that keep the state.
struct InTransactions {
    route: Route,
    /// `None`: whoever makes the transactions asks for the alerts.
    state: Option<TopicState>,
    records: AlertRecords,
    inputs: Arc<[String]>,
}

impl InTransactions {
    fn letters<'a>(&'a self, alerts: &'a [Alert]) -> impl Iterator<Item = Letter> + 'a {
        let wanted = alerts.iter().filter(|alert| self.route.takes(alert));
        wanted.map(|alert| Letter { alert: Arc::new(alert.clone()), inputs: Arc::clone(&self.inputs) })
    }

    fn deliver(&self, alerts: &[Alert]) -> Result<(), SinkError> {
        let Some(state) = &self.state else { return Ok(()) };
        state.add(self.letters(alerts), &self.records).map_err(|error| SinkError::queue(io::Error::other(error)))
    }
}

/// The output as one of the transactions that keep the state.
fn in_transactions(
    output: &Output,
    peer: &KafkaPeer,
    keeper: &Keeper<'_>,
    settings: &Settings,
    inputs: &[String],
) -> Result<InTransactions, Stop> {
    let env = |name: &str| std::env::var(name).ok();
    let wrong = |words: &str| Stop::usage(format!("output {}: {words}", output.name));
    let (state, elsewhere) = match keeper {
        Keeper::Group(of) => (None, of.brokers != peer.brokers),
        Keeper::Run(begin) => {
            let state = begin.as_ref().and_then(|begin| begin.topic());
            let state = state.ok_or_else(|| wrong("`exactly_once` needs an input with a `state_topic`"))?;
            (Some(state.clone()), state.is_elsewhere(peer))
        }
    };
    if elsewhere {
        return Err(wrong("`exactly_once` needs the brokers of the input with the `state_topic`"));
    }
    let records = config::alert_records(output, settings.directory(), &env).map_err(Stop::usage)?;
    let records = records.ok_or_else(|| wrong("it is no output of `kafka`"))?;
    Ok(InTransactions { route: output.route.clone(), state, records, inputs: inputs.into() })
}

impl Direct {
    fn deliver(&mut self, alerts: &[Alert]) -> Result<(), SinkError> {
        if self.route.is_open() {
            return self.sink.deliver(alerts, &self.formatter);
        }
        let wanted: Vec<Alert> = alerts.iter().filter(|alert| self.route.takes(alert)).cloned().collect();
        self.sink.deliver(&wanted, &self.formatter)
    }
}

impl Outputs {
    /// Opens the outputs. `inputs` are the names that alerts give for the places of events; `keeper` has what an earlier
    /// run left; `stop` ends waiting.
    pub fn open(
        outputs: &[Output],
        settings: &Settings,
        color: bool,
        inputs: &[String],
        mut keeper: Keeper<'_>,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, Stop> {
        let env = |name: &str| std::env::var(name).ok();
        let (mut direct, mut wanted, mut committed) = (Vec::new(), Vec::new(), Vec::new());
        for output in outputs {
            if let Target::Kafka { peer, exactly_once: true, .. } = &output.target {
                committed.push(in_transactions(output, peer, &keeper, settings, inputs)?);
                continue;
            }
            if let Some(service) = &output.service {
                let sink = config::open(output, settings.directory(), &env).map_err(Stop::usage)?;
                let queue: Option<Box<dyn Queue>> = match &output.spool {
                    Some(spool) => {
                        let directory = settings.path(&spool.directory);
                        let spool = Spool::open(&SpoolOptions { directory, most: spool.most });
                        Some(Box::new(spool.map_err(|e| Stop::failed(format!("output {}: {e}", output.name)))?))
                    }
                    None => None,
                };
                wanted.push(Wanted {
                    name: output.name.clone(),
                    route: output.route.clone(),
                    service: service.clone(),
                    sink,
                    queue,
                    held: match &mut keeper {
                        Keeper::Run(Some(begin)) => begin.take_held(&output.name),
                        _ => Vec::new(),
                    },
                });
                continue;
            }
            let (sink, color, path) = match &output.target {
                Target::File { path, .. } => {
                    let path = PathBuf::from(path);
                    (LineSink::append(&path)?, false, Some(path))
                }
                _ => (LineSink::stdout(), color, None),
            };
            let formatter = Formatter::new(output.format.rendering(color), inputs);
            direct.push(Direct { route: output.route.clone(), sink, formatter, path });
        }
        let dead = match &settings.config.dead_letters {
            Some(path) => DeadLetters::into(LineSink::append(&settings.path(path))?),
            None => DeadLetters::default(),
        };
        let fleet = match wanted.is_empty() {
            true => None,
            false => Some(Fleet::start(wanted, &dead, inputs, stop).map_err(Stop::failed)?),
        };
        let drain = settings.config.drain.map_or(DRAIN, |d| Duration::from_nanos(u64::try_from(d.0).unwrap_or(0)));
        let reopen = Arc::new(AtomicBool::new(false));
        flag::register(SIGHUP, reopen.clone())
            .map_err(|error| Stop::failed(format!("signals cannot be caught: {error}")))?;
        Ok(Self { direct, committed, fleet, drain, reopen })
    }

    /// Writes alerts everywhere.
    pub fn deliver(&mut self, alerts: &[Alert]) -> Result<(), SinkError> {
        self.direct.iter_mut().try_for_each(|output| output.deliver(alerts))?;
        self.committed.iter().try_for_each(|output| output.deliver(alerts))?;
        match &self.fleet {
            Some(fleet) => fleet.deliver(alerts).map_err(SinkError::queue),
            None => Ok(()),
        }
    }

    /// The alerts that whoever makes the transactions is to commit, each as the record that it becomes.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "there are no transactions"))]
    pub fn committed<'a>(&'a self, alerts: &'a [Alert]) -> impl Iterator<Item = (Letter, &'a AlertRecords)> {
        let outputs = self.committed.iter().filter(|output| output.state.is_none());
        outputs.flat_map(|output| output.letters(alerts).map(|letter| (letter, &output.records)))
    }

    /// Opens files anew if that was asked for, since somebody may have moved them away.
    pub fn reopen_if_asked(&mut self) -> Result<(), SinkError> {
        if !self.reopen.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        for output in &mut self.direct {
            if let Some(path) = &output.path {
                output.sink.flush()?;
                output.sink.reopen(path)?;
            }
        }
        if let Some(fleet) = &self.fleet {
            fleet.reopen();
        }
        Ok(())
    }

    /// What is held for summaries, once everything else so far has been delivered, or will be whatever happens. Waits so
    /// long at most; `None` if that was too short.
    pub fn settle(&self, at_most: Duration) -> Result<Option<Vec<SavedHeld>>, SinkError> {
        let Some(fleet) = &self.fleet else { return Ok(Some(Vec::new())) };
        let held = fleet.held().into_iter().map(|(name, held)| SavedHeld { name, held }).collect();
        Ok(fleet.sync(at_most).map_err(SinkError::queue)?.then_some(held))
    }

    /// What writes lines, to be marked and cut back.
    pub fn lines(&mut self) -> impl Iterator<Item = &mut LineSink> {
        self.direct.iter_mut().map(|output| &mut output.sink)
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.direct.iter_mut().try_for_each(|output| output.sink.flush())
    }

    /// Ends the outputs that have couriers and says how each ended.
    pub fn close(&mut self) -> Vec<Report> {
        self.fleet.take().map(|fleet| fleet.close(self.drain)).unwrap_or_default()
    }
}

/// Says which outputs name rules that are not there.
pub fn check_routes(outputs: &[Output], rules: &Ruleset) {
    for output in outputs {
        for pattern in &output.route.rules {
            if !rules.rules.iter().any(|rule| pattern.fits(&rule.name)) {
                note(&format!("warning: output {}: no rule is named `{}`\n", output.name, pattern.as_str()));
            }
        }
    }
}

/// A file for lines, if one is wanted.
pub struct Record {
    sink: Option<LineSink>,
}

impl Record {
    /// Opens the file.
    pub fn open(path: Option<&Path>) -> Result<Self, Stop> {
        Ok(Self { sink: path.map(LineSink::append).transpose()? })
    }

    /// Whether anything is kept.
    pub fn wanted(&self) -> bool {
        self.sink.is_some()
    }

    /// What writes lines, to be marked and cut back.
    pub fn lines(&mut self) -> impl Iterator<Item = &mut LineSink> {
        self.sink.iter_mut()
    }

    /// Writes a line as it came.
    pub fn line(&mut self, text: &str) -> Result<(), SinkError> {
        self.sink.as_mut().map_or(Ok(()), |sink| sink.line(text.trim_end_matches(['\r', '\n'])))
    }

    /// Writes a rejected line with its place and the reason.
    pub fn rejected(&mut self, input: &str, rejected: &Rejected) -> Result<(), SinkError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let at = &rejected.line_text;
        let cut = at.text.char_indices().nth(REJECT_TEXT).map_or(at.text.len(), |(at, _)| at);
        let record = serde_json::json!({
            "input": input,
            "line": rejected.line,
            "offset": rejected.offset,
            "column": at.column,
            "reason": at.reason.name(),
            "text": at.text[..cut],
        });
        sink.line(&record.to_string())
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.sink.as_mut().map_or(Ok(()), LineSink::flush)
    }
}
