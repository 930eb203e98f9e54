//! `tripline run`: rules over events, alerts out.
//!
//! ```text
//! inputs ─► engine ─► Writer ─► outputs
//! ```
//! The engine waits for what is written, so a slow output slows the reading down and memory stays bounded.
#![expect(clippy::disallowed_methods, reason = "the length of a run is wall-clock time, and inputs are files")]

mod durable;
#[cfg(feature = "kafka")]
mod group;
mod inputs;
#[cfg_attr(not(feature = "kafka"), path = "without_kafka.rs")]
mod kafka;
mod outputs;
mod progress;
mod rejects;
mod reload;
mod select;
mod summary;

use std::fs;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use tripline::alert::Alert;
use tripline::base::{Duration, Limits, Timestamp};
use tripline::config::{Input, Output, Reading, Target};
use tripline::engine::{self, Checkpoint, EngineConfig, Handler, Live, Place, SourceFailure};
use tripline::io::sink::SinkError;
use tripline::io::state::{SavedHeld, StateDirError};
use tripline::plan::Ruleset;
use tripline::plan::ruleset::Severity;
use tripline::session::{AtEnd, Rejected, SessionConfig};

use super::args::{self, RunArgs};
use super::exit::{Exit, Stop};
use super::machine;
use super::settings::Settings;
use super::terminal::{Terminal, note, paint, style};
use durable::{Begin, Checkpoints, Wanted};
use inputs::Placed;
use outputs::{Keeper, Outputs, Record};
use progress::Progress;
use rejects::Rejects;
use reload::Reload;
use select::Chosen;
use summary::Totals;

/// When a source that gives nothing lets time follow the wall clock.
const IDLE: Duration = Duration::from_secs(5);
/// How long a checkpoint waits for outputs that are slower than the run.
const SETTLE: std::time::Duration = std::time::Duration::from_millis(20);
/// How far apart checkpoints may be whose state is kept in transactions.
const LONGEST_TRANSACTION: std::time::Duration = std::time::Duration::from_secs(60);
/// How far ahead of the wall clock a live event may be.
const MAX_FUTURE: Duration = Duration::from_secs(300);

