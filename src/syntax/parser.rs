//! Text to syntax tree, with all problems of a text at once.
//!
//! A text is cut into declarations, and each is parsed apart. One that does not parse is cut further, a rule into
//! clauses and a test into lines, so that a slip in one does not hide the others. Nothing here panics, recurses
//! deeper than the limits say, or takes more than linear time.

use pest::Parser;
use pest::iterators::Pairs;

use super::ast::{self, Item};
use super::build::Builder;
use super::expected;
use super::grammar::{Rule, RuleParser};
use super::scanner::{TokenKind, Tokens, Unclosed, scan};
use super::source::{SourceId, Span};
use super::{hint, misspelt, recover, split};
use crate::base::Limits;
use crate::diag::{Code, Diagnostic, Level};

/// More problems than this in one file are cut off: the rest mostly follows from the first.
const MAX_DIAGNOSTICS: usize = 100;

/// Parses a rule file. The file holds what could be read; it is only meant to run if no diagnostic is an error.
pub fn parse(source: SourceId, text: &str, limits: &Limits) -> (ast::File, Vec<Diagnostic>) {
    // A byte order mark is no part of the text, but counts in its positions.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let base = text.len() - body.len();
    let scanned = scan(body);
    let mut builder = Builder::new(source, body, &scanned.tokens, limits);
    builder.base = base;
    report_unclosed(&mut builder, &scanned);
    let mut file = ast::File::default();
    for piece in split::declarations(body, &scanned.tokens) {
        if builder.diagnostics.len() > MAX_DIAGNOSTICS {
            break;
        }
        let tokens = &scanned.tokens[piece.first..piece.end];
        let lexical = has_unclosed(&scanned, piece);
        let said = builder.diagnostics.len();
        let brackets = recover::check_brackets(&mut builder, tokens);
        if brackets == recover::Brackets::TooDeep {
            continue;
        }
        if lexical {
            // The closing bracket is likely inside of what is not closed.
            builder.diagnostics.truncate(said);
        }
        file.items.extend(declaration(&mut builder, piece, lexical || brackets == recover::Brackets::Wrong, &scanned));
    }
    (file, finish(builder.diagnostics))
}

/// Parses one expression that begins at byte `offset` of its source.
pub fn parse_expr(
    source: SourceId,
    text: &str,
    offset: usize,
    limits: &Limits,
) -> (Option<ast::Expr>, Vec<Diagnostic>) {
    let scanned = scan(text);
    let mut builder = Builder::new(source, text, &scanned.tokens, limits);
    builder.base = offset;
    report_unclosed(&mut builder, &scanned);
    let mut expr = None;
    if builder.diagnostics.is_empty()
        && recover::check_brackets(&mut builder, &scanned.tokens) == recover::Brackets::Good
    {
        match RuleParser::parse(Rule::single_expr, text) {
            Ok(pairs) => {
                let inner = pairs.flatten().find(|p| p.as_rule() == Rule::expr);
                expr = inner.map(|p| builder.expr(p));
            }
            Err(error) => report_stop(&mut builder, &error, 0, text.len(), "the expression"),
        }
    }
    (expr, finish(builder.diagnostics))
}

/// Parses a rule given on the command line: the text of a whole file, or a bare pattern with trailing clauses, such
/// as `fail then ok within 5m by user`, which becomes a rule named `rule`.
pub fn parse_rule_one_liner(source: SourceId, text: &str, limits: &Limits) -> (ast::File, Vec<Diagnostic>) {
    let scanned = scan(text);
    let Some(pattern_end) = split::one_liner(text, &scanned.tokens) else {
        let (file, mut diagnostics) = parse(source, text, limits);
        if diagnostics.is_empty() && !file.items.iter().any(|item| matches!(item, Item::Rule(_))) {
            let span = Span::new(source, 0, text.len());
            diagnostics.push(
                Diagnostic::error(Code("E0001"), "there is no rule in this text", span, "expected a rule")
                    .help("write a pattern such as `login then logout within 5m by user`, or a whole rule"),
            );
        }
        return (file, diagnostics);
    };
    let mut builder = Builder::new(source, text, &scanned.tokens, limits);
    report_unclosed(&mut builder, &scanned);
    let rule = (builder.diagnostics.is_empty()
        && recover::check_brackets(&mut builder, &scanned.tokens) == recover::Brackets::Good)
        .then(|| recover::one_liner(&mut builder, pattern_end))
        .flatten();
    let file = ast::File { items: rule.map(Item::Rule).into_iter().collect() };
    (file, finish(builder.diagnostics))
}

/// Puts the problems in the order of the text, and cuts off the flood.
fn finish(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|d| d.labels.first().map(|label| label.span.start));
    diagnostics.dedup();
    if diagnostics.len() > MAX_DIAGNOSTICS {
        diagnostics.truncate(MAX_DIAGNOSTICS);
        let span = diagnostics.last().and_then(|d| d.labels.first()).map_or(Span::default(), |label| label.span);
        diagnostics.push(Diagnostic {
            level: Level::Error,
            ..Diagnostic::error(Code("E0039"), "there are more problems than are listed", span, "the last one listed")
                .help("mend these first")
        });
    }
    diagnostics
}

