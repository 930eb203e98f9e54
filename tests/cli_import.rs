//! Sigma files on the command line: beside rule files, printed as rule files, refused one by one.

mod cli;

use cli::Place;

const SHELL: &str = "title: A shell\nid: 7\nlevel: high\nlogsource: {}\ndetection:\n  sel:\n    Image|endswith: '\\sh.exe'\n  condition: sel\n";
const BAD: &str = "title: Bad\nlogsource: {}\ndetection:\n  sel:\n    Image|contians: sh\n  condition: sel\n";
const EVENTS: &str = "{\"ts\":1,\"Image\":\"C:\\\\x\\\\SH.exe\"}\n{\"ts\":2,\"Image\":\"C:\\\\x\\\\cmd.exe\"}\n";

#[test]
fn sigma_runs_beside_rule_files_and_other_yaml_is_passed_over() {
    let place = Place::new("sigma-run");
    place.file("rules/shell.yml", SHELL);
    place.file("rules/pack.yaml", "name: a pack\n");
    place.file("rules/own.trip", "rule own { match { any where Image like \"*cmd*\" } }\n");
    place.file("events.ndjson", EVENTS);
    let ran = place.run(&["run", "rules", "events.ndjson", "--pipeline", "none", "--output", "json"]);
    let out = &ran.expect(0).out;
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.contains("\"a_shell\"") && out.contains("\"own\""), "{out}");
}

#[test]
fn a_refused_rule_leaves_the_others_unless_strict() {
    let place = Place::new("sigma-refused");
    place.file("shell.yml", SHELL);
    place.file("bad.yml", BAD);
    place.file("events.ndjson", EVENTS);
    let ran = place.run(&["run", "shell.yml", "bad.yml", "events.ndjson", "--pipeline", "none"]);
    let err = &ran.expect(0).err;
    assert!(err.contains("bad.yml:5:11") && err.contains("did you mean `contains`?"), "{err}");
    assert!(err.contains("1 imported rule refused"), "{err}");
    place.run(&["run", "shell.yml", "bad.yml", "events.ndjson", "--strict"]).expect(2);
    place.run(&["check", "shell.yml", "bad.yml", "--pipeline", "none"]).expect(2);
    place.run(&["check", "shell.yml", "--pipeline", "none"]).expect(0);
}

#[test]
fn import_prints_what_fmt_leaves_alone() {
    let place = Place::new("sigma-import");
    place.file("shell.yml", SHELL);
    let printed = place.run(&["import", "shell.yml", "--pipeline", "none"]).expect(0).out.clone();
    assert!(printed.starts_with("rule a_shell \"A shell\" {"), "{printed}");
    place.run(&["import", "shell.yml", "--pipeline", "none", "-o", "out"]).expect(0);
    place.run(&["fmt", "--check", "out"]).expect(0);
    place.run(&["check", "out"]).expect(0);
    let written = std::fs::read_to_string(place.path("out/shell.trip")).expect("the file");
    assert_eq!(written, printed);
    let again = place.run(&["import", "shell.yml", "-o", "out"]);
    assert!(again.expect(2).err.contains("is there already"), "{}", again.err);
    assert!(place.run(&["fmt", "shell.yml"]).expect(2).err.contains("tripline import"));
    place.file("own.trip", "rule own { match { any where a == 1 } }\n");
    assert!(place.run(&["import", "own.trip"]).expect(2).err.contains("nothing to import"));
}

const SYSTEM_SHELL: &str = "title: System shell\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n  sel:\n    Image|endswith: '\\cmd.exe'\n  no_parent:\n    ParentImage: null\n  condition: sel and not no_parent\n";
const DEFENDER: &str = "title: Defender\nlogsource:\n  product: windows\n  service: windefend\ndetection:\n  sel:\n    EventID: 5001\n  condition: sel\n";
const INTEGRITY: &str = "title: Integrity\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n  sel:\n    Image|endswith: '\\cmd.exe'\n    IntegrityLevel: System\n  condition: sel\n";
const PROCESSES: &str = concat!(
    r#"{"ts":1,"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Image":"C:\\cmd.exe","ParentImage":"C:\\a.exe"}"#,
    "\n",
    r#"{"ts":2,"Channel":"Security","EventID":4688,"NewProcessName":"C:\\cmd.exe","ParentProcessName":"C:\\a.exe"}"#,
    "\n",
    r#"{"ts":3,"Channel":"Security","EventID":4688,"NewProcessName":"C:\\cmd.exe"}"#,
    "\n",
);

/// A field that goes by several names is absent only if it is there under none of them.
#[test]
fn null_of_a_field_with_two_names_asks_for_neither() {
    let place = Place::new("sigma-null");
    place.file("r.yml", SYSTEM_SHELL);
    place.file("events.ndjson", PROCESSES);
    let alerts = place.run(&["run", "r.yml", "events.ndjson"]).expect(0).alerts();
    let lines: Vec<_> = alerts.iter().map(|alert| alert["events"]["1"][0]["seq"].clone()).collect();
    assert_eq!(lines, [1, 2]);
}

#[test]
fn a_sample_says_which_imported_rules_cannot_fire() {
    let place = Place::new("sigma-sample");
    place.file("rules/a.yml", SYSTEM_SHELL);
    place.file("rules/b.yml", DEFENDER);
    place.file("rules/c.yml", INTEGRITY);
    place.file("events.ndjson", PROCESSES);
    let text = place.run(&["check", "rules", "--sample", "events.ndjson"]).expect(0).out.clone();
    assert!(text.contains("No event is of the log source of 1 imported rule:\n       1  Channel == "), "{text}");
    assert!(text.contains("a field needed by 1 imported rule:\n       1  IntegrityLevel (integrity)"), "{text}");
    assert!(text.contains("The log source of 2 imported rules is there:") && text.contains(": 3 events"), "{text}");
    let json = place.run(&["check", "rules", "--sample", "events.ndjson", "--format", "json"]).expect(0).out.clone();
    let sources: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let unseen = sources.iter().find(|s| s["events"] == 0).expect("one log source is not there");
    assert_eq!(unseen["rules"], serde_json::json!(["defender"]));
    let seen = sources.iter().find(|s| s["events"] == 3).expect("one is");
    assert_eq!(seen["missing"], serde_json::json!([{ "field": "IntegrityLevel", "rules": ["integrity"] }]));
}
