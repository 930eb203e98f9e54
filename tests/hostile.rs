//! Hostile rules and hostile input, row by row of docs/limits.md: each is taken within its bounds, or refused with a
//! sentence, and what comes after it is as if it had not been there.
//!
//! Nothing fails on a time. What each row took is printed:
//!
//! ```sh
//! cargo test --release --test hostile -- --nocapture --test-threads 1
//! ```
//! `HOSTILE_LINE` is the length of the endless line in MB (20 if nothing is said).

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tripline::base::Limits;
use tripline::compile::{CompileOptions, compile_str, compile_str_with};
use tripline::plan::Ruleset;
use tripline::session::{Session, SessionConfig};
use wait4::Wait4;

/// Prints what something took.
fn timed<T>(row: &str, what: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = what();
    println!("{row:<56} {:>9.2} ms", started.elapsed().as_secs_f64() * 1000.0);
    result
}

fn compiled(rule: &str) -> Result<Arc<Ruleset>, String> {
    compile_str(rule).map_err(|problems| problems.first().map(|p| p.message.clone()).unwrap_or_default())
}

fn session(rule: &str) -> Session {
    Session::new(compiled(rule).expect("the rule has no errors"), SessionConfig::default())
}

/// Patterns that take exponential or cubic time, or gigabytes, where they are taken as they are written.
const BOMBS: &[&str] = &[
    "(a+)+$",
    "([a-zA-Z]+)*$",
    "(a|aa)+$",
    "(a|a?)+$",
    "(.*a){20}$",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(.*)*(.*)*(.*)*!",
    "(x+x+)+y",
    "(a*)*b",
    "((a+)+)+!",
    "^(a?){50}a{50}$",
    "(?:a?){1000}a{1000}",
    "a{5}{5}{5}{5}{5}{5}",
    "(.{0,500}a){20}",
    r"(?:\pL|\pN){200}x",
    r"(?i)(\w+\s*)+:",
    "([^,]*,){50}[^,]*$",
    "((((((((((a{10}){10}){10}){10}){10}){10}){10}){10}){10}){10})",
    r"(?=a)b",
    r"(a)\1",
];

