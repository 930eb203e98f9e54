//! What a record of an alert is: its topic, its key, its headers, its text.

use crate::alert::format::Format;
use crate::io::sink::secret::Secret;

/// Bytes of the name of a topic at most.
pub const LONGEST_TOPIC: usize = 249;

/// How alerts become records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecords {
    /// The topic; `{rule}` and `{severity}` stand for those of the alert.
    pub topic: String,
    /// What records are keyed by.
    pub key_by: KeyBy,
    /// How alerts are written.
    pub format: Format,
    /// Headers besides those that every record has.
    pub headers: Vec<(String, Secret)>,
}

impl AlertRecords {
    /// What kind of text a record holds.
    pub fn content_type(&self) -> &'static str {
        match self.format {
            Format::Json | Format::Ecs | Format::Ocsf => "application/json",
            _ => "text/plain",
        }
    }
}

/// What the records of alerts are keyed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyBy {
    /// The key of the alert: what belongs together is in one partition, in order. Without a key, the id.
    #[default]
    Key,
    /// The id of the alert: a compacted topic keeps what was said of it last.
    Id,
    /// Records have no key.
    Nothing,
}

/// Whether alerts can be written to a topic; `{rule}` and `{severity}` stand for those of the alert.
pub fn is_topic(template: &str) -> bool {
    let plain = template.replace("{severity}", "s").replace("{rule}", "r");
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !matches!(plain.as_str(), "" | "." | "..") && plain.len() <= LONGEST_TOPIC && plain.chars().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_checked() {
        for good in ["alerts", "alerts.{severity}", "a-b_c.{rule}"] {
            assert!(is_topic(good), "{good}");
        }
        for wrong in ["", ".", "..", "a b", "a/b", "{other}", "ä", &"a".repeat(250)] {
            assert!(!is_topic(wrong), "{wrong:?}");
        }
    }
}
