//! Makes text from outside safe to show: what a terminal would obey, or a reader could not see, is written out.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with control characters, marks that reorder text and characters without width written as `\u{…}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if hidden(c) => write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes any text"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Characters that act on a terminal (C0, C1, delete), reorder text (bidirectional marks), or are not seen at all.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        for text in ["", "plain", "Zürich 東京 🙂", "a\\b"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(visible("\u{1b}[2Jx"), "\\u{1b}[2Jx");
        assert_eq!(visible("a\u{9b}31m\u{7f}"), "a\\u{9b}31m\\u{7f}");
        assert_eq!(visible("one\r\ntwo\t"), "one\\r\\ntwo\\t");
    }

    #[test]
    fn what_nobody_sees_is_written_out() {
        assert_eq!(visible("evil\u{202e}gpj.exe"), "evil\\u{202e}gpj.exe");
        assert_eq!(visible("pay\u{200b}pal\u{feff}"), "pay\\u{200b}pal\\u{feff}");
        assert_eq!(visible("\u{2066}\u{e0041}"), "\\u{2066}\\u{e0041}");
    }
}
