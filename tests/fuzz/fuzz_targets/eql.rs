//! Any text is read as EQL, and as detection rules, without a panic; what a query becomes prints and reads back.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use tripline::base::Limits;
use tripline::import::eql::{Kind, Options, parse};
use tripline::syntax::source::SourceMap;

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    for (name, kind) in [("a.eql", Kind::Queries), ("a.toml", Kind::Toml), ("a.json", Kind::Json)] {
        let mut sources = SourceMap::new();
        let id = sources.add(name, text);
        let read = parse(id, name, text, kind, &Options::default(), &limits, &mut BTreeSet::new());
        for label in read.diagnostics.iter().flat_map(|d| &d.labels) {
            assert!(label.span.start <= label.span.end && label.span.end as usize <= text.len());
        }
        let printed = tripline::syntax::print(&read.file);
        let (again, problems) = tripline::syntax::parse(id, &printed, &limits);
        assert!(problems.is_empty(), "{printed}\n{problems:?}");
        assert_eq!(again.items.len(), read.file.items.len());
    }
});