/// Runs the command.
pub fn run(args: &RunArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    settings.require_trust()?;
    let Chosen { rules, inputs: chosen } = select::choose(args, settings)?;
    #[cfg(feature = "kafka")]
    if let Some(shared) = group::wanted(&chosen)? {
        let ruleset = select::compile(args, &rules, settings, Some(shared.fields()), terminal)?;
        return group::run(args, settings, terminal, (&rules, &ruleset), chosen, &shared);
    }
    let ruleset = select::compile(args, &rules, settings, None, terminal)?;
    let config = &settings.config;
    let wanted = wanted_state(args, settings, &chosen)?;
    let mut begin = durable::begin(wanted.state.as_deref(), &ruleset, &chosen, settings)?;
    let placed = match &begin {
        Some(begin) => begin.placed(&chosen),
        None => Placed::anew(chosen),
    };
    if let Some(state) = begin.as_ref().and_then(Begin::topic) {
        state.set_inputs(&placed);
    }
    let names: Vec<String> = placed.iter().map(|placed| placed.name.clone()).collect();
    let rejected = file(args.rejects.as_deref(), config.rejects.as_deref(), settings);
    let (mut rejects, mut late) = (
        Rejects::open(rejected.as_deref(), &placed, settings)?,
        Record::open(file(args.late.as_deref(), config.late.as_deref(), settings).as_deref())?,
    );
    let stop = Arc::new(AtomicBool::new(false));
    let engine_config = EngineConfig {
        checkpoints: begin.is_some(),
        ..engine_config(args, settings, &placed, rejects.wanted(), &stop)
    };
    let places = wanted_outputs(args, settings);
    outputs::check_routes(&places, &ruleset);
    let mut outputs = {
        let keeper = Keeper::Run(begin.as_mut());
        Outputs::open(&places, settings, terminal.color_out, &names, keeper, &stop)?
    };
    let open = || inputs::open(&placed, &ruleset, settings, &wanted, args.follow, &stop);
    let (opened, saved, checkpoints) = match begin {
        None => (open()?, None, None),
        Some(mut begin) => {
            for output in outputs.lines().chain(rejects.lines()).chain(late.lines()) {
                output.wait_for_room(&stop);
            }
            durable::cut_back(&begin, outputs.lines().chain(rejects.lines()).chain(late.lines()))?;
            let mut opened = open()?;
            let needed = std::mem::take(&mut opened.needed);
            let topics = opened.topics.clone();
            let told = Box::new(move |places: &[Place]| topics.commit(places));
            (opened, begin.saved.take(), Some(begin.start(&wanted, needed, told, &stop)))
        }
    };
    let files = || placed.iter().all(|placed| placed.input.as_ref().is_some_and(|i| !i.is_live() && !i.is_stdin()));
    let shown = args.progress == args::Progress::Auto && !args.follow && files();
    let mut writer = Writer {
        outputs,
        checkpoints,
        rejects,
        late,
        progress: Progress::new(shown, total_bytes(&placed)),
        names,
        alerts: 0,
        min_level: args.filter.min_level,
        reached: None,
        input_failed: false,
        error: None,
        state_failed: None,
        reload: Reload::on_hangup(&ruleset, || select::compile(args, &rules, settings, None, terminal))?,
    };
    catch_signals(&stop)?;
    let started = Instant::now();
    let summary = engine::run_from(&ruleset, &engine_config, opened.sources, saved, &mut writer);
    writer.progress.finish();
    let flushed = writer.flush();
    let reports = writer.outputs.close();
    flushed?;
    let undelivered = reports.iter().any(|report| report.standing.waiting > 0 && !report.kept);
    // What outputs have got in the end needs no second time.
    if let Some(last) = writer.checkpoints.as_mut().and_then(Checkpoints::take_last)
        && !undelivered
    {
        let _ = writer.commit(last, Vec::new());
    }
    if let Some(failed) = writer.state_failed.take() {
        return Err(Stop::failed(failed));
    }
    if let Some(checkpoints) = writer.checkpoints.take() {
        checkpoints.finish().map_err(Stop::failed)?;
        opened.topics.finish();
    }
    let summary = summary.map_err(Stop::failed)?;
    if !args.quiet {
        let inputs = inputs::reports(&writer.names, &summary.sources, &opened.counts, &opened.topics);
        let totals = Totals::new(&summary, started.elapsed(), writer.reached, &inputs, &reports);
        note(&summary::render(&totals, terminal.color_err));
    }
    Ok(if stop.load(Ordering::Relaxed) {
        note(&format!("{}\n", paint(terminal.color_err, style::YELLOW, "interrupted")));
        Exit::Interrupted
    } else if writer.input_failed || undelivered {
        Exit::Failed
    } else if args.fail_on_alert && writer.alerts > 0 {
        Exit::Found
    } else {
        Exit::Done
    })
}

/// How long after an interrupt a run that still goes on says so.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// The first signal ends the run in order, a second one at once.
fn catch_signals(stop: &Arc<AtomicBool>) -> Result<(), Stop> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .map_err(|error| Stop::failed(format!("signals cannot be caught: {error}")))?;
    }
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|error| Stop::failed(format!("signals cannot be caught: {error}")))?;
    // It ends with the process. A run that is over soon says nothing of this.
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            thread::sleep(PATIENCE);
            note("finishing what was read; another interrupt ends at once\n");
        }
    });
    Ok(())
}

/// How the engine is to work, from flags, configuration and defaults.
fn engine_config(
    args: &RunArgs,
    settings: &Settings,
    inputs: &[Placed],
    keep_rejects: bool,
    stop: &Arc<AtomicBool>,
) -> EngineConfig {
    let config = &settings.config;
    // A pipe may be a replay that is merely slow: it follows the wall clock only if somebody asks for it.
    let all_live = args.follow || args.idle.is_some() || config.idle.is_some();
    let chosen = || inputs.iter().map(|placed| placed.input.as_ref());
    let live = all_live || chosen().flatten().any(|input| input.is_live() || input.reading.idle.is_some());
    let max_future = config.max_future.unwrap_or(MAX_FUTURE);
    let time = settings.time_config(&args.time);
    let type_field = settings.type_field(&args.time);
    // What the command line says holds for all inputs.
    let reading = |input: &Input| Reading {
        time_fields: input.reading.time_fields.clone().filter(|_| args.time.time_field.is_empty()),
        time_format: input.reading.time_format.clone().filter(|_| args.time.time_format.is_none()),
        type_field: input.reading.type_field.clone().filter(|_| args.time.type_field.is_none()),
        lateness: input.own_lateness(config.lateness).filter(|_| args.lateness.is_none()),
        idle: input.reading.idle.filter(|_| args.idle.is_none()),
        ..input.reading.clone()
    };
    let own = |input: Option<&Input>| {
        let live = input.is_some_and(Input::is_live);
        input.map(|input| reading(input).own(&time, &type_field, live.then_some(max_future))).unwrap_or_default()
    };
    let processors = || thread::available_parallelism().map_or(1, NonZero::get);
    EngineConfig {
        session: SessionConfig {
            own: chosen().map(own).collect(),
            time: time.clone(),
            lateness: args.lateness.or(config.lateness).unwrap_or(Duration::ZERO),
            evidence: args.evidence.or(config.evidence).unwrap_or_default(),
            limits: Limits {
                memory: config.limits.memory.or_else(machine::memory_cap).map(machine::for_state),
                ..config.limits.clone()
            },
            max_future: all_live.then_some(max_future),
            from: args.from,
            to: args.to,
            keep_rejects,
            ..SessionConfig::default()
        },
        threads: args.threads.or(config.threads).map_or_else(processors, usize::from),
        at_end: args.at_end.or(config.at_end).unwrap_or_default(),
        live: live.then(|| Live {
            idle: args.idle.or(config.idle).unwrap_or(IDLE),
            own: chosen().map(|input| reading(input?).idle).collect(),
        }),
        stop: stop.clone(),
        time_rules: !args.quiet,
        checkpoints: false,
    }
}

