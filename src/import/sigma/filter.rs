//! Filters: conditions that are added to rules that stand elsewhere.
//!
//! A filter's selections and condition become a detection that must hold besides the rule's own, before pipelines run,
//! so its fields are renamed with those of the rule. Which rules: those that it names, or `any`, as far as they are of
//! its log source. Every part that the filter's `logsource` gives must be the rule's.

use super::correlate::References;
use super::lower::Lowerer;
use super::model::{Document, FilterRule, FilterRules, Logsource, Text};
use crate::diag::Diagnostic;
use crate::diag::codes::sigma_correlation as codes;
use crate::syntax::source::SourceId;
use std::collections::BTreeSet;

/// Adds every filter to its rules. Gives how many filters are refused.
pub(super) fn apply(
    sources: &mut [(SourceId, Vec<Document>)],
    references: &References,
    hidden: &BTreeSet<String>,
    problems: &mut Vec<Diagnostic>,
) -> usize {
    let filters: Vec<FilterRule> = sources
        .iter()
        .flat_map(|(_, documents)| documents)
        .filter_map(|document| match document {
            Document::Filter(filter) => Some((**filter).clone()),
            _ => None,
        })
        .collect();
    let mut refused = 0;
    for filter in filters {
        // What is wrong in it is said once, not with every rule.
        let before = problems.len();
        let sound = Lowerer::new(&filter.head, hidden, problems).condition(&filter.detection).is_some();
        let named = targets(&filter, sources, references, problems);
        if !sound || named.is_none() || problems[before..].iter().any(|p| p.level == crate::diag::Level::Error) {
            refused += 1;
            continue;
        }
        let mut reached = 0;
        for (file, documents) in sources.iter_mut().enumerate() {
            for (at, document) in documents.1.iter_mut().enumerate() {
                let Document::Detection(rule) = document else { continue };
                let meant = named.as_ref().is_some_and(|named| named.as_ref().is_none_or(|n| n.contains(&(file, at))));
                if meant && covers(&filter.logsource, &rule.logsource) {
                    rule.detection.besides.push(filter.detection.clone());
                    reached += 1;
                }
            }
        }
        if reached == 0 {
            let message = "the filter reaches no rule";
            let report = Diagnostic::warning(codes::FILTER, message, filter.logsource.span, "of this log source");
            let help = "give `logsource` only the parts that the rules have, or leave parts out to reach more rules";
            problems.push(report.note("nothing is left out because of it").help(help));
        }
    }
    refused
}

/// The rules that a filter names: none for `any`; nothing at all if a name means no rule, which is reported.
#[expect(clippy::option_option, reason = "the outer one is whether the filter can be used")]
fn targets(
    filter: &FilterRule,
    sources: &[(SourceId, Vec<Document>)],
    references: &References,
    problems: &mut Vec<Diagnostic>,
) -> Option<Option<Vec<(usize, usize)>>> {
    let FilterRules::Named(names) = &filter.rules else { return Some(None) };
    let mut found = Vec::new();
    let mut complete = true;
    for name in names {
        let at = references.find(name.as_str());
        let kind = at.map(|(file, at)| &sources[file].1[at]);
        match (at, kind) {
            (Some(at), Some(Document::Detection(_))) => found.push(at),
            (_, kind) => {
                problems.push(not_a_rule(name, kind.is_some(), references));
                complete = false;
            }
        }
    }
    complete.then_some(Some(found))
}

fn not_a_rule(name: &Text, there: bool, references: &References) -> Diagnostic {
    let message = match there {
        true => format!("`{}` is no detection rule that can be filtered", name.as_str()),
        false => format!("there is no rule `{}`", name.as_str()),
    };
    let report = Diagnostic::error(codes::REFERENCE, message, name.span, "");
    report.note("the filter is refused, and no rule is narrowed by it").help(references.hint(name.as_str()))
}

/// Whether a rule is of a filter's log source.
fn covers(filter: &Logsource, rule: &Logsource) -> bool {
    let part = |wanted: &Option<Text>, found: &Option<Text>| {
        wanted.as_ref().is_none_or(|wanted| found.as_ref().is_some_and(|found| found.value == wanted.value))
    };
    part(&filter.category, &rule.category)
        && part(&filter.product, &rule.product)
        && part(&filter.service, &rule.service)
}
