//! Makes foreign text safe to show: control, bidirectional and invisible characters are written out as `\u{…}`, so
//! that a rule file cannot move the cursor of a terminal or show another text than it holds.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character must not reach a terminal as it is. New lines and tabs may.
pub fn is_unsafe(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => c.is_control(),
    }
}

/// The text with unsafe characters written out.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) { Cow::Owned(Escaped::new(text).text) } else { Cow::Borrowed(text) }
}

/// A text with unsafe characters written out, and where each byte of the original went.
pub(super) struct Escaped {
    pub(super) text: String,
    /// `(byte of the original, byte here)` after each character that was written out.
    shifts: Vec<(usize, usize)>,
}

impl Escaped {
    pub(super) fn new(text: &str) -> Self {
        let mut out = Self { text: String::with_capacity(text.len()), shifts: Vec::new() };
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            // A carriage return is shown only where it does not end a line.
            if c == '\r' && chars.peek().is_none_or(|(_, next)| *next == '\n') {
                out.text.push(' ');
            } else if is_unsafe(c) {
                let _ = write!(out.text, "\\u{{{:x}}}", u32::from(c));
                out.shifts.push((at + c.len_utf8(), out.text.len()));
            } else {
                out.text.push(c);
            }
        }
        out
    }

    /// Where a byte of the original is here.
    pub(super) fn place(&self, byte: usize) -> usize {
        match self.shifts.partition_point(|(from, _)| *from <= byte).checked_sub(1) {
            Some(i) => self.shifts[i].1 + (byte - self.shifts[i].0),
            None => byte,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_out_what_a_terminal_would_obey() {
        assert_eq!(escape("a\x1b[31mb\u{202e}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert!(matches!(escape("plain é\n\t"), Cow::Borrowed(_)));
    }

    #[test]
    fn places_follow_the_text() {
        let escaped = Escaped::new("a\x1bbc\u{202e}d");
        for (byte, expected) in [(0, 'a'), (2, 'b'), (3, 'c'), (7, 'd')] {
            assert_eq!(escaped.text[escaped.place(byte)..].chars().next(), Some(expected));
        }
    }

    #[test]
    fn line_ends_stay() {
        assert_eq!(Escaped::new("a\r\nb\rc").text, "a \nb\\u{d}c");
    }
}
