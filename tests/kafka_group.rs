//! Processes that share a topic of a real broker. Runs only if `TRIPLINE_KAFKA=required`, and says so otherwise.

#[path = "kafka/cluster.rs"]
mod cluster;
#[path = "kafka/keyed.rs"]
mod keyed;
#[path = "kafka/stream.rs"]
mod stream;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use cluster::{Broker, Place, is_wanted, wait_for};
use keyed::{Keyed, Process, found, member, prepare, said};
use stream::lacking;

/// One broker at a time: each takes its share of a small machine.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn committed(broker: &Broker) -> usize {
    broker.committed("detect", "events", 6).values().sum::<i64>() as usize
}

#[test]
fn one_two_and_three_processes_find_what_one_over_files_finds() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let protocols = ["", "    protocol: classic\n", "    protocol: consumer\n"];
    for (members, protocol) in (1..=3).zip(protocols) {
        let broker = Broker::start(Place::new("group"));
        prepare(&broker, 6, protocol);
        let stream = Keyed::new(1, 20_000, 6);
        let expected = stream.expected(&broker);
        for rule in ["failures_then_in", "silent", "sum", "rising", "unusual", "large"] {
            assert!(expected.iter().filter(|alert| alert.rule == rule).count() > 10, "{rule}");
        }
        broker.write_to("events", stream.records());
        let mut running: Vec<Process> = (0..members).map(|_| member(&broker, "end.yaml", "log")).collect();
        for child in &mut running {
            assert_eq!(child.end(), Some(0), "{}", said(&broker, "log"));
        }
        assert_eq!(committed(&broker), stream.events.len());
        assert_eq!(said(&broker, "log").matches(" rebalance").count(), members, "{}", said(&broker, "log"));
        assert_eq!(found(&broker, "once"), expected, "{members} members: {}", said(&broker, "log"));
        assert_eq!(found(&broker, "least"), expected, "{members} members: nobody was killed");
    }
}

/// What becomes of processes and of the broker while they work, at random.
#[test]
fn nothing_is_lost_or_doubled_whoever_is_killed_joins_leaves_or_stands_still() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let (kills, seed) = (number("KAFKA_KILLS", 12), number("KAFKA_SEED", 5));
    let count = number("KAFKA_EVENTS", 60_000) as usize;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut broker = Broker::start(Place::new("chaos"));
    prepare(&broker, 6, "    settings: {session.timeout.ms: 3000, heartbeat.interval.ms: 500}\n");
    let stream = Keyed::new(seed, count, 6);
    let expected = stream.expected(&broker);
    let mut running = vec![member(&broker, "live.yaml", "log")];
    let mut killed = 0;
    for (at, part) in stream.events.chunks(count / kills as usize + 1).enumerate() {
        broker.write_to("events", part.iter().map(|(partition, text)| (*partition, text.as_str())));
        while running.len() < 3 && random.bool() {
            running.push(member(&broker, "live.yaml", "log"));
        }
        thread::sleep(Duration::from_millis(random.u64(100..2500)));
        let victim = random.usize(..running.len());
        if at % 7 == 6 {
            // It stands still for longer than the group waits, and comes back to what is not its own any more.
            running[victim].signal("STOP");
            running.push(member(&broker, "live.yaml", "log"));
            thread::sleep(Duration::from_millis(random.u64(4000..7000)));
            running[victim].signal("CONT");
        } else if at % 7 == 4 {
            // One that has begun just now does not know the signal yet, or has found no broker.
            let code = running.remove(victim).leave();
            assert!(matches!(code, Some(130 | 4) | None), "{code:?}: {}", said(&broker, "log"));
        } else {
            running.remove(victim).kill();
            killed += 1;
        }
        if at % 5 == 3 {
            broker.kill();
            thread::sleep(Duration::from_millis(random.u64(0..2000)));
            broker.restart();
            killed += 1;
        }
        // One that found no broker when it began, or for long, has ended; whoever looks after it starts it again.
        for at in (0..running.len()).rev() {
            if let Some(code) = running[at].has_ended() {
                assert_eq!(code, Some(4), "{}", said(&broker, "log"));
                assert!(said(&broker, "log").contains("cannot be reached"), "{}", said(&broker, "log"));
                running.remove(at);
            }
        }
        if running.is_empty() {
            running.push(member(&broker, "live.yaml", "log"));
        }
    }
    let all = stream.events.len();
    wait_for(&|| format!("{} of {all} committed\n{}", committed(&broker), said(&broker, "log")), || {
        committed(&broker) == all
    });
    for process in running {
        assert_eq!(process.leave(), Some(130), "{}", said(&broker, "log"));
    }
    let what = format!("seed {seed}, {killed} kills\n{}", said(&broker, "log"));
    let once = found(&broker, "once");
    let (missing, more) = (lacking(&expected, &once), lacking(&once, &expected));
    assert!(missing.is_empty() && more.is_empty(), "lost: {missing:?}, made up: {more:?}\n{what}");
    assert_eq!(once.len(), expected.len(), "each of them once: {what}");
    let mut least = found(&broker, "least");
    let before = least.len();
    least.dedup();
    eprintln!("{killed} kills, {all} events, {} alerts; {} said again", expected.len(), before - least.len());
    let (missing, more) = (lacking(&expected, &least), lacking(&least, &expected));
    assert!(missing.is_empty() && more.is_empty(), "lost: {missing:?}, made up: {more:?}\n{what}");
}

