//! The canonical form of a rule file: two spaces of indent, one step a line with its `then` in front, lines no
//! longer than they need to be. Comments and single empty lines are kept.
//!
//! Invariants: formatting a formatted text changes nothing; what a formatted text parses to is what the text parsed
//! to, spans aside.

use super::ast::{
    AfterMatch, AlertField, AlertValue, Clause, ClauseKind, ClockTicks, ExpectKeys, Expr, File, Guard, Item, KeyItem,
    Pick, RuleDecl, StrLit, TemplatePart,
};
use super::doc::Doc;
use super::parser;
use super::print_expr::{Written, quoted};
use super::scanner::{Token, Tokens, scan};
use super::source::{SourceId, Span};
use crate::base::Limits;
use crate::diag::{Diagnostic, Level};

/// Lines are broken where they would be longer.
pub(super) const WIDTH: usize = 100;

/// Formats a text. One with errors is not touched: what is wrong with it is given back.
pub fn format(source: SourceId, text: &str) -> Result<String, Vec<Diagnostic>> {
    let (file, diagnostics) = parser::parse(source, text, &Limits::default());
    if diagnostics.iter().any(|d| d.level == Level::Error) {
        return Err(diagnostics);
    }
    let scanned = scan(text.trim_start_matches('\u{feff}'));
    let skipped = text.len() - text.trim_start_matches('\u{feff}').len();
    // Spans count the mark at the start of the file; so that they fit, it is taken as blanks.
    let body: String = std::iter::repeat_n(' ', skipped).chain(text[skipped..].chars()).collect();
    let scanned = if skipped == 0 { scanned } else { scan(&body) };
    let mut printer = Printer::new(Written { text: Some(&body) }, &scanned);
    printer.file(&file);
    Ok(printer.finish(body.len()))
}

/// Writes a tree that was not read from a text, such as an imported rule.
pub fn print(file: &File) -> String {
    let scanned = Tokens::default();
    let mut printer = Printer::new(Written::default(), &scanned);
    printer.file(file);
    printer.finish(0)
}

/// Writes an expression on one line, in its canonical form: equal ones give equal texts, wherever they were read from.
pub fn print_expr(expr: &Expr) -> String {
    Written::default().expr(expr).flat()
}

/// Writes the text, item by item; comments are written when the item after them is.
pub(super) struct Printer<'t> {
    pub(super) written: Written<'t>,
    scanned: &'t Tokens,
    next_comment: usize,
    out: String,
    pub(super) indent: usize,
    /// Where in the source what was last written ends.
    last: usize,
    /// Nothing has been written yet in this block.
    fresh: bool,
    /// An empty line comes before what is written next, whatever the source has.
    apart: bool,
}

impl<'t> Printer<'t> {
    fn new(written: Written<'t>, scanned: &'t Tokens) -> Self {
        Self { written, scanned, next_comment: 0, out: String::new(), indent: 0, last: 0, fresh: true, apart: false }
    }

    fn finish(mut self, end: usize) -> String {
        self.comments_before(end + 1);
        self.out
    }

    /// Whether the source is at hand, so that spans mean something.
    fn has_source(&self) -> bool {
        self.written.text.is_some()
    }

    /// Whether a comment lies inside the block of a span. One before its brace does not count: it is moved above.
    pub(super) fn has_comment(&self, span: Span) -> bool {
        let (start, end) = (self.opening(span) as usize, span.end as usize);
        let first = self.scanned.comments.partition_point(|c| c.start < start);
        self.scanned.comments.get(first).is_some_and(|c| c.start < end)
    }

    /// Whether the source has an empty line between two places.
    fn empty_line(&self, from: usize, to: usize) -> bool {
        let between = self.written.text.and_then(|text| text.get(from..to)).unwrap_or("");
        let mut ends = between.split('\n').skip(1).peekable();
        while let Some(line) = ends.next() {
            if ends.peek().is_some() && line.trim().is_empty() {
                return true;
            }
        }
        false
    }

    /// Whether an empty line comes before what begins at `start` of the source.
    fn empty_line_before(&self, start: usize) -> bool {
        !self.fresh && (self.apart || self.empty_line(self.last, start))
    }

    /// Begins a line.
    fn begin(&mut self, after_empty_line: bool) {
        if after_empty_line {
            self.out.push('\n');
        }
        self.fresh = false;
        self.apart = false;
        self.out.extend(std::iter::repeat_n(' ', self.indent));
    }

    /// Writes the next comment on a line of its own.
    fn comment(&mut self, comment: Token, after_empty_line: bool) {
        self.begin(after_empty_line);
        let text = self.written.text.map_or("", |text| comment.text(text));
        self.out.push_str(&text.trim_end().replace('\r', ""));
        self.out.push('\n');
        self.next_comment += 1;
    }

