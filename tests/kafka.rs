//! Kafka against a real broker on loopback, which `tests/kafka/broker` runs.
//!
//! Where there is no Java, or the broker's jars cannot be fetched, everything here is passed over loudly; with
//! `TRIPLINE_KAFKA=required`, as in `.ci/run`, that fails. Without it the tests that wait for long are passed over too.

#[path = "kafka/cluster.rs"]
mod cluster;
mod deliver_support;
#[path = "kafka/stream.rs"]
mod stream;

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use cluster::{Broker, Place, is_there, is_wanted, wait_for};
use deliver_support::letter;
use stream::{RULES, Stream, alerts, lacking};
use tripline::alert::format::Format;
use tripline::io::deliver::{Sink, Trouble};
use tripline::io::kafka::{AlertRecords, Connection, KeyBy};
use tripline::io::sink::kafka::{KafkaSink, KafkaSinkOptions};
use tripline::io::sink::secret::Secret;

/// One broker at a time: each takes its share of a small machine.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sink(broker: &Broker, topic: &str, key_by: KeyBy) -> KafkaSink {
    let headers = vec![("team".to_owned(), Secret::new("secops"))];
    KafkaSink::new(KafkaSinkOptions {
        connection: Connection::plain(broker.address()),
        records: AlertRecords { topic: topic.to_owned(), key_by, format: Format::Json, headers },
        timeout: Duration::from_secs(4),
    })
    .expect("the options are sound")
}

#[test]
fn alerts_become_records() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let mut broker = Broker::start(Place::new("sink"));
    broker.topic("alerts.high", 4);
    let mut sink_high = sink(&broker, "alerts.{severity}", KeyBy::Key);
    let letters: Vec<_> = (0..200).map(letter).collect();
    let receipt = sink_high.deliver(&letters).expect("the broker takes them");
    assert!(receipt.again.is_empty() && receipt.refused.is_empty(), "{receipt:?}");
    let read = broker.read("alerts.high");
    assert_eq!(read.len(), 200);
    // The partitioner is Java's: the same key is where a Java producer would put it.
    for key in ["u0", "u1", "u2"] {
        let mine: Vec<_> = read.iter().filter(|record| record.key.as_deref() == Some(key)).collect();
        assert!(mine.len() > 60, "{key}: {}", mine.len());
        let hash = murmur2(key.as_bytes()) & 0x7fff_ffff;
        assert!(mine.iter().all(|record| record.partition == (hash % 4) as i32), "{key}");
        let numbers: Vec<&str> = mine.iter().map(|record| record.headers["id"].as_str()).collect();
        assert!(numbers.is_sorted(), "alerts of a key keep their order");
    }
    let first = read.iter().find(|record| record.headers["id"].ends_with("0007")).expect("alert 7");
    assert_eq!(first.headers["rule"], "r");
    assert_eq!(first.headers["severity"], "high");
    assert_eq!(first.headers["team"], "secops");
    assert_eq!(first.headers["content-type"], "application/json");
    let value: serde_json::Value = serde_json::from_str(first.value.as_deref().expect("a value")).expect("JSON");
    assert_eq!(value["id"], first.headers["id"].as_str());

    // A topic that is not there is the sink's trouble, and says so.
    let failure = sink(&broker, "nowhere", KeyBy::Id).deliver(&letters[..2]).expect_err("there is no such topic");
    assert_eq!(failure.trouble, Trouble::Down);
    assert!(failure.reason.contains("topic"), "{}", failure.reason);
    // So is a record that is too long for ever, of the letter alone.
    let mut long = letter(1000);
    let mut alert = tripline::alert::Alert::clone(&long.alert);
    alert.title = Some("x".repeat(3 << 20).into());
    long.alert = alert.into();
    let receipt = sink_high.deliver(&[letter(1001), long]).expect("the other is taken");
    assert_eq!(receipt.refused.len(), 1, "{receipt:?}");
    assert_eq!(receipt.refused[0].0, 1);

    // A broker that is away is waited for; what comes again is the same.
    broker.kill();
    let failure = sink_high.deliver(&[letter(2000)]).expect_err("nobody is there");
    assert_eq!(failure.trouble, Trouble::Down);
    assert!(failure.reason.contains("`kafka`"), "{}", failure.reason);
    broker.restart();
    let again = sink_high.deliver(&[letter(2000)]).expect("it is back");
    assert!(again.again.is_empty(), "{again:?}");
    let ids: Vec<String> = broker.read("alerts.high").iter().map(|record| record.headers["id"].clone()).collect();
    assert!(ids.iter().any(|id| id.ends_with("7d0")), "alert 2000 is there");
}

