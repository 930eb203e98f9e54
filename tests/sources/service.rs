//! The real program as a service that events are sent to.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that listens.
pub struct Service {
    child: Child,
    told: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts `tripline run` in a directory.
    pub fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_with(dir, arguments, Stdio::null())
    }

    /// As [`Service::start`], with somewhere for its output to go.
    pub fn start_with(dir: &Path, arguments: &[&str], output: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tripline"))
            .arg("run")
            .args(arguments)
            .current_dir(dir)
            .env("NO_COLOR", "1")
            .env("TRIPLINE_TEST_TOKEN", "s3cret-canary")
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let told = Arc::new(Mutex::new(String::new()));
        let (into, stderr) = (Arc::clone(&told), child.stderr.take().expect("a pipe"));
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut told = into.lock().expect("not poisoned");
                told.push_str(&line);
                told.push('\n');
            }
        });
        Self { child, told, reader: Some(reader) }
    }

    /// Its output, if that is a pipe.
    pub fn output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("a pipe")
    }

    /// What it has said so far.
    pub fn told(&self) -> String {
        self.told.lock().expect("not poisoned").clone()
    }

    /// The address that an input listens on, once it does.
    pub fn address(&mut self, input: &str) -> String {
        let begin = format!("input {input} listens on ");
        let found = self.wait_for(|told| told.lines().find_map(|line| line.strip_prefix(&begin).map(str::to_owned)));
        found.unwrap_or_else(|| panic!("input {input} does not listen: {}", self.told()))
    }

    /// The same as a socket address.
    pub fn port(&mut self, input: &str) -> SocketAddr {
        self.address(input).parse().expect("an address")
    }

    /// Waits for something that it says.
    pub fn wait_for<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(found) = find(&self.told()) {
                return Some(found);
            }
            if self.child.try_wait().expect("a child").is_some() {
                thread::sleep(Duration::from_millis(50));
                return find(&self.told());
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Asks it to end in order, and gives what it said.
    pub fn stop(mut self) -> String {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().expect("a signal");
        assert!(status.success());
        let status = self.child.wait().expect("it ends");
        self.reader.take().expect("not joined yet").join().expect("read");
        let told = self.told();
        assert_eq!(status.code(), Some(130), "{told}");
        told
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed, or over already");
        self.child.wait().expect("it is over");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory with rules and perhaps a configuration.
pub fn place(rules: &str, config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("rules.trip"), rules).expect("written");
    if !config.is_empty() {
        fs::write(dir.path().join("tripline.yaml"), config).expect("written");
    }
    dir
}

/// The lines of a file, once there are so many; what there is when patience ends.
pub fn lines(path: PathBuf, at_least: usize) -> Vec<String> {
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<String> =
            text.split_inclusive('\n').filter(|l| l.ends_with('\n')).map(|l| l.trim_end().to_owned()).collect();
        if lines.len() >= at_least || started.elapsed() > PATIENCE {
            return lines;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, in small letters.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Reads one answer.
pub fn answer(stream: &mut TcpStream) -> std::io::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Sends a body of events, with further lines of the head.
pub fn post(to: SocketAddr, head: &str, body: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    send(&mut stream, head, body)?;
    answer(&mut stream)
}

/// Sends a request on an open connection.
pub fn send(stream: &mut TcpStream, head: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!("POST /events HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n{head}\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    // A server that has answered already may take no more.
    let _ = stream.write_all(body);
    Ok(())
}

/// The head of a body of lines.
pub const NDJSON: &str = "Content-Type: application/x-ndjson\r\n";
/// The head of a JSON body.
pub const JSON: &str = "Content-Type: application/json\r\n";
