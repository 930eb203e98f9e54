//! The time of an event: which field holds it, and how a value there is read.
//!
//! Texts are RFC 3339; a space for the `T` and a missing zone, then UTC, are accepted too, since much of the field's
//! data is written so. Numbers, and texts that are numbers, count from 1970. A time that does not fit nanoseconds in
//! an `i64` (1677 to 2262) is no usable time, and neither is a field of another kind.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::slot::{Arena, Slot};
use crate::base::{FieldId, Timestamp, ValueRef};

/// Where the time of an event is and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeConfig {
    /// Field paths; of those that an event has, the first counts, usable or not.
    pub fields: Vec<Vec<String>>,
    /// How the time is written.
    pub format: TimeFormat,
    /// What becomes of an event without a usable time.
    pub on_missing: OnMissing,
}

impl Default for TimeConfig {
    fn default() -> Self {
        let fields = ["@timestamp", "timestamp", "time", "ts"];
        Self {
            fields: fields.iter().map(|name| vec![(*name).to_owned()]).collect(),
            format: TimeFormat::Auto,
            on_missing: OnMissing::Arrival,
        }
    }
}

/// What becomes of an event without a usable time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissing {
    /// It gets the time at which it arrived.
    #[default]
    Arrival,
    /// It is rejected and counted.
    Reject,
}

/// How a time is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339, or a number from 1970 whose unit follows from its size: below 10^11 seconds, below 10^14 milliseconds,
    /// below 10^17 microseconds, else nanoseconds.
    #[default]
    Auto,
    /// RFC 3339 only.
    Rfc3339,
    /// Seconds since 1970, with or without a fraction.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Microseconds since 1970.
    EpochUs,
    /// Nanoseconds since 1970.
    EpochNs,
    /// A pattern such as `%d/%b/%Y:%H:%M:%S %z`, as chrono's `strftime` reads it. Without a zone it is UTC, and without
    /// a time of day it is midnight.
    Custom(String),
}

impl TimeFormat {
    /// Reads the name of a format, or a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what is possible.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => Self::Auto,
            "rfc3339" => Self::Rfc3339,
            "epoch_s" => Self::EpochS,
            "epoch_ms" => Self::EpochMs,
            "epoch_us" => Self::EpochUs,
            "epoch_ns" => Self::EpochNs,
            pattern if pattern.contains('%') => {
                if StrftimeItems::new(pattern).any(|item| matches!(item, Item::Error)) {
                    return Err(format!("`{pattern}` is not a time pattern: one of its `%` parts is unknown"));
                }
                Self::Custom(pattern.to_owned())
            }
            other => {
                return Err(format!(
                    "`{other}` is not a time format; write auto, rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns, \
                     or a pattern such as \"%Y-%m-%d %H:%M:%S\""
                ));
            }
        })
    }

    /// The text that [`TimeFormat::parse`] reads it from.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Rfc3339 => "rfc3339",
            Self::EpochS => "epoch_s",
            Self::EpochMs => "epoch_ms",
            Self::EpochUs => "epoch_us",
            Self::EpochNs => "epoch_ns",
            Self::Custom(pattern) => pattern,
        }
    }

    /// The time that a value means, if it is usable.
    pub fn read(&self, value: ValueRef<'_>) -> Option<Timestamp> {
        match (self, value) {
            (Self::Custom(pattern), ValueRef::Str(text)) => custom(text, pattern),
            (Self::Rfc3339, ValueRef::Str(text)) => rfc3339(text),
            (Self::Custom(_) | Self::Rfc3339, _) => None,
            (Self::Auto, ValueRef::Str(text)) => rfc3339(text).or_else(|| number(text, self)),
            (_, ValueRef::Str(text)) => number(text, self),
            (_, ValueRef::Int(v)) => whole(v.into(), self),
            (_, ValueRef::UInt(v)) => whole(v.into(), self),
            (_, ValueRef::Float(v)) => float(v, self),
            (_, ValueRef::Time(v)) => Some(v),
            _ => None,
        }
    }

    /// Nanoseconds in the unit of a number of this size.
    fn unit(&self, size: f64) -> i128 {
        match self {
            Self::EpochS => 1_000_000_000,
            Self::EpochMs => 1_000_000,
            Self::EpochUs => 1_000,
            Self::EpochNs => 1,
            _ if size < 1e11 => 1_000_000_000,
            _ if size < 1e14 => 1_000_000,
            _ if size < 1e17 => 1_000,
            _ => 1,
        }
    }
}

/// What the time fields of an event say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTime {
    /// A time.
    At(Timestamp),
    /// None of the fields is there.
    Absent,
    /// The first field that is there holds no usable time.
    Unusable,
}

/// Reads the time of events of one trie.
#[derive(Clone, Debug)]
pub struct TimeReader {
    fields: Vec<FieldId>,
    format: TimeFormat,
    /// The minute read last, as it was written, and the seconds before it: the next event is most often in the same.
    minute: ([u8; TO_MINUTE], i64),
}

impl TimeReader {
    /// `fields` are the slots of [`TimeConfig::fields`], in that order.
    pub fn new(fields: Vec<FieldId>, format: TimeFormat) -> Self {
        Self { fields, format, minute: (*b"1970-01-01T00:00", 0) }
    }

