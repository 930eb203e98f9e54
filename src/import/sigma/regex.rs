//! Sigma's regular expressions, PCRE by its specification, in the syntax of this engine.
//!
//! The two agree on what Sigma allows, but for a few characters that PCRE takes literally and the engine does not, and
//! for `\w`, `\d`, `\s` and `\b`, which are of ASCII in PCRE.
//! What only backtracking engines have is refused, with what to write instead.

use regex_syntax::hir::{Class, Hir, HirKind};

/// What an expression has that is refused.
pub(super) struct Refused {
    /// What it is called.
    pub(super) what: String,
    /// A way out.
    pub(super) instead: &'static str,
}

/// A regular expression that can be run.
pub(super) struct Translated {
    /// In the engine's syntax.
    pub(super) pattern: String,
    /// The text of some number or bool may match.
    pub(super) may_be_scalar: bool,
}

const AHEAD: &str = "match both parts in one selection: `field|re|all: [first, second]`";
const NOT_AHEAD: &str =
    "write what must not be there as a selection of its own and exclude it: `selection and not excluded`";
const REPEATED: &str = "list the alternatives: `aa|bb`";

/// Translates an expression. `prefix` are flags such as `(?s)`, `fold` folds case.
pub(super) fn translate(pattern: &str, prefix: &str, fold: bool) -> Result<Translated, Refused> {
    let pattern = format!("{prefix}{}", plain_characters(pattern)?);
    let parsed = regex_syntax::ParserBuilder::new().case_insensitive(fold).build().parse(&pattern);
    match parsed {
        Ok(hir) => Ok(Translated { may_be_scalar: !needs_other(&hir), pattern }),
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim();
            let what = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
            Err(Refused { what, instead: "escape characters that are meant literally with a backslash, as in `\\(`" })
        }
    }
}

/// Escapes what PCRE takes literally and the engine does not; finds what the engine does not have.
fn plain_characters(pattern: &str) -> Result<String, Refused> {
    let refused = |what: &str, instead| Err(Refused { what: format!("{what} is not available"), instead });
    let mut out = String::new();
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let mut taken = c.len_utf8();
        match c {
            '\\' => {
                let next = after.chars().next();
                match next {
                    Some('1'..='9') if !in_class => return refused("a back-reference", REPEATED),
                    Some('k') if after[1..].starts_with(['<', '{', '\'']) => {
                        return refused("a back-reference", REPEATED);
                    }
                    Some('G' | 'K' | 'R' | 'X') => {
                        return refused("this escape", "describe the characters: `[\\r\\n]`");
                    }
                    Some('Z') => out.push_str("\\z"),
                    Some('<' | '>' | '/' | '"' | '\'') => out.extend(next),
                    Some('h') if !in_class => out.push_str("[ \\t]"),
                    Some('b') if !in_class => out.push_str("(?-u:\\b)"),
                    Some('w' | 'W' | 'd' | 'D' | 's' | 'S') => out.push_str(&ascii_class(next, in_class)),
                    Some('e') => out.push_str("\\x1B"),
                    Some(next) => {
                        out.push('\\');
                        out.push(next);
                    }
                    None => out.push('\\'),
                }
                taken += next.map_or(0, char::len_utf8);
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket that closes at once is meant literally.
                let head = after.strip_prefix('^').map_or("", |_| "^");
                out.push_str(head);
                taken += head.len();
                if after[head.len()..].starts_with(']') {
                    out.push_str("\\]");
                    taken += 1;
                }
            }
            '[' if after.starts_with(':') && after.contains(":]") => {
                let end = after.find(":]").map_or(0, |at| at + 2);
                out.push('[');
                out.push_str(&after[..end]);
                taken += end;
            }
            '[' => out.push_str("\\["),
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && after.starts_with('-') => out.push_str("\\-"),
            '{' if !in_class && !is_count(after) => out.push_str("\\{"),
            '(' if !in_class => {
                for (head, what, instead) in [
                    ("?=", "look-ahead", AHEAD),
                    ("?!", "negative look-ahead", NOT_AHEAD),
                    ("?<=", "look-behind", "match the text before as well: `ab` instead of `(?<=a)b`"),
                    ("?<!", "negative look-behind", NOT_AHEAD),
                    ("?>", "an atomic group", "leave out the `?>`: matching is linear anyway"),
                    ("?P=", "a back-reference", REPEATED),
                    ("?(", "a conditional group", "write two expressions in a list"),
                    ("?R", "recursion", "write the levels out"),
                ] {
                    if after.starts_with(head) {
                        return refused(what, instead);
                    }
                }
                out.push('(');
            }
            '+' if !in_class && out.ends_with(['+', '*', '?', '}']) && !out.ends_with("\\+") && !ends_escaped(&out) => {
                return refused("a possessive quantifier", "leave out the second `+`: matching is linear anyway");
            }
            c => out.push(c),
        }
        rest = &rest[taken..];
    }
    Ok(out)
}