    fn next_comment_before(&self, place: usize) -> Option<Token> {
        self.scanned.comments.get(self.next_comment).copied().filter(|comment| comment.start < place)
    }

    /// Writes the comments that begin before a place, each on lines of its own.
    fn comments_before(&mut self, place: usize) {
        while let Some(comment) = self.next_comment_before(place) {
            self.comment(comment, self.empty_line_before(comment.start));
            self.last = comment.end;
        }
    }

    /// Begins the line of a unit; the comments before it and inside it come first.
    fn lead(&mut self, span: Span) {
        let range = span.range();
        self.comments_before(range.start);
        let mut empty = self.empty_line_before(range.start);
        while let Some(comment) = self.next_comment_before(range.end) {
            self.comment(comment, std::mem::take(&mut empty));
        }
        self.begin(empty);
        self.last = range.end;
    }

    /// Ends a line, with the comments that stand behind `end` on its line in the source.
    pub(super) fn end_line(&mut self, end: usize) {
        self.last = self.last.max(end);
        while let Some(comment) = self.scanned.comments.get(self.next_comment).copied() {
            let Some(text) = self.written.text else { break };
            let between = text.get(self.last..comment.start).unwrap_or("\n");
            if comment.start < self.last || !between.bytes().all(|b| matches!(b, b' ' | b'\t' | b',' | b';')) {
                break;
            }
            let comment_text = comment.text(text).trim_end().replace('\r', "");
            self.out.push_str("  ");
            self.out.push_str(&comment_text);
            self.last = comment.end;
            self.next_comment += 1;
        }
        self.out.push('\n');
    }

    /// Writes something that is laid out as one.
    pub(super) fn unit(&mut self, span: Span, doc: &Doc) {
        self.lead(span);
        let text = doc.layout(self.indent, self.indent, WIDTH);
        self.out.push_str(&text);
        self.end_line(span.end as usize);
    }

    /// Writes `head {`, then what `inside` writes, then `}` and a tail. `span` is the whole.
    pub(super) fn block(&mut self, span: Span, head: &Doc, tail: Option<&Doc>, inside: impl FnOnce(&mut Self)) {
        let open = self.opening(span);
        let close = self.closing(span);
        self.lead(Span { end: open, ..span });
        let text = head.layout(self.indent, self.indent, WIDTH - 2);
        self.out.push_str(&text);
        self.out.push_str(" {");
        self.end_line(open as usize + usize::from(self.has_source()));
        self.indent += 2;
        self.fresh = true;
        inside(self);
        self.comments_before(close);
        self.indent -= 2;
        self.fresh = true;
        self.begin(false);
        self.out.push('}');
        if let Some(tail) = tail {
            self.out.push(' ');
            let text = tail.layout(self.indent, self.indent + 2, WIDTH);
            self.out.push_str(&text);
        }
        self.end_line(span.end as usize);
    }

    /// The first opening brace of a span.
    fn opening(&self, span: Span) -> u32 {
        let (start, end) = (span.start as usize, span.end as usize);
        let first = self.scanned.tokens.partition_point(|t| t.start < start);
        let found = self.scanned.tokens[first..].iter().take_while(|t| t.start < end).find(|t| t.is(b'{'));
        found.map_or(span.start, |t| u32::try_from(t.start).unwrap_or(u32::MAX))
    }

    /// Before the end of a span: comments up to there stand inside the block.
    fn closing(&self, span: Span) -> usize {
        if self.has_source() { span.end as usize } else { 0 }
    }

    fn file(&mut self, file: &File) {
        let mut block_before = false;
        for item in &file.items {
            let is_block = matches!(item, Item::Rule(_) | Item::Test(_));
            self.apart = is_block || block_before;
            block_before = is_block;
            match item {
                Item::Event(event) => {
                    let head = format!("event {} =", self.written.ident(&event.name));
                    self.unit(event.span, &self.assigned(head, self.written.expr(&event.condition)));
                }
                Item::Let(decl) => {
                    let head = format!("let {} =", self.written.ident(&decl.name));
                    self.unit(decl.span, &self.assigned(head, self.written.expr(&decl.value)));
                }
                Item::Table(table) => {
                    let name = self.written.ident(&table.name);
                    let keys: Vec<String> = table.key.iter().map(|key| self.written.ident(key)).collect();
                    let path = self.written.string(&table.path);
                    self.unit(table.span, &Doc::text(format!("table {name} from {path} key {}", keys.join(", "))));
                }
                Item::Clock(clock) => {
                    let head = format!("clock {} =", self.written.ident(&clock.name));
                    self.unit(clock.span, &self.assigned(head, self.clock_ticks(&clock.ticks)));
                }
                Item::Rule(rule) => self.rule(rule),
                Item::Test(test) => self.test(test),
            }
        }
    }

