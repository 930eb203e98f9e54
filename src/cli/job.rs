//! `tripline explain --topology`: what a job of Flink would be of these rules: which of them share keys, which are matched in
//! a second stage by key, which go through the one task behind, and with `--sample` how many events and bytes take each way.
#![expect(clippy::disallowed_methods, reason = "the sample is read here")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use tripline::alert::build::Draft;
use tripline::base::{RuleId, Timestamp};
use tripline::decode::batch::BlockOrigin;
use tripline::host::{Cells, HostConfig, HostRules, Input, Item, KeyGroup, Router, Stage, Until, write_draft};
use tripline::session::AtEnd;

use super::args::ExplainArgs;
use super::exit::{Exit, Stop};
use super::number::{counted, grouped};
use super::rules;
use super::settings::Settings;
use super::terminal::{Terminal, print};

/// Names of rules that a line shows.
const NAMED: usize = 4;

/// What took one way.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    records: u64,
    bytes: u64,
}

impl Way {
    fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }

    /// Records and bytes per event of the sample.
    fn shown(self, events: u64) -> String {
        let per = |n: u64| n as f64 / events.max(1) as f64;
        format!("{:>7.3} records {:>7.1} bytes an event", per(self.records), per(self.bytes))
    }
}

/// What a sample showed.
#[derive(Debug, Default)]
struct Seen {
    events: u64,
    source: Way,
    groups: Vec<Way>,
    lines: Way,
    drafts: Way,
    /// Alerts on their way to keys of the second stage, by group.
    above: Vec<Way>,
    alerts: u64,
    keys: usize,
    state: u64,
}

/// Runs the command.
pub fn run(args: &ExplainArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    let options = settings.compile_options(&args.time);
    let selection = rules::select(&args.paths, &args.only, &options, terminal)?;
    let config = HostConfig { time: settings.time_config(&args.time), ..HostConfig::default() };
    let host = Arc::new(HostRules::new(Arc::clone(&selection.ruleset), config));
    let groups = host.key_groups();
    let seen = args.sample.as_deref().map(|path| sample(&host, &groups, path)).transpose()?;
    print(&drawn(&host, &groups, seen.as_ref()))?;
    Ok(Exit::Done)
}

/// Sends a sample through the stages, each key in the order of its events.
fn sample(host: &Arc<HostRules>, groups: &[KeyGroup], path: &Path) -> Result<Seen, Stop> {
    let cannot = |error: &dyn std::fmt::Display| Stop::usage(format!("{}: cannot be read: {error}", path.display()));
    let mut file = BufReader::new(File::open(path).map_err(|error| cannot(&error))?);
    let mut seen = Seen {
        groups: vec![Way::default(); groups.len()],
        above: vec![Way::default(); groups.len()],
        ..Seen::default()
    };
    let group_of: BTreeMap<RuleId, usize> =
        groups.iter().enumerate().flat_map(|(at, group)| group.rules.iter().map(move |rule| (*rule, at))).collect();
    let mut keys: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    let mut router = Router::new(Arc::clone(host));
    let (mut line, mut first_line, mut newest, mut first) = (Vec::new(), 1, Timestamp::MIN, None);
    while file.read_until(b'\n', &mut line).map_err(|error| cannot(&error))? > 0 {
        let origin = BlockOrigin { input: 0, first_line, offset: 0, arrival: Timestamp(0) };
        // Whatever the order of the sample, nothing is late.
        let routed = router.route(&line, origin, Timestamp::MIN, |item| match item {
            Item::Event { key, event, .. } => {
                let rules = host.rules_of_event(event).unwrap_or_default();
                if let Some(at) = rules.first().and_then(|rule| group_of.get(rule)) {
                    seen.groups[*at].add(key.len() + event.len());
                }
                keys.entry(key.to_vec()).or_default().push(event.to_vec());
            }
            Item::Gather { line, .. } => seen.lines.add(line.len()),
            Item::Late(_) => {}
        });
        seen.events += routed.stats.events;
        if routed.stats.events > 0 {
            seen.source.add(line.len());
        }
        newest = newest.max(routed.newest);
        first = first.into_iter().chain(routed.first).min();
        first_line += 1;
        line.clear();
    }
    let mut cells = Cells::new(Arc::clone(host));
    for stage in [false, true] {
        let of_stage = keys.keys().filter(|key| HostRules::is_upper(key) == stage);
        for key in of_stage.cloned().collect::<Vec<_>>() {
            let events = keys[&key].iter().map(Vec::as_slice).collect();
            let input = Input { key: &key, state: &[], events, start: first.unwrap_or(newest) };
            let output = cells.step(&input, Until::End(newest, AtEnd::Pending)).map_err(Stop::failed)?;
            seen.state += output.state.len() as u64;
            seen.alerts += output.alerts.len() as u64;
            output.drafts.iter().for_each(|draft: &Draft| seen.drafts.add(write_draft(host, draft).len()));
            for above in output.above {
                let rules = host.rules_of_event(&above.event).unwrap_or_default();
                if let Some(at) = rules.first().and_then(|rule| group_of.get(rule)) {
                    seen.above[*at].add(above.key.len() + above.event.len());
                }
                keys.entry(above.key).or_default().push(above.event);
            }
        }
    }
    seen.keys = keys.len();
    Ok(seen)
}

