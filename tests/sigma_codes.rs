//! Every code of Sigma rules: its wrong example gives it, its right example gives nothing.

use std::collections::BTreeSet;

use tripline::diag::Diagnostic;
use tripline::diag::codes::{sigma, sigma_correlation};
use tripline::diag::render::render_text;
use tripline::import::sigma::pipeline::{self, Pipelines};
use tripline::import::sigma::{assemble, read};
use tripline::syntax::source::SourceMap;

/// The text of a fenced block after a heading of an explanation.
fn example<'t>(explanation: &'t str, heading: &str) -> &'t str {
    let (_, after) =
        explanation.split_once(&format!("{heading}:\n\n```yaml\n")).expect("the explanation has the heading");
    after.split_once("\n```").expect("the fence is closed").0
}

/// A rule that pipelines of examples are applied to.
const RULE: &str = "title: T\nlogsource:\n  product: gcp\n  service: gcp.audit\ndetection:\n  sel:\n    user|expand: '%admins%'\n  condition: sel\n";

/// What is wrong with a text of rules, or with a pipeline and the rule above. Only one code asks for routing.
fn problems_of(code: &str, text: &str) -> (Vec<Diagnostic>, SourceMap) {
    let mut sources = SourceMap::new();
    let routed = code == "W0841";
    let names: &[&str] = if routed { &[] } else { &["none"] };
    let (mut problems, mut read_pipelines, mut rules) = (Vec::new(), Vec::new(), text);
    if text.contains("\ntransformations:") {
        let id = sources.add("pipeline.yml", text);
        let (found, wrong) = pipeline::read(id, text);
        problems.extend(wrong);
        read_pipelines.extend(found);
        rules = if routed || code == "E0841" { RULE } else { "" };
    }
    let id = sources.add("rule.yml", rules);
    let (documents, wrong) = read(id, rules);
    problems.extend(wrong);
    let pipelines = Pipelines::new(names, read_pipelines).expect("the names are known");
    let rules = assemble(vec![(id, documents)], BTreeSet::new(), &BTreeSet::new(), &pipelines);
    // The placeholder of the rule is not what routing is about.
    problems.extend(rules.problems.into_iter().filter(|d| !(routed && d.code.0 != code)));
    (problems, sources)
}

#[test]
fn examples_give_their_code_and_no_other() {
    for info in sigma::CODES.iter().chain(sigma_correlation::CODES) {
        for (heading, wanted) in [("Wrong", &[info.code][..]), ("Right", &[])] {
            let text = example(info.explanation, heading);
            let (problems, sources) = problems_of(info.code, text);
            let mut codes: Vec<&str> = problems.iter().map(|d| d.code.0).collect();
            codes.dedup();
            assert_eq!(codes, wanted, "{}: {text}\n{}", info.code, render_text(&problems, &sources, false));
            assert!(problems.iter().all(|d| d.help.is_some()), "{}: no way out", info.code);
        }
    }
}
