//! What a text from an event must not do where people read it: format, link, mention, or hide.

use crate::base::visible;

/// The rules of the place where a text is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Markup {
    /// Text as it is; what cannot be seen is written out.
    #[default]
    Plain,
    /// Slack's: `&`, `<` and `>` make links and mentions; `*`, `_`, `~` and backquotes format.
    Slack,
    /// Markdown, as Teams shows it.
    Markdown,
}

impl Markup {
    /// The text, so that it is shown as it is.
    pub fn escape(self, text: &str) -> String {
        let text = visible(text);
        let mut out = String::with_capacity(text.len() + 8);
        for c in text.chars() {
            match (self, c) {
                (Self::Slack, '&') => out.push_str("&amp;"),
                (Self::Slack, '<') => out.push_str("&lt;"),
                (Self::Slack, '>') => out.push_str("&gt;"),
                // Slack has no escape for these: a word joiner before them takes their meaning away.
                (Self::Slack, '*' | '_' | '~' | '`') => out.extend(['\u{2060}', c]),
                (Self::Markdown, '&') => out.push_str("&amp;"),
                (Self::Markdown, '<') => out.push_str("&lt;"),
                (Self::Markdown, '>') => out.push_str("&gt;"),
                (
                    Self::Markdown,
                    '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '-' | '!' | '|' | '~',
                ) => out.extend(['\\', c]),
                (_, c) => out.push(c),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_do_not_mention_link_or_hide() {
        let evil = "<!channel> <https://evil|ok> *b* \u{202e}x\n\u{1b}[2J";
        assert_eq!(Markup::Plain.escape(evil), "<!channel> <https://evil|ok> *b* \\u{202e}x\\n\\u{1b}[2J");
        let slack = Markup::Slack.escape(evil);
        assert!(!slack.contains(['<', '>']) && slack.contains("&lt;!channel&gt;"), "{slack}");
        let markdown = Markup::Markdown.escape("[a](http://b) **c** <img>");
        assert_eq!(markdown, "\\[a\\]\\(http://b\\) \\*\\*c\\*\\* &lt;img&gt;");
    }
}
