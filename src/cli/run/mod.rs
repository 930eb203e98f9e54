//! `tripline run`: rules over events, alerts out.
//!
//! ```text
//! reading threads ─► blocks ─► engine ─► alerts ─► outputs
//! ```
//! One loop takes blocks, hands them to the engine and writes what comes out before it takes more: a slow output slows
//! the reading down.
#![expect(clippy::disallowed_methods, reason = "arrival and idleness are wall-clock time")]

mod inputs;
mod outputs;
mod progress;
mod select;
mod summary;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tripline::base::{Duration, Timestamp};
use tripline::config::{Output, Target};
use tripline::io::sink::SinkError;
use tripline::io::source::{Block, BlockOptions, STDIN};
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};

use super::args::{self, RunArgs};
use super::exit::{Exit, Stop};
use super::settings::Settings;
use super::terminal::{Terminal, note, paint, style};
use inputs::{Given, Inputs};
use outputs::{Outputs, Record, RejectedPlace};
use progress::{Progress, Sofar};

/// When a source that gives nothing lets time follow the wall clock.
const IDLE: Duration = Duration::from_secs(5);
/// How far ahead of the wall clock a live event may be.
const MAX_FUTURE: Duration = Duration::from_secs(300);

/// Runs the command.
pub fn run(args: &RunArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    let chosen = select::choose(args, settings)?;
    let ruleset = select::compile(args, &chosen.rules, &settings.compile_options(&args.time), terminal)?;
    let stop = Arc::new(AtomicBool::new(false));
    catch_signals(&stop)?;
    let mut run = Run::new(args, settings, &chosen.inputs, ruleset, terminal)?;
    let result = run.all(&chosen.inputs, &stop);
    run.progress.finish();
    result?;
    run.end(args, terminal, stop.load(Ordering::Relaxed))
}

/// The first signal ends the run in order, a second one at once.
fn catch_signals(stop: &Arc<AtomicBool>) -> Result<(), Stop> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .map_err(|error| Stop::failed(format!("signals cannot be caught: {error}")))?;
    }
    Ok(())
}

/// A run under way.
struct Run {
    session: Session,
    outputs: Outputs,
    rejects: Record,
    late: Record,
    progress: Progress,
    names: Vec<String>,
    max_line: usize,
    /// Following inputs that grow: how long a source may be silent.
    idle: Option<Duration>,
    lateness: Duration,
    at_end: AtEnd,
    heard: Vec<Instant>,
    started: Instant,
    bytes: u64,
    alerts: u64,
    failed: bool,
}

impl Run {
    fn new(
        args: &RunArgs,
        settings: &Settings,
        names: &[String],
        ruleset: Arc<Ruleset>,
        terminal: Terminal,
    ) -> Result<Self, Stop> {
        let config = &settings.config;
        let lateness = args.lateness.or(config.lateness).unwrap_or(Duration::ZERO);
        let rejects = Record::open(file(args.rejects.as_deref(), config.rejects.as_deref(), settings).as_deref())?;
        let late = Record::open(file(args.late.as_deref(), config.late.as_deref(), settings).as_deref())?;
        let session = SessionConfig {
            time: settings.time_config(&args.time),
            lateness,
            evidence: args.evidence.or(config.evidence).unwrap_or_default(),
            limits: config.limits.clone(),
            sources: names.len(),
            max_future: args.follow.then(|| config.max_future.unwrap_or(MAX_FUTURE)),
            from: args.from,
            to: args.to,
            keep_rejects: rejects.wanted(),
        };
        let idle = args.follow.then(|| args.idle.or(config.idle).unwrap_or(IDLE));
        let wanted = args.progress == args::Progress::Auto && !args.follow && !names.iter().any(|name| name == STDIN);
        let now = Instant::now();
        Ok(Self {
            session: Session::new(ruleset, session),
            outputs: Outputs::open(&wanted_outputs(args, settings), terminal.color_out, names)?,
            rejects,
            late,
            progress: Progress::new(wanted, total_bytes(names)),
            names: names.to_vec(),
            max_line: config.limits.max_line,
            idle,
            lateness,
            at_end: args.at_end.or(config.at_end).unwrap_or_default(),
            heard: vec![now; names.len()],
            started: now,
            bytes: 0,
            alerts: 0,
            failed: false,
        })
    }

