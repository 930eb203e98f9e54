//! Runs one test in virtual time.

use std::sync::Arc;

use tripline::alert::Alert;
use tripline::base::{Duration, Timestamp};
use tripline::decode::timefield::{OnMissing, TimeConfig, TimeFormat};
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax::ast::{TestDecl, TestItem};

use super::stream::{Line, TIME_FIELD};

/// The latest time at which something is expected.
fn last_expected(test: &TestDecl) -> Option<i64> {
    let times = test.items.iter().filter_map(|item| match item {
        TestItem::ExpectAlert(expect) => expect.at,
        _ => None,
    });
    times.max()
}

/// The alerts of a rule over the events of a test, in order. After the last event time runs on until nothing is
/// pending, or up to `stop`.
pub fn alerts(ruleset: &Arc<Ruleset>, rule: &str, test: &TestDecl, lines: &[Line]) -> Vec<Alert> {
    let time = TimeConfig {
        fields: vec![vec![TIME_FIELD.to_owned()]],
        format: TimeFormat::EpochNs,
        on_missing: OnMissing::Reject,
    };
    let config = SessionConfig { time, lateness: Duration::ZERO, show_internal: true, ..SessionConfig::default() };
    let mut session = Session::new(ruleset.clone(), config);
    if ruleset.is_scheduled() {
        // The time of a test begins at its start, not at its first event.
        session.advance(Timestamp(0));
    }
    let stop = test.items.iter().find_map(|item| match item {
        TestItem::Stop { at, .. } => Some(Timestamp(*at)),
        _ => None,
    });
    for line in lines {
        if stop.is_none_or(|stop| Timestamp(line.at) <= stop) {
            session.push_line(&line.text);
        }
    }
    match stop {
        Some(stop) => {
            session.advance(stop);
            session.finish(AtEnd::Pending);
        }
        None => {
            // What only the passing of time brings is seen up to the last time that the test speaks of.
            if let Some(last) = last_expected(test) {
                session.advance(Timestamp(last.saturating_add(1)));
            }
            session.finish(AtEnd::Flush);
        }
    }
    session.drain().into_iter().filter(|alert| &*alert.rule_name == rule).collect()
}
