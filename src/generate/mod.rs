//! Streams that make a rule fire: scenarios from its pattern, near misses beside them, noise between.
//!
//! ```text
//! rule ─► scenario (choose, solve) ─► does the engine fire? ── no ─► choose otherwise
//!                                          │ yes
//!                                          ├─► near misses: changed in one thing, the engine stays silent
//!                                          ▼
//!                     arranged with noise ─► lines, and the alerts that the engine gives for them
//! ```
//! Relies on [`crate::session`] as the judge: whatever is promised here was seen. The same options give the same
//! stream. Touches no clock; times begin in 2026.

pub mod draft;
mod near;
mod scenario;
mod scope;
mod solve;
mod text;
mod value;
mod walk;

use std::sync::Arc;

use fastrand::Rng;
use thiserror::Error;

use crate::alert::Alert;
use crate::base::{Duration, Timestamp};
use crate::decode::TimeConfig;
use crate::plan::Ruleset;
use crate::session::{AtEnd, Session, SessionConfig};
use crate::syntax::ast::{ClauseKind, File, RuleDecl};
use draft::Draft;
pub use near::NearMiss;
use scenario::{Builder, Knobs};
use scope::{Scope, key_of};

/// Attempts at one scenario before giving up.
const ATTEMPTS: u32 = 3000;
/// Events over all attempts at one scenario that let no rule of the packs down.
pub const EFFORT: usize = 300_000;
/// How often the engine is asked while a scenario is made smaller.
const QUESTIONS: usize = 400;
/// Monday, 5 January 2026, in UTC.
const START: Timestamp = Timestamp(1_767_571_200_000_000_000);
/// After this time of day every scenario has its turn again.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The same seed gives the same stream.
    pub seed: u64,
    /// Scenarios that fire.
    pub count: usize,
    /// Plant near misses too: one of each kind for every firing scenario, where the rule has such.
    pub near_misses: bool,
    /// The field that holds the class of an event.
    pub type_field: Vec<String>,
    /// Where the time goes: the first of its fields.
    pub time: TimeConfig,
    /// Events over all attempts at one scenario before giving up; [`EFFORT`] is plenty.
    pub effort: usize,
}

/// A stream with what it gives.
#[derive(Clone, Debug)]
pub struct Generated {
    /// One event a line, in order of time.
    pub lines: Vec<String>,
    /// The alerts of the rule over these lines.
    pub alerts: Vec<Alert>,
    /// Scenarios that fire.
    pub firing: usize,
    /// Near misses by kind, in the order in which they were made.
    pub near_misses: Vec<NearMiss>,
    /// Events of neither.
    pub noise: usize,
}

/// Why there is no stream.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Failure {
    /// The rule set has no such rule, or it is switched off.
    #[error("rule `{0}` takes no events")]
    NoRule(String),
    /// Its alerts are not sent.
    #[error("rule `{0}` never notifies, so nothing shows whether it fires")]
    Silent(String),
    /// No attempt fired.
    #[error("no events were found that fire rule `{rule}`, in {attempts} attempts; its tests may show how it fires")]
    NotFound {
        /// The rule.
        rule: String,
        /// How many were tried.
        attempts: u32,
    },
}

/// Makes a stream for a rule. `ruleset` holds the rule, those whose alerts it reads, and no others; `files` are the
/// trees it was compiled from.
///
/// # Errors
/// [`Failure`]: for a rule that is not there or silent, and when no attempt fires.
pub fn generate(files: &[File], ruleset: &Arc<Ruleset>, rule: &str, options: &Options) -> Result<Generated, Failure> {
    let scope = Scope::new(files, &options.type_field, ruleset);
    let Some(plan) = ruleset.rule(rule).filter(|plan| plan.enabled) else { return Err(Failure::NoRule(rule.into())) };
    let Some(decl) = scope.rules.get(rule).copied() else { return Err(Failure::NoRule(rule.into())) };
    if plan.shadow {
        return Err(Failure::Silent(rule.into()));
    }
    let mut maker = Maker { scope: &scope, ruleset, decl, options, salt: 0, lucky: 0 };
    let mut scenarios = Vec::new();
    for n in 0..options.count {
        scenarios.push(maker.firing(n as u64)?);
    }
    let mut missed = Vec::new();
    if options.near_misses {
        for n in 0..options.count {
            for kind in NearMiss::ALL {
                missed.extend(maker.near_miss(kind, (n * 10 + kind as usize) as u64).map(|drafts| (kind, drafts)));
            }
        }
    }
    Ok(maker.arrange(&scenarios, &missed))
}

