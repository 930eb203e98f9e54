//! A remark on what stands where parsing stopped: what people who know other languages mean by it.

use super::scanner::{Token, TokenKind};

/// A remark on what stands where parsing stopped.
pub(super) fn hint(text: &str, tokens: &[Token], index: usize, token: &Token) -> Option<String> {
    let written = token.text(text);
    let before = index.checked_sub(1).map(|i| tokens[i].text(text)).unwrap_or("");
    let earlier = |back: usize| index.checked_sub(back).map_or("", |i| tokens[i].text(text));
    let asks = |word: &str| matches!(word, "then" | "where" | "and" | "or" | "not" | "by" | "having");
    let follows = |word: &str| matches!(word, "then" | "within" | "unless" | "without" | "until" | "by" | "where");
    if let Some(habit) = habit(text, tokens, index, token) {
        return Some(habit.to_owned());
    }
    if asks(before) && (matches!(written, "}" | ")") || follows(written)) {
        return Some(format!("something is missing after `{before}`"));
    }
    if asks(earlier(2)) && follows(before) {
        return Some(format!("something is missing between `{}` and `{before}`", earlier(2)));
    }
    if matches!(earlier(2), "if" | "unless") && matches!(token.kind, TokenKind::Punct(b'=' | b'!' | b'<' | b'>' | b'.'))
    {
        return Some("a condition on the event itself stands after `where`; `if` looks at earlier events".to_owned());
    }
    match token.kind {
        TokenKind::Punct(b'(') if index > 0 && tokens[index - 1].kind == TokenKind::Word => {
            Some(format!("if `{before}` is a function, its parenthesis follows at once: `{before}(`"))
        }
        TokenKind::Punct(b'=') => Some("a comparison is written `==`".to_owned()),
        TokenKind::Punct(b'{') => Some("is a keyword missing before this block?".to_owned()),
        TokenKind::Word if matches!(before, "where") => {
            Some(format!("a name that is also an operator stands in backquotes: `` `{written}` ``"))
        }
        TokenKind::Punct(b'[') => Some("lists stand in parentheses: `in (1, 2)`".to_owned()),
        TokenKind::Punct(b'$' | b'#') => Some("fields are written without a sign: `source.ip`".to_owned()),
        TokenKind::Text if matches!(before, "rule" | "test") => {
            Some("a name comes first, the title after it: `rule my_rule \"title\" {`".to_owned())
        }
        _ => None,
    }
}

/// What is written like this in other languages, and how it is written here.
fn habit(text: &str, tokens: &[Token], index: usize, token: &Token) -> Option<&'static str> {
    let earlier = |back: usize| index.checked_sub(back).map_or("", |i| tokens[i].text(text));
    let later = |ahead: usize| tokens.get(index + ahead).map_or("", |t| t.text(text));
    let (written, before) = (token.text(text), earlier(1));
    let glued = index.checked_sub(1).is_some_and(|i| tokens[i].kind == TokenKind::Word && tokens[i].end == token.start);
    let names_step = |at: usize| later(at + 1) == ":";
    match written {
        "and" | "," if names_step(1) => Some("steps are joined by `then`; those of any order stand in `all { … }`"),
        _ if before == "," && names_step(0) => {
            Some("steps are joined by `then`; those of any order stand in `all { … }`, one after another")
        }
        _ if matches!(before, "not" | "no" | "without") && names_step(0) => {
            Some("what must not come has no name: `no logout within 5m`")
        }
        "(" if glued && matches!(before, "count" | "sum" | "avg") => {
            Some("a number of events is written before their class: `at least 5 of login`")
        }
        "(" if glued => Some("a condition on an event stands after `where`"),
        "<" | ">" | "=" | "!" if matches!(before, "and" | "or") => {
            Some("a comparison has two sides: `x > 5 and x < 7`")
        }
        "one" | "two" | "three" | "four" | "five" | "ten" if matches!(before, "least" | "exactly") => {
            Some("the number is written in digits: `at least 3 of`")
        }
        "}" if before != "{" && earlier(2) == "{" && earlier(3) == "alert" => {
            Some("a value has a name: `alert { user = a.user }`")
        }
        _ if token.kind == TokenKind::Number && before == "for" && earlier(2) == "suppress" => {
            Some("write `suppress 1h`")
        }
        "if" | "where" if earlier(2) == "within" => {
            Some("a condition on the whole match is a clause of its own: `having count(a) > 3`")
        }
        "per" | "for" | "on" if earlier(2) == "suppress" => Some("write `by`: `suppress 1h by user`"),
        _ => None,
    }
}
