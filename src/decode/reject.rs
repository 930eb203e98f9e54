//! Why a line gives no event: one stable name for each reason, used in counters and in the rejects output.
//!
//! Names are never reused for another meaning.

use std::fmt;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reject {
    /// The line is a JSON value, but not an object.
    NotAnObject,
    /// The line ends inside a value.
    Truncated,
    /// A character stands where the grammar has no place for it.
    Syntax,
    /// A control character inside a string; it must be written as an escape.
    ControlCharacter,
    /// An escape that JSON does not know.
    BadEscape,
    /// Something that begins like a number and is none, such as `01` or `1.`.
    BadNumber,
    /// A number too large for a 64-bit float.
    NumberOverflow,
    /// Arrays and objects nested deeper than the limit.
    TooDeep,
    /// Something follows the object on its line.
    TrailingData,
    /// The line is not UTF-8.
    InvalidUtf8,
    /// The line is longer than the limit.
    LineTooLong,
    /// No usable time, and the configuration asks to reject such events.
    NoTime,
    /// A message that does not begin with a priority, where syslog is expected.
    NotSyslog,
    /// A row that has other columns than the head of its table, or is no row at all.
    BadRow,
}

impl Reject {
    /// Every reason, in the order of their numbers: `ALL[reason as usize] == reason`.
    pub const ALL: [Self; 14] = [
        Self::NotAnObject,
        Self::Truncated,
        Self::Syntax,
        Self::ControlCharacter,
        Self::BadEscape,
        Self::BadNumber,
        Self::NumberOverflow,
        Self::TooDeep,
        Self::TrailingData,
        Self::InvalidUtf8,
        Self::LineTooLong,
        Self::NoTime,
        Self::NotSyslog,
        Self::BadRow,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::Truncated => "truncated",
            Self::Syntax => "syntax",
            Self::ControlCharacter => "control_character",
            Self::BadEscape => "bad_escape",
            Self::BadNumber => "bad_number",
            Self::NumberOverflow => "number_overflow",
            Self::TooDeep => "too_deep",
            Self::TrailingData => "trailing_data",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::LineTooLong => "line_too_long",
            Self::NoTime => "no_time",
            Self::NotSyslog => "not_syslog",
            Self::BadRow => "bad_row",
        }
    }

    /// A few words for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NotAnObject => "the line is not a JSON object",
            Self::Truncated => "the line ends inside a value",
            Self::Syntax => "unexpected character",
            Self::ControlCharacter => "control character inside a string",
            Self::BadEscape => "unknown escape in a string",
            Self::BadNumber => "malformed number",
            Self::NumberOverflow => "number too large for a 64-bit float",
            Self::TooDeep => "nested too deeply",
            Self::TrailingData => "something follows the object",
            Self::InvalidUtf8 => "the line is not UTF-8",
            Self::LineTooLong => "the line is longer than the limit",
            Self::NoTime => "no usable time",
            Self::NotSyslog => "the message does not begin with a priority",
            Self::BadRow => "the row does not fit the head of its table",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// What is wrong with a line of JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub reason: Reject,
    /// The byte of the line, counted from 0, at which it shows.
    pub offset: u32,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.offset)
    }
}

impl std::error::Error for JsonError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_names_differ() {
        for (number, reason) in Reject::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            assert_eq!(Reject::ALL.iter().filter(|other| other.name() == reason.name()).count(), 1);
        }
    }
}
