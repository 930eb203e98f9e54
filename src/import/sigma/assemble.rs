//! The documents of all Sigma files of a rule set, put together: ids and names, and a file of rules for each source.

use std::collections::{BTreeSet, HashMap};

use super::link::{Linked, link};
use super::lower::Names;
use super::model::{Document, Text};
use super::pipeline::Pipelines;
use crate::base::crew::{Alone, Crew};
use crate::diag::Diagnostic;
use crate::diag::codes::sigma as codes;
use crate::syntax::ast::File;
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
pub fn assemble(
    sources: Vec<(SourceId, Vec<Document>)>,
    names: BTreeSet<String>,
    hidden: &BTreeSet<String>,
    pipelines: &Pipelines,
) -> Rules {
    assemble_with(sources, names, hidden, pipelines, &Alone)
}

/// As [`assemble`], with someone to do what can be done at the same time.
pub fn assemble_with(
    sources: Vec<(SourceId, Vec<Document>)>,
    names: BTreeSet<String>,
    hidden: &BTreeSet<String>,
    pipelines: &Pipelines,
    crew: &dyn Crew,
) -> Rules {
    let mut problems = Vec::new();
    let mut names = Names::new(names);
    let sources = without_duplicates(sources, &mut problems);
    super::misspelt::report(&sources, &mut problems);
    let Linked { files, refused } = link(sources, &mut names, hidden, (pipelines, crew), &mut problems);
    Rules { files, problems, refused }
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
