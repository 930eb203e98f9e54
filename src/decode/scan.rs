//! The strict RFC 8259 scanner: a cursor over one line that skips or reads one value at a time.
//!
//! Nothing is built and nothing allocated here. The input is a `str`, so it is UTF-8 already, and every byte that the
//! scanner stops at is ASCII: slicing the text at such positions cannot split a character.
//! Whether a line is accepted never depends on which fields are read, so skipping checks as much as reading does.

use super::reject::{JsonError, Reject};

/// A number as JSON writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    UInt(u64),
    Float(f64),
}

/// A string between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) escaped: bool,
}

/// The cursor.
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub(super) pos: usize,
    max_depth: usize,
}

pub(super) type Scan<T> = Result<T, JsonError>;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// In each byte that is `"`, `\` or a control character the highest bit is set. Bytes above the first such byte may be
/// marked wrongly, by a borrow: only the lowest mark counts.
#[inline]
fn marks(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let slash = slash.wrapping_sub(ONES) & !slash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | slash | control) & HIGHS
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        Self { text, bytes: text.as_bytes(), pos: 0, max_depth }
    }

    #[inline]
    pub(super) fn text(&self, span: Span) -> &'a str {
        &self.text[span.start..span.end]
    }

    /// The whole line.
    pub(super) fn line(&self) -> &'a str {
        self.text
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    #[cold]
    pub(super) fn error<T>(&self, reason: Reject) -> Scan<T> {
        let reason = if reason == Reject::Syntax && self.pos >= self.bytes.len() { Reject::Truncated } else { reason };
        Err(JsonError { reason, offset: u32::try_from(self.pos).unwrap_or(u32::MAX) })
    }

    /// Past white space; the byte after it.
    #[inline]
    pub(super) fn space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.pos += 1,
                other => return other,
            }
        }
    }

    /// One more level is opened.
    #[inline]
    pub(super) fn deeper(&self, depth: usize) -> Scan<usize> {
        if depth < self.max_depth { Ok(depth + 1) } else { self.error(Reject::TooDeep) }
    }

    /// The cursor stands on a key: reads it, the colon, and the white space around them.
    #[inline]
    pub(super) fn key(&mut self) -> Scan<Span> {
        if self.peek() != Some(b'"') {
            return self.error(Reject::Syntax);
        }
        let key = self.string()?;
        if self.peek() != Some(b':') && self.space() != Some(b':') {
            return self.error(Reject::Syntax);
        }
        self.pos += 1;
        self.space();
        Ok(key)
    }

    /// The cursor stands on the opening quote.
    #[inline]
    pub(super) fn string(&mut self) -> Scan<Span> {
        let start = self.pos + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            while let Some(chunk) = self.bytes.get(at..at + 8) {
                let found = marks(u64::from_le_bytes(chunk.try_into().expect("the chunk has eight bytes")));
                if found != 0 {
                    at += (found.trailing_zeros() / 8) as usize;
                    break;
                }
                at += 8;
            }
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.pos = at + 1;
                    return Ok(Span { start, end: at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(0..0x20) => {
                    self.pos = at;
                    return self.error(Reject::ControlCharacter);
                }
                Some(_) => at += 1,
                None => {
                    self.pos = at;
                    return self.error(Reject::Truncated);
                }
            }
        }
    }

    /// Past one escape, whose backslash stands at `at`.
    fn escape(&mut self, at: usize) -> Scan<usize> {
        let (good, length) = match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (true, 2),
            Some(b'u') => match self.bytes.get(at + 2..at + 6) {
                Some(digits) => (digits.iter().all(u8::is_ascii_hexdigit), 6),
                None => (self.bytes[at + 2..].iter().all(u8::is_ascii_hexdigit), self.bytes.len()),
            },
            Some(_) => (false, 2),
            None => (true, self.bytes.len()),
        };
        if !good {
            self.pos = at;
            return self.error(Reject::BadEscape);
        }
        if at + length > self.bytes.len() {
            self.pos = self.bytes.len();
            return self.error(Reject::Truncated);
        }
        Ok(at + length)
    }

    /// The cursor stands on `t`, `f` or `n`.
    #[inline]
    pub(super) fn literal(&mut self, word: &'static str) -> Scan<()> {
        if self.bytes[self.pos..].starts_with(word.as_bytes()) {
            self.pos += word.len();
            return Ok(());
        }
        let same = self.bytes[self.pos..].iter().zip(word.as_bytes()).take_while(|(found, asked)| found == asked);
        self.pos += same.count();
        self.error(Reject::Syntax)
    }

    /// Past a run of digits, at least one.
    #[inline]
    fn digits(&mut self) -> Scan<()> {
        let start = self.pos;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.pos += 1;
        }
        if self.pos > start {
            Ok(())
        } else if self.peek().is_none() {
            self.error(Reject::Truncated)
        } else {
            self.error(Reject::BadNumber)
        }
    }

    /// Past a number that does not overflow a float. Gives its first byte, and whether it is written as an integer.
    #[inline]
    fn number_text(&mut self) -> Scan<(usize, bool)> {
        let start = self.pos;
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.pos += 1;
                if matches!(self.peek(), Some(b'0'..=b'9')) {
                    return self.error(Reject::BadNumber);
                }
            }
            _ => self.digits()?,
        }
        let mut integer = true;
        let mut exponent = false;
        if self.peek() == Some(b'.') {
            integer = false;
            self.pos += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            integer = false;
            exponent = true;
            self.pos += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.pos += 1;
            }
            self.digits()?;
        }
        // A float reaches to 309 digits: only a long number, or one with an exponent, can overflow.
        if (exponent || self.pos - start > 300) && !self.float(start).is_finite() {
            self.pos = start;
            return self.error(Reject::NumberOverflow);
        }
        Ok((start, integer))
    }

    fn float(&self, start: usize) -> f64 {
        self.text[start..self.pos].parse().unwrap_or(f64::NAN)
    }

    /// The cursor stands on `-` or a digit. An integer that fits neither `i64` nor `u64` becomes a float.
    #[inline]
    pub(super) fn number(&mut self) -> Scan<Number> {
        let (start, integer) = self.number_text()?;
        if integer {
            let text = &self.text[start..self.pos];
            if let Ok(value) = text.parse::<i64>() {
                return Ok(Number::Int(value));
            }
            if let Ok(value) = text.parse::<u64>() {
                return Ok(Number::UInt(value));
            }
        }
        Ok(Number::Float(self.float(start)))
    }

    /// Past one value of any kind, which stands inside `depth` arrays and objects. Does not recurse.
    pub(super) fn skip(&mut self, depth: usize) -> Scan<()> {
        // One bit for each open array (0) or object (1), the innermost lowest: `MAX_DEPTH` bits.
        let mut kinds: u128 = 0;
        let mut open = 0usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number_text()?;
                }
                Some(b'{') => {
                    self.deeper(depth + open)?;
                    self.pos += 1;
                    if self.space() == Some(b'}') {
                        self.pos += 1;
                    } else {
                        kinds = kinds << 1 | 1;
                        open += 1;
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.deeper(depth + open)?;
                    self.pos += 1;
                    if self.space() == Some(b']') {
                        self.pos += 1;
                    } else {
                        kinds <<= 1;
                        open += 1;
                        continue;
                    }
                }
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                _ => return self.error(Reject::Syntax),
            }
            // After a value: what is open may end here, any number of levels.
            loop {
                if open == 0 {
                    return Ok(());
                }
                let object = kinds & 1 == 1;
                match self.space() {
                    Some(b',') => {
                        self.pos += 1;
                        self.space();
                        if object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ => return self.error(Reject::Syntax),
                }
                self.pos += 1;
                kinds >>= 1;
                open -= 1;
            }
        }
    }
}