#[test]
fn patterns_that_explode_elsewhere() {
    let field = "a".repeat(8 << 10);
    for pattern in BOMBS {
        let rule = format!("rule r {{ match {{ x: a where t =~ /{pattern}/ }} }}");
        let rules = timed(&format!("compile {pattern}"), || compiled(&rule));
        match rules {
            Ok(rules) => {
                let mut session = Session::new(rules, SessionConfig::default());
                let event = format!(r#"{{"ts":1767225600,"type":"a","t":"{field}"}}"#);
                timed(&format!("  8 KiB against {pattern}"), || session.push_line(&event));
                assert_eq!(session.summary().events, 1);
            }
            Err(why) => println!("  refused: {why}"),
        }
    }
}

#[test]
fn rules_that_explode() {
    let deep = format!("rule r {{ match {{ x: a where {}n > 1{} }} }}", "(".repeat(50_000), ")".repeat(50_000));
    let counted = "rule r { match { x: at least 1000000000 of a } within 1h }".to_owned();
    let steps: String = (0..10_000).fold("rule r { match { s0: a".to_owned(), |mut text, n| {
        write!(text, " then s{}: a", n + 1).expect("memory");
        text
    }) + " } within 1h }";
    let nested = format!("rule r {{ match {{ {}x: a{} }} within 1h }}", "any of { ".repeat(5000), " }".repeat(5000));
    for (row, text) in [
        ("50,000 brackets", deep),
        ("a count of a thousand millions", counted),
        ("10,000 steps", steps),
        ("5,000 groups in each other", nested),
    ] {
        let why = timed(row, || compiled(&text)).expect_err(row);
        assert!(!why.is_empty());
        println!("  refused: {why}");
    }
    let list = (0..10_000).map(|n| format!("\"v{n}\"")).collect::<Vec<_>>().join(", ");
    let wide = format!("rule r {{ match {{ x: a where t in ({list}) }} }}");
    let rules = timed("a list of 10,000 values", || compiled(&wide)).expect("a list may be long");
    let mut session = Session::new(rules, SessionConfig::default());
    session.push_line(r#"{"ts":1767225600,"type":"a","t":"v9999"}"#);
    assert_eq!(session.drain().len(), 1);
    let many: String = (0..3000).fold(String::new(), |mut text, n| {
        writeln!(text, "rule r{n} {{ by k match {{ x: a where n == {n} then y: b }} within 1h }}").expect("memory");
        text
    });
    assert_eq!(timed("3,000 rules in one file", || compiled(&many)).expect("no errors").rules.len(), 3000);
    let comment = format!("// {}\n{}", "x".repeat(10_000_000), "rule r { match { x: a } }");
    timed("a comment of 10 MB", || compiled(&comment)).expect("a comment is no rule");
}

/// Every subset of the first events is a match: no more are reported than the limit says, and that is noted.
#[test]
fn matches_that_explode() {
    let rule = "rule r { match { x: at least 1 of a then y: b } within 1h pick all }";
    let options = CompileOptions::default();
    let Ok(rules) = compile_str_with(rule, &options) else {
        println!("  refused");
        return;
    };
    let limits = Limits { matches_per_completion: 100, ..Limits::default() };
    let mut session = Session::new(rules, SessionConfig { limits, ..SessionConfig::default() });
    for n in 0..40 {
        session.push_line(&format!(r#"{{"ts":{},"type":"a"}}"#, 1_767_225_600 + n));
    }
    timed("one completion of all subsets of 40 events", || {
        session.push_line(r#"{"ts":1767225700,"type":"b"}"#);
    });
    let alerts = session.drain();
    assert!((1..=100).contains(&alerts.len()), "{}", alerts.len());
    let all_noted = alerts.len() < 100 || alerts.iter().all(|alert| !alert.notes.is_empty());
    assert!(all_noted, "{:?}", alerts[0].notes);
}

#[test]
fn objects_and_lists_without_end() {
    let rule = "rule r { by k match { x: a where t == 1 } }";
    let mut session = session(rule);
    let good = r#"{"ts":1767225600,"type":"a","k":"u","t":1}"#;
    for opening in ["[", "{\"a\":"] {
        let line = format!("{{\"ts\":1767225600,\"x\":{}", opening.repeat(100_000));
        // A stack as threads in other programs have it.
        let small = thread::Builder::new().stack_size(256 << 10);
        let rules = compiled(rule).expect("no errors");
        let depth = format!("100,000 deep {opening}");
        let told = small
            .spawn(move || {
                let mut session = Session::new(rules, SessionConfig { keep_rejects: true, ..SessionConfig::default() });
                timed(&depth, || session.push_line(&line));
                session.push_line(good);
                (session.take_rejects().len(), session.drain().len())
            })
            .expect("a thread")
            .join()
            .expect("no overflow");
        assert_eq!(told, (1, 1));
    }
    let mut names = String::from(r#"{"ts":1767225600,"type":"a","k":"u","t":1"#);
    for n in 0..40_000 {
        write!(names, ",\"field{n}\":{n}").expect("memory");
    }
    names.push('}');
    timed("40,000 names in one object", || session.push_line(&names));
    let list = format!(r#"{{"ts":1767225600,"type":"a","k":"u","t":1,"l":[{}0]}}"#, "0,".repeat(100_000));
    timed("a list of 100,000", || session.push_line(&list));
    for number in
        ["1e400", "-0", "123456789012345678901234567890", "9007199254740993", "1e-400", "NaN", "0x10", "1_000"]
    {
        session.push_line(&format!(r#"{{"ts":1767225600,"type":"a","k":"u","t":{number}}}"#));
    }
    session.push_line(good);
    assert_eq!(session.drain().len(), 3);
}

/// One very long line, and one that never ends: dropped, counted, and the next line is read.
#[test]
fn lines_without_end() {
    let megabytes = std::env::var("HOSTILE_LINE").ok().and_then(|n| n.parse().ok()).unwrap_or(20_usize);
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("r.trip"), "rule r { match { x: a } }").expect("written");
    let mut peaks = Vec::new();
    for long in [0, megabytes] {
        let (out, log) = (dir.path().join("out"), dir.path().join("log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command.current_dir(dir.path()).args(["run", "r.trip", "-", "--threads", "1"]).stdin(Stdio::piped());
        command.stdout(File::create(&out).expect("made")).stderr(File::create(&log).expect("made"));
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("piped");
        let row = format!("a line of {long} MB");
        let ended = timed(&row, || {
            let piece = vec![b'x'; 1 << 20];
            input.write_all(br#"{"ts":1767225600,"type":"a","t":""#).expect("it reads");
            for _ in 0..long {
                input.write_all(&piece).expect("it reads");
            }
            input.write_all(b"\"}\n{\"ts\":1767225601,\"type\":\"a\"}\n").expect("it reads");
            // And one that never ends.
            for _ in 0..long {
                input.write_all(&piece).expect("it reads");
            }
            drop(input);
            child.wait4().expect("it ends")
        });
        let told = fs::read_to_string(&log).expect("written");
        assert!(ended.status.success(), "{told}");
        let alerts = fs::read_to_string(&out).expect("written").lines().count();
        assert_eq!(alerts, if long == 0 { 2 } else { 1 }, "{told}");
        assert!(long == 0 || told.contains("rejected"), "{told}");
        peaks.push(ended.rusage.maxrss);
    }
    println!("  {} KiB more than without", peaks[1].saturating_sub(peaks[0]) >> 10);
    assert!(peaks[1] <= peaks[0] + (8 << 20), "{peaks:?}");
}

/// Keys that all fall on one place of a table, for whoever knows the seed, are spread by another seed.
#[test]
fn keys_made_to_collide_do_not() {
    let rule = "rule r { by k match { x: a then y: b } within 1h }";
    let same = compiled(rule).expect("no errors");
    let options = CompileOptions { key_seed: 0x5eed, ..CompileOptions::default() };
    let other = compile_str_with(rule, &options).expect("no errors");
    let low = |hash: u64| hash & 0xfff;
    let keys: Vec<[u8; 8]> =
        (0_u64..1 << 19).map(u64::to_le_bytes).filter(|key| low(same.hash_key(key)) == 0).collect();
    let collide = keys.iter().filter(|key| low(other.hash_key(&key[..])) == 0).count();
    assert!(keys.len() > 80 && collide < 8, "{collide} of {}", keys.len());
    // And alerts do not know the seed.
    let alerts = |rules: Arc<Ruleset>| {
        let mut session = Session::new(rules, SessionConfig::default());
        for n in 0..400 {
            let class = if n < 200 { "a" } else { "b" };
            session.push_line(&format!(r#"{{"ts":{},"type":"{class}","k":{}}}"#, 1_767_225_600 + n, n % 200));
        }
        session.drain()
    };
    let (one, two) = (alerts(same), alerts(other));
    assert_eq!((one.len(), &one), (200, &two));
}
