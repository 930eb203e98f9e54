//! Conditions on the whole event are held against its line first: taking every value out of a line costs more than
//! all the rest, and hardly any line has the words that such conditions look for.
//!
//! A text that a value holds stands in the line too, but for characters that JSON may write in another way. So a
//! piece without such characters is looked for, in lines without `\u` and without letters beyond ASCII that become ASCII
//! when they are folded: there a folded text is found in the folded line. Numbers are written in more than one way; texts
//! that may be part of one are not looked for.
//!
//! Invariant: a test says no only where the condition cannot be true.

use super::witness::{Atom, Clause};
use crate::base::FieldId;
use crate::plan::literals::Search;

/// Shorter pieces are in too many lines.
const LEAST: usize = 3;

/// Pieces of text of which one stands in every line that a condition holds for.
#[derive(Debug)]
pub(super) struct LineTest(Search);

impl LineTest {
    /// A test for a condition with these clauses, if one of them is about the whole event alone.
    pub(super) fn of(clauses: &[Clause], whole: FieldId) -> Option<Self> {
        clauses.iter().find_map(|clause| {
            let texts: Option<Vec<&str>> = clause
                .atoms
                .iter()
                .map(|atom| match atom {
                    Atom::Holds(field, text) if *field == whole => Some(&**text),
                    _ => None,
                })
                .collect();
            Self::new(&texts?)
        })
    }

    /// A test for folded texts of which one must be held; `None` if one of them need not stand in the line.
    pub(super) fn new(texts: &[&str]) -> Option<Self> {
        let mut pieces = texts.iter().map(|text| piece(text)).collect::<Option<Vec<&str>>>()?;
        pieces.sort_unstable();
        pieces.dedup();
        Search::new(&pieces).ok().map(Self)
    }

    /// Whether the condition may hold for an event with this line, folded; see [`plain`].
    pub(super) fn may_hold(&self, line: &str) -> bool {
        self.0.any(line)
    }
}

/// The longest part of a text that a line writes as it is.
fn piece(text: &str) -> Option<&str> {
    if text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return None;
    }
    let is_plain = |c: char| (' '..='\u{7e}').contains(&c) && !matches!(c, '"' | '\\' | '/');
    let longest = text.split(|c| !is_plain(c)).max_by_key(|piece| piece.len())?;
    (longest.len() >= LEAST).then_some(longest)
}

/// Folds a line into `out`, if what its values hold can be looked for there.
pub fn plain(line: &str, out: &mut String) -> bool {
    if folds_to_ascii(line) || has_unicode_escape(line.as_bytes()) {
        return false;
    }
    out.clear();
    out.push_str(line);
    out.make_ascii_lowercase();
    true
}

/// Letters beyond ASCII with ASCII in their lower case. All others can stay as they are: no piece has any of them.
const FOLDING: [char; 2] = ['\u{130}', '\u{212a}'];

fn folds_to_ascii(line: &str) -> bool {
    if line.is_ascii() {
        return false;
    }
    // The first bytes of the two.
    memchr::memchr2_iter(0xc4, 0xe2, line.as_bytes()).any(|at| line[at..].starts_with(FOLDING))
}

fn has_unicode_escape(line: &[u8]) -> bool {
    memchr::memmem::find_iter(line, br"\u").any(|at| {
        // The backslash may be an escaped one.
        line[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_may_write_otherwise_is_not_looked_for() {
        assert_eq!(piece("sekurlsa::logonpasswords"), Some("sekurlsa::logonpasswords"));
        assert_eq!(piece(r"\\pipe\abc/defgh"), Some("defgh"));
        assert_eq!(piece("ab\"cd"), None);
        assert_eq!(piece("töne und farben"), Some("ne und farben"));
        assert_eq!(piece("4688"), None);
        assert_eq!(piece("4688 x"), Some("4688 x"));
        assert!(LineTest::new(&["logon", "x"]).is_none());
        let test = LineTest::new(&["logon", "abc"]).expect("two pieces");
        assert!(test.may_hold("{\"a\":\"a logon\"}") && !test.may_hold("{\"a\":\"logo\"}"));
    }

    #[test]
    fn only_plain_lines_are_searched() {
        let mut out = String::new();
        assert!(plain(r#"{"a":"C:\\Users\\x\n"}"#, &mut out));
        assert_eq!(out, r#"{"a":"c:\\users\\x\n"}"#);
        assert!(plain(r#"{"a":"\\u0041"}"#, &mut out));
        assert!(!plain(r#"{"a":"\\\u0041"}"#, &mut out));
        assert!(!plain(r#"{"a":"\u0041"}"#, &mut out));
        assert!(!plain("{\"a\":\"\u{212a}\"}", &mut out));
        assert!(plain("{\"a\":\"\u{c4}B\"}", &mut out));
        assert_eq!(out, "{\"a\":\"\u{c4}b\"}");
    }

    #[test]
    fn two_letters_beyond_ascii_fold_to_ascii() {
        let folds = |c: &char| !c.is_ascii() && c.to_lowercase().any(|lower| lower.is_ascii());
        let all: Vec<char> = ('\u{80}'..=char::MAX).filter(folds).collect();
        assert_eq!(all, FOLDING);
        assert!(all.into_iter().all(|c| folds_to_ascii(&format!("\u{c4}{c}"))));
    }
}