#[test]
fn who_stood_still_commits_nothing_of_partitions_that_others_have() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    for protocol in ["classic", "consumer"] {
        let broker = Broker::start(Place::new("stalled"));
        let settings = if protocol == "classic" { "    settings: {session.timeout.ms: 3000}\n" } else { "" };
        prepare(&broker, 6, &format!("    protocol: {protocol}\n{settings}"));
        let stream = Keyed::new(3, 20_000, 6);
        let expected = stream.expected(&broker);
        let (first, rest) = stream.events.split_at(10_000);
        broker.write_to("events", first.iter().map(|(partition, text)| (*partition, text.as_str())));
        let zombie = member(&broker, "live.yaml", "zombie");
        wait_for(&|| said(&broker, "zombie"), || committed(&broker) > 1000);
        zombie.signal("STOP");
        let heir = member(&broker, "live.yaml", "heir");
        broker.write_to("events", rest.iter().map(|(partition, text)| (*partition, text.as_str())));
        let all = stream.events.len();
        wait_for(&|| said(&broker, "heir"), || committed(&broker) == all);
        zombie.signal("CONT");
        wait_for(&|| said(&broker, "zombie"), || said(&broker, "zombie").contains("has lost"));
        for (process, name) in [(zombie, "zombie"), (heir, "heir")] {
            assert_eq!(process.leave(), Some(130), "{protocol}: {}", said(&broker, name));
        }
        assert_eq!(found(&broker, "once"), expected, "{protocol}: {}", said(&broker, "zombie"));
    }
}

