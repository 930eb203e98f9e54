//! A savepoint that an earlier build wrote: a job goes on from it, and gives just what had not been given.
//!
//! `kept/` holds the savepoint of a job that had read the first half of the events, and the alerts that it had given.
//! `FLINK_KEEP=DIR` has another written there, for a form that comes; those before it stay.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::cluster::{Broker, wait_for};
use crate::stream::{Alert, RULES, alert, alerts, over_files};
use crate::{Flink, root};

const COUNT: usize = 800;

/// Events of two partitions; all of a user are in one. Made of nothing that another build might make otherwise.
fn events() -> Vec<(i32, String)> {
    let event = |n: usize| {
        let mixed = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let (time, user) = (1_767_225_600_000 + 300 * n as u64, mixed % 25);
        let text = match mixed / 25 % 10 {
            0..4 => {
                format!(r#"{{"ts":{time},"type":"login","user":"u{user}","ok":{}}}"#, (mixed / 250).is_multiple_of(4))
            }
            4..7 => format!(r#"{{"ts":{time},"type":"pay","user":"u{user}","amount":{}}}"#, mixed / 250 % 100),
            _ => format!(r#"{{"ts":{time},"type":"beat","host":"h{user}"}}"#),
        };
        (user as i32 % 2, text)
    };
    let end = |partition| (partition, r#"{"ts":1767999999000,"type":"end"}"#.to_owned());
    (0..COUNT).map(event).chain([end(0), end(1)]).collect()
}

fn found(broker: &Broker) -> Vec<Alert> {
    broker.read("kept.alerts").into_iter().filter_map(|record| record.value).map(|line| alert(&line)).collect()
}

pub fn a_job_goes_on_from_an_earlier_savepoint(broker: &Broker, flink: &Flink, jar: &Path) {
    broker.topic("kept", 2);
    broker.topic("kept.alerts", 1);
    let events = events();
    let address = broker.address();
    let options =
        ["--kafka", &address, "--topics", "kept", "--alerts-topic", "kept.alerts", "--idle", "3600", "--group", "kept"];
    let (first, rest) = events.split_at(COUNT / 2);
    broker.write_to("kept", first.iter().map(|(partition, text)| (*partition, text.as_str())));
    if let Some(dir) = std::env::var_os("FLINK_KEEP") {
        keep(broker, flink, jar, &options, &PathBuf::from(dir));
        return;
    }
    broker.write_to("kept", rest.iter().map(|(partition, text)| (*partition, text.as_str())));
    let dir = root().join("tests/flink/kept");
    let before = alerts(&fs::read_to_string(dir.join("alerts.ndjson")).expect("the alerts of the first half"));
    let all = over_files(&broker.place().path("kept"), RULES, &events, 2);
    let expected: BTreeSet<Alert> = all.into_iter().filter(|alert| !before.contains(alert)).collect();
    assert!(before.len() > 10 && expected.len() > 10, "{} alerts, then {}", before.len(), expected.len());
    let job = flink.resume(jar, &options, Some(&dir));
    wait_for(&|| format!("{} of {} alerts", found(broker).len(), expected.len()), || {
        found(broker).len() >= expected.len()
    });
    let mut got = found(broker);
    got.sort();
    assert_eq!(got, expected.into_iter().collect::<Vec<_>>());
    flink.flink(&["cancel", &job]);
    println!("a job went on from a savepoint of an earlier build");
}

/// Writes the savepoint of a job that has read the first half, and its alerts.
fn keep(broker: &Broker, flink: &Flink, jar: &Path, options: &[&str], dir: &Path) {
    let job = flink.submit(jar, options);
    wait_for(&|| "alerts".to_owned(), || found(broker).len() > 10);
    // What the job can say of what it has read, it says within a few watermarks.
    thread::sleep(Duration::from_secs(5));
    flink.flink(&["stop", "--savepointPath", dir.to_str().expect("UTF-8"), &job]);
    let line = |Alert { id, rule, time }: Alert| format!(r#"{{"id":"{id}","rule":"{rule}","time":"{time}"}}"#) + "\n";
    fs::write(dir.join("alerts.ndjson"), found(broker).into_iter().map(line).collect::<String>()).expect("written");
}
