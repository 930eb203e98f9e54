//! Regular expressions of Lucene as those of the rule language.
//!
//! Lucene's match the whole text; a dot is any character; `"…"` is literal; `^` and `$` are ordinary characters;
//! `~ & @ # < >` are operators of its own. What is written here has the same matches, or is refused.

/// Why there is no translation.
#[derive(Debug)]
pub(super) struct Untranslatable {
    pub(super) message: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
}

fn no<T>(message: &'static str, label: &'static str, help: &'static str) -> Result<T, Untranslatable> {
    Err(Untranslatable { message, label, help })
}

/// A character as itself, in and outside of classes.
fn literal(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' | '#' | '&' | '-' | '~' => {
            out.push('\\');
            out.push(c);
        }
        c if c.is_control() => out.push_str(&format!("\\x{{{:x}}}", u32::from(c))),
        c => out.push(c),
    }
}

/// A text as a pattern that matches it and nothing else.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|c| literal(c, &mut out));
    out
}

/// A pattern with `*` and `?` as a regular expression over the whole text.
pub(super) fn of_glob(pattern: &str) -> String {
    let mut out = String::from("^(?s:");
    for c in pattern.chars() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            c => literal(c, &mut out),
        }
    }
    out.push_str(")$");
    out
}

/// Translates a pattern.
pub(super) fn translate(pattern: &str) -> Result<String, Untranslatable> {
    let mut out = String::from("^(?s:");
    let mut chars = pattern.chars().peekable();
    let mut depth = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                None => return no("a backslash stands at the end", "escapes nothing", "write `\\\\` for a backslash"),
                Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                    out.push_str(match class {
                        'd' => "[0-9]",
                        'D' => "[^0-9]",
                        's' => "[ \\t\\n\\r]",
                        'S' => "[^ \\t\\n\\r]",
                        'w' => "[0-9A-Za-z_]",
                        _ => "[^0-9A-Za-z_]",
                    });
                }
                Some(c) if c.is_ascii_alphanumeric() => {
                    return no(
                        "this escape has no meaning that is known",
                        "a letter or digit behind a backslash",
                        "Lucene knows `\\d`, `\\s` and `\\w`; write other characters as they are",
                    );
                }
                Some(c) => literal(c, &mut out),
            },
            '"' => loop {
                match chars.next() {
                    Some('"') => break,
                    Some(c) => literal(c, &mut out),
                    None => {
                        return no(
                            "a quote in the expression is not closed",
                            "literal text begins at the quote",
                            "write `\\\"` for a quote",
                        );
                    }
                }
            },
            '[' => class(&mut chars, &mut out)?,
            '^' | '$' => {
                return no(
                    "an expression has no anchors",
                    "here `^` and `$` are ordinary characters",
                    "leave it out: the whole text is matched; for the character itself write `\\^` or `\\$`",
                );
            }
            '~' | '&' | '@' | '#' | '<' | '>' => {
                return no(
                    "Lucene's operators `~ & @ # < >` have no translation",
                    "has one of them",
                    "write a backslash before the character if it is meant itself, or use `not` and `and` between two comparisons",
                );
            }
            '(' => {
                depth += 1;
                out.push_str("(?:");
                if chars.peek() == Some(&'?') {
                    return no(
                        "look-around and groups with `(?` are not known",
                        "`(?`",
                        "use two comparisons with `and`, or `not`",
                    );
                }
            }
            ')' => {
                if depth == 0 {
                    return no("this `)` closes nothing", "no group is open", "write `\\)` for the character");
                }
                depth -= 1;
                out.push(')');
            }
            '{' | '}' | '*' | '+' | '?' | '.' | '|' => {
                out.push(c);
                if matches!(c, '*' | '+' | '?' | '}') && matches!(chars.peek(), Some('?' | '+')) {
                    return no(
                        "a number stands behind a number",
                        "two of `*`, `+`, `?` in a row",
                        "in an expression over the whole text it makes no difference which is taken: leave the second out",
                    );
                }
            }
            c => literal(c, &mut out),
        }
    }
    if depth > 0 {
        return no("a group is not closed", "`(` without `)`", "close it, or write `\\(` for the character");
    }
    out.push_str(")$");
    Ok(out)
}

/// A class in brackets, behind its `[`.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Result<(), Untranslatable> {
    out.push('[');
    if chars.peek() == Some(&'^') {
        chars.next();
        out.push('^');
    }
    let mut first = true;
    loop {
        let Some(c) = chars.next() else {
            return no("a class is not closed", "`[` without `]`", "close it, or write `\\[` for the character");
        };
        match c {
            ']' if !first => break,
            '\\' => match chars.next() {
                Some('d') => out.push_str("0-9"),
                Some('w') => out.push_str("0-9A-Za-z_"),
                Some('s') => out.push_str(" \\t\\n\\r"),
                Some(c) if !c.is_ascii_alphanumeric() => literal(c, out),
                _ => {
                    return no(
                        "this escape has no meaning that is known",
                        "in a class",
                        "write the character as it is",
                    );
                }
            },
            // Between two characters it is a range; at either end it is itself.
            '-' if !first && !matches!(chars.peek(), Some(']') | None) => out.push('-'),
            c => literal(c, out),
        }
        first = false;
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_texts_are_matched() {
        assert_eq!(translate("a.b*").expect("plain"), "^(?s:a.b*)$");
        assert_eq!(translate("\"a.b\"[^x-z]{2}").expect("plain"), "^(?s:a\\.b[^x-z]{2})$");
        assert_eq!(translate("(a|b)-\\d").expect("plain"), "^(?s:(?:a|b)\\-[0-9])$");
    }

    #[test]
    fn what_has_no_translation_is_refused() {
        for pattern in ["^a", "a$", "a~b", "(?=a)b", "a<1-9>", "(a", "a)", "[a", "a\\", "\"a", "a*?", "\\p"] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn globs_become_expressions() {
        assert_eq!(of_glob("a[?]*.x"), "^(?s:a\\[.\\].*\\.x)$");
    }
}
