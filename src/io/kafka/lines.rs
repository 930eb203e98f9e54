//! Records of one partition as lines, so that they are events like any others.
//!
//! ```text
//! offset 7  {"a":1}          line 8   {"a":1}                    or  {"kafka":{"topic":…,"offset":7,…},"a":1}
//! offset 8  (tombstone)  ─►  line 9   (blank)
//! offset 12 {"a":            line 13  {"a":                      which the decoder rejects
//! ```
//! The number of a line is the offset of its record and one more, whatever else was read: so the position of an event,
//! and with it the ids of alerts, are the same for whoever reads the partition from wherever. Where a record may hold
//! several lines, an offset has room for [`MOST_LINES`] of them. Offsets that are missing, as in a compacted topic, are
//! blank lines if they are few; else a new block begins.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

/// Lines of one record at most.
pub const MOST_LINES: u64 = 4096;
/// A block is passed on once it is so long.
const BLOCK: usize = 256 << 10;
/// So many missing offsets are bridged by blank lines.
const BRIDGED: u64 = 256;

/// What the value of a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueFormat {
    /// One JSON object.
    #[default]
    Json,
    /// JSON objects, one a line.
    Lines,
    /// Text, which becomes the field `message`.
    Text,
}

impl ValueFormat {
    /// The number of the first line of the record at an offset.
    pub fn line_of(self, offset: u64) -> u64 {
        match self {
            Self::Lines => offset * MOST_LINES + 1,
            Self::Json | Self::Text => offset + 1,
        }
    }

    /// The offset of the record that a line is of.
    pub fn offset_of(self, line: u64) -> u64 {
        match self {
            Self::Lines => line.saturating_sub(1) / MOST_LINES,
            Self::Json | Self::Text => line.saturating_sub(1),
        }
    }
}

/// A record, wherever it is read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the partition.
    pub offset: u64,
    /// Its time in milliseconds since 1970, if it has one.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its headers, in order.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
    /// Its value; without one it is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// How records become lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineForm {
    /// What values are.
    pub format: ValueFormat,
    /// Whether lines say where they come from, in the object `kafka`.
    pub provenance: bool,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// Lines that are one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pile {
    /// The lines, each with its line feed.
    pub bytes: Vec<u8>,
    /// The number of the first.
    pub first_line: u64,
    /// The offset of the record of the first.
    pub first_offset: u64,
    /// The number of the line that follows.
    pub next_line: u64,
    /// The offset that follows.
    pub next_offset: u64,
}

impl Pile {
    /// Nothing yet, before a record.
    fn before(offset: u64, format: ValueFormat) -> Self {
        let line = format.line_of(offset);
        Self { bytes: Vec::new(), first_line: line, first_offset: offset, next_line: line, next_offset: offset }
    }

    fn end_line(&mut self) {
        self.bytes.push(b'\n');
        self.next_line += 1;
    }
}

/// What records were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// All of them.
    pub records: u64,
    /// Those without a value.
    pub tombstones: u64,
    /// Those of more than [`MOST_LINES`] lines, which are cut off there.
    pub cut: u64,
}

/// Gathers the records of a partition into blocks of lines.
#[derive(Debug)]
pub struct LineWriter {
    form: LineForm,
    pile: Option<Pile>,
    prefix: String,
    /// What records were so far.
    pub counts: RecordCounts,
}

impl LineWriter {
    /// Nothing gathered yet.
    pub fn new(form: LineForm) -> Self {
        Self { form, pile: None, prefix: String::new(), counts: RecordCounts::default() }
    }

    /// Adds a record. Gives a block that was closed by it: because it is full, or because lines are missing.
    pub fn push(&mut self, record: &Record<'_>) -> Option<Pile> {
        let format = self.form.format;
        let line = format.line_of(record.offset);
        let far = |pile: &Pile| !(pile.next_line..=pile.next_line + BRIDGED).contains(&line);
        let closed = self.pile.take_if(|pile| pile.bytes.len() >= BLOCK || far(pile));
        let mut pile = self.pile.take().unwrap_or_else(|| Pile::before(record.offset, format));
        while pile.next_line < line {
            pile.end_line();
        }
        self.counts.records += 1;
        self.write(record, &mut pile);
        pile.next_offset = record.offset + 1;
        self.pile = Some(pile);
        closed
    }

    /// The number of the first line of the record at an offset.
    pub fn line_of(&self, offset: u64) -> u64 {
        self.form.format.line_of(offset)
    }

    /// Whether lines say where they come from.
    pub fn tells_provenance(&self) -> bool {
        self.form.provenance
    }

