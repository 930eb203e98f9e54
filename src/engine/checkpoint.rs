//! Checkpoints: what an engine holds at a moment between two blocks, and going on from it with any number of threads.
//!
//! ```text
//! settle: nothing is read, everything read is through ─► head (clocks, counts, held events, alerts not yet final)
//!                                                     ─► keys that have changed, from every shard at once
//! ```
//! The states of keys name no shard. Whoever puts them back gives each key to the shard that its hash asks for. Relies
//! on `session` for the head and on `matcher` for the keys; knows no files.

use std::thread;

use super::ports::Place;
use crate::alert::collect::Collector;
use crate::decode::batch::{BatchStats, shard_of};
use crate::decode::decoder::Decoder;
use crate::matcher::saved::{Changes, RuleHead, read_chunk};
use crate::matcher::shard::Matcher;
use crate::plan::Ruleset;
use crate::session::StateError;
use crate::session::head::{Fate, Head, Parts};
use crate::time::sequencer::Sequencer;

/// What an engine holds at a moment between two blocks.
#[derive(Debug)]
pub struct Checkpoint {
    /// Everything but keys, as [`Head`] reads it.
    pub head: Vec<u8>,
    /// Keys that have changed since the last checkpoint; all of them at the first one of a run.
    pub keys: Changes,
    /// For each source, where it goes on after what is in here.
    pub places: Vec<Place>,
}

/// What an engine goes on from.
#[derive(Debug)]
pub struct Saved {
    /// Everything but keys.
    pub head: Head,
    /// The states of all keys, in chunks.
    pub keys: Vec<Vec<u8>>,
    /// For each source, where it goes on.
    pub places: Vec<Place>,
}

/// What one shard holds: what is saved of each rule beside its keys, and the keys that have changed.
type Share = (Vec<RuleHead>, Changes);

/// What all shards hold, each asked on a thread of its own.
fn shares(mut matchers: Vec<&mut Matcher>) -> Vec<Share> {
    let share = |matcher: &mut Matcher| (matcher.heads(), matcher.take_changes());
    if let [only] = &mut matchers[..] {
        return vec![share(only)];
    }
    thread::scope(|scope| {
        let asked: Vec<_> = matchers.into_iter().map(|matcher| scope.spawn(move || share(matcher))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Takes a checkpoint of parts that stand still.
pub(super) fn take(
    rules: &Ruleset,
    sequencer: &Sequencer,
    collector: &mut Collector,
    counts: (&BatchStats, &[u64]),
    matchers: Vec<&mut Matcher>,
    places: &[Place],
) -> Checkpoint {
    let mut shares = shares(matchers).into_iter();
    let (mut heads, mut keys) = shares.next().unwrap_or_default();
    for (more, changes) in shares {
        heads.iter_mut().zip(more).for_each(|(head, more)| head.add(more));
        keys.append(changes);
    }
    for matcher in collector.matchers_mut() {
        keys.append(matcher.take_changes());
    }
    let head = Head::take(rules, sequencer, collector, counts, heads).to_bytes();
    Checkpoint { head, keys, places: places.to_vec() }
}

/// Puts a saved state into parts that have seen nothing.
///
/// # Errors
/// A state of a key is not what this release reads.
pub(super) fn put_back(
    saved: Saved,
    rules: &Ruleset,
    parts: &mut Parts<'_>,
    mut matchers: Vec<&mut Matcher>,
    decoder: &mut Decoder,
) -> Result<Vec<Place>, StateError> {
    let Saved { head, keys, places } = saved;
    let fates = head.fates(rules);
    let shards = matchers.len();
    let mine = |shard: usize| move |hash: u64| shards == 1 || shard_of(hash, shards) == shard;
    for (shard, matcher) in matchers.iter_mut().enumerate() {
        matcher.resume(head.start(), head.watermark_or_min());
        for (fate, rule) in fates.iter().zip(&head.rules) {
            if let Fate::Kept(id) = fate
                && matcher.is_level(*id, 0)
            {
                matcher.restore_head(*id, &rule.head, shard == 0, mine(shard));
            }
        }
    }
    head.put_back(parts, &fates, decoder);
    for chunk in &keys {
        for change in read_chunk(chunk).map_err(|_| StateError::Unreadable)? {
            let (Some(Fate::Kept(id)), Some(state)) = (fates.get(change.rule as usize), change.state) else { continue };
            if let Some(matcher) = parts.collector.matcher_of(*id) {
                matcher.restore_key(*id, change.key, state, |_| true).map_err(|_| StateError::Unreadable)?;
            } else {
                for (shard, matcher) in matchers.iter_mut().enumerate() {
                    let restored = matcher.restore_key(*id, change.key, state, mine(shard));
                    restored.map_err(|_| StateError::Unreadable)?;
                }
            }
        }
    }
    Ok(places)
}
