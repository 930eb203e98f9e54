//! A query's model to a rule in the tree of the rule language, with the spans of the query.
//!
//! | EQL | rule |
//! |---|---|
//! | `process where C` | `match { e: any where event.category == "process" and C }` |
//! | `[ … ] [ … ]` | `e1: … then e2: …`, `pick pending` |
//! | `with runs=3` | three steps of an `event` class of its own |
//! | `by` | key components, named where stages differ |
//! | `![ … ]` in the middle | `then no … then` |
//! | `![ … ]` at the end | `then no … until e1.@ts + maxspan` |
//! | `![ … ]` at the beginning | `unless … in last < maxspan`, before the first event |
//! | `until [ … ]` | `cancel on …` |

use std::collections::BTreeSet;

use super::lower_expr::Conditions;
use super::model::{Event, Field, Query, Sequence, Stage, Text};
use super::report::refused;
use super::rule_facts::Facts;
use super::shape;
use crate::diag::Diagnostic;
use crate::diag::codes::eql as codes;
use crate::syntax::ast::{
    self, Absence, BinaryOp, ClassRef, Clause, ClauseKind, Element, EventDecl, Expr, ExprKind, Guard, Ident, Item,
    KeyItem, MatchClause, Pick, RuleDecl, Step, StepGuard, StepGuardKind, Then,
};
use crate::syntax::join;
use crate::syntax::source::Span;

/// How queries are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The path of the field that holds the category of an event.
    pub event_category: Vec<String>,
    /// Leave `pick pending` out: sequences are found by Tripline's own selection.
    pub complete: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { event_category: vec!["event".to_owned(), "category".to_owned()], complete: false }
    }
}

/// Makes the rule of a query, and the event classes that it needs before it. Problems are reported; then there may be
/// no rule.
pub(super) fn lower(query: &Query, facts: &Facts, options: &Options, out: &mut Vec<Diagnostic>) -> Vec<Item> {
    let before = out.len();
    let mut lowering = Lowering { facts, options, classes: Vec::new(), prefix: prefix(query), out };
    let (body, by, mut clauses, span) = match query {
        Query::Event(event) => lowering.single(event),
        Query::Sequence(sequence) => {
            shape::check(sequence, lowering.out);
            if lowering.out.len() > before {
                return Vec::new();
            }
            lowering.sequence(sequence)
        }
    };
    let mut items: Vec<Item> = std::mem::take(&mut lowering.classes).into_iter().map(Item::Event).collect();
    let clause = |kind| Clause { kind, span };
    let mut all = facts.clauses_before();
    if !by.is_empty() {
        all.push(clause(ClauseKind::By(by)));
    }
    all.push(clause(ClauseKind::Match(body)));
    all.append(&mut clauses);
    all.extend(facts.clauses_after(query, out));
    items.push(Item::Rule(RuleDecl {
        name: Ident { name: facts.name.clone(), span: facts.place.unwrap_or(span) },
        title: facts.title(),
        clauses: all,
        span,
    }));
    items
}

/// What the steps are called, followed by their number: no field of the query begins so.
fn prefix(query: &Query) -> &'static str {
    let mut heads = BTreeSet::new();
    shape::each_field(query, &mut |field| {
        heads.insert(field.parts[0].value.clone());
    });
    let clashes = |prefix: &str| {
        heads.iter().any(|h| h.strip_prefix(prefix).is_some_and(|r| r.bytes().all(|b| b.is_ascii_digit() || b == b'_')))
    };
    ["e", "step", "eql_step", "eql_step_of_query"].into_iter().find(|p| !clashes(p)).unwrap_or("eql_pattern_step")
}

type Parts = (MatchClause, Vec<KeyItem>, Vec<Clause>, Span);

struct Lowering<'l> {
    facts: &'l Facts,
    options: &'l Options,
    classes: Vec<EventDecl>,
    prefix: &'static str,
    out: &'l mut Vec<Diagnostic>,
}

/// The keys of a stage, head keys first, as components of one name in all stages.
struct Keys<'q> {
    head: &'q [Field],
    names: Vec<Option<String>>,
}

