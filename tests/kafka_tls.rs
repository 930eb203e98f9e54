//! Kafka with TLS and names, against a real broker; see `tests/kafka.rs` for when that runs.
//!
//! Built without TLS for Kafka (`--features kafka-tls`) it holds the words that say so, and passes the rest over loudly.

#[path = "sinks_servers/authority.rs"]
mod authority;
#[path = "kafka/cluster.rs"]
mod cluster;
#[path = "sinks_servers/server.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod server;
#[path = "kafka/stream.rs"]
mod stream;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use authority::Authority;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cluster::{Broker, Place, is_there, is_wanted};
use stream::alerts;

const IS_BUILT: bool = cfg!(any(feature = "kafka-tls", feature = "kafka-tls-vendored"));

const RULE: &str = "rule pair { by user match { a: a then b: b } }";

/// A configuration with TLS: what is set of it is replaced.
fn config(broker: &Broker, changes: &[(&str, &str)]) -> String {
    let mut settings = vec![
        ("topics", "events"),
        ("until", "end"),
        ("start", "earliest"),
        ("tls", "required"),
        ("ca", "authority/ca.pem"),
        ("mechanism", "SCRAM-SHA-256"),
        ("user", "admin"),
        ("password", "{file: password}"),
    ];
    for (key, value) in changes {
        settings.retain(|(known, _)| known != key);
        settings.push((key, value));
    }
    settings.retain(|(_, value)| !value.is_empty());
    let port = broker.port + 1;
    let lines: String = settings.iter().map(|(key, value)| format!("    {key}: {value}\n")).collect();
    format!("inputs:\n  - kafka: localhost:{port}\n{lines}")
}

fn run(broker: &Broker, text: &str) -> Output {
    broker.place().write("tripline.yaml", text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.current_dir(broker.place().path("")).args(["run", "r.trip"]).stdin(Stdio::null());
    command.output().expect("the program runs")
}

/// A token without a signature that says whose it is, and for how many seconds.
fn token(user: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now").as_secs() as i64;
    let claims = format!(r#"{{"sub":"{user}","iat":{},"exp":{}}}"#, now - 7200, now + seconds);
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims))
}

fn words(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

#[test]
fn a_build_without_tls_says_so() {
    if IS_BUILT || !is_there() {
        return;
    }
    let broker = Broker::start(Place::new("no-tls"));
    broker.place().write("r.trip", RULE);
    broker.place().write("password", "admin-secret");
    for change in [[("ca", ""), ("mechanism", "SCRAM-SHA-256")], [("ca", ""), ("tls", "off")]] {
        let ended = run(&broker, &config(&broker, &change));
        assert_eq!(ended.status.code(), Some(4), "{}", words(&ended));
        assert!(words(&ended).contains("--features kafka-tls"), "{}", words(&ended));
    }
}

#[test]
fn names_and_certificates_are_shown_and_what_is_wrong_with_them_is_said() {
    if !is_wanted() {
        return;
    }
    if !IS_BUILT {
        eprintln!("SKIPPED: TLS for Kafka is tested with --features kafka-tls");
        return;
    }
    let place = Place::new("tls");
    let directory = place.path("authority").display().to_string();
    let authority = Authority::new(&directory).expect("openssl is installed");
    let (cert, key) = authority.issue("server", "localhost", 2);
    authority.issue("client", "client", 2);
    let other = place.path("other").display().to_string();
    Authority::new(&other).expect("openssl is installed");
    // The broker takes both in one file.
    fs::create_dir_all(place.path("broker")).expect("a directory");
    let text = |path: &str| fs::read_to_string(path).expect("a file");
    fs::write(place.path("broker/server.pem"), text(&key) + &text(&cert)).expect("a file");
    fs::write(place.path("broker/ca.pem"), text(&authority.ca())).expect("a file");
    place.write("r.trip", RULE);
    place.write("password", "admin-secret");
    place.write("reader", "reader-secret");
    place.write("wrong", "who knows");
    place.write("token", &token("admin", 3600));
    place.write("expired", &token("admin", -3600));
    let broker = Broker::start(place);
    broker.topic("events", 2);
    let events = ["a", "b"].map(|class| format!(r#"{{"ts":1767225600000,"type":"{class}","user":"u"}}"#));
    broker.write_to("events", events.iter().map(|event| (1, event.as_str())));

    let plain =
        format!("inputs:\n  - kafka: {}\n    topics: events\n    until: end\n    start: earliest\n", broker.address());
    let ended = run(&broker, &plain);
    let expected = alerts(&String::from_utf8_lossy(&ended.stdout));
    assert_eq!(expected.len(), 1, "{}", words(&ended));
    let by_token = |file: &'static str| [("mechanism", "OAUTHBEARER"), ("user", ""), ("password", ""), ("token", file)];
    let (token, expired) = (by_token("{file: token}"), by_token("{file: expired}"));
    let goes: [&[(&str, &str)]; 5] = [
        &[],
        &[("mechanism", "PLAIN")],
        &token,
        &[("cert", "authority/client.pem"), ("key", "authority/client.key")],
        &[("group", "detect"), ("state_topic", "detect.state"), ("partition_by", "user"), ("protocol", "consumer")],
    ];
    for changes in goes {
        let ended = run(&broker, &config(&broker, changes));
        assert_eq!(ended.status.code(), Some(0), "{changes:?}: {}", words(&ended));
        assert_eq!(alerts(&String::from_utf8_lossy(&ended.stdout)), expected, "{changes:?}: {}", words(&ended));
    }
    // An output has the same settings.
    let port = broker.port + 1;
    let output = format!(
        "{}outputs:\n  - kafka: localhost:{port}\n    topic: alerts\n    tls: required\n    ca: authority/ca.pem\n    \
         mechanism: SCRAM-SHA-256\n    user: admin\n    password: {{file: password}}\n",
        config(&broker, &[])
    );
    broker.topic("alerts", 1);
    let ended = run(&broker, &output);
    assert_eq!(ended.status.code(), Some(0), "{}", words(&ended));
    assert_eq!(broker.read("alerts").len(), 1, "{}", words(&ended));

    let wrong: [(&[(&str, &str)], &[&str]); 8] = [
        (&expired, &["`token`"]),
        (&[("password", "{file: wrong}")], &["`user`", "`password`"]),
        (&[("password", "{file: wrong}"), ("mechanism", "PLAIN")], &["`user`", "`password`"]),
        (&[("mechanism", "SCRAM-SHA-512")], &["`mechanism`"]),
        (&[("ca", "other/ca.pem")], &["`ca`"]),
        (&[("ca", "nowhere.pem")], &["`ca`"]),
        (&[("topics", "nowhere")], &["`topics`", "nowhere"]),
        (&[("user", "reader"), ("password", "{file: reader}")], &["`user`", "topic"]),
    ];
    for (changes, named) in wrong {
        let ended = run(&broker, &config(&broker, changes));
        assert_eq!(ended.status.code(), Some(4), "{changes:?}: {}", words(&ended));
        for part in named {
            assert!(words(&ended).contains(part), "{changes:?}, {part}: {}", words(&ended));
        }
        for secret in ["admin-secret", "reader-secret", "who knows"] {
            assert!(!words(&ended).contains(secret), "{changes:?} tells a secret: {}", words(&ended));
        }
    }
}
