//! From the body of a request to lines: unpacked, and taken apart if it is an array. Pure.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use zstd::stream::read::Decoder as ZstdDecoder;

use crate::io::listen::queue::Lines;

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// A JSON object a line.
    Ndjson,
    /// One JSON value: an array of events, or a single one.
    Json,
}

impl Media {
    /// By the value of `Content-Type`.
    pub fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Some(Self::Ndjson)
            }
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// Gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Packing {
    /// By the value of `Content-Encoding`, if there is one.
    pub fn of(content_encoding: Option<&str>) -> Option<Self> {
        match content_encoding.map(|word| word.trim().to_ascii_lowercase()).as_deref() {
            None | Some("identity" | "") => Some(Self::None),
            Some("gzip" | "x-gzip") => Some(Self::Gzip),
            Some("zstd") => Some(Self::Zstd),
            Some(_) => None,
        }
    }
}

/// Why a body cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnpackError {
    /// It is larger than allowed.
    TooLarge,
    /// It is not what it is said to be; a sentence.
    Broken(String),
}

/// Unpacks a body to at most so many bytes.
///
/// # Errors
/// It is broken, cut off, or larger.
pub fn unpack(body: Vec<u8>, packing: Packing, most: usize) -> Result<Vec<u8>, UnpackError> {
    let broken = |name: &str| {
        let message = format!("the body is no whole {name} data");
        move |_: std::io::Error| UnpackError::Broken(message)
    };
    let mut unpacked = Vec::new();
    let limit = most as u64 + 1;
    match packing {
        Packing::None => return Ok(body),
        Packing::Gzip => {
            MultiGzDecoder::new(&body[..]).take(limit).read_to_end(&mut unpacked).map_err(broken("gzip"))?;
        }
        Packing::Zstd => {
            let decoder = ZstdDecoder::new(&body[..]).map_err(broken("zstd"))?;
            decoder.take(limit).read_to_end(&mut unpacked).map_err(broken("zstd"))?;
        }
    }
    if unpacked.len() > most { Err(UnpackError::TooLarge) } else { Ok(unpacked) }
}

/// The lines of a body, and how many events they may be.
///
/// # Errors
/// A sentence that says where JSON is broken. A broken line of NDJSON is no error: it costs itself.
pub fn lines(mut body: Vec<u8>, media: Media) -> Result<(Lines, u64), String> {
    let mut lines = Lines::default();
    match media {
        Media::Ndjson => {
            if body.last().is_some_and(|last| *last != b'\n') {
                body.push(b'\n');
            }
            let events = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count() as u64;
            lines.count = memchr::memchr_iter(b'\n', &body).count() as u64;
            lines.bytes = body;
            if events == 0 {
                lines = Lines::default();
            }
            Ok((lines, events))
        }
        Media::Json => {
            let json = body.trim_ascii_start();
            let mut reader = serde_json::Deserializer::from_slice(&body);
            let read = if json.first() == Some(&b'[') {
                reader.deserialize_seq(Elements(&mut lines))
            } else {
                serde::Deserialize::deserialize(&mut reader).map(|value: &RawValue| element(value, &mut lines))
            };
            read.and_then(|()| reader.end()).map_err(|error| broken(&error))?;
            let events = lines.count;
            Ok((lines, events))
        }
    }
}

fn broken(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or(&what);
    format!("the JSON is broken at line {}, column {}: {what}; nothing was taken", error.line(), error.column())
}

/// A JSON value as a line: line feeds stand between its parts only, where a space says the same.
fn element(value: &RawValue, lines: &mut Lines) {
    lines.push(value.get().as_bytes());
}

/// Each element of an array as a line.
struct Elements<'a>(&'a mut Lines);

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<&RawValue>()? {
            element(value, self.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<String, String> {
        let (lines, events) = lines(text.as_bytes().to_vec(), Media::Json)?;
        assert_eq!(events, lines.count);
        Ok(String::from_utf8(lines.bytes).expect("text"))
    }

    #[test]
    fn an_array_gives_a_line_for_each_element() {
        assert_eq!(json("[]").as_deref(), Ok(""));
        assert_eq!(json(" [ {\"a\":1} ,\n{\"b\":\n [2,\r\n3]} ] ").as_deref(), Ok("{\"a\":1}\n{\"b\":  [2,\r 3]}\n"));
        assert_eq!(json("{\"a\":\n1}\n").as_deref(), Ok("{\"a\": 1}\n"));
        assert_eq!(json("[1, null]").as_deref(), Ok("1\nnull\n"), "which are then rejected, one by one");
    }

    #[test]
    fn a_broken_array_says_where() {
        let told = json("[{\"a\":1},\n {\"b\" 2}]").expect_err("no colon");
        assert!(told.starts_with("the JSON is broken at line 2, column 7"), "{told}");
        for broken in ["[", "[{}", "[{}]]", "[{},]", "{\"a\":1}{\"b\":2}", "", "[{\"a\":\"\n\"}]", "\u{feff}[]"] {
            assert!(json(broken).is_err(), "{broken:?}");
        }
        assert!(lines(b"[\"\xff\"]".to_vec(), Media::Json).is_err());
    }

    #[test]
    fn lines_are_taken_as_they_are() {
        let (lines, events) = lines(b"{\"a\":1}\n\nnot json\n{\"b\":2}".to_vec(), Media::Ndjson).expect("lines");
        assert_eq!((lines.bytes.as_slice(), lines.count, events), (&b"{\"a\":1}\n\nnot json\n{\"b\":2}\n"[..], 4, 3));
        assert!(super::lines(b" \n\n".to_vec(), Media::Ndjson).expect("lines").0.is_empty());
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_before_it_is_unpacked() {
        let zeros = vec![b' '; 10 << 20];
        let packed = zstd::encode_all(&zeros[..], 3).expect("packed");
        assert!(packed.len() < 10_000);
        assert_eq!(unpack(packed.clone(), Packing::Zstd, 1 << 20), Err(UnpackError::TooLarge));
        assert_eq!(unpack(packed.clone(), Packing::Zstd, 10 << 20), Ok(zeros));
        let cut = packed[..packed.len() - 3].to_vec();
        assert!(matches!(unpack(cut, Packing::Zstd, 10 << 20), Err(UnpackError::Broken(_))));
        assert!(matches!(unpack(packed, Packing::Gzip, 10 << 20), Err(UnpackError::Broken(_))));
    }
}
