//! The real program, killed with SIGKILL again and again, then compared with a run that was never killed: no alert is
//! lost and none is there twice, byte for byte.
//!
//! `CRASH_KILLS` says how often it is killed (12 if nothing is said, so that the everyday tests stay short), and
//! `CRASH_SEED` where the random numbers begin:
//!
//! ```sh
//! CRASH_KILLS=1000 cargo test --release --test crash -- --nocapture
//! ```
//! A run is killed at a random moment, a third of them within the first milliseconds, while it recovers. Each start
//! uses another number of threads. What is compared is made by a plain run without a state directory.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tripline::engine::Place;
use tripline::io::disk::Disk;
use tripline::io::journal::{Journal, JournalOptions};

const RULES: &str = r#"
rule failures_then_in {
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

/// A stream in which all rules fire, with events out of order.
fn events(random: &mut Rng, count: usize) -> Vec<String> {
    let mut time = 1_767_225_600_000_i64;
    let mut lines = Vec::with_capacity(count);
    for n in 0..count {
        time += random.i64(0..400);
        let at = time - random.i64(0..900);
        let (user, host, amount) = (random.u32(..300), random.u32(..40), random.u32(..100));
        lines.push(match random.u8(..10) {
            0..4 => {
                format!(r#"{{"ts":{at},"type":"login","user":"u{user}","ok":{},"n":{}}}"#, random.u8(..4) == 0, n % 100)
            }
            4..7 => format!(r#"{{"ts":{at},"type":"pay","user":"u{user}","amount":{amount}}}"#),
            7 => "no event at all".to_owned(),
            _ => format!(r#"{{"ts":{at},"type":"beat","host":"h{host}"}}"#),
        });
    }
    lines
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// How the program gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// A file.
    File,
    /// A compressed file.
    Zstd,
    /// Two files, merged by time.
    TwoFiles,
    /// Standard input with a journal. After a crash the driver goes on behind what the journal holds.
    Journal,
}

/// One story: events, a reference, and a directory in which a run is killed until it comes to its end.
struct Story {
    dir: tempfile::TempDir,
    how: How,
    lines: Vec<String>,
    inputs: Vec<String>,
}

impl Story {
    fn new(random: &mut Rng, how: How) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("rules.trip"), RULES).expect("written");
        let lines = events(random, 20_000);
        let mut inputs = vec!["events.ndjson".to_owned()];
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        match how {
            How::File => fs::write(dir.path().join("events.ndjson"), text(&lines)).expect("written"),
            How::Zstd => {
                let packed = zstd::encode_all(text(&lines).as_bytes(), 1).expect("packed");
                fs::write(dir.path().join("events.ndjson"), packed).expect("written");
            }
            How::TwoFiles => {
                let (one, two): (Vec<_>, Vec<_>) = lines.iter().cloned().partition(|_| random.bool());
                fs::write(dir.path().join("events.ndjson"), text(&one)).expect("written");
                fs::write(dir.path().join("more.ndjson"), text(&two)).expect("written");
                inputs.push("more.ndjson".to_owned());
            }
            How::Journal => inputs = vec!["-".to_owned()],
        }
        Self { dir, how, lines, inputs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, output: &str, threads: u32) -> Command {
        self.command_with(output, threads, "1s")
    }

    fn command_with(&self, output: &str, threads: u32, lateness: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command.current_dir(self.dir.path()).args(["run", "rules.trip"]).args(&self.inputs);
        command.args(["--quiet", "--lateness", lateness, "--alerts", output, "--threads", &threads.to_string()]);
        command.args(["--rejects", &format!("{output}.rejects"), "--evidence", "full"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if self.how == How::Journal {
            command.stdin(Stdio::piped());
        }
        command
    }

    /// Starts it, and feeds it what it does not have yet.
    fn start(&self, mut command: Command) -> Child {
        let from = if self.how == How::Journal && self.path("journal").exists() { self.journalled() } else { 0 };
        let mut child = command.spawn().expect("the program starts");
        if let Some(mut stdin) = child.stdin.take() {
            let rest: String = self.lines[from..].iter().map(|line| format!("{line}\n")).collect();
            // The pipe breaks when the program is killed.
            thread::spawn(move || rest.as_bytes().chunks(3000).try_for_each(|part| stdin.write_all(part)));
        }
        child
    }

    /// Lines that the journal holds.
    fn journalled(&self) -> usize {
        // On a copy: looking must not mend what the program is to mend.
        let copy = tempfile::tempdir().expect("a directory");
        let log = self.path("journal/stdin");
        if !log.exists() {
            return 0;
        }
        for name in Disk::default().names(&log).expect("a directory") {
            fs::copy(log.join(&name), copy.path().join(&name)).expect("copied");
        }
        let journal = Journal::open(copy.path(), JournalOptions::default(), &Place::default(), Disk::default());
        journal.expect("the journal is intact").end().line as usize - 1
    }

    /// What a run gives that nobody kills.
    fn reference(&self) -> Duration {
        let started = Instant::now();
        let output = self.start(self.command("reference", 1)).wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        started.elapsed()
    }

    fn read(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Kills a run up to `most` times until it comes to its end, and says how often.
fn kill(random: &mut Rng, how: How, most: u64, seed: u64) -> u64 {
    let story = Story::new(random, how);
    let whole = story.reference();
    let mut kills = 0;
    loop {
        let mut command = story.command("alerts", random.u32(1..=3));
        command.args(["--state", "state", "--checkpoint-every", "3ms"]);
        if how == How::Journal {
            command.args(["--journal", "journal"]);
        }
        let mut child = story.start(command);
        if kills < most {
            let micros = whole.as_micros() as u64;
            let wait = if random.u8(..3) == 0 { random.u64(..micros / 10) } else { random.u64(..micros) };
            thread::sleep(Duration::from_micros(wait));
            child.kill().expect("killed, or over already");
        }
        let output = child.wait_with_output().expect("it ends");
        if output.status.success() {
            break;
        }
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(kills < most && output.status.code().is_none(), "seed {seed}, {how:?}, {kills} kills: {told}");
        kills += 1;
    }
    for (name, reference) in [("alerts", "reference"), ("alerts.rejects", "reference.rejects")] {
        let (mut got, mut expected) = (story.read(name), story.read(reference));
        if how == How::TwoFiles && name == "alerts.rejects" {
            // Lines of two files that are no events have no order between them: time is what they lack.
            got.sort();
            expected.sort();
        }
        assert!(!expected.is_empty());
        let first = got.iter().zip(&expected).position(|(got, expected)| got != expected);
        assert!(
            got == expected,
            "seed {seed}, {how:?}, {kills} kills: {name} has {} lines of {}; the first other one is {first:?}",
            got.len(),
            expected.len()
        );
    }
    kills
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_is_there_twice() {
    let (wanted, first) = (number("CRASH_KILLS", 12), number("CRASH_SEED", 1));
    let mut kills = 0;
    for seed in first.. {
        let mut random = Rng::with_seed(seed);
        let how = [How::File, How::Journal, How::TwoFiles, How::Zstd][seed as usize % 4];
        let most = (wanted - kills).min(12);
        kills += kill(&mut random, how, most, seed);
        if kills >= wanted {
            break;
        }
    }
    println!("{kills} kills");
}

/// A later run goes on with what was appended meanwhile, as if it had never ended.
#[test]
fn a_file_that_grows_between_two_runs_is_read_on() {
    let mut random = Rng::with_seed(5);
    let story = Story::new(&mut random, How::File);
    story.reference();
    let path = story.path("events.ndjson");
    let whole = fs::read(&path).expect("the file");
    fs::write(&path, "").expect("written");
    let cuts = [0, 1, whole.len() / 3, whole.len() / 2, whole.len()];
    for pair in cuts.windows(2) {
        // To the end of a line.
        let line = |at: usize| whole[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut file = File::options().append(true).open(&path).expect("the file");
        file.write_all(&whole[line(pair[0])..line(pair[1])]).expect("appended");
        let mut command = story.command_with("alerts", 2, "0s");
        command.args(["--state", "state"]);
        let output = story.start(command).wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(story.start(story.command_with("ordered", 1, "0s")).wait().expect("it ends").success());
    assert_eq!(story.read("alerts"), story.read("ordered"));
}

/// A file that was renamed while nobody read it is read to its end, then the one that has its name.
#[test]
fn a_file_that_was_rotated_between_two_runs_loses_no_line() {
    let mut random = Rng::with_seed(6);
    let story = Story::new(&mut random, How::File);
    story.reference();
    let path = story.path("events.ndjson");
    let text: Vec<String> = story.lines.iter().map(|line| format!("{line}\n")).collect();
    let run = || {
        let mut command = story.command_with("alerts", 2, "0s");
        command.args(["--state", "state"]);
        let output = story.start(command).wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        told
    };
    fs::write(&path, text[..5000].concat()).expect("written");
    run();
    let mut file = File::options().append(true).open(&path).expect("the file");
    file.write_all(text[5000..9000].concat().as_bytes()).expect("appended");
    drop(file);
    rename(&path, &story.path("events.ndjson.1"));
    fs::write(&path, text[9000..].concat()).expect("written");
    let told = run();
    assert!(told.contains("the rest of the old one is read from"), "{told}");
    fs::write(&path, text.concat()).expect("written");
    assert!(story.start(story.command_with("ordered", 1, "0s")).wait().expect("it ends").success());
    assert_eq!(story.read("alerts"), story.read("ordered"));
}

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).expect("renamed");
}
