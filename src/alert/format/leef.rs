//! Alerts in the Log Event Extended Format, version 2: one line, a head with bars and pairs with tabs between.
//!
//! ```text
//! LEEF:2.0|Tripline|Tripline|0.1.0|rule|x09|devTime=…⇥sev=8⇥id=…
//! ```
//! The format has no way to escape: tabs, line ends and what else cannot be seen are written out as in Rust
//! (`\t`, `\n`, `\u{…}`), a bar in the head as `\u{7c}`.

use std::fmt::Write;

use super::words;
use crate::alert::Alert;
use crate::base::visible;

/// Appends the alert as one line.
pub(super) fn write(alert: &Alert, out: &mut String) {
    let rule = visible(&alert.rule_name).replace('|', "\\u{7c}");
    write!(out, "LEEF:2.0|Tripline|Tripline|{}|{rule}|x09|", env!("CARGO_PKG_VERSION"))
        .expect("a String takes any text");
    pair("devTime", &alert.time.to_string(), out);
    pair("devTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSX", out);
    pair("sev", &words::of_ten(alert.severity).to_string(), out);
    if let Some(tag) = alert.tags.first() {
        pair("cat", tag, out);
    }
    pair("id", &alert.id, out);
    pair("status", words::status(alert), out);
    pair("title", words::title(alert), out);
    pair("msg", &words::message(alert), out);
    if alert.tags.len() > 1 {
        pair("tags", &alert.tags.join(","), out);
    }
    for (name, value) in alert.key.iter().chain(alert.values.iter().filter(|(name, _)| name != "message")) {
        pair(&format!("tripline.{}", words::plain_name(name)), &words::value_text(value), out);
    }
    if alert.suppressed > 0 {
        pair("tripline.suppressed", &alert.suppressed.to_string(), out);
    }
    out.truncate(out.trim_end_matches('\t').len());
    out.push('\n');
}

fn pair(name: &str, value: &str, out: &mut String) {
    write!(out, "{name}={}\t", visible(value)).expect("a String takes any text");
}
