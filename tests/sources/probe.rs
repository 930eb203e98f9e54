//! Events that are told apart by a number, and what alerts say of them.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// An alert for each event of the class `probe`.
pub const RULES: &str = "rule probe { match { p: probe } alert { n = p.n } }\n";

/// Arguments that make a run write alerts and rejects to files.
pub const FILES: &[&str] =
    &["rules.trip", "--alerts", "alerts", "--rejects", "rejects", "--threads", "2", "--lateness", "0s"];

/// The same and more.
pub fn with(more: &[&'static str]) -> Vec<&'static str> {
    [FILES, more].concat()
}

/// Passes over a client that is not installed; where everything must hold that is a failure.
pub fn skipped(program: &str) {
    assert!(std::env::var("TRIPLINE_SERVERS").as_deref() != Ok("required"), "{program} is not installed");
    println!("SKIPPED: {program} is not installed");
}

/// A probe of a minute from now and `n` milliseconds: the wall clock does not come that far while a test runs.
pub fn probe(n: u64) -> String {
    static BEGAN: OnceLock<u64> = OnceLock::new();
    let began = BEGAN.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        since.as_millis() as u64 + 60_000
    });
    json!({"ts": began + n, "type": "probe", "n": n}).to_string()
}

/// A probe of now.
pub fn probe_now(n: u64) -> String {
    json!({"type": "probe", "n": n}).to_string() + "\n"
}

/// Probes of these numbers, a line each.
pub fn probes(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|n| probe(n) + "\n").collect()
}

/// The numbers of the probes that alerts are about.
pub fn numbers(alerts: &[String]) -> Vec<u64> {
    let number = |alert: &String| {
        let alert: Value = serde_json::from_str(alert).expect("an alert");
        alert["values"]["n"].as_u64().expect("a number")
    };
    alerts.iter().map(number).collect()
}

/// Why lines were rejected.
pub fn reject_reasons(rejects: &[String]) -> Vec<String> {
    let reason = |line: &String| {
        let line: Value = serde_json::from_str(line).expect("a reject");
        line["reason"].as_str().expect("a reason").to_owned()
    };
    rejects.iter().map(reason).collect()
}
