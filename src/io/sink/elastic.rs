//! Elasticsearch and OpenSearch: the bulk interface, one document an alert.
//!
//! `create` with the alert's id: a document that is there already (409) is an alert that came again. The answer names
//! the outcome of each document, so what was too much (429) comes again and what cannot be indexed (400) does not.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::http::{Client, HttpOptions, Url};
use super::secret::Secret;
use crate::alert::format::{Format, words};
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// Bytes of an answer that are read at most.
const ANSWER: u64 = 16 << 20;

/// Where documents go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElasticOptions {
    /// The address, without `/_bulk`.
    pub url: Url,
    /// The index or data stream.
    pub index: String,
    /// How documents look: a format of JSON.
    pub format: Format,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// An API key instead.
    pub token: Option<Secret>,
    /// How the server is talked to.
    pub http: HttpOptions,
}

/// A server with a bulk interface.
#[derive(Debug)]
pub struct ElasticSink {
    options: ElasticOptions,
    client: Client,
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    error: Option<serde_json::Value>,
}

impl ElasticSink {
    /// Reads the options.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(options: ElasticOptions) -> Result<Self, String> {
        let client = Client::new(&options.http)?;
        Ok(Self { options, client })
    }

    fn body(&self, letters: &[Letter]) -> String {
        let mut body = String::new();
        for letter in letters {
            let id = words::message_id(&letter.alert);
            let action = serde_json::json!({ "create": { "_index": self.options.index, "_id": id } });
            writeln!(body, "{action}\n{}", letter.text(self.options.format)).expect("a String takes any text");
        }
        body
    }

    fn authorization(&self) -> Option<String> {
        if let Some(key) = &self.options.token {
            return Some(format!("ApiKey {}", key.reveal()));
        }
        let user = self.options.user.as_ref()?;
        let password = self.options.password.as_ref().map_or("", Secret::reveal);
        Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }
}

impl Sink for ElasticSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        let mut headers = vec![("content-type", "application/x-ndjson")];
        let authorization = self.authorization();
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
        }
        let answer =
            self.client.post(&self.options.url.join("/_bulk"), &headers, self.body(letters).as_bytes(), ANSWER)?;
        answer.judge()?;
        receipt(&answer.body, letters.len()).map(|receipt| Receipt { after: answer.retry_after, ..receipt })
    }
}

/// What the answer says of each document.
fn receipt(answer: &str, sent: usize) -> Result<Receipt, Failure> {
    let answer: Answer =
        serde_json::from_str(answer).map_err(|_| Failure::down("the answer is not that of a bulk interface"))?;
    if answer.items.len() != sent {
        return Err(Failure::down(format!("{} of {sent} documents were answered", answer.items.len())));
    }
    let mut receipt = Receipt::ALL;
    for (place, item) in answer.items.iter().enumerate() {
        let error =
            || item.create.error.as_ref().and_then(|error| error["reason"].as_str()).unwrap_or("no reason given");
        match item.create.status {
            200..=299 | 409 => {}
            // A right that is missing or an index that is blocked is no document's fault.
            status @ (401 | 403 | 404 | 408 | 429 | 500..=599) => {
                receipt.again.push(place);
                receipt.why = Some(format!("status {status}: {}", error()));
            }
            status => receipt.refused.push((place, format!("status {status}: {}", error()))),
        }
    }
    Ok(receipt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_has_its_outcome() {
        let answer = r#"{"took":3,"errors":true,"items":[{"create":{"_id":"a","status":201}},
            {"create":{"_id":"b","status":409,"error":{"type":"version_conflict_engine_exception"}}},
            {"create":{"_id":"c","status":429,"error":{"reason":"queue is full"}}},
            {"create":{"_id":"d","status":400,"error":{"reason":"failed to parse field"}}}]}"#;
        let receipt = receipt(answer, 4).expect("an answer");
        assert_eq!(receipt.again, [2]);
        assert_eq!(receipt.refused, [(3, "status 400: failed to parse field".to_owned())]);
        assert!(super::receipt(answer, 5).is_err());
        assert!(super::receipt("<html>", 1).is_err());
    }
}
