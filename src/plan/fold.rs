//! Case folding: what every `i` suffix compares by.
//!
//! Lower case, character by character, whatever stands around it. So folding a text folds its parts: a folded literal
//! occurs in a folded text wherever the literal occurs in the text, which indexes rely on.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};

use crate::base::FieldId;

/// A text in lower case; borrowed if nothing changes.
pub fn fold_case(text: &str) -> Cow<'_, str> {
    if is_folded(text) {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    Cow::Owned(folded)
}

/// Whether folding leaves a text as it is. It may say no to a text with characters beyond ASCII that is.
#[inline]
fn is_folded(text: &str) -> bool {
    // Without an early exit it is compiled to vector instructions.
    text.bytes().fold(true, |same, b| same & !(b.is_ascii_uppercase() | !b.is_ascii()))
}

/// Appends a text in lower case.
pub fn fold_into(text: &str, out: &mut String) {
    if text.is_ascii() {
        let from = out.len();
        out.push_str(text);
        out[from..].make_ascii_lowercase();
        return;
    }
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            out.extend(c.to_lowercase());
        }
    }
}

/// The folded texts of one event's fields, each made when it is first asked for.
#[derive(Debug, Default)]
pub struct FoldMemo {
    /// By field.
    texts: Vec<OnceCell<Folded>>,
    /// Fields that have one.
    made: RefCell<Vec<FieldId>>,
    /// Memory of earlier events.
    spare: RefCell<Vec<String>>,
}

#[derive(Debug)]
enum Folded {
    /// As it was.
    Same,
    Text(String),
}

impl FoldMemo {
    /// A memo for so many fields.
    pub fn new(fields: usize) -> Self {
        Self { texts: std::iter::repeat_with(OnceCell::new).take(fields).collect(), ..Self::default() }
    }

    /// The folded form of `text`, which is the value of `field` in the event at hand. `None` for unknown fields.
    #[inline]
    pub fn fold<'a>(&'a self, field: FieldId, text: &'a str) -> Option<&'a str> {
        let folded = self.texts.get(field.index())?.get_or_init(|| {
            self.made.borrow_mut().push(field);
            if is_folded(text) {
                return Folded::Same;
            }
            let mut folded = self.spare.borrow_mut().pop().unwrap_or_default();
            folded.clear();
            fold_into(text, &mut folded);
            Folded::Text(folded)
        });
        Some(match folded {
            Folded::Same => text,
            Folded::Text(folded) => folded,
        })
    }

    /// Goes on with another event.
    #[inline]
    pub fn clear(&mut self) {
        let spare = self.spare.get_mut();
        for field in self.made.get_mut().drain(..) {
            if let Some(Folded::Text(text)) = self.texts[field.index()].take()
                && text.capacity() <= KEPT
            {
                spare.push(text);
            }
        }
    }
}

/// The memory of a longer text is given back.
const KEPT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_by_character() {
        assert_eq!(fold_case("aBc-Ä\u{212a}ß"), "abc-äkß");
        // The end of a word does not matter, as it would for the lower case of a whole text.
        assert_eq!(fold_case("ΣΑΣ"), "σασ");
        assert!(matches!(fold_case("abc 1"), Cow::Borrowed(_)));
        // One character may become two.
        assert_eq!(fold_case("İ"), "i\u{307}");
    }

    #[test]
    fn a_memo_forgets_the_event_before() {
        let mut memo = FoldMemo::new(2);
        assert_eq!(memo.fold(FieldId(1), "ABC"), Some("abc"));
        assert_eq!(memo.fold(FieldId(1), "ABC"), Some("abc"));
        assert_eq!(memo.fold(FieldId(0), "x"), Some("x"));
        assert_eq!(memo.fold(FieldId(2), "x"), None);
        memo.clear();
        assert_eq!(memo.fold(FieldId(0), "DE"), Some("de"));
        assert_eq!(memo.fold(FieldId(1), "f"), Some("f"));
    }
}
