//! Numbers and byte strings one after the other, as the forms of this module are written.

use thiserror::Error;

/// Why bytes that came back from a host are of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Another release wrote them.
    #[error("{what} of form {found}, this release reads form {wanted}")]
    Version {
        /// What they are.
        what: &'static str,
        /// Theirs.
        found: u8,
        /// Ours.
        wanted: u8,
    },
    /// They end too early, or say what cannot be.
    #[error("{0} that are damaged")]
    Damaged(&'static str),
}

/// Appends a number.
pub(super) fn put_number(n: u64, out: &mut Vec<u8>) {
    let bytes = postcard::to_extend(&n, std::mem::take(out)).expect("memory takes any bytes");
    *out = bytes;
}

/// Appends bytes with their length.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Reads what was appended, in the same order.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader behind the version, which must be `wanted`.
    pub(super) fn new(what: &'static str, bytes: &'a [u8], wanted: u8) -> Result<Self, FormatError> {
        match bytes.split_first() {
            Some((found, rest)) if *found == wanted => Ok(Self { rest, what }),
            Some((found, _)) => Err(FormatError::Version { what, found: *found, wanted }),
            None => Err(FormatError::Damaged(what)),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn damaged(&self) -> FormatError {
        FormatError::Damaged(self.what)
    }

    pub(super) fn value<T: serde::Deserialize<'a>>(&mut self) -> Result<T, FormatError> {
        let (value, rest) = postcard::take_from_bytes(self.rest).map_err(|_| self.damaged())?;
        self.rest = rest;
        Ok(value)
    }

    /// The next value if it is a text, else nothing is read.
    pub(super) fn text_value(&mut self) -> Result<Option<&'a str>, FormatError> {
        // The number of the case, as `Value` is written.
        const TEXT: u8 = 5;
        let Some((&TEXT, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| self.damaged())
    }

    pub(super) fn number(&mut self) -> Result<u64, FormatError> {
        self.value()
    }

    pub(super) fn word(&mut self) -> Result<u64, FormatError> {
        let (word, rest) = self.rest.split_first_chunk::<8>().ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*word))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], FormatError> {
        let length = self.number()?;
        let length = usize::try_from(length).map_err(|_| self.damaged())?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Duration, Timestamp, Value};

    /// A text is read without the rest, and what is borrowed is written as what is owned.
    #[test]
    fn values_are_written_in_one_form() {
        let values = [
            Value::Missing,
            Value::Bool(true),
            Value::Int(-3),
            Value::UInt(u64::MAX),
            Value::Float(0.5),
            Value::Str("text".into()),
            Value::List([Value::Int(1), Value::Str("in".into())].into()),
            Value::Object([("k".into(), Value::Bool(false))].into()),
            Value::Time(Timestamp(7)),
            Value::Duration(Duration(8)),
        ];
        for value in values {
            let owned = postcard::to_extend(&value, vec![1]).expect("plain data");
            assert_eq!(owned, postcard::to_extend(&value.as_ref(), vec![1]).expect("plain data"));
            let mut reader = Reader::new("a value", &owned, 1).expect("a version");
            let text = reader.text_value().expect("sound").map(str::to_owned);
            assert_eq!(text.as_deref(), if let Value::Str(text) = &value { Some(&**text) } else { None });
            assert!(text.is_some() || reader.value::<Value>() == Ok(value));
            assert!(reader.is_over());
        }
    }
}