impl Lowering<'_> {
    /// What an event must be: its category and its condition.
    fn condition(&mut self, event: &Event) -> Option<Expr> {
        let mut parts = Vec::new();
        if let Some(category) = &event.category {
            parts.push(category_is(&self.options.event_category, category));
        }
        let mut conditions = Conditions { out: self.out };
        parts.extend(conditions.conjuncts(&event.condition));
        (!parts.is_empty()).then(|| Expr { span: event.span, ..join(BinaryOp::And, parts) })
    }

    fn any_class(span: Span) -> Vec<ClassRef> {
        vec![ClassRef { name: "any".to_owned(), span }]
    }

    fn name(&self, name: String, span: Span) -> Option<Ident> {
        Some(Ident { name, span })
    }

    fn single(&mut self, event: &Event) -> Parts {
        let condition = self.condition(event);
        let name = self.name(self.prefix.to_owned(), event.span);
        let step = step(name, Self::any_class(event.span), condition, event.span);
        let body = ast::Sequence { first: Box::new(Element::Step(step)), rest: Vec::new(), span: event.span };
        (MatchClause { body, within: None, events: None, span: event.span }, Vec::new(), Vec::new(), event.span)
    }

    fn guard(&mut self, stage: &Stage, keys: &Keys<'_>) -> Guard {
        let condition = self.condition(&stage.event);
        // A guard with a key of its own names all of it.
        let by = if stage.by.is_empty() { Vec::new() } else { keys.all_of(stage) };
        Guard { classes: Self::any_class(stage.event.span), condition, by, span: stage.span }
    }

    fn sequence(&mut self, sequence: &Sequence) -> Parts {
        let keys = Keys::of(sequence);
        let first = sequence.stages.iter().position(|s| !s.missing).unwrap_or(0);
        let last = sequence.stages.iter().rposition(|s| !s.missing).unwrap_or(0);
        let span = sequence.span;
        let (maxspan, within) = match sequence.maxspan {
            Some((length, at)) => (length, Some(Expr { kind: ExprKind::Duration(length), span: at })),
            None => (0, None),
        };
        let leading: Vec<Guard> = sequence.stages[..first].iter().map(|s| self.guard(s, &keys)).collect();
        let mut steps: Vec<Step> = Vec::new();
        // Absences before the step of the same place; those after the last one stand behind it.
        let mut between: Vec<Vec<Guard>> = vec![Vec::new()];
        for (at, stage) in sequence.stages.iter().enumerate().skip(first) {
            if stage.missing {
                if at < last {
                    let guard = self.guard(stage, &keys);
                    between.last_mut().expect("never empty").push(guard);
                }
                continue;
            }
            let (classes, condition) = self.class(stage, at);
            let by = keys.own(stage);
            for _ in 0..stage.runs {
                let name = self.name(format!("{}{}", self.prefix, steps.len() + 1), stage.span);
                let mut step = step(name, classes.clone(), condition.clone(), stage.span);
                step.by = by.clone();
                steps.push(step);
                between.push(Vec::new());
            }
        }
        let trailing: Vec<Guard> = sequence.stages[last + 1..].iter().map(|s| self.guard(s, &keys)).collect();
        let alone = steps.len() == 1;
        let at = sequence.maxspan.map_or(span, |(_, at)| at);
        let first_time = self.first_time(at);
        if let (false, Some(step)) = (leading.is_empty(), steps.last_mut()) {
            step.guards.push(unless(leading, maxspan, (!alone).then_some(&first_time), at));
        }
        let mut elements: Vec<Element> = Vec::new();
        for (events, step) in between.iter_mut().zip(steps) {
            if !events.is_empty() {
                elements.push(absence(std::mem::take(events), None, None));
            }
            elements.push(Element::Step(step));
        }
        let length = Expr { kind: ExprKind::Duration(maxspan), span: at };
        let waits = !trailing.is_empty();
        if waits {
            let until = binary(BinaryOp::Add, first_time, length.clone());
            elements.push(if alone {
                absence(trailing, Some(length), None)
            } else {
                absence(trailing, None, Some(until))
            });
        }
        let mut elements = elements.into_iter();
        let first = Box::new(elements.next().expect("a sequence has an event that happens"));
        let then = |element: Element| {
            let span = element.span();
            (Then { directly: false, next: false, after: None, within: None, span }, element)
        };
        let body = ast::Sequence { first, rest: elements.map(then).collect(), span };
        let within = within.filter(|_| !alone);
        let mut clauses = Vec::new();
        let clause = |kind| Clause { kind, span };
        if (!alone || waits) && !self.options.complete {
            clauses.push(clause(ClauseKind::Pick(Pick::Pending)));
        }
        if let Some(until) = &sequence.until {
            clauses.push(Clause { kind: ClauseKind::CancelOn(vec![self.guard(until, &keys)]), span: until.span });
        }
        (MatchClause { body, within, events: None, span }, keys.of_rule(), clauses, span)
    }

    /// `e1.@ts`
    fn first_time(&self, span: Span) -> Expr {
        let part = |name: String| Ident { name, span };
        let parts = vec![part(format!("{}1", self.prefix)), part("@ts".to_owned())];
        Expr { kind: ExprKind::Path(ast::Path { parts, span }), span }
    }

    /// The class and the condition of a stage. One that repeats gets a class, so that the condition stands once.
    fn class(&mut self, stage: &Stage, at: usize) -> (Vec<ClassRef>, Option<Expr>) {
        let span = stage.event.span;
        match self.condition(&stage.event) {
            Some(condition) if stage.runs > 1 => {
                let name = format!("{}_{}", self.facts.name, at + 1);
                let class = ClassRef { name: name.clone(), span };
                self.classes.push(EventDecl { name: Ident { name, span }, condition, span });
                (vec![class], None)
            }
            condition => (Self::any_class(span), condition),
        }
    }
}

