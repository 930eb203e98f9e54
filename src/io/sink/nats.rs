//! NATS JetStream: each alert is published with its id and acknowledged by the stream that keeps it.
//!
//! Speaks the client protocol of NATS itself, which is lines of text: `INFO` from the server, `CONNECT` and `PING` to
//! it, one `SUB` for all acknowledgements, and a `HPUB` for each alert. `Nats-Msg-Id` lets the stream recognise an
//! alert that comes again. Only a stream's acknowledgement counts; that no stream keeps the subject is an error.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::Deserialize;

use super::secret::Secret;
use super::tls::TlsOptions;
use super::wire::{Peer, Wire};
use crate::alert::Alert;
use crate::alert::format::{Format, words};
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// Bytes of one line of the protocol that are read at most.
const LONGEST_LINE: u64 = 64 << 10;

/// Where alerts are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsOptions {
    /// The server.
    pub peer: Peer,
    /// The subject; `{rule}` and `{severity}` stand for those of the alert.
    pub subject: String,
    /// How alerts are written.
    pub format: Format,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Token.
    pub token: Option<Secret>,
    /// What is trusted. `None` for connections without TLS.
    pub tls: Option<TlsOptions>,
    /// How long each step may take.
    pub timeout: Duration,
}

/// A NATS server.
pub struct NatsSink {
    options: NatsOptions,
    tls: Option<Arc<ClientConfig>>,
    line: Option<Connection>,
    random: fastrand::Rng,
}

struct Connection {
    wire: BufReader<Wire>,
    inbox: String,
    published: u64,
    max_payload: usize,
}

/// What the server says of itself.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    headers: bool,
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    max_payload: usize,
}

/// What a stream says of an alert.
#[derive(Deserialize)]
struct Acknowledgement {
    stream: Option<String>,
    error: Option<StreamError>,
}

#[derive(Deserialize)]
struct StreamError {
    code: u16,
    #[serde(default)]
    description: String,
}

impl NatsSink {
    /// Reads the options; connects when there is something to deliver.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(options: NatsOptions) -> Result<Self, String> {
        let tls = options.tls.as_ref().map(TlsOptions::client).transpose()?;
        Ok(Self { options, tls, line: None, random: fastrand::Rng::new() })
    }

    #[expect(clippy::unbuffered_bytes, reason = "a buffer would take what belongs to TLS")]
    fn connect(&mut self) -> io::Result<Connection> {
        let options = &self.options;
        let stream = Wire::connect(&options.peer, options.timeout)?;
        // Read byte by byte: what follows this line may already be TLS.
        let mut line = Vec::new();
        for byte in (&stream).bytes().take(LONGEST_LINE as usize) {
            line.push(byte?);
            if line.ends_with(b"\n") {
                break;
            }
        }
        let line = String::from_utf8_lossy(&line);
        let info = line.strip_prefix("INFO ").ok_or_else(|| problem("this is no NATS server"))?;
        let info: Info = serde_json::from_str(info.trim()).map_err(|_| problem("the server's greeting is broken"))?;
        if !info.headers {
            return Err(problem("the server takes no headers"));
        }
        let wire = match &self.tls {
            Some(config) => Wire::encrypt(stream, &options.peer, config)?,
            None if info.tls_required => return Err(problem("the server asks for TLS: write tls:// for nats://")),
            None => Wire::Plain(stream),
        };
        let mut hello = serde_json::json!({
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true, "protocol": 1,
            "name": "tripline", "lang": "rust", "version": env!("CARGO_PKG_VERSION"),
            "tls_required": self.tls.is_some(),
        });
        let secrets = [("pass", &options.password), ("auth_token", &options.token)];
        for (name, secret) in secrets {
            if let Some(secret) = secret {
                hello[name] = secret.reveal().into();
            }
        }
        if let Some(user) = &options.user {
            hello["user"] = user.as_str().into();
        }
        let inbox = format!("_INBOX.{:016x}{:016x}", self.random.u64(..), self.random.u64(..));
        let mut connection =
            Connection { wire: BufReader::new(wire), inbox, published: 0, max_payload: info.max_payload };
        let start = format!("CONNECT {hello}\r\nSUB {}.* 1\r\nPING\r\n", connection.inbox);
        connection.send(start.as_bytes())?;
        loop {
            match connection.read()? {
                Said::Pong => return Ok(connection),
                Said::Ping => connection.send(b"PONG\r\n")?,
                Said::Nothing | Said::Message { .. } => {}
            }
        }
    }

    fn try_deliver(&mut self, letters: &[Letter]) -> io::Result<Receipt> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => self.connect()?,
        };
        let mut receipt = Receipt::ALL;
        let mut answers: Vec<Option<Verdict>> = vec![None; letters.len()];
        let first = line.published;
        let mut bytes = Vec::new();
        for (place, letter) in letters.iter().enumerate() {
            let payload = letter.text(self.options.format);
            if line.max_payload > 0 && payload.len() > line.max_payload {
                answers[place] =
                    Some(Verdict::Refused(format!("{} bytes are more than the server takes", payload.len())));
                continue;
            }
            let head = format!("NATS/1.0\r\nNats-Msg-Id: {}\r\n\r\n", words::message_id(&letter.alert));
            let subject = subject(&self.options.subject, &letter.alert);
            let (head_size, size) = (head.len(), head.len() + payload.len());
            let number = first + place as u64;
            write!(bytes, "HPUB {subject} {}.{number} {head_size} {size}\r\n{head}{payload}\r\n", line.inbox)?;
        }
        line.published = first + letters.len() as u64;
        line.send(&bytes)?;
        while answers.contains(&None) {
            match line.read()? {
                Said::Ping => line.send(b"PONG\r\n")?,
                Said::Message { number, verdict } => {
                    // A number from before belongs to a batch that was given up.
                    let place = number.checked_sub(first).and_then(|n| usize::try_from(n).ok());
                    if let Some(slot) = place.and_then(|n| answers.get_mut(n)) {
                        *slot = Some(verdict);
                    }
                }
                Said::Pong | Said::Nothing => {}
            }
        }
        for (place, answer) in answers.into_iter().enumerate() {
            match answer {
                Some(Verdict::Refused(reason)) => receipt.refused.push((place, reason)),
                Some(Verdict::Later(why)) => {
                    receipt.again.push(place);
                    receipt.why = Some(why);
                }
                Some(Verdict::Kept) | None => {}
                Some(Verdict::NoStream) => return Err(problem("no stream of JetStream keeps this subject")),
            }
        }
        self.line = Some(line);
        Ok(receipt)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    Later(String),
    Refused(String),
    NoStream,
}

