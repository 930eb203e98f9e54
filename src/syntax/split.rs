//! Finds the pieces of a text that can be read apart: declarations of a file, clauses of a rule, lines of a test.
//!
//! Declarations are always read apart. Clauses and lines are cut only when their whole does not parse, so the
//! guesses made there never touch a correct text.

use super::scanner::{Token, TokenKind};

/// A run of tokens, `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) first: usize,
    pub(super) end: usize,
}

/// What begins a declaration.
pub(super) const DECLARATIONS: [&str; 6] = ["event", "let", "table", "rule", "test", "clock"];

/// Cuts a file into declarations. A piece that begins with another word is none.
pub(super) fn declarations(text: &str, tokens: &[Token]) -> Vec<Piece> {
    let mut starts = Vec::new();
    let mut depth = 0usize;
    // Whether the open piece has had a block at its top level, after which it is complete.
    let mut after_block = false;
    for (i, token) in tokens.iter().enumerate() {
        let begins = declaration_starts(text, tokens, i, depth)
            || (depth == 0
                && (i == 0 || after_block || starts.last() != Some(&(i - 1)) && stray_starts(text, tokens, i)));
        if begins && !(after_block && matches!(token.kind, TokenKind::Punct(b';' | b',' | b'}' | b')'))) {
            starts.push(i);
            depth = 0;
        }
        after_block = false;
        match token.kind {
            TokenKind::Punct(b'{' | b'(' | b'[') => depth += 1,
            TokenKind::Punct(b'}') => {
                after_block = depth == 1;
                depth = depth.saturating_sub(1);
            }
            TokenKind::Punct(b')' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    pieces(starts, tokens.len())
}

fn pieces(starts: Vec<usize>, end: usize) -> Vec<Piece> {
    let ends = starts.iter().skip(1).copied().chain(std::iter::once(end));
    starts.iter().copied().zip(ends).map(|(first, end)| Piece { first, end }).collect()
}

/// Whether a declaration begins at token `i`. Inside brackets only what begins a line counts, and only if it can be
/// nothing else: then a bracket above is not closed.
fn declaration_starts(text: &str, tokens: &[Token], i: usize, depth: usize) -> bool {
    let token = &tokens[i];
    if token.kind != TokenKind::Word || !DECLARATIONS.contains(&token.text(text)) {
        return false;
    }
    if depth > 0 && !(token.first_on_line && column_is_zero(text, token.start)) {
        return false;
    }
    if i > 0 && tokens[i - 1].is(b'.') {
        return false;
    }
    let Some(name) = tokens.get(i + 1) else { return false };
    if !matches!(name.kind, TokenKind::Word | TokenKind::Quoted) {
        return false;
    }
    // A hyphen may stand in a name that will be refused.
    let mut next = i + 2;
    while tokens.get(next).is_some_and(|t| t.is(b'-')) {
        next += 2;
    }
    let Some(after) = tokens.get(next) else { return false };
    let doubled = tokens.get(next + 1).is_some_and(|t| t.is(b'=') && t.start == after.end);
    match token.text(text) {
        "event" | "let" | "clock" => after.is(b'=') && (!doubled || depth == 0) || after.is(b':'),
        "table" => after.is_word(text, "from"),
        _ => after.is(b'{') || after.kind == TokenKind::Text,
    }
}

fn column_is_zero(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1] == b'\n' || text[..at].ends_with('\u{feff}')
}

/// Whether a line begins here that cannot go on with what stands above: a declaration with a wrong keyword.
fn stray_starts(text: &str, tokens: &[Token], i: usize) -> bool {
    let token = &tokens[i];
    let names = |t: &Token| matches!(t.kind, TokenKind::Word | TokenKind::Text | TokenKind::Quoted) || t.is(b'{');
    token.kind == TokenKind::Word
        && line_starts_anew(text, tokens, i)
        && (DECLARATIONS.contains(&token.text(text)) || tokens.get(i + 1).is_some_and(names))
}

/// Words that go on with what stands before them.
const JOINING: [&str; 24] = [
    "and", "or", "not", "in", "like", "where", "key", "from", "by", "contains", "matches", "within", "then", "of",
    "is", "for", "on", "unless", "if", "without", "until", "AND", "OR", "NOT",
];

/// Whether token `i` begins a line and the token before it can end what it stands in.
fn line_starts_anew(text: &str, tokens: &[Token], i: usize) -> bool {
    let token = &tokens[i];
    if !token.first_on_line || JOINING.contains(&token.text(text)) {
        return false;
    }
    let Some(before) = i.checked_sub(1).map(|j| &tokens[j]) else { return true };
    match before.kind {
        TokenKind::Punct(b'}' | b')' | b']' | b';' | b'?') => true,
        TokenKind::Punct(_) => false,
        TokenKind::Word => !JOINING.contains(&before.text(text)),
        _ => true,
    }
}

/// Cuts the inside of a rule, `first..end` without its braces, into clauses.
pub(super) fn clauses(text: &str, tokens: &[Token], first: usize, end: usize) -> Vec<Piece> {
    cut(tokens, first, end, |i| {
        let token = &tokens[i];
        if token.kind != TokenKind::Word {
            return i == first;
        }
        let after_block = i > first && tokens[i - 1].is(b'}');
        if after_block && token.is_word(text, "within") {
            return false;
        }
        // `by` may go on with a clause, but on a line of its own it is the key of the rule.
        let key = token.first_on_line && token.is_word(text, "by");
        i == first || after_block || key || line_starts_anew(text, tokens, i)
    })
}

/// Cuts the inside of a test into lines.
pub(super) fn test_lines(text: &str, tokens: &[Token], first: usize, end: usize) -> Vec<Piece> {
    cut(tokens, first, end, |i| {
        i == first
            || tokens[i].first_on_line && (tokens[i].kind == TokenKind::Number || tokens[i].is_word(text, "expect"))
    })
}

fn cut(tokens: &[Token], first: usize, end: usize, begins: impl Fn(usize) -> bool) -> Vec<Piece> {
    let mut starts = Vec::new();
    let mut depth = 0usize;
    for (i, token) in tokens.iter().enumerate().take(end).skip(first) {
        if depth == 0 && begins(i) {
            starts.push(i);
        }
        match token.kind {
            TokenKind::Punct(b'{' | b'(' | b'[') => depth += 1,
            TokenKind::Punct(b'}' | b')' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    pieces(starts, end)
}

/// Words that begin a clause of a rule.
pub(super) const CLAUSES: [&str; 26] = [
    "severity",
    "tags",
    "title",
    "id",
    "status",
    "description",
    "runbook",
    "author",
    "references",
    "false_positives",
    "risk",
    "by",
    "match",
    "having",
    "pick",
    "after",
    "cancel",
    "alert",
    "suppress",
    "enabled",
    "shadow",
    "internal",
    "resolve",
    "repeat",
    "expect",
    "limits",
];

/// Where the bare pattern of a one-line rule ends, as a token index; `None` if the text is a file.
///
/// The trailing clauses begin at the first word after the last `then` that can only be one: a `within` that belongs
/// neither to the joint nor to an absence, or `by`, `having`, `pick`, `suppress` and the like.
pub(super) fn one_liner(text: &str, tokens: &[Token]) -> Option<usize> {
    if tokens.is_empty() || (0..tokens.len()).any(|i| declaration_starts(text, tokens, i, 0)) {
        return None;
    }
    if tokens.len() > 1 && DECLARATIONS.contains(&tokens[0].text(text)) && tokens[1].kind == TokenKind::Text {
        return None;
    }
    let mut depth = 0usize;
    // Whether the next `within` belongs to a joint or an absence.
    let mut expects_within = false;
    // Whether `no` stands in the current element, and whether its `then` is the word before.
    let (mut absent, mut after_then) = (false, false);
    let mut end = None;
    for (i, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Punct(b'{' | b'(' | b'[') => depth += 1,
            TokenKind::Punct(b'}' | b')' | b']') => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 0 => {
                let named = tokens.get(i + 1).is_some_and(|t| t.is(b':'));
                match token.text(text) {
                    _ if named || i.checked_sub(1).is_some_and(|j| tokens[j].is(b'.')) => {}
                    "then" => {
                        (expects_within, absent, after_then) = (true, false, true);
                        end = None;
                        continue;
                    }
                    "no" => (expects_within, absent) = (true, true),
                    "after" | "directly" | "next" if expects_within => {}
                    "within" if expects_within => expects_within = false,
                    "within" | "by" | "having" | "pick" | "suppress" | "cancel" | "severity" | "alert" | "after" => {
                        end = end.or(Some(i));
                    }
                    _ => {
                        // A joint's bounds stand right after it; an absence's after what is absent.
                        if after_then || !absent {
                            expects_within = false;
                        }
                    }
                }
            }
            _ => {}
        }
        after_then = false;
    }
    Some(end.unwrap_or(tokens.len()))
}
