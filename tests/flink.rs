//! Rules as a job of Apache Flink give what one process gives: the same lines, ids included.
//!
//! Makes cases (rules, events, and the alerts of a session over them), builds the native library, and runs the tests of
//! `flink/` over both: clusters in one process, at several degrees of parallelism, through savepoints, lost task managers
//! and edits of rules. That takes minutes, a compiler of Java 17, Maven, and what Maven fetches: it is done only if
//! `TRIPLINE_FLINK=required`, and said otherwise.

#[path = "flink/library.rs"]
mod library;
#[allow(dead_code, reason = "only the rule files are asked for")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "only the generator of streams is asked for here")]
#[path = "oracle/random.rs"]
mod random;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use library::native_library;
use program::{root, rule_files};
use random::Random;
use tripline::alert::format::{Format, Formatter};
use tripline::base::Duration;
use tripline::host::bundle::{Bundle, RuleText, Settings};
use tripline::session::{AtEnd, Session, SessionConfig};

fn packs() -> (Vec<RuleText>, Vec<(usize, String, Vec<u8>)>) {
    let (mut rules, mut tables) = (Vec::new(), Vec::new());
    for (at, file) in rule_files().iter().enumerate() {
        let text = fs::read_to_string(file).expect("a rule file");
        for named in text.split('"').filter(|word| word.starts_with("tables/")) {
            let bytes = fs::read(file.parent().expect("a pack").join(named)).expect("a table");
            tables.push((at, named.to_owned(), bytes));
        }
        rules.push(RuleText { name: file.display().to_string(), text });
    }
    (rules, tables)
}

/// Writes a case: the rules, the events of each input, and what a session gives for them.
fn write_case(dir: &Path, bundle: &Bundle, inputs: &[Vec<String>]) -> usize {
    fs::create_dir_all(dir).expect("a folder for the case");
    fs::write(dir.join("rules.json"), bundle.to_bytes()).expect("written");
    let opened = bundle.open().unwrap_or_else(|error| panic!("{error}"));
    let config = SessionConfig {
        time: opened.rules.config().time.clone(),
        lateness: Duration::from_millis(bundle.settings.lateness_ms),
        sources: inputs.len(),
        ..SessionConfig::default()
    };
    let mut session = Session::new(opened.rules.ruleset().clone(), config);
    let longest = inputs.iter().map(Vec::len).max().unwrap_or_default();
    for at in 0..longest {
        for (input, lines) in inputs.iter().enumerate() {
            if let Some(line) = lines.get(at) {
                session.push_block_from(input, format!("{line}\n").into_bytes());
            }
        }
    }
    session.finish(if bundle.settings.flush_at_end { AtEnd::Flush } else { AtEnd::Pending });
    assert_eq!(session.take_late(), Vec::<String>::new(), "events of a case come in time");
    let formatter = Formatter::new(Format::Json, bundle.settings.inputs.clone());
    let (mut text, alerts) = (String::new(), session.drain());
    alerts.iter().for_each(|alert| formatter.write(alert, &mut text));
    fs::write(dir.join("alerts.ndjson"), text).expect("written");
    for (input, lines) in inputs.iter().enumerate() {
        fs::write(dir.join(format!("events{input}.ndjson")), lines.join("\n") + "\n").expect("written");
    }
    alerts.len()
}

fn millis(line: &str) -> i64 {
    let event: serde_json::Value = serde_json::from_str(line).expect("an event");
    let ts = event["ts"].as_str().or(event["@timestamp"].as_str()).expect("a time");
    ts.parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339").timestamp_millis()
}

