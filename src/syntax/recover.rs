//! What to do with a declaration that does not parse: find its brackets' partners, read its sound parts apart, and
//! say what the rest was meant to be.

use pest::Parser;

use super::ast::{Clause, ClauseKind, Ident, MatchClause, RuleDecl, TestDecl, TestItem};
use super::build::Builder;
use super::grammar::{Rule, RuleParser};
use super::parser::report_stop;
use super::scanner::{Token, TokenKind, Tokens};
use super::source::Span;
use super::{misspelt, spelling, split};
use crate::diag::{Code, Diagnostic};

/// How the brackets of a piece of text stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brackets {
    Good,
    /// One has no partner; reported.
    Wrong,
    /// Nested deeper than the limit; reported. Such a text is not parsed.
    TooDeep,
}

/// Looks for brackets without a partner and reports the first.
pub(super) fn check_brackets(builder: &mut Builder<'_>, tokens: &[Token]) -> Brackets {
    let mut open: Vec<&Token> = Vec::new();
    // The innermost block whose closing brace stands further left than its opening line: likely the one not closed.
    let mut suspect: Option<&Token> = None;
    for token in tokens {
        let TokenKind::Punct(byte) = token.kind else { continue };
        if matches!(byte, b'(' | b'[' | b'{') {
            open.push(token);
            if open.len() > builder.limits.max_rule_depth {
                let at = builder.at(token.start, token.end);
                builder.report_depth(at);
                return Brackets::TooDeep;
            }
            continue;
        }
        let Some(opening) = partner(byte) else { continue };
        match open.pop() {
            Some(top) if top.is(opening) => {
                if byte == b'}' && token.first_on_line && suspect.is_none() {
                    let lines = indent(builder.text, token.start) < indent(builder.text, top.start);
                    suspect = lines.then_some(top);
                }
            }
            Some(top) => {
                let (at, from) = (builder.at(token.start, token.end), builder.at(top.start, top.end));
                let (closing, opened) = (char::from(byte), top.text(builder.text).to_owned());
                builder.report(
                    Diagnostic::error(
                        Code("E0004"),
                        format!("`{opened}` is closed by `{closing}`"),
                        at,
                        "does not fit",
                    )
                    .label(from, "the bracket that is open here"),
                );
                return Brackets::Wrong;
            }
            None => {
                let at = builder.at(token.start, token.end);
                let closing = char::from(byte);
                builder.report(
                    Diagnostic::error(
                        Code("E0004"),
                        format!("this `{closing}` closes nothing"),
                        at,
                        "no bracket is open",
                    )
                    .help("leave it out, or look for the opening bracket that is missing above")
                    .fix(at, ""),
                );
                return Brackets::Wrong;
            }
        }
    }
    let Some(last) = open.last() else { return Brackets::Good };
    let top = suspect.unwrap_or(last);
    let at = builder.at(top.start, top.end);
    let opened = top.text(builder.text).to_owned();
    let closing = if top.is(b'{') {
        '}'
    } else if top.is(b'(') {
        ')'
    } else {
        ']'
    };
    builder.report(
        Diagnostic::error(Code("E0004"), format!("this `{opened}` is not closed"), at, "opened here")
            .help(format!("write `{closing}` where it ends")),
    );
    Brackets::Wrong
}

fn partner(closing: u8) -> Option<u8> {
    match closing {
        b')' => Some(b'('),
        b']' => Some(b'['),
        b'}' => Some(b'{'),
        _ => None,
    }
}

/// The blanks that the line of a byte begins with.
fn indent(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
    text[start..].bytes().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

fn balanced(tokens: &[Token]) -> bool {
    let mut open = Vec::new();
    for token in tokens {
        let TokenKind::Punct(byte) = token.kind else { continue };
        match partner(byte) {
            Some(opening) if open.pop() != Some(opening) => return false,
            Some(_) => {}
            None if matches!(byte, b'(' | b'[' | b'{') => open.push(byte),
            None => {}
        }
    }
    open.is_empty()
}

/// Head and inside of a declaration with a block: the tokens before `{`, and the range of those between the braces.
fn block(tokens: &[Token], piece: split::Piece) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let open = (piece.first..piece.end).find(|&i| tokens[i].is(b'{'))?;
    let last = piece.end - 1;
    let end = if last > open && tokens[last].is(b'}') { last } else { piece.end };
    Some((piece.first..open, open + 1..end))
}

