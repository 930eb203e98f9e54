//! `--state`, `--journal`, `tripline state` and `tripline backtest` as they are used.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const RULE: &str = "rule three { by user match { x: at least 3 of login } within 1h alert { n = count(x) } }\n";

fn tripline(dir: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn logins(user: &str, seconds: std::ops::Range<u64>) -> String {
    seconds.map(|s| format!("{{\"ts\":{},\"type\":\"login\",\"user\":\"{user}\"}}\n", 1_767_225_600 + s)).collect()
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("rules.trip"), RULE).expect("written");
    dir
}

#[test]
fn a_pipe_with_a_state_goes_on_in_the_next_run() {
    let dir = directory();
    let run = ["run", "rules.trip", "-", "--state", "state", "--journal", "journal", "--alerts", "alerts", "--quiet"];
    let first = tripline(dir.path(), &run, &logins("ann", 0..2));
    assert!(first.status.success(), "{}", stderr(&first));
    let second = tripline(dir.path(), &run, &logins("ann", 2..3));
    assert!(second.status.success(), "{}", stderr(&second));
    assert!(stderr(&second).contains("goes on from checkpoint"), "{}", stderr(&second));
    let alerts = fs::read_to_string(dir.path().join("alerts")).expect("alerts");
    assert_eq!(alerts.lines().count(), 1);
    // Lines go on counting.
    assert!(alerts.contains("\"seq\":3"), "{alerts}");
    let told = stdout(&tripline(dir.path(), &["state", "inspect", "state"], ""));
    assert!(told.contains("input   -: goes on at line 4") && told.contains("rule    three:"), "{told}");
    let export = stdout(&tripline(dir.path(), &["state", "export", "state"], ""));
    assert!(export.lines().next().expect("a line").contains("\"events\":3"), "{export}");
}

#[test]
fn without_a_journal_a_pipe_is_warned_about() {
    let dir = directory();
    let run = tripline(dir.path(), &["run", "rules.trip", "-", "--state", "state", "--quiet"], "");
    assert!(stderr(&run).contains("warning: standard input cannot be read again"), "{}", stderr(&run));
}

#[test]
fn what_does_not_go_together_is_said() {
    let dir = directory();
    for (arguments, told) in [
        (&["--journal", "j"][..], "add --state DIR"),
        (&["--state", "s", "--retain", "7d"], "add --journal DIR"),
        (&["--state", "s", "--at-end", "flush"], "choose one"),
        (&["--state", "s", "--from", "2026-01-01"], "choose one"),
    ] {
        let run = tripline(dir.path(), &[&["run", "rules.trip", "-"], arguments].concat(), "");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&run).contains(told), "{arguments:?}: {}", stderr(&run));
    }
}

#[test]
fn rules_that_have_not_changed_keep_what_they_hold() {
    let dir = directory();
    let other = "rule other { by user match { x: at least 9 of login } within 1h }\n";
    fs::write(dir.path().join("rules.trip"), format!("{other}{RULE}")).expect("written");
    let events = dir.path().join("events.ndjson");
    fs::write(&events, logins("ann", 0..2)).expect("written");
    let run = ["run", "rules.trip", "events.ndjson", "--state", "state", "--quiet"];
    assert!(tripline(dir.path(), &run, "").status.success());
    let added = "rule added { match { x: login where user == \"zoe\" } }\n";
    let other = other.replace('9', "8");
    fs::write(dir.path().join("rules.trip"), format!("{added}{other}{RULE}")).expect("written");
    fs::write(&events, logins("ann", 0..3)).expect("written");
    let second = tripline(dir.path(), &run, "");
    let told = stderr(&second);
    assert!(told.contains("1 rule with what they held"), "{told}");
    assert!(told.contains("rule other has changed and begins anew; 1 key dropped"), "{told}");
    assert!(told.contains("rule added is new"), "{told}");
    assert_eq!(stdout(&second).lines().count(), 1, "{}", stdout(&second));
}

