//! Syslog messages as events: RFC 5424, and what is sent under the name of RFC 3164.
//!
//! ```text
//! <34>Oct 11 22:14:15 web-1 sshd[812]: Failed password
//!  ─┬─ ──────┬─────── ──┬── ─┬── ─┬─   ──────┬───────
//!   │   @timestamp      │    │    │       message
//!   │          syslog.host   │    syslog.procid
//!   └ syslog.facility,       └ type, syslog.app
//!     syslog.severity
//! ```
//! Parsing is `syslog_loose`'s, which takes what senders really write. Whatever begins with a priority becomes an event;
//! of a head that cannot be read, everything after the priority is the message.
//!
//! RFC 3164 writes neither year nor zone. The year is the one that brings the time nearest to the arrival, so that a
//! message of December that arrives in January is one of the old year; the zone is a setting, UTC if nothing is said.

use std::cell::Cell;

use chrono::{DateTime, Datelike, FixedOffset, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use syslog_loose::{IncompleteDate, Message, Protocol, Variant, parse_message_with_year_exact_tz};

use crate::base::Timestamp;
use crate::decode::Reject;

/// What stands before JSON in a message by the Common Event Expression.
const COOKIE: &str = "@cee:";
/// The largest priority: facility 23, severity 7.
const MAX_PRIORITY: u8 = 191;

/// How messages become events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyslogForm {
    /// A message that is a JSON object, after a cookie or not, gives its members to the event.
    pub open_json: bool,
    /// The zone of times that are written without one.
    pub zone: Tz,
}

impl Default for SyslogForm {
    fn default() -> Self {
        Self { open_json: false, zone: Tz::UTC }
    }
}

impl SyslogForm {
    /// The event of a message that arrived at a time, as one line of JSON without a line feed.
    ///
    /// # Errors
    /// It does not begin with a priority, so it is no syslog message.
    pub fn line(&self, message: &[u8], arrival: Timestamp) -> Result<String, Reject> {
        // A sender must not be able to hide a message behind bytes that are no text.
        let text = String::from_utf8_lossy(message);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        let (priority, rest) = priority(text).ok_or(Reject::NotSyslog)?;
        let parsed = self.parse(text, rest, arrival);
        let head = parsed.as_ref().map(|(message, time, body)| (message, *time, *body));
        Ok(self.event(priority, head, rest))
    }

    /// The parts of a message, its time, and its text.
    fn parse<'a>(
        &self,
        text: &'a str,
        rest: &str,
        arrival: Timestamp,
    ) -> Option<(Message<&'a str>, Option<DateTime<FixedOffset>>, &'a str)> {
        let arrival = Utc.timestamp_nanos(arrival.0);
        let guessed = Cell::new(false);
        let year = |date| {
            guessed.set(true);
            self.nearest_year(date, arrival)
        };
        let message = parse_message_with_year_exact_tz(text, year, Some(self.zone), Variant::Either).ok()?;
        let mut time = message.timestamp;
        let mut body = message.msg;
        if message.protocol == Protocol::RFC3164 {
            // A time with a year but no zone is one of the zone, too.
            if !guessed.get() && rest.trim_start().starts_with(|c: char| c.is_ascii_alphabetic()) {
                time = time
                    .and_then(|time| Some(self.zone.from_local_datetime(&time.naive_utc()).earliest()?.fixed_offset()));
            }
            // Here brackets are text, whatever else they may be.
            if let Some(element) = message.structured_data.first() {
                let begin = (element.id.as_ptr() as usize).checked_sub(text.as_ptr() as usize + 1);
                body = begin.and_then(|begin| text.get(begin..)).unwrap_or(body);
            }
        }
        Some((message, time, body.trim_start_matches('\u{feff}')))
    }

    fn nearest_year(&self, date: IncompleteDate, arrival: DateTime<Utc>) -> i32 {
        let (month, day, hour, minute, second) = date;
        let this = arrival.year();
        let distance = |year: &i32| {
            let time = self.zone.with_ymd_and_hms(*year, month, day, hour, minute, second).earliest();
            time.map(|time| (time.with_timezone(&Utc) - arrival).abs())
        };
        let years = [this, this - 1, this + 1].into_iter().filter(|year| distance(year).is_some());
        years.min_by_key(distance).unwrap_or(this)
    }

    fn event(
        &self,
        priority: u8,
        head: Option<(&Message<&str>, Option<DateTime<FixedOffset>>, &str)>,
        rest: &str,
    ) -> String {
        let (facility, severity) = (FACILITIES[usize::from(priority / 8)], SEVERITIES[usize::from(priority % 8)]);
        let mut syslog = Map::new();
        syslog.insert("facility".to_owned(), json!(facility));
        syslog.insert("severity".to_owned(), json!(severity));
        syslog.insert("severity_code".to_owned(), json!(priority % 8));
        let mut event = Map::new();
        let mut body = rest;
        let mut class = None;
        if let Some((message, time, text)) = head {
            body = text;
            class = message.appname;
            if let Some(time) = time {
                event.insert("@timestamp".to_owned(), json!(time.with_timezone(&Utc).to_rfc3339()));
            }
            let procid = message.procid.as_ref().map(ToString::to_string);
            let parts = [
                ("host", message.hostname.map(str::to_owned)),
                ("app", message.appname.map(str::to_owned)),
                ("procid", procid),
                ("msgid", message.msgid.map(str::to_owned)),
            ];
            for (name, part) in parts {
                if let Some(part) = part {
                    syslog.insert(name.to_owned(), Value::String(part));
                }
            }
            let mut structured = Map::new();
            for element in &message.structured_data {
                let params = element.params().map(|(name, value)| (name.to_string(), Value::String(value.to_string())));
                structured.insert(element.id.to_owned(), Value::Object(params.collect()));
            }
            if !structured.is_empty() {
                syslog.insert("structured".to_owned(), Value::Object(structured));
            }
        }
        event.insert("type".to_owned(), json!(class.filter(|class| !class.is_empty()).unwrap_or("syslog")));
        event.insert("message".to_owned(), json!(body));
        let members = if self.open_json { members(body) } else { None };
        let mut line = Value::Object(event).to_string();
        // Of a key that is there twice the last value counts: what the message says wins over its head, but for the
        // head itself.
        line.pop();
        if let Some(members) = members {
            line.push(',');
            line.extend(members.chars().map(|c| if c == '\n' { ' ' } else { c }));
        }
        line.push_str(",\"syslog\":");
        line.push_str(&Value::Object(syslog).to_string());
        line.push('}');
        line
    }
}

/// The members of a JSON object, as they are written; `None` if it is none or has none.
fn members(body: &str) -> Option<&str> {
    let body = body.trim();
    let body = body.strip_prefix(COOKIE).map_or(body, str::trim_start);
    let object: &RawValue = serde_json::from_str(body).ok()?;
    let inner = object.get().strip_prefix('{')?.strip_suffix('}')?;
    Some(inner).filter(|inner| !inner.trim().is_empty())
}

/// The priority that a message begins with, and what follows.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let priority = if plain { digits.parse().ok()? } else { return None };
    (priority <= MAX_PRIORITY).then_some((priority, rest))
}

/// The facilities by their numbers.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The severities by their numbers.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

#[cfg(test)]
mod tests;