enum Said {
    Ping,
    Pong,
    Message { number: u64, verdict: Verdict },
    Nothing,
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wire = self.wire.get_mut();
        wire.write_all(bytes)?;
        wire.flush()
    }

    fn read(&mut self) -> io::Result<Said> {
        let mut line = String::new();
        (&mut self.wire).take(LONGEST_LINE).read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        let mut parts = line.split_ascii_whitespace();
        match parts.next().unwrap_or_default() {
            "PING" => Ok(Said::Ping),
            "PONG" => Ok(Said::Pong),
            "-ERR" => Err(problem(&format!("the server says {}", line.trim().trim_start_matches("-ERR ")))),
            // MSG subject sid [reply] size, HMSG subject sid [reply] head size
            kind @ ("MSG" | "HMSG") => {
                let parts: Vec<&str> = parts.collect();
                let number = |text: &&str| text.parse::<usize>().map_err(|_| problem("a message without a size"));
                let size = parts.last().map_or(Ok(0), number)?;
                let head =
                    if kind == "HMSG" { parts.get(parts.len().wrapping_sub(2)).map_or(Ok(0), number)? } else { 0 };
                if size as u64 > LONGEST_LINE || head > size {
                    return Err(problem("a message that is too long"));
                }
                let mut payload = vec![0; size + 2];
                self.wire.read_exact(&mut payload)?;
                let answered =
                    parts.first().and_then(|subject| subject.rsplit('.').next()).and_then(|n| n.parse().ok());
                let Some(number) = answered else { return Ok(Said::Nothing) };
                Ok(Said::Message { number, verdict: verdict(&payload[..head], &payload[head..size]) })
            }
            _ => Ok(Said::Nothing),
        }
    }
}

/// What an acknowledgement means for its alert.
fn verdict(head: &[u8], body: &[u8]) -> Verdict {
    if head.starts_with(b"NATS/1.0 503") {
        return Verdict::NoStream;
    }
    match serde_json::from_slice(body) {
        Ok(Acknowledgement { error: Some(error), .. }) => {
            let reason = format!("{} ({})", error.description, error.code);
            if error.code == 400 { Verdict::Refused(reason) } else { Verdict::Later(reason) }
        }
        Ok(Acknowledgement { stream: Some(_), .. }) => Verdict::Kept,
        _ => Verdict::Later("this is no acknowledgement".to_owned()),
    }
}

/// The subject of an alert: what stands for a name is one token of it, whatever the name holds.
fn subject(template: &str, alert: &Alert) -> String {
    let token = |text: &str| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        text.chars().map(plain).collect()
    };
    template.replace("{severity}", alert.severity.as_str()).replace("{rule}", &token(&alert.rule_name))
}

/// Whether alerts can be published under a subject.
pub fn is_subject(template: &str) -> bool {
    let plain = template.replace("{severity}", "s").replace("{rule}", "r");
    !plain.is_empty()
        && plain.split('.').all(|token| !token.is_empty())
        && plain.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '*' | '>' | '{' | '}'))
}

fn problem(words: &str) -> io::Error {
    io::Error::other(words.to_owned())
}

impl fmt::Debug for NatsSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSink").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Sink for NatsSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        // A connection that lay idle may have been closed by the server: that is no failure yet.
        let idle = self.line.is_some();
        let mut result = self.try_deliver(letters);
        if result.is_err() && idle {
            result = self.try_deliver(letters);
        }
        result.map_err(|error| Failure::down(format!("{}: {error}", self.options.peer)))
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.line = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_checked() {
        for good in ["alerts", "alerts.{severity}.{rule}", "a-b_c.d"] {
            assert!(is_subject(good), "{good}");
        }
        for wrong in ["", "a..b", ".a", "a.", "a b", "a.*", "a.>", "a.{other}", "a\r\nPUB x"] {
            assert!(!is_subject(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn acknowledgements_are_told_apart() {
        assert_eq!(verdict(b"", br#"{"stream":"ALERTS","seq":7}"#), Verdict::Kept);
        assert_eq!(verdict(b"", br#"{"stream":"ALERTS","seq":7,"duplicate":true}"#), Verdict::Kept);
        assert_eq!(verdict(b"NATS/1.0 503\r\n\r\n", b""), Verdict::NoStream);
        let error = |code| format!(r#"{{"error":{{"code":{code},"err_code":1,"description":"no"}}}}"#);
        assert!(matches!(verdict(b"", error(400).as_bytes()), Verdict::Refused(_)));
        assert!(matches!(verdict(b"", error(503).as_bytes()), Verdict::Later(_)));
        assert!(matches!(verdict(b"", b"hello"), Verdict::Later(_)));
    }
}
