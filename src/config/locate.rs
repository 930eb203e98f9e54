//! Finds where a key of a YAML text stands, for messages: the reader gives places only for some problems.
//!
//! Works on block style, line by line. Where it finds nothing, the span is empty at the start of the text, which
//! shows the file name alone.

use crate::syntax::source::{SourceId, Span};

/// From a place on, the value behind a path of keys, or the key if nothing stands behind it on its line.
pub(super) fn value(source: SourceId, text: &str, from: usize, path: &[&str]) -> Span {
    let mut start = from;
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

/// The value behind a key of the n-th item of a list, or the item's first word.
pub(super) fn in_item(source: SourceId, text: &str, list: &str, n: usize, key: &str) -> Span {
    let Some((_, mut at)) = key_from(text, 0, list) else { return Span::new(source, 0, 0) };
    let mut indent = None;
    let (mut seen, mut start, mut end) = (0, None, text.len());
    for line in text[at..].split_inclusive('\n') {
        let inner = line.trim_start_matches(' ');
        let depth = line.len() - inner.len();
        if inner.starts_with("- ") && depth == *indent.get_or_insert(depth) {
            if start.is_some() {
                end = at;
                break;
            }
            if seen == n {
                start = Some(at);
            }
            seen += 1;
        }
        at += line.len();
    }
    let Some(start) = start else { return Span::new(source, 0, 0) };
    match key_from(&text[..end], start, key) {
        Some(_) => value(source, &text[..end], start, &[key]),
        None => word(source, text, start + text[start..end].find(|c| c != ' ' && c != '-').unwrap_or(0)),
    }
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
