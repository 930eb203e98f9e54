//! The rule parser on any text: it gives a tree and diagnostics, never a panic, and every place it names is in the text.
//!
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz parse corpus rules`

#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline::base::Limits;
use tripline::syntax::parse;
use tripline::syntax::source::SourceId;

fuzz_target!(|text: &str| {
    let (_, diagnostics) = parse(SourceId(0), text, &Limits::default());
    for diagnostic in diagnostics {
        assert!(!diagnostic.message.is_empty());
        for label in diagnostic.labels {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(
                text.get(start..end).is_some(),
                "{diagnostic:?} names bytes {start}..{end}",
                diagnostic = diagnostic.message
            );
        }
    }
});
