//! A file that is read while it is written: growth, truncation, rotation, and its end.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tripline::io::source::{BlockOptions, FollowOptions, Position, follow};

struct Follower {
    folder: PathBuf,
    path: PathBuf,
    stop: Arc<AtomicBool>,
    blocks: Receiver<(u64, String)>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    fn start(name: &str, content: &str, at: Position) -> Self {
        let folder = std::env::temp_dir().join(format!("tripline-follow-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder can be made");
        let path = folder.join("events.ndjson");
        fs::write(&path, content).expect("a file can be written");
        let stop = Arc::new(AtomicBool::new(false));
        let following =
            FollowOptions { poll: Duration::from_millis(5), stop: Arc::clone(&stop), ..FollowOptions::default() };
        let mut reader =
            follow(&path.to_string_lossy(), at, BlockOptions::default(), following).expect("the file is there");
        let (sender, blocks) = channel();
        let thread = thread::spawn(move || {
            while let Some(block) = reader.next_block().expect("the file can be read") {
                let text = String::from_utf8(block.bytes).expect("the file is UTF-8");
                sender.send((block.at.line, text)).expect("the test listens");
            }
        });
        Self { folder, path, stop, blocks, thread: Some(thread) }
    }

    fn append(&self, text: &str) {
        append(&self.path, text);
    }

    #[track_caller]
    fn expect(&self, line: u64, text: &str) {
        let mut found = self.blocks.recv_timeout(Duration::from_secs(10)).expect("a block comes");
        // Two writes may be seen in two reads.
        while found.1.len() < text.len() {
            found.1.push_str(&self.blocks.recv_timeout(Duration::from_secs(10)).expect("the rest comes").1);
        }
        assert_eq!(found, (line, text.to_owned()));
    }

    #[track_caller]
    fn expect_nothing(&self) {
        assert!(self.blocks.recv_timeout(Duration::from_millis(60)).is_err());
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        let _ = fs::remove_dir_all(&self.folder);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the reader ends when it is told to");
        }
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("the file is there");
    file.write_all(text.as_bytes()).expect("the file can be written");
}

#[test]
fn growth_is_seen_line_by_line() {
    let follower = Follower::start("growth", "a\nb\n", Position::START);
    follower.expect(1, "a\nb\n");
    follower.append("c");
    follower.expect_nothing();
    follower.append("c\n");
    follower.expect(3, "cc\n");
    follower.append("unended");
    follower.expect_nothing();
    follower.stop.store(true, Ordering::Relaxed);
    follower.expect(4, "unended");
}

#[test]
fn a_shorter_file_is_read_from_its_start() {
    let follower = Follower::start("truncation", "first\nand the second\nun", Position::START);
    follower.expect(1, "first\nand the second\n");
    File::create(&follower.path).expect("the file can be emptied");
    follower.expect(3, "un\n");
    follower.append("new\n");
    follower.expect(4, "new\n");
}

#[cfg(unix)]
#[test]
fn a_file_that_takes_the_name_is_read_from_its_start() {
    let follower = Follower::start("rotation", "old\n", Position::START);
    follower.expect(1, "old\n");
    let renamed = follower.folder.join("events.ndjson.1");
    fs::rename(&follower.path, &renamed).expect("the file can be renamed");
    append(&renamed, "still old");
    follower.expect_nothing();
    fs::write(&follower.path, "new, and longer than the old one\n").expect("a file can be written");
    follower.expect(2, "still old\n");
    follower.expect(3, "new, and longer than the old one\n");
    follower.append("more\n");
    follower.expect(4, "more\n");
}

#[test]
fn a_file_that_is_gone_is_waited_for() {
    let follower = Follower::start("gone", "a\n", Position::START);
    follower.expect(1, "a\n");
    fs::remove_file(&follower.path).expect("the file can be removed");
    follower.expect_nothing();
    fs::write(&follower.path, "b\n").expect("a file can be written");
    follower.expect(2, "b\n");
}

#[test]
fn following_goes_on_from_a_place() {
    let follower = Follower::start("resume", "a\nb\nc\n", Position { offset: 2, line: 2 });
    follower.expect(2, "b\nc\n");
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let refused = |name: &str| {
        let refused = follow(name, Position::START, BlockOptions::default(), FollowOptions::default());
        refused.map(|_| ()).expect_err("it cannot be followed").to_string()
    };
    assert!(refused("no/such/file").contains("there is no such file"));
    assert!(refused(&std::env::temp_dir().to_string_lossy()).contains("it is no file that grows"));
}
