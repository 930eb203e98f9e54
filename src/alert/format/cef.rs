//! Alerts in the Common Event Format, version 0: one line, a head with bars and pairs after it.
//!
//! ```text
//! CEF:0|Tripline|Tripline|0.1.0|rule|title|8|rt=… externalId=… msg=… cs1Label=key cs1=… tripline.user=…
//! ```
//! Escaped as the format says: `\` and `|` in the head, `\` and `=` in values, line ends in values as `\n` and `\r`.
//! What else a reader could not see, or a terminal would obey, is written out as `\\u{…}`.

use std::fmt::Write;

use super::words;
use crate::alert::Alert;
use crate::base::visible;

/// Appends the alert as one line.
pub(super) fn write(alert: &Alert, out: &mut String) {
    out.push_str("CEF:0|Tripline|Tripline|");
    out.push_str(env!("CARGO_PKG_VERSION"));
    for text in [&*alert.rule_name, words::title(alert)] {
        out.push('|');
        head(text, out);
    }
    write!(out, "|{}|", words::of_ten(alert.severity)).expect("a String takes any text");
    pair("rt", &alert.time.as_millis().to_string(), out);
    pair("externalId", &alert.id, out);
    pair("act", words::status(alert), out);
    pair("msg", &words::message(alert), out);
    if let Some((start, end)) = words::span(alert) {
        pair("start", &start.as_millis().to_string(), out);
        pair("end", &end.as_millis().to_string(), out);
        pair("cnt", &words::count(alert).to_string(), out);
    }
    if !alert.tags.is_empty() {
        pair("cat", &alert.tags.join(","), out);
    }
    for (name, value) in alert.key.iter().chain(alert.values.iter().filter(|(name, _)| name != "message")) {
        pair(&format!("tripline.{}", words::plain_name(name)), &words::value_text(value), out);
    }
    if alert.suppressed > 0 {
        pair("tripline.suppressed", &alert.suppressed.to_string(), out);
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

fn head(text: &str, out: &mut String) {
    for c in visible(&text.replace(['\r', '\n'], " ")).chars() {
        if matches!(c, '\\' | '|') {
            out.push('\\');
        }
        out.push(c);
    }
}

fn pair(name: &str, value: &str, out: &mut String) {
    out.push_str(name);
    out.push('=');
    for part in value.split_inclusive(['\r', '\n']) {
        let text = part.trim_end_matches(['\r', '\n']);
        for c in visible(text).chars() {
            if matches!(c, '\\' | '=') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push_str(match part.chars().last() {
            Some('\n') => "\\n",
            Some('\r') => "\\r",
            _ => "",
        });
    }
    out.push(' ');
}