fn names(host: &HostRules, rules: &[RuleId]) -> String {
    let name = |rule: &RuleId| host.ruleset().rules[rule.index()].name.to_string();
    let shown: Vec<String> = rules.iter().take(NAMED).map(name).collect();
    let more = rules.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

fn drawn(host: &HostRules, groups: &[KeyGroup], seen: Option<&Seen>) -> String {
    let mut out = String::new();
    let way = |way: &dyn Fn(&Seen) -> Way| seen.map(|seen| way(seen).shown(seen.events)).unwrap_or_default();
    let mut line = |text: String| {
        let written = writeln!(out, "{}", text.trim_end());
        written.expect("a String takes any text");
    };
    line(format!("source         {}", way(&|seen| seen.source)));
    line("└─► fan".to_owned());
    for (at, group) in groups.iter().enumerate() {
        let what = match group.components.as_slice() {
            [] => "by nothing: one state, one task".to_owned(),
            components => format!("by {}", components.join(", ")),
        };
        let rules = format!("{}: {}", counted(group.rules.len(), "rule"), names(host, &group.rules));
        if group.stage == Stage::Upper {
            line(format!("    ├─► upper  {}  events beside alerts", way(&|seen| seen.groups[at])));
            line(format!("    ├─► match ─► upper {}  alerts, {what}", way(&|seen| seen.above[at])));
        } else {
            line(format!("    ├─► match  {}  {what}", way(&|seen| seen.groups[at])));
        }
        line(format!("    │          {rules}"));
    }
    let rules = host.ruleset();
    let gathered: Vec<RuleId> = rules.rules.iter().filter(|r| host.gathers(r.id)).map(|r| r.id).collect();
    if gathered.is_empty() {
        line("    └─► alerts".to_owned());
    } else {
        line(format!("    ├─► gather {}  events beside alerts", way(&|seen| seen.lines)));
        line(format!("    └─► match ─► gather {}  alerts, one task", way(&|seen| seen.drafts)));
        line(format!("               {}: {}", counted(gathered.len(), "rule"), names(host, &gathered)));
    }
    if let Some(seen) = seen {
        line(String::new());
        let each = if seen.keys == 0 { 0 } else { seen.state / seen.keys as u64 };
        line(format!(
            "{} of {} bytes; {}, {} bytes of state a key at the end; {}",
            counted(seen.events, "event"),
            grouped(seen.source.bytes / seen.source.records.max(1)),
            counted(seen.keys, "key"),
            grouped(each),
            counted(seen.alerts + seen.drafts.records, "alert"),
        ));
    }
    out
}
