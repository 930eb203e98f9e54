//! One `like` pattern: literal texts with `*` and `?` between them, matched against a whole text.

use super::fold::fold_case;

/// A compiled `like` pattern.
#[derive(Clone, Debug, Hash)]
pub struct Glob {
    /// Compare lower-cased.
    pub fold: bool,
    /// The pattern cut into literals and wildcards.
    pub parts: Vec<GlobPart>,
}

/// A piece of a [`Glob`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GlobPart {
    /// `*`
    AnyRun,
    /// `?`
    AnyChar,
    /// Literal text, lower-cased if the glob folds.
    Text(Box<str>),
}

impl Glob {
    /// Compiles a pattern: `*` any run, `?` one character, `[*]` and `[?]` literal, a backslash is itself.
    pub fn new(pattern: &str, fold: bool) -> Self {
        let mut parts: Vec<GlobPart> = Vec::new();
        let mut text = String::new();
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            let literal = ["[*]", "[?]"].iter().find(|l| rest.starts_with(**l));
            if let Some(literal) = literal {
                text.push_str(&literal[1..2]);
                rest = &rest[3..];
                continue;
            }
            rest = &rest[c.len_utf8()..];
            let wild = match c {
                '*' => GlobPart::AnyRun,
                '?' => GlobPart::AnyChar,
                _ => {
                    if fold {
                        text.extend(c.to_lowercase());
                    } else {
                        text.push(c);
                    }
                    continue;
                }
            };
            if !text.is_empty() {
                parts.push(GlobPart::Text(std::mem::take(&mut text).into()));
            }
            if !(wild == GlobPart::AnyRun && parts.last() == Some(&GlobPart::AnyRun)) {
                parts.push(wild);
            }
        }
        if !text.is_empty() {
            parts.push(GlobPart::Text(text.into()));
        }
        Self { fold, parts }
    }

    /// The pattern of all texts with `literal` at the start, at the end, or anywhere.
    pub fn around(literal: &str, starts: bool, ends: bool, fold: bool) -> Self {
        let mut parts = Vec::new();
        if !starts {
            parts.push(GlobPart::AnyRun);
        }
        if !literal.is_empty() {
            parts.push(GlobPart::Text(if fold { fold_case(literal).into() } else { literal.into() }));
        }
        if !ends && (starts || !literal.is_empty()) {
            parts.push(GlobPart::AnyRun);
        }
        Self { fold, parts }
    }

    /// Whether the whole text matches. Linear in text times stars.
    pub fn is_match(&self, text: &str) -> bool {
        if self.fold { self.is_match_folded(&fold_case(text)) } else { glob_match(&self.parts, text) }
    }

    /// Whether a text that is folded already, if the pattern folds, matches.
    pub fn is_match_folded(&self, text: &str) -> bool {
        glob_match(&self.parts, text)
    }

    /// The longest text that every match holds; none if the pattern is all wildcards.
    pub fn literal(&self) -> Option<&str> {
        let texts = self.parts.iter().filter_map(|part| match part {
            GlobPart::Text(text) => Some(&**text),
            _ => None,
        });
        texts.max_by_key(|text| text.len())
    }
}

/// Greedy with one backtrack point: after a star, only the newest star ever needs to move.
fn glob_match(parts: &[GlobPart], text: &str) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let advanced = match parts.get(p) {
            None if t == text.len() => return true,
            None => false,
            Some(GlobPart::AnyRun) => {
                if p + 1 == parts.len() {
                    return true;
                }
                star = Some((p + 1, t));
                p += 1;
                true
            }
            Some(GlobPart::AnyChar) => match text[t..].chars().next() {
                Some(c) => {
                    t += c.len_utf8();
                    p += 1;
                    true
                }
                None => false,
            },
            Some(GlobPart::Text(literal)) if text[t..].starts_with(&**literal) => {
                t += literal.len();
                p += 1;
                true
            }
            Some(GlobPart::Text(_)) => false,
        };
        if !advanced {
            let Some((after, from)) = star else { return false };
            let Some(c) = text[from..].chars().next() else { return false };
            let from = from + c.len_utf8();
            // A literal after the star can only begin where the literal occurs: jump there.
            let from = match &parts[after] {
                GlobPart::Text(literal) => match text[from..].find(&**literal) {
                    Some(at) => from + at,
                    None => return false,
                },
                _ => from,
            };
            star = Some((after, from));
            p = after;
            t = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let m = |p: &str, t: &str| Glob::new(p, false).is_match(t);
        assert!(m("*.exe", "a.b.exe"));
        assert!(!m("*.exe", "a.exe.b"));
        assert!(m("a*b*c", "a-b-b-c"));
        assert!(!m("a*b*c", "a-b-b-cc-"));
        assert!(m("?é?", "xéy"));
        assert!(m("*", ""));
        assert!(!m("?", ""));
        assert!(m("[*]x[?]", "*x?"));
        assert!(m(r"C:\Windows\*", r"C:\Windows\System32\cmd.exe"));
        assert!(Glob::new("*CMD.exe", true).is_match(r"C:\x\cmd.EXE"));
        assert!(m("*ab?b*", "aabab-abcb-"));
        assert!(m("*a?c*d", "abxabcdd"));
    }
}