    fn clock_ticks(&self, ticks: &ClockTicks) -> Doc {
        let (word, at) = match ticks {
            ClockTicks::Every(period) => return Doc::concat([Doc::text("every "), self.written.expr(period)]),
            ClockTicks::Daily(at) => ("daily", at),
            ClockTicks::Weekdays(at) => ("weekdays", at),
            ClockTicks::Weekly(at) => ("weekly", at),
        };
        let zone = at.zone.as_ref().map(|zone| format!(" {}", self.written.string(zone))).unwrap_or_default();
        Doc::text(format!("{word} {}{zone}", self.written.string(&at.time)))
    }

    /// `head value`, the value on lines of its own if it must break.
    fn assigned(&self, head: String, value: Doc) -> Doc {
        Doc::concat([Doc::text(head), Doc::concat([Doc::text(" "), value]).nest(4)])
    }

    fn rule(&mut self, rule: &RuleDecl) {
        let mut head = format!("rule {}", self.written.ident(&rule.name));
        if let Some(title) = &rule.title {
            head.push(' ');
            head.push_str(&self.written.string(title));
        }
        self.block(rule.span, &Doc::text(head), None, |printer| {
            for clause in &rule.clauses {
                printer.clause(clause);
            }
        });
    }

    fn clause(&mut self, clause: &Clause) {
        let span = clause.span;
        let written = self.written;
        let strings = |word: &str, texts: &[StrLit]| {
            let texts = Doc::commas(texts.iter().map(|text| Doc::text(written.string(text))));
            Doc::concat([Doc::text(format!("{word} ")), texts.nest(2).group()])
        };
        let valued = |word: &str, value: Doc| Doc::concat([Doc::text(format!("{word} ")), value.nest(4)]);
        let doc = match &clause.kind {
            ClauseKind::Severity(value) => valued("severity", written.expr(value)),
            ClauseKind::Risk(value) => valued("risk", written.expr(value)),
            ClauseKind::Having { condition, lasting } => {
                let mut parts = vec![written.expr(condition)];
                if let Some(lasting) = lasting {
                    parts.extend([Doc::text(" for "), written.expr(lasting)]);
                }
                valued("having", Doc::Concat(parts))
            }
            ClauseKind::Tags(texts) => strings("tags", texts),
            ClauseKind::References(texts) => strings("references", texts),
            ClauseKind::FalsePositives(texts) => strings("false_positives", texts),
            ClauseKind::Id(text) => strings("id", std::slice::from_ref(text)),
            ClauseKind::Status(text) => strings("status", std::slice::from_ref(text)),
            ClauseKind::Title(text) => strings("title", std::slice::from_ref(text)),
            ClauseKind::Description(text) => strings("description", std::slice::from_ref(text)),
            ClauseKind::Runbook(text) => strings("runbook", std::slice::from_ref(text)),
            ClauseKind::Author(text) => strings("author", std::slice::from_ref(text)),
            ClauseKind::By(items) => valued("by", self.key_items(items).group()),
            ClauseKind::Match(clause) => return self.match_clause(clause),
            ClauseKind::Pick(pick) => Doc::text(match pick {
                Pick::Latest => "pick latest",
                Pick::First => "pick first",
                Pick::All => "pick all",
                Pick::Each => "pick each",
                Pick::Pending => "pick pending",
            }),
            ClauseKind::AfterMatch(skip) => match skip {
                AfterMatch::SkipPastLast => Doc::text("after match skip past last"),
                AfterMatch::SkipToNext => Doc::text("after match skip to next"),
                AfterMatch::NoSkip => Doc::text("after match no skip"),
                AfterMatch::SkipToFirst(a) => Doc::text(format!("after match skip to first {}", written.ident(a))),
                AfterMatch::SkipToLast(a) => Doc::text(format!("after match skip to last {}", written.ident(a))),
            },
            ClauseKind::CancelOn(guards) => {
                let guards = self.guards(guards).nest(4).group();
                Doc::concat([Doc::text("cancel on "), guards])
            }
            ClauseKind::Alert(fields) => return self.alert(span, fields),
            ClauseKind::Suppress { period, by } => {
                let mut parts = vec![Doc::text("suppress "), written.expr(period)];
                if !by.is_empty() {
                    parts.push(Doc::text(" by "));
                    parts.push(Doc::commas(by.iter().map(|value| written.expr(value))).nest(4).group());
                }
                Doc::Concat(parts)
            }
            ClauseKind::Enabled(on) => Doc::text(if *on { "enabled" } else { "enabled false" }),
            ClauseKind::Shadow(on) => Doc::text(if *on { "shadow" } else { "shadow false" }),
            ClauseKind::Internal(on) => Doc::text(if *on { "internal" } else { "internal false" }),
            ClauseKind::ResolveOn(guards) => {
                let guards = self.guards(guards).nest(4).group();
                Doc::concat([Doc::text("resolve on "), guards])
            }
            ClauseKind::ResolveWhen(value) => valued("resolve when", written.expr(value)),
            ClauseKind::Repeat(period) => Doc::concat([Doc::text("repeat every "), written.expr(period)]),
            ClauseKind::Expect(ExpectKeys::Start) => Doc::text("expect start"),
            ClauseKind::Expect(ExpectKeys::From { keys, table }) => Doc::concat([
                Doc::text("expect "),
                self.key_items(keys).group(),
                Doc::text(format!(" from @{}", self.written.ident(table))),
            ]),
            ClauseKind::Limits(limits) => return self.limits(span, limits),
        };
        self.unit(span, &doc);
    }

