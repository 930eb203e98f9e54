//! The examples of docs/sigma.md load: pipelines are read, rules are built, compiled, and checked.

mod sigma_support;

use tripline::import::sigma::pipeline::{self, Pipelines};
use tripline::syntax::source::SourceId;

#[test]
fn examples_load() {
    let text = include_str!("../docs/sigma.md");
    let mut seen = 0;
    for block in text.split("```yaml\n").skip(1) {
        let block = block.split("```").next().expect("the fence is closed");
        seen += 1;
        if block.contains("\ntransformations:") {
            let (pipeline, problems) = pipeline::read(SourceId(0), block);
            assert!(problems.is_empty() && pipeline.is_some(), "{problems:?}");
            continue;
        }
        let made = sigma_support::made(&[block], &Pipelines::default());
        assert!(made.problems.is_empty(), "{}", made.shown);
        sigma_support::compiled(&made.printed);
    }
    assert!(seen >= 3);
}

#[test]
fn every_built_in_pipeline_is_named() {
    let text = include_str!("../docs/sigma.md");
    for (name, _) in pipeline::builtin::NAMES {
        assert!(text.contains(&format!("`{name}`")), "{name}");
        assert!(pipeline::builtin::find(name).is_ok());
    }
}
