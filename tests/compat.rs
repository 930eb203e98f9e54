//! State directories of earlier releases open for ever, and the runs that they are of go on with the same alerts.
//!
//! Each folder of `tests/compat` was written once and is never written again: `rules.trip`, `first.ndjson` (what had
//! been read), `rest.ndjson`, `state` as it was after the first part, and `expected.ndjson`, the alerts of the rest. A
//! new form of states gets a new folder beside them:
//!
//! ```sh
//! COMPAT_NAME=2 cargo test --test compat -- --ignored
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}

fn run(dir: &Path, alerts: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tripline"))
        .current_dir(dir)
        .args(["run", "rules.trip", "events.ndjson", "--state", "state", "--alerts", alerts, "--threads", "2"])
        .output()
        .expect("the program starts")
}

/// Both parts as one file, as they are when the rest has been appended.
fn join(dir: &Path) {
    let read = |name: &str| fs::read(dir.join(name)).expect("a part");
    fs::write(dir.join("events.ndjson"), [read("first.ndjson"), read("rest.ndjson")].concat()).expect("written");
}

#[test]
fn states_of_earlier_releases_open_and_go_on() {
    let mut tried = 0;
    for entry in fs::read_dir(folder()).expect("tests/compat").flatten() {
        let dir = tempfile::tempdir().expect("a directory");
        copy(&entry.path(), dir.path());
        join(dir.path());
        let output = run(dir.path(), "alerts.ndjson");
        let told = String::from_utf8_lossy(&output.stderr);
        let name = entry.path();
        assert!(output.status.success(), "{}: {told}", name.display());
        assert!(told.contains("goes on from checkpoint"), "{}: {told}", name.display());
        assert!(!told.contains("begins anew") && !told.contains("warning"), "{}: {told}", name.display());
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("alerts");
        assert_eq!(read("alerts.ndjson"), read("expected.ndjson"), "{}", name.display());
        tried += 1;
    }
    assert!(tried > 0, "tests/compat is empty");
}

const RULES: &str = r#"rule failures_then_in {
  by user
  match { bad: at least 3 of login where ok == false then good: login where ok == true } within 5m
  alert { message = "{user} after {count(bad)}" }
  suppress 10m by user
}

rule silent { by host match { last: beat then no beat within 30s } }

rule sum { by user match { x: at least 5 of pay where amount > 50 } within 2m alert { total = sum(x.amount) } }

rule twice { match { a: at least 2 of alert.silent } within 1m }

rule pairs { by user match { a: login then b: pay where amount > a.n } within 20s }
"#;

#[test]
#[ignore = "writes the folder of this release, once"]
fn write_the_folder_of_this_release() {
    let dir = folder().join(std::env::var("COMPAT_NAME").expect("COMPAT_NAME is the name of the folder"));
    assert!(!dir.exists(), "the folder is there, and is never written again");
    fs::create_dir_all(&dir).expect("a folder");
    fs::write(dir.join("rules.trip"), RULES).expect("written");
    let mut random = fastrand::Rng::with_seed(3);
    let mut time = 1_767_225_600_000_i64;
    let mut parts = [String::new(), String::new()];
    for n in 0..1200 {
        time += random.i64(0..400);
        let (user, host, amount) = (random.u32(..30), random.u32(..10), random.u32(..100));
        let line = match random.u8(..10) {
            0..4 => {
                let ok = random.u8(..4) == 0;
                format!(r#"{{"ts":{time},"type":"login","user":"u{user}","ok":{ok},"n":{}}}"#, n % 100)
            }
            4..7 => format!(r#"{{"ts":{time},"type":"pay","user":"u{user}","amount":{amount}}}"#),
            _ => format!(r#"{{"ts":{time},"type":"beat","host":"h{host}"}}"#),
        };
        parts[usize::from(n >= 700)].push_str(&format!("{line}\n"));
    }
    for (part, name) in parts.iter().zip(["first.ndjson", "rest.ndjson"]) {
        fs::write(dir.join(name), part).expect("written");
    }
    fs::write(dir.join("events.ndjson"), &parts[0]).expect("written");
    assert!(run(&dir, "first_alerts.ndjson").status.success());
    let kept = tempfile::tempdir().expect("a directory");
    copy(&dir, kept.path());
    join(kept.path());
    assert!(run(kept.path(), "expected.ndjson").status.success());
    fs::copy(kept.path().join("expected.ndjson"), dir.join("expected.ndjson")).expect("copied");
    for needless in ["events.ndjson", "first_alerts.ndjson", "state/lock"] {
        fs::remove_file(dir.join(needless)).expect("removed");
    }
}
