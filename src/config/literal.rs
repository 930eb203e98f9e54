//! Durations and times as texts of settings: the literals of the rule language, and RFC 3339.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::base::time::UNITS;
use crate::base::{Duration, Timestamp};

/// A duration literal of the rule language: `30s`, `1h30m`, `0s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let problem = || format!("`{text}` is not a duration: write a number with a unit, such as 500ms, 30s, 5m or 1h30m");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(problem());
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, tail) = tail.split_at(letters);
        let number: i64 = number.parse().map_err(|_| problem())?;
        let nanoseconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, n)| *n).ok_or_else(problem)?;
        total = number
            .checked_mul(nanoseconds)
            .and_then(|n| total.checked_add(n))
            .ok_or_else(|| format!("`{text}` is longer than time itself here: at most 292 years"))?;
        rest = tail;
    }
    Ok(Duration(total))
}

/// A number of bytes: `100MB`, `1GiB`, `4096`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let problem = || format!("`{text}` is no size: write a number with a unit, such as 64KiB, 100MB or 1GiB");
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| problem())?;
    let scale: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(problem()),
    };
    number.checked_mul(scale).ok_or_else(problem)
}

/// A time: RFC 3339, the same without a zone (UTC), or a date (its first moment in UTC).
pub fn timestamp(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let time = DateTime::parse_from_rfc3339(text)
        .map(|t| t.to_utc())
        .ok()
        .or_else(|| {
            let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
            formats.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok()).map(|t| t.and_utc())
        })
        .or_else(|| {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(date.and_hms_opt(0, 0, 0)?.and_utc())
        })
        .ok_or_else(|| format!("`{text}` is not a time: write 2026-01-31T12:00:00Z, or a date such as 2026-01-31"))?;
    time.timestamp_nanos_opt()
        .map(Timestamp)
        .ok_or_else(|| format!("`{text}` lies outside the years 1677 to 2262, which event time can hold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_literals() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "5", "5 m", "m", "5x", "-5s", "1.5h", "99999999999d", "5m!"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("100MB"), Ok(100_000_000));
        assert_eq!(bytes("1 GiB"), Ok(1 << 30));
        for wrong in ["", "MB", "1.5MB", "-1", "1TB!", "99999999999GiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_rfc3339_or_dates() {
        assert_eq!(timestamp("1970-01-01T00:00:01Z"), Ok(Timestamp::from_millis(1000)));
        assert_eq!(timestamp("1970-01-01T01:00:00+01:00"), Ok(Timestamp(0)));
        assert_eq!(timestamp("1970-01-02"), Ok(Timestamp::from_millis(86_400_000)));
        assert_eq!(timestamp("1970-01-01 00:00:00.5"), Ok(Timestamp::from_millis(500)));
        assert!(timestamp("yesterday").is_err());
        assert!(timestamp("9999-01-01").is_err());
    }
}
