//! `tripline run` from the outside: inputs, outputs, time, and what happens when something gives way.

mod cli;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use cli::Place;

const RULES: &str = r#"rule brute_force "Failures, then in" {
  severity high
  tags "ssh"
  by user
  match {
    fail: at least 3 of login where ok == false
    then entry: login where ok == true
  } within 10m
  alert { attempts = count(fail)  span = entry.@ts - first(fail).@ts }
}

rule silent {
  by host
  match { last: heartbeat then no heartbeat within 5m }
}
"#;

/// Three failures and a success of one user, a heartbeat, and time passing.
const EVENTS: &str = r#"{"ts":"2026-01-01T00:00:00Z","type":"login","user":"bob","ok":false}
{"ts":"2026-01-01T00:00:01Z","type":"login","user":"bob","ok":false}
{"ts":"2026-01-01T00:00:02Z","type":"login","user":"bob","ok":false}
{"ts":"2026-01-01T00:00:03Z","type":"heartbeat","host":"h1"}
{"ts":"2026-01-01T00:00:04.5Z","type":"login","user":"bob","ok":true}
{"ts":"2026-01-01T00:06:00Z","type":"other"}
"#;

fn place(name: &str) -> Place {
    let place = Place::new(name);
    place.file("r.trip", RULES).file("e.ndjson", EVENTS);
    place
}

#[test]
fn alerts_are_json_lines() {
    let ended = place("run-json").run(&["run", "r.trip", "e.ndjson"]);
    let alerts = ended.expect(0).alerts();
    assert_eq!(alerts.len(), 2, "{}", ended.out);
    let (first, second) = (&alerts[0], &alerts[1]);
    assert_eq!(first["rule"], "brute_force");
    assert_eq!(first["title"], "Failures, then in");
    assert_eq!(first["severity"], "high");
    assert_eq!(first["tags"], serde_json::json!(["ssh"]));
    assert_eq!(first["time"], "2026-01-01T00:00:04.500Z");
    assert_eq!(first["key"], serde_json::json!({"user": "bob"}));
    assert_eq!(first["values"], serde_json::json!({"attempts": 3, "span": "4s500ms"}));
    let lines = |step: &str| -> Vec<u64> {
        first["events"][step].as_array().expect("a list").iter().filter_map(|e| e["seq"].as_u64()).collect()
    };
    assert_eq!(lines("fail"), [1, 2, 3]);
    assert_eq!(lines("entry"), [5]);
    assert_eq!(first["events"]["entry"][0]["fields"]["ok"], true);
    assert_eq!(first["id"].as_str().map(str::len), Some(32));
    assert_eq!(second["rule"], "silent");
    assert_eq!(second["time"], "2026-01-01T00:05:03.000Z");
    assert!(ended.err.contains("2 alerts from 6 events"), "{}", ended.err);
}

#[test]
fn evidence_is_as_much_as_asked_for() {
    let place = place("run-evidence");
    let step = |how: &str| {
        place.run(&["run", "r.trip", "e.ndjson", "--evidence", how]).alerts()[0]["events"]["entry"][0].clone()
    };
    assert_eq!(step("ids"), serde_json::json!({"seq": 5, "time": "2026-01-01T00:00:04.500Z"}));
    let full = step("full");
    assert_eq!(full["event"]["ts"], "2026-01-01T00:00:04.5Z");
    assert!(full.get("fields").is_none());
}

#[test]
fn pretty_and_ecs_are_other_forms_of_the_same() {
    let place = place("run-forms");
    let pretty = place.run(&["run", "r.trip", "e.ndjson", "--output", "pretty"]);
    assert!(pretty.expect(0).out.contains("HIGH     brute_force  Failures, then in"), "{}", pretty.out);
    assert!(!pretty.out.contains('\u{1b}'), "no colours for a pipe");
    let colored = place.run(&["run", "r.trip", "e.ndjson", "--output", "pretty", "--color", "always"]);
    assert!(colored.out.contains("\u{1b}[31mHIGH"), "{}", colored.out);
    let ecs = place.run(&["run", "r.trip", "e.ndjson", "--output", "ecs"]).alerts();
    assert_eq!(ecs[0]["event"]["kind"], "alert");
    assert_eq!(ecs[0]["rule"]["id"], "brute_force");
}

