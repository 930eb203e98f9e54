//! A webhook: one request for each alert, with a body of the alert, of a template, or of a known receiver.
//!
//! At least once: `Idempotency-Key` names the alert, so that a receiver can tell one that comes again.
#![expect(clippy::disallowed_methods, reason = "a signature holds the time at which it was made")]

use std::time::SystemTime;

use super::http::{Client, HttpOptions, SHORT, Url};
use super::markup::Markup;
use super::preset::Preset;
use super::secret::Secret;
use super::sign::signature;
use super::template::Template;
use crate::alert::format::{Format, words};
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// What the body of a request is.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The alert, in a format.
    Alert(Format),
    /// A template.
    Template(Template),
    /// What a known receiver wants.
    Preset(Preset),
}

/// Where requests go, and what they are.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookOptions {
    /// The address.
    pub url: Url,
    /// The body.
    pub body: Body,
    /// Headers besides those that Tripline sets.
    pub headers: Vec<(String, Secret)>,
    /// What shows the receiver who is there: the key that a preset's receiver asks for, else a bearer token.
    pub token: Option<Secret>,
    /// What requests are signed with.
    pub sign: Option<Secret>,
    /// How the receiver is talked to.
    pub http: HttpOptions,
}

/// A receiver of requests.
#[derive(Debug)]
pub struct WebhookSink {
    options: WebhookOptions,
    client: Client,
}

impl WebhookSink {
    /// Reads the options.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(options: WebhookOptions) -> Result<Self, String> {
        let client = Client::new(&options.http)?;
        Ok(Self { options, client })
    }

    fn send(&self, letter: &Letter) -> Result<(), Failure> {
        let options = &self.options;
        let (url, body) = match &options.body {
            Body::Alert(format) => (options.url.reveal(), letter.text(*format).into_bytes()),
            Body::Template(template) => {
                (options.url.reveal(), template.fill(letter, Markup::Plain).to_string().into_bytes())
            }
            Body::Preset(preset) => {
                let wanted = preset.request(letter, &options.url, options.token.as_ref());
                (wanted.url, wanted.body.to_string().into_bytes())
            }
        };
        let json = !matches!(options.body, Body::Alert(Format::Cef | Format::Leef | Format::Rfc5424));
        let id = words::message_id(&letter.alert);
        let mut headers = vec![
            ("content-type", if json { "application/json" } else { "text/plain; charset=utf-8" }),
            ("idempotency-key", id.as_str()),
        ];
        headers.extend(options.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())));
        let authorization = self.authorization();
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
        }
        let signed = options.sign.as_ref().map(|secret| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            signature(secret, now, &body)
        });
        if let Some(signed) = &signed {
            headers.push(("x-tripline-signature", signed));
        }
        self.client.post(&url, &headers, &body, SHORT)?.judge()
    }

    fn authorization(&self) -> Option<String> {
        let token = self.options.token.as_ref()?.reveal();
        match self.options.body {
            // The routing key stands in the body.
            Body::Preset(Preset::PagerDuty) => None,
            Body::Preset(Preset::Opsgenie) => Some(format!("GenieKey {token}")),
            _ => Some(format!("Bearer {token}")),
        }
    }
}

impl Sink for WebhookSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        letters.iter().try_for_each(|letter| self.send(letter))?;
        Ok(Receipt::ALL)
    }

    fn most(&self) -> usize {
        1
    }
}
