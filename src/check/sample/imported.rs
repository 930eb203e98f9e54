//! Imported rules against sample data: which can never fire on it, because no event is of their log source, or because
//! none of those has a field that they need. Grouped by log source: a corpus has thousands of rules and some dozens of
//! log sources.
//!
//! A rule's log source is what its condition begins with: the leading conditions that read only such fields as some
//! rule's first condition reads. Pipelines put them there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::eval::{Evaluator, find};
use crate::base::Value;
use crate::check::model::conjuncts;
use crate::check::names::Names;
use crate::check::predicate::required_fields;
use crate::check::walk::paths;
use crate::syntax::ast::{ClauseKind, Element, Expr, File, Item, RuleDecl, Sequence, Step};
use crate::syntax::print_expr;
use crate::syntax::source::SourceId;

/// What a sample says about the rules of one log source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSourceSeen {
    /// The condition, as rules write it; empty for rules that look at every event.
    pub condition: String,
    /// Its rules.
    pub rules: Vec<String>,
    /// Events of it; `None` if that could not be judged here.
    pub events: Option<u64>,
    /// Fields that no event of it has, with the rules that cannot fire for want of them.
    pub missing: Vec<(String, Vec<String>)>,
}

/// The rules of one log source, over the sample.
#[derive(Debug)]
struct Group<'a> {
    conditions: Vec<&'a Expr>,
    rules: BTreeSet<&'a str>,
    events: Option<u64>,
    /// By field: how often it was there, and the rules that need it.
    fields: BTreeMap<String, (u64, BTreeSet<&'a str>)>,
}

/// A sample being read for imported rules.
#[derive(Debug)]
pub struct Imported<'a> {
    names: Names<'a>,
    groups: BTreeMap<String, Group<'a>>,
}

impl<'a> Imported<'a> {
    /// A sample for rules that were imported, each file with its place.
    pub fn new(files: &'a [(SourceId, File)]) -> Self {
        let items = files.iter().flat_map(|(_, file)| &file.items);
        let mut conditions: Vec<(&'a str, Vec<&'a Expr>)> = Vec::new();
        for item in items {
            match item {
                Item::Rule(rule) => {
                    for step in steps(rule) {
                        if let Some(condition) = &step.condition {
                            conditions.push((&rule.name.name, conjuncts(condition)));
                        }
                    }
                }
                Item::Event(event) => conditions.push((&event.name.name, conjuncts(&event.condition))),
                _ => {}
            }
        }
        let read = |expr: &Expr| {
            let mut found = Vec::new();
            paths(expr, &mut |path| found.push(path.parts.iter().map(|p| p.name.clone()).collect::<Vec<_>>()));
            found
        };
        let firsts = conditions.iter().filter_map(|(_, parts)| parts.first());
        let sources: BTreeSet<Vec<String>> = firsts.flat_map(|first| read(first)).collect();
        let mut groups: BTreeMap<String, Group<'a>> = BTreeMap::new();
        for (rule, parts) in conditions {
            let known = |part: &&Expr| {
                let fields = read(part);
                !fields.is_empty() && fields.iter().all(|field| sources.contains(field))
            };
            let leading = parts.iter().take_while(|part| known(part)).count();
            let (source, rest) = parts.split_at(leading);
            let name = source.iter().map(|part| print_expr(part)).collect::<Vec<_>>().join(" and ");
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            let group = groups.entry(name).or_insert_with(|| Group {
                conditions: source.to_vec(),
                rules: BTreeSet::new(),
                events: Some(0),
                fields: BTreeMap::new(),
            });
            group.rules.insert(rule);
            for part in rest {
                let mut needed = Vec::new();
                required_fields(part, &mut needed);
                for field in needed {
                    group.fields.entry(field).or_default().1.insert(rule);
                }
            }
        }
        Self { names: Names::collect(files, &mut Vec::new()), groups }
    }

    /// Takes one event into account.
    pub fn event(&mut self, event: &Json) {
        let evaluator = Evaluator { names: &self.names, event };
        for group in self.groups.values_mut() {
            let mut is = Some(true);
            for condition in &group.conditions {
                is = match (is, evaluator.holds(condition)) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
            }
            match is {
                Some(false) => continue,
                Some(true) => group.events = group.events.map(|n| n + 1),
                None => group.events = None,
            }
            for (field, (present, _)) in &mut group.fields {
                let path: Vec<String> = field.split('.').map(str::to_owned).collect();
                let seen = find(event, &path).or_else(|| event.get(field.trim_matches('`')));
                *present += u64::from(seen.is_some_and(|value| !value.is_null()));
            }
        }
    }

    /// What was found, the log sources with most rules first.
    pub fn finish(self) -> Vec<LogSourceSeen> {
        let owned = |names: &BTreeSet<&str>| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut seen: Vec<LogSourceSeen> = self
            .groups
            .into_iter()
            .map(|(condition, group)| {
                let absent = group.fields.iter().filter(|(_, (present, _))| *present == 0);
                let missing = absent.map(|(field, (_, rules))| (field.clone(), owned(rules)));
                let missing = if group.events == Some(0) { Vec::new() } else { missing.collect() };
                LogSourceSeen { condition, rules: owned(&group.rules), events: group.events, missing }
            })
            .collect();
        seen.sort_by(|a, b| b.rules.len().cmp(&a.rules.len()).then_with(|| a.condition.cmp(&b.condition)));
        seen
    }
}

impl Evaluator<'_, '_> {
    /// Whether a condition on the event is true; `None` if it uses something that is not evaluated here.
    fn holds(&self, condition: &Expr) -> Option<bool> {
        self.value(condition, 0).ok().map(|value| value == Value::Bool(true))
    }
}

/// The single steps of a rule's pattern that must bind an event.
fn steps(rule: &RuleDecl) -> Vec<&Step> {
    fn inside<'a>(sequence: &'a Sequence, found: &mut Vec<&'a Step>) {
        for element in sequence.elements() {
            match element {
                Element::Step(step) => found.push(step),
                Element::All(all) => found.extend(&all.members),
                Element::Group(group) => inside(&group.body, found),
                Element::Any(_) | Element::Choice(_) | Element::Absence(_) => {}
            }
        }
    }
    let mut found = Vec::new();
    for clause in &rule.clauses {
        if let ClauseKind::Match(matched) = &clause.kind {
            inside(&matched.body, &mut found);
        }
    }
    found
}