    fn limits(&mut self, span: Span, limits: &[(super::ast::Ident, u64)]) {
        let line = |printer: &Self, (name, value): &(super::ast::Ident, u64)| {
            format!("{} = {value}", printer.written.ident(name))
        };
        if let ([one], false) = (limits, self.has_comment(span)) {
            let text = format!("limits {{ {} }}", line(self, one));
            return self.unit(span, &Doc::text(text));
        }
        self.block(span, &Doc::text("limits"), None, |printer| {
            for limit in limits {
                let text = line(printer, limit);
                let at = printer.line_span(limit.0.span);
                printer.unit(at, &Doc::text(text));
            }
        });
    }

    /// From a name to the end of the literal after it.
    fn line_span(&self, name: Span) -> Span {
        let next = self.scanned.tokens.partition_point(|t| t.start < name.end as usize);
        let end = self.scanned.tokens.get(next + 1).map_or(name.end as usize, |t| t.end);
        Span { end: u32::try_from(end).unwrap_or(name.end), ..name }
    }

    fn alert(&mut self, span: Span, fields: &[AlertField]) {
        if let ([field], false) = (fields, self.has_comment(span)) {
            let doc = self.alert_field(field);
            let one_line = Doc::concat([Doc::text("alert { "), doc, Doc::text(" }")]);
            if self.indent + one_line.width(WIDTH) <= WIDTH {
                return self.unit(span, &Doc::text(one_line.flat()));
            }
        }
        if fields.is_empty() {
            return self.unit(span, &Doc::text("alert {}"));
        }
        self.block(span, &Doc::text("alert"), None, |printer| {
            for field in fields {
                let doc = printer.alert_field(field);
                printer.unit(field.span, &doc);
            }
        });
    }

    fn alert_field(&self, field: &AlertField) -> Doc {
        let head = format!("{} =", self.written.ident(&field.name));
        let value = match &field.value {
            AlertValue::Expr(expr) => self.written.expr(expr),
            AlertValue::Template(parts, text) if text.value.is_empty() => Doc::text(self.template(parts)),
            AlertValue::Template(_, text) => Doc::text(self.written.string(text)),
        };
        self.assigned(head, value)
    }

    fn template(&self, parts: &[TemplatePart]) -> String {
        let mut text = String::new();
        for part in parts {
            match part {
                TemplatePart::Text(plain) => text.push_str(&plain.replace('{', "{{").replace('}', "}}")),
                TemplatePart::Expr(expr) => {
                    text.push('{');
                    text.push_str(&self.written.expr(expr).flat());
                    text.push('}');
                }
            }
        }
        quoted(&text)
    }

    pub(super) fn key_items(&self, items: &[KeyItem]) -> Doc {
        self.written.key_items(items)
    }

    pub(super) fn guards(&self, guards: &[Guard]) -> Doc {
        let mut after_key = false;
        let docs: Vec<Doc> = guards
            .iter()
            .map(|guard| {
                // After a key, a bare class would read as one more component.
                let doc = self.guard(guard, after_key);
                after_key = !guard.by.is_empty();
                doc
            })
            .collect();
        Doc::commas(docs)
    }

    pub(super) fn guard(&self, guard: &Guard, after_key: bool) -> Doc {
        let mut parts = vec![Doc::text(self.classes(&guard.classes))];
        match &guard.condition {
            Some(condition) => {
                parts.push(Doc::text(" where "));
                parts.push(self.written.expr(condition).nest(4));
            }
            None if after_key && guard.by.is_empty() && guard.classes.len() == 1 => {
                parts.push(Doc::text(" where true"));
            }
            None => {}
        }
        if !guard.by.is_empty() {
            parts.push(Doc::text(" by "));
            parts.push(self.key_items(&guard.by).nest(4).group());
        }
        Doc::Concat(parts)
    }
}
