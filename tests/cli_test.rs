//! `tripline test`: verdicts, what is said about a failure, coverage and the JUnit report.

mod cli;

use cli::Place;

const RULE: &str = r#"event login = kind == "auth" and realm in ("staff", "guest")

rule brute_force {
  by user
  match {
    fail: at least 3 of login where ok == false
    then entry: login where ok == true
  } within 10m
  alert { attempts = count(fail)  last_failure = last(fail).@ts }
  cancel on reset
}

rule silent {
  severity low
  by host
  match { last: heartbeat then no heartbeat within 5m }
  alert { since = last.@ts }
}
"#;

fn place(name: &str, tests: &str) -> Place {
    let place = Place::new(name);
    place.file("r.trip", &format!("{RULE}\n{tests}\n"));
    place
}

#[test]
fn tests_run_in_virtual_time() {
    let place = place(
        "test-time",
        r#"test brute_force "three, then in" {
          0s login { user: "bob", ok: false } x 3 every 1s
          30s login { user: "bob", ok: true }
          expect alert at 30s { attempts == 3 and last_failure == 2s and user == "bob" and key.user like "b*" }
        }
        test silent "each gap" {
          0s heartbeat { host: "h" }
          4m heartbeat { host: "h" }
          20m heartbeat { host: "h" }
          expect alert at 9m { since == 4m, severity == "low" }
          expect alert at 25m
        }
        test silent "stopped before the deadline" {
          0s heartbeat { host: "h" }
          4m stop
          expect no alert
        }
        test brute_force "other users" {
          0s login { user: "bob", ok: false } x 3
          30s login { user: "eve", ok: true }
          expect no alert
        }"#,
    );
    let ended = place.run(&["test", "r.trip"]);
    assert!(ended.expect(0).out.starts_with("4 of 4 tests passed in "), "{}", ended.out);
    let verbose = place.run(&["test", "r.trip", "--verbose"]).out;
    assert!(verbose.contains("ok   silent \"each gap\"  r.trip:"), "{verbose}");
    assert!(place.run(&["test", "r.trip", "silent"]).out.starts_with("2 of 2 tests"));
    assert!(place.run(&["test", "r.trip", "--only", "three*"]).out.starts_with("1 of 1 tests"));
}

#[test]
fn a_failure_says_what_came_instead() {
    let place = place(
        "test-differs",
        r#"test brute_force "wrong" {
          0s login { user: "bob", ok: false } x 3 every 1s
          30s login { user: "bob", ok: true }
          expect alert at 31s { attempts == 4 }
        }
        test brute_force "one too many" {
          0s login { user: "bob", ok: false } x 3 every 1s
          30s login { user: "bob", ok: true }
          expect no alert
        }"#,
    );
    let out = place.run(&["test", "r.trip"]).expect(1).out.clone();
    for part in [
        "FAIL brute_force \"wrong\"",
        "expected an alert at 31s, it came at 30s",
        "alert at 30s: `attempts == 4` is false, with attempts = 3",
        "FAIL brute_force \"one too many\"",
        "not expected: alert at 30s { user = \"bob\", attempts = 3",
        "0 of 2 tests passed, 2 failed",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}

