//! Tripline beside other engines, on the same bytes: `cargo bench --bench compare`.
//!
//! Installs the peers from package registries (needs Java 17 and Python 3 with pip), writes one stream, runs every
//! rule through a peer and through Tripline in turn, and prints a Markdown table of medians. `-- --only WORD` takes
//! the case of that name, or those whose name holds the word, `-- --runs N` and `-- --events N` do what they say.
//!
//! Time is processor time, user and system, of whole processes, from their start to their end. What a process needs for
//! an empty stream is measured apart and shown, since a virtual machine takes long to start. Every engine tells how many
//! matches it found and a sum over what they bind; both are held against a count made by brute force here.

mod cases;
mod count;
mod generate;
mod install;
mod measure;
mod table;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use cases::{CASES, Case};
use install::Peers;
use measure::{Found, Usage};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |flag: &str| arguments.iter().position(|a| a == flag).and_then(|at| arguments.get(at + 1));
    let number = |flag: &str, default: u64| after(flag).map_or(default, |n| n.parse().expect("a number"));
    let (events, runs) = (number("--events", generate::EVENTS), number("--runs", 3));
    let chosen = chosen(after("--only").map_or("", String::as_str));

    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare");
    fs::create_dir_all(&place).expect("the target directory can be written");
    let peers = Peers::install(&place, chosen.iter().map(|case| case.peer));
    let inputs = Inputs { stream: stream(&place, events), empty: stream(&place, 0), events };
    table::head(events, runs);
    for case in chosen {
        let row = Row::measure(case, &peers, &inputs, runs);
        table::row(case, events, &row);
    }
}

/// The case with this name, or else those whose name holds it.
fn chosen(word: &str) -> Vec<&'static Case> {
    let named: Vec<&Case> = CASES.iter().filter(|case| case.name() == word).collect();
    if named.is_empty() { CASES.iter().filter(|case| case.name().contains(word)).collect() } else { named }
}

/// What the engines read.
struct Inputs {
    stream: PathBuf,
    empty: PathBuf,
    events: u64,
}

/// What one case came to: medians.
struct Row {
    peer: Usage,
    ours: Usage,
    /// Processor seconds for an empty stream: of the peer, of Tripline.
    start: (f64, f64),
    /// What the engines found, pattern by pattern: by brute force, the peer, Tripline.
    expected: Vec<Found>,
    of_peer: Vec<Found>,
    of_ours: Vec<Found>,
}

impl Row {
    fn measure(case: &Case, peers: &Peers, inputs: &Inputs, runs: u64) -> Self {
        let expected = count::matches(case, inputs.events);
        let output = peers.place.join("output");
        let peer = |input: &Path| {
            let usage = measure::run(&mut case.peer_command(peers, input), &output);
            measure::printed(usage, &output)
        };
        let ours = |input: &Path| {
            let usage = measure::run(&mut case.command(input), &output);
            (usage, measure::alerts(&output, case))
        };
        let start = (peer(&inputs.empty).0.cpu, ours(&inputs.empty).0.cpu);
        let (mut of_peer, mut of_ours) = (Vec::new(), Vec::new());
        let (mut peer_runs, mut our_runs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let (usage, found) = peer(&inputs.stream);
            peer_runs.push(usage);
            of_peer = found;
            let (usage, found) = ours(&inputs.stream);
            our_runs.push(usage);
            of_ours = found;
        }
        Self { peer: Usage::median(&peer_runs), ours: Usage::median(&our_runs), start, expected, of_peer, of_ours }
    }
}

/// A stream of so many events, written once.
fn stream(place: &Path, events: u64) -> PathBuf {
    let path = place.join(format!("stream-{events}.ndjson"));
    if !path.exists() {
        let part = path.with_extension("part");
        let mut out = BufWriter::new(File::create(&part).expect("the target directory can be written"));
        generate::write(events, &mut out).and_then(|()| out.flush()).expect("room for the stream");
        fs::rename(&part, &path).expect("the same directory");
    }
    path
}

/// Spreads the bits of a number (the last step of splitmix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What a match adds to the sum by which answers are compared: the times of its first and last event, mixed. The Java
/// programs compute the same.
fn fingerprint(first: u64, last: u64) -> u64 {
    mix(first.wrapping_mul(31).wrapping_add(last))
}