#[test]
fn a_damaged_state_is_found_named_and_kept() {
    let dir = directory();
    fs::write(dir.path().join("events.ndjson"), logins("ann", 0..2)).expect("written");
    let run = ["run", "rules.trip", "events.ndjson", "--state", "state", "--quiet"];
    for _ in 0..2 {
        assert!(tripline(dir.path(), &run, "").status.success());
    }
    let verify = ["state", "verify", "state"];
    assert!(tripline(dir.path(), &verify, "").status.success());
    let file = dir.path().join("state/00000002.checkpoints");
    let mut bytes = fs::read(&file).expect("a generation");
    bytes[40] ^= 1;
    fs::write(&file, &bytes).expect("written");
    let damaged = tripline(dir.path(), &verify, "");
    assert_eq!(damaged.status.code(), Some(1));
    assert!(stdout(&damaged).contains("DAMAGED"), "{}", stdout(&damaged));
    fs::write(dir.path().join("events.ndjson"), logins("ann", 0..3)).expect("written");
    let third = tripline(dir.path(), &run, "");
    assert!(third.status.success() && stdout(&third).lines().count() == 1, "{}", stderr(&third));
    assert!(
        stderr(&third).contains("kept as") && stderr(&third).contains("the older one is used"),
        "{}",
        stderr(&third)
    );
    assert_eq!(fs::read(dir.path().join("state/00000002.checkpoints.damaged")).expect("kept"), bytes);
}

#[test]
fn a_second_run_is_refused_while_one_is_at_work() {
    let dir = directory();
    let mut first = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .current_dir(dir.path())
        .args(["run", "rules.trip", "-", "--state", "state", "--quiet"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    while !dir.path().join("state/00000001.checkpoints").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = tripline(dir.path(), &["run", "rules.trip", "-", "--state", "state"], "");
    assert_eq!(second.status.code(), Some(4));
    assert!(stderr(&second).contains("another run uses this state directory"), "{}", stderr(&second));
    drop(first.stdin.take());
    assert!(first.wait().expect("it ends").success());
}

#[test]
fn a_backtest_counts_what_a_journal_kept_and_compares_two_versions() {
    let dir = directory();
    let run = ["run", "rules.trip", "-", "--state", "state", "--journal", "journal", "--retain", "7d", "--quiet"];
    let events = logins("ann", 0..4) + &logins("bob", 90_000..90_003);
    assert!(tripline(dir.path(), &run, &events).status.success());
    fs::write(dir.path().join("new.trip"), RULE.replace("at least 3", "at least 4")).expect("written");
    let backtest = ["backtest", "new.trip", "--journal", "journal", "--against", "rules.trip"];
    let told = stdout(&tripline(dir.path(), &backtest, ""));
    assert!(told.contains("7 events") && told.contains("three: 1 alert, "), "{told}");
    assert!(told.contains("- 2026-01-02T01:00:02.000Z  user=bob"), "{told}");
    let json = stdout(&tripline(dir.path(), &[&backtest[..], &["--format", "json"]].concat(), ""));
    assert!(json.contains("\"days\":{\"2026-01-01\":1}"), "{json}");
    let since = stdout(&tripline(dir.path(), &[&backtest[..], &["--from", "2026-01-02"]].concat(), ""));
    assert!(since.contains("3 events") && since.contains("three: 0 alerts"), "{since}");
}

/// Events stand in these directories.
#[cfg(unix)]
#[test]
fn directories_that_keep_events_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = directory();
    fs::write(
        dir.path().join("tripline.yaml"),
        "outputs:\n  - file: alerts\n    spool: {dir: spool/a}\nstate: state\njournal: journal\n",
    )
    .expect("written");
    let run = tripline(dir.path(), &["run", "rules.trip", "-", "--quiet"], &logins("ann", 0..3));
    assert!(run.status.success(), "{}", stderr(&run));
    for name in ["state", "journal", "journal/stdin", "spool/a"] {
        let mode = fs::metadata(dir.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
}
