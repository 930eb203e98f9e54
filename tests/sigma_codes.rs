//! Every code of Sigma rules: its wrong example gives it, its right example gives nothing.

use std::collections::BTreeSet;

use tripline::diag::codes::sigma::CODES;
use tripline::diag::render::render_text;
use tripline::import::sigma::model::Document;
use tripline::import::sigma::{assemble, read};
use tripline::syntax::source::SourceMap;

/// The text of a fenced block after a heading of an explanation.
fn example<'t>(explanation: &'t str, heading: &str) -> &'t str {
    let (_, after) =
        explanation.split_once(&format!("{heading}:\n\n```yaml\n")).expect("the explanation has the heading");
    after.split_once("\n```").expect("the fence is closed").0
}

#[test]
fn examples_give_their_code_and_no_other() {
    for info in CODES {
        for (heading, wanted) in [("Wrong", &[info.code][..]), ("Right", &[])] {
            let text = example(info.explanation, heading);
            let mut sources = SourceMap::new();
            let id = sources.add("rule.yml", text);
            let (documents, mut problems) = read(id, text);
            // Correlations are put together elsewhere.
            let documents = documents.into_iter().filter(|d| !matches!(d, Document::Correlation(_))).collect();
            problems.extend(assemble(vec![(id, documents)], BTreeSet::new(), &BTreeSet::new()).problems);
            let mut codes: Vec<&str> = problems.iter().map(|d| d.code.0).collect();
            codes.dedup();
            assert_eq!(codes, wanted, "{}: {text}\n{}", info.code, render_text(&problems, &sources, false));
            assert!(problems.iter().all(|d| d.help.is_some()), "{}: no way out", info.code);
        }
    }
}
