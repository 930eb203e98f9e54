//! The strict RFC 8259 scanner: a cursor over one line that skips or reads one value at a time.
//!
//! Nothing is built and nothing allocated here. The input is a `str`, so it is UTF-8 already, and every byte that the
//! scanner stops at is ASCII: slicing the text at such positions cannot split a character.
//! Whether a line is accepted never depends on which fields are read, so skipping checks as much as reading does.

use wide::u8x16;

use super::key_index::Fingerprint;
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
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) escaped: bool,
}

/// The scan cannot go on; [`Scanner::failure`] says why. It has no size, so that results stay in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop;

pub(super) type Scan<T> = Result<T, Stop>;

/// The cursor.
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub(super) pos: usize,
    max_depth: usize,
    /// How many escapes `\uXXXX` were passed.
    pub(super) units: usize,
    failure: JsonError,
}

/// Bytes that are looked at together.
const WIDE: usize = 16;

/// Bytes of a string with escapes that are looked at together: a bit of a word for each.
const BLOCK: usize = 64;

/// The bit of each byte that is `"`, `\` or a control character, the first byte's lowest.
#[inline(always)]
fn marks(chunk: [u8; WIDE]) -> u32 {
    let bytes = u8x16::from(chunk);
    (is_control(bytes) | bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'))).to_bitmask()
}

#[inline(always)]
fn is_control(bytes: u8x16) -> u8x16 {
    bytes.min(u8x16::splat(0x1f)).simd_eq(bytes)
}

/// The bit of each byte of a block for which `test` is all ones.
#[inline(always)]
fn mask(block: &[u8; BLOCK], test: impl Fn(u8x16) -> u8x16) -> u64 {
    let (parts, _) = block.as_chunks::<WIDE>();
    let bits = |part: usize| u64::from(test(u8x16::from(parts[part])).to_bitmask());
    bits(0) | bits(1) << 16 | bits(2) << 32 | bits(3) << 48
}

/// What a block of a string shows that begins outside of an escape.
enum Block {
    /// The closing quote stands here.
    Ends(usize),
    /// It has no end. So many bytes of it can be passed: all, or all but a backslash at the end.
    Passes(usize),
    /// Something is wrong with it, or it has escapes of more than two characters.
    Special,
}

/// Looks at 64 bytes of a string at once. A backslash behind an odd number of others is escaped: a run of them that is
/// added to the bit at its beginning gives a carry behind its end, whose place, even or odd, says which it was.
#[inline(always)]
fn look(block: &[u8; BLOCK]) -> Block {
    const ODD: u64 = u64::from_ne_bytes([0xaa; 8]);
    let quotes = mask(block, |bytes| bytes.simd_eq(u8x16::splat(b'"')));
    let slashes = mask(block, |bytes| bytes.simd_eq(u8x16::splat(b'\\')));
    let codes = (slashes << 1 | ODD).wrapping_sub(slashes) ^ ODD;
    let (escaped, escapes) = (codes ^ slashes, codes & slashes);
    let end = quotes & !escaped;
    // All bits below the lowest that is set; all if there is none.
    let inside = end.wrapping_sub(1) & !end;
    let mut special = mask(block, is_control);
    let others = escaped & inside & !(quotes | slashes);
    if others != 0 {
        let simple = mask(block, |bytes| {
            let is = |byte: u8| bytes.simd_eq(u8x16::splat(byte));
            is(b'n') | is(b'r') | is(b't') | is(b'/') | is(b'b') | is(b'f')
        });
        special |= others & !simple;
    }
    if special & inside != 0 {
        return Block::Special;
    }
    if end != 0 { Block::Ends(end.trailing_zeros() as usize) } else { Block::Passes(BLOCK - (escapes >> 63) as usize) }
}

/// The first `"`, `\` or control character from `at` on, or the end.
#[inline(always)]
fn next_mark(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes[at..].first_chunk() {
        let found = marks(*chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += WIDE;
    }
    let found = match bytes.last_chunk() {
        // What stands before `at` is looked at again, and does not count.
        Some(chunk) => marks(*chunk) >> (WIDE - (bytes.len() - at)),
        None => {
            let mut chunk = [b' '; WIDE];
            chunk[..bytes.len() - at].copy_from_slice(&bytes[at..]);
            marks(chunk)
        }
    };
    if found == 0 { bytes.len() } else { at + found.trailing_zeros() as usize }
}

/// What an escape of two characters means, by the second; 0 for any other.
const SIMPLE: [u8; 256] = {
    let mut table = [0; 256];
    (table[b'"' as usize], table[b'\\' as usize], table[b'/' as usize]) = (b'"', b'\\', b'/');
    (table[b'b' as usize], table[b'f' as usize], table[b'n' as usize]) = (8, 12, b'\n');
    (table[b'r' as usize], table[b't' as usize]) = (b'\r', b'\t');
    table
};

/// The first byte from `at` on that is no white space. Mostly that is the first.
#[inline(always)]
fn past_space(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(byte) if *byte > b' ' => at,
        _ => past_more_space(bytes, at),
    }
}

#[inline(never)]
fn past_more_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        let failure = JsonError { reason: Reject::Syntax, offset: 0 };
        Self { text, bytes: text.as_bytes(), pos: 0, max_depth, units: 0, failure }
    }

    #[inline]
    pub(super) fn raw(&self, span: Span) -> &'a [u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    #[inline]
    pub(super) fn text(&self, span: Span) -> &'a str {
        &self.text[span.start as usize..span.end as usize]
    }

    #[inline]
    pub(super) fn fingerprint(&self, span: Span) -> Fingerprint {
        Fingerprint::within(self.bytes, span.start as usize, span.end as usize)
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    /// Why the scan stopped.
    pub(super) fn failure(&self) -> JsonError {
        self.failure
    }

    /// Stops at the cursor.
    #[cold]
    pub(super) fn error<T>(&mut self, reason: Reject) -> Scan<T> {
        self.error_at(self.pos, reason)
    }

    #[cold]
    fn error_at<T>(&mut self, at: usize, reason: Reject) -> Scan<T> {
        let reason = if reason == Reject::Syntax && at >= self.bytes.len() { Reject::Truncated } else { reason };
        self.failure = JsonError { reason, offset: u32::try_from(at).unwrap_or(u32::MAX) };
        Err(Stop)
    }

    /// Past white space; the byte after it.
    #[inline(always)]
    pub(super) fn space(&mut self) -> Option<u8> {
        self.pos = past_space(self.bytes, self.pos);
        self.peek()
    }

    /// One more level is opened.
    #[inline]
    pub(super) fn deeper(&mut self, depth: usize) -> Scan<usize> {
        if depth < self.max_depth { Ok(depth + 1) } else { self.error(Reject::TooDeep) }
    }

    /// The cursor stands on a key: reads it, the colon, and the white space around them.
    #[inline(always)]
    pub(super) fn key(&mut self) -> Scan<Span> {
        if self.peek() != Some(b'"') {
            return self.error(Reject::Syntax);
        }
        let key = self.string()?;
        self.pos = self.colon(self.pos)?;
        Ok(key)
    }

    /// Past a colon and the white space around it.
    #[inline(always)]
    fn colon(&mut self, at: usize) -> Scan<usize> {
        let at = past_space(self.bytes, at);
        if self.bytes.get(at) != Some(&b':') {
            return self.error_at(at, Reject::Syntax);
        }
        Ok(past_space(self.bytes, at + 1))
    }

    /// The cursor stands on the opening quote.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Scan<Span> {
        let start = self.pos + 1;
        let mut end = next_mark(self.bytes, start);
        let escaped = self.bytes.get(end) != Some(&b'"');
        if escaped {
            end = self.string_rest(end)?;
        }
        self.pos = end + 1;
        Ok(Span { start: start as u32, end: end as u32, escaped })
    }

    /// Past a string whose opening quote stands at `at`.
    #[inline(always)]
    fn past_string(&mut self, at: usize) -> Scan<usize> {
        let end = next_mark(self.bytes, at + 1);
        if self.bytes.get(end) == Some(&b'"') {
            return Ok(end + 1);
        }
        Ok(self.string_rest(end)? + 1)
    }

    /// At something in a string that is neither plain nor its end: the place of the closing quote.
    #[inline(never)]
    fn string_rest(&mut self, mut at: usize) -> Scan<usize> {
        while let Some(block) = self.bytes[at..].first_chunk() {
            match look(block) {
                Block::Ends(place) => return Ok(at + place),
                Block::Passes(bytes) => at += bytes,
                Block::Special => break,
            }
        }
        loop {
            at = next_mark(self.bytes, at);
            if self.bytes.get(at) == Some(&b'"') {
                return Ok(at);
            }
            at = self.special(at)?;
        }
    }

    /// Past what stands at `at` in a string and is neither plain nor its end: an escape, or else an error.
    #[inline(always)]
    fn special(&mut self, at: usize) -> Scan<usize> {
        match self.bytes.get(at) {
            Some(b'\\') => self.escape(at),
            Some(_) => self.error_at(at, Reject::ControlCharacter),
            None => self.error_at(at, Reject::Truncated),
        }
    }

    /// Past one escape, whose backslash stands at `at`.
    #[inline]
    fn escape(&mut self, at: usize) -> Scan<usize> {
        let whole = self.bytes.len();
        let (good, length) = match self.bytes.get(at + 1) {
            Some(second) if SIMPLE[usize::from(*second)] != 0 => return Ok(at + 2),
            Some(b'u') => match self.bytes.get(at + 2..at + 6) {
                Some(digits) => {
                    self.units += 1;
                    (digits.iter().all(u8::is_ascii_hexdigit), 6)
                }
                None => (self.bytes[at + 2..].iter().all(u8::is_ascii_hexdigit), whole),
            },
            Some(_) => (false, 2),
            None => (true, whole),
        };
        if !good {
            return self.error_at(at, Reject::BadEscape);
        }
        if at + length > whole {
            return self.error_at(whole, Reject::Truncated);
        }
        Ok(at + length)
    }

    /// The cursor stands on `t`, `f` or `n`.
    #[inline]
    pub(super) fn literal(&mut self, word: &'static str) -> Scan<()> {
        self.pos = self.past_literal(self.pos, word)?;
        Ok(())
    }

    #[inline]
    fn past_literal(&mut self, at: usize, word: &'static str) -> Scan<usize> {
        if self.bytes[at..].starts_with(word.as_bytes()) {
            return Ok(at + word.len());
        }
        let same = self.bytes[at..].iter().zip(word.as_bytes()).take_while(|(found, asked)| found == asked);
        let at = at + same.count();
        self.error_at(at, Reject::Syntax)
    }

    /// Past a run of digits, at least one.
    #[inline(always)]
    fn digits(&mut self, start: usize) -> Scan<usize> {
        let mut at = start;
        while let Some(b'0'..=b'9') = self.bytes.get(at) {
            at += 1;
        }
        if at > start {
            Ok(at)
        } else {
            self.error_at(at, if at < self.bytes.len() { Reject::BadNumber } else { Reject::Truncated })
        }
    }

    /// Past a number that does not overflow a float, and whether it is written as an integer.
    #[inline]
    fn past_number(&mut self, start: usize) -> Scan<(usize, bool)> {
        let bytes = self.bytes;
        let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
        if bytes.get(at) == Some(&b'0') {
            at += 1;
            if let Some(b'0'..=b'9') = bytes.get(at) {
                return self.error_at(at, Reject::BadNumber);
            }
        } else {
            at = self.digits(at)?;
        }
        let mut integer = true;
        let mut exponent = false;
        if bytes.get(at) == Some(&b'.') {
            integer = false;
            at = self.digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            integer = false;
            exponent = true;
            at += 1;
            if let Some(b'+' | b'-') = bytes.get(at) {
                at += 1;
            }
            at = self.digits(at)?;
        }
        // A float reaches to 309 digits: only a long number, or one with an exponent, can overflow.
        if (exponent || at - start > 300) && !self.float(start, at).is_finite() {
            return self.error_at(start, Reject::NumberOverflow);
        }
        Ok((at, integer))
    }

    fn float(&self, start: usize, end: usize) -> f64 {
        self.text[start..end].parse().unwrap_or(f64::NAN)
    }

    /// The cursor stands on `-` or a digit. An integer that fits neither `i64` nor `u64` becomes a float.
    #[inline]
    pub(super) fn number(&mut self) -> Scan<Number> {
        let start = self.pos;
        let (end, integer) = self.past_number(start)?;
        self.pos = end;
        if integer {
            let text = &self.text[start..end];
            if let Ok(value) = text.parse::<i64>() {
                return Ok(Number::Int(value));
            }
            if let Ok(value) = text.parse::<u64>() {
                return Ok(Number::UInt(value));
            }
        }
        Ok(Number::Float(self.float(start, end)))
    }

    /// Past one value of any kind, which stands inside `depth` arrays and objects.
    #[inline(always)]
    pub(super) fn skip(&mut self, depth: usize) -> Scan<()> {
        self.pos = match self.peek() {
            Some(b'"') => self.past_string(self.pos)?,
            Some(b'-' | b'0'..=b'9') => self.past_number(self.pos)?.0,
            _ => self.past_value(self.pos, depth)?,
        };
        Ok(())
    }

    /// Does not recurse, and keeps its place in a local: this is where most bytes of most lines go by.
    #[inline(never)]
    fn past_value(&mut self, mut at: usize, depth: usize) -> Scan<usize> {
        let bytes = self.bytes;
        // One bit for each open array (0) or object (1), the innermost lowest: `MAX_DEPTH` bits.
        let mut kinds: u128 = 0;
        let mut open = 0usize;
        loop {
            match bytes.get(at) {
                Some(b'"') => at = self.past_string(at)?,
                Some(b'-' | b'0'..=b'9') => at = self.past_number(at)?.0,
                Some(bracket @ (b'{' | b'[')) => {
                    if depth + open >= self.max_depth {
                        return self.error_at(at, Reject::TooDeep);
                    }
                    let object = *bracket == b'{';
                    at = past_space(bytes, at + 1);
                    if bytes.get(at) == Some(if object { &b'}' } else { &b']' }) {
                        at += 1;
                    } else {
                        kinds = kinds << 1 | u128::from(object);
                        open += 1;
                        if object {
                            at = self.past_key(at)?;
                        }
                        continue;
                    }
                }
                Some(b't') => at = self.past_literal(at, "true")?,
                Some(b'f') => at = self.past_literal(at, "false")?,
                Some(b'n') => at = self.past_literal(at, "null")?,
                _ => return self.error_at(at, Reject::Syntax),
            }
            // After a value: what is open may end here, any number of levels.
            loop {
                if open == 0 {
                    return Ok(at);
                }
                let object = kinds & 1 == 1;
                at = past_space(bytes, at);
                match bytes.get(at) {
                    Some(b',') => {
                        at = past_space(bytes, at + 1);
                        if object {
                            at = self.past_key(at)?;
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ => return self.error_at(at, Reject::Syntax),
                }
                at += 1;
                kinds >>= 1;
                open -= 1;
            }
        }
    }

    #[inline(always)]
    fn past_key(&mut self, at: usize) -> Scan<usize> {
        if self.bytes.get(at) != Some(&b'"') {
            return self.error_at(at, Reject::Syntax);
        }
        let at = self.past_string(at)?;
        self.colon(at)
    }
}

/// Appends what an escaped string means. `raw` has been accepted by [`Scanner::string`]. Half of a surrogate pair, which
/// JSON can write and no text can hold, becomes U+FFFD; the number of them is returned.
pub(super) fn unescape(raw: &str, out: &mut String) -> u64 {
    let (mut at, mut lone) = (0, 0);
    loop {
        // Quotes are escaped in an accepted string, and there are no control characters: any mark is a backslash.
        let mark = next_mark(raw.as_bytes(), at);
        out.push_str(&raw[at..mark]);
        let Some(&kind) = raw.as_bytes().get(mark + 1) else { return lone };
        if kind != b'u' {
            out.push(char::from(SIMPLE[usize::from(kind)]));
            at = mark + 2;
            continue;
        }
        let first = unit(&raw[mark + 2..]);
        at = mark + 6;
        if let Some(plain) = char::from_u32(first) {
            out.push(plain);
            continue;
        }
        if first < 0xdc00 && raw[at..].starts_with("\\u") {
            let second = unit(&raw[at + 2..]);
            if (0xdc00..0xe000).contains(&second) {
                let pair = 0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00));
                out.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
                at += 6;
                continue;
            }
        }
        lone += 1;
        out.push(char::REPLACEMENT_CHARACTER);
    }
}

/// The four hexadecimal digits that `text` begins with.
fn unit(text: &str) -> u32 {
    u32::from_str_radix(&text[..4], 16).unwrap_or(0xfffd)
}

#[cfg(test)]
mod tests;