fn report_unclosed(builder: &mut Builder<'_>, scanned: &Tokens) {
    for &(what, start, end) in scanned.unclosed.iter().take(MAX_DIAGNOSTICS) {
        let span = builder.at(start, end);

        let report = match what {
            Unclosed::Text => Diagnostic::error(
                Code("E0002"),
                "this string is not closed",
                span,
                "no closing quote before the end of the line",
            )
            .note("a string does not go over the end of a line; `\\n` in it is a new line")
            .help("close it with the quote it begins with"),
            Unclosed::Quoted => {
                Diagnostic::error(Code("E0005"), "this name is not closed", span, "no closing backquote on the line")
                    .help("a name with odd characters stands between two backquotes: `` `user-agent` ``")
            }
            Unclosed::Comment => Diagnostic::error(
                Code("E0003"),
                "this comment is not closed",
                builder.at(start, start + 2),
                "opened here",
            )
            .note("all that follows is part of the comment")
            .help("close it with `*/`"),
        };

        builder.report(report);
    }
}

/// Whether something that is not closed lies in a piece, or behind it before the next.
fn has_unclosed(scanned: &Tokens, piece: split::Piece) -> bool {
    let Some(first) = scanned.tokens.get(piece.first) else { return false };
    let next = scanned.tokens.get(piece.end).map_or(usize::MAX, |token| token.start);
    let after = scanned.unclosed.partition_point(|&(_, start, _)| start < first.start);
    scanned.unclosed.get(after).is_some_and(|&(_, start, _)| start < next)
}

/// Parses one declaration. If it is `broken`, what is wrong has been said, and only sound parts of it are read.
fn declaration(builder: &mut Builder<'_>, piece: split::Piece, broken: bool, scanned: &Tokens) -> Option<Item> {
    let tokens = &scanned.tokens[piece.first..piece.end];
    let (start, end) = (tokens.first()?.start, tokens.last()?.end);
    let keyword = tokens[0].text(builder.text);
    if tokens[0].kind != TokenKind::Word || !split::DECLARATIONS.contains(&keyword) {
        if broken && tokens.len() == 1 {
            return None;
        }
        let meant = recover::unknown_declaration(builder, tokens)?;
        return misspelt_declaration(builder, piece, broken, scanned, (keyword.len(), meant));
    }
    builder.offset = start;
    match RuleParser::parse(Rule::declaration, &builder.text[start..end]) {
        Ok(mut pairs) => {
            let pair = pairs.next()?;
            builder.item(pair)
        }
        Err(_) => match keyword {
            "rule" => recover::rule(builder, piece, scanned, broken, None).map(Item::Rule),
            "test" => recover::test(builder, piece, scanned, broken).map(Item::Test),
            _ if broken => None,
            _ => {
                let mut item = None;
                misspelt::read(builder, Rule::declaration, (start, end), "the declaration", |builder, mut pairs| {
                    item = pairs.next().and_then(|pair| builder.item(pair));
                });
                item
            }
        },
    }
}

/// Parses a declaration of which the first word, of the given length, stands for another; that has been said.
fn misspelt_declaration(
    builder: &mut Builder<'_>,
    piece: split::Piece,
    broken: bool,
    scanned: &Tokens,
    first: (usize, &'static str),
) -> Option<Item> {
    if first.1 == "rule" {
        return recover::rule(builder, piece, scanned, broken, Some(first)).map(Item::Rule);
    }
    if broken {
        return None;
    }
    let tokens = &scanned.tokens[piece.first..piece.end];
    let range = (tokens.first()?.start, tokens.last()?.end);
    let mut item = None;
    let build = |builder: &mut Builder<'_>, mut pairs: Pairs<'_, Rule>| {
        item = pairs.next().and_then(|pair| builder.item(pair));
    };
    misspelt::read_with(builder, Rule::declaration, range, Some(first), "the declaration", build);
    item
}

/// Reports where a piece of the text, `start..end`, stopped parsing.
pub(super) fn report_stop(
    builder: &mut Builder<'_>,
    error: &pest::error::Error<Rule>,
    start: usize,
    end: usize,
    whole: &str,
) {
    let stop = expected::stop(error);
    let at = start + misspelt::written(&builder.edits, stop.at);
    let next = builder.tokens.partition_point(|t| t.end <= at);
    let token = builder.tokens.get(next).filter(|t| t.start < end).copied();
    let (found, span) = match token {
        Some(token) => (format!("`{}`", shortened(token.text(builder.text))), builder.at(token.start, token.end)),
        None => {
            let before = builder.text[..end].trim_end().len();
            (format!("the end of {whole}"), builder.at(before, end.max(before)))
        }
    };
    let few = !stop.expected.is_empty() && stop.expected.len() <= 4;
    let (message, label) = if few {
        let wanted = expected::joined(&stop.expected);
        (format!("expected {wanted}, found {found}"), format!("expected {wanted}"))
    } else {
        (format!("did not expect {found} here"), "not expected".to_owned())
    };
    let mut report = Diagnostic::error(Code("E0001"), message, span, label);
    if let Some(hint) = token.and_then(|token| hint::hint(builder.text, builder.tokens, next, &token)) {
        report = report.help(hint);
    }
    builder.report(report);
}

/// A found token for a message, not longer than a line.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    text.chars().take(37).chain("...".chars()).collect()
}
