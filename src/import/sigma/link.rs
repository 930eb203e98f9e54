//! Rules that belong together: filters are added, pipelines run, and correlations are built on the rules they name.
//!
//! A detection that correlations are about becomes a class of events, `event sigma_NAME = …`, and a correlation is a
//! pattern over such classes. Only where a class does not do (a correlation over a correlation, a sum of numbers that
//! may be texts) the rule's alerts are the events. A rule that a correlation is about gives no alerts of its own,
//! unless the correlation says `generate: true`.

use std::collections::{BTreeMap, BTreeSet};

use super::correlate::{self, Place, References};
use super::correlate_lower::{Need, Target, TargetKind, correlation};
use super::filter;
use super::lower::{self, Names};
use super::model::{DetectionRule, Document, Logsource, Text};
use super::pipeline::Pipelines;
use super::tree::{expr, ident};
use crate::base::crew::{self, Crew};
use crate::diag::Diagnostic;
use crate::diag::codes::sigma_correlation as codes;
use crate::syntax::ast::{
    AlertField, AlertValue, Clause, ClauseKind, Element, EventDecl, Expr, ExprKind, File, Ident, Item, LetDecl, Path,
    RuleDecl,
};
use crate::syntax::source::{SourceId, Span};

/// What was made of all documents.
#[derive(Debug, Default)]
pub(super) struct Linked {
    pub(super) files: Vec<(SourceId, File)>,
    pub(super) refused: usize,
}

/// A detection that is to be made a rule, by itself.
struct Open<'d> {
    place: Place,
    rule: &'d mut DetectionRule,
    name: Ident,
}

/// A detection on its way.
struct Made {
    rule: RuleDecl,
    condition: Expr,
}

/// The name of the class of events of a rule.
pub(super) fn class_name(rule: &str) -> String {
    format!("sigma_{rule}")
}

/// The name of the condition of a rule.
pub(super) fn condition_name(rule: &str) -> String {
    format!("sigma_is_{rule}")
}

