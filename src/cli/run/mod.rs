//! `tripline run`: rules over events, alerts out.
//!
//! ```text
//! inputs ─► engine ─► Writer ─► outputs
//! ```
//! The engine waits for what is written, so a slow output slows the reading down and memory stays bounded.
#![expect(clippy::disallowed_methods, reason = "the length of a run is wall-clock time, and inputs are files")]

mod outputs;
mod progress;
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
use tripline::alert::Alert;
use tripline::base::{Duration, Timestamp};
use tripline::config::{Output, Target};
use tripline::engine::{self, EngineConfig, Handler, Live, Source, SourceFailure};
use tripline::io::sink::SinkError;
use tripline::io::source::{BlockOptions, FollowOptions, Position, STDIN, follow, open};
use tripline::plan::Ruleset;
use tripline::plan::ruleset::Severity;
use tripline::session::{Rejected, SessionConfig};

use super::args::{self, RunArgs};
use super::exit::{Exit, Stop};
use super::settings::Settings;
use super::terminal::{Terminal, note, paint, style};
use outputs::{Outputs, Record};
use progress::Progress;
use reload::Reload;
use select::Chosen;
use summary::Totals;

/// When a source that gives nothing lets time follow the wall clock.
const IDLE: Duration = Duration::from_secs(5);
/// How far ahead of the wall clock a live event may be.
const MAX_FUTURE: Duration = Duration::from_secs(300);

/// Runs the command.
pub fn run(args: &RunArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    let Chosen { rules, inputs } = select::choose(args, settings)?;
    let ruleset = select::compile(args, &rules, &settings.compile_options(&args.time), terminal)?;
    let config = &settings.config;
    let (rejects, late) = (
        Record::open(file(args.rejects.as_deref(), config.rejects.as_deref(), settings).as_deref())?,
        Record::open(file(args.late.as_deref(), config.late.as_deref(), settings).as_deref())?,
    );
    let stop = Arc::new(AtomicBool::new(false));
    let engine_config = engine_config(args, settings, rejects.wanted(), &stop);
    let sources = open_inputs(&inputs, config.limits.max_line, args.follow, &stop)?;
    let shown = args.progress == args::Progress::Auto && !args.follow && !inputs.iter().any(|name| name == STDIN);
    let wanted = wanted_outputs(args, settings);
    outputs::check_routes(&wanted, &ruleset);
    let mut writer = Writer {
        outputs: Outputs::open(&wanted, settings, terminal.color_out, &inputs, &stop)?,
        rejects,
        late,
        progress: Progress::new(shown, total_bytes(&inputs)),
        names: inputs,
        alerts: 0,
        min_level: args.filter.min_level,
        reached: None,
        input_failed: false,
        error: None,
        reload: Reload::on_hangup(&ruleset, || {
            select::compile(args, &rules, &settings.compile_options(&args.time), terminal)
        })?,
    };
    catch_signals(&stop)?;
    let started = Instant::now();
    let summary = engine::run(&ruleset, &engine_config, sources, &mut writer);
    writer.progress.finish();
    let flushed = writer.flush();
    let reports = writer.outputs.close();
    flushed?;
    if !args.quiet {
        let totals = Totals::new(&summary, started.elapsed(), writer.reached, &reports);
        note(&summary::render(&totals, terminal.color_err));
    }
    let undelivered = reports.iter().any(|report| report.standing.waiting > 0 && !report.kept);
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

/// The first signal ends the run in order, a second one at once.
fn catch_signals(stop: &Arc<AtomicBool>) -> Result<(), Stop> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .map_err(|error| Stop::failed(format!("signals cannot be caught: {error}")))?;
    }
    Ok(())
}

/// Opens all inputs.
fn open_inputs(
    names: &[String],
    max_line: usize,
    following: bool,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<Box<dyn Source>>, Stop> {
    let options = BlockOptions { max_line, ..BlockOptions::default() };
    let mut sources: Vec<Box<dyn Source>> = Vec::with_capacity(names.len());
    for name in names {
        if following && name != STDIN {
            let how = FollowOptions { stop: stop.clone(), ..FollowOptions::default() };
            sources.push(Box::new(follow(name, Position::START, options, how).map_err(Stop::failed)?));
        } else {
            sources.push(Box::new(open(name, options).map_err(Stop::failed)?));
        }
    }
    Ok(sources)
}

/// How the engine is to work, from flags, configuration and defaults.
fn engine_config(args: &RunArgs, settings: &Settings, keep_rejects: bool, stop: &Arc<AtomicBool>) -> EngineConfig {
    let config = &settings.config;
    // A pipe may be a replay that is merely slow: it follows the wall clock only if somebody asks for it.
    let live = args.follow || args.idle.is_some() || config.idle.is_some();
    let processors = || thread::available_parallelism().map_or(1, NonZero::get);
    EngineConfig {
        session: SessionConfig {
            time: settings.time_config(&args.time),
            lateness: args.lateness.or(config.lateness).unwrap_or(Duration::ZERO),
            evidence: args.evidence.or(config.evidence).unwrap_or_default(),
            limits: config.limits.clone(),
            max_future: live.then(|| config.max_future.unwrap_or(MAX_FUTURE)),
            from: args.from,
            to: args.to,
            keep_rejects,
            ..SessionConfig::default()
        },
        threads: args.threads.or(config.threads).map_or_else(processors, usize::from),
        at_end: args.at_end.or(config.at_end).unwrap_or_default(),
        live: live.then(|| Live { idle: args.idle.or(config.idle).unwrap_or(IDLE) }),
        stop: stop.clone(),
        time_rules: !args.quiet,
    }
}

/// Writes what the engine gives, and remembers what went wrong.
struct Writer<'a> {
    outputs: Outputs,
    rejects: Record,
    late: Record,
    progress: Progress,
    names: Vec<String>,
    alerts: u64,
    min_level: Option<Severity>,
    reached: Option<Timestamp>,
    input_failed: bool,
    error: Option<SinkError>,
    reload: Reload<'a>,
}

impl Writer<'_> {
    /// Goes on unless an output has failed.
    fn after(&mut self, result: Result<(), SinkError>) -> ControlFlow<()> {
        match result {
            Ok(()) if self.error.is_some() => ControlFlow::Break(()),
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error.get_or_insert(error);
                ControlFlow::Break(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        self.outputs.flush()?;
        self.rejects.flush()?;
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
        self.reload.take()
    }

    fn progress(&mut self, progress: engine::Progress) {
        self.reached = progress.watermark;
        // Whoever watches these files sees what has happened so far.
        let flushed = self.rejects.flush().and_then(|()| self.late.flush());
        if let Err(error) = flushed.and_then(|()| self.outputs.reopen_if_asked()) {
            self.error.get_or_insert(error);
        }
        self.progress.update(progress);
    }
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
fn total_bytes(names: &[String]) -> Option<u64> {
    let mut total = 0;
    for name in names {
        let plain = ![".gz", ".zst"].iter().any(|suffix| name.ends_with(suffix));
        let metadata = fs::metadata(name).ok().filter(|metadata| plain && metadata.is_file())?;
        total += metadata.len();
    }
    Some(total)
}
