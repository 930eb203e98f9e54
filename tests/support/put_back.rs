//! A session over lines whose state is saved and put back on the way.

use std::sync::Arc;

use tripline::alert::Alert;
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};

/// Alerts of lines. `put_back` says before which lines the state is saved and put back, and by which rules it goes on:
/// the same ones, in any order.
pub fn run(
    rules: &Arc<Ruleset>,
    config: &SessionConfig,
    lines: &[String],
    mut put_back: impl FnMut(usize) -> Option<Arc<Ruleset>>,
) -> Vec<Alert> {
    let mut session = Session::new(Arc::clone(rules), config.clone());
    let mut alerts = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(rules) = put_back(at) {
            let (again, fresh) = Session::restore(rules, config.clone(), &session.save()).expect("just saved");
            assert!(fresh.is_empty());
            session = again;
        }
        session.push_line(line);
        alerts.extend(session.drain());
    }
    session.finish(AtEnd::Pending);
    alerts.extend(session.drain());
    alerts
}
