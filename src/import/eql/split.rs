//! A file of EQL to queries.
//!
//! A query begins on a line that begins with `sequence`, `sample` or `join` and what can follow them, or with a category
//! and `where`, outside of all brackets; `;` ends one too. The comments right before it may say what the rule is called:
//! `// name: Suspicious child of a mail program`.

use super::scan::{Kind, Token, Tokens};

/// A query of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its tokens, by place.
    pub(super) tokens: std::ops::Range<usize>,
    /// What its comments say: key, value, and the bytes of the value.
    pub(super) facts: Vec<(String, String, (usize, usize))>,
}

/// What comments can say about a query.
pub(super) const FACTS: [&str; 5] = ["name", "id", "severity", "description", "tags"];

/// Words that begin a query that is no event query.
pub(super) const HEADS: [&str; 3] = ["sequence", "sample", "join"];

fn begins(text: &str, tokens: &[Token]) -> bool {
    let Some(first) = tokens.first().filter(|t| t.first_on_line) else { return false };
    let next = tokens.get(1).map_or("", |t| t.text(text));
    match first.kind {
        Kind::Word if HEADS.contains(&first.text(text)) => matches!(next, "by" | "with" | "[" | "!" | "where"),
        Kind::Word | Kind::Text => next == "where",
        _ => false,
    }
}

/// Cuts a text into queries.
pub(super) fn queries(text: &str, scanned: &Tokens) -> Vec<Piece> {
    let tokens = &scanned.tokens;
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    let mut depth = 0_usize;
    let mut open = false;
    for (at, token) in tokens.iter().enumerate() {
        if !open || depth == 0 && begins(text, &tokens[at..]) {
            if open {
                ends.push(at);
            }
            if token.kind == Kind::Punct && token.text(text) == ";" {
                open = false;
                continue;
            }
            starts.push(at);
            open = true;
            depth = 0;
        }
        if token.kind == Kind::Punct {
            match token.text(text) {
                "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.saturating_sub(1),
                ";" if depth == 0 => {
                    ends.push(at);
                    open = false;
                }
                _ => {}
            }
        }
    }
    if open {
        ends.push(tokens.len());
    }
    let pieces = starts.into_iter().zip(ends).filter(|(start, end)| start < end);
    pieces.map(|(start, end)| Piece { facts: facts(text, scanned, start), tokens: start..end }).collect()
}

/// What the comments between the token before and the query say.
fn facts(text: &str, scanned: &Tokens, start: usize) -> Vec<(String, String, (usize, usize))> {
    let from = start.checked_sub(1).map_or(0, |before| scanned.tokens[before].end);
    let to = scanned.tokens[start].start;
    let first = scanned.comments.partition_point(|c| c.0 < from);
    let mut out = Vec::new();
    for &(begin, end) in scanned.comments[first..].iter().take_while(|c| c.1 <= to) {
        let comment = &text[begin..end];
        let Some((key, value)) = comment.trim_start_matches('/').split_once(':') else { continue };
        let (key, trimmed) = (key.trim().to_ascii_lowercase(), value.trim());
        if FACTS.contains(&key.as_str()) && !trimmed.is_empty() {
            let offset = end - value.len() + (value.len() - value.trim_start().len());
            out.push((key, trimmed.to_owned(), (offset, offset + trimmed.len())));
        }
    }
    out
}
