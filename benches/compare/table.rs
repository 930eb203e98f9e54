//! The table, in Markdown.

use std::fs;
use std::process::Command;

use crate::Row;
use crate::cases::Case;
use crate::install::Peers;
use crate::measure::{Found, Usage};

/// Where this runs and what the columns are.
pub fn head(events: u64, runs: u64) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores of {}, {}, Java {}.", processor(), memory(), java());
    println!("{events} events, medians of {runs} runs in turn.");
    println!();
    println!(
        "| rules | engine | matches | right | CPU s | for no events | wall s | MB | events per CPU s | ratio | without start |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
}

/// Two lines: the peer, then Tripline with the ratio of events per processor second.
pub fn row(case: &Case, events: u64, row: &Row) {
    let rules = case.patterns.join(" + ");
    let engine = format!("{} {}{}", case.peer.name(), Peers::version(case.peer), case.peer.events());
    line(&rules, &engine, events, &row.peer, row.start.0, (&row.of_peer, &row.expected));
    println!(" | |");
    line("", "Tripline", events, &row.ours, row.start.1, (&row.of_ours, &row.expected));
    let without = (row.peer.cpu - row.start.0) / (row.ours.cpu - row.start.1);
    println!(" {:.1} | {without:.1} |", row.peer.cpu / row.ours.cpu);
}

fn line(rules: &str, engine: &str, events: u64, usage: &Usage, start: f64, (found, expected): (&[Found], &[Found])) {
    let matches: Vec<String> = found.iter().map(|found| found.matches.to_string()).collect();
    print!(
        "| {rules} | {engine} | {} | {} | {:.2} | {start:.2} | {:.2} | {} | {:.0} |",
        matches.join(" + "),
        if found == expected { "yes" } else { "no" },
        usage.cpu,
        usage.wall,
        usage.peak,
        events as f64 / usage.cpu
    );
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = text.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kilobytes.map_or_else(|| "memory unknown".to_owned(), |kilobytes| format!("{} GB of memory", kilobytes >> 20))
}

fn java() -> String {
    let text = Command::new("java").arg("-version").output().map(|output| output.stderr).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split('"').nth(1).unwrap_or("none").to_owned()
}
