//! Signals to a run that goes on: files opened anew on SIGHUP, and what outputs hold for summaries over SIGKILL.
#![cfg(unix)]

mod cli;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cli::Place;

const RULES: &str = "rule login { by user match { f: login } alert { message = user } }\n";

fn line(n: u64) -> String {
    format!("{{\"ts\":{},\"type\":\"login\",\"user\":\"u{n}\"}}\n", 1_767_225_600 + n)
}

fn append(place: &Place, name: &str, text: &str) {
    let file = OpenOptions::new().create(true).append(true).open(place.path(name));
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("appended");
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

fn lines(place: &Place, name: &str) -> usize {
    fs::read_to_string(place.path(name)).map_or(0, |text| text.lines().count())
}

fn start(place: &Place, args: &[&str]) -> Child {
    let mut command = place.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew_and_loses_no_line() {
    let place = Place::new("signals-reopen");
    place.file("r.trip", RULES).file("e.ndjson", "");
    let mut child = start(&place, &["run", "r.trip", "e.ndjson", "--follow", "--alerts", "alerts", "--state", "state"]);
    let mut written = 0;
    for round in 0..4 {
        let until = written + 50;
        append(&place, "e.ndjson", &(written..until).map(line).collect::<String>());
        written = until;
        wait_for("an alert", || lines(&place, "alerts") == 50);
        fs::rename(place.path("alerts"), place.path(&format!("alerts.{round}"))).expect("moved");
        signal(&child, "-HUP");
        wait_for("a new file", || place.path("alerts").exists());
    }
    signal(&child, "-TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    for round in 0..4 {
        let text = place.read(&format!("alerts.{round}"));
        for (at, line) in text.lines().enumerate() {
            assert!(line.contains(&format!(r#""message":"u{}""#, round * 50 + at)), "{round}: {line}");
        }
    }
    assert_eq!(place.read("alerts"), "");
}

#[test]
fn what_a_rate_limit_holds_survives_a_kill() {
    let place = Place::new("signals-held");
    let config = "outputs:\n  - sqlite: alerts.db\n    rate_limit: {alerts: 3, per: 1d}\n";
    place.file("r.trip", RULES).file("tripline.yaml", config).file("e.ndjson", "");
    let args = ["run", "r.trip", "e.ndjson", "--follow", "--state", "state", "--checkpoint-every", "5ms"];
    let count = |query: &str| -> i64 {
        let Ok(table) = rusqlite::Connection::open(place.path("alerts.db")) else { return 0 };
        table.query_row(query, [], |row| row.get(0)).unwrap_or(0)
    };
    let mut written = 0;
    for _ in 0..3 {
        append(&place, "e.ndjson", &(written..written + 10).map(line).collect::<String>());
        written += 10;
        let mut child = start(&place, &args);
        wait_for("an alert", || count("SELECT count(*) FROM alerts") == 3);
        // Whether a checkpoint holds what came since must make no difference.
        thread::sleep(Duration::from_millis(300));
        child.kill().expect("killed");
        child.wait().expect("it ends");
    }
    append(&place, "e.ndjson", &(written..written + 10).map(line).collect::<String>());
    place.run(&["run", "r.trip", "e.ndjson", "--state", "state"]).expect(0);
    assert_eq!(count("SELECT count(*) FROM alerts"), 4);
    assert_eq!(count("SELECT alert ->> '$.values.count' FROM alerts WHERE alert LIKE '%tripline.summary%'"), 37);
    // What was sent is not held any more.
    place.run(&["run", "r.trip", "e.ndjson", "--state", "state"]).expect(0);
    assert_eq!(count("SELECT count(*) FROM alerts"), 4);
}

/// What was read is finished, however long it takes: that is said, and a second signal does not wait for it.
#[test]
fn a_run_that_takes_long_to_end_says_so_and_a_second_signal_ends_it() {
    let place = Place::new("signals-twice");
    let rule = "rule r { match { a: a then y: y then z: z } pick all after match no skip }\n";
    let line = |n: u64| format!("{{\"ts\":{n},\"type\":\"{}\"}}\n", ["a", "y", "z"][n as usize % 3]);
    place.file("r.trip", rule).file("e.ndjson", &(0..6000).map(line).collect::<String>());
    let mut command = place.command(&["run", "r.trip", "e.ndjson", "--threads", "2"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let log = fs::File::create(place.path("log")).expect("made");
    // Nobody reads what it writes, so it does not come to an end.
    let mut child = command.stdin(Stdio::null()).stdout(writer).stderr(log).spawn().expect("the program starts");
    thread::sleep(Duration::from_secs(1));
    signal(&child, "-INT");
    wait_for("a word", || place.read("log").contains("another interrupt ends at once"));
    assert!(child.try_wait().expect("it runs").is_none());
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    drop(reader);
}
