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
        let (file, problems) = parse(id, name, text, kind, &Options::default(), &limits, &mut BTreeSet::new());
        for label in problems.iter().flat_map(|d| &d.labels) {
            assert!(label.span.start <= label.span.end && label.span.end as usize <= text.len());
        }
        let printed = tripline::syntax::print(&file);
        let (again, wrong) = tripline::syntax::parse(id, &printed, &limits);
        assert!(wrong.is_empty(), "{printed}\n{wrong:?}");
        assert_eq!(again.items.len(), file.items.len());
    }
});
