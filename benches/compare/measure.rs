//! Processes and what they cost; what they say they found.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use wait4::Wait4;

use crate::cases::Case;
use crate::fingerprint;

/// What a process took.
#[derive(Clone, Copy)]
pub struct Usage {
    /// Seconds of processor time, user and system, of all its threads.
    pub cpu: f64,
    /// Seconds from its start to its end.
    pub wall: f64,
    /// Peak resident memory in megabytes.
    pub peak: u64,
}

impl Usage {
    /// The median of each figure by itself.
    pub fn median(runs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self { cpu: of(|run| run.cpu), wall: of(|run| run.wall), peak: of(|run| run.peak as f64) as u64 }
    }
}

/// What an engine found for one pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub pattern: String,
    pub matches: u64,
    /// The sum of the fingerprints of the matches.
    pub sum: u64,
}

/// Runs a program to its end, its standard output to a file.
pub fn run(command: &mut Command, output: &Path) -> Usage {
    let file = File::create(output).expect("the target directory can be written");
    let started = Instant::now();
    let mut child = command.stdout(file).stderr(Stdio::piped()).spawn().expect("a program starts");
    let mut errors = Vec::new();
    child.stderr.take().expect("asked for").read_to_end(&mut errors).expect("what the program says");
    let ended = child.wait4().expect("the program ends");
    let wall = started.elapsed().as_secs_f64();
    assert!(ended.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&errors));
    let cpu = (ended.rusage.utime + ended.rusage.stime).as_secs_f64();
    Usage { cpu, wall, peak: ended.rusage.maxrss >> 20 }
}

/// Reads what a peer printed: `found PATTERN MATCHES SUM`, and `cpu SECONDS` if only a part of its work counts.
pub fn printed(mut usage: Usage, output: &Path) -> (Usage, Vec<Found>) {
    let text = fs::read_to_string(output).expect("the peer prints text");
    let mut found = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["found", pattern, matches, sum] => found.push(Found {
                pattern: (*pattern).to_owned(),
                matches: matches.parse().expect("a number of matches"),
                sum: sum.parse::<i64>().expect("a sum").cast_unsigned(),
            }),
            ["cpu", seconds] => usage.cpu = seconds.parse().expect("seconds"),
            _ => {}
        }
    }
    found.sort();
    (usage, found)
}

/// Reads a file of alerts.
pub fn alerts(file: &Path, case: &Case) -> Vec<Found> {
    let mut found: BTreeMap<String, (u64, u64)> =
        case.patterns.iter().map(|pattern| ((*pattern).to_owned(), (0, 0))).collect();
    for line in BufReader::new(File::open(file).expect("the alerts")).lines() {
        let alert: serde_json::Value = serde_json::from_str(&line.expect("the alerts")).expect("an alert is JSON");
        let steps = alert["events"].as_object().expect("an alert has events");
        let times = || steps.values().filter_map(|step| step.as_array()).flatten().map(|event| time(&event["time"]));
        let (first, last) = (times().min().expect("an event"), times().max().expect("an event"));
        let (matches, sum) = found.entry(alert["rule"].as_str().expect("a rule").to_owned()).or_default();
        *matches += 1;
        *sum = sum.wrapping_add(fingerprint(first, last));
    }
    found.into_iter().map(|(pattern, (matches, sum))| Found { pattern, matches, sum }).collect()
}

/// Milliseconds since 1970.
fn time(value: &serde_json::Value) -> u64 {
    let text = value.as_str().expect("a time is text");
    let time = chrono::DateTime::parse_from_rfc3339(text).expect("a time is written as RFC 3339");
    time.timestamp_millis().cast_unsigned()
}
