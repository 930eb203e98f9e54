//! Memory under attack: the real program, fed one event for each of very many keys, stays within its cap, and finds the
//! attack on one key that goes on meanwhile.
//!
//! `FLOOD_KEYS` says how many keys (a hundred thousand if nothing is said), and `FLOOD_CAP` the cap in MiB:
//!
//! ```sh
//! FLOOD_KEYS=50000000 FLOOD_CAP=512 cargo test --release --test flood -- --nocapture
//! ```

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use wait4::Wait4;

const RULES: &str = r#"
rule break_in {
  by user
  match { bad: at least 4 of login where ok == false then good: login where ok == true } within 30d
  alert { who = user }
}
rule moved { by user match { a: login where ok == false then b: move then c: login where ok == true } within 30d }
"#;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What a run did.
struct Told {
    alerts: String,
    log: String,
    /// The most memory that it took, in bytes.
    rss: u64,
    rate: f64,
}

/// Feeds `events` events of `keys` different keys, and an attack on one more.
fn flood(events: u64, keys: u64, cap: u64) -> Told {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("rules.trip"), RULES).expect("written");
    fs::write(dir.path().join("tripline.yaml"), format!("limits: {{memory: {cap}}}\n")).expect("written");
    let out = File::create(dir.path().join("alerts")).expect("made");
    let log = File::create(dir.path().join("log")).expect("made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.current_dir(dir.path()).args(["run", "rules.trip", "-", "--evidence", "ids"]);
    command.args(["--threads", &number("FLOOD_THREADS", 2).to_string()]);
    let started = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(out).stderr(log).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    let mut block = String::new();
    let victim = |block: &mut String, class: &str, ok: bool, ts: u64| {
        writeln!(block, r#"{{"type":"{class}","user":"victim","ok":{ok},"ts":{ts}}}"#).expect("memory");
    };
    const START: u64 = 1_767_225_600_000;
    for n in 0..events {
        let ts = START + n / 50;
        writeln!(block, r#"{{"type":"login","user":"u{:09}","ok":false,"ts":{ts}}}"#, n % keys).expect("memory");
        // The second step comes soon: a first event alone is like any other. The rest takes its time.
        if [0, events / 1000, events / 4, events / 2].contains(&n) {
            victim(&mut block, "login", false, ts);
        }
        if n == events / 500 {
            victim(&mut block, "move", false, ts);
        }
        if block.len() > 1 << 16 {
            input.write_all(block.as_bytes()).expect("it reads");
            block.clear();
        }
    }
    victim(&mut block, "login", true, START + events / 50);
    input.write_all(block.as_bytes()).expect("it reads");
    drop(input);
    let done = child.wait4().expect("it ends");
    let log = fs::read_to_string(dir.path().join("log")).expect("written");
    assert!(done.status.success(), "{log}");
    let alerts = fs::read_to_string(dir.path().join("alerts")).expect("written");
    Told { alerts, log, rss: done.rusage.maxrss, rate: events as f64 / started.elapsed().as_secs_f64() }
}

#[test]
fn the_cap_holds_and_the_victim_is_found() {
    let (keys, cap) = (number("FLOOD_KEYS", 100_000), number("FLOOD_CAP", 4) << 20);
    // The same events of a few keys: what the program takes beside its state.
    let plain = flood(keys.min(10_000_000), 100, cap);
    let told = flood(keys, keys, cap);
    println!("{}", told.log);
    let fired: Vec<&str> = ["break_in", "moved"].into_iter().filter(|rule| told.alerts.contains(rule)).collect();
    assert_eq!((fired, told.alerts.lines().count()), (vec!["break_in", "moved"], 2), "{}", told.alerts);
    assert!(told.log.contains("memory was short"), "{}", told.log);
    println!(
        "{keys} keys, a cap of {} MiB: {} MiB at most, {} MiB with few keys; {:.0} events/s, {:.0} with few keys",
        cap >> 20,
        told.rss >> 20,
        plain.rss >> 20,
        told.rate,
        plain.rate
    );
    // The cap is on what the program takes. It needs some tens of MiB for itself, so that a small one cannot be kept to.
    let most = if cap >= 256 << 20 { cap + cap / 10 } else { plain.rss + cap + cap / 10 + (16 << 20) };
    assert!(told.rss <= most, "{} MiB with a cap of {} MiB", told.rss >> 20, cap >> 20);
}
