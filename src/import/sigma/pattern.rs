//! Texts of Sigma with their wildcards, and what modifiers make of them.
//!
//! A value is cut once into plain pieces and wildcards, so that no later step has to know of escapes. Pieces are
//! bytes, because an encoding may come before another; what is compared in the end must be text.

use std::fmt::Write as _;

/// A value with its wildcards.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    /// Plain pieces and wildcards; no two pieces and no two [`Part::AnyRun`] are neighbours.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// As it is.
    Plain(Vec<u8>),
    /// `*`
    AnyRun,
    /// `?`
    AnyChar,
}

/// How a pattern is said in the rule language.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// It has no wildcards: the whole value equals this.
    Whole(String),
    /// Anything at all.
    Anything,
    /// A pattern of `like`.
    Glob(String),
    /// A regular expression, where `like` has no way to say it.
    Regex(String),
}

/// What `windash` takes for a dash.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// Texts that `windash` may make of one value.
const MAX_DASHED: usize = 5 * 5 * 5 * 5;

impl Pattern {
    /// Cuts a text: `*` and `?` are wildcards, a backslash takes that from them, and two backslashes are one.
    pub(super) fn parse(text: &str) -> Self {
        let mut pattern = Self { parts: Vec::new() };
        let mut plain: Vec<u8> = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let wild = match byte {
                b'*' => Part::AnyRun,
                b'?' => Part::AnyChar,
                b'\\' => {
                    plain.push(bytes.next_if(|next| matches!(next, b'*' | b'?' | b'\\')).unwrap_or(b'\\'));
                    continue;
                }
                _ => {
                    plain.push(byte);
                    continue;
                }
            };
            pattern.push(Part::Plain(std::mem::take(&mut plain)));
            pattern.push(wild);
        }
        pattern.push(Part::Plain(plain));
        pattern
    }

    /// A text without wildcards.
    pub(super) fn plain(text: &str) -> Self {
        let mut pattern = Self { parts: Vec::new() };
        pattern.push(Part::Plain(text.as_bytes().to_vec()));
        pattern
    }

    fn push_char(&mut self, c: char) {
        self.push(Part::Plain(c.to_string().into_bytes()));
    }

    fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (_, Part::Plain(bytes)) if bytes.is_empty() => {}
            (Some(Part::Plain(before)), Part::Plain(bytes)) => before.extend(bytes),
            (Some(Part::AnyRun), Part::AnyRun) => {}
            (_, part) => self.parts.push(part),
        }
    }

    /// Anything may come before.
    pub(super) fn open_start(&mut self) {
        if self.parts.first() != Some(&Part::AnyRun) {
            self.parts.insert(0, Part::AnyRun);
        }
    }

    /// Anything may follow.
    pub(super) fn open_end(&mut self) {
        self.push(Part::AnyRun);
    }

    /// The bytes, if there are no wildcards.
    fn bytes(&self) -> Option<Vec<u8>> {
        match self.parts.as_slice() {
            [] => Some(Vec::new()),
            [Part::Plain(bytes)] => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The pieces in UTF-16, each unit as two bytes.
    pub(super) fn utf16(&mut self, unit: fn(u16) -> [u8; 2], mark: bool) {
        for part in &mut self.parts {
            if let Part::Plain(bytes) = part {
                let text = String::from_utf8_lossy(bytes).into_owned();
                *bytes = text.encode_utf16().flat_map(unit).collect();
            }
        }
        if mark {
            let old = std::mem::take(&mut self.parts);
            self.push(Part::Plain(vec![0xff, 0xfe]));
            old.into_iter().for_each(|part| self.push(part));
        }
    }

    /// Base64 of the whole; none if there are wildcards.
    pub(super) fn base64(&self) -> Option<Self> {
        self.bytes().map(|bytes| Self::plain(&base64(&bytes)))
    }

    /// What stays the same of the base64 of any text that holds this one, for each of the three places in which it
    /// may begin. None if there are wildcards.
    pub(super) fn base64_offsets(&self) -> Option<Vec<Self>> {
        let bytes = self.bytes()?;
        let offsets = (0..3).map(|offset: usize| {
            let mut shifted = vec![0; offset];
            shifted.extend(&bytes);
            let encoded = base64(&shifted);
            // Characters that also hold bits of what stands before or after are left out.
            let start = [0, 2, 3][offset];
            let end = encoded.len() - [0, 3, 2][shifted.len() % 3];
            Self::plain(encoded.get(start..end).unwrap_or(""))
        });
        Some(offsets.collect())
    }

    /// Every way of writing the dashes that begin an option. None if there are too many.
    pub(super) fn windash(&self) -> Option<Vec<Self>> {
        let mut all = vec![Self { parts: Vec::new() }];
        for part in &self.parts {
            let Part::Plain(bytes) = part else {
                all.iter_mut().for_each(|pattern| pattern.push(part.clone()));
                continue;
            };
            let chars: Vec<char> = String::from_utf8_lossy(bytes).chars().collect();
            let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
            for (at, c) in chars.iter().enumerate() {
                let before = at.checked_sub(1).and_then(|at| chars.get(at));
                if DASHES.contains(c) && !is_word(before) && is_word(chars.get(at + 1)) {
                    if all.len() * DASHES.len() > MAX_DASHED {
                        return None;
                    }
                    let dashed = |pattern: Self| {
                        DASHES.map(|dash| {
                            let mut pattern = pattern.clone();
                            pattern.push_char(dash);
                            pattern
                        })
                    };
                    all = all.into_iter().flat_map(dashed).collect();
                } else {
                    all.iter_mut().for_each(|pattern| pattern.push_char(*c));
                }
            }
        }
        Some(all)
    }

    /// The pattern in the rule language. None if its bytes are no text.
    pub(super) fn said(&self) -> Option<Said> {
        match self.parts.as_slice() {
            [] => return Some(Said::Whole(String::new())),
            [Part::Plain(bytes)] => return String::from_utf8(bytes.clone()).ok().map(Said::Whole),
            [Part::AnyRun] => return Some(Said::Anything),
            _ => {}
        }
        let mut glob = String::new();
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Plain(bytes) => {
                    for c in String::from_utf8(bytes.clone()).ok()?.chars() {
                        match c {
                            '*' | '?' => write!(glob, "[{c}]").ok()?,
                            _ => glob.push(c),
                        }
                    }
                }
                // Between brackets a wildcard would be read as the character; two stars are one.
                Part::AnyRun if glob.ends_with('[') => glob.push_str("**"),
                Part::AnyRun => glob.push('*'),
                Part::AnyChar if glob.ends_with('[') && self.begins_with_bracket(at + 1) => return self.regex(),
                Part::AnyChar => glob.push('?'),
            }
        }
        Some(Said::Glob(glob))
    }

    fn begins_with_bracket(&self, at: usize) -> bool {
        matches!(self.parts.get(at), Some(Part::Plain(bytes)) if bytes.first() == Some(&b']'))
    }

    fn regex(&self) -> Option<Said> {
        let mut regex = String::from("(?s)^");
        for part in &self.parts {
            match part {
                Part::Plain(bytes) => regex.push_str(&regex_syntax::escape(std::str::from_utf8(bytes).ok()?)),
                Part::AnyRun => regex.push_str(".*"),
                Part::AnyChar => regex.push('.'),
            }
        }
        regex.push('$');
        Some(Said::Regex(regex))
    }

    /// Whether the text of some number may match: no piece has a character that numbers do not have.
    pub(super) fn may_be_number(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Plain(bytes) => bytes.iter().all(|b| b.is_ascii_digit() || b".eE+-".contains(b)),
            _ => true,
        })
    }

    /// Whether an ASCII text in lower case matches, case folded or not.
    pub(super) fn matches(&self, text: &str, fold: bool) -> bool {
        fn from(parts: &[Part], text: &[u8], fold: bool) -> bool {
            match parts {
                [] => text.is_empty(),
                [Part::AnyRun, rest @ ..] => (0..=text.len()).any(|at| from(rest, &text[at..], fold)),
                [Part::AnyChar, rest @ ..] => text.split_first().is_some_and(|(_, text)| from(rest, text, fold)),
                [Part::Plain(bytes), rest @ ..] => text.split_at_checked(bytes.len()).is_some_and(|(head, text)| {
                    let equal = if fold { head.eq_ignore_ascii_case(bytes) } else { head == bytes };
                    equal && from(rest, text, fold)
                }),
            }
        }
        // More pieces than characters cannot match, and would be tried in too many ways.
        self.parts.len() <= 2 * text.len() + 1 && from(&self.parts, text.as_bytes(), fold)
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (at, b)| bits | u32::from(*b) << (16 - 8 * at));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        Pattern::parse(text).said().expect("a text")
    }

    #[test]
    fn backslashes_are_read_as_sigma_says() {
        for (text, expected) in [
            (r"a\b", Said::Whole(r"a\b".into())),
            (r"a\\b", Said::Whole(r"a\b".into())),
            (r"\\\\srv", Said::Whole(r"\\srv".into())),
            (r"\\\srv", Said::Whole(r"\\srv".into())),
            (r"a\*", Said::Whole("a*".into())),
            (r"a\\*", Said::Glob(r"a\*".into())),
            (r"a\\\*", Said::Whole(r"a\*".into())),
            (r"a\*b*", Said::Glob("a[*]b*".into())),
            (r"a\", Said::Whole(r"a\".into())),
            ("*", Said::Anything),
            ("**", Said::Anything),
            ("", Said::Whole(String::new())),
            ("[*]", Said::Glob("[**]".into())),
            (r"[\*]?", Said::Glob("[[*]]?".into())),
            ("[?]", Said::Regex(r"(?s)^\[.\]$".into())),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn encodings() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foo"), "Zm9v");
        let offsets: Vec<_> = Pattern::parse("foobar").base64_offsets().expect("no wildcards");
        let offsets: Vec<_> = offsets.iter().map(|p| p.said().expect("a text")).collect();
        let whole = |text: &str| Said::Whole(text.to_owned());
        assert_eq!(offsets, [whole("Zm9vYmFy"), whole("Zvb2Jhc"), whole("mb29iYX")]);
        let mut wide = Pattern::parse("ab");
        wide.utf16(u16::to_le_bytes, false);
        assert_eq!(wide.said(), Some(whole("a\0b\0")));
        assert_eq!(wide.base64().and_then(|p| p.said()), Some(whole("YQBiAA==")));
        wide.utf16(u16::to_le_bytes, true);
        assert_eq!(wide.said(), None);
    }

    #[test]
    fn dashes_before_words_are_exchanged() {
        let all = |text: &str| Pattern::parse(text).windash().map(|all| all.len());
        assert_eq!(all(" -f"), Some(5));
        assert_eq!(all("a-f"), Some(1));
        assert_eq!(all("- f"), Some(1));
        assert_eq!(all("/a *-b"), Some(25));
        assert_eq!(all("-a -b -c -d -e"), None);
        let dashed = Pattern::parse("-f").windash().expect("one dash");
        let texts: Vec<_> = dashed.iter().map(|p| p.said().expect("a text")).collect();
        assert_eq!(texts[1], Said::Whole("/f".into()));
    }

    #[test]
    fn what_numbers_and_bools_can_match() {
        assert!(Pattern::parse("4?8*").may_be_number());
        assert!(!Pattern::parse("4a*").may_be_number());
        assert!(Pattern::parse("*RU*").matches("true", true));
        assert!(!Pattern::parse("*RU*").matches("true", false));
        assert!(!Pattern::parse("tru").matches("true", true));
    }
}