    /// Takes everything that the inputs give.
    fn all(&mut self, names: &[String], stop: &Arc<AtomicBool>) -> Result<(), Stop> {
        let options = BlockOptions { max_line: self.max_line, ..BlockOptions::default() };
        let mut inputs = Inputs::open(names, options, self.idle.is_some(), stop).map_err(Stop::failed)?;
        while !stop.load(Ordering::Relaxed) {
            match inputs.next(|source| self.session.newest(source), stop) {
                Given::Block(source, block) => self.block(source, block),
                Given::Ended(source, error) => {
                    self.session.end_source(source);
                    if let Some(error) = error {
                        self.failed = true;
                        let text = format!("error: {error}\n");
                        self.progress.aside(|| note(&text));
                    }
                }
                Given::Nothing => self.idle(),
                Given::AllEnded => break,
            }
            self.deliver()?;
        }
        // What was interrupted stays undecided.
        self.session.finish(if stop.load(Ordering::Relaxed) { AtEnd::Pending } else { self.at_end });
        self.deliver()?;
        self.outputs.flush()?;
        self.rejects.flush()?;
        self.late.flush()?;
        Ok(())
    }

    fn block(&mut self, source: usize, block: Block) {
        if let Some(heard) = self.heard.get_mut(source) {
            *heard = Instant::now();
        }
        self.session.set_arrival(wall_clock());
        self.bytes += block.bytes.len() as u64;
        if let Some(overlong) = block.overlong {
            self.session.skip_overlong(source, overlong.bytes);
        }
        self.session.push_block_from(source, block.bytes);
    }

    /// Sources that were silent for long no longer hold time back, which then follows the wall clock.
    fn idle(&mut self) {
        let Some(idle) = self.idle else { return };
        let now = Instant::now();
        let silent =
            |heard: &Instant| Duration(i64::try_from(now.duration_since(*heard).as_nanos()).unwrap_or(i64::MAX));
        let mut all = true;
        for source in 0..self.heard.len() {
            if silent(&self.heard[source]) >= idle {
                self.session.idle_source(source);
            } else {
                all = false;
            }
        }
        if all {
            self.session.advance(wall_clock() - self.lateness);
        }
    }

    /// Writes what has come out.
    fn deliver(&mut self) -> Result<(), SinkError> {
        let alerts = self.session.drain();
        self.alerts += alerts.len() as u64;
        if !alerts.is_empty() {
            let outputs = &mut self.outputs;
            self.progress.aside(|| outputs.deliver(&alerts))?;
        }
        for line in self.session.take_late() {
            self.late.line(&line)?;
        }
        for rejected in self.session.take_rejects() {
            self.rejects.rejected(&RejectedPlace {
                input: self.names.get(usize::from(rejected.input)).map_or("", String::as_str),
                line: rejected.line,
                offset: rejected.offset,
                column: rejected.line_text.column,
                reason: rejected.line_text.reason.name(),
                text: &rejected.line_text.text,
            })?;
        }
        let time = self.session.watermark();
        self.progress.update(Sofar { bytes: self.bytes, events: 0, alerts: self.alerts, time });
        Ok(())
    }

    /// The summary and the exit code.
    fn end(self, args: &RunArgs, terminal: Terminal, interrupted: bool) -> Result<Exit, Stop> {
        if !args.quiet {
            let counts = self.session.summary();
            let time = self.session.watermark();
            let totals = summary::Totals::new(&counts, self.started.elapsed(), (time > Timestamp::MIN).then_some(time));
            note(&summary::render(&totals, terminal.color_err));
        }
        Ok(if interrupted {
            note(&format!("{}\n", paint(terminal.color_err, style::YELLOW, "interrupted")));
            Exit::Interrupted
        } else if self.failed {
            Exit::Failed
        } else if args.fail_on_alert && self.alerts > 0 {
            Exit::Found
        } else {
            Exit::Done
        })
    }
}

/// A file named on the command line, else in the configuration.
fn file(flag: Option<&Path>, configured: Option<&str>, settings: &Settings) -> Option<std::path::PathBuf> {
    flag.map(Path::to_owned).or_else(|| configured.map(|path| settings.path(path)))
}

/// Flags replace all outputs of the configuration; JSON on stdout if nothing is said.
fn wanted_outputs(args: &RunArgs, settings: &Settings) -> Vec<Output> {
    let configured = &settings.config.outputs;
    if args.output.is_none() && args.alerts.is_none() && !configured.is_empty() {
        let mut outputs = configured.clone();
        for output in &mut outputs {
            if let Target::File(path) = &mut output.target {
                *path = settings.path(path).display().to_string();
            }
        }
        return outputs;
    }
    let target = args.alerts.as_ref().map_or(Target::Stdout, |path| Target::File(path.display().to_string()));
    vec![Output { format: args.output.unwrap_or_default(), target }]
}

/// The bytes of all inputs, if they are plain files.
fn total_bytes(names: &[String]) -> Option<u64> {
    let mut total = 0;
    for name in names {
        let plain = ![".gz", ".zst"].iter().any(|suffix| name.ends_with(suffix));
        let metadata = fs::metadata(name).ok().filter(|metadata| plain && metadata.is_file())?;
        total += metadata.len();
    }
    Some(total)
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    Timestamp(i64::try_from(since).unwrap_or(i64::MAX))
}
