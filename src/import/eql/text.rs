//! A text inside of a file: a query in a TOML string, say, whose escapes are resolved. Spans of the text are spans of
//! the file.
//!
//! Invariant: the map is sorted by both sides and begins at 0 of the text.

use crate::syntax::source::{SourceId, Span};

/// A text with the place in its file that each part comes from.
#[derive(Clone, Debug)]
pub(super) struct Embedded {
    /// The text.
    pub(super) text: String,
    source: SourceId,
    /// From this byte of the text on, bytes follow each other in the file from that one on.
    map: Vec<(usize, usize)>,
    /// Where it ends in the file.
    end: usize,
}

impl Embedded {
    /// A text that stands in the file as it is, from a byte on.
    pub(super) fn plain(source: SourceId, text: &str, start: usize) -> Self {
        Self { text: text.to_owned(), source, map: vec![(0, start)], end: start + text.len() }
    }

    /// An empty text to which parts are added.
    pub(super) fn empty(source: SourceId, start: usize) -> Self {
        Self { text: String::new(), source, map: vec![(0, start)], end: start }
    }

    /// Adds a part that stands at `from..to` of the file.
    pub(super) fn push(&mut self, part: &str, from: usize, to: usize) {
        let at = self.text.len();
        let next = self.map.last().map(|&(text, file)| file + (at - text));
        if next != Some(from) {
            self.map.push((at, from));
        }
        self.text.push_str(part);
        self.end = to;
        if to - from != part.len() {
            // An escape: what follows lies elsewhere.
            self.map.push((self.text.len(), to));
        }
    }

    fn place(&self, byte: usize) -> usize {
        let at = self.map.partition_point(|&(text, _)| text <= byte).saturating_sub(1);
        let (text, file) = self.map[at];
        (file + (byte - text)).min(self.end)
    }

    /// A span of the file for bytes of the text.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        // The end belongs to the last byte before it, not to what follows.
        let last = if end > start { self.place(end - 1) + 1 } else { self.place(start) };
        Span::new(self.source, self.place(start), last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_move_what_follows() {
        let mut text = Embedded::empty(SourceId(0), 10);
        text.push("ab", 10, 12);
        text.push("\"", 12, 14);
        text.push("cd", 14, 16);
        assert_eq!(text.text, "ab\"cd");
        assert_eq!(text.span(0, 2).range(), 10..12);
        assert_eq!(text.span(3, 5).range(), 14..16);
        assert_eq!(text.span(1, 4).range(), 11..15);
    }
}
