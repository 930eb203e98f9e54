//! Tokens of EQL, as far as cutting a file into queries and finding brackets asks for. Linear, and never fails.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word or number.
    Word,
    /// A text in quotes of any form.
    Text,
    /// A name in backquotes.
    Quoted,
    /// One other character.
    Punct,
}

/// A token: bytes `start..end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Nothing but blanks and comments before it on its line.
    pub(super) first_on_line: bool,
}

impl Token {
    pub(super) fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }
}

/// What is opened and never closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unclosed {
    Text,
    Raw,
    Quoted,
    Comment,
}

/// The tokens of a text.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) tokens: Vec<Token>,
    /// `// …` comments: bytes of each.
    pub(super) comments: Vec<(usize, usize)>,
    /// What is not closed, with its bytes.
    pub(super) unclosed: Vec<(Unclosed, usize, usize)>,
}

fn line_end(text: &str, from: usize) -> usize {
    memchr::memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |n| from + n)
}

/// Cuts a text into tokens.
pub(super) fn scan(text: &str) -> Tokens {
    let bytes = text.as_bytes();
    let mut out = Tokens::default();
    let mut fresh = true;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let kind = match byte {
            b'\n' => {
                fresh = true;
                at += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = line_end(text, at);
                out.comments.push((start, at));
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                match text[at + 2..].find("*/") {
                    Some(n) => at += n + 4,
                    None => {
                        out.unclosed.push((Unclosed::Comment, start, start + 2));
                        at = text.len();
                    }
                }
                continue;
            }
            b'"' if text[at..].starts_with("\"\"\"") => {
                match text[at + 3..].find("\"\"\"") {
                    Some(n) => {
                        at += n + 6;
                        // Up to two quotes may stand before the three that close it.
                        let more = bytes[at..].iter().take(2).take_while(|b| **b == b'"').count();
                        at += more;
                    }
                    None => {
                        out.unclosed.push((Unclosed::Raw, start, start + 3));
                        at = text.len();
                    }
                }
                Kind::Text
            }
            b'"' | b'\'' | b'`' => {
                let end = line_end(text, at);
                at += 1;
                loop {
                    match bytes[at..end].first() {
                        None => {
                            let what = if byte == b'`' { Unclosed::Quoted } else { Unclosed::Text };
                            out.unclosed.push((what, start, end));
                            break;
                        }
                        Some(b'\\') if byte != b'`' => at = (at + 2).min(end),
                        Some(b'`') if byte == b'`' && bytes.get(at + 1) == Some(&b'`') => at += 2,
                        Some(b) if *b == byte => {
                            at += 1;
                            break;
                        }
                        Some(_) => at += 1,
                    }
                }
                // A backslash may have led into the middle of a character.
                while !text.is_char_boundary(at) {
                    at += 1;
                }
                if byte == b'`' { Kind::Quoted } else { Kind::Text }
            }
            b if b.is_ascii_alphanumeric() || b == b'_' || b == b'@' => {
                while bytes.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'@' | b'.')) {
                    at += 1;
                }
                Kind::Word
            }
            _ => {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                Kind::Punct
            }
        };
        out.tokens.push(Token { kind, start, end: at, first_on_line: fresh });
        fresh = false;
    }
    out
}
