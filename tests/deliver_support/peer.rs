//! An HTTP peer on loopback that does what a script says, one entry a request.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the peer does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers: status, further headers, body.
    Answer(u16, &'static str, String),
    /// Reads the request and never answers.
    Hang,
    /// Answers a byte at a time, too slowly to be waited for.
    Drip,
    /// Closes in the middle of the answer's body.
    CloseInBody,
    /// Closes without an answer.
    Close,
}

impl Act {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, "", String::new())
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a body of JSON")
    }
}

/// The peer; it stops with the test.
pub struct Peer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Peer {
    /// Starts a peer. After its script it answers 200 with `{}`.
    pub fn start(script: Vec<Act>) -> Self {
        Self::answering(script, |_| Act::Answer(200, "", "{}".to_owned()))
    }

    /// Starts a peer that answers by the request once its script is over.
    pub fn answering(script: Vec<Act>, then: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(std::collections::VecDeque::from(script)));
        let (seen, then) = (Arc::clone(&requests), Arc::new(then));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, script, then) = (Arc::clone(&seen), Arc::clone(&script), Arc::clone(&then));
                thread::spawn(move || serve(stream, &seen, &script, &*then));
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook/canary-path", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    script: &Mutex<std::collections::VecDeque<Act>>,
    then: &dyn Fn(&Request) -> Act,
) {
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut stream = stream;
    while let Some(request) = read(&mut reader) {
        let act = script.lock().expect("not poisoned").pop_front().unwrap_or_else(|| then(&request));
        seen.lock().expect("not poisoned").push(request);
        match act {
            Act::Answer(status, headers, body) => {
                let answer = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            Act::Hang => {
                thread::sleep(Duration::from_secs(20));
                return;
            }
            Act::Drip => {
                for byte in "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".bytes() {
                    thread::sleep(Duration::from_millis(300));
                    if stream.write_all(&[byte]).is_err() {
                        return;
                    }
                }
            }
            Act::CloseInBody => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"took\"");
                return;
            }
            Act::Close => return,
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.and_then(|(_, n)| n.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { target, headers, body: String::from_utf8(body).ok()? })
}
