//! `tripline backtest`: what rules would have said of the past, as counts per day and key, and what another version of
//! them would have said.
#![expect(clippy::disallowed_methods, reason = "the past is counted back from the wall clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tripline::alert::Alert;
use tripline::base::Timestamp;
use tripline::config::{Input, OpenInput, Reading, duration, timestamp};
use tripline::engine::{self, EngineConfig, Handler, Place, Source, SourceFailure};
use tripline::io::disk::Disk;
use tripline::io::journal::Past;
use tripline::plan::Ruleset;
use tripline::session::{Rejected, SessionConfig};

use super::args::{BacktestArgs, StateFormat};
use super::exit::{Exit, Stop};
use super::number::{counted, grouped};
use super::paths::rules_and_inputs;
use super::rules::{RuleTexts, accept, compile_texts};
use super::settings::Settings;
use super::terminal::{Terminal, note, print};
use super::threads::Threads;

/// Keys that are shown for a rule, the busiest first.
const KEYS: usize = 10;
/// The longest bar.
const BAR: u64 = 40;

/// Runs the command.
pub fn run(args: &BacktestArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    let sorted = rules_and_inputs(&args.paths);
    if sorted.rules.is_empty() {
        return Err(Stop::usage("no rules: name .trip files or directories of them"));
    }
    let named = sorted.others.iter().map(|path| Input::file(path.display().to_string()));
    let mut inputs: Vec<Input> = named.collect();
    let journal = args.journal.clone().or_else(|| settings.config.journal.as_ref().map(|path| settings.path(path)));
    if inputs.is_empty() && journal.is_none() {
        inputs = settings.inputs()?;
        inputs.retain(Input::is_readable_again);
        if inputs.is_empty() {
            return Err(Stop::usage("no past: name files of events, or a journal that was kept with --journal DIR"));
        }
    }
    let from = args.from.as_deref().map(past).transpose()?;
    let look = |rules: &[PathBuf]| -> Result<Told, Stop> {
        let texts = RuleTexts::read(rules, Threads::default())?;
        let ruleset = accept(&compile_texts(&texts, &settings.compile_options(&args.time)), &texts.sources, terminal)?;
        let (sources, readings) = sources(&inputs, journal.as_deref(), args, settings)?;
        Ok(told(&ruleset, args, settings, &readings, from, sources))
    };
    let new = look(&sorted.rules)?;
    let old = if args.against.is_empty() { None } else { Some(look(&args.against)?) };
    let text = match args.format {
        StateFormat::Json => as_json(&new, old.as_ref()),
        StateFormat::Text => as_text(&new, old.as_ref()),
    };
    print(&text)?;
    Ok(if new.failed || old.is_some_and(|old| old.failed) { Exit::Failed } else { Exit::Done })
}

/// A time, or so long before now.
fn past(text: &str) -> Result<Timestamp, Stop> {
    if let Ok(ago) = duration(text) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        return Ok(Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)) - ago);
    }
    timestamp(text).map_err(|_| {
        Stop::usage(format!("--from {text}: write how long ago, such as 7d, or a time such as 2026-01-31T12:00:00Z"))
    })
}

fn sources(
    inputs: &[Input],
    journal: Option<&std::path::Path>,
    args: &BacktestArgs,
    settings: &Settings,
) -> Result<(Vec<Box<dyn Source>>, Vec<Reading>), Stop> {
    let how = OpenInput {
        provenance: false,
        directory: settings.directory(),
        env: &|_| None,
        max_line: settings.config.limits.max_line,
        following: false,
        journalled: false,
        stop: &Arc::default(),
    };
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    let mut readings: Vec<Reading> = inputs.iter().map(|input| input.reading.clone()).collect();
    for input in inputs {
        sources.push(how.open(input, &Place::default()).map_err(Stop::failed)?.source);
    }
    if let Some(journal) = journal {
        let names = Disk::default().names(journal).map_err(|e| Stop::failed(format!("{}: {e}", journal.display())))?;
        let configured = settings.inputs()?;
        let before = sources.len();
        for name in names {
            if let Some(past) = Past::open(&journal.join(&name)).map_err(Stop::failed)? {
                sources.push(Box::new(past));
                let of = configured.iter().find(|input| input.journal_name() == name);
                let all = args.lateness.or(settings.config.lateness);
                readings.push(of.map_or_else(Reading::default, |input| Reading {
                    lateness: input.own_lateness(all),
                    ..input.reading.clone()
                }));
            }
        }
        if sources.len() == before {
            return Err(Stop::failed(format!("{}: holds no journal", journal.display())));
        }
    }
    Ok((sources, readings))
}

/// One alert, as two versions of rules may both give it.
type One = (Timestamp, Vec<(String, String)>);

/// What rules have said, by rule.
#[derive(Default)]
struct Told {
    rules: BTreeMap<String, BTreeSet<One>>,
    events: u64,
    failed: bool,
}

impl Handler for Told {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        for alert in alerts {
            let key = alert.key.iter().map(|(name, value)| {
                let value = value.to_json();
                (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            });
            self.rules.entry(alert.rule_name.to_string()).or_default().insert((alert.time, key.collect()));
        }
        ControlFlow::Continue(())
    }

    fn late(&mut self, _: u16, _: &str) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn rejected(&mut self, _: &Rejected) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        note(&format!("error: {failure}\n"));
        self.failed = true;
    }

    fn progress(&mut self, _: engine::Progress) {}
}

