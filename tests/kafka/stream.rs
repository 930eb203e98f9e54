//! A stream of events by partition, in which all rules fire, and what a run over plain files makes of it.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use fastrand::Rng;

/// Rules whose keys do not follow the topic's, so that all partitions together decide.
pub const RULES: &str = r#"
rule failures_then_in {
  by user
  match { bad: at least 3 of login where ok == false then good: login where ok == true } within 5m
  alert { message = "{user} after {count(bad)}" }
  suppress 10m by user
}
rule silent { by host match { last: beat then no beat within 30s } }
rule sum { by user match { x: at least 5 of pay where amount > 50 } within 2m alert { total = sum(x.amount) } }
rule twice { match { a: at least 2 of alert.silent } within 1m }
"#;

/// Events of partitions, each in its order; all of a user are in one.
pub struct Stream {
    /// The partition and the text of each event, as they are written.
    pub events: Vec<(i32, String)>,
    partitions: i32,
}

impl Stream {
    pub fn new(seed: u64, count: usize, partitions: i32) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut time = 1_767_225_600_000_i64;
        let mut event = |_| {
            time += random.i64(0..400);
            let at = time - random.i64(0..900);
            let (user, host, amount) = (random.u32(..300), random.u32(..40), random.u32(..100));
            let text = match random.u8(..10) {
                0..4 => format!(r#"{{"ts":{at},"type":"login","user":"u{user}","ok":{}}}"#, random.u8(..4) == 0),
                4..7 => format!(r#"{{"ts":{at},"type":"pay","user":"u{user}","amount":{amount}}}"#),
                7 if random.u8(..20) == 0 => "no event at all".to_owned(),
                _ => format!(r#"{{"ts":{at},"type":"beat","host":"h{host}"}}"#),
            };
            (user as i32 % partitions, text)
        };
        Self { events: (0..count).map(&mut event).collect(), partitions }
    }

    /// The events of all partitions as records.
    pub fn records(&self) -> impl Iterator<Item = (i32, &str)> {
        self.events.iter().map(|(partition, text)| (*partition, text.as_str()))
    }

    /// What a run over a file for each partition reports: one line an alert, without what names inputs.
    pub fn expected(&self, dir: &Path, rules: &str) -> Vec<Alert> {
        over_files(dir, rules, &self.events, self.partitions)
    }
}

/// What a run over a file for each partition reports, in its order.
pub fn over_files(dir: &Path, rules: &str, events: &[(i32, String)], partitions: i32) -> Vec<Alert> {
    fs::create_dir_all(dir).expect("a directory");
    fs::write(dir.join("rules.trip"), rules).expect("a file");
    let mut texts = vec![String::new(); partitions as usize];
    for (partition, text) in events {
        texts[*partition as usize] += &format!("{text}\n");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.current_dir(dir).args(["run", "rules.trip", "--quiet", "--lateness", "1s"]);
    for (partition, text) in texts.iter().enumerate() {
        let name = format!("{partition:03}.ndjson");
        fs::write(dir.join(&name), text).expect("a file");
        command.arg(name);
    }
    let ended = command.stdin(Stdio::null()).output().expect("the program runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    alerts(&String::from_utf8(ended.stdout).expect("text"))
}

/// What is the same wherever events are read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alert {
    pub id: String,
    pub rule: String,
    pub time: String,
}

/// The alerts of a file or of standard output.
pub fn alerts(text: &str) -> Vec<Alert> {
    text.lines().map(alert).collect()
}

/// An alert as it is written.
pub fn alert(line: &str) -> Alert {
    let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |name: &str| value[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned();
    Alert { id: text("id"), rule: text("rule"), time: text("time") }
}

/// Those that others lack. The others are sorted.
pub fn lacking<'a>(alerts: &'a [Alert], others: &[Alert]) -> Vec<&'a Alert> {
    alerts.iter().filter(|alert| others.binary_search(alert).is_err()).collect()
}
