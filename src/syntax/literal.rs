//! Literals: what a written string, duration, number or regular expression means.
//!
//! Pure functions over the written text; the builders turn their errors into diagnostics.

use std::ops::Range;

use crate::base::time::UNITS;

/// An escape that means nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EscapeError {
    /// The escape, in bytes of the string's inside.
    pub(super) range: Range<usize>,
    pub(super) message: String,
    /// The backslash was perhaps meant as itself.
    pub(super) doubling_helps: bool,
}

/// The value of a string's inside. What cannot be resolved stays as written.
pub(super) fn unescape(inner: &str, single_quotes: bool) -> (String, Vec<EscapeError>) {
    let mut value = String::with_capacity(inner.len());
    let mut errors = Vec::new();
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        value.push_str(&rest[..at]);
        let start = inner.len() - rest.len() + at;
        let after = &rest[at + 1..];
        let Some(letter) = after.chars().next() else { break };
        let mut len = letter.len_utf8();
        match letter {
            '\\' => value.push('\\'),
            '"' => value.push('"'),
            '\'' if single_quotes => value.push('\''),
            'n' => value.push('\n'),
            't' => value.push('\t'),
            'u' => {
                let (written, found) = unicode(after);
                len = written;
                match found {
                    Some(c) => value.push(c),
                    None => {
                        value.push_str(&rest[at..at + 1 + len]);
                        let message = format!("`{}` names no character", &rest[at..at + 1 + len]);
                        errors.push(EscapeError { range: start..start + 1 + len, message, doubling_helps: false });
                    }
                }
            }
            other => {
                value.push('\\');
                value.push(other);
                let message = format!("`\\{}` is not an escape", other.escape_debug());
                errors.push(EscapeError { range: start..start + 1 + len, message, doubling_helps: true });
            }
        }
        rest = &after[len..];
    }
    value.push_str(rest);
    (value, errors)
}

/// Reads `u{1f600}`: its length, and the character if there is one.
fn unicode(text: &str) -> (usize, Option<char>) {
    let Some(digits) = text.strip_prefix("u{") else { return (1, None) };
    let Some(close) = digits.bytes().take(9).position(|b| b == b'}') else {
        let len = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
        return (2 + len, None);
    };
    let hex = &digits[..close];
    let valid = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let found = valid.then(|| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)).flatten();
    (2 + close + 1, found)
}

/// Why a duration literal has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DurationError {
    /// Over 292 years.
    Overflow,
    /// A unit twice, or a smaller unit before a larger one.
    Order,
}

/// The nanoseconds of a literal such as `1h30m`. The text has the form that the grammar asks for.
pub(super) fn duration(text: &str) -> Result<i64, DurationError> {
    let mut total: i64 = 0;
    let mut last_unit = i64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = &rest[digits..digits + letters];
        let nanos = UNITS.iter().find(|(name, _)| *name == unit).map_or(1, |(_, nanos)| *nanos);
        if nanos >= last_unit {
            return Err(DurationError::Order);
        }
        last_unit = nanos;
        let number: i64 = rest[..digits].parse().map_err(|_| DurationError::Overflow)?;
        let part = number.checked_mul(nanos).ok_or(DurationError::Overflow)?;
        total = total.checked_add(part).ok_or(DurationError::Overflow)?;
        rest = &rest[digits + letters..];
        if digits + letters == 0 {
            break;
        }
    }
    Ok(total)
}

/// What `5 minutes`, `10 s` or `1.5h` would be as a literal.
pub(super) fn spoken_duration(text: &str) -> Option<String> {
    let number_len = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let unit = text[number_len..].trim().to_ascii_lowercase();
    let unit = match unit.as_str() {
        "w" | "week" | "weeks" => "w",
        "d" | "day" | "days" => "d",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => "ms",
        "us" | "microseconds" => "us",
        _ => "ns",
    };
    let number = &text[..number_len];
    if let Ok(whole) = number.parse::<u64>() {
        return Some(format!("{whole}{unit}"));
    }
    let nanos = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    let value = number.parse::<f64>().ok()? * nanos as f64;
    (value < 9e18).then(|| crate::base::Duration(value.round() as i64).to_string())
}

/// An integer literal, if it fits `i64` or `u64`.
pub(super) fn integer(text: &str) -> Option<i128> {
    text.parse::<i128>().ok().filter(|n| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(n))
}

/// The pattern and flags of `/…/flags`.
pub(super) fn regex(text: &str) -> (String, &str) {
    let close = text.rfind('/').unwrap_or(0).max(1);
    let (body, flags) = (&text[1..close], &text[close..]);
    (body.replace("\\/", "/"), flags.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(duration("1w2d3h4m5s6ms7us8ns"), Ok(788_645_006_007_008));
        assert_eq!(duration("0s"), Ok(0));
        assert_eq!(duration("300000000000000w"), Err(DurationError::Overflow));
        assert_eq!(duration("99999999999999999999s"), Err(DurationError::Overflow));
        assert_eq!(duration("1m1h"), Err(DurationError::Order));
        assert_eq!(duration("1m1m"), Err(DurationError::Order));
    }

    #[test]
    fn spoken_durations() {
        assert_eq!(spoken_duration("5 minutes").as_deref(), Some("5m"));
        assert_eq!(spoken_duration("1.5h").as_deref(), Some("1h30m"));
        assert_eq!(spoken_duration("10 s").as_deref(), Some("10s"));
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(r#"a\\b\"\n\t\u{e9}"#, false), ("a\\b\"\n\té".to_owned(), vec![]));
        let (value, errors) = unescape(r"C:\Windows \u{d800}", false);
        assert_eq!(value, r"C:\Windows \u{d800}");
        assert_eq!(errors.iter().map(|e| e.range.clone()).collect::<Vec<_>>(), [2..4, 11..19]);
    }

    #[test]
    fn integers_fit_64_bits() {
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX.into()));
        assert_eq!(integer("18446744073709551616"), None);
    }

    #[test]
    fn regex_literals() {
        assert_eq!(regex(r"/a\/b\.c/i"), ("a/b\\.c".to_owned(), "i"));
        assert_eq!(regex("/a/"), ("a".to_owned(), ""));
    }
}
