//! Splunk's HTTP Event Collector: a batch a request, one event an alert.
//!
//! An answer says that the collector has a batch, not that an index has. With acknowledgement the collector is asked for
//! that, about one channel of this process, until it says so or the time is over; then the batch comes again.
#![expect(clippy::disallowed_methods, reason = "an acknowledgement is waited for")]

use std::collections::HashMap;
use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::http::{Client, HttpOptions, SHORT, Url};
use super::secret::Secret;
use crate::alert::format::Format;
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplunkOptions {
    /// The address, without `/services/collector/event`.
    pub url: Url,
    /// The token of the collector.
    pub token: Secret,
    /// The index, unless the token's.
    pub index: Option<String>,
    /// Whether a batch counts only when it is in an index.
    pub acknowledge: bool,
    /// How events look: a format of JSON.
    pub format: Format,
    /// How the server is talked to.
    pub http: HttpOptions,
}

/// A collector.
#[derive(Debug)]
pub struct SplunkSink {
    options: SplunkOptions,
    client: Client,
    /// What acknowledgements of this process are known by.
    channel: String,
}

/// What the collector answers.
#[derive(Deserialize)]
struct Answer {
    code: u16,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
}

/// What it answers when it is asked for acknowledgements.
#[derive(Deserialize)]
struct Acks {
    acks: HashMap<String, bool>,
}

/// Between two questions for an acknowledgement; twice as long each time, up to a second.
const ASK_AFTER: Duration = Duration::from_millis(50);
/// How long an index may take, in time-outs of a request.
const PATIENCE: u32 = 6;

impl SplunkSink {
    /// Reads the options.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(options: SplunkOptions) -> Result<Self, String> {
        let client = Client::new(&options.http)?;
        let half = || fastrand::u64(..);
        let (a, b) = (half(), half());
        let channel = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            (b >> 48) & 0xfff,
            b & 0xffff_ffff_ffff
        );
        Ok(Self { options, client, channel })
    }

    fn body(&self, letters: &[Letter]) -> String {
        let mut body = String::new();
        for letter in letters {
            let millis = letter.alert.time.as_millis();
            let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
            write!(body, r#"{{"time":{seconds}.{rest:03},"source":"tripline","sourcetype":"tripline:alert""#)
                .expect("a String takes any text");
            if let Some(index) = &self.options.index {
                write!(body, r#","index":{}"#, serde_json::Value::from(index.as_str()))
                    .expect("a String takes any text");
            }
            writeln!(body, r#","event":{}}}"#, letter.text(self.options.format)).expect("a String takes any text");
        }
        body
    }
}

impl SplunkSink {
    /// Waits until a batch is in an index.
    fn acknowledged(&self, id: u64, headers: &[(&str, &str)]) -> Result<(), Failure> {
        let url = self.options.url.join(&format!("/services/collector/ack?channel={}", self.channel));
        let until = Instant::now() + self.options.http.timeout * PATIENCE;
        let mut wait = ASK_AFTER;
        loop {
            let answer = self.client.post(&url, headers, format!("{{\"acks\":[{id}]}}").as_bytes(), SHORT)?;
            answer.judge()?;
            let acks = serde_json::from_str::<Acks>(&answer.body)
                .map_err(|_| Failure::down("the collector does not answer about acknowledgements"))?;
            if acks.acks.get(&id.to_string()) == Some(&true) {
                return Ok(());
            }
            if Instant::now() + wait > until {
                return Err(Failure::down("no index has acknowledged the alerts in time"));
            }
            thread::sleep(wait);
            wait = (wait * 2).min(Duration::from_secs(1));
        }
    }
}

impl Sink for SplunkSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        let authorization = format!("Splunk {}", self.options.token.reveal());
        let mut headers = vec![("content-type", "application/json"), ("authorization", authorization.as_str())];
        if self.options.acknowledge {
            headers.push(("x-splunk-request-channel", self.channel.as_str()));
        }
        let url = self.options.url.join("/services/collector/event");
        let answer = self.client.post(&url, &headers, self.body(letters).as_bytes(), SHORT)?;
        let said = serde_json::from_str::<Answer>(&answer.body).ok();
        let (code, ack_id) = (said.as_ref().map(|said| said.code), said.and_then(|said| said.ack_id));
        match (answer.judge(), code) {
            (Ok(()), None | Some(0)) => match (self.options.acknowledge, ack_id) {
                (true, Some(id)) => self.acknowledged(id, &headers).map(|()| Receipt::ALL),
                (true, None) => Err(Failure::down("the token does not have acknowledgement switched on")),
                (false, _) => Ok(Receipt::ALL),
            },
            (Ok(()), Some(code)) => Err(Failure::down(format!("the collector answers code {code}"))),
            // The index is not there: no event is at fault.
            (Err(failure), Some(7)) => Err(Failure::down(failure.reason)),
            (Err(failure), _) => Err(failure),
        }
    }
}