    /// Whether anything has been gathered.
    pub fn holds_records(&self) -> bool {
        self.pile.is_some()
    }

    /// What has been gathered.
    pub fn take(&mut self) -> Option<Pile> {
        self.pile.take()
    }

    fn write(&mut self, record: &Record<'_>, pile: &mut Pile) {
        let Some(value) = record.value else {
            self.counts.tombstones += 1;
            return pile.end_line();
        };
        self.prefix.clear();
        if self.form.provenance {
            provenance(&self.form, record, &mut self.prefix);
        }
        match self.form.format {
            ValueFormat::Json => write_object(value, &self.prefix, pile),
            ValueFormat::Lines => {
                let value = value.strip_suffix(b"\n").unwrap_or(value);
                let mut lines = value.split(|byte| *byte == b'\n');
                lines.by_ref().take(MOST_LINES as usize).for_each(|line| write_object(line, &self.prefix, pile));
                self.counts.cut += u64::from(lines.next().is_some());
            }
            ValueFormat::Text => {
                let text = String::from_utf8_lossy(value);
                let text = serde_json::Value::String(text.into_owned());
                pile.bytes.extend_from_slice(b"{");
                pile.bytes.extend_from_slice(self.prefix.as_bytes());
                if !self.prefix.is_empty() {
                    pile.bytes.push(b',');
                }
                pile.bytes.extend_from_slice(format!("\"message\":{text}}}").as_bytes());
                pile.end_line();
            }
        }
    }
}

/// Writes a JSON text on one line: line ends in it can only be white space, or it is broken anyway. An object gets the
/// prefix as its first member; what is no object stays as it is and is rejected later.
fn write_object(value: &[u8], prefix: &str, pile: &mut Pile) {
    let start = pile.bytes.len();
    match value.trim_ascii_start().strip_prefix(b"{") {
        Some(members) if !prefix.is_empty() => {
            pile.bytes.push(b'{');
            pile.bytes.extend_from_slice(prefix.as_bytes());
            if members.trim_ascii_start().first() != Some(&b'}') {
                pile.bytes.push(b',');
            }
            pile.bytes.extend_from_slice(members);
        }
        _ => pile.bytes.extend_from_slice(value),
    }
    let line = &mut pile.bytes[start..];
    while let Some(at) = memchr::memchr2(b'\n', b'\r', line) {
        line[at] = b' ';
    }
    if line.trim_ascii().is_empty() {
        // A blank line is nothing, and a record without a word in it is not: it is to be rejected.
        pile.bytes.extend_from_slice(b"\"\"");
    }
    pile.end_line();
}

/// The text of a record as it was, if its line says where it comes from.
pub fn without_provenance(text: &str, topic: &str, partition: i32, offset: u64) -> String {
    let mut begin = String::from("{");
    place(topic, partition, offset, &mut begin);
    let name = "{\"kafka\":".len();
    let member = text.starts_with(&begin).then(|| &text[name..]);
    let mut values = member.map(|member| serde_json::Deserializer::from_str(member).into_iter::<IgnoredAny>());
    match values.as_mut().map(|values| (values.next(), values.byte_offset())) {
        Some((Some(Ok(_)), end)) => {
            let rest = &text[name + end..];
            format!("{{{}", rest.strip_prefix(',').unwrap_or(rest))
        }
        // What was cut off before the end of it has nothing of the record.
        Some(_) => String::new(),
        None => text.to_owned(),
    }
}

/// The beginning of the member `kafka`.
fn place(topic: &str, partition: i32, offset: u64, out: &mut String) {
    let topic = serde_json::Value::String(topic.to_owned());
    // Writing to a string cannot fail.
    let _ = write!(out, "\"kafka\":{{\"topic\":{topic},\"partition\":{partition},\"offset\":{offset}");
}

