//! Rules that come by a topic while a job runs: what is no rule set is passed over, the last good one takes over, and a
//! rule that is in both loses nothing. Task managers are killed as the new rules come, and while they are those in use.

use std::fs;
use std::ops::Range;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::cluster::{Broker, wait_for};
use crate::stream::{Alert, alert, over_files};
use crate::{Flink, package};

const GOES: &str = "rule goes { by user match { x: close } }\n";
const STAYS: &str = "rule stays { by user match { a: open then b: close } within 1h }\n";
const COMES: &str = "rule comes { by user match { x: close } }\n";

/// 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;

/// What is written to a topic of two partitions; each event is later than the one before it.
struct Story<'a> {
    broker: &'a Broker,
    events: Vec<(i32, String)>,
    time: i64,
}

impl Story<'_> {
    /// An event of each user, in the partition of the user.
    fn write(&mut self, class: &str, users: Range<usize>) {
        let before = self.events.len();
        for user in users {
            self.time += 10;
            let text = format!(r#"{{"ts":{},"type":"{class}","user":"u{user}"}}"#, self.time);
            self.events.push((user as i32 % 2, text));
        }
        self.broker.write_to("story", self.events[before..].iter().map(|(at, text)| (*at, text.as_str())));
    }

    /// An event in each partition, so much later that what was before it is decided.
    fn go_on(&mut self, name: &str) {
        self.time += 2000;
        let events = [0, 1].map(|at| {
            let text = format!(r#"{{"ts":{},"type":"close","user":"{name}{at}"}}"#, self.time);
            (at, text)
        });
        self.broker.write_to("story", events.iter().map(|(at, text)| (*at, text.as_str())));
        self.events.extend(events);
    }

    /// Goes on until the rule has said something of such events of both partitions.
    fn go_on_until(&mut self, name: &str, rule: &str) {
        let missing = || format!("alerts of {rule} about {name}0 and {name}1");
        wait_for(&missing, || {
            self.go_on(name);
            thread::sleep(Duration::from_millis(300));
            let found = self.found(rule);
            [0, 1].iter().all(|at| found.iter().any(|line| line.contains(&format!(r#""{name}{at}""#))))
        });
    }

    fn found(&self, rule: &str) -> Vec<String> {
        let lines = self.broker.read("story.alerts").into_iter().filter_map(|record| record.value);
        lines.filter(|line| alert(line).rule == rule).collect()
    }

    /// The time of the last event as alerts have it.
    fn now(&self) -> String {
        let ms = self.time - BEGIN;
        format!("2026-01-01T{:02}:{:02}:{:02}.{:03}Z", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    }
}

/// Rules in the form that `--rules-topic` takes.
fn packaged(broker: &Broker, rules: &str) -> String {
    let (text, out) = (broker.place().write("after.trip", rules), broker.place().path("after.json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.args(["flink", "package", "--lateness", "1s", "-o"]).arg(&out).arg(text);
    let ended = command.output().expect("the program runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    fs::read_to_string(out).expect("rules")
}

pub fn rules_that_come_by_a_topic_take_over(broker: &Broker, flink: &mut Flink) {
    broker.topic("story", 2);
    broker.topic("story.alerts", 1);
    let jar = broker.place().path("story.jar");
    package(&broker.place().write("before.trip", &format!("{GOES}{STAYS}")), &jar);
    let address = broker.address();
    let mut options = vec!["--kafka", &address, "--topics", "story", "--alerts-topic", "story.alerts"];
    options.extend(["--group", "story", "--rules-topic", "rules", "--look", "1", "--exactly-once"]);
    let job = flink.submit(&jar, &options);

    // It begins with the jar's own rules, and while the topic is not there.
    let mut story = Story { broker, events: Vec::new(), time: BEGIN };
    story.write("open", 0..200);
    story.write("close", 0..100);
    story.go_on_until("first", "goes");
    flink.wait_for_message("topic rules: the rules stay as they are: it is not there");
    broker.topic("rules", 1);

    broker.write_to("rules", [(0, "no rules")].into_iter());
    flink.wait_for_message("topic rules: passed over, for it has errors");
    let before = story.now();
    story.go_on_until("second", "goes");

    // What is broken does not hide what is good before it.
    let good = packaged(broker, &format!("{STAYS}{COMES}"));
    broker.write_to("rules", [(0, good.as_str()), (0, "no rules either")].into_iter());
    flink.kill(0);
    story.go_on_until("third", "comes");
    let after = story.now();
    story.write("close", 100..150);
    flink.kill(1);
    story.write("close", 150..200);
    let end = story.now();
    story.go_on_until("fourth", "comes");

    let expected = over_files(&broker.place().path("story"), &format!("{GOES}{STAYS}{COMES}"), &story.events, 2);
    let pick = |alerts: &[Alert], rule: &str, holds: &dyn Fn(&str) -> bool| -> Vec<Alert> {
        let picked = alerts.iter().filter(|alert| alert.rule == rule && holds(&alert.time));
        let mut picked: Vec<Alert> = picked.cloned().collect();
        picked.sort();
        picked
    };
    let all = |rule: &str| -> Vec<Alert> { story.found(rule).iter().map(|line| alert(line)).collect() };
    // The other task may say its last a moment later.
    wait_for(&|| "alerts of the rule that stays".to_owned(), || all("stays").len() >= 200);
    let is_new = |time: &str| after.as_str() < time && time <= end.as_str();
    wait_for(&|| "alerts of the new rule".to_owned(), || pick(&all("comes"), "comes", &is_new).len() >= 100);

    assert_eq!(pick(&all("stays"), "stays", &|_| true), pick(&expected, "stays", &|_| true));
    let is_old = |time: &str| time <= before.as_str();
    assert_eq!(pick(&all("goes"), "goes", &is_old), pick(&expected, "goes", &is_old));
    assert_eq!(pick(&all("comes"), "comes", &is_old), []);
    assert_eq!(pick(&all("comes"), "comes", &is_new), pick(&expected, "comes", &is_new));
    assert_eq!(pick(&all("goes"), "goes", &|time| time > after.as_str()), []);
    flink.flink(&["cancel", &job]);
    println!("rules that came by a topic took over; the one that stayed lost nothing");
}
