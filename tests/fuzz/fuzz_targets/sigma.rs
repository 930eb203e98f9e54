//! The reader of Sigma on any text: documents, rules and diagnostics, never a panic; every place lies in the text, and
//! what is read prints as a rule file without errors.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz sigma corpus`

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use tripline::base::Limits;
use tripline::diag::Level;
use tripline::import::sigma::pipeline::Pipelines;
use tripline::import::sigma::{assemble, read};
use tripline::syntax::source::SourceId;
use tripline::syntax::{parse, print};

fuzz_target!(|text: &str| {
    let (documents, mut diagnostics) = read(SourceId(0), text);
    let rules = assemble(vec![(SourceId(0), documents)], BTreeSet::new(), &BTreeSet::new(), &Pipelines::default());
    diagnostics.extend(rules.problems);
    for diagnostic in diagnostics {
        for label in diagnostic.labels.iter().filter(|label| label.span.source == SourceId(0)) {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(text.get(start..end).is_some(), "{} names bytes {start}..{end}", diagnostic.message);
        }
    }
    for (_, file) in rules.files {
        let printed = print(&file);
        let (_, problems) = parse(SourceId(0), &printed, &Limits::default());
        assert!(problems.iter().all(|problem| problem.level != Level::Error), "{problems:?}\n{printed}");
    }
});