/// The member `kafka` of an object.
fn provenance(form: &LineForm, record: &Record<'_>, out: &mut String) {
    let text = |text: &str| serde_json::Value::String(text.to_owned());
    place(&form.topic, form.partition, record.offset, out);
    if let Some(time) = record.timestamp {
        let _ = write!(out, ",\"timestamp\":{time}");
    }
    if let Some(key) = record.key {
        let _ = match std::str::from_utf8(key) {
            Ok(key) => write!(out, ",\"key\":{}", text(key)),
            Err(_) => write!(out, ",\"key_base64\":\"{}\"", STANDARD.encode(key)),
        };
    }
    // Of headers of one name the last counts, as it does for most readers.
    let mut headers = serde_json::Map::new();
    for (name, value) in &record.headers {
        if let Some(Ok(value)) = value.map(std::str::from_utf8) {
            headers.insert((*name).to_owned(), text(value));
        }
    }
    if !headers.is_empty() {
        let _ = write!(out, ",\"headers\":{}", serde_json::Value::Object(headers));
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(format: ValueFormat, provenance: bool) -> LineWriter {
        LineWriter::new(LineForm { format, provenance, topic: "t".to_owned(), partition: 3 })
    }

    fn record(offset: u64, value: &str) -> Record<'_> {
        Record { offset, value: Some(value.as_bytes()), ..Record::default() }
    }

    fn text(pile: Option<Pile>) -> String {
        String::from_utf8(pile.expect("something was gathered").bytes).expect("UTF-8")
    }

    #[test]
    fn a_line_has_the_number_of_its_offset() {
        let mut writer = writer(ValueFormat::Json, false);
        assert_eq!(writer.push(&record(7, r#"{"a":1}"#)), None);
        assert_eq!(writer.push(&Record { offset: 8, ..Record::default() }), None);
        assert_eq!(writer.push(&record(11, "{\"a\":\n 2}")), None);
        let far = writer.push(&record(100_000, "{}"));
        let pile = far.clone().expect("lines are missing");
        assert_eq!((pile.first_line, pile.next_line, pile.first_offset, pile.next_offset), (8, 13, 7, 12));
        assert_eq!(text(far), "{\"a\":1}\n\n\n\n{\"a\":  2}\n");
        assert_eq!(writer.take().map(|pile| pile.first_line), Some(100_001));
        assert_eq!(writer.counts, RecordCounts { records: 4, tombstones: 1, cut: 0 });
    }

    #[test]
    fn an_event_says_where_it_comes_from() {
        let mut writer = writer(ValueFormat::Json, true);
        let headers = vec![("h", Some(&b"x\"y"[..])), ("none", None), ("raw", Some(&b"\xff"[..]))];
        let whole = Record { offset: 1, timestamp: Some(5), key: Some(b"k"), headers, value: Some(b" {\"a\":1}") };
        writer.push(&whole);
        writer.push(&Record { offset: 2, key: Some(b"\xff"), value: Some(b"{ }"), ..Record::default() });
        writer.push(&record(3, "[1]"));
        writer.push(&record(4, " "));
        assert_eq!(
            text(writer.take()),
            concat!(
                r#"{"kafka":{"topic":"t","partition":3,"offset":1,"timestamp":5,"key":"k","headers":{"h":"x\"y"}},"a":1}"#,
                "\n",
                r#"{"kafka":{"topic":"t","partition":3,"offset":2,"key_base64":"/w=="} }"#,
                "\n[1]\n \"\"\n",
            )
        );
    }

    #[test]
    fn the_text_of_a_record_comes_back_as_it_was() {
        for broken in ["{broken", "{", "{\"a\":1", "[1]", "no object"] {
            let mut told = writer(ValueFormat::Json, true);
            told.push(&Record { offset: 7, timestamp: Some(5), key: Some(b"}\""), ..record(7, broken) });
            let line = text(told.take());
            assert_eq!(without_provenance(line.trim_end(), "t", 3, 7), broken);
            assert_eq!(without_provenance(broken, "t", 3, 7), broken);
        }
        assert_eq!(without_provenance("{\"kafka\":{\"topic\":\"t\",\"partition\":3,\"offset\":7,\"he", "t", 3, 7), "");
    }

    #[test]
    fn a_record_of_several_lines_has_room_for_them() {
        let mut writer = writer(ValueFormat::Lines, false);
        assert_eq!(writer.push(&record(2, "{\"a\":1}\n{\"a\":2}\n")), None);
        let closed = writer.push(&record(3, "{}")).expect("another offset is far away");
        assert_eq!((closed.first_line, closed.next_line), (2 * 4096 + 1, 2 * 4096 + 3));
        let many = "{}\n".repeat(MOST_LINES as usize + 1);
        writer.push(&record(4, &many));
        assert_eq!(writer.take().map(|pile| pile.next_line), Some(5 * 4096 + 1));
        assert_eq!(writer.counts.cut, 1);
    }

    #[test]
    fn text_becomes_a_message() {
        let mut plain = writer(ValueFormat::Text, false);
        plain.push(&record(0, "a \"b\"\nc"));
        assert_eq!(text(plain.take()), "{\"message\":\"a \\\"b\\\"\\nc\"}\n");
        let mut told = writer(ValueFormat::Text, true);
        told.push(&record(0, "x"));
        assert_eq!(text(told.take()), "{\"kafka\":{\"topic\":\"t\",\"partition\":3,\"offset\":0},\"message\":\"x\"}\n");
    }
}
