//! What a query is refused with: reports in words of EQL, and why a text does not parse.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::grammar::Rule;
use super::scan::{Kind, Token, Unclosed};
use super::text::Embedded;
use crate::diag::codes::eql as codes;
use crate::diag::{Code, Diagnostic};
use crate::syntax::source::Span;

/// Something Elasticsearch's EQL does not have, or that a stream cannot do.
pub(super) fn refused(
    code: Code,
    message: impl Into<String>,
    span: Span,
    label: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic::error(code, message, span, label).help(help)
}

/// What is opened and not closed.
pub(super) fn unclosed(what: Unclosed, span: Span) -> Diagnostic {
    match what {
        Unclosed::Text => Diagnostic::error(
            Code("E0002"),
            "this string is not closed",
            span,
            "no closing quote before the end of the line",
        )
        .note("a string does not go over the end of a line; a raw string in three quotes does")
        .help("close it with the quote it begins with"),
        Unclosed::Raw => Diagnostic::error(Code("E0002"), "this raw string is not closed", span, "opened here")
            .help("close it with three quotes: `\"\"\"`"),
        Unclosed::Quoted => {
            Diagnostic::error(Code("E0005"), "this name is not closed", span, "no closing backquote on the line")
                .help("a name with odd characters stands between two backquotes: `` `user-agent` ``")
        }
        Unclosed::Comment => Diagnostic::error(Code("E0003"), "this comment is not closed", span, "opened here")
            .note("all that follows is part of the comment")
            .help("close it with `*/`"),
    }
}

/// How a grammar rule is called in front of users; `None` for what need not be said.
fn name(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::event | Rule::category => "an event category",
        Rule::kw_where => "`where`",
        Rule::expr | Rule::condition | Rule::comparison | Rule::sum | Rule::unary | Rule::paren | Rule::field => {
            "a value"
        }
        Rule::string | Rule::raw | Rule::number | Rule::call | Rule::null | Rule::boolean => "a value",
        Rule::kw_and | Rule::kw_or => "`and` or `or`",
        Rule::compared | Rule::compare | Rule::tested | Rule::test | Rule::arith => "an operator",
        Rule::stage | Rule::opening | Rule::missing => "`[`",
        Rule::keys | Rule::kw_by => "`by`",
        Rule::with_setting | Rule::kw_with => "`with`",
        Rule::setting => "a number",
        Rule::until | Rule::kw_until => "`until`",
        Rule::pipe => "`|`",
        Rule::word => "a name",
        Rule::list => "a list in parentheses",
        _ => return None,
    })
}

/// Habits of other languages, by what stands where the text stopped parsing.
fn habit(found: &str, before: &str) -> Option<&'static str> {
    Some(match (found, before) {
        ("is" | "IS", _) => "a missing value is asked for with `== null`",
        ("contains", _) => "write `stringContains(x, \"part\")`, or `x : \"*part*\"`",
        ("matches", _) => "write `x regex \"…\"`",
        ("~", "=") => "write `x regex \"…\"`, or `x : \"a*\"`",
        ("LIKE" | "IN" | "REGEX" | "WHERE" | "BY" | "WITH" | "UNTIL", _) => "EQL's words are in lower case",
        ("}" | "{", _) => "the events of a sequence stand in `[ … ]`",
        ("then", _) => "the events of a sequence follow each other without a word: `[ … ] [ … ]`",
        ("within", _) => "the time of a sequence is `sequence with maxspan=5m`",
        (">", "<") => "write `!=`",
        _ => return None,
    })
}

/// Why a query did not parse.
pub(super) fn stopped(text: &Embedded, tokens: &[Token], error: &Error<Rule>, offset: usize, end: usize) -> Diagnostic {
    let at = offset
        + match error.location {
            InputLocation::Pos(at) => at,
            InputLocation::Span((at, _)) => at,
        };
    let mut wanted: Vec<&'static str> = Vec::new();
    if let ErrorVariant::ParsingError { positives, .. } = &error.variant {
        for word in positives.iter().filter_map(|rule| name(*rule)) {
            if !wanted.contains(&word) {
                wanted.push(word);
            }
        }
    }
    let next = tokens.partition_point(|t| t.end <= at);
    let token = tokens.get(next).filter(|t| t.start < end);
    let (found, span) = match token {
        Some(token) => {
            let written: String = token.text(&text.text).chars().take(40).collect();
            (format!("`{written}`"), text.span(token.start, token.end))
        }
        None => {
            let last = text.text[..end].trim_end().len();
            ("the end of the query".to_owned(), text.span(last.saturating_sub(1).min(last), last))
        }
    };
    let (message, label) = match wanted.as_slice() {
        [first @ .., last] if wanted.len() <= 4 => {
            let list = if first.is_empty() { (*last).to_owned() } else { format!("{} or {last}", first.join(", ")) };
            (format!("expected {list}, found {found}"), format!("expected {list}"))
        }
        _ => (format!("did not expect {found} here"), "not expected".to_owned()),
    };
    let mut report = Diagnostic::error(codes::UNEXPECTED, message, span, label);
    let before = next.checked_sub(1).and_then(|n| tokens.get(n)).map_or("", |t| t.text(&text.text));
    let hint = token.and_then(|t| habit(t.text(&text.text), before));
    let plain_word = token.is_some_and(|t| t.kind == Kind::Word);
    report = match hint {
        Some(hint) => report.help(hint),
        None if before == "-" || plain_word && text.text[..at].ends_with('-') => {
            report.help("a name with a hyphen stands in backquotes: `` `user-agent` ``")
        }
        None => {
            report.help("a query is `process where process.name == \"cmd.exe\"`, or `sequence by host.id [ … ] [ … ]`")
        }
    };
    report
}