#[test]
fn deadlines_are_met_in_partitions_that_are_silent_and_after_they_have_moved() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let broker = Broker::start(Place::new("deadlines"));
    broker.topic("events", 6);
    broker.topic("once", 1);
    broker.place().write("rules.trip", "rule silent { by user match { last: beat then no beat within 8s } }");
    let address = broker.address();
    let config = format!(
        "inputs:\n  - kafka: {address}\n    topics: events\n    group: detect\n    state_topic: detect.state\n    \
         partition_by: user\n    settings: {{session.timeout.ms: 3000}}\nidle: 1s\n\
         outputs:\n  - kafka: {address}\n    topic: once\n    exactly_once: true\n"
    );
    broker.place().write("live.yaml", &config);
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_millis();
    let first = member(&broker, "live.yaml", "first");
    wait_for(&|| said(&broker, "first"), || said(&broker, "first").contains("takes"));
    // All partitions wait for a deadline; then whoever waited is gone, and nobody says anything more.
    let begun = now();
    let beats: Vec<String> = (0..6).map(|n| format!(r#"{{"ts":{begun},"type":"beat","user":"u{n}"}}"#)).collect();
    broker.write_to("events", (0..).zip(beats.iter().map(String::as_str)));
    wait_for(&|| said(&broker, "first"), || committed(&broker) == 6);
    let second = member(&broker, "live.yaml", "second");
    wait_for(&|| said(&broker, "second"), || said(&broker, "second").contains("takes"));
    first.kill();
    wait_for(&|| said(&broker, "second"), || found(&broker, "once").len() == 6);
    let at = tripline::base::Timestamp((begun as i64 + 8000) * 1_000_000).to_string();
    let times: Vec<String> = found(&broker, "once").into_iter().map(|alert| alert.time).collect();
    assert!(times.iter().all(|time| *time == at), "{at}: {times:?}");
    assert_eq!(second.leave(), Some(130), "{}", said(&broker, "second"));
}

/// Of one key two megabytes are held, where brokers take one in a record.
#[test]
fn a_key_that_holds_more_than_a_record_takes_outlasts_its_process() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let broker = Broker::start(Place::new("long"));
    broker.topic("events", 6);
    broker.topic("once", 1);
    let rule =
        "rule hoard { by user match { x: at least 3000 of note } within 1h alert { kinds = count(distinct x.text) } }";
    broker.place().write("rules.trip", rule);
    let address = broker.address();
    let config = format!(
        "inputs:\n  - kafka: {address}\n    topics: events\n    group: detect\n    state_topic: detect.state\n    \
         partition_by: user\n    until: end\nidle: 1h\nmax_future: 10000d\nevidence: ids\n\
         outputs:\n  - kafka: {address}\n    topic: once\n    exactly_once: true\n"
    );
    broker.place().write("end.yaml", &config);
    let padding = "a text of some length ".repeat(30);
    let notes: Vec<String> = (0..3000_i64)
        .map(|n| {
            let ts = 1_767_225_600_000 + n * 1000;
            format!(r#"{{"ts":{ts},"type":"note","user":"u","text":"{n} {padding}"}}"#)
        })
        .collect();
    let later = [r#"{"ts":1767312000000,"type":"note","user":"u","text":"a day later"}"#.to_owned()];
    for part in [&notes[..2500], &notes[2500..2999], &notes[2999..], &later, &[]] {
        broker.write_to("events", part.iter().map(|text| (0, text.as_str())));
        let mut child = member(&broker, "end.yaml", "log");
        assert_eq!(child.end(), Some(0), "{}", said(&broker, "log"));
    }
    let alerts = broker.read("once");
    assert_eq!(alerts.len(), 1, "{}", said(&broker, "log"));
    let alert: serde_json::Value =
        serde_json::from_str(alerts[0].value.as_deref().expect("a value")).expect("an alert");
    assert_eq!(alert["values"]["kinds"], 3000);
    let states = broker.read("detect.state");
    let parts = states.iter().filter(|record| record.key.as_ref().is_some_and(|key| key.starts_with('+')));
    assert!(parts.filter(|record| record.value.is_some()).count() > 4, "it was written in parts, twice");
    let newest = states.iter().rev().find(|record| record.key.as_ref().is_some_and(|key| key.starts_with('=')));
    assert!(newest.is_some_and(|record| record.value.is_none()), "what the window no longer holds is taken away");
}

#[test]
fn a_process_with_a_name_has_its_partitions_again() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let broker = Broker::start(Place::new("named"));
    prepare(&broker, 6, "    settings: {session.timeout.ms: 30000}\n");
    let config = std::fs::read_to_string(broker.place().path("live.yaml")).expect("a configuration");
    for name in ["a", "b"] {
        let named = config.replace("partition_by: user\n", &format!("partition_by: user\n    instance: {name}\n"));
        broker.place().write(&format!("{name}.yaml"), &named);
    }
    let taken = |name: &str| -> Vec<String> {
        said(&broker, name).lines().filter(|line| line.starts_with("takes")).map(str::to_owned).collect()
    };
    let first = member(&broker, "a.yaml", "a");
    wait_for(&|| said(&broker, "a"), || taken("a").len() == 1);
    let other = member(&broker, "b.yaml", "b");
    wait_for(&|| said(&broker, "b"), || taken("b").len() == 1);
    first.kill();
    let mut again = member(&broker, "a.yaml", "again");
    wait_for(&|| said(&broker, "again"), || taken("again").len() == 1);
    assert_eq!(taken("b").len(), 1, "nothing has moved: {}", said(&broker, "b"));
    // Of two that have one name, the brokers keep the one that came last.
    let twin = member(&broker, "a.yaml", "twin");
    assert_eq!(again.end(), Some(4), "{}", said(&broker, "again"));
    assert!(said(&broker, "again").contains("another process has this `instance`"), "{}", said(&broker, "again"));
    for (process, name) in [(twin, "twin"), (other, "b")] {
        assert_eq!(process.leave(), Some(130), "{}", said(&broker, name));
    }
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let broker = Broker::start(Place::new("refused"));
    prepare(&broker, 6, "");
    let fails = |rules: &str, code: i32| {
        broker.place().write("rules.trip", rules);
        let mut child = member(&broker, "end.yaml", "log");
        let ended = child.end();
        let words = said(&broker, "log");
        std::fs::remove_file(broker.place().path("log")).expect("it has said something");
        assert_eq!(ended, Some(code), "{words}");
        words
    };
    let words = fails("rule r { by host match { a: a } }", 2);
    for part in ["E0413", "its key does not have `user`", "partitioned by the rule's key", "one process", "Flink"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let fine = "rule r { by user match { a: a } }";
    broker.topic("other.state", 3);
    let config = std::fs::read_to_string(broker.place().path("end.yaml")).expect("a configuration");
    broker.place().write("end.yaml", &config.replace("detect.state", "other.state"));
    let words = fails(fine, 4);
    assert!(words.contains("has 3 partitions where 6 are needed"), "{words}");
    // Partitions that are added later move keys, and what is known of them is elsewhere.
    broker.place().write("end.yaml", &config);
    broker.write_to("events", (0..6).map(|partition| (partition, r#"{"type":"a","user":"u"}"#)));
    let mut child = member(&broker, "end.yaml", "log");
    assert_eq!(child.end(), Some(0), "{}", said(&broker, "log"));
    broker.add_partitions("events", 8);
    let words = fails(fine, 4);
    assert!(words.contains("has 6 partitions where 8 are needed"), "{words}");
}