#[test]
fn a_missing_alert_is_explained_by_what_stopped_it() {
    let place = place(
        "test-why",
        r#"test brute_force "two failures only" {
          0s login { user: "bob", ok: false } x 2 every 1s
          30s login { user: "bob", ok: true }
          expect alert at 30s
        }
        test brute_force "no success" {
          0s login { user: "bob", ok: false } x 3 every 1s
          30s login { user: "bob" }
          expect alert at 30s
        }
        test brute_force "cancelled" {
          0s login { user: "bob", ok: false } x 3 every 1s
          20s reset { user: "bob" }
          30s login { user: "bob", ok: true }
          expect alert at 30s
        }
        test brute_force "too late" {
          0s login { user: "bob", ok: false } x 3 every 1s
          11m login { user: "bob", ok: true }
          expect alert at 11m
        }"#,
    );
    let out = place.run(&["test", "r.trip"]).expect(1).out.clone();
    let of = |name: &str| -> String {
        let start = out.find(&format!("\"{name}\"")).unwrap_or_else(|| panic!("{name}\n{out}"));
        let rest = &out[start..];
        rest[..rest.find("\nFAIL").unwrap_or(rest.len())].to_owned()
    };
    let two = of("two failures only");
    assert!(two.contains("did not get past its first element"), "{two}");
    assert!(two.contains("step `fail`: 3 events are of its class, 2 of 3 meet its condition, and at least 3"), "{two}");
    let none = of("no success");
    assert!(none.contains("got as far as element 1 of 2") && none.contains("fail at 0s, 1s, 2s"), "{none}");
    assert!(none.contains("did not go on to: entry: login where ok == true"), "{none}");
    assert!(of("cancelled").contains("there would be an alert without: cancel on reset"), "{out}");
    assert!(of("too late").contains("there would be an alert without: within 10m"), "{out}");
}

#[test]
fn coverage_names_what_no_test_would_miss() {
    let place = place(
        "test-coverage",
        r#"test brute_force "three, then in" {
          0s login { user: "bob", ok: false } x 3 every 1s
          30s login { user: "bob", ok: true }
          expect alert
        }
        test brute_force "two" {
          0s login { user: "bob", ok: false } x 2 every 1s
          30s login { user: "bob", ok: true } x 2
          expect no alert
        }"#,
    );
    let out = place.run(&["test", "r.trip", "--coverage"]).expect(0).out.clone();
    assert!(out.contains("brute_force: 2 tests, steps 2/2, clauses "), "{out}");
    assert!(out.contains("no test would miss `cancel on reset`"), "{out}");
    assert!(out.contains("no test would miss `within 10m`"), "{out}");
    assert!(!out.contains("no test would miss `where ok == false`"), "{out}");
    assert!(out.contains("silent: 0 tests"), "{out}");
    assert!(out.contains("    no test has an alert"), "{out}");
    assert_eq!(out.matches("none shows where the rule stays silent").count(), 0, "{out}");
}

#[test]
fn coverage_asks_for_no_step_that_must_not_come() {
    let place = place(
        "test-coverage-absent",
        r#"rule handled {
          match { o: ordered then no { c: checked then g: given where by != c.by } within 1h }
        }
        test handled "neither" {
          0s ordered {}
          10s checked { by: 1 }
          expect alert at 1h
        }"#,
    );
    let out = place.run(&["test", "r.trip", "--coverage"]).expect(0).out.clone();
    // The rules above it have no tests here.
    let (_, handled) = out.split_once("  handled: ").expect("the rule's own lines");
    assert!(handled.starts_with("1 test, steps 1/1, clauses "), "{out}");
    assert!(!handled.contains("no alert bound step"), "{out}");
    assert!(handled.contains("every test has an alert; none shows where the rule stays silent"), "{out}");
}

#[test]
fn build_servers_get_a_report() {
    let place = place(
        "test-junit",
        "test silent \"one\" { 0s heartbeat { host: \"h\" } expect no alert }\n\
         test silent \"two\" { 0s heartbeat { host: \"h\" } expect alert at 5m }",
    );
    place.run(&["test", "r.trip", "--junit", "report.xml"]).expect(1);
    let xml = place.read("report.xml");
    assert!(xml.contains("<testsuite name=\"r.trip\" tests=\"2\" failures=\"1\""), "{xml}");
    assert!(xml.contains("<failure message=\"not expected: alert at 5m"), "{xml}");
}

#[test]
fn rules_with_errors_are_not_tested() {
    let place = place("test-errors", "test nobody \"x\" { expect no alert }");
    assert!(place.run(&["test", "r.trip"]).expect(2).err.contains("nobody"));
    let empty = Place::new("test-none");
    empty.file("r.trip", RULE);
    let ended = empty.run(&["test", "r.trip"]);
    assert!(ended.expect(0).err.contains("no test was found"), "{}", ended.err);
}