/// A class of characters, of ASCII as in PCRE, outside of brackets or in them.
fn ascii_class(letter: Option<char>, in_class: bool) -> String {
    let members = match letter {
        Some('w' | 'W') => "0-9A-Za-z_",
        Some('d' | 'D') => "0-9",
        _ => " \\t-\\r",
    };
    let denied = letter.is_some_and(char::is_uppercase);
    match (denied, in_class) {
        (true, _) => format!("[^{members}]"),
        (false, false) => format!("[{members}]"),
        (false, true) => members.to_owned(),
    }
}

/// Whether the last character stands behind a backslash of its own.
fn ends_escaped(out: &str) -> bool {
    let mut before = out.chars().rev().skip(1);
    before.by_ref().take_while(|c| *c == '\\').count() % 2 == 1
}

/// `3}`, `3,}`, `3,5}`
fn is_count(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    !low.is_empty() && low.bytes().chain(high.bytes()).all(|b| b.is_ascii_digit())
}

/// Whether every match has a character that the texts of numbers and bools do not have.
fn needs_other(hir: &Hir) -> bool {
    const SCALAR: &[u8] = b"0123456789.+-truefalsTRUEFALS";
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().any(|b| !SCALAR.contains(b)),
        HirKind::Class(Class::Unicode(class)) => !class
            .iter()
            .any(|range| SCALAR.iter().any(|b| range.start() <= char::from(*b) && char::from(*b) <= range.end())),
        HirKind::Class(Class::Bytes(class)) => {
            !class.iter().any(|range| SCALAR.iter().any(|b| range.start() <= *b && *b <= range.end()))
        }
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_other(&repetition.sub),
        HirKind::Capture(capture) => needs_other(&capture.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_other),
        HirKind::Alternation(parts) => parts.iter().all(needs_other),
        HirKind::Empty | HirKind::Look(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pcre_takes_literally_is_escaped() {
        for (pattern, expected) in [
            (r"a\<b\>", "a<b>"),
            (r"[[]", r"[\[]"),
            (r"[]a]", r"[\]a]"),
            (r"[^]a]", r"[^\]a]"),
            (r"[[:alpha:]]", "[[:alpha:]]"),
            (r"a{b}", r"a\{b}"),
            (r"a{2,3}", "a{2,3}"),
            (r"[a&&b]", r"[a\&\&b]"),
            (r"\\+x", r"\\+x"),
            (r"\w\s[\d\W]", r"[0-9A-Za-z_][ \t-\r][0-9[^0-9A-Za-z_]]"),
            (r"[*+]+", "[*+]+"),
        ] {
            let found = plain_characters(pattern);
            assert_eq!(found.ok().as_deref(), Some(expected), "{pattern}");
        }
        assert!(translate(r"C:\\Users\\[^\\]+", "", true).is_ok());
    }

    #[test]
    fn backtracking_is_refused() {
        for pattern in ["a(?=b)", "(?<!a)b", r"(a)\1", "a++", "(?>a)"] {
            assert!(translate(pattern, "", false).is_err(), "{pattern}");
        }
    }

    #[test]
    fn numbers_can_match_only_some() {
        let scalar = |pattern: &str| translate(pattern, "", false).is_ok_and(|t| t.may_be_scalar);
        assert!(scalar(r"^\d+$"));
        assert!(scalar("a*"));
        assert!(scalar("true"));
        assert!(!scalar("cmd"));
        assert!(!scalar(r"[0-9]+ x"));
        assert!(!scalar("(cmd|x)1"));
    }
}