/// Name and title from the head of a declaration; a head that does not parse is reported. Its first word may stand for
/// another.
fn head(
    builder: &mut Builder<'_>,
    entry: Rule,
    tokens: &[Token],
    what: &str,
    first: Option<(usize, &str)>,
) -> Option<(Ident, Option<super::ast::StrLit>)> {
    let (start, end) = (tokens.first()?.start, tokens.last()?.end);
    builder.offset = start;
    let mut text = builder.text[start..end].to_owned();
    if let Some((len, word)) = first {
        misspelt::replace(builder, &mut text, 0..len, word);
    }
    let parsed = RuleParser::parse(entry, &text).map(|mut pairs| pairs.next());
    if let Err(error) = &parsed {
        report_stop(builder, error, start, end, what);
    }
    let (mut name, mut title) = (None, None);
    for part in parsed.ok().flatten().into_iter().flat_map(pest::iterators::Pair::into_inner) {
        match part.as_rule() {
            Rule::word | Rule::quoted | Rule::compat_name => name = Some(builder.ident(&part)),
            Rule::string | Rule::compat_quotes => title = Some(builder.text(&part)),
            _ => {}
        }
    }
    builder.edits.clear();
    Some((name?, title))
}

/// A rule that does not parse as a whole: head and clauses, each apart. Its first word, of the given length, may stand for
/// `rule`.
pub(super) fn rule(
    builder: &mut Builder<'_>,
    piece: split::Piece,
    scanned: &Tokens,
    broken: bool,
    first: Option<(usize, &str)>,
) -> Option<RuleDecl> {
    let tokens = &scanned.tokens;
    let span = builder.at(tokens[piece.first].start, tokens[piece.end - 1].end);
    let before = builder.diagnostics.len();
    let Some((head_tokens, body)) = block(tokens, piece) else {
        if !broken {
            let end = tokens[piece.end - 1].end;
            let at = builder.at(end, end);
            builder.report(
                Diagnostic::error(Code("E0001"), "a rule has its clauses in braces", at, "expected `{`")
                    .help("write `rule name \"title\" { … }`"),
            );
        }
        return None;
    };
    let head = head(builder, Rule::rule_head, &tokens[head_tokens], "the head of the rule", first);
    let mut clauses = Vec::new();
    for clause in split::clauses(builder.text, tokens, body.start, body.end) {
        let inside = &tokens[clause.first..clause.end];
        if broken && (!balanced(inside) || has_unclosed(scanned, inside)) {
            continue;
        }
        clause_piece(builder, inside, clause.first, &mut clauses);
    }
    if builder.diagnostics.len() == before && !broken && first.is_none() {
        // Each part alone is sound, so what is wrong lies between them.
        let (start, end) = (tokens[piece.first].start, tokens[piece.end - 1].end);
        builder.offset = start;
        if let Err(error) = RuleParser::parse(Rule::declaration, &builder.text[start..end]) {
            report_stop(builder, &error, start, end, "the rule");
        }
    }
    let (name, title) = head?;
    Some(RuleDecl { name, title, clauses, span })
}

fn has_unclosed(scanned: &Tokens, tokens: &[Token]) -> bool {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return false };
    let after = scanned.unclosed.partition_point(|&(_, start, _)| start < first.start);
    scanned.unclosed.get(after).is_some_and(|&(_, start, _)| start < last.end)
}

fn clause_piece(builder: &mut Builder<'_>, tokens: &[Token], first: usize, out: &mut Vec<Clause>) {
    let (Some(head), Some(last)) = (tokens.first(), tokens.last()) else { return };
    let known = head.kind == TokenKind::Word && split::CLAUSES.contains(&head.text(builder.text));
    let piece = (head.start, last.end);
    let mut first_word = None;
    if !known && RuleParser::parse(Rule::some_clauses, &builder.text[piece.0..piece.1]).is_err() {
        let Some(clause) = unknown_clause(builder, head, first) else { return };
        first_word = Some((head.end - head.start, clause));
    }
    misspelt::read_with(builder, Rule::some_clauses, piece, first_word, "the clause", |builder, mut pairs| {
        for part in pairs.next().into_iter().flat_map(pest::iterators::Pair::into_inner) {
            match part.as_rule() {
                Rule::separator => builder.separator(&part),
                Rule::EOI => {}
                _ => out.extend(builder.clause(part)),
            }
        }
    });
}