impl<'q> Keys<'q> {
    fn of(sequence: &'q Sequence) -> Self {
        let mut taken: BTreeSet<String> = sequence.by.iter().map(dotted).collect();
        let staged: Vec<&[Field]> =
            sequence.stages.iter().map(|s| s.by.as_slice()).filter(|by| !by.is_empty()).collect();
        let width = staged.first().map_or(0, |by| by.len());
        let names = (0..width)
            .map(|at| {
                let fields: BTreeSet<String> = staged.iter().filter_map(|by| by.get(at)).map(dotted).collect();
                if let (1, Some(only)) = (fields.len(), fields.first())
                    && taken.insert(only.clone())
                {
                    return None;
                }
                let last = staged[0][at].parts.last().map_or("key", |p| p.value.as_str());
                let word: String = last
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
                    .collect();
                let word = if word.starts_with(|c: char| c.is_ascii_digit()) { format!("key_{word}") } else { word };
                let mut name = word.clone();
                let mut n = 2;
                while !taken.insert(name.clone()) {
                    name = format!("{word}_{n}");
                    n += 1;
                }
                Some(name)
            })
            .collect();
        Self { head: &sequence.by, names }
    }

    fn of_rule(&self) -> Vec<KeyItem> {
        self.head.iter().map(|field| item(field, None)).collect()
    }

    fn own(&self, stage: &Stage) -> Vec<KeyItem> {
        stage.by.iter().zip(&self.names).map(|(field, name)| item(field, name.as_deref())).collect()
    }

    fn all_of(&self, stage: &Stage) -> Vec<KeyItem> {
        let mut all = self.of_rule();
        all.extend(self.own(stage));
        all
    }
}

fn dotted(field: &Field) -> String {
    field.parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".")
}

fn item(field: &Field, name: Option<&str>) -> KeyItem {
    let span = field.span;
    let name = name.map(|name| Ident { name: name.to_owned(), span });
    KeyItem { name, value: super::lower_expr::path(field), optional: field.optional, span }
}

fn step(name: Option<Ident>, classes: Vec<ClassRef>, condition: Option<Expr>, span: Span) -> Step {
    Step {
        name,
        quantifier: None,
        classes,
        condition,
        by: Vec::new(),
        guards: Vec::new(),
        until: None,
        ends: None,
        span,
    }
}

fn absence(events: Vec<Guard>, within: Option<Expr>, until: Option<Expr>) -> Element {
    let span = events.first().map_or(Span::default(), |first| first.span);
    let span = events.last().map_or(span, |last| span.to(last.span));
    Element::Absence(Absence { fewer: None, events, group: None, within, until, span })
}

/// `unless X in last < 5m`; of several steps only what lies before the first: `and @ts < e1.@ts`.
fn unless(mut events: Vec<Guard>, maxspan: i64, first: Option<&Expr>, span: Span) -> StepGuard {
    if let Some(first) = first {
        for guard in &mut events {
            let now = Ident { name: "@ts".to_owned(), span: guard.span };
            let now = ast::Path { parts: vec![now], span: guard.span };
            let now = Expr { kind: ExprKind::Path(now), span: guard.span };
            let before = binary(BinaryOp::Lt, now, first.clone());
            let mut parts = Vec::new();
            if let Some(condition) = guard.condition.take() {
                parts.extend(crate::syntax::operands(BinaryOp::And, &condition).into_iter().cloned());
            }
            parts.push(before);
            // The plan knows conditions by their place.
            guard.condition = Some(Expr { span: guard.span, ..join(BinaryOp::And, parts) });
        }
    }
    let length = Expr { kind: ExprKind::Duration(maxspan), span };
    let last = Some(Expr { kind: ExprKind::Below(Box::new(length)), span });
    StepGuard { kind: StepGuardKind::Unless, name: None, events, last, span }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span }
}

/// `event.category == "process"`
fn category_is(field: &[String], category: &Text) -> Expr {
    let span = category.span;
    let parts = field.iter().map(|name| Ident { name: name.clone(), span }).collect();
    let path = Expr { kind: ExprKind::Path(ast::Path { parts, span }), span };
    binary(BinaryOp::Eq, path, super::lower_expr::text(&category.value, false, span))
}

/// Refuses what cannot stand in a query of its own.
pub(super) fn refuse_empty(span: Span, out: &mut Vec<Diagnostic>) {
    out.push(refused(
        codes::UNEXPECTED,
        "there is no query in this text",
        span,
        "expected a query",
        "a query is `process where process.name == \"cmd.exe\"`, or `sequence by host.id [ … ] [ … ]`",
    ));
}
