//! Inputs that are not lines of JSON in one file: tables, directories, the journal of systemd, several with settings of
//! their own.

mod cli;

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use cli::Place;

const RULES: &str =
    "rule big { match { p: pay where amount > 100 and ok } alert { user = p.user amount = p.amount } }\n";

const TABLE: &str = "time,type,user,amount,ok\n\
2026-01-01T00:00:00Z,pay,\"bob, the first\",120.5,true\n\
2026-01-01T00:00:01Z,pay,eve,50,true\n\
2026-01-01T00:00:02Z,pay,eve,many,true\n\
2026-01-01T00:00:03Z,pay,eve\n\
2026-01-01T00:00:04Z,pay,eve,1000,TRUE\n";

const TABLE_CONFIG: &str = "inputs:\n  - file: pay.csv\n    columns: {amount: number, ok: bool}\n";

fn users(alerts: &[serde_json::Value]) -> Vec<String> {
    alerts.iter().map(|alert| alert["values"]["user"].as_str().expect("a user").to_owned()).collect()
}

#[test]
fn a_table_gives_events_and_a_bad_row_costs_itself() {
    let place = Place::new("inputs-table");
    place.file("r.trip", RULES).file("pay.csv", TABLE).file("tripline.yaml", TABLE_CONFIG);
    let ended = place.run(&["run", "r.trip", "--rejects", "rejects"]);
    let alerts = ended.expect(0).alerts();
    assert_eq!(users(&alerts), ["bob, the first", "eve"]);
    assert_eq!(alerts[1]["values"]["amount"], 1000);
    assert_eq!(alerts[1]["events"]["p"][0]["seq"], 6, "the row, with the head as the first");
    assert!(ended.err.contains("2 lines rejected: 2 bad_row"), "{}", ended.err);
    let rejects = place.read("rejects");
    assert!(rejects.contains(r#""line":4"#) && rejects.contains("2026-01-01T00:00:02Z,pay,eve,many,true"), "{rejects}");
}

#[test]
fn a_table_is_told_by_its_name_and_comes_over_a_pipe_too() {
    let place = Place::new("inputs-table-pipe");
    let rules = "rule texts { match { p: pay where amount == \"50\" } }\n";
    place
        .file("r.trip", rules)
        .file("pay.csv", TABLE)
        .file("pay.tsv", &TABLE.replace(',', "\t").replace("bob\t the", "bob, the"));
    for table in ["pay.csv", "pay.tsv"] {
        assert_eq!(place.run(&["run", "r.trip", table]).expect(0).alerts().len(), 1, "{table}");
    }
    place.file("tripline.yaml", "inputs:\n  - file: '-'\n    format: csv\n    columns: {amount: number, ok: bool}\n");
    let fed = place.run_with(&["run", "r.trip", "--rule", "pay where amount > 100"], TABLE);
    assert_eq!(fed.expect(0).alerts().len(), 2, "{}", fed.err);
}

#[test]
fn a_table_is_read_on_by_a_later_run() {
    let place = Place::new("inputs-table-state");
    let all: Vec<String> = TABLE.split_inclusive('\n').map(str::to_owned).collect();
    place.file("r.trip", RULES).file("tripline.yaml", TABLE_CONFIG);
    let mut users_found = Vec::new();
    for until in 2..=all.len() {
        place.file("pay.csv", &all[..until].concat());
        let ended = place.run(&["run", "r.trip", "--state", "state"]);
        users_found.extend(users(&ended.expect(0).alerts()));
    }
    assert_eq!(users_found, ["bob, the first", "eve"]);
    place.file("pay.csv", "time,amount\n1,2\n");
    let ended = place.run(&["run", "r.trip", "--state", "state"]);
    assert!(ended.expect(4).err.contains("does not begin as the file did"), "{}", ended.err);
}

#[test]
fn a_table_whose_head_is_wrong_ends_the_run_with_a_word() {
    let place = Place::new("inputs-table-head");
    place.file("r.trip", RULES).file("pay.csv", "a,b\n1,2\n").file("tripline.yaml", TABLE_CONFIG);
    let ended = place.run(&["run", "r.trip"]);
    assert!(ended.expect(4).err.contains("there is no column `amount`; there are a, b"), "{}", ended.err);
}

fn pay(user: &str, second: u32) -> String {
    format!(
        "{{\"time\":\"2026-01-01T00:00:{second:02}Z\",\"type\":\"pay\",\"user\":\"{user}\",\"amount\":200,\"ok\":true}}\n"
    )
}

#[test]
fn the_files_of_a_directory_are_read_in_the_order_of_their_names() {
    let place = Place::new("inputs-directory");
    fs::create_dir_all(place.path("logs")).expect("a directory");
    let packed = zstd::encode_all((pay("c", 3) + &pay("d", 4)).as_bytes(), 1).expect("packed");
    place
        .file("r.trip", RULES)
        .file("logs/2.ndjson", &(pay("b", 2) + pay("b2", 2).trim_end()))
        .file("logs/1.ndjson", &pay("a", 1));
    fs::write(place.path("logs/3.ndjson.zst"), packed).expect("written");
    place.file("logs/.hidden", &pay("x", 9)).file("logs/4.other", &pay("o", 5));
    place.file("tripline.yaml", "inputs: [logs/]\n");
    let alerts = place.run(&["run", "r.trip"]).expect(0).alerts();
    assert_eq!(users(&alerts), ["a", "b", "b2", "c", "d", "o"]);
    let lines: Vec<u64> = alerts.iter().filter_map(|a| a["events"]["p"][0]["seq"].as_u64()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6], "lines are counted on");
    let alerts = place.run(&["run", "r.trip", "logs/*.ndjson*"]).expect(0).alerts();
    assert_eq!(users(&alerts), ["a", "b", "b2", "c", "d"]);
    let ended = place.run(&["run", "r.trip", "logs/*.nothing"]);
    assert!(ended.expect(4).err.contains("there is no such file in it"), "{}", ended.err);
}

#[test]
fn a_directory_is_read_on_by_a_later_run() {
    let place = Place::new("inputs-directory-state");
    fs::create_dir_all(place.path("logs")).expect("a directory");
    place.file("r.trip", RULES).file("tripline.yaml", "inputs: [logs/]\nstate: state\n");
    let run = || users(&place.run(&["run", "r.trip"]).expect(0).alerts());
    place.file("logs/1", &pay("a", 1)).file("logs/2", &pay("b", 2));
    assert_eq!(run(), ["a", "b"]);
    assert!(run().is_empty());
    place.file("logs/2", &(pay("b", 2) + &pay("c", 3))).file("logs/3", &pay("d", 4));
    assert_eq!(run(), ["c", "d"]);
    fs::remove_file(place.path("logs/1")).expect("removed");
    place.file("logs/3", &(pay("d", 4) + &pay("e", 5)));
    assert_eq!(run(), ["e"]);
    fs::remove_file(place.path("logs/3")).expect("removed");
    let ended = place.run(&["run", "r.trip"]);
    assert!(ended.expect(4).err.contains("is not there any more"), "{}", ended.err);
}

#[test]
fn a_directory_that_is_followed_goes_on_with_new_files() {
    let place = Place::new("inputs-directory-follow");
    fs::create_dir_all(place.path("logs")).expect("a directory");
    place.file("r.trip", RULES).file("tripline.yaml", "inputs: [logs/]\n");
    let mut command = place.command(&["run", "r.trip", "--follow", "--alerts", "alerts", "--idle", "1h"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
    let wait = |count: usize| {
        let started = Instant::now();
        let alerts = || fs::read_to_string(place.path("alerts")).unwrap_or_default().lines().count();
        while alerts() < count && started.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(alerts(), count);
    };
    let half = "{\"time\":\"2026-01-01T00:00:02Z\"";
    place.file("logs/1", &pay("a", 1));
    wait(1);
    place.file("logs/1", &(pay("a", 1) + &pay("b", 2) + half));
    wait(2);
    place.file("logs/1", &(pay("a", 1) + &pay("b", 2) + half + ",\"x\":1}\n" + &pay("c", 3)));
    place.file("logs/2", &pay("d", 4));
    wait(4);
    child.kill().expect("killed");
    child.wait().expect("over");
}

/// What `journalctl -o json` writes.
#[test]
fn the_journal_of_systemd_is_read_with_its_preset() {
    let place = Place::new("inputs-journald");
    let rules = "rule failed { match { f: sshd where contains(MESSAGE, \"Failed\") } alert { at = f.@ts host = f._HOSTNAME } }\n";
    let config = "inputs:\n  - file: '-'\n    preset: journald\n";
    place.file("r.trip", rules).file("tripline.yaml", config);
    let line = "{\"__REALTIME_TIMESTAMP\":\"1767225600123456\",\"SYSLOG_IDENTIFIER\":\"sshd\",\"_HOSTNAME\":\"web-1\",\
                \"PRIORITY\":\"6\",\"MESSAGE\":\"Failed password for bob\"}\n";
    let alerts = place.run_with(&["run", "r.trip"], line).expect(0).alerts();
    assert_eq!(alerts[0]["values"], serde_json::json!({"at": "2026-01-01T00:00:00.123456Z", "host": "web-1"}));
    fs::remove_file(place.path("tripline.yaml")).expect("removed");
    let flags =
        ["--time-field", "__REALTIME_TIMESTAMP", "--time-format", "epoch_us", "--type-field", "SYSLOG_IDENTIFIER"];
    let with_flags = place.run_with(&[&["run", "r.trip"][..], &flags].concat(), line).expect(0).alerts();
    assert_eq!(with_flags[0]["values"], alerts[0]["values"]);
}

#[test]
fn every_input_has_its_own_time_class_and_lateness() {
    let place = Place::new("inputs-own");
    let rules = "rule pair { by user match { a: login then b: pay } within 1m }\n";
    let config = "inputs:\n  - a.ndjson\n  - file: b.ndjson\n    name: payments\n    type_field: kind\n    lateness: 10s\n    \
                  time: {fields: [at], format: epoch_s}\n";
    place.file("r.trip", rules).file("tripline.yaml", config);
    place.file(
        "a.ndjson",
        "{\"ts\":\"2026-01-01T00:00:00Z\",\"type\":\"login\",\"user\":\"bob\"}\n{\"ts\":\"2026-01-01T00:01:00Z\"}\n",
    );
    place.file(
        "b.ndjson",
        "{\"at\":1767225605,\"kind\":\"other\"}\n{\"at\":1767225601,\"kind\":\"pay\",\"user\":\"bob\"}\n{\"at\":1767225690}\n",
    );
    let ended = place.run(&["run", "r.trip"]);
    let alerts = ended.expect(0).alerts();
    assert_eq!(alerts.len(), 1, "{}", ended.err);
    assert_eq!(alerts[0]["time"], "2026-01-01T00:00:01.000Z");
    assert_eq!(alerts[0]["events"]["b"][0]["input"], "payments");
    assert!(ended.err.contains("input     events"), "{}", ended.err);
}
