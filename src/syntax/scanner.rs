//! Cuts a text into tokens, coarsely: enough to find comments, brackets and where declarations and clauses begin
//! when the text as a whole does not parse.
//!
//! Invariants: never fails, linear time, tokens are in order and do not overlap. On a text that parses, the tokens
//! agree with the grammar about what is a comment, a string and a regular expression.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or keyword.
    Word,
    /// Digits with what is glued to them: `5`, `1h30m`, `0.95`.
    Number,
    /// `"…"`, `r"…"` or `'…'`, with its suffix.
    Text,
    /// `` `…` ``
    Quoted,
    /// `/…/`
    Regex,
    /// Any other character; an ASCII one stands here.
    Punct(u8),
    /// `// …` or `/* … */`
    Comment,
}

/// A token and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// No other token stands before it on its line.
    pub(super) first_on_line: bool,
}

impl Token {
    pub(super) fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }

    pub(super) fn is(&self, punct: u8) -> bool {
        self.kind == TokenKind::Punct(punct)
    }

    pub(super) fn is_word(&self, text: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(text) == word
    }
}

/// A token that is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unclosed {
    Text,
    Quoted,
    Comment,
}

/// A text cut into tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Without comments.
    pub(super) tokens: Vec<Token>,
    pub(super) comments: Vec<Token>,
    /// What is not closed, and where it begins and ends.
    pub(super) unclosed: Vec<(Unclosed, usize, usize)>,
}

/// Cuts a text into tokens.
pub(super) fn scan(text: &str) -> Tokens {
    Scanner { text, bytes: text.as_bytes(), at: 0, first_on_line: true, out: Tokens::default() }.run()
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    first_on_line: bool,
    out: Tokens,
}

impl Scanner<'_> {
    fn run(mut self) -> Tokens {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => {
                    self.first_on_line = true;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => self.token(byte),
            }
        }
        self.out
    }

    fn token(&mut self, byte: u8) {
        let start = self.at;
        let kind = match byte {
            b'/' if self.peek(1) == Some(b'/') => {
                self.at = memchr::memchr(b'\n', &self.bytes[start..]).map_or(self.bytes.len(), |n| start + n);
                TokenKind::Comment
            }
            b'/' if self.peek(1) == Some(b'*') => {
                match memchr::memmem::find(&self.bytes[start + 2..], b"*/") {
                    Some(n) => self.at = start + 2 + n + 2,
                    None => {
                        self.at = self.bytes.len();
                        self.out.unclosed.push((Unclosed::Comment, start, self.at));
                    }
                }
                TokenKind::Comment
            }
            b'r' if self.peek(1) == Some(b'"') => {
                self.at += 1;
                self.delimited(b'"', false, Some(Unclosed::Text));
                self.text_suffix();
                TokenKind::Text
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.words();
                TokenKind::Word
            }
            b'0'..=b'9' => {
                self.words();
                if self.peek(0) == Some(b'.') && self.peek(1).is_some_and(|b| b.is_ascii_digit()) {
                    self.at += 1;
                    self.words();
                }
                TokenKind::Number
            }
            b'"' | b'\'' => {
                self.delimited(byte, true, Some(Unclosed::Text));
                self.text_suffix();
                TokenKind::Text
            }
            b'`' => {
                self.delimited(byte, false, Some(Unclosed::Quoted));
                TokenKind::Quoted
            }
            b'/' if self.regex_may_start() && self.delimited(byte, true, None) => {
                self.words();
                TokenKind::Regex
            }
            _ => {
                let len = self.text[start..].chars().next().map_or(1, char::len_utf8);
                self.at = start + len;
                TokenKind::Punct(byte)
            }
        };
        let token = Token { kind, start, end: self.at, first_on_line: self.first_on_line };
        if kind == TokenKind::Comment {
            // A block comment before a word does not keep the word from being the first of its line.
            if self.bytes[start..self.at].contains(&b'\n') {
                self.first_on_line = true;
            }
            self.out.comments.push(token);
        } else {
            self.first_on_line = false;
            self.out.tokens.push(token);
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn words(&mut self) {
        while self.peek(0).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            self.at += 1;
        }
    }

    fn text_suffix(&mut self) {
        if self.peek(0) == Some(b'i') && !self.peek(1).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            self.at += 1;
        }
    }

    /// Moves past a token that ends at `close` on the same line. If it does not end there, says so as `unclosed` and
    /// takes the rest of the line; with no way to say it, takes nothing and gives `false`.
    fn delimited(&mut self, close: u8, escapes: bool, unclosed: Option<Unclosed>) -> bool {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => break,
                b'\\' if escapes && self.peek(1).is_some_and(|b| b != b'\n') => self.at += 2,
                _ if byte == close => {
                    self.at += 1;
                    return true;
                }
                _ => self.at += 1,
            }
        }
        // An escape may have stepped into a character.
        self.at = self.at.min(self.bytes.len());
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        match unclosed {
            Some(what) => {
                let end = start + self.text[start..self.at].trim_end().len();
                self.out.unclosed.push((what, start, end));
                self.at = end.max(start + 1);
                false
            }
            None => {
                self.at = start;
                false
            }
        }
    }

    /// A division cannot follow these; a regular expression can.
    fn regex_may_start(&self) -> bool {
        let Some(last) = self.out.tokens.last() else { return false };
        match last.kind {
            TokenKind::Punct(b'(' | b',') => true,
            TokenKind::Punct(b'~') => true,
            TokenKind::Word => matches!(last.text(self.text).to_ascii_lowercase().as_str(), "matches" | "regex"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        scan(text).tokens.iter().map(|t| (t.kind, t.text(text))).collect()
    }

    #[test]
    fn tells_division_from_regular_expressions_and_comments() {
        use TokenKind::{Number, Punct, Regex, Word};
        assert_eq!(kinds("a / 2 // x / y"), [(Word, "a"), (Punct(b'/'), "/"), (Number, "2")]);
        assert_eq!(kinds("a =~ /x\\/y/i"), [(Word, "a"), (Punct(b'='), "="), (Punct(b'~'), "~"), (Regex, "/x\\/y/i")]);
    }

    #[test]
    fn an_unclosed_string_ends_with_its_line() {
        let text = "a \"b c\nd";
        assert_eq!(scan(text).unclosed, [(Unclosed::Text, 2, 6)]);
        assert_eq!(kinds(text).len(), 3);
    }

    #[test]
    fn survives_any_bytes() {
        for text in ["\"\\é", "\\", "`", "'", "/*", "r\"", "→→", "\u{feff}x", "/é\\"] {
            let tokens = scan(text);
            for token in tokens.tokens.iter().chain(&tokens.comments) {
                assert!(text.get(token.start..token.end).is_some(), "{text:?}");
            }
        }
    }
}