#[test]
fn standard_input_is_read_if_nothing_else_is_named() {
    let place = place("run-stdin");
    let expected = place.run(&["run", "r.trip", "e.ndjson"]).out;
    assert_eq!(place.run_with(&["run", "r.trip"], EVENTS).expect(0).out, expected);
    assert_eq!(place.run_with(&["run", "r.trip", "-"], EVENTS).expect(0).out, expected);
    let unended = EVENTS.trim_end();
    assert_eq!(place.run_with(&["run", "r.trip"], unended).out, expected, "the last line needs no line feed");
    assert_eq!(place.run_with(&["run", "r.trip"], &EVENTS.replace('\n', "\r\n")).out, expected);
}

#[test]
fn several_inputs_are_one_stream_in_event_time() {
    let place = place("run-several");
    let lines: Vec<&str> = EVENTS.lines().collect();
    let part = |odd: usize| lines.iter().skip(odd).step_by(2).fold(String::new(), |all, line| all + line + "\n");
    place.file("a.ndjson", &part(0)).file("b.ndjson", &part(1));
    let ended = place.run(&["run", "r.trip", "b.ndjson", "a.ndjson"]);
    let alerts = ended.expect(0).alerts();
    assert_eq!(alerts.len(), 2, "{}\n{}", ended.out, ended.err);
    assert_eq!(alerts[0]["values"]["attempts"], 3);
    assert_eq!(alerts[0]["events"]["entry"][0]["input"], "a.ndjson");
    assert_eq!(alerts[0]["events"]["fail"][1]["input"], "b.ndjson");
}

#[test]
fn a_rule_can_be_written_on_the_command_line() {
    let place = place("run-inline");
    let rule = "login where ok == false then login where ok == true within 10m by user";
    let alerts = place.run(&["run", "--rule", rule, "e.ndjson"]).alerts();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0]["key"]["user"], "bob");
    place.run(&["run", "--rule", "login then", "e.ndjson"]).expect(2);
    let two = place.run(&["run", "--rule", "login", "--rule", "heartbeat", "e.ndjson"]).alerts();
    let names: Vec<_> = two.iter().map(|alert| alert["rule"].clone()).collect();
    assert_eq!(names, ["rule", "rule", "rule", "rule2", "rule"]);
}

#[test]
fn a_slip_in_a_rule_on_the_command_line_is_told() {
    let err = place("run-slip").run(&["run", "--rule", "a thn b", "e.ndjson"]).expect(2).err.clone();
    assert!(err.contains("did you mean `then`?"), "{err}");
}