/// The program in the broker's place.
fn tripline(broker: &Broker, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.current_dir(broker.place().path("")).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn done(command: &mut Command) -> Output {
    let ended = command.output().expect("the program runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    ended
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// Sends a signal.
fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

#[test]
fn topics_are_read_as_files_of_their_partitions_are() {
    let _alone = alone();
    if !is_there() {
        return;
    }
    let broker = Broker::start(Place::new("read"));
    broker.topic("events", 6);
    let stream = Stream::new(1, 30_000, 6);
    broker.write_to("events", stream.records());
    broker.place().write("rules.trip", RULES);
    let expected = stream.expected(&broker.place().path("files"), RULES);
    assert!(expected.len() > 200, "{}", expected.len());
    let topic = format!("{}/events?start=earliest&until=end", broker.address());
    for threads in ["1", "2"] {
        let args = ["run", "rules.trip", "--lateness", "1s", "--threads", threads, "--kafka", &topic];
        let ended = done(&mut tripline(&broker, &args));
        assert_eq!(alerts(text(&ended.stdout)), expected, "{threads} threads");
        assert!(text(&ended.stderr).contains("events/5"), "{}", text(&ended.stderr));
    }

    // Killed again and again: each alert is in the file once, and the group has committed where the state stands.
    let topic = format!("{}/events?group=detect&until=end", broker.address());
    let args =
        ["run", "rules.trip", "--lateness", "1s", "--state", "state", "--alerts", "alerts.ndjson", "--kafka", &topic];
    let kills = std::env::var("KAFKA_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..kills {
        let mut child = tripline(&broker, &args).arg("--checkpoint-every").arg("50ms").spawn().expect("it starts");
        thread::sleep(Duration::from_millis(random.u64(200..2500)));
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }
    let ended = done(&mut tripline(&broker, &args));
    // It hears the answer, and does not wait for one that never comes.
    assert!(!text(&ended.stderr).contains("did not say"), "{}", text(&ended.stderr));
    let written = fs::read_to_string(broker.place().path("alerts.ndjson")).expect("the alerts");
    assert_eq!(alerts(&written), expected);
    let ends: i64 = broker.committed("detect", "events", 6).values().sum();
    assert_eq!(ends, 30_000);

    // A run that starts where the group stands finds nothing more; another group's begins where it is told.
    let ended = done(&mut tripline(&broker, &["run", "rules.trip", "--kafka", &topic]));
    assert!(text(&ended.stderr).starts_with("0 alerts from 0 events"), "{}", text(&ended.stderr));
    let late = format!("{}/events?group=other&start=latest&until=end", broker.address());
    let ended = done(&mut tripline(&broker, &["run", "rules.trip", "--kafka", &late]));
    assert!(text(&ended.stderr).starts_with("0 alerts from 0 events"), "{}", text(&ended.stderr));
}

#[test]
fn records_say_where_they_come_from_and_bad_ones_cost_themselves() {
    let _alone = alone();
    if !is_there() {
        return;
    }
    let broker = Broker::start(Place::new("records"));
    broker.topic("mixed", 2);
    let records = [
        (0, r#"{"type":"a","n":1}"#),
        (0, "{broken"),
        (0, "[1]"),
        (0, " "),
        (0, "{\"type\":\n\"a\",\"n\":2}"),
        (1, r#"{"type":"a","n":3}"#),
    ];
    broker.write_to("mixed", records.into_iter());
    broker.tombstone("mixed", 1);
    broker.write_to("mixed", [(1, r#"{"type":"a","n":4}"#)].into_iter());
    let rule = r#"
rule seen {
  match { a: a }
  alert {
    where = "{a.kafka.topic} {a.kafka.partition} {a.kafka.offset}"
    n = a.n
    at = a.kafka.timestamp
  }
}"#;
    broker.place().write("seen.trip", rule);
    broker.topic("mixed-rejected", 1);
    let config = format!(
        "inputs:\n  - kafka: {}\n    topics: ^mi.*d$\n    until: end\n    start: earliest\n    \
         time: {{fields: kafka.timestamp, format: epoch_ms}}\n    rejects: mixed-rejected\nrejects: rejects.ndjson\n",
        broker.address()
    );
    broker.place().write("tripline.yaml", &config);
    let ended = done(&mut tripline(&broker, &["run", "seen.trip"]));
    let mut seen: Vec<(i64, String)> = Vec::new();
    for line in text(&ended.stdout).lines() {
        let alert: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let values = &alert["values"];
        seen.push((values["n"].as_i64().expect("n"), values["where"].as_str().expect("where").to_owned()));
        let at = values["at"].as_i64().expect("a time in milliseconds");
        let time = tripline::config::timestamp(alert["time"].as_str().expect("a time")).expect("RFC 3339");
        assert_eq!(time.0, at * 1_000_000, "the record says when it was");
    }
    seen.sort();
    let places = ["mixed 0 0", "mixed 0 4", "mixed 1 0", "mixed 1 2"];
    let expected: Vec<(i64, String)> = (1..).zip(places.map(str::to_owned)).collect();
    assert_eq!(seen, expected);
    let rejects = fs::read_to_string(broker.place().path("rejects.ndjson")).expect("rejects");
    let lines: Vec<serde_json::Value> = rejects.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let places: Vec<(&str, u64)> =
        lines.iter().map(|l| (l["input"].as_str().expect("input"), l["line"].as_u64().expect("line"))).collect();
    assert_eq!(places, [("mixed/0", 2), ("mixed/0", 3), ("mixed/0", 4)], "{rejects}");
    assert!(text(&ended.stderr).contains("tombstones"), "{}", text(&ended.stderr));
    // The same records are in the topic for them, whoever reads along.
    let rejected = broker.read("mixed-rejected");
    let said: Vec<(&str, &str, &str)> = rejected
        .iter()
        .map(|record| {
            (record.key.as_deref().unwrap_or(""), record.value.as_deref().unwrap_or(""), &*record.headers["offset"])
        })
        .collect();
    assert_eq!(said, [("mixed/0/1", "{broken", "1"), ("mixed/0/2", "[1]", "2"), ("mixed/0/3", " \"\"", "3")]);
    assert!(rejected.iter().all(|record| record.headers["topic"] == "mixed" && record.headers["partition"] == "0"));
    assert!(rejected.iter().all(|record| !record.headers["reason"].is_empty()), "{rejected:?}");
    // A topic that is not there is not passed over: the run says which setting names it.
    broker.place().write("tripline.yaml", &config.replace("mixed-rejected", "nowhere"));
    let ended = tripline(&broker, &["run", "seen.trip"]).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(4), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("`rejects`: topic nowhere"), "{}", text(&ended.stderr));
}

#[test]
fn records_are_read_however_they_are_packed_and_from_a_time_on() {
    let _alone = alone();
    if !is_there() {
        return;
    }
    let broker = Broker::start(Place::new("packed"));
    let seen = |topic: &str| -> Vec<(u64, serde_json::Value)> {
        let topic = format!("{}/{topic}", broker.address());
        let ended = done(&mut tripline(&broker, &["run", "seen.trip", "--kafka", &topic]));
        let alerts = text(&ended.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let seen = alerts.map(|mut alert: serde_json::Value| {
            (alert["events"]["e"][0]["seq"].as_u64().expect("a line"), alert["values"]["what"].take())
        });
        seen.collect()
    };
    broker.place().write("seen.trip", "rule seen { match { e: any } alert { what = e.n ?? e.message } }");
    broker.topic("packed", 1);
    for (n, compression) in (0..).zip(["none", "gzip", "snappy", "lz4", "zstd"]) {
        broker.write_packed("packed", compression, &format!("{{\"type\":\"a\",\"n\":{n}}}"), None);
    }
    let expected: Vec<_> = (0..5).map(|n| (n + 1, serde_json::json!(n))).collect();
    assert_eq!(seen("packed?start=earliest&until=end"), expected);
    // Where a record holds several lines, each offset has room for them.
    broker.topic("lines", 1);
    broker.write_to("lines", [(0, "{\"n\":1}\n{\"n\":2}"), (0, "{\"n\":3}")].into_iter());
    let expected: Vec<_> = [(1, 1), (2, 2), (4097, 3)].map(|(line, n)| (line, serde_json::json!(n))).into();
    assert_eq!(seen("lines?start=earliest&until=end&format=lines"), expected);
    broker.topic("notes", 1);
    broker.write_to("notes", [(0, "a \"note\" {")].into_iter());
    assert_eq!(seen("notes?start=earliest&until=end&format=text"), [(1, serde_json::json!("a \"note\" {"))]);
    broker.topic("timed", 1);
    for hour in 0..3 {
        let time = 1_767_225_600_000 + hour * 3_600_000;
        broker.write_packed("timed", "none", &format!("{{\"n\":{hour}}}"), Some(time));
    }
    let expected: Vec<_> = (1..3).map(|n| (n + 1, serde_json::json!(n))).collect();
    assert_eq!(seen("timed?start=2026-01-01T00:30:00Z&until=end"), expected);
    assert_eq!(seen("timed?start=2026-01-01T02:30:00Z&until=end"), []);
}

#[test]
fn a_file_of_records_gives_what_the_topic_gives() {
    let _alone = alone();
    if !is_there() {
        return;
    }
    let broker = Broker::start(Place::new("records-file"));
    broker.topic("events", 3);
    let stream = Stream::new(5, 5000, 3);
    broker.write_to("events", stream.records());
    let rules = format!("{RULES}rule placed {{ match {{ a: pay where kafka.offset % 100 == 7 and amount > 30 }} }}");
    broker.place().write("rules.trip", &rules);
    // One object a line, as `kcat -C -J` writes them, in whatever order partitions come.
    let mut dump = String::new();
    for record in broker.read("events") {
        let object = serde_json::json!({
            "topic": "events", "partition": record.partition, "offset": record.offset, "tstype": "create", "ts": 1,
            "broker": 1, "headers": ["a", "b"], "key": record.key, "payload": record.value,
        });
        dump += &format!("{object}\n");
    }
    broker.place().write("dump.ndjson", &dump);
    let topic = format!("{}/events?start=earliest&until=end", broker.address());
    let ended = done(&mut tripline(&broker, &["run", "rules.trip", "--lateness", "1s", "--kafka", &topic]));
    let expected = alerts(text(&ended.stdout));
    assert!(expected.iter().any(|alert| alert.rule == "placed"), "events say where they come from");
    broker.place().write("tripline.yaml", "inputs:\n  - file: dump.ndjson\n    format: kafka\nlateness: 1s\n");
    let ended = done(&mut tripline(&broker, &["run", "rules.trip"]));
    assert_eq!(alerts(text(&ended.stdout)), expected, "{}", text(&ended.stderr));
    broker.place().write("dump.ndjson", "{\"topic\":\"events\"}\n");
    let ended = tripline(&broker, &["run", "rules.trip"]).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(4));
    assert!(text(&ended.stderr).contains("line 1 is no record of a topic"), "{}", text(&ended.stderr));
}

#[test]
fn a_live_run_outlasts_the_broker_and_holds_time_meanwhile() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let mut broker = Broker::start(Place::new("live"));
    broker.topic("beats", 3);
    let rule = r#"rule silent { by host match { last: beat then no beat within 4s } }"#;
    broker.place().write("silent.trip", rule);
    let topic = format!("{}/beats?group=live&start=earliest", broker.address());
    let args =
        ["run", "silent.trip", "--state", "state", "--alerts", "alerts.ndjson", "--idle", "1s", "--kafka", &topic];
    let child = tripline(&broker, &args).spawn().expect("it starts");
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_millis();
    let beat = |host: &str| format!(r#"{{"ts":{},"type":"beat","host":"{host}"}}"#, now());
    let written = || fs::read_to_string(broker.place().path("alerts.ndjson")).unwrap_or_default();
    // One partition speaks and falls silent, two never say anything: the deadline comes all the same.
    broker.write_to("beats", [(0, beat("a").as_str())].into_iter());
    wait_for(&written, || alerts(&written()).len() == 1);
    // A process that stood still was not told anything, which is not silence: it reads what came meanwhile first.
    broker.write_to("beats", [(0, beat("s").as_str())].into_iter());
    thread::sleep(Duration::from_secs(1));
    signal(&child, "STOP");
    thread::sleep(Duration::from_secs(2));
    let at = i64::try_from(now()).expect("a time") + 4000;
    broker.write_to("beats", [(0, beat("s").as_str())].into_iter());
    thread::sleep(Duration::from_secs(4));
    signal(&child, "CONT");
    wait_for(&written, || alerts(&written()).len() == 2);
    let time = tripline::config::timestamp(&alerts(&written())[1].time).expect("a time");
    assert!((at..at + 1000).contains(&(time.0 / 1_000_000)), "{} is not after the second beat: {}", time, written());
    // While the broker is away, silence says nothing: what was written last is still there to come.
    broker.write_to("beats", [(1, beat("b").as_str())].into_iter());
    thread::sleep(Duration::from_millis(1500));
    broker.kill();
    thread::sleep(Duration::from_secs(6));
    assert_eq!(alerts(&written_of(&broker)).len(), 2, "time stands still without brokers");
    broker.restart();
    broker.write_to("beats", [(1, beat("c").as_str())].into_iter());
    wait_for(&|| written_of(&broker), || alerts(&written_of(&broker)).len() == 4);
    signal(&child, "TERM");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130), "{}", text(&ended.stderr));
    let committed: i64 = broker.committed("live", "beats", 3).values().sum();
    assert_eq!(committed, 5, "{}", text(&ended.stderr));
}

fn written_of(broker: &Broker) -> String {
    fs::read_to_string(broker.place().path("alerts.ndjson")).unwrap_or_default()
}

#[test]
fn what_is_wrong_is_said_by_the_setting() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let broker = Broker::start(Place::new("wrong"));
    broker.topic("there", 1);
    broker.place().write("r.trip", "rule r { match { a: a } }");
    let fails = |topic: &str| {
        let ended = tripline(&broker, &["run", "r.trip", "--kafka", topic]).output().expect("it runs");
        assert_ne!(ended.status.code(), Some(0));
        text(&ended.stderr).to_owned()
    };
    let words = fails(&format!("{}/nowhere", broker.address()));
    assert!(words.contains("`topics`") && words.contains("nowhere"), "{words}");
    let words = fails("127.0.0.1:1/there");
    assert!(words.contains("`kafka` cannot be reached"), "{words}");
    let words = fails("there");
    assert!(words.contains("HOST:PORT/TOPIC"), "{words}");
}

/// Rules, topics and a configuration under which state, offsets and alerts are committed together.
fn exactly_once(broker: &Broker, until: &str) {
    broker.place().write("rules.trip", RULES);
    let config = format!(
        "inputs:\n  - kafka: {0}\n    topics: events\n    group: detect\n    state_topic: detect.state\n{until}\
         lateness: 1s\nidle: 1h\nmax_future: 1000d\ncheckpoint_every: 50ms\n\
         outputs:\n  - kafka: {0}\n    topic: alerts\n    exactly_once: true\n",
        broker.address()
    );
    broker.place().write("tripline.yaml", &config);
}

/// What a reader of committed records finds, by id.
fn committed_alerts(broker: &Broker) -> Vec<stream::Alert> {
    let mut found: Vec<_> =
        broker.read("alerts").iter().map(|record| stream::alert(record.value.as_deref().expect("a value"))).collect();
    found.sort();
    found
}

#[test]
fn alerts_of_transactions_are_there_once_whoever_is_killed() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let mut broker = Broker::start(Place::new("once"));
    broker.topic("events", 6);
    broker.topic("alerts", 3);
    exactly_once(&broker, "    until: end\n");
    let stream = Stream::new(2, 30_000, 6);
    broker.write_to("events", stream.records());
    let mut expected = stream.expected(&broker.place().path("files"), RULES);
    expected.sort();
    let kills = std::env::var("KAFKA_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let seed = std::env::var("KAFKA_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(11);
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0..kills {
        let threads = random.u32(1..4).to_string();
        let mut child = tripline(&broker, &["run", "rules.trip", "--threads", &threads]).spawn().expect("it starts");
        thread::sleep(Duration::from_millis(random.u64(100..3000)));
        // Every fifth time the broker goes first, in the middle of whatever was under way.
        if n % 5 == 4 {
            broker.kill();
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
        if n % 5 == 4 {
            broker.restart();
        }
    }
    done(&mut tripline(&broker, &["run", "rules.trip"]));
    let found = committed_alerts(&broker);
    let (more, missing) = (lacking(&found, &expected), lacking(&expected, &found));
    assert!(more.is_empty() && missing.is_empty(), "seed {seed}, {kills} kills: more {more:?}, missing {missing:?}");
    assert_eq!(found, expected, "seed {seed}, {kills} kills");
    assert_eq!(broker.committed("detect", "events", 6).values().sum::<i64>(), 30_000);
    // Nothing is left to do, and nothing is said twice.
    done(&mut tripline(&broker, &["run", "rules.trip"]));
    assert_eq!(committed_alerts(&broker), expected);
}

#[test]
fn who_stood_still_for_too_long_can_commit_nothing() {
    let _alone = alone();
    if !is_wanted() {
        return;
    }
    let broker = Broker::start(Place::new("fenced"));
    broker.topic("events", 6);
    broker.topic("alerts", 3);
    exactly_once(&broker, "");
    let stream = Stream::new(3, 20_000, 6);
    let mut expected = stream.expected(&broker.place().path("files"), RULES);
    expected.sort();
    let (first, rest) = stream.events.split_at(10_000);
    broker.write_to("events", first.iter().map(|(partition, text)| (*partition, text.as_str())));
    let zombie = tripline(&broker, &["run", "rules.trip"]).spawn().expect("it starts");
    wait_for(&|| "the first one commits".to_owned(), || !broker.committed("detect", "events", 6).is_empty());
    signal(&zombie, "STOP");
    let heir = tripline(&broker, &["run", "rules.trip"]).spawn().expect("it starts");
    broker.write_to("events", rest.iter().map(|(partition, text)| (*partition, text.as_str())));
    let all = || broker.committed("detect", "events", 6).values().sum::<i64>() == 20_000;
    wait_for(&|| "the second one goes on".to_owned(), all);
    signal(&zombie, "CONT");
    let ended = zombie.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(4), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("another process has taken over"), "{}", text(&ended.stderr));
    signal(&heir, "TERM");
    let ended = heir.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130), "{}", text(&ended.stderr));
    // What only the end of all input decides is still open, and nothing else.
    let found = committed_alerts(&broker);
    let mut once = found.clone();
    once.dedup();
    assert_eq!(found, once, "no alert is there twice");
    assert_eq!(lacking(&found, &expected), Vec::<&stream::Alert>::new(), "all of them are expected");
    exactly_once(&broker, "    until: end\n");
    done(&mut tripline(&broker, &["run", "rules.trip"]));
    assert_eq!(committed_alerts(&broker), expected);
}

/// The hash of Java's partitioner, by its description.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c_u32 ^ bytes.len() as u32;
    let mut chunks = bytes.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().expect("four bytes")).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * at);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}
