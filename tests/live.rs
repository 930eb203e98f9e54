//! Live input in the engine: what the silence of sources, and their ends, say of time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration as Wait;

use tripline::alert::Alert;
use tripline::base::Duration;
use tripline::compile::{CompileOptions, compile};
use tripline::engine::{EngineConfig, Handler, Live, Progress, Source, SourceBlock, SourceFailure, run};
use tripline::plan::Ruleset;
use tripline::session::Rejected;
use tripline::syntax::source::SourceMap;

fn rules(text: &str) -> Arc<Ruleset> {
    let mut sources = SourceMap::new();
    sources.add("case", text);
    let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Ok(Vec::new()));
    compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

/// Gives its lines, and ends.
struct Ends(Option<&'static str>);

impl Source for Ends {
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        Ok(self.0.take().map(|lines| SourceBlock {
            bytes: lines.as_bytes().to_vec(),
            first_line: 1,
            ..SourceBlock::default()
        }))
    }
}

/// Keeps alerts. It is so slow that the engine looks at its sources after every step.
#[derive(Default)]
struct Slow(Vec<Alert>);

impl Handler for Slow {
    fn alerts(&mut self, alerts: &[Alert]) -> ControlFlow<()> {
        self.0.extend_from_slice(alerts);
        ControlFlow::Continue(())
    }

    fn late(&mut self, _: u16, line: &str) -> ControlFlow<()> {
        panic!("{line} is late")
    }

    fn rejected(&mut self, rejected: &Rejected) -> ControlFlow<()> {
        panic!("{rejected:?}")
    }

    fn failed(&mut self, _: usize, failure: &SourceFailure) {
        panic!("{failure}")
    }

    fn progress(&mut self, _: Progress) {
        thread::sleep(Wait::from_millis(100));
    }
}

#[test]
fn when_all_sources_have_ended_the_wall_clock_decides_nothing() {
    let rules = rules("rule silent { by host match { last: beat then no beat within 30s } }");
    let beats = [
        "{\"ts\":\"2026-01-01T00:00:00Z\",\"type\":\"beat\",\"host\":\"a\"}\n",
        "{\"ts\":\"2026-01-01T00:00:31Z\",\"type\":\"beat\",\"host\":\"b\"}\n",
    ];
    let config = EngineConfig { live: Some(Live::after(Duration::from_secs(3600))), ..EngineConfig::default() };
    let sources = beats.into_iter().map(|lines| Box::new(Ends(Some(lines))) as Box<dyn Source>).collect();
    let mut handler = Slow::default();
    let summary = run(&rules, &config, sources, &mut handler);
    let hosts: Vec<String> = handler.0.iter().map(|alert| alert.key[0].1.to_json().to_string()).collect();
    assert_eq!(hosts, ["\"a\""], "what is open at the end stays undecided");
    assert_eq!(summary.rules[0].pending, 1);
}
