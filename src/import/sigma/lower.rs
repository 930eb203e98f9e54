//! Detection rules to rules of this language.
//!
//! A rule is one step over any event. Everything wrong in a rule is reported at once, and a rule with an error
//! gives nothing: no part of it is left out to make the rest run.

use std::collections::BTreeSet;

use super::model::{Detection, DetectionRule, Head, Level, Selection, Text, Tree};
use super::tree::{chain, expr, ident, literal};
use crate::diag::codes::sigma as codes;
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{
    AlertField, AlertValue, BinaryOp, ClassRef, Clause, ClauseKind, Element, Expr, ExprKind, Ident, MatchClause, Path,
    RuleDecl, Sequence, Step,
};
use crate::syntax::source::Span;

/// Lowers the conditions of one rule.
pub struct Lowerer<'a> {
    /// The rule's title, for reports.
    rule: &'a str,
    /// Names that `let`s of rule files have: a field of the same name could not be read.
    pub(super) hidden: &'a BTreeSet<String>,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Lowerer<'a> {
    /// A lowerer for a rule. `hidden` are the names of `let`s; what is wrong goes to `problems`.
    pub fn new(head: &'a Head, hidden: &'a BTreeSet<String>, problems: &'a mut Vec<Diagnostic>) -> Self {
        let title = head.title.as_ref().or(head.name.as_ref()).or(head.id.as_ref());
        Self { rule: title.map_or("", Text::as_str), hidden, problems }
    }

    pub(super) fn error(&mut self, code: Code, message: impl Into<String>, span: Span, help: impl Into<String>) {
        let refused = match self.rule {
            "" => "the rule is refused".to_owned(),
            title => format!("the rule \"{title}\" is refused"),
        };
        self.problems.push(Diagnostic::error(code, message, span, "").note(refused).help(help));
    }

    /// The whole condition of a detection over one event, with what must hold besides. None if something is wrong,
    /// which is reported.
    pub fn condition(&mut self, detection: &Detection) -> Option<Expr> {
        let mut complete = true;
        if let Some(timeframe) = &detection.timeframe
            && detection.conditions.iter().all(|text| !text.value.contains('|'))
        {
            let help =
                "delete it, or count in a correlation: `correlation: {type: event_count, rules: […], timespan: 5m}`";
            self.error(codes::OLD_AGGREGATION, "`timeframe` bounds nothing here", timeframe.span, help);
            complete = false;
        }
        let mut used = vec![false; detection.selections.len()];
        let mut any = Vec::new();
        for text in &detection.conditions {
            match self.condition_text(detection, text, &mut used) {
                Some(condition) => any.push(condition),
                None => complete = false,
            }
        }
        let mut all: Vec<Expr> = Vec::new();
        for other in &detection.besides {
            match self.condition(other) {
                Some(condition) => all.push(condition),
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        for (selection, used) in detection.selections.iter().zip(used) {
            if !used {
                self.unused(selection);
            }
        }
        all.extend(chain(BinaryOp::Or, any));
        chain(BinaryOp::And, all)
    }

    fn unused(&mut self, selection: &Selection) {
        let name = selection.name.as_str();
        self.problems.push(
            Diagnostic::warning(
                codes::UNUSED_SELECTION,
                format!("the condition does not ask for `{name}`"),
                selection.name.span,
                "has no effect",
            )
            .help("name it in the condition, or delete it"),
        );
    }

    /// The condition of a selection.
    pub(super) fn selection(&mut self, selection: &Selection) -> Option<Expr> {
        self.tree(&selection.tree)
    }

    fn tree(&mut self, tree: &Tree) -> Option<Expr> {
        // Every part is looked at, so that all its problems are known.
        let (op, parts): (_, Vec<Option<Expr>>) = match tree {
            Tree::All(items, _) => (BinaryOp::And, items.iter().map(|item| self.item(item)).collect()),
            Tree::Any(trees, _) => (BinaryOp::Or, trees.iter().map(|tree| self.tree(tree)).collect()),
        };
        chain(op, parts.into_iter().collect::<Option<Vec<Expr>>>()?)
    }
}

/// A detection as a rule of its own, called `name`. None if something is wrong, which is reported.
pub fn rule(
    rule: &DetectionRule,
    name: Ident,
    hidden: &BTreeSet<String>,
    problems: &mut Vec<Diagnostic>,
) -> Option<RuleDecl> {
    let condition = Lowerer::new(&rule.head, hidden, problems).condition(&rule.detection)?;
    let span = condition.span;
    let mut clauses = clauses(&rule.head);
    let alert = shown_fields(&rule.head);
    let step_name = alert.as_ref().map(|_| ident("matched", span));
    clauses.push(Clause { kind: ClauseKind::Match(single(step_name, Some(condition), span)), span });
    clauses.extend(alert);
    Some(RuleDecl { name, title: rule.head.title.as_ref().map(text), clauses, span: rule.head.span })
}

/// `match { name: any where condition }`
fn single(name: Option<Ident>, condition: Option<Expr>, span: Span) -> MatchClause {
    let classes = vec![ClassRef { name: "any".to_owned(), span }];
    let step = Step {
        name,
        quantifier: None,
        classes,
        condition,
        by: Vec::new(),
        guards: Vec::new(),
        until: None,
        ends: None,
        span,
    };
    let body = Sequence { first: Box::new(Element::Step(step)), rest: Vec::new(), span };
    MatchClause { body, within: None, events: None, span }
}

/// What a document says about itself, as clauses.
pub fn clauses(head: &Head) -> Vec<Clause> {
    let mut clauses = Vec::new();
    let mut add = |kind, span| clauses.push(Clause { kind, span });
    if let Some(id) = &head.id {
        add(ClauseKind::Id(text(id)), id.span);
    }
    if let Some(status) = &head.status {
        add(ClauseKind::Status(text(status)), status.span);
    }
    if let Some((level, span)) = head.level {
        let word = match level {
            Level::Informational => "info",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        };
        let path = Path { parts: vec![ident(word, span)], span };
        add(ClauseKind::Severity(expr(ExprKind::Path(path), span)), span);
    }
    let mut list = |texts: &[Text], kind: fn(Vec<_>) -> ClauseKind| {
        if let (Some(first), Some(last)) = (texts.first(), texts.last()) {
            add(kind(texts.iter().map(text).collect()), first.span.to(last.span));
        }
    };
    list(&head.tags, ClauseKind::Tags);
    list(&head.references, ClauseKind::References);
    list(&head.false_positives, ClauseKind::FalsePositives);
    if let Some(description) = &head.description {
        add(ClauseKind::Description(text(description)), description.span);
    }
    if let Some(author) = &head.author {
        add(ClauseKind::Author(text(author)), author.span);
    }
    clauses
}

/// A text without the line break that a block of YAML ends with.
fn text(text: &Text) -> crate::syntax::ast::StrLit {
    literal(text.value.trim_end(), false, text.span)
}

/// `fields`: values of the alert.
fn shown_fields(head: &Head) -> Option<Clause> {
    let mut fields: Vec<AlertField> = Vec::new();
    for field in &head.fields {
        let Some(Expr { kind: ExprKind::Path(mut path), span }) = super::tree::field(field) else { continue };
        let name = snake(field.as_str(), false);
        let taken = |name: &str| {
            matches!(name, "key" | "severity" | "rule" | "about" | "id" | "time")
                || fields.iter().any(|field| field.name.name == name)
        };
        if name.is_empty() || taken(&name) {
            continue;
        }
        path.parts.insert(0, ident("matched", span));
        let value = AlertValue::Expr(expr(ExprKind::Path(path), span));
        fields.push(AlertField { name: ident(name, span), value, span });
    }
    let span = head.fields.first()?.span;
    (!fields.is_empty()).then_some(Clause { kind: ClauseKind::Alert(fields), span })
}

/// Names of rules: each is given once.
#[derive(Debug, Default)]
pub struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// Names of which some are taken.
    pub fn new(taken: BTreeSet<String>) -> Self {
        Self { taken }
    }

    /// The name of a document's rule: from its name or title, with a number behind it if another rule has it.
    pub fn name(&mut self, head: &Head) -> Ident {
        let source = head.name.as_ref().or(head.title.as_ref()).or(head.id.as_ref());
        let span = source.map_or(head.span, |text| text.span);
        let mut name = snake(source.map_or("", Text::as_str), true);
        if name.is_empty() {
            name.push_str("sigma_rule");
        }
        let mut unique = name.clone();
        let mut number = 1;
        while !self.taken.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        ident(unique, span)
    }
}

/// Bytes of a rule's name.
const MAX_NAME: usize = 100;

/// Letters and digits joined by `_`, not beginning with a digit.
fn snake(text: &str, lower: bool) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if name.len() >= MAX_NAME {
            break;
        }
        match c {
            _ if c.is_ascii_alphanumeric() => name.push(if lower { c.to_ascii_lowercase() } else { c }),
            '_' => name.push('_'),
            '\'' => {}
            _ if name.ends_with('_') || name.is_empty() => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("rule_{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_names() {
        for (title, name) in [
            ("Suspicious Execution - PowerShell", "suspicious_execution_powershell"),
            ("7Zip Compressing", "rule_7zip_compressing"),
            (".Class Extension", "class_extension"),
            ("Übung", "bung"),
            ("it's", "its"),
            ("_a__b_", "_a__b"),
        ] {
            assert_eq!(snake(title, true), name);
        }
    }
}