/// Makes files of documents, which have different ids and names.
pub(super) fn link(
    mut sources: Vec<(SourceId, Vec<Document>)>,
    names: &mut Names,
    hidden: &BTreeSet<String>,
    (pipelines, crew): (&Pipelines, &dyn Crew),
    problems: &mut Vec<Diagnostic>,
) -> Linked {
    let references = References::new(&sources);
    let mut linked = Linked { files: Vec::new(), refused: 0 };
    linked.refused += filter::apply(&mut sources, &references, hidden, problems);
    let mut correlations = correlate::resolve(&sources, &references, problems);
    linked.refused += correlations.refused;

    let (mut called, mut originals) = (BTreeMap::new(), BTreeMap::new());
    let mut made: BTreeMap<Place, Made> = BTreeMap::new();
    let mut unknown: BTreeMap<[Option<String>; 3], (Span, usize)> = BTreeMap::new();
    let mut open = Vec::new();
    for (file, (_, documents)) in sources.iter_mut().enumerate() {
        for (at, document) in documents.iter_mut().enumerate() {
            let place = (file, at);
            match document {
                Document::Detection(rule) => {
                    let name = names.name(&rule.head);
                    called.insert(place, name.clone());
                    if correlations.referenced.contains_key(&place) {
                        originals.insert(place, (**rule).clone());
                    }
                    open.push(Open { place, rule, name });
                }
                Document::Correlation(rule) => drop(called.insert(place, names.name(&rule.head))),
                Document::Refused(_) => linked.refused += 1,
                Document::Filter(_) => {}
            }
        }
    }
    let done = crew::map(crew, open, |Open { place, rule, name }| {
        let (source, mut problems) = (rule.logsource.clone(), Vec::new());
        let applied = pipelines.apply(rule);
        problems.extend(applied.problems);
        let built = if applied.refused { None } else { detection(rule, name, hidden, &mut problems) };
        (place, built, applied.unknown_source.then_some(source), problems)
    });
    for (place, built, unknown_source, found) in done {
        problems.extend(found);
        match built {
            Some(built) => drop(made.insert(place, built)),
            None => linked.refused += 1,
        }
        if let Some(source) = unknown_source {
            let words = [&source.product, &source.category, &source.service];
            let key = words.map(|word| word.as_ref().map(|text| text.value.clone()));
            unknown.entry(key).or_insert((source.span, 0)).1 += 1;
        }
    }
    unknown_sources(unknown, problems);

    let mut needs: BTreeMap<Place, Need> = BTreeMap::new();
    let mut built: BTreeMap<Place, RuleDecl> = BTreeMap::new();
    // A correlation comes after those that it is about: each turn takes those whose rules are there.
    let mut left: Vec<Place> = correlations.resolved.keys().copied().collect();
    loop {
        let (ready, later): (Vec<Place>, Vec<Place>) = left.into_iter().partition(|place| {
            let targets = &correlations.resolved[place].targets;
            targets.iter().all(|(_, target)| made.contains_key(target) || built.contains_key(target))
        });
        left = later;
        if ready.is_empty() {
            break;
        }
        for place in ready {
            let resolved = &correlations.resolved[&place];
            let targets: Vec<Target<'_>> = resolved
                .targets
                .iter()
                .map(|(label, target)| Target {
                    place: *target,
                    name: &called[target],
                    label,
                    kind: match (originals.get(target), correlations.resolved.get(target)) {
                        (Some(rule), _) if made.contains_key(target) => TargetKind::Detection(rule),
                        (_, Some(below)) => TargetKind::Correlation(&below.rule),
                        _ => TargetKind::Gone,
                    },
                })
                .collect();
            let mut context = super::correlate_lower::Context { references: &references, pipelines, needs: &mut needs };
            match correlation(resolved, &targets, called[&place].clone(), &mut context, problems) {
                Some(rule) => drop(built.insert(place, rule)),
                None => linked.refused += 1,
            }
        }
    }
    for place in left {
        let resolved = &correlations.resolved[&place];
        let gone = resolved.targets.iter().find(|(_, t)| !made.contains_key(t) && !built.contains_key(t));
        if let Some((name, _)) = gone {
            let message = format!("the rule `{}` is refused", name.as_str());
            let report = Diagnostic::error(codes::REFERENCE, message, name.span, "");
            problems.push(report.note("the correlation is refused").help("see what is said about that rule"));
        }
        linked.refused += 1;
    }

    for (file, (source, documents)) in sources.iter().enumerate() {
        let mut items = Vec::new();
        for at in 0..documents.len() {
            let place = (file, at);
            let silent = correlations.referenced.get(&place).is_some_and(|generate| !generate);
            let need = needs.remove(&place).unwrap_or_default();
            if let Some(Made { rule, condition }) = made.remove(&place) {
                emit_detection(rule, condition, need, silent, &mut items);
            } else if let Some(mut rule) = built.remove(&place) {
                add_fields(&mut rule, need.fields);
                if silent {
                    internal(&mut rule);
                }
                items.push(Item::Rule(rule));
            }
        }
        linked.files.push((*source, File { items }));
    }
    correlations.resolved.clear();
    linked
}

