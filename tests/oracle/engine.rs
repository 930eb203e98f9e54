//! The engine, driven through the library, with its alerts in the oracle's words.

use std::sync::Arc;

use tripline::base::{Duration, Limits, Timestamp, Value};
use tripline::compile::{CompileOptions, compile};
use tripline::plan::Ruleset;
use tripline::plan::strategy::StrategyKind;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax::source::SourceMap;

use super::event::{Event, Ms};
use super::select::{Alert, Notice, Outcome, Settings};

/// Where the time of a case begins: late enough that a number of milliseconds is one.
pub const BASE: Ms = 1_700_000_000_000;

/// A way of running the engine that must make no difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// As compiled.
    Chosen,
    /// The most general strategy for every rule.
    Runs,
    /// The state is saved, and restored into a new session, after every event.
    Restored,
    /// The same after every tenth event, and no key but the current one is held ready.
    RestoredSometimes,
    /// The same after every event, with the most general strategy.
    RunsRestored,
    /// Begun with the most general strategy, as an earlier release may have chosen it; from the middle on as compiled.
    Taken,
}

impl Way {
    fn forced(self) -> Option<StrategyKind> {
        matches!(self, Self::Runs | Self::RunsRestored | Self::Taken).then_some(StrategyKind::Runs)
    }

    /// Whether the state is saved before the event of this line.
    fn restores(self, line: usize) -> bool {
        match self {
            Self::Chosen | Self::Runs | Self::Taken => false,
            Self::Restored | Self::RunsRestored => true,
            Self::RestoredSometimes => line.is_multiple_of(10),
        }
    }
}

/// The compiled rule; an error is a text for people.
pub fn ruleset(text: &str, way: Way) -> Result<Arc<Ruleset>, String> {
    let mut sources = SourceMap::new();
    sources.add("case", text);
    let options = CompileOptions { force_strategy: way.forced(), ..CompileOptions::default() };
    let compiled = compile(&sources, &options, &|path, _| Err(format!("no table {path}")));
    compiled.ruleset.ok_or_else(|| {
        let all: Vec<String> = compiled.diagnostics.iter().map(|d| format!("{:?}: {}", d.code, d.message)).collect();
        format!("refused: {}", all.join("; "))
    })
}

/// What the engine says to events in order of arrival. `names` are the steps' names by id.
pub fn run(
    text: &str,
    names: &[Option<String>],
    arrivals: &[Event],
    settings: Settings,
    way: Way,
) -> Result<Outcome, String> {
    let mut rules = ruleset(text, way)?;
    // A cap that never bites: what keys take is added up all the same.
    let mut limits = Limits { memory: Some(1 << 40), ..Limits::default() };
    if way == Way::RestoredSometimes {
        limits.live_keys = 0;
    }
    let lateness = Duration::from_millis(settings.lateness);
    let config = || SessionConfig { lateness, limits: limits.clone(), ..SessionConfig::default() };
    let mut session = Session::new(Arc::clone(&rules), config());
    let mut alerts = vec![];
    for (at, event) in arrivals.iter().enumerate() {
        if way == Way::Taken && at == arrivals.len() / 2 {
            rules = ruleset(text, Way::Chosen)?;
            session = restored(&session, &rules, config())?;
        }
        if way.restores(event.seq) {
            session = restored(&session, &rules, config())?;
        }
        session.push_line(&event.json(BASE));
        alerts.extend(session.drain());
    }
    if way.restores(0) {
        session = restored(&session, &rules, config())?;
    }
    session.finish(if settings.flush { AtEnd::Flush } else { AtEnd::Pending });
    alerts.extend(session.drain());
    let summary = session.summary();
    let mut told: Vec<Alert> = vec![];
    for (at, one) in alerts.iter().enumerate() {
        let mut alert = alert(one, names);
        if let Some(Notice::Resolved(_)) = alert.notice {
            // A notice names its alert by id.
            let of = alerts[..at].iter().position(|a| a.id == one.id).ok_or("a notice without an alert")?;
            alert.bound = told[of].bound.clone();
        }
        told.push(alert);
    }
    Ok(Outcome {
        alerts: told,
        pending: summary.rules.iter().map(|r| r.pending as usize).sum(),
        late: vec![0; summary.late as usize],
    })
}

/// A new session that goes on where this one is.
fn restored(session: &Session, rules: &Arc<Ruleset>, config: SessionConfig) -> Result<Session, String> {
    let (session, notes) =
        Session::restore(Arc::clone(rules), config, &session.save()).map_err(|e| format!("restore: {e}"))?;
    if notes.is_empty() { Ok(session) } else { Err(format!("restore left something out: {notes:?}")) }
}

fn alert(alert: &tripline::alert::Alert, names: &[Option<String>]) -> Alert {
    let mut bound = vec![vec![]; names.len()];
    let mut at = 0;
    for step in &alert.bound {
        let lines = step.events.iter().map(|e| e.seq.line() as usize);
        let id = match &step.name {
            Some(name) => names.iter().position(|n| n.as_ref() == Some(name)).expect("a step of the rule"),
            None => (at..names.len()).find(|&i| names[i].is_none()).expect("a nameless step"),
        };
        at = id + 1;
        bound[id].extend(lines);
    }
    Alert {
        time: alert.time.as_millis() - BASE,
        key: alert.key.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
        bound,
        suppressed: alert.suppressed as usize,
        notice: alert.notice.map(|n| match n {
            tripline::alert::Notice::Resolved(by) => Notice::Resolved(by.seq.line() as usize),
            tripline::alert::Notice::Repeat(n) => Notice::Repeat(n as usize),
        }),
    }
}

fn json(value: &Value) -> String {
    value.to_json().to_string()
}

/// The end of time of a case, for hosts that advance by hand.
pub fn instant(ms: Ms) -> Timestamp {
    Timestamp::from_millis(BASE + ms)
}
