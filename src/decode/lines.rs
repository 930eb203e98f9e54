//! Lines of a block: where they begin and end, and which of them cannot be read.
//!
//! A block is bytes of one input, cut behind a line feed; only the last line of an input may lack its own. Every line
//! counts towards line numbers, blank and unreadable ones included. One bad byte costs its line and no other.

use std::borrow::Cow;

use super::reject::Reject;

/// What some programs put before the first line of a file. It is passed over before any line: files are concatenated,
/// and what a line means must not depend on where its block begins.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One line that is not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its place in the block, counted from 0.
    pub index: u32,
    /// Its first byte, from the start of the block. It is the `base` for [`extract`](super::extract).
    pub start: u32,
    /// Its text without the end of the line, or why it cannot be read.
    pub text: Result<&'a str, Reject>,
}

/// A line that was overwritten because it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidLine {
    /// Its place in the block, counted from 0.
    pub index: u32,
    /// Its first byte, from the start of the block.
    pub start: u32,
    /// What stood there.
    pub bytes: Vec<u8>,
}

/// A block as text. Lines that are not UTF-8 are blanked out, so that all other lines keep their places.
#[derive(Clone, Debug)]
pub struct TextBlock<'a> {
    text: Cow<'a, str>,
    invalid: Vec<InvalidLine>,
}

impl<'a> TextBlock<'a> {
    /// Checks a block; copies it only if it has a bad line.
    pub fn new(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: Cow::Borrowed(text), invalid: Vec::new() },
            Err(_) => TextBlock::from_vec(bytes.to_vec()),
        }
    }

    /// Checks a block that it may keep.
    pub fn from_vec(bytes: Vec<u8>) -> TextBlock<'static> {
        let mut bytes = match String::from_utf8(bytes) {
            Ok(text) => return TextBlock { text: Cow::Owned(text), invalid: Vec::new() },
            Err(error) => error.into_bytes(),
        };
        let mut invalid = Vec::new();
        let mut start = 0;
        let mut index = 0;
        while start < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
            if std::str::from_utf8(&bytes[start..end]).is_err() {
                invalid.push(InvalidLine { index, start: start as u32, bytes: bytes[start..end].to_vec() });
                bytes[start..end].fill(b' ');
            }
            start = end + 1;
            index += 1;
        }
        let text = String::from_utf8(bytes).expect("every line has been checked");
        TextBlock { text: Cow::Owned(text), invalid }
    }

    /// The memory of the block, if it is its own.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.text {
            Cow::Owned(text) => text.into_bytes(),
            Cow::Borrowed(_) => Vec::new(),
        }
    }

    /// The text. Slots of its lines point here.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines that were not UTF-8, in order. [`TextBlock::lines`] gives them too.
    pub fn invalid(&self) -> &[InvalidLine] {
        &self.invalid
    }

    /// The lines that are not blank. `max_line` is in bytes, without the end of the line.
    pub fn lines(&self, max_line: usize) -> Lines<'_> {
        Lines { invalid: &self.invalid, ..Lines::new(&self.text, max_line) }
    }
}

/// Goes through the lines of a block that are not blank. A carriage return before the line feed belongs to the end of
/// the line, and a byte order mark before a line is passed over.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a str,
    start: usize,
    index: u32,
    max_line: usize,
    invalid: &'a [InvalidLine],
}

impl<'a> Lines<'a> {
    /// The lines of a text.
    pub fn new(text: &'a str, max_line: usize) -> Self {
        Self { text, start: 0, index: 0, max_line, invalid: &[] }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        while self.start < self.text.len() {
            let (mut start, index) = (self.start, self.index);
            let rest = &self.text.as_bytes()[start..];
            let end = memchr::memchr(b'\n', rest).map_or(self.text.len(), |at| start + at);
            self.start = end + 1;
            self.index += 1;
            if let [first, others @ ..] = self.invalid
                && first.index == index
            {
                self.invalid = others;
                return Some(Line { index, start: start as u32, text: Err(Reject::InvalidUtf8) });
            }
            if self.text[start..end].starts_with(BYTE_ORDER_MARK) {
                start += BYTE_ORDER_MARK.len();
            }
            let line = &self.text[start..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.len() > self.max_line {
                return Some(Line { index, start: start as u32, text: Err(Reject::LineTooLong) });
            }
            if line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
                continue;
            }
            return Some(Line { index, start: start as u32, text: Ok(line) });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bytes: &[u8], max_line: usize) -> Vec<(u32, u32, Result<String, Reject>)> {
        let block = TextBlock::new(bytes);
        block.lines(max_line).map(|line| (line.index, line.start, line.text.map(str::to_owned))).collect()
    }

    fn good(index: u32, start: u32, text: &str) -> (u32, u32, Result<String, Reject>) {
        (index, start, Ok(text.to_owned()))
    }

    #[test]
    fn blank_lines_count_but_are_not_given() {
        assert_eq!(cut(b"a\n\n \t\r\nb\r\nc", 10), [good(0, 0, "a"), good(3, 7, "b"), good(4, 10, "c")]);
        assert_eq!(cut(b"", 10), []);
        assert_eq!(cut(b"\n\n", 10), []);
    }

    #[test]
    fn a_byte_order_mark_before_a_line_is_passed_over() {
        assert_eq!(cut("\u{feff}a\n\u{feff}b\n\u{feff}".as_bytes(), 10), [good(0, 3, "a"), good(1, 8, "b")]);
    }

    #[test]
    fn an_overlong_line_costs_itself() {
        let found = cut(b"123\r\n1234\n12", 3);
        assert_eq!(found, [good(0, 0, "123"), (1, 5, Err(Reject::LineTooLong)), good(2, 10, "12")]);
    }

    #[test]
    fn a_line_that_is_not_utf8_costs_itself() {
        let bytes = b"one\n\xff two\nthree\n\xc3";
        let found = cut(bytes, 10);
        let bad = |index, start| (index, start, Err(Reject::InvalidUtf8));
        assert_eq!(found, [good(0, 0, "one"), bad(1, 4), good(2, 10, "three"), bad(3, 16)]);
        let block = TextBlock::new(bytes);
        assert_eq!(block.invalid()[0].bytes, b"\xff two");
        assert_eq!(block.text().len(), bytes.len());
    }

    #[test]
    fn a_character_cut_by_a_line_feed_spoils_only_its_own_line() {
        let found = cut(b"{\"a\":\"\xe2\x82\n\xac\nok", 20);
        assert_eq!(found[0].2, Err(Reject::InvalidUtf8));
        assert_eq!(found[1].2, Err(Reject::InvalidUtf8));
        assert_eq!(found[2], good(2, 11, "ok"));
    }
}