/// Writes what the engine gives, and remembers what went wrong.
struct Writer<'a> {
    outputs: Outputs,
    rejects: Rejects,
    late: Record,
    progress: Progress,
    names: Vec<String>,
    alerts: u64,
    min_level: Option<Severity>,
    reached: Option<Timestamp>,
    input_failed: bool,
    error: Option<SinkError>,
    checkpoints: Option<Checkpoints>,
    state_failed: Option<StateDirError>,
    reload: Reload<'a>,
}

impl Writer<'_> {
    /// Goes on unless an output has failed.
    fn after(&mut self, result: Result<(), SinkError>) -> ControlFlow<()> {
        match result {
            Ok(()) if self.error.is_some() || self.state_failed.is_some() => ControlFlow::Break(()),
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error.get_or_insert(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Has a checkpoint written: every alert of what it holds has been delivered.
    fn commit(&mut self, checkpoint: Checkpoint, held: Vec<SavedHeld>) -> ControlFlow<()> {
        let Some(checkpoints) = &mut self.checkpoints else { return ControlFlow::Continue(()) };
        if let Err(error) = self.rejects.settle() {
            return self.after(Err(error));
        }
        let outputs = self.outputs.lines().chain(self.rejects.lines()).chain(self.late.lines());
        match durable::mark(outputs) {
            Ok((outputs, before)) => match checkpoints.take(checkpoint, outputs, held, before) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    self.state_failed.get_or_insert(error);
                    ControlFlow::Break(())
                }
            },
            Err(error) => self.after(Err(error)),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.outputs.flush()?;
        self.rejects.flush()?;
        self.rejects.settle()?;
        self.late.flush()
    }
}

impl Handler for Writer<'_> {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        // A level that the match decides is known only now.
        let high: Vec<Alert>;
        let alerts = match self.min_level {
            Some(least) if alerts.iter().any(|alert| alert.severity < least) => {
                high = alerts.iter().filter(|alert| alert.severity >= least).cloned().collect();
                &high
            }
            _ => alerts,
        };
        self.alerts += alerts.len() as u64;
        let outputs = &mut self.outputs;
        let result = self.progress.aside(|| outputs.deliver(alerts));
        self.after(result)
    }

    fn late(&mut self, _: u16, line: &str) -> ControlFlow<()> {
        let result = self.late.line(line);
        self.after(result)
    }

    fn rejected(&mut self, rejected: &Rejected) -> ControlFlow<()> {
        let input = self.names.get(usize::from(rejected.input)).map_or("", String::as_str);
        let result = self.rejects.rejected(input, rejected);
        self.after(result)
    }

    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        self.input_failed = true;
        self.progress.aside(|| note(&format!("error: {failure}\n")));
    }

    fn new_tables(&mut self) -> Option<Arc<Ruleset>> {
        // Asked all the time, also while no input comes: whoever has moved a file away waits for the new one.
        if let Err(error) = self.outputs.reopen_if_asked() {
            self.error.get_or_insert(error);
        }
        self.reload.take()
    }

    fn wants_checkpoint(&mut self) -> bool {
        match self.checkpoints.as_mut().map(Checkpoints::are_due) {
            Some(Ok(due)) => due && self.error.is_none() && self.state_failed.is_none(),
            // Asked for one, the run is told to break off.
            Some(Err(error)) => {
                self.state_failed.get_or_insert(error);
                true
            }
            None => false,
        }
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint) -> ControlFlow<()> {
        let Some(checkpoints) = &mut self.checkpoints else { return ControlFlow::Continue(()) };
        if self.state_failed.is_some() {
            return ControlFlow::Break(());
        }
        match self.outputs.settle(SETTLE) {
            Ok(Some(held)) => self.commit(checkpoint, held),
            Ok(None) => {
                checkpoints.put_off(checkpoint);
                ControlFlow::Continue(())
            }
            Err(error) => self.after(Err(error)),
        }
    }

    fn progress(&mut self, progress: engine::Progress) {
        self.reached = progress.watermark;
        // Whoever watches these files sees what has happened so far.
        if let Err(error) = self.rejects.flush().and_then(|()| self.late.flush()) {
            self.error.get_or_insert(error);
        }
        self.progress.update(progress);
    }
}