fn write_cases(dir: &Path) {
    let (rules, tables) = packs();
    let sample = fs::read_to_string(root().join("rules/samples/demo.ndjson")).expect("the sample");
    let lines: Vec<String> = sample.lines().map(str::to_owned).collect();
    let bundle = |settings: Settings| Bundle::new(rules.clone(), settings, &tables);
    write_case(&dir.join("packs"), &bundle(Settings::default()), std::slice::from_ref(&lines));
    let flush = Settings { flush_at_end: true, ..Settings::default() };
    write_case(&dir.join("packs-flush"), &bundle(flush), std::slice::from_ref(&lines));
    let late = Settings { lateness_ms: 90_000, ..Settings::default() };
    let mut shuffled = lines.clone();
    let mut r = Random::new(7);
    shuffled.sort_by_cached_key(|line| millis(line) + i64::try_from(r.below(80_000)).expect("small"));
    assert_ne!(shuffled, lines);
    write_case(&dir.join("packs-shuffled"), &bundle(late.clone()), std::slice::from_ref(&shuffled));
    // Five inputs, so that some reader has several.
    let mut inputs = vec![Vec::new(); 5];
    shuffled.into_iter().for_each(|line| inputs[r.below(5)].push(line));
    let names = (0..inputs.len()).map(|n| format!("events{n}")).collect();
    write_case(&dir.join("packs-inputs"), &bundle(Settings { inputs: names, ..late }), &inputs);
    write_stages(dir);
    write_edit(dir);
    write_generated(dir);
    write_known(dir);
}

