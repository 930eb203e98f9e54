//! Splunk's HTTP Event Collector: a batch a request, one event an alert.

use std::fmt::Write;

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
}

/// What the collector answers.
#[derive(Deserialize)]
struct Answer {
    code: u16,
}

impl SplunkSink {
    /// Reads the options.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(options: SplunkOptions) -> Result<Self, String> {
        let client = Client::new(&options.http)?;
        Ok(Self { options, client })
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

impl Sink for SplunkSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        let authorization = format!("Splunk {}", self.options.token.reveal());
        let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
        let url = self.options.url.join("/services/collector/event");
        let answer = self.client.post(&url, &headers, self.body(letters).as_bytes(), SHORT)?;
        let code = serde_json::from_str::<Answer>(&answer.body).ok().map(|answer| answer.code);
        match (answer.judge(), code) {
            (Ok(()), None | Some(0)) => Ok(Receipt::ALL),
            (Ok(()), Some(code)) => Err(Failure::down(format!("the collector answers code {code}"))),
            // The index is not there: no event is at fault.
            (Err(failure), Some(7)) => Err(Failure::down(failure.reason)),
            (Err(failure), _) => Err(failure),
        }
    }
}