/// Appends what an escaped string means. `raw` has been accepted by [`Scanner::string`]. Half of a surrogate pair, which
/// JSON can write and no text can hold, becomes U+FFFD; the number of them is returned.
pub(super) fn unescape(mut raw: &str, out: &mut String) -> u64 {
    let mut lone = 0;
    while let Some(at) = memchr::memchr(b'\\', raw.as_bytes()) {
        out.push_str(&raw[..at]);
        raw = &raw[at + 1..];
        let kind = raw.as_bytes().first().copied().unwrap_or(b'\\');
        if kind != b'u' {
            out.push(match kind {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                same => char::from(same),
            });
            raw = &raw[1..];
            continue;
        }
        let first = unit(&raw[1..]);
        raw = &raw[5..];
        if let Some(plain) = char::from_u32(first) {
            out.push(plain);
            continue;
        }
        if first < 0xdc00 && raw.starts_with("\\u") {
            let second = unit(&raw[2..]);
            if (0xdc00..0xe000).contains(&second) {
                let pair = 0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00));
                out.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
                raw = &raw[6..];
                continue;
            }
        }
        lone += 1;
        out.push(char::REPLACEMENT_CHARACTER);
    }
    out.push_str(raw);
    lone
}

/// The four hexadecimal digits that `text` begins with.
fn unit(text: &str) -> u32 {
    u32::from_str_radix(&text[..4], 16).unwrap_or(0xfffd)
}
