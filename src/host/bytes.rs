//! Numbers and byte strings one after the other, as the forms of this module are written.

use thiserror::Error;

use crate::base::{Value, ValueRef};

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

/// Appends a number, as postcard does: seven bits a byte, the lowest first.
#[inline]
pub(super) fn put_number(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The numbers of the cases of a value, as they are written, and signs.
const INT: u8 = 2;
const FLOAT: u8 = 4;
const TEXT: u8 = 5;

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Appends a number with a sign.
#[inline]
pub(super) fn put_signed(n: i64, out: &mut Vec<u8>) {
    put_number(zigzag(n), out);
}

/// Appends a value. What is usual is written by hand, and the same as postcard would.
#[inline]
pub(super) fn put_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Str(text) => {
            out.push(TEXT);
            put_bytes(text.as_bytes(), out);
        }
        ValueRef::Int(n) => {
            out.push(INT);
            put_signed(n, out);
        }
        ValueRef::Float(n) => {
            out.push(FLOAT);
            out.extend_from_slice(&n.to_le_bytes());
        }
        other => *out = postcard::to_extend(&other, std::mem::take(out)).expect("memory takes any bytes"),
    }
}

/// A value as it is read: texts stay where they are.
#[derive(Debug, PartialEq)]
pub(super) enum ReadValue<'a> {
    Int(i64),
    Float(f64),
    Text(&'a str),
    Other(Value),
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

    /// A value, as [`put_value`] writes it.
    #[inline]
    pub(super) fn any_value(&mut self) -> Result<ReadValue<'a>, FormatError> {
        let Some((kind, rest)) = self.rest.split_first() else { return Err(self.damaged()) };
        match *kind {
            TEXT => {
                self.rest = rest;
                let bytes = self.bytes()?;
                std::str::from_utf8(bytes).map(ReadValue::Text).map_err(|_| self.damaged())
            }
            INT => {
                self.rest = rest;
                Ok(ReadValue::Int(self.signed()?))
            }
            FLOAT => {
                self.rest = rest;
                Ok(ReadValue::Float(f64::from_bits(self.word()?)))
            }
            _ => self.value().map(ReadValue::Other),
        }
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, FormatError> {
        match self.rest.split_first() {
            Some((n @ 0..0x80, rest)) => {
                self.rest = rest;
                Ok(u64::from(*n))
            }
            _ => self.value(),
        }
    }

    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64, FormatError> {
        self.number().map(unzigzag)
    }

    #[inline]
    pub(super) fn word(&mut self) -> Result<u64, FormatError> {
        let (word, rest) = self.rest.split_first_chunk::<8>().ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*word))
    }

    #[inline]
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

    /// What is written by hand is what postcard writes, and it is read back.
    #[test]
    fn values_are_written_in_one_form() {
        let values = [
            Value::Missing,
            Value::Bool(true),
            Value::Int(-3),
            Value::Int(i64::MIN),
            Value::Int(i64::MAX),
            Value::UInt(u64::MAX),
            Value::Float(0.5),
            Value::Float(-0.0),
            Value::Str("text".into()),
            Value::Str("long ".repeat(100).into()),
            Value::List([Value::Int(1), Value::Str("in".into())].into()),
            Value::Object([("k".into(), Value::Bool(false))].into()),
            Value::Time(Timestamp(7)),
            Value::Duration(Duration(8)),
        ];
        for value in values {
            let owned = postcard::to_extend(&value, vec![1]).expect("plain data");
            let mut by_hand = vec![1];
            put_value(value.as_ref(), &mut by_hand);
            assert_eq!(by_hand, owned);
            let mut reader = Reader::new("a value", &owned, 1).expect("a version");
            let read = match reader.any_value().expect("sound") {
                ReadValue::Int(n) => Value::Int(n),
                ReadValue::Float(n) => Value::Float(n),
                ReadValue::Text(text) => Value::Str(text.into()),
                ReadValue::Other(value) => value,
            };
            assert_eq!(read, value);
            assert!(reader.is_over());
            for end in 1..owned.len() {
                assert!(Reader::new("a value", &owned[..end], 1).expect("a version").any_value().is_err());
            }
        }
        for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut by_hand = vec![1];
            put_number(n, &mut by_hand);
            assert_eq!(by_hand, postcard::to_extend(&n, vec![1]).expect("plain data"));
            assert_eq!(Reader::new("a number", &by_hand, 1).expect("a version").number(), Ok(n));
            let signed = n as i64;
            put_signed(signed, &mut by_hand);
            assert!(by_hand.ends_with(&postcard::to_extend(&signed, Vec::new()).expect("plain data")));
        }
    }
}
