//! Which of the candidates of one completion are reported, and in what order (language.md §3.4, §3.5).

use std::cmp::Ordering;

use hashbrown::HashSet;

use super::{Candidate, Id, RuleEnv};
use crate::plan::ruleset::{AfterMatch, Pick};

/// Whether `a` is newer than `b`: newest events first, the first difference decides; a proper prefix is newer.
fn newest_first(a: &Candidate, b: &Candidate) -> Ordering {
    let (x, y) = (a.sorted.iter().rev(), b.sorted.iter().rev());
    for (p, q) in x.zip(y) {
        match p.cmp(q) {
            Ordering::Equal => {}
            other => return other,
        }
    }
    b.sorted.len().cmp(&a.sorted.len()).then_with(|| split(a, b))
}

/// Whether `a` is older than `b`: oldest events first; a proper prefix is newer.
fn oldest_first(a: &Candidate, b: &Candidate) -> Ordering {
    for (p, q) in a.sorted.iter().zip(&b.sorted) {
        match q.cmp(p) {
            Ordering::Equal => {}
            other => return other,
        }
    }
    a.sorted.len().cmp(&b.sorted.len()).then_with(|| split(a, b))
}

/// On equal events: the split that gives the earlier step more, then the one that gives it the older events.
fn split(a: &Candidate, b: &Candidate) -> Ordering {
    for (x, y) in a.steps.iter().zip(&b.steps) {
        match x.len().cmp(&y.len()) {
            Ordering::Equal => {}
            other => return other,
        }
    }
    let events = |c: &Candidate| c.steps.iter().flatten().copied().collect::<Vec<Id>>();
    events(b).cmp(&events(a))
}

/// Leaves the candidates to report, oldest binding first. `Greater` in the orders above is better. Says whether there are
/// more than may be reported.
pub(super) fn pick(env: &RuleEnv<'_>, candidates: &mut Vec<Candidate>) -> bool {
    if candidates.len() > 1 {
        let best = |all: &[Candidate], order: fn(&Candidate, &Candidate) -> Ordering| -> Vec<Candidate> {
            let mut keys: Vec<&[u8]> = all.iter().map(|c| &*c.key).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.iter()
                .filter_map(|key| all.iter().filter(|c| &*c.key == *key).max_by(|a, b| order(a, b)).cloned())
                .collect()
        };
        match env.rule.pick {
            // `pick pending` has a strategy of its own.
            Pick::Latest | Pick::Pending => *candidates = best(candidates, newest_first),
            Pick::First => *candidates = best(candidates, oldest_first),
            Pick::Each => by_first(candidates),
            Pick::All => {
                if env.rule.after == AfterMatch::SkipToNext {
                    by_first(candidates);
                }
            }
        }
        candidates.sort_by(|a, b| oldest_first(b, a));
        candidates.dedup();
    }
    let most = env.limits.matches_per_completion;
    let too_many = candidates.len() > most;
    candidates.truncate(most);
    too_many
}

/// For every first event the oldest candidate.
fn by_first(candidates: &mut Vec<Candidate>) {
    candidates.sort_by(|a, b| oldest_first(b, a));
    let mut seen = HashSet::new();
    candidates.retain(|c| c.sorted.first().is_none_or(|first| seen.insert((*first, c.key.clone()))));
}