/// What other languages call a clause.
const CLAUSE_SYNONYMS: [(&str, &str); 24] = [
    ("pattern", "match"),
    ("sequence", "match"),
    ("when", "match"),
    ("level", "severity"),
    ("priority", "severity"),
    ("tag", "tags"),
    ("labels", "tags"),
    ("name", "title"),
    ("desc", "description"),
    ("reference", "references"),
    ("group", "by"),
    ("key", "by"),
    ("partition", "by"),
    ("on", "by"),
    ("condition", "having"),
    ("where", "having"),
    ("if", "having"),
    ("filter", "having"),
    ("output", "alert"),
    ("emit", "alert"),
    ("select", "alert"),
    ("throttle", "suppress"),
    ("dedup", "suppress"),
    ("score", "risk"),
];

/// Says that no clause begins so. If one that does is misspelt, it is returned.
fn unknown_clause(builder: &mut Builder<'_>, head: &Token, first: usize) -> Option<&'static str> {
    let written = head.text(builder.text).to_owned();
    let span = builder.at(head.start, head.end);
    if head.kind != TokenKind::Word {
        builder.report(
            Diagnostic::error(Code("E0008"), "a clause begins with a keyword", span, "not a keyword")
                .help("the clauses of a rule are `by`, `match`, `alert` and the like, one after another"),
        );
        return None;
    }
    let mut report =
        Diagnostic::error(Code("E0008"), format!("there is no clause `{written}`"), span, "unknown clause")
            .note("a clause that is not known is refused, never ignored");
    let lower = written.to_ascii_lowercase();
    let synonym = CLAUSE_SYNONYMS.iter().find(|(other, _)| *other == lower).map(|(_, ours)| *ours);
    let nearest = spelling::nearest(&lower, split::CLAUSES);
    let misspelt = nearest.filter(|nearest| synonym.is_none_or(|synonym| synonym == *nearest));
    let meant = misspelt.or(synonym);
    report = match (meant, lower.as_str()) {
        (None, _) if spelling::near(&lower, "within") && lower != "within" => {
            report.help("did you mean `within`?").fix(span, "within")
        }
        (_, "within" | "window" | "timeframe" | "timespan" | "maxspan") => {
            report.help("the bound of a match follows its closing brace: `match { … } within 5m`")
        }
        (_, "unless" | "until" | "no" | "without") => {
            report.help("absences stand inside `match { … }`; `cancel on X` ends an attempt when X comes")
        }
        (Some(clause), "group" | "partition")
            if builder.tokens.get(first + 1).is_some_and(|t| t.is_word(builder.text, "by")) =>
        {
            let both = builder.at(head.start, builder.tokens[first + 1].end);
            report.help(format!("did you mean `{clause}`?")).fix(both, clause)
        }
        (Some(clause), _) => report.help(format!("did you mean `{clause}`?")).fix(span, clause),
        (None, _) => report.help(format!("the clauses are `{}`", split::CLAUSES.join("`, `"))),
    };
    builder.report(if misspelt.is_some() { report.mended() } else { report });
    misspelt
}

/// A test that does not parse as a whole: head and lines, each apart.
pub(super) fn test(builder: &mut Builder<'_>, piece: split::Piece, scanned: &Tokens, broken: bool) -> Option<TestDecl> {
    let tokens = &scanned.tokens;
    let span = builder.at(tokens[piece.first].start, tokens[piece.end - 1].end);
    let Some((head_tokens, body)) = block(tokens, piece) else {
        if !broken {
            let end = tokens[piece.end - 1].end;
            let at = builder.at(end, end);
            builder.report(
                Diagnostic::error(Code("E0001"), "a test has its lines in braces", at, "expected `{`")
                    .help("write `test rule_name \"title\" { … }`"),
            );
        }
        return None;
    };
    let head = head(builder, Rule::test_head, &tokens[head_tokens], "the head of the test", None);
    let mut items: Vec<TestItem> = Vec::new();
    for line in split::test_lines(builder.text, tokens, body.start, body.end) {
        let inside = &tokens[line.first..line.end];
        if broken && (!balanced(inside) || has_unclosed(scanned, inside)) {
            continue;
        }
        let (start, end) = (inside[0].start, inside[inside.len() - 1].end);
        misspelt::read(builder, Rule::some_test_items, (start, end), "the line", |builder, mut pairs| {
            for part in pairs.next().into_iter().flat_map(pest::iterators::Pair::into_inner) {
                match part.as_rule() {
                    Rule::separator => builder.separator(&part),
                    Rule::EOI => {}
                    _ => items.extend(builder.test_item(part)),
                }
            }
        });
    }
    let (rule, name) = head?;
    Some(TestDecl { rule, name, items, span })
}

/// A bare pattern up to token `pattern_end`, and clauses after it.
pub(super) fn one_liner(builder: &mut Builder<'_>, pattern_end: usize) -> Option<RuleDecl> {
    let tokens = builder.tokens;
    let (start, end) = (tokens.first()?.start, tokens.last()?.end);
    let whole = builder.at(start, end);
    let cut = pattern_end.checked_sub(1).map_or(start, |last| tokens[last].end);
    builder.offset = start;
    let mut body = None;
    let mut stray = None;
    misspelt::read(builder, Rule::single_sequence, (start, cut), "the pattern", |builder, pairs| {
        let sequence = pairs.flatten().find(|p| p.as_rule() == Rule::sequence);
        body = sequence.and_then(|p| builder.sequence(p, &mut stray));
    });
    let pattern = builder.at(start, cut);
    let mut clauses = Vec::new();
    let (mut within, mut events) = (stray.map(|(_, bound)| bound), None);
    if let Some(first) = tokens.get(pattern_end) {
        builder.offset = first.start;
        match RuleParser::parse(Rule::trailing_clauses, &builder.text[first.start..end]) {
            Ok(mut pairs) => {
                for part in pairs.next().into_iter().flat_map(pest::iterators::Pair::into_inner) {
                    match part.as_rule() {
                        Rule::separator => builder.separator(&part),
                        Rule::match_within => {
                            builder.only_once(within.is_some() || events.is_some(), "within", builder.span(&part));
                            (within, events) = builder.match_within(part);
                        }
                        Rule::EOI => {}
                        _ => clauses.extend(builder.clause(part)),
                    }
                }
            }
            Err(error) => report_stop(builder, &error, first.start, end, "the rule"),
        }
    }
    let at = clauses.iter().position(|c| !matches!(c.kind, ClauseKind::By(_))).unwrap_or(clauses.len());
    clauses.insert(
        at,
        Clause { kind: ClauseKind::Match(MatchClause { body: body?, within, events, span: pattern }), span: pattern },
    );
    let name = Ident { name: "rule".to_owned(), span: Span { end: whole.start, ..whole } };
    Some(RuleDecl { name, title: None, clauses, span: whole })
}

/// A piece that begins with none of the words that begin a declaration. If one of them is misspelt, it is returned.
pub(super) fn unknown_declaration(builder: &mut Builder<'_>, tokens: &[Token]) -> Option<&'static str> {
    let head = tokens.first()?;
    let text = builder.text;
    let written = head.text(text).to_owned();
    let span = builder.at(head.start, head.end);
    let next = tokens.get(1).map_or("", |t| t.text(text));
    let foreign = match (written.to_ascii_lowercase().as_str(), next) {
        ("select" | "insert" | "create" | "from" | "with", _) if head.kind == TokenKind::Word && next != ":" => {
            Some(("SQL", "a rule names its pattern with `match { a: X then b: Y } within 5m`"))
        }
        ("sequence", _) => Some(("EQL", "`sequence by k [x] [y]` is `by k` and `match { x then y }` in a rule")),
        ("title" | "logsource" | "detection" | "id" | "status" | "correlation", ":") => {
            Some(("a Sigma rule in YAML", "import it first; rule files hold `rule name { … }`"))
        }
        _ => None,
    };
    if let Some((language, help)) = foreign {
        builder.report(
            Diagnostic::error(Code("E0036"), format!("this looks like {language}"), span, "not a declaration")
                .note("a rule file holds `event`, `let`, `table`, `clock`, `rule` and `test` declarations")
                .help(help),
        );
        return None;
    }
    if head.kind == TokenKind::Word && split::DECLARATIONS.contains(&written.as_str()) {
        return None;
    }
    let mut report = Diagnostic::error(
        Code("E0007"),
        format!("a declaration does not begin with `{}`", written.chars().take(40).collect::<String>()),
        span,
        "expected `rule`, `event`, `let`, `table`, `clock` or `test`",
    );
    let word = head.kind == TokenKind::Word;
    let meant = word.then(|| spelling::nearest(&written, split::DECLARATIONS)).flatten();
    if meant.is_none() {
        report = report.note("nothing up to the next declaration is read");
    }
    if word {
        report = match meant {
            Some(word) => report.help(format!("did you mean `{word}`?")).fix(span, word).mended(),
            None if split::CLAUSES.contains(&written.as_str()) => {
                report.help(format!("`{written}` is a clause: it stands inside `rule name {{ … }}`"))
            }
            None => report.help("a rule begins with `rule name \"title\" {`"),
        };
    }
    builder.report(report);
    meant
}