fn told(
    rules: &Arc<Ruleset>,
    args: &BacktestArgs,
    settings: &Settings,
    readings: &[Reading],
    from: Option<Timestamp>,
    sources: Vec<Box<dyn Source>>,
) -> Told {
    let (time, type_field) = (settings.time_config(&args.time), settings.type_field(&args.time));
    let config = EngineConfig {
        session: SessionConfig {
            own: readings.iter().map(|reading| reading.own(&time, &type_field, None)).collect(),
            time,
            lateness: args.lateness.or(settings.config.lateness).unwrap_or_default(),
            limits: settings.config.limits.clone(),
            from,
            ..SessionConfig::default()
        },
        threads: thread::available_parallelism().map_or(1, NonZero::get),
        ..EngineConfig::default()
    };
    let mut told = Told::default();
    for rule in &rules.rules {
        told.rules.insert(rule.name.to_string(), BTreeSet::new());
    }
    let summary = engine::run(rules, &config, sources, &mut told);
    told.events = summary.events - summary.outside;
    told
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

fn key_text(key: &[(String, String)]) -> String {
    let parts: Vec<String> =
        key.iter().map(|(name, value)| format!("{name}={}", tripline::base::visible::visible(value))).collect();
    if parts.is_empty() { "(no key)".to_owned() } else { parts.join(" ") }
}

/// Counts by something.
fn counts<K: Ord>(alerts: &BTreeSet<One>, of: impl Fn(&One) -> K) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for alert in alerts {
        *counts.entry(of(alert)).or_insert(0) += 1;
    }
    counts
}

fn names<'a>(new: &'a Told, old: Option<&'a Told>) -> BTreeSet<&'a String> {
    new.rules.keys().chain(old.into_iter().flat_map(|old| old.rules.keys())).collect()
}

fn as_text(new: &Told, old: Option<&Told>) -> String {
    let mut out = format!("{}\n", counted(new.events, "event"));
    let none = BTreeSet::new();
    for name in names(new, old) {
        let alerts = new.rules.get(name).unwrap_or(&none);
        let before = old.map(|old| old.rules.get(name).unwrap_or(&none));
        let _ = write!(out, "\n{name}: {}", counted(alerts.len(), "alert"));
        if let Some(before) = before {
            let (more, fewer) = (alerts.difference(before).count(), before.difference(alerts).count());
            let _ = write!(out, ", {} before; {} new, {} gone", grouped(before.len()), grouped(more), grouped(fewer));
        }
        out.push('\n');
        let by_day = counts(alerts, |(time, _)| day(*time));
        let before_by_day = before.map(|before| counts(before, |(time, _)| day(*time)));
        let days: BTreeSet<&String> = by_day.keys().chain(before_by_day.iter().flat_map(|days| days.keys())).collect();
        let most = by_day.values().copied().max().unwrap_or(1);
        for day in days {
            let count = by_day.get(day).copied().unwrap_or(0);
            let bar = "#".repeat((count * BAR).div_ceil(most) as usize);
            let was = before_by_day.as_ref().map_or_else(String::new, |before| {
                format!("  ({} before)", grouped(before.get(day).copied().unwrap_or(0)))
            });
            let _ = writeln!(out, "  {day}  {:>8}{was}  {bar}", grouped(count));
        }
        let by_key = counts(alerts, |(_, key)| key.clone());
        let mut busiest: Vec<_> = by_key.iter().collect();
        busiest.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        for (key, count) in busiest.iter().take(KEYS) {
            let _ = writeln!(out, "  {:>8}  {}", grouped(count), key_text(key));
        }
        if busiest.len() > KEYS {
            let _ = writeln!(out, "  … {}", counted(busiest.len() - KEYS, "more key"));
        }
        for (sign, one, other) in before.map_or_else(Vec::new, |b| vec![('+', alerts, b), ('-', b, alerts)]) {
            for (time, key) in one.difference(other).take(KEYS) {
                let _ = writeln!(out, "  {sign} {time}  {}", key_text(key));
            }
        }
    }
    out
}

fn as_json(new: &Told, old: Option<&Told>) -> String {
    let mut out = String::new();
    let none = BTreeSet::new();
    for name in names(new, old) {
        let alerts = new.rules.get(name).unwrap_or(&none);
        let by_key = |alerts| -> Vec<_> {
            let counts = counts(alerts, |(_, key): &One| key.clone());
            counts
                .into_iter()
                .map(|(key, count)| json!({ "key": key.into_iter().collect::<BTreeMap<_, _>>(), "alerts": count }))
                .collect()
        };
        let mut line = json!({
            "rule": name,
            "alerts": alerts.len(),
            "days": counts(alerts, |(time, _)| day(*time)),
            "keys": by_key(alerts),
        });
        if let Some(before) = old.map(|old| old.rules.get(name).unwrap_or(&none)) {
            let list = |one: &BTreeSet<One>, other: &BTreeSet<One>| -> Vec<_> {
                let differ = one.difference(other);
                differ.map(|(time, key)| json!({ "time": time.to_string(), "key": key.iter().cloned().collect::<BTreeMap<_, _>>() })).collect()
            };
            line["before"] = json!({ "alerts": before.len(), "days": counts(before, |(time, _)| day(*time)) });
            line["new"] = json!(list(alerts, before));
            line["gone"] = json!(list(before, alerts));
        }
        let _ = writeln!(out, "{line}");
    }
    out
}