/// Events of no concern between the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noise {
    /// Of another class, and single events of scenarios under keys of their own.
    OtherKeys,
    /// Of another class.
    OtherClass,
    /// None: the rule minds every event.
    None,
}

impl Noise {
    const ALL: [Self; 3] = [Self::OtherKeys, Self::OtherClass, Self::None];
}

/// Makes scenarios of one rule and asks the engine about them.
struct Maker<'m> {
    scope: &'m Scope<'m>,
    ruleset: &'m Arc<Ruleset>,
    decl: &'m RuleDecl,
    options: &'m Options,
    /// Makes keys of scenarios different.
    salt: u64,
    /// The attempt that fired last: the next scenario begins there.
    lucky: u32,
}

impl Maker<'_> {
    /// A scenario that fires.
    fn firing(&mut self, n: u64) -> Result<Vec<Draft>, Failure> {
        let mut effort = 0;
        for attempt in (self.lucky..self.lucky + ATTEMPTS).chain(0..self.lucky) {
            let drafts = self.scenario(n, attempt);
            effort += drafts.len() + 10;
            if effort > self.options.effort {
                break;
            }
            if self.fires(&drafts) {
                self.lucky = attempt;
                return Ok(self.least(drafts));
            }
        }
        Err(Failure::NotFound { rule: self.decl.name.name.clone(), attempts: ATTEMPTS })
    }

    fn scenario(&mut self, n: u64, attempt: u32) -> Vec<Draft> {
        self.salt += 1;
        let mut rng = Rng::with_seed(self.options.seed ^ (n << 32) ^ u64::from(attempt) << 8);
        let mut knobs = Knobs::choose(attempt, self.scope, &mut rng);
        if self.decl.clauses.iter().any(|clause| matches!(clause.kind, ClauseKind::Repeat(_))) {
            // What begins days before the end of the stream would be said again for days.
            knobs.at_once();
        }
        let mut builder = Builder::new(self.scope, knobs, START, self.salt, &mut rng);
        builder.rule(self.decl);
        builder.drafts
    }

    fn fires(&self, drafts: &[Draft]) -> bool {
        !self.alerts(&lines(drafts, self.options), AtEnd::Flush).is_empty()
    }

    /// Leaves out what is not needed to fire: halves, quarters, …, single events. What is left is one event short of
    /// nothing, which makes its near misses near.
    fn least(&self, mut drafts: Vec<Draft>) -> Vec<Draft> {
        let mut asked = 0;
        let mut chunk = drafts.len() / 2;
        while chunk > 0 && asked < QUESTIONS {
            let mut at = 0;
            while at < drafts.len() && asked < QUESTIONS {
                let mut less = drafts.clone();
                less.drain(at..(at + chunk).min(drafts.len()));
                asked += 1;
                if !less.is_empty() && self.fires(&less) {
                    drafts = less;
                } else {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
        drafts
    }

    fn near_miss(&mut self, kind: NearMiss, n: u64) -> Option<Vec<Draft>> {
        let scenario = self.firing(n + 1_000_000).ok()?;
        let mut rng = Rng::with_seed(self.options.seed ^ n ^ 0x6e65_6172);
        let mut fires = |drafts: &[Draft]| self.fires(drafts);
        near::miss(kind, self.scope, self.decl, &scenario, &mut rng, &mut fires)
    }

    /// The rule's alerts over lines.
    fn alerts(&self, lines: &[String], at_end: AtEnd) -> Vec<Alert> {
        let time = self.options.time.clone();
        let config = SessionConfig { time, show_internal: true, ..SessionConfig::default() };
        let mut session = Session::new(Arc::clone(self.ruleset), config);
        let mut block = lines.join("\n").into_bytes();
        block.push(b'\n');
        session.push_block(&block);
        session.finish(at_end);
        let mut alerts = session.drain();
        alerts.retain(|alert| *alert.rule_name == *self.decl.name.name);
        alerts
    }

    /// Puts everything on one time line. Scenarios with keys of their own may overlap; if the engine then says
    /// otherwise than for each alone, they follow one another, and noise gives way.
    fn arrange(&self, scenarios: &[Vec<Draft>], missed: &[(NearMiss, Vec<Draft>)]) -> Generated {
        // How often an alert is repeated, and whether it is resolved, may depend on what follows.
        let new = |alerts: &[Alert]| alerts.iter().filter(|alert| alert.notice.is_none()).count();
        let alone: usize = scenarios.iter().map(|s| new(&self.alerts(&lines(s, self.options), AtEnd::Flush))).sum();
        let keyed = !key_of(self.decl).is_empty();
        let mut last = None;
        let ways = [false, true].into_iter().flat_map(|apart| Noise::ALL.map(|noise| (apart, noise)));
        for (apart, noisy) in ways.filter(|(apart, _)| *apart || keyed) {
            for near in [missed, &missed[..0]] {
                let generated = self.on_one_line(scenarios, near, apart, noisy);
                if new(&generated.alerts) == alone {
                    return generated;
                }
                last = Some(generated);
            }
        }
        // What the engine says of the whole is true even where scenarios disturb each other.
        last.unwrap_or_else(|| self.on_one_line(scenarios, &[], true, Noise::None))
    }

    fn on_one_line(
        &self,
        scenarios: &[Vec<Draft>],
        missed: &[(NearMiss, Vec<Draft>)],
        apart: bool,
        noisy: Noise,
    ) -> Generated {
        let mut rng = Rng::with_seed(self.options.seed);
        let mut groups: Vec<&[Draft]> =
            scenarios.iter().map(Vec::as_slice).chain(missed.iter().map(|(_, drafts)| drafts.as_slice())).collect();
        rng.shuffle(&mut groups);
        let rest = Duration(self.scope.durations().last().copied().unwrap_or(0)) + self.suppression();
        let mut drafts: Vec<Draft> = Vec::new();
        for (n, group) in groups.iter().enumerate() {
            let mut shift = Duration::from_millis(n as i64 * 1_370);
            if let (true, Some(end), Some(first)) = (apart, drafts.iter().map(|d| d.ts).max(), group.first()) {
                // Whole weeks keep the hour and the day of the week, which conditions may read.
                let least = ((end - first.ts) + rest).0.max(0);
                shift = Duration((least / WEEK.0 + 1) * WEEK.0);
            }
            drafts.extend(group.iter().map(|draft| Draft { ts: draft.ts + shift, ..draft.clone() }));
        }
        let noise = self.noise(noisy, &drafts, &mut rng);
        let made = noise.len();
        drafts.extend(noise);
        drafts.sort_by_key(|draft| draft.ts);
        if let Some(newest) = drafts.last().map(|draft| draft.ts) {
            // The end of the stream lies after every deadline, so that nothing stays pending.
            let mut end = Draft::new(newest + rest + rest + Duration::from_secs(1));
            end.set(&self.options.type_field, &crate::base::Value::Str("end_of_stream".into()));
            drafts.push(end);
        }
        let lines = lines(&drafts, self.options);
        let alerts = self.alerts(&lines, AtEnd::Pending);
        let near_misses = missed.iter().map(|(kind, _)| *kind).collect();
        Generated { lines, alerts, firing: scenarios.len(), near_misses, noise: made }
    }

    fn suppression(&self) -> Duration {
        let periods = self.decl.clauses.iter().filter_map(|clause| match &clause.kind {
            ClauseKind::Suppress { period, .. } => scenario::fixed(period),
            _ => None,
        });
        periods.max().unwrap_or_default()
    }

    fn noise(&self, noise: Noise, drafts: &[Draft], rng: &mut Rng) -> Vec<Draft> {
        let keyed = noise == Noise::OtherKeys && !key_of(self.decl).is_empty();
        if noise == Noise::None {
            return Vec::new();
        }
        let (Some(first), Some(last)) = (drafts.iter().map(|d| d.ts).min(), drafts.iter().map(|d| d.ts).max()) else {
            return Vec::new();
        };
        let span = (last - first).0.max(1_000_000);
        let mut noise = Vec::new();
        for n in 0..drafts.len().min(500) as u64 {
            let ts = Timestamp((first.0 + rng.i64(0..span)) / 1_000_000 * 1_000_000);
            let mut draft = if n % 2 == 0 || !keyed {
                let mut other = Draft::new(ts);
                other.set(&self.options.type_field, &crate::base::Value::Str("noise".into()));
                other
            } else {
                Draft { ts, step: None, ..drafts[rng.usize(0..drafts.len())].clone() }
            };
            for item in key_of(self.decl) {
                if let Some(path) = self.scope.key_field(item) {
                    draft.set(&path, &self.scope.plausible(&path, 500_000 + n, rng));
                }
            }
            noise.push(draft);
        }
        noise
    }
}

fn lines(drafts: &[Draft], options: &Options) -> Vec<String> {
    let field = options.time.fields.first().cloned().unwrap_or_else(|| vec!["ts".to_owned()]);
    drafts.iter().map(|draft| draft.line(&field)).collect()
}
