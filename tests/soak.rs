//! A run that goes on and on: memory and open files must not grow.
//!
//! The real program follows a file with state, journal-less, at a steady rate, with alerts to a file that is opened anew
//! now and then and to a table. `SOAK_SECONDS` says how long (a few seconds if nothing is said; 900 for a release):
//!
//! ```sh
//! SOAK_SECONDS=900 cargo test --release --test soak -- --nocapture
//! ```
//! Resident memory and open files are looked at once a second. The first third is for warming up; of the rest the slope
//! of a straight line through the points is taken. Memory goes up and down by some ten megabytes as blocks come and go,
//! so a short run tells a slope only roughly: how far that line may be off is taken from how far the points lie from it.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const RULES: &str = r#"
rule fails { by user match { bad: at least 4 of login where ok == false then good: login where ok == true } within 2m }
rule silent { by host match { last: beat then no beat within 20s } }
rule burst { by user match { x: at least 6 of login } within 30s suppress 1m by user }
rule all { by user match { a: login where ok == true then b: login where ok == false } within 5s pick all }
"#;

/// Events a second, and how much event time goes by in one.
const RATE: u64 = 20_000;
const PACE: u64 = 20;

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// The slope of the line through points a second apart, by least squares, and its standard error.
fn slope(points: &[f64]) -> (f64, f64) {
    let n = points.len() as f64;
    let (middle, level) = ((n - 1.0) / 2.0, points.iter().sum::<f64>() / n);
    let (mut up, mut down) = (0.0, 0.0);
    for (at, value) in points.iter().enumerate() {
        let x = at as f64 - middle;
        up += x * value;
        down += x * x;
    }
    let slope = up / down;
    let off = |(at, value): (usize, &f64)| (value - level - slope * (at as f64 - middle)).powi(2);
    let squares: f64 = points.iter().enumerate().map(off).sum();
    (slope, (squares / (n - 2.0).max(1.0) / down).sqrt())
}

/// Neighbouring points are alike, so that the line is off by more than its standard error says; by how much at most.
const ERRORS: f64 = 6.0;

#[test]
fn memory_and_open_files_stay_flat() {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_u64);
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    fs::write(path("rules.trip"), RULES).expect("written");
    fs::write(path("events.ndjson"), "").expect("written");
    let config = "outputs:\n  - file: alerts.ndjson\n  - sqlite: alerts.db\n    rules: fails\n";
    fs::write(path("tripline.yaml"), config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.current_dir(dir.path()).args(["run", "rules.trip", "events.ndjson", "--follow", "--state", "state"]);
    command.args(["--threads", "2", "--lateness", "1s"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(fs::File::create(path("log")).expect("made")).spawn().expect("it starts");
    let proc = Path::new("/proc").join(child.id().to_string());
    let mut events = OpenOptions::new().append(true).open(path("events.ndjson")).expect("the file");
    let mut random = fastrand::Rng::with_seed(1);
    let (mut rss, mut files, mut time, mut block) = (Vec::new(), Vec::new(), 1_767_225_600_000_u64, String::new());
    let started = Instant::now();
    for second in 0..seconds {
        for n in 0..RATE {
            let (user, host) = (random.u32(..20_000), random.u32(..500));
            // Up to a second late.
            let at = time + n * PACE * 1000 / RATE - random.u64(..900);
            match random.u8(..5) {
                0 => writeln!(block, r#"{{"ts":{at},"type":"beat","host":"h{host}"}}"#),
                n => writeln!(block, r#"{{"ts":{at},"type":"login","user":"u{user}","ok":{}}}"#, n == 1),
            }
            .expect("memory");
        }
        time += PACE * 1000;
        events.write_all(block.as_bytes()).expect("written");
        block.clear();
        if second % 30 == 29 {
            // As log rotation does it: what is followed and what is written get new files.
            fs::rename(path("events.ndjson"), path("events.old")).expect("renamed");
            fs::write(path("events.ndjson"), "").expect("written");
            events = OpenOptions::new().append(true).open(path("events.ndjson")).expect("the file");
            fs::rename(path("alerts.ndjson"), path("alerts.old")).expect("renamed");
            let sent = Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
            assert!(sent.is_ok_and(|status| status.success()));
        }
        let next = started + Duration::from_secs(second + 1);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        let status = fs::read_to_string(proc.join("status")).expect("it runs");
        rss.push(field(&status, "VmRSS") as f64 / 1024.0);
        files.push(fs::read_dir(proc.join("fd")).map_or(0, Iterator::count));
    }
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(stopped.is_ok_and(|status| status.success()));
    let ended = child.wait().expect("it ends");
    let log = fs::read_to_string(path("log")).expect("written");
    assert_eq!(ended.code(), Some(130), "{log}");
    println!("{log}");
    let warm = rss.len() / 3;
    let (slope, error) = slope(&rss[warm..]);
    let (grows, error, high) = (slope * 60.0, error * 60.0, rss.iter().copied().fold(0.0, f64::max));
    let (least, most) = (files[warm..].iter().min().copied(), files[warm..].iter().max().copied());
    println!(
        "{seconds} s: {grows:+.2} ± {error:.2} MiB a minute, {high:.0} MiB at most, {least:?} to {most:?} open files"
    );
    assert!(!log.contains("warning"), "{log}");
    // Files of checkpoints and journals come and go.
    assert!(most.zip(least).is_some_and(|(most, least)| most <= least + 4), "open files: {files:?}");
    if seconds >= 60 {
        assert!(grows < 2.0 + ERRORS * error, "{grows:.2} ± {error:.2} MiB a minute: {rss:?}");
    }
}
