//! Disks that are full, and disks that fail, under the real program.
//!
//! *Full*: a file system of a few pages (tmpfs, so root is needed) takes state, journal and alerts. The run must wait, or
//! end with a message; once there is room, what it has written in the end is what a run on a large disk writes, byte for
//! byte. `DISK_LEVELS` says at how many fill levels (8 if nothing is said).
//!
//! *Failing*: `strace` lets the n-th call of a kind fail with EIO. The run must end with exit code 4 and name the file,
//! and started again it must go on as if nothing had happened. `DISK_FAULTS` says for how many n (4).
//!
//! ```sh
//! DISK_LEVELS=200 DISK_FAULTS=200 cargo test --release --test disk_full -- --nocapture
//! ```
//! What cannot be done here is passed over, with a line that says so.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const RULES: &str = r#"
rule fails { by user match { bad: at least 3 of login where ok == false then good: login where ok == true } within 5m }
rule silent { by host match { last: beat then no beat within 30s } }
"#;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Whether a command ends well.
fn does(program: &str, args: &[&str]) -> bool {
    let command = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

/// A small file system that goes away with it.
struct Disk(PathBuf);

impl Disk {
    fn new(at: PathBuf, bytes: u64) -> Option<Self> {
        fs::create_dir_all(&at).ok()?;
        let options = format!("size={bytes}");
        let path = at.to_str()?;
        does("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", path]).then_some(Self(at))
    }

    fn grow(&self) {
        let path = self.0.to_str().expect("a path of this test");
        assert!(does("mount", &["-o", "remount,size=64m", path]));
    }

    /// Bytes in all files: what changes while a run gets on.
    fn fill(&self) -> u64 {
        fn sum(dir: &Path) -> u64 {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            entries.map(|e| if e.path().is_dir() { sum(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
        }
        sum(&self.0)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = does("umount", &["-l", self.0.to_str().unwrap_or("")]);
    }
}

struct Story {
    dir: tempfile::TempDir,
    reference: Vec<u8>,
}

impl Story {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("rules.trip"), RULES).expect("written");
        let mut random = fastrand::Rng::with_seed(3);
        let (mut text, mut time) = (String::new(), 1_767_225_600_000_u64);
        for _ in 0..6000 {
            time += random.u64(0..400);
            let (user, host, ok) = (random.u32(..60), random.u32(..20), random.u8(..4) == 0);
            let event = match random.u8(..4) {
                0 => format!(r#"{{"ts":{time},"type":"beat","host":"h{host}"}}"#),
                _ => format!(r#"{{"ts":{time},"type":"login","user":"u{user}","ok":{ok}}}"#),
            };
            writeln!(text, "{event}").expect("memory");
        }
        fs::write(dir.path().join("events.ndjson"), text).expect("written");
        let mut story = Self { dir, reference: Vec::new() };
        let output = story.command(&["--alerts", "reference"], "events.ndjson").output().expect("it starts");
        assert!(output.status.success());
        story.reference = fs::read(story.path("reference")).expect("alerts");
        assert!(story.reference.len() > 10_000, "{}", story.reference.len());
        story
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str], input: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command.current_dir(self.dir.path()).args(["run", "rules.trip", input, "--quiet", "--threads", "2"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// A run that writes everything below `disk`; with a journal if it reads standard input.
    fn start(&self, disk: &Path, journal: bool) -> Child {
        let of = |name: &str| disk.join(name).display().to_string();
        let (alerts, state, log) = (of("alerts"), of("state"), of("journal"));
        let mut args = vec!["--alerts", &alerts, "--state", &state, "--checkpoint-every", "5ms"];
        if journal {
            args.extend(["--journal", &log]);
        }
        let mut command = self.command(&args, if journal { "-" } else { "events.ndjson" });
        if journal {
            command.stdin(File::open(self.path("events.ndjson")).expect("the events"));
        }
        command.spawn().expect("it starts")
    }
}

/// Waits until a run has ended or its files have not changed for a while. `true`: it has ended.
fn wait_until_still(child: &mut Child, disk: &Disk) -> bool {
    let (mut fill, mut since) = (disk.fill(), Instant::now());
    loop {
        if child.try_wait().expect("it can be waited for").is_some() {
            return true;
        }
        let now = disk.fill();
        if now != fill {
            (fill, since) = (now, Instant::now());
        }
        if since.elapsed() > Duration::from_millis(700) {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_full_disk_holds_the_run_and_room_lets_it_go_on() {
    let story = Story::new();
    let levels = number("DISK_LEVELS", 8);
    let (mut waited, mut ended, mut enough) = (0, 0, 0);
    for level in 0..levels {
        let journal = level % 2 == 1;
        // From next to nothing to about what is needed.
        let bytes = 4096 * (4 + level * 400 / levels);
        let Some(disk) = Disk::new(story.path(&format!("disk{level}")), bytes) else {
            println!("SKIPPED: a file system cannot be mounted here, so no disk was full");
            return;
        };
        let mut child = story.start(&disk.0, journal);
        let over = wait_until_still(&mut child, &disk);
        disk.grow();
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        match (output.status.success(), over) {
            (true, true) => enough += 1,
            (true, false) => waited += 1,
            (false, _) => {
                // Nothing could be begun: it says so, and started again with room it does all there is to do.
                assert!(output.status.code() == Some(4) && told.contains("full"), "{bytes} bytes: {told}");
                ended += 1;
                let again = story.start(&disk.0, false).wait_with_output().expect("it ends");
                assert!(again.status.success(), "{bytes} bytes: {}", String::from_utf8_lossy(&again.stderr));
            }
        }
        let written = fs::read(disk.0.join("alerts")).expect("alerts");
        assert!(
            written == story.reference,
            "{bytes} bytes, journal {journal}: other alerts than on a large disk\n{told}"
        );
    }
    println!("{levels} fill levels: {waited} runs waited, {ended} ended with a message, {enough} had room");
    assert!(waited > 0);
}

#[test]
fn a_failing_disk_ends_the_run_and_the_next_one_goes_on() {
    if !does("strace", &["-V"]) {
        println!("SKIPPED: strace is not installed, so no call failed");
        return;
    }
    let story = Story::new();
    let wanted = number("DISK_FAULTS", 4);
    let mut failed = 0;
    for n in 1..=wanted {
        // Calls that make durable are few; of writes most are to the alert file.
        let (calls, nth) = if n % 2 == 0 { ("fsync,fdatasync", n.div_ceil(2)) } else { ("write,pwrite64", 2 + n) };
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("strace");
        command.current_dir(story.dir.path()).args(["-f", "-qq", "-o", "/dev/null", "-P"]);
        // Only files below the directory: terminals and pipes are another matter.
        command.arg(dir.path().join("state/00000001.checkpoints"));
        command.arg("-P").arg(dir.path().join("state/00000001.new")).arg("-P").arg(dir.path().join("alerts"));
        command.arg("-e").arg(format!("trace={calls}"));
        command.arg("-e").arg(format!("inject={calls}:error=EIO:when={nth}"));
        command.arg(env!("CARGO_BIN_EXE_tripline")).args(["run", "rules.trip", "events.ndjson", "--quiet"]);
        command.args(["--checkpoint-every", "1ms", "--threads", "2", "--alerts"]).arg(dir.path().join("alerts"));
        command.arg("--state").arg(dir.path().join("state"));
        let output = command.stdin(Stdio::null()).output().expect("strace runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            // It never came to the n-th.
            continue;
        }
        failed += 1;
        assert!(output.status.code() == Some(4) && told.contains("Input/output error"), "{calls} {nth}: {told}");
        assert!(
            told.contains("alerts") || told.contains("checkpoints") || told.contains(".new"),
            "{calls} {nth}: {told}"
        );
        let again = story.start(dir.path(), false).wait_with_output().expect("it ends");
        assert!(again.status.success(), "{calls} {nth}: {}", String::from_utf8_lossy(&again.stderr));
        let written = fs::read(dir.path().join("alerts")).expect("alerts");
        assert!(written == story.reference, "{calls} {nth}: other alerts than on a sound disk\n{told}");
    }
    println!("{failed} runs of {wanted} came to a call that failed");
    assert!(failed > 0);
}