/// What flags and configuration ask for that outlasts the process.
fn wanted_state(args: &RunArgs, settings: &Settings, chosen: &[Input]) -> Result<Wanted, Stop> {
    let config = &settings.config;
    let configured = |path: &Option<String>| path.as_ref().map(|path| settings.path(path));
    let every = args.checkpoint_every.or(config.checkpoint_every);
    let wanted = Wanted {
        state: args.state.clone().or_else(|| configured(&config.state)),
        journal: args.journal.clone().or_else(|| configured(&config.journal)),
        every: every.map(|every| std::time::Duration::from_nanos(u64::try_from(every.0).unwrap_or(0))),
        retain: args.retain.or(config.retain),
    };
    if wanted.state.is_none() && wanted.journal.is_some() {
        return Err(Stop::usage("a journal without a state directory is never needed: add --state DIR"));
    }
    if wanted.journal.is_none() && wanted.retain.is_some() {
        return Err(Stop::usage("--retain says how long a journal is kept: add --journal DIR"));
    }
    let flush = args.at_end.or(config.at_end) == Some(AtEnd::Flush);
    let in_topic = |input: &Input| input.partition().is_some_and(|(kafka, _)| kafka.state_topic.is_some());
    let kept = wanted.state.is_some() || chosen.iter().any(in_topic);
    let often = wanted.every.is_none_or(|every| every <= LONGEST_TRANSACTION);
    if chosen.iter().any(in_topic) && !often {
        return Err(Stop::usage(format!(
            "a transaction lasts from checkpoint to checkpoint: with a state_topic one is taken every {} s at least",
            LONGEST_TRANSACTION.as_secs()
        )));
    }
    if kept && flush {
        return Err(Stop::usage(
            "--at-end flush decides everything as if time were over, and --state keeps it for a next run: choose one",
        ));
    }
    if kept && (args.from.is_some() || args.to.is_some()) {
        return Err(Stop::usage(
            "--from and --to pick a part of the past, and --state goes on with the whole: choose one",
        ));
    }
    Ok(wanted)
}

/// A file named on the command line, else in the configuration.
fn file(flag: Option<&Path>, configured: Option<&str>, settings: &Settings) -> Option<PathBuf> {
    flag.map(Path::to_owned).or_else(|| configured.map(|path| settings.path(path)))
}

/// Flags replace all outputs of the configuration; JSON on stdout if nothing is said.
fn wanted_outputs(args: &RunArgs, settings: &Settings) -> Vec<Output> {
    let configured = &settings.config.outputs;
    if args.output.is_none() && args.alerts.is_none() && !configured.is_empty() {
        let mut outputs = configured.clone();
        for output in &mut outputs {
            if let (Target::File { path, .. }, None) = (&mut output.target, &output.service) {
                *path = settings.path(path).display().to_string();
            }
        }
        return outputs;
    }
    let file = |path: &PathBuf| Target::File { path: path.display().to_string(), rotation: None };
    let target = args.alerts.as_ref().map_or(Target::Stdout, file);
    vec![Output::direct(args.output.unwrap_or_default(), target)]
}

/// The bytes of all inputs, if they are plain files.
fn total_bytes(inputs: &[Placed]) -> Option<u64> {
    let mut total = 0;
    for input in inputs {
        let name = input.input.as_ref()?.path()?;
        let plain = ![".gz", ".zst"].iter().any(|suffix| name.ends_with(suffix));
        let metadata = fs::metadata(name).ok().filter(|metadata| plain && metadata.is_file())?;
        total += metadata.len();
    }
    Some(total)
}
