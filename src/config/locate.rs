//! Finds where a key of a YAML text stands, for messages: the reader gives places only for some problems.
//!
//! Works on block style, line by line. Where it finds nothing, the span is empty at the start of the text, which
//! shows the file name alone.

use crate::syntax::source::{SourceId, Span};

/// The value behind a path of keys, or the key if nothing stands behind it on its line.
pub(super) fn value(source: SourceId, text: &str, path: &[&str]) -> Span {
    let mut start = 0;
    let mut found = Span::new(source, 0, 0);
    for key in path {
        let Some((at, after)) = key_from(text, start, key) else { break };
        let line_end = text[after..].find('\n').map_or(text.len(), |n| after + n);
        let line = &text[after..line_end];
        let plain = line.split(" #").next().unwrap_or(line);
        let shown = plain.trim();
        found = if shown.is_empty() {
            Span::new(source, at, after - 1)
        } else {
            let offset = after + plain.len() - plain.trim_start().len();
            Span::new(source, offset, offset + shown.len())
        };
        start = after;
    }
    found
}

/// The last line that sets a key.
pub(super) fn last_key(source: SourceId, text: &str, key: &str) -> Span {
    let mut start = 0;
    let mut found = Span::new(source, 0, 0);
    while let Some((at, after)) = key_from(text, start, key) {
        found = Span::new(source, at, after - 1);
        start = after;
    }
    found
}

/// The word that starts at a byte.
pub(super) fn word(source: SourceId, text: &str, at: usize) -> Span {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let rest = &text[at..];
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | ']' | '}')).unwrap_or(rest.len());
    Span::new(source, at, at + end.max(usize::from(!rest.is_empty() && rest.is_char_boundary(1))))
}

/// The first `key:` at the start of a line after `from`: where the key starts, and the byte after the colon.
fn key_from(text: &str, from: usize, key: &str) -> Option<(usize, usize)> {
    let mut offset = from;
    for line in text[from..].split_inclusive('\n') {
        let inner = line.trim_start_matches([' ', '-', '{']);
        let start = offset + line.len() - inner.len();
        if let Some(rest) = inner.strip_prefix(key)
            && rest.starts_with(':')
        {
            return Some((start, start + key.len() + 1));
        }
        offset += line.len();
    }
    None
}
