//! `outputs:` of `tripline.yaml` from the outside: several at once, routing, tables, dead letters, secrets.

mod cli;
#[path = "deliver_support/peer.rs"]
mod peer;

use cli::Place;
use peer::{Act, Peer};

const RULES: &str = r#"rule bad_login {
  severity high
  tags "ssh"
  by user
  match { f: login where ok == false }
  alert { message = "{user} failed" }
}
rule ping {
  severity low
  match { p: ping }
}
"#;

fn events(logins: usize, pings: usize) -> String {
    let mut text = String::new();
    for n in 0..logins.max(pings) {
        let second = 1_767_225_600 + n;
        if n < logins {
            text += &format!("{{\"ts\":{second},\"type\":\"login\",\"user\":\"u{n}\",\"ok\":false}}\n");
        }
        if n < pings {
            text += &format!("{{\"ts\":{second},\"type\":\"ping\"}}\n");
        }
    }
    text
}

fn place(name: &str, config: &str) -> Place {
    let place = Place::new(name);
    place.file("r.trip", RULES).file("tripline.yaml", config);
    place
}

#[test]
fn several_outputs_each_get_what_they_want() {
    let peer = Peer::start(Vec::new());
    let config = format!(
        "outputs:\n  - min_severity: high\n  - file: all.ndjson\n  - sqlite: alerts.db\n    rules: ping\n  \
         - webhook: {}\n    tags: ss*\n    allow: [127.0.0.1]\n    name: hook\n",
        peer.url()
    );
    let place = place("outputs-several", &config);
    place.file("e.ndjson", &events(3, 5));
    let ended = place.run(&["run", "r.trip", "e.ndjson"]);
    ended.expect(0);
    assert_eq!(ended.alerts().len(), 3, "{}", ended.out);
    assert_eq!(place.read("all.ndjson").lines().count(), 8);
    assert_eq!(peer.requests().len(), 3);
    let table = rusqlite::Connection::open(place.path("alerts.db")).expect("a data base");
    let rows: (i64, i64) = table
        .query_row(
            "SELECT count(*), count(DISTINCT id) FROM alerts WHERE rule = 'ping' AND severity = 'low'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("a row");
    assert_eq!(rows, (5, 5));
    assert!(ended.err.contains("hook") && ended.err.contains("delivered"), "{}", ended.err);
    // The same again: a table holds each alert once.
    place.run(&["run", "r.trip", "e.ndjson"]).expect(0);
    let rows: i64 = table.query_row("SELECT count(*) FROM alerts", [], |row| row.get(0)).expect("a row");
    assert_eq!(rows, 5);
}

#[test]
fn what_is_refused_is_kept_and_what_cannot_be_delivered_is_said() {
    let peer = Peer::start(vec![Act::Answer(400, "", "no".to_owned())]);
    let config = format!(
        "dead_letters: dead.ndjson\ndrain: 1s\noutputs:\n  - webhook: {}\n    allow: [127.0.0.1]\n  \
         - webhook: http://127.0.0.1:9/\n    name: away\n    allow: [127.0.0.1]\n",
        peer.url()
    );
    let place = place("outputs-dead", &config);
    place.file("e.ndjson", &events(2, 0));
    let ended = place.run(&["run", "r.trip", "e.ndjson"]);
    ended.expect(0);
    let dead = place.read("dead.ndjson");
    let outputs: Vec<String> = dead
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["output"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect();
    assert_eq!(outputs.iter().filter(|name| *name == "away").count(), 2, "{dead}");
    assert_eq!(outputs.len(), 3, "{dead}");
    assert_eq!(peer.requests().len(), 2);

    let without = Place::new("outputs-lost");
    without.file("r.trip", RULES).file("e.ndjson", &events(2, 0)).file(
        "tripline.yaml",
        "drain: 1s\noutputs:\n  - webhook: http://127.0.0.1:9/\n    name: away\n    allow: [127.0.0.1]\n",
    );
    let ended = without.run(&["run", "r.trip", "e.ndjson"]);
    ended.expect(4);
    assert!(ended.err.contains("output away: 2 alerts not delivered, lost"), "{}", ended.err);
}

#[test]
fn a_storm_is_one_alert() {
    let place = place(
        "outputs-storm",
        "outputs:\n  - file: limited.ndjson\n    rate_limit: {alerts: 10, per: 1h}\n  \
         - file: grouped.ndjson\n    group: {by: [rule], wait: 1h}\n",
    );
    place.file("e.ndjson", &events(2, 2000));
    place.run(&["run", "r.trip", "e.ndjson"]).expect(0);
    let alerts = |name: &str| -> Vec<serde_json::Value> {
        place.read(name).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let limited = alerts("limited.ndjson");
    assert_eq!(limited.len(), 2 + 10 + 1);
    assert_eq!(limited.last().map(|alert| &alert["values"]["count"]), Some(&1990.into()));
    let grouped = alerts("grouped.ndjson");
    assert_eq!(grouped.len(), 2);
    assert!(grouped.iter().all(|alert| alert["tags"].to_string().contains("tripline.summary")));
}

#[test]
fn a_file_is_rotated_by_size() {
    let place = place("outputs-rotate", "outputs:\n  - file: a.ndjson\n    rotate: {size: 4KiB, keep: 2}\n");
    place.file("e.ndjson", &events(100, 0));
    place.run(&["run", "r.trip", "e.ndjson"]).expect(0);
    let mut last = Vec::new();
    for name in ["a.ndjson.2", "a.ndjson.1", "a.ndjson"] {
        let text = place.read(name);
        assert!(text.len() <= 4096 && text.ends_with('\n'), "{name}: {}", text.len());
        last.extend(text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a whole line")));
    }
    assert!(!place.path("a.ndjson.3").exists());
    let users: Vec<String> =
        last.iter().map(|alert| alert["key"]["user"].as_str().expect("a user").to_owned()).collect();
    let expected: Vec<String> = (100 - users.len()..100).map(|n| format!("u{n}")).collect();
    assert_eq!(users, expected, "in order, none missing between");
}

#[test]
fn a_spool_keeps_what_waits_for_the_next_run() {
    let config = |url: &str| {
        format!(
            "drain: 1s\noutputs:\n  - webhook: {url}\n    name: hook\n    allow: [127.0.0.1]\n    \
             spool: {{dir: spool/hook, max: 16MiB}}\n"
        )
    };
    let place = place("outputs-spool", &config("http://127.0.0.1:9/"));
    place.file("e.ndjson", &events(3, 0)).file("empty.ndjson", "");
    let ended = place.run(&["run", "r.trip", "e.ndjson"]);
    ended.expect(0);
    assert!(ended.err.contains("output hook: 3 alerts not delivered, kept for the next run"), "{}", ended.err);
    let peer = Peer::start(Vec::new());
    place.file("tripline.yaml", &config(&peer.url()));
    let ended = place.run(&["run", "r.trip", "empty.ndjson"]);
    ended.expect(0);
    let users: Vec<String> = peer
        .requests()
        .iter()
        .map(|request| request.json()["key"]["user"].as_str().expect("a user").to_owned())
        .collect();
    assert_eq!(users, ["u0", "u1", "u2"], "{}", ended.err);
    place.run(&["run", "r.trip", "empty.ndjson"]).expect(0);
    assert_eq!(peer.requests().len(), 3, "what was settled does not come again");
}

#[test]
fn secrets_are_not_shown_whatever_goes_wrong() {
    let place = place(
        "outputs-secret",
        "drain: 500ms\noutputs:\n  - webhook: {env: HOOK}\n    token: {file: token}\n    sign: {env: SIGN}\n    \
         allow: [127.0.0.1]\n  - webhook: {env: HOOK}\n    preset: pagerduty\n    token: {file: token}\n",
    );
    place.file("e.ndjson", &events(2, 0)).file("token", "canary-token\n");
    let run = |hook: &str| {
        let mut command = place.command(&["--log", "trace", "run", "r.trip", "e.ndjson"]);
        command.env("HOOK", hook).env("SIGN", "canary-sign");
        let output = command.output().expect("the program runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!text.contains("canary"), "{hook}: {text}");
        (output.status.code(), text)
    };
    assert_eq!(run("http://127.0.0.1:9/canary-path").0, Some(4));
    assert_eq!(run("http://canary-user:canary-password@127.0.0.1/").0, Some(2));
    assert_eq!(run("canary nonsense").0, Some(2));
    let peer = Peer::start(vec![Act::status(403), Act::status(500)]);
    run(&peer.url());

    let plain = Place::new("outputs-plain-secret");
    plain.file("r.trip", RULES).file(
        "tripline.yaml",
        "outputs:\n  - webhook: https://example.com/\n    token: canary-token\n    sign: canary-sign\n    \
         headers: {authorization: canary-header}\n",
    );
    let ended = plain.run(&["run", "r.trip", "e.ndjson"]);
    ended.expect(2);
    assert!(!ended.err.contains("canary"), "{}", ended.err);
    assert_eq!(ended.err.matches("a secret does not stand in the file").count(), 3, "{}", ended.err);
}

/// All that a run leaves behind, and every command that looks at it.
#[test]
fn secrets_are_in_no_file_that_a_run_leaves() {
    let place = place(
        "outputs-secret-files",
        "drain: 100ms\ndead_letters: dead.ndjson\nstate: state\nrejects: rejects\nlate: late\noutputs:\n  \
         - webhook: {env: HOOK}\n    token: {file: token}\n    sign: {env: SIGN}\n    headers: {x-a: {env: HEAD}}\n    \
         allow: [127.0.0.1]\n    spool: {dir: spool}\n  - webhook: {env: HOOK}\n    preset: opsgenie\n    \
         token: {file: token}\n    allow: [127.0.0.1]\n    rate_limit: {alerts: 1, per: 1h}\n  - file: alerts.ndjson\n",
    );
    place.file("e.ndjson", &(events(5, 0) + "nonsense\n")).file("token", "canary-token\n");
    let peer = Peer::start(vec![Act::status(400), Act::status(400), Act::status(503)]);
    for arguments in [
        &["--log", "trace", "run", "r.trip", "e.ndjson"][..],
        &["state", "inspect", "state"],
        &["state", "export", "state"],
        &["state", "verify", "state"],
    ] {
        let mut command = place.command(arguments);
        command.env("HOOK", format!("{}canary-path", peer.url())).env("SIGN", "canary-sign").env("HEAD", "canary-head");
        let output = command.output().expect("the program runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!text.contains("canary"), "{arguments:?}: {text}");
    }
    assert!(peer.requests().iter().any(|request| request.target.contains("canary-path")), "they were used");
    let mut looked = 0;
    let mut open = vec![place.path("")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).expect("a directory").flatten().map(|entry| entry.path()));
        } else if path != place.path("token") {
            let bytes = std::fs::read(&path).expect("a file");
            assert!(!bytes.windows(6).any(|part| part == b"canary"), "{}", path.display());
            looked += 1;
        }
    }
    assert!(looked > 8, "{looked}");
}

/// Whoever can write the configuration says where secrets go, and whoever can write a secret, who we are.
#[cfg(unix)]
#[test]
fn what_everyone_may_write_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let config = "outputs:\n  - webhook: https://example.com/\n    token: {file: token}\n  - file: a.ndjson\n";
    let place = place("outputs-open-to-all", config);
    place.file("e.ndjson", "").file("token", "canary-token\n");
    let open = |name: &str, bits: u32| {
        let path = place.path(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).expect("it is ours");
    };
    let says = |code: i32, words: &str| {
        let ended = place.run(&["run", "r.trip", "e.ndjson"]);
        ended.expect(code);
        assert_eq!(ended.err.contains("may be written by everyone"), !words.is_empty(), "{}", ended.err);
        assert!(ended.err.contains(words) && !ended.err.contains("canary"), "{words}: {}", ended.err);
    };
    says(0, "");
    open("tripline.yaml", 0o666);
    says(2, "tripline.yaml may be written by everyone on this machine; take that back with `chmod o-w tripline.yaml`");
    // It decides nothing for a command that sends nothing.
    place.run(&["check", "r.trip"]).expect(0);
    open("tripline.yaml", 0o664);
    open("token", 0o602);
    says(2, "chmod o-w token");
    open("token", 0o600);
    open("r.trip", 0o646);
    says(0, "warning: r.trip may be written by everyone");
    open("r.trip", 0o644);
    says(0, "");
}

#[test]
fn what_does_not_go_together_is_an_error() {
    let place = place(
        "outputs-wrong",
        "outputs:\n  - file: a.ndjson\n    token: {env: A}\n  - webhook: https://example.com/\n    body: {a: '{sevrity}'}\n  \
         - syslog: example.com\n  - splunk: https://example.com/\n  - sqlite: a.db\n    table: 'a; drop'\n  \
         - file: b\n    sqlite: c\n",
    );
    let ended = place.run(&["run", "r.trip", "e.ndjson"]);
    ended.expect(2);
    for words in [
        "`token` means nothing for an output of `file`",
        "an alert has no `sevrity`",
        "`example.com` does not say how messages travel",
        "the collector asks for a token",
        "`a; drop` is no plain name of a table",
        "this output goes to `file` and to `sqlite`",
    ] {
        assert!(ended.err.contains(words), "{words}:\n{}", ended.err);
    }
}
