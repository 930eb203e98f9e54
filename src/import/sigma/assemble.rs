//! The documents of all Sigma files of a rule set, put together: ids and names, and a file of rules for each source.

use std::collections::{BTreeSet, HashMap};

use super::lower::{self, Names};
use super::model::{Document, Text};
use crate::diag::Diagnostic;
use crate::diag::codes::sigma as codes;
use crate::syntax::ast::{File, Item};
use crate::syntax::source::SourceId;

/// What became of Sigma files.
#[derive(Debug, Default)]
pub struct Rules {
    /// The rules, a file for each source in the given order.
    pub files: Vec<(SourceId, File)>,
    /// What is wrong, and what to look at.
    pub problems: Vec<Diagnostic>,
    /// Documents that are refused.
    pub refused: usize,
}

/// Makes rules of documents. `names` are names of rules that are taken, `hidden` those of `let`s.
pub fn assemble(sources: Vec<(SourceId, Vec<Document>)>, names: BTreeSet<String>, hidden: &BTreeSet<String>) -> Rules {
    let mut rules = Rules::default();
    let mut names = Names::new(names);
    let sources = without_duplicates(sources, &mut rules.problems);
    for (source, documents) in &sources {
        let mut file = File::default();
        for document in documents {
            let made = match document {
                Document::Detection(rule) => {
                    let name = names.name(&rule.head);
                    lower::rule(rule, name, hidden, &mut rules.problems)
                }
                Document::Correlation(rule) => {
                    let message = "correlations are not built yet";
                    let report = Diagnostic::error(codes::WRONG_PART, message, rule.kind_span, "");
                    rules.problems.push(report.help("write the rule in the language of this program"));
                    None
                }
                Document::Filter(rule) => {
                    let message = "filters are not built yet";
                    let report = Diagnostic::error(codes::WRONG_PART, message, rule.logsource.span, "");
                    rules.problems.push(report.help("write the condition into the rules"));
                    None
                }
                Document::Refused(_) => None,
            };
            match made {
                Some(rule) => file.items.push(Item::Rule(rule)),
                None => rules.refused += 1,
            }
        }
        rules.files.push((*source, file));
    }
    rules
}

/// Refuses every document whose id or name an earlier one has.
fn without_duplicates(
    mut sources: Vec<(SourceId, Vec<Document>)>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(SourceId, Vec<Document>)> {
    let mut seen: HashMap<(&'static str, String), Text> = HashMap::new();
    for document in sources.iter_mut().flat_map(|(_, documents)| documents) {
        let head = document.head();
        let mut refused = false;
        for (what, text) in [("id", &head.id), ("name", &head.name)] {
            let Some(text) = text else { continue };
            match seen.get(&(what, text.value.clone())) {
                Some(first) => {
                    let message = format!("the {what} `{}` is taken", text.as_str());
                    problems.push(
                        Diagnostic::error(codes::DUPLICATE_RULE, message, text.span, "again here")
                            .label(first.span, "first here")
                            .note("the second rule is refused")
                            .help("give it another one, or delete one of the two rules"),
                    );
                    refused = true;
                }
                None => {
                    seen.insert((what, text.value.clone()), text.clone());
                }
            }
        }
        if refused {
            *document = Document::Refused(Box::new(document.head().clone()));
        }
    }
    sources
}
