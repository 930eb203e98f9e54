//! Event time: nanoseconds since 1970 in an `i64`, and durations in the same unit.
//!
//! Arithmetic saturates: a bound of `1000000d` is a far bound, not an overflow.

use std::fmt;
use std::ops::{Add, Range, Sub};

use chrono::{Datelike, Timelike};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// A point in event time: nanoseconds since 1970-01-01T00:00:00Z, from 1677 to 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A length of time in nanoseconds. May be negative when two times are subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Duration(pub i64);

impl Timestamp {
    /// Before every event.
    pub const MIN: Self = Self(i64::MIN);
    /// After every event; as a watermark, the end of the input.
    pub const MAX: Self = Self(i64::MAX);

    /// From whole milliseconds since 1970.
    pub fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since 1970, rounded down.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// RFC 3339 in UTC, with milliseconds, or with as many digits as the time has if it is finer. An alert has a time for
    /// each event that it names, so the digits are put down one by one: years of a timestamp have four.
    pub fn rfc3339(self) -> CompactString {
        let time = chrono::DateTime::from_timestamp_nanos(self.0).naive_utc();
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let mut put = |mut number: u32, at: Range<usize>| {
            for digit in text[at].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(time.year().unsigned_abs(), 0..4);
        put(time.month(), 5..7);
        put(time.day(), 8..10);
        put(time.hour(), 11..13);
        put(time.minute(), 14..16);
        put(time.second(), 17..19);
        put(time.nanosecond(), 20..29);
        let digits = match self.0 {
            ns if ns % 1_000_000 == 0 => 3,
            ns if ns % 1_000 == 0 => 6,
            _ => 9,
        };
        text[20 + digits] = b'Z';
        CompactString::from_utf8_lossy(&text[..21 + digits])
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any span between two events.
    pub const MAX: Self = Self(i64::MAX);

    /// From whole milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// From whole seconds.
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    #[inline]
    fn add(self, rhs: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(rhs.0))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    #[inline]
    fn sub(self, rhs: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(rhs.0))
    }
}

impl Sub for Timestamp {
    type Output = Duration;
    #[inline]
    fn sub(self, rhs: Timestamp) -> Duration {
        Duration(self.0.saturating_sub(rhs.0))
    }
}

impl Add for Duration {
    type Output = Duration;
    #[inline]
    fn add(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_add(rhs.0))
    }
}

/// The units of a duration literal, largest first: name and nanoseconds.
pub const UNITS: [(&str, i64); 8] = [
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Writes the literal of the rule language that means this duration: `1h30m`, `500ms`, `0s`.
/// Weeks are written in days, so that `90d` stays `90d`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut rest = self.0.unsigned_abs();
        for (name, unit) in &UNITS[1..] {
            let unit = unit.unsigned_abs();
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

/// As [`Timestamp::rfc3339`].
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_literals() {
        assert_eq!(Duration::from_secs(5400).to_string(), "1h30m");
        assert_eq!(Duration::from_secs(90 * 86_400).to_string(), "90d");
        assert_eq!(Duration(1_500_000).to_string(), "1ms500us");
        assert_eq!(Duration(-1_000_000_000).to_string(), "-1s");
        assert_eq!(Duration::ZERO.to_string(), "0s");
    }

    #[test]
    fn times_print_as_rfc3339() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(1_001).to_string(), "1970-01-01T00:00:00.000001001Z");
        assert_eq!(Timestamp(1_001_000).to_string(), "1970-01-01T00:00:00.001001Z");
        assert_eq!(Timestamp::MIN.to_string(), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(Timestamp::MAX.to_string(), "2262-04-11T23:47:16.854775807Z");
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::from_secs(1), Timestamp::MIN);
    }
}