#[test]
fn only_runs_the_named_rules_on_what_they_build_on_in_silence() {
    let place = place("run-only");
    place.file("more.trip", "rule twice { by user = key.user match { a: alert.brute_force } }\n");
    let names = |only: &str| -> Vec<String> {
        let ended = place.run(&["run", "r.trip", "more.trip", "e.ndjson", "--only", only]);
        ended.expect(0).alerts().iter().map(|a| a["rule"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(names("sil*"), ["silent"]);
    assert_eq!(names("twice"), ["twice"]);
    assert!(place.run(&["run", "r.trip", "e.ndjson", "--only", "slient"]).expect(2).err.contains("`silent`"));
}

#[test]
fn rules_are_chosen_by_name_level_status_and_tag() {
    let place = place("run-filter");
    place.file(
        "many.trip",
        r#"
        rule a { severity low tags "attack.t1110.001" status "stable" match { e: login } }
        rule b { severity high tags "attack.T1078", "windows" status "test" match { e: login } }
        rule c { match { e: login } }
        rule d { severity if(e.ok == true, "critical", "low") match { e: login } }
        rule e { severity high match { x: alert.a } }
        "#,
    );
    let rules = |flags: &[&str]| -> Vec<String> {
        let mut args = vec!["run", "many.trip", "e.ndjson"];
        args.extend(flags);
        let alerts = place.run(&args).expect(0).alerts();
        let mut names: Vec<String> = alerts.iter().map(|a| a["rule"].as_str().unwrap_or("").to_owned()).collect();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(rules(&["--status", "stable"]), ["a"]);
    assert_eq!(rules(&["--status", "stable,test"]), ["a", "b"]);
    assert_eq!(rules(&["--tag", "attack.t1*"]), ["a", "b"]);
    assert_eq!(rules(&["--tag", "attack.*", "--exclude-tag", "Windows"]), ["a"]);
    assert_eq!(rules(&["--exclude", "a", "--exclude", "e"]), ["b", "c", "d"]);
    // What `e` builds on runs, but is below the level; `d` decides its level match by match.
    assert_eq!(rules(&["--min-level", "high"]), ["b", "d", "e"]);
    let high = place.run(&["run", "many.trip", "e.ndjson", "--min-level", "high"]).alerts();
    assert!(high.iter().all(|alert| alert["severity"] != "low"), "{high:?}");
    assert!(high.iter().any(|alert| alert["severity"] == "critical"), "{high:?}");
    let none = place.run(&["run", "many.trip", "e.ndjson", "--status", "experimental"]);
    assert!(none.expect(2).err.contains("none of the 5 rules"), "{}", none.err);
    assert!(place.run(&["run", "many.trip", "e.ndjson", "--min-level", "hihg"]).expect(2).err.contains("high"));
}

#[test]
fn undecided_absences_are_pending_or_flushed() {
    let place = place("run-end");
    place.file("short.ndjson", &EVENTS.lines().take(4).fold(String::new(), |all, line| all + line + "\n"));
    let pending = place.run(&["run", "r.trip", "short.ndjson"]);
    assert_eq!(pending.expect(0).out, "");
    assert!(pending.err.contains("pending"), "{}", pending.err);
    let flushed = place.run(&["run", "r.trip", "short.ndjson", "--at-end", "flush"]).alerts();
    assert_eq!(flushed.len(), 1);
    assert_eq!(flushed[0]["time"], "2026-01-01T00:05:03.000Z");
}

#[test]
fn from_and_to_cut_the_stream_and_lines_keep_their_numbers() {
    let place = place("run-window");
    let rule = "l: login by user";
    let run = |args: &[&str]| -> Vec<u64> {
        let all: Vec<&str> = ["run", "--rule", rule, "e.ndjson"].iter().chain(args).copied().collect();
        let ended = place.run(&all);
        ended.expect(0).alerts().iter().filter_map(|a| a["events"]["l"][0]["seq"].as_u64()).collect()
    };
    assert_eq!(run(&[]), [1, 2, 3, 5]);
    assert_eq!(run(&["--from", "2026-01-01T00:00:01Z"]), [2, 3, 5]);
    assert_eq!(run(&["--from", "2026-01-01T00:00:01Z", "--to", "2026-01-01T00:00:04.5Z"]), [2, 3]);
    assert_eq!(run(&["--to", "2026-01-01"]), [0_u64; 0]);
}

#[test]
fn rejected_and_late_lines_are_kept() {
    let place = Place::new("run-rejects");
    place.file(
        "e.ndjson",
        "{\"ts\":10,\"type\":\"a\"}\nnot json\n\n{\"ts\":4,\"type\":\"a\"}\n[1]\n{\"ts\":11,\"type\":\"a\"}\n",
    );
    let args = ["run", "--rule", "a", "e.ndjson", "--rejects", "rejects.ndjson", "--late", "late.ndjson"];
    let ended = place.run(&args);
    assert_eq!(ended.expect(0).alerts().len(), 2);
    assert_eq!(place.read("late.ndjson"), "{\"ts\":4,\"type\":\"a\"}\n");
    let rejects: Vec<serde_json::Value> =
        place.read("rejects.ndjson").lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(rejects.len(), 2);
    assert_eq!((&rejects[0]["line"], &rejects[0]["offset"]), (&2.into(), &21.into()));
    assert_eq!(rejects[0]["text"], "not json");
    assert_eq!(rejects[1]["reason"], "not_an_object");
    assert!(ended.err.contains("2 lines rejected"), "{}", ended.err);
    assert!(ended.err.contains("1 event came too late; --lateness 6s would have kept them"), "{}", ended.err);
    // By rule: of two rules only the one that asks for the event has missed it.
    let two =
        place.run(&["run", "--rule", "rule one { match { a } }", "--rule", "rule other { match { b } }", "e.ndjson"]);
    let words: Vec<Vec<&str>> = two.err.lines().map(|line| line.split_whitespace().collect()).collect();
    let header = words.iter().find(|words| words.first() == Some(&"rule")).expect("a table");
    let late = header.iter().position(|word| *word == "late").expect("a column");
    let of = |rule: &str| words.iter().find(|words| words.first() == Some(&rule)).and_then(|words| words.get(late));
    assert_eq!((of("one"), of("other")), (Some(&"1"), Some(&"-")), "{}", two.err);
    let kept = place.run(&["run", "--rule", "a", "e.ndjson", "--lateness", "6s"]);
    assert_eq!(kept.expect(0).alerts().len(), 3);
}

#[test]
fn a_line_that_is_too_long_is_counted_and_the_next_keeps_its_number() {
    let place = Place::new("run-overlong");
    let long = format!("{{\"ts\":1,\"type\":\"a\",\"x\":\"{}\"}}", "y".repeat(5000));
    place.file("e.ndjson", &format!("{{\"ts\":1,\"type\":\"a\"}}\n{long}\n{{\"ts\":2,\"type\":\"a\"}}\n"));
    place.file("tripline.yaml", "limits:\n  max_line: 1000\n");
    let ended = place.run(&["run", "--rule", "s: a", "e.ndjson", "--rejects", "r.ndjson"]);
    let lines: Vec<_> = ended.expect(0).alerts().iter().map(|a| a["events"]["s"][0]["seq"].clone()).collect();
    assert_eq!(lines, [1, 3], "{}", ended.err);
    assert!(place.read("r.ndjson").contains("\"reason\":\"line_too_long\""));
}

#[test]
fn the_configuration_file_is_used_and_flags_win() {
    let place = place("run-config");
    place.file("conf/r.trip", RULES).file("conf/e.ndjson", EVENTS).file(
        "conf/tripline.yaml",
        "rules: r.trip\ninputs: [e.ndjson]\nat_end: flush\nevidence: ids\noutputs:\n  - file: out.ndjson\n  - format: pretty\n",
    );
    let ended = place.run(&["run", "--config", "conf/tripline.yaml"]);
    assert!(ended.expect(0).out.contains("HIGH     brute_force"), "{}", ended.out);
    assert_eq!(place.read("conf/out.ndjson").lines().count(), 2);
    let flags = place.run(&["run", "--config", "conf/tripline.yaml", "--output", "json", "--evidence", "fields"]);
    assert!(flags.expect(0).alerts()[0]["events"]["entry"][0]["fields"].is_object());
    assert_eq!(place.read("conf/out.ndjson").lines().count(), 2, "outputs of the file are replaced by the flag");
    place.run(&["run", "--config", "conf/tripline.yaml", "--alerts", "mine.ndjson"]).expect(0);
    place.run(&["run", "--config", "conf/tripline.yaml", "--alerts", "mine.ndjson"]).expect(0);
    assert_eq!(place.read("mine.ndjson").lines().count(), 4, "alerts are appended");
}

#[test]
fn exit_codes_tell_what_happened() {
    let place = place("run-exit");
    place.run(&["run", "r.trip", "e.ndjson", "--fail-on-alert"]).expect(1);
    place.run(&["run", "--rule", "nothing", "e.ndjson", "--fail-on-alert"]).expect(0);
    assert!(place.run(&["run", "r.trip", "none.ndjson"]).expect(4).err.contains("no such file"));
    place.run(&["run", "e.ndjson"]).expect(2);
    place.file("broken.trip", "rule r {");
    place.run(&["run", "broken.trip", "e.ndjson"]).expect(2);
    assert_eq!(place.run(&["run", "r.trip", "e.ndjson", "--quiet"]).expect(0).err, "");
}

#[test]
fn what_could_be_read_of_a_damaged_input_is_processed() {
    let place = place("run-damaged");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut long = EVENTS.to_owned();
    for n in 0..5000 {
        writeln!(long, "{{\"ts\":\"2026-01-01T00:07:00Z\",\"n\":{}}}", n * 7919 % 10_007).expect("text");
    }
    packed.write_all(long.as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    std::fs::write(place.path("whole.ndjson.gz"), &packed).expect("a file");
    std::fs::write(place.path("cut.ndjson.gz"), &packed[..packed.len() / 2]).expect("a file");
    assert_eq!(place.run(&["run", "r.trip", "whole.ndjson.gz"]).expect(0).alerts().len(), 2);
    let cut = place.run(&["run", "r.trip", "cut.ndjson.gz"]);
    assert_eq!(cut.expect(4).alerts().len(), 2);
    assert!(cut.err.contains("cut.ndjson.gz") && cut.err.contains("cut off"), "{}", cut.err);
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run_quietly() {
    let place = place("run-pipe");
    let many: String = (0..200_000).map(|n| format!("{{\"ts\":{},\"type\":\"a\"}}\n", 1_700_000_000 + n)).collect();
    place.file("many.ndjson", &many);
    let mut child = place
        .command(&["run", "--rule", "a", "many.ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    drop(reader);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_plainly() {
    let place = place("run-full");
    let ended = place.run(&["run", "r.trip", "e.ndjson", "--alerts", "/dev/full"]);
    assert!(ended.expect(4).err.contains("/dev/full: the disk is full"), "{}", ended.err);
}

/// Starts a run on standard input that stays open, and gives it the events.
#[cfg(unix)]
fn started(place: &Place, args: &[&str]) -> (std::process::Child, std::process::ChildStdin) {
    let mut child = place
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(EVENTS.as_bytes()).expect("it reads");
    stdin.flush().expect("it reads");
    (child, stdin)
}

#[cfg(unix)]
#[test]
fn alerts_of_a_pipe_come_at_once_and_an_interrupt_ends_in_order() {
    let place = place("run-interrupt");
    let (mut child, stdin) = started(&place, &["run", "r.trip"]);
    // The alert is there although the pipe is still open.
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    assert!(line.contains("brute_force"), "{line}");
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let ended = child.wait_with_output().expect("it ends");
    drop(stdin);
    assert_eq!(ended.status.code(), Some(130));
    let err = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(err.contains("2 alerts from 6 events") && err.contains("interrupted"), "{err}");
}

#[test]
fn a_followed_file_is_read_as_it_grows_and_silence_moves_time() {
    let place = Place::new("run-follow");
    place.file("e.ndjson", "");
    let rule = "rule r { by host match { b: beat then no beat within 1s } }";
    let mut child = place
        .command(&["run", "--rule", rule, "--follow", "--idle", "300ms", "e.ndjson"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut reader = BufReader::new(child.stdout.take().expect("piped"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let mut file = std::fs::OpenOptions::new().append(true).open(place.path("e.ndjson")).expect("the file");
    let (stale, start) = (now - 60_000, Instant::now());
    write!(
        file,
        "{{\"ts\":{stale},\"type\":\"beat\",\"host\":\"old\"}}\n{{\"ts\":{now},\"type\":\"beat\",\"host\":\"h\"}}\n"
    )
    .expect("it grows");
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    assert!(line.contains("\"old\""), "{line}");
    line.clear();
    reader.read_line(&mut line).expect("a line");
    assert!(line.contains("\"h\""), "{line}");
    assert!(start.elapsed() > Duration::from_millis(900), "the absence waits for its deadline");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[cfg(unix)]
#[test]
fn a_hangup_reads_tables_anew_and_keeps_partial_matches() {
    let place = Place::new("run-hangup");
    place.file("known.csv", "name\nann\n");
    place.file(
        "r.trip",
        "table known from \"known.csv\" key name\nrule r {\n  by host\n  match { a: a then b: b where not (user in @known) } within 1h\n}\n",
    );
    place.file("e.ndjson", "");
    let mut child = place
        .command(&["run", "r.trip", "--follow", "--idle", "1h", "--threads", "2", "e.ndjson"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut alerts = BufReader::new(child.stdout.take().expect("piped"));
    let mut notes = BufReader::new(child.stderr.take().expect("piped"));
    let mut file = std::fs::OpenOptions::new().append(true).open(place.path("e.ndjson")).expect("the file");
    // Two attempts begin; one completes with a user that the table does not know, which says that both were read.
    let first = "{\"ts\":1000,\"type\":\"a\",\"host\":\"x\"}\n{\"ts\":1000,\"type\":\"a\",\"host\":\"y\"}\n\
                 {\"ts\":2000,\"type\":\"b\",\"host\":\"y\",\"user\":\"eve\"}\n";
    file.write_all(first.as_bytes()).expect("it grows");
    let mut line = String::new();
    alerts.read_line(&mut line).expect("a line");
    assert!(line.contains("\"y\""), "{line}");
    place.file("known.csv", "name\neve\n");
    let told = std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
    assert!(told.is_ok_and(|status| status.success()));
    // Warnings of the rule may stand before it.
    while !line.contains("read anew") {
        line.clear();
        assert!(notes.read_line(&mut line).expect("a line") > 0, "it ends without reading the table anew");
    }
    let second = "{\"ts\":3000,\"type\":\"b\",\"host\":\"x\",\"user\":\"eve\"}\n\
                  {\"ts\":4000,\"type\":\"b\",\"host\":\"x\",\"user\":\"ann\"}\n";
    file.write_all(second.as_bytes()).expect("it grows");
    line.clear();
    alerts.read_line(&mut line).expect("a line");
    assert!(line.contains("\"x\"") && line.contains("\"ann\"") && !line.contains("\"eve\""), "{line}");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
