//! A webhook: one request for each alert, with a body of the alert, of a template, or of a known receiver.
//!
//! With a concurrency above one, several requests are under way at a time, as many as the receiver takes without slowing
//! down ([`Pace`]); alerts of one rule and key follow each other all the same.
//!
//! At least once: `Idempotency-Key` names the alert, so that a receiver can tell one that comes again.
#![expect(clippy::disallowed_methods, reason = "a signature holds its time, and requests go out on threads")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::http::{Client, HttpOptions, SHORT, Url};
use super::markup::Markup;
use super::pace::Pace;
use super::preset::Preset;
use super::secret::Secret;
use super::sign::signature;
use super::template::Template;
use crate::alert::format::{Format, words};
use crate::io::deliver::{Failure, Letter, Receipt, Sink, Trouble};

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
    /// Requests under way at a time, at most.
    pub concurrency: usize,
    /// How the receiver is talked to.
    pub http: HttpOptions,
}

/// A receiver of requests.
#[derive(Debug)]
pub struct WebhookSink {
    options: WebhookOptions,
    client: Client,
    pace: Pace,
}

impl WebhookSink {
    /// Reads the options.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(options: WebhookOptions) -> Result<Self, String> {
        let client = Client::new(&options.http)?;
        let pace = Pace::new(options.concurrency);
        Ok(Self { options, client, pace })
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

/// A lane: letters of one rule and key, in order, by their places in the batch.
type Lane = Vec<usize>;

/// What became of each letter that was sent, and how long the requests took together.
#[derive(Default)]
struct Round {
    outcomes: BTreeMap<usize, Result<(), Failure>>,
    took: Duration,
}

impl WebhookSink {
    /// Sends letters, those of one lane one after the other, up to the first of each that is not taken.
    fn round(&self, letters: &[Letter], lanes: Vec<Lane>) -> Round {
        let threads = self.pace.limit().min(lanes.len());
        let (lanes, round) = (Mutex::new(lanes), Mutex::new(Round::default()));
        let next = || lanes.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let work = || {
            while let Some(lane) = next() {
                for at in lane {
                    let started = Instant::now();
                    let outcome = self.send(&letters[at]);
                    let failed = outcome.as_ref().is_err_and(|f| f.trouble != Trouble::Refused);
                    let mut round = round.lock().unwrap_or_else(PoisonError::into_inner);
                    round.took += started.elapsed();
                    round.outcomes.insert(at, outcome);
                    if failed {
                        break;
                    }
                }
            }
        };
        thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        round.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Letters by rule and key, in the order in which these come first, last lane first.
fn lanes(letters: &[Letter]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for (at, letter) in letters.iter().enumerate() {
        let same = |other: &usize| {
            let other = &letters[*other].alert;
            other.rule_name == letter.alert.rule_name && other.key == letter.alert.key
        };
        match lanes.iter_mut().find(|lane| lane.first().is_some_and(same)) {
            Some(lane) => lane.push(at),
            None => lanes.push(vec![at]),
        }
    }
    lanes.reverse();
    lanes
}

impl Sink for WebhookSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        if let [only] = letters {
            return self.send(only).map(|()| Receipt::ALL);
        }
        let Round { mut outcomes, took } = self.round(letters, lanes(letters));
        let sent = outcomes.len().max(1);
        let troubled = outcomes.values().any(|o| o.as_ref().is_err_and(|f| f.trouble != Trouble::Refused));
        self.pace.after(sent, took / sent as u32, troubled);
        let settles = |o: &Result<(), Failure>| o.as_ref().err().is_none_or(|f| f.trouble == Trouble::Refused);
        if !outcomes.values().any(settles) {
            // Nothing was taken: whoever brought the letters counts their tries, and finds which is at fault.
            let first = outcomes.into_values().find_map(Result::err);
            return Err(first.unwrap_or_else(|| Failure::down("no request was made")));
        }
        let mut receipt = Receipt::default();
        for at in 0..letters.len() {
            match outcomes.remove(&at) {
                Some(Ok(())) => {}
                Some(Err(failure)) if failure.trouble == Trouble::Refused => receipt.refused.push((at, failure.reason)),
                Some(Err(failure)) => {
                    receipt.again.push(at);
                    (receipt.why, receipt.after) = (Some(failure.reason), receipt.after.max(failure.after));
                }
                // Behind one of its lane that was not taken.
                None => receipt.again.push(at),
            }
        }
        Ok(receipt)
    }

    fn most(&self) -> usize {
        // A few rounds at a time, so that one slow answer does not leave the others without work.
        if self.options.concurrency > 1 { self.options.concurrency * 4 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::deliver::sink::test_letter;

    #[test]
    fn letters_of_one_rule_and_key_are_in_one_lane() {
        let letters: Vec<Letter> = ["a", "b", "a", "c", "b"].iter().map(|rule| test_letter("1", rule)).collect();
        assert_eq!(lanes(&letters), [vec![3], vec![1, 4], vec![0, 2]]);
    }
}
