//! Sources of other languages on their way to a rule set. One bad rule of theirs stops no other: what is wrong with it
//! is reported, the rule is taken out, and so are the imported rules that build on it.
//!
//! A report belongs to a rule if its first label lies in a source of another language.

use std::collections::BTreeSet;

use super::CompileOptions;
use crate::check::{check_recovered, has_errors};
use crate::diag::codes::check as codes;
use crate::diag::{Code, Diagnostic, Level};
use crate::import::eql;
use crate::import::language::Language;
use crate::syntax::ast::{File, Item};
use crate::syntax::parse;
use crate::syntax::source::{Source, SourceId, SourceMap};

/// Warnings about what EQL means by itself: a negation passes over events without the field there, too.
const EQL_MEANS_IT: [Code; 1] = [codes::SKIPS_MISSING];

/// Reads a source of another language. The last value is how many of its rules were refused.
pub(super) fn read(
    id: SourceId,
    source: &Source,
    options: &CompileOptions,
    taken: &mut BTreeSet<String>,
) -> (File, Vec<Diagnostic>, usize) {
    match Language::of(&source.name) {
        Language::Eql(kind) => {
            let (name, text) = (&source.name, &source.text);
            let read = eql::parse(id, name, text, kind, &options.eql, &options.limits, taken);
            (read.file, read.diagnostics, read.refused)
        }
        // Said in the words of rule files.
        Language::Sigma | Language::Trip => {
            let (file, problems) = parse(id, &source.text, &options.limits);
            let refused = usize::from(has_errors(&problems));
            (file, problems, refused)
        }
    }
}

fn language(sources: &SourceMap, diagnostic: &Diagnostic) -> Language {
    diagnostic.labels.first().map_or(Language::Trip, |label| Language::of(&sources.get(label.span.source).name))
}

/// Whether a report is about an imported rule, which is left out for it.
pub(super) fn concerns_imported(sources: &SourceMap, diagnostic: &Diagnostic) -> bool {
    language(sources, diagnostic).is_imported()
}

/// Checks all files. Imported rules with errors are taken out, until none is left; gives how many.
pub(super) fn check(
    files: &mut [(SourceId, File)],
    sources: &SourceMap,
    options: &CompileOptions,
    syntax: &[Diagnostic],
) -> (Vec<Diagnostic>, usize) {
    let imported = sources.ids().any(|id| Language::of(&sources.get(id).name).is_imported());
    if !imported {
        return (check_recovered(files, sources, &options.limits, syntax), 0);
    }
    // What is wrong with imported texts has been taken out already, and hides nothing.
    let own: Vec<Diagnostic> = syntax.iter().filter(|d| !concerns_imported(sources, d)).cloned().collect();
    let (mut said, mut refused) = (Vec::new(), 0);
    loop {
        let mut found = check_recovered(files, sources, &options.limits, &own);
        found.retain(|d| !(EQL_MEANS_IT.contains(&d.code) && matches!(language(sources, d), Language::Eql(_))));
        let wrong: Vec<Diagnostic> =
            found.iter().filter(|d| d.level == Level::Error && concerns_imported(sources, d)).cloned().collect();
        if wrong.is_empty() || options.strict {
            said.extend(found);
            return (said, refused);
        }
        for report in wrong {
            refused += take_out(files, &report);
            said.push(report);
        }
    }
}

/// Takes what a report is about out of its file; gives how many rules.
fn take_out(files: &mut [(SourceId, File)], report: &Diagnostic) -> usize {
    let Some(span) = report.labels.first().map(|label| label.span) else { return 0 };
    let Some((_, file)) = files.iter_mut().find(|(id, _)| *id == span.source) else { return 0 };
    let inside = |item: &Item| {
        let clauses = match item {
            Item::Rule(rule) => rule.clauses.as_slice(),
            _ => &[],
        };
        std::iter::once(item.span())
            .chain(clauses.iter().map(|c| c.span))
            .any(|s| s.start <= span.start && span.start < s.end)
    };
    let before = file.items.len();
    let rules = |file: &File| file.items.iter().filter(|i| matches!(i, Item::Rule(_))).count();
    let count = rules(file);
    file.items.retain(|item| !inside(item));
    if file.items.len() == before {
        // It is not known which: none of them is surely right.
        file.items.clear();
    }
    count - rules(file)
}