    /// The time of an event.
    #[inline]
    pub fn read(&mut self, slots: &[Slot], block: &str, arena: &Arena) -> EventTime {
        for field in &self.fields {
            let slot = slots[field.index()];
            if !slot.is_missing() {
                let value = slot.value(block, arena);
                let time = match (&self.format, value) {
                    (TimeFormat::Auto | TimeFormat::Rfc3339, ValueRef::Str(text)) => self.near(text.as_bytes()),
                    _ => None,
                };
                return time.or_else(|| self.format.read(value)).map_or(EventTime::Unusable, EventTime::At);
            }
        }
        EventTime::Absent
    }

    /// A time of the usual form; that of the minute before is not worked out again.
    #[inline]
    fn near(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (head, rest) = text.split_first_chunk()?;
        if *head != self.minute.0 {
            self.minute = (*head, minute(head)?);
        }
        in_minute(self.minute.1, rest)
    }
}

fn nanos(value: i128) -> Option<Timestamp> {
    i64::try_from(value).ok().map(Timestamp)
}

fn whole(value: i128, format: &TimeFormat) -> Option<Timestamp> {
    nanos(value.checked_mul(format.unit(value.unsigned_abs() as f64))?)
}

/// A float holds a time of this century to the microsecond, so finer digits are noise and are rounded off. Nanoseconds
/// are taken as they are.
fn float(value: f64, format: &TimeFormat) -> Option<Timestamp> {
    let unit = format.unit(value.abs());
    if unit == 1 {
        return nanos(value.round() as i128);
    }
    let micros = unit / 1_000;
    let units = value.trunc() as i128;
    let rest = (value.fract() * micros as f64).round() as i128;
    nanos(units.checked_mul(micros)?.checked_add(rest)?.checked_mul(1_000)?)
}

/// A text that is a decimal number; exact to the nanosecond, further digits are cut off.
fn number(text: &str, format: &TimeFormat) -> Option<Timestamp> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (units, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| (1..=30).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(units) || !plain(fraction) {
        return None;
    }
    let units: i128 = units.parse().ok()?;
    let unit = format.unit(units as f64);
    let mut total = units.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        total += place * i128::from(digit - b'0');
    }
    nanos(if negative { -total } else { total })
}

fn custom(text: &str, pattern: &str) -> Option<Timestamp> {
    let time = if let Ok(time) = DateTime::parse_from_str(text, pattern) {
        time.to_utc()
    } else if let Ok(time) = NaiveDateTime::parse_from_str(text, pattern) {
        time.and_utc()
    } else {
        NaiveDate::parse_from_str(text, pattern).ok()?.and_hms_opt(0, 0, 0)?.and_utc()
    };
    time.timestamp_nanos_opt().map(Timestamp)
}

/// RFC 3339, or the same with a space for the `T` or without a zone.
fn rfc3339(text: &str) -> Option<Timestamp> {
    if let Some(time) = utc(text.as_bytes()) {
        return Some(time);
    }
    if text.len() < 19 || text.as_bytes()[4] != b'-' {
        return None;
    }
    // Rarer forms: offsets, leap seconds, more than nine digits of a fraction.
    let parsed = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")));
    parsed.ok()?.timestamp_nanos_opt().map(Timestamp)
}

/// `YYYY-MM-DDTHH:MM:SS`, a fraction of up to nine digits or none, and `Z` or nothing: what nearly all events have.
fn utc(text: &[u8]) -> Option<Timestamp> {
    let (head, rest) = text.split_first_chunk()?;
    in_minute(minute(head)?, rest)
}

/// Bytes of a time up to its minute.
const TO_MINUTE: usize = 16;

/// The seconds before `YYYY-MM-DDTHH:MM`.
fn minute(text: &[u8; TO_MINUTE]) -> Option<i64> {
    let marks = [(4, b'-'), (7, b'-'), (13, b':')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let mut parts = [0i64; 5];
    for (part, range) in parts.iter_mut().zip([0..4, 5..7, 8..10, 11..13, 14..16]) {
        for byte in &text[range] {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            *part = *part * 10 + i64::from(digit);
        }
    }
    let [year, month, day, hour, minute] = parts;
    if !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60)
}

/// The time of `:SS`, a fraction and a zone, in the minute that begins after so many seconds.
#[inline]
fn in_minute(start: i64, text: &[u8]) -> Option<Timestamp> {
    let [b':', tens, ones, tail @ ..] = text else { return None };
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 5 || ones > 9 {
        return None;
    }
    let (mut fraction, mut tail) = (0, tail);
    if let [b'.', digits @ ..] = tail {
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 || count > 9 {
            return None;
        }
        for byte in &digits[..count] {
            fraction = fraction * 10 + i64::from(byte - b'0');
        }
        fraction *= 10i64.pow(9 - count as u32);
        tail = &digits[count..];
    }
    if !matches!(tail, [] | [b'Z' | b'z']) {
        return None;
    }
    let seconds = start + i64::from(tens * 10 + ones);
    // In this order, since the first nanosecond that there is lies within a second.
    nanos(i128::from(seconds) * 1_000_000_000 + i128::from(fraction))
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Years are counted from March, so that a leap day is the
/// last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests;
