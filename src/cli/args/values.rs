//! Parsers of values on the command line: words of the configuration, levels, durations and times.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tripline::base::{Duration, Timestamp};
use tripline::config::{self, Choice};
use tripline::plan::ruleset::Severity;

/// A parser of the words of a [`Choice`].
pub fn one_of<T: Choice + Send + Sync>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::WORDS.iter().map(|(word, _)| *word))
        .map(|word| T::from_word(&word).expect("clap lets only the listed words pass"))
}

/// A parser of levels of severity.
pub fn level() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::as_str))
        .map(|word| Severity::from_word(&word).expect("clap lets only the listed words pass"))
}

/// A duration, such as 1m30s.
pub fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text)
}

/// A time, or a date.
pub fn timestamp(text: &str) -> Result<Timestamp, String> {
    config::timestamp(text)
}
