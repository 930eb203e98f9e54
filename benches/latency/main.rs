//! Latency of the program under an open load: `cargo bench --bench latency [-- RATE SECONDS]`.
//!
//! ```text
//! this program ── lines, at a fixed rate ──► tripline run RULE - ── alerts ──► this program
//! ```
//! Events of about 400 bytes are written to the program's standard input at 100,000 a second, whether it keeps up or
//! not: a line that falls due is written with all others that are due. Each carries the moment of its writing, and an
//! alert carries that of the event that completed it; when the alert is read, the difference is the latency. One event
//! in twenty completes an alert, by a sequence over two keys' worth of state. The first second is left out.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Events a second, unless another number is asked for.
const RATE: u64 = 100_000;
/// Seconds of the run.
const SECONDS: u64 = 10;
/// Nanoseconds of the run that are not measured.
const WARM_UP: u64 = 1_000_000_000;
/// Users, the key of the rule.
const USERS: u64 = 10_000;
/// The writer sleeps so long between two looks at the clock.
const NAP: Duration = Duration::from_micros(20);
/// One event in so many completes an alert; another one opens it.
const ALERTS: u64 = 20;

const RULE: &str = "rule paid { by user.name match { a: cart then b: checkout } within 10m \
                    alert { sent = b.sent } }";

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (rate, seconds) = (numbers.next().unwrap_or(RATE), numbers.next().unwrap_or(SECONDS));
    println!("{rate} events/s for {seconds} s, one alert in {ALERTS} events");
    println!("{:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}", "threads", "alerts", "p50", "p99", "p99.9", "max", "CPU");
    for threads in [1, 2] {
        let (mut latencies, busy) = run(rate, seconds, threads);
        latencies.sort_unstable();
        let expected = rate * seconds / ALERTS;
        assert!(latencies.len() as u64 >= expected * 8 / 10, "{} of {expected} alerts", latencies.len());
        let at = |share: f64| micros(latencies[((latencies.len() - 1) as f64 * share) as usize]);
        println!(
            "{threads:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7.0}%",
            latencies.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
            busy * 100.0
        );
    }
}

fn micros(nanos: u64) -> String {
    format!("{} µs", nanos / 1000)
}

/// Nanoseconds between writing and reading, by alert; and how many cores the program kept busy.
fn run(rate: u64, seconds: u64, threads: usize) -> (Vec<u64>, f64) {
    let rules = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("latency.trip");
    std::fs::write(&rules, RULE).expect("the target directory can be written");
    let mut program = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["run", "--quiet", "--threads", &threads.to_string()])
        .arg(&rules)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = program.stdin.take().expect("a pipe");
    let mut output = BufReader::with_capacity(1 << 20, program.stdout.take().expect("a pipe"));
    // The program reads its rules first.
    thread::sleep(Duration::from_millis(300));
    let id = program.id();
    let start = Instant::now();
    let reader = thread::spawn(move || {
        let mut latencies = Vec::with_capacity(1 << 20);
        let mut line = String::new();
        while output.read_line(&mut line).expect("alerts are text") > 0 {
            let now = nanos(start);
            let (_, sent) = line.split_once(r#""sent":"#).expect("an alert says when its event was sent");
            let sent = sent.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse::<u64>().ok());
            let sent = sent.expect("nanoseconds");
            if sent > WARM_UP {
                latencies.push(now - sent);
            }
            line.clear();
        }
        latencies
    });
    let (mut written, mut lines) = (0, Vec::with_capacity(1 << 20));
    let total = rate * seconds;
    let mut busy_before = (0.0, 0.0);
    while written < total {
        let now = nanos(start);
        let due = (now * rate / 1_000_000_000).min(total);
        lines.clear();
        for n in written..due {
            write_event(n, now, &mut lines);
        }
        input.write_all(&lines).expect("the program reads");
        if written <= rate && due > rate {
            busy_before = (cpu_seconds(id), start.elapsed().as_secs_f64());
        }
        written = due;
        thread::sleep(NAP);
    }
    let busy = (cpu_seconds(id) - busy_before.0) / (start.elapsed().as_secs_f64() - busy_before.1);
    drop(input);
    let latencies = reader.join().expect("the reader ends");
    assert!(program.wait().expect("the program ends").success());
    (latencies, busy)
}

fn nanos(start: Instant) -> u64 {
    start.elapsed().as_nanos() as u64
}

/// The n-th event. A user's cart is followed by its checkout ten events later.
fn write_event(n: u64, sent: u64, lines: &mut Vec<u8>) {
    let (kind, user) = match n % ALERTS {
        0 => ("cart", n / ALERTS),
        10 => ("checkout", n / ALERTS),
        _ => ("request", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    writeln!(
        lines,
        concat!(
            r#"{{"ts":{},"type":"{}","sent":{},"event":{{"category":"web","type":"start","outcome":"success","#,
            r#""id":"{:016x}","duration":{}}},"user":{{"name":"user{:05}","roles":["staff","remote"]}},"#,
            r#""source":{{"ip":"10.1.2.3","port":40000}},"host":{{"name":"web-07","os":"linux"}},"#,
            r#""http":{{"status":200,"bytes":{}}},"url":{{"path":"/api/v1/items/{}"}},"#,
            r#""amount":12.50,"agent":"Mozilla/5.0 (X11; Linux x86_64)"}}"#
        ),
        1_767_225_600_000 + sent / 1_000_000,
        kind,
        sent,
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        n % 1_000_000,
        user % USERS,
        n % 100_000,
        n % 100_000,
    )
    .expect("a Vec takes any text");
}

/// CPU seconds of a process so far; 0 where the system does not say.
fn cpu_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // After the name in brackets: state, …, user and system time as the 12th and 13th, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
