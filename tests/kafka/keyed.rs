//! A stream whose keys follow the partitions of its topic, what one process over files makes of it, and processes that
//! share it.
#![allow(dead_code, reason = "each test uses its part")]

use std::fs;
use std::process::{Child, Command, Stdio};

use fastrand::Rng;

use crate::cluster::Broker;
use crate::stream::{Alert, alert, over_files};

/// Rules of each strategy, all by user.
pub const RULES: &str = r#"
rule failures_then_in {
  by user
  match { bad: at least 3 of login where ok == false then good: login where ok == true } within 5m
  alert { message = "{user} after {count(bad)}" }
  suppress 10m by user
}
rule silent { by user match { last: beat then no beat within 30s } }
rule sum { by user match { x: at least 5 of pay where amount > 50 } within 2m alert { total = sum(x.amount) } }
rule rising {
  by user, shop
  match { a: pay then b: pay where amount > a.amount then c: pay where amount > b.amount } within 1m
  after match skip past last
}
rule unusual { by user match { p: pay where zscore(amount, 5m) > 2.2 } }
rule large { by user match { p: pay where amount == 99 } }
"#;

/// Events of partitions, each in its order.
pub struct Keyed {
    pub events: Vec<(i32, String)>,
    pub partitions: i32,
}

impl Keyed {
    /// A stream that ends at one time in all partitions.
    pub fn new(seed: u64, count: usize, partitions: i32) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut time = 1_767_225_600_000_i64;
        // More events are of more users, so that what holds of one stays as it is.
        let users = 300 + count as u32 / 200;
        let pace = 40_000 / i64::from(users);
        let mut event = |_| {
            time += random.i64(0..pace);
            let at = time - random.i64(0..900);
            let (user, amount, shop) = (random.u32(..users), random.u32(..100), random.u32(..3));
            let text = match random.u8(..10) {
                0..4 => format!(r#"{{"ts":{at},"type":"login","user":"u{user}","ok":{}}}"#, random.u8(..4) == 0),
                4..7 => format!(r#"{{"ts":{at},"type":"pay","user":"u{user}","amount":{amount},"shop":{shop}}}"#),
                7 if random.u8(..20) == 0 => "no event at all".to_owned(),
                _ => format!(r#"{{"ts":{at},"type":"beat","user":"u{user}"}}"#),
            };
            (user as i32 % partitions, text)
        };
        let mut events: Vec<_> = (0..count).map(&mut event).collect();
        // Late enough for everything that is open to be decided, whether or not the input ends then.
        let end = time + 600_000;
        events.extend((0..partitions).map(|partition| (partition, format!(r#"{{"ts":{end},"type":"end"}}"#))));
        Self { events, partitions }
    }

    pub fn records(&self) -> impl Iterator<Item = (i32, &str)> {
        self.events.iter().map(|(partition, text)| (*partition, text.as_str()))
    }

    /// What one process over a file for each partition reports, sorted.
    pub fn expected(&self, broker: &Broker) -> Vec<Alert> {
        let mut found = over_files(&broker.place().path("files"), RULES, &self.events, self.partitions);
        found.sort();
        found
    }
}

/// Makes the topics, and two configurations: for processes that go on, and for one that ends.
pub fn prepare(broker: &Broker, partitions: i32, more: &str) {
    for (topic, count) in [("events", partitions), ("once", 3), ("least", 3)] {
        broker.topic(topic, count);
    }
    broker.place().write("rules.trip", RULES);
    let address = broker.address();
    for (name, until) in [("live.yaml", ""), ("end.yaml", "    until: end\n")] {
        let config = format!(
            "inputs:\n  - kafka: {address}\n    topics: events\n    group: detect\n    state_topic: detect.state\n    \
             partition_by: user\n{until}{more}\
             lateness: 1s\nidle: 1h\nmax_future: 10000d\ncheckpoint_every: 200ms\n\
             outputs:\n  - kafka: {address}\n    topic: once\n    exactly_once: true\n  \
             - kafka: {address}\n    topic: least\n    timeout: 5s\n"
        );
        broker.place().write(name, &config);
    }
}

/// A process that ends with the test.
pub struct Process(Child);

impl Process {
    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// Kills it at once.
    pub fn kill(mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it has ended");
    }

    /// The exit code, if it has ended by itself.
    pub fn has_ended(&mut self) -> Option<Option<i32>> {
        self.0.try_wait().expect("it can be asked").map(|status| status.code())
    }

    /// Waits for its end, and gives the exit code.
    pub fn end(&mut self) -> Option<i32> {
        self.0.wait().expect("it ends").code()
    }

    /// Has it leave in order.
    pub fn leave(mut self) -> Option<i32> {
        self.signal("TERM");
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that shares the topic; what it says goes to a file of its name.
pub fn member(broker: &Broker, config: &str, name: &str) -> Process {
    let log = fs::OpenOptions::new().create(true).append(true).open(broker.place().path(name)).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.current_dir(broker.place().path("")).args(["--config", config, "run", "rules.trip"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Process(command.spawn().expect("it starts"))
}

/// What was said by processes of a name.
pub fn said(broker: &Broker, name: &str) -> String {
    fs::read_to_string(broker.place().path(name)).unwrap_or_default()
}

/// The alerts that a reader of committed records finds in a topic, sorted.
pub fn found(broker: &Broker, topic: &str) -> Vec<Alert> {
    let records = broker.read(topic);
    let mut found: Vec<_> = records.iter().map(|record| alert(record.value.as_deref().expect("a value"))).collect();
    found.sort();
    found
}