fn detection(
    rule: &DetectionRule,
    name: Ident,
    hidden: &BTreeSet<String>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Made> {
    let rule = lower::rule(rule, name, hidden, problems)?;
    let condition = rule.clauses.iter().find_map(|clause| match &clause.kind {
        ClauseKind::Match(clause) => match &*clause.body.first {
            Element::Step(step) => step.condition.clone(),
            _ => None,
        },
        _ => None,
    })?;
    Some(Made { rule, condition })
}

/// A detection with what correlations need of it.
fn emit_detection(mut rule: RuleDecl, condition: Expr, need: Need, silent: bool, items: &mut Vec<Item>) {
    let span = rule.name.span;
    let name = rule.name.name.clone();
    let mut meaning = condition;
    if need.condition {
        let name = ident(condition_name(&name), span);
        let path = Path { parts: vec![name.clone()], span };
        items.push(Item::Let(LetDecl { name, value: meaning, span }));
        meaning = expr(ExprKind::Path(path), span);
    }
    if need.class {
        let name = ident(class_name(&name), span);
        items.push(Item::Event(EventDecl { name, condition: meaning, span }));
        for clause in &mut rule.clauses {
            let ClauseKind::Match(clause) = &mut clause.kind else { continue };
            if let Element::Step(step) = &mut *clause.body.first {
                step.condition = None;
                for class in &mut step.classes {
                    class.name = class_name(&rule.name.name);
                }
            }
        }
    }
    if silent && !need.alerts {
        return;
    }
    if !need.fields.is_empty() {
        name_step(&mut rule);
    }
    add_fields(&mut rule, need.fields);
    if silent {
        internal(&mut rule);
    }
    items.push(Item::Rule(rule));
}

/// Gives the one step of a detection the name by which its alert reads it.
fn name_step(rule: &mut RuleDecl) {
    for clause in &mut rule.clauses {
        if let ClauseKind::Match(clause) = &mut clause.kind
            && let Element::Step(step) = &mut *clause.body.first
            && step.name.is_none()
        {
            step.name = Some(ident("matched", step.span));
        }
    }
}

fn add_fields(rule: &mut RuleDecl, fields: Vec<(String, Expr)>) {
    if fields.is_empty() {
        return;
    }
    let span = rule.name.span;
    let fields = fields.into_iter().map(|(name, value)| AlertField {
        name: ident(name, span),
        value: AlertValue::Expr(value),
        span,
    });
    let there = rule.clauses.iter_mut().find_map(|clause| match &mut clause.kind {
        ClauseKind::Alert(list) => Some(list),
        _ => None,
    });
    match there {
        Some(list) => {
            for field in fields {
                list.retain(|known| known.name.name != field.name.name);
                list.push(field);
            }
        }
        None => rule.clauses.push(Clause { kind: ClauseKind::Alert(fields.collect()), span }),
    }
}

fn internal(rule: &mut RuleDecl) {
    let at = rule.clauses.iter().position(|clause| matches!(clause.kind, ClauseKind::Match(_))).unwrap_or(0);
    rule.clauses.insert(at, Clause { kind: ClauseKind::Internal(true), span: rule.name.span });
}

/// One warning for each log source that nothing knows, however many rules are about it.
fn unknown_sources(unknown: BTreeMap<[Option<String>; 3], (Span, usize)>, problems: &mut Vec<Diagnostic>) {
    for ([product, category, service], (span, count)) in unknown {
        let text = |value: Option<String>| value.map(|value| Text { value, span });
        let source = Logsource {
            product: text(product),
            category: text(category),
            service: text(service),
            definition: None,
            span,
        };
        let parts = [("product", &source.product), ("category", &source.category), ("service", &source.service)];
        let given = || parts.iter().filter_map(|(name, value)| value.as_ref().map(|value| (*name, value.as_str())));
        let conditions: Vec<String> = given().map(|(name, value)| format!("{name}: {value}")).collect();
        let rules = if count == 1 { "one rule is".into() } else { format!("{count} rules are") };
        let message = format!("no pipeline tells events of {{{}}} from others", conditions.join(", "));
        let fields: Vec<String> = given().map(|(name, value)| format!("`{name}` is `{value}`")).collect();
        let note = format!("{rules} held to events in which {}, or the same below `logsource`", fields.join(" and "));
        problems.push(Diagnostic::warning(codes::UNKNOWN_SOURCE, message, span, "").note(note).help(
            "add these fields where the events are shipped, add a pipeline with `add_condition` for this `logsource`, or run with `--pipeline none` over events of this source alone",
        ));
    }
}