/// Rules whose alerts other rules read, by key and not, and rules that hand keys over: several events of a time, out of
/// order.
fn write_stages(dir: &Path) {
    let text = r#"
rule pair { by k match { a: A then b: B } within 1m suppress 20s }
rule quiet { by k match { a: A then no C within 5s } }
rule open { by k match { x: C then no B within 4s } resolve on A repeat every 15s }
rule handed { match { a: A by k, n then b: B by k then c: C by k, m = n } within 20s }
rule whole { match { a: A by n then b: B by n, k then c: C by k } within 5s }
rule above { match { x: alert.pair by k = key.k then y: C by k } within 30s suppress 5s }
rule held { by k = key.k match { x: alert.quiet then no alert.pair within 20s } }
rule top { match { x: at least 2 of alert.pair } within 8s }
rule twice { by k = key.k match { x: at least 2 of alert.quiet } within 30s }
rule far { by k = key.k match { x: at least 2 of alert.twice } within 2m }
rule said { by k = key.k match { x: at least 2 of alert.open } within 1m }
"#
    .to_owned();
    let mut r = Random::new(23);
    let mut time = 1_700_000_000_000;
    let event = |_| {
        time += i64::try_from(r.below(8)).expect("small") * 100;
        let at = time - i64::try_from(r.below(20)).expect("small") * 100;
        let (class, key, n) = (*r.choose(&["A", "A", "B", "C"]), r.below(20), r.below(5));
        format!(r#"{{"ts":{at},"type":"{class}","k":"key {key}","n":{n}}}"#)
    };
    let lines: Vec<String> = (0..3000).map(event).collect();
    let mut inputs = vec![Vec::new(); 3];
    lines.into_iter().for_each(|line| inputs[r.below(3)].push(line));
    let rules = vec![RuleText { name: "stages.trip".to_owned(), text }];
    let settings = Settings { lateness_ms: 3000, ..Settings::default() };
    write_case(&dir.join("packs-stages"), &Bundle::new(rules, settings, &[]), &inputs);
}

/// Many events, out of order, for rules of every strategy that is common, with alerts that other rules read.
fn write_generated(dir: &Path) {
    let text = r#"
rule break_in {
  by user
  match { bad: at least 3 of login where ok == false then good: login where ok == true } within 5m
  suppress 10m by good.host
}
rule silent { by host match { last: beat then no beat within 30s } }
rule sum { by user match { x: at least 5 of pay where amount > 50 } within 2m alert { total = sum(x.amount) } suppress 1m }
rule odd { by user match { x: pay where amount > mean(amount, 1h) * 1.9 } }
rule moved { by user match { a: login where ok then b: pay where amount > a.level } within 10s after match no skip }
rule twice { match { a: at least 2 of alert.silent } within 1m }
"#
    .to_owned();
    let count = std::env::var("FLINK_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000_i64);
    let mut r = Random::new(13);
    let mut time = 1_700_000_000_000;
    let event = |_| {
        time += i64::try_from(r.below(20)).expect("small");
        let at = time - i64::try_from(r.below(1500)).expect("small");
        let (user, host, amount) = (r.below(20_000), r.below(200), r.below(100));
        match r.below(10) {
            0..=4 => {
                let (ok, level) = (r.below(4) == 0, r.below(100));
                format!(r#"{{"ts":{at},"type":"login","user":"u{user}","host":"h{host}","ok":{ok},"level":{level}}}"#)
            }
            5..=7 => format!(r#"{{"ts":{at},"type":"pay","user":"u{user}","amount":{amount}}}"#),
            _ => format!(r#"{{"ts":{at},"type":"beat","host":"h{host}"}}"#),
        }
    };
    let lines: Vec<String> = (0..count).map(event).collect();
    let rules = vec![RuleText { name: "generated.trip".to_owned(), text }];
    let settings = Settings { lateness_ms: 2000, ..Settings::default() };
    write_case(&dir.join("once-generated"), &Bundle::new(rules, settings, &[]), std::slice::from_ref(&lines));
}

/// Rules with known answers over real events, if they are at hand.
fn write_known(dir: &Path) {
    let Some(data) = ["../shared/data", "../../shared/data"].map(|f| root().join(f)).into_iter().find(|f| f.exists())
    else {
        eprintln!("SKIPPED: no ../shared/data beside the repository: no real data for jobs of Flink");
        return;
    };
    let answers = fs::read_to_string(data.join("answers.json")).expect("answers.json");
    let answers: Vec<serde_json::Value> = serde_json::from_str(&answers).expect("a list of answers");
    for answer in answers {
        let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
        let packed = fs::read(data.join(text("file"))).expect("events");
        let mut events = String::new();
        flate2::read::MultiGzDecoder::new(&packed[..]).read_to_string(&mut events).expect("gzip of UTF-8");
        let settings =
            Settings { time_fields: vec![vec![text("time_field")]], flush_at_end: false, ..Settings::default() };
        let rules = vec![RuleText { name: "known.trip".to_owned(), text: text("rule") }];
        let lines: Vec<String> = events.lines().map(str::to_owned).collect();
        let name = format!("once-{}", text("id"));
        let found = write_case(&dir.join(name), &Bundle::new(rules, settings, &[]), std::slice::from_ref(&lines));
        assert!(found > 0, "{}", text("id"));
    }
}

/// A rule before and after another was put in front of it, so that numbers of rules and fields differ.
fn write_edit(dir: &Path) {
    let first = "rule first { by k match { a: A then b: B } within 1h alert { n = a.n } }\n";
    let more = "rule zero { by z match { x: C where y > 3 } }\n";
    let mut r = Random::new(11);
    let event = |at: i64| {
        let class = *r.choose(&["A", "B", "C"]);
        let ts = 1_700_000_000_000 + at * 1000;
        format!(r#"{{"type":"{class}","k":"key {}","ts":{ts},"n":{at},"y":4,"z":1}}"#, r.below(50))
    };
    let lines: Vec<String> = (0..3000).map(event).collect();
    for (name, text) in [("edit-before", first.to_owned()), ("edit-after", format!("{more}{first}"))] {
        let rules = vec![RuleText { name: "edit.trip".to_owned(), text }];
        let settings = Settings { lateness_ms: 10_000, ..Settings::default() };
        write_case(&dir.join(name), &Bundle::new(rules, settings, &[]), std::slice::from_ref(&lines));
    }
}

/// Whether a program can be run.
fn is_there(program: &str) -> bool {
    Command::new(program).arg("-version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn jobs_of_flink_give_what_one_process_gives() {
    if std::env::var_os("TRIPLINE_FLINK").is_none() {
        eprintln!("SKIPPED: set TRIPLINE_FLINK=required for tests with jobs of Flink");
        return;
    }
    assert!(is_there("javac") && is_there("mvn"), "TRIPLINE_FLINK=required, but Java's compiler or Maven is missing");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flink");
    let cases = dir.join("cases");
    let _ = fs::remove_dir_all(&cases);
    write_cases(&cases);
    let library = native_library();
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-f"]).arg(root().join("flink/pom.xml")).arg("test");
    maven.arg(format!("-Dtripline.cases={}", cases.display()));
    maven.arg(format!("-Dtripline.library={}", library.display()));
    if let Ok(kills) = std::env::var("FLINK_KILLS") {
        maven.arg(format!("-Dtripline.kills={kills}"));
    }
    assert!(maven.status().expect("Maven starts").success(), "tests of flink/ failed; they are listed above");
}
