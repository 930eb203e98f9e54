//! Lines out of what one connection gives, piece by piece.
//!
//! Holds at most one line of the allowed length; what is longer is dropped as it comes, and given up.

use super::queue::Lines;
use crate::decode::Reject;

/// Cuts what comes in at line feeds.
#[derive(Debug)]
pub struct LineCutter {
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// The line is too long; its rest is dropped.
    dropping: bool,
    max_line: usize,
}

impl LineCutter {
    /// For lines of at most so many bytes.
    pub fn new(max_line: usize) -> Self {
        Self { begun: Vec::new(), dropping: false, max_line }
    }

    /// Takes a piece, and adds the lines that end in it.
    pub fn take(&mut self, piece: &[u8], lines: &mut Lines) {
        let mut rest = piece;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            self.begin(&rest[..at]);
            self.finish(lines);
            rest = &rest[at + 1..];
        }
        self.begin(rest);
    }

    /// The connection has ended: what has begun is a line too.
    pub fn end(&mut self, lines: &mut Lines) {
        if self.dropping || !self.begun.is_empty() {
            self.finish(lines);
        }
    }

    fn begin(&mut self, part: &[u8]) {
        // A carriage return belongs to the end of the line.
        if self.begun.len() + part.len() > self.max_line + 1 {
            self.dropping = true;
        }
        let room = (self.max_line + 1).saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn finish(&mut self, lines: &mut Lines) {
        if self.dropping {
            lines.give_up(Reject::LineTooLong, &self.begun);
        } else {
            lines.push(&self.begun);
        }
        self.dropping = false;
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&str], max_line: usize) -> Lines {
        let (mut cutter, mut lines) = (LineCutter::new(max_line), Lines::default());
        pieces.iter().for_each(|piece| cutter.take(piece.as_bytes(), &mut lines));
        cutter.end(&mut lines);
        lines
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let text = "{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}";
        for size in 1..text.len() {
            let pieces: Vec<&str> =
                text.as_bytes().chunks(size).map(|p| std::str::from_utf8(p).expect("ASCII")).collect();
            let lines = cut(&pieces, 100);
            assert_eq!(lines.bytes, b"{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}\n", "{size}");
            assert_eq!((lines.count, lines.given_up.len()), (4, 0));
        }
    }

    #[test]
    fn a_line_that_is_too_long_costs_itself() {
        let lines = cut(&["ab", "cdefgh", "ij\nok\n", "12345678"], 6);
        assert_eq!(lines.bytes, b"\nok\n\n");
        assert_eq!(lines.given_up.len(), 2);
        assert_eq!((lines.given_up[0].line, lines.given_up[0].text.as_str()), (0, "abcdefg"));
        assert_eq!((lines.given_up[1].line, lines.given_up[1].offset), (2, 4));
        assert_eq!(cut(&["123456\r\n"], 6).given_up.len(), 0, "the end of a line is no part of it");
    }
}
