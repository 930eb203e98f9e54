//! A worker: decodes blocks that any worker may take, and owns one shard of the keys.

use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, never, select_biased};

use super::checkpoint::{self, Share};
use crate::alert::build::{Builder, Draft};
use crate::base::Timestamp;
use crate::decode::batch::{Batch, BlockOrigin, Decoder};
use crate::matcher::shard::{Matcher, RuleCounters};
use crate::plan::Ruleset;
use crate::session::match_released;
use crate::time::sequencer::Released;

/// A block to decode; its number puts the batch back in order.
#[derive(Debug)]
pub(super) struct DecodeTask {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) origin: BlockOrigin,
}

/// What every shard does next.
#[derive(Debug)]
pub(super) enum ShardTask {
    /// Match these events, then decide deadlines before the watermark. Time began at the second time, if it has.
    Match(Arc<Released>, Timestamp, Option<Timestamp>),
    /// Go on with tables that were read anew.
    Tables(Arc<Ruleset>),
    /// Give what has changed since the last checkpoint.
    Save,
    /// Say what is open, then decide everything; clocks go on only if what is undecided counts.
    Finish(bool),
}

/// What a shard did.
#[derive(Debug)]
pub(super) enum ShardDone {
    Matched(Vec<Draft>),
    /// The new tables are in use.
    Swapped,
    Saved(Share),
    Finished(Box<ShardEnd>),
}

/// The end of a shard.
#[derive(Debug)]
pub(super) struct ShardEnd {
    /// What time going on would still bring.
    pub(super) drafts: Vec<Draft>,
    pub(super) counters: Vec<RuleCounters>,
    pub(super) open: Vec<(usize, usize)>,
}

/// The ends of a worker's channels.
#[derive(Debug)]
pub(super) struct Wiring {
    pub(super) decode: Receiver<DecodeTask>,
    pub(super) decoded: Sender<(u64, Batch)>,
    pub(super) shard: Receiver<ShardTask>,
    pub(super) done: Sender<ShardDone>,
}

/// What a worker owns.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) decoder: Decoder,
    pub(super) matcher: Matcher,
    pub(super) builder: Arc<Builder>,
    /// Its shard, and how many there are.
    pub(super) shard: (usize, usize),
    pub(super) full_evidence: bool,
}

impl Worker {
    /// Works until the driver hangs up.
    pub(super) fn start(mut self, wiring: Wiring) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            let mut decode = wiring.decode;
            loop {
                // Matching first: it frees memory, decoding takes it.
                select_biased! {
                    recv(wiring.shard) -> task => {
                        let Ok(task) = task else { return };
                        if wiring.done.send(self.shard_task(task)).is_err() {
                            return;
                        }
                    }
                    recv(decode) -> task => match task {
                        Ok(DecodeTask { number, bytes, origin }) => {
                            if wiring.decoded.send((number, self.decoder.decode(bytes, origin))).is_err() {
                                return;
                            }
                        }
                        Err(_) => decode = never(),
                    }
                }
            }
        })
    }

    fn shard_task(&mut self, task: ShardTask) -> ShardDone {
        let mut found = Vec::new();
        match task {
            ShardTask::Match(released, watermark, start) => {
                if let Some(start) = start {
                    self.matcher.begin(start, &mut found);
                }
                match_released(&mut self.matcher, &released, Some(self.shard), self.full_evidence, &mut found);
                self.matcher.advance(watermark, &mut found);
                ShardDone::Matched(found.into_iter().map(|f| self.builder.build(f)).collect())
            }
            ShardTask::Tables(rules) => {
                self.decoder.set_tables(&rules);
                self.matcher.set_tables(&rules);
                Arc::make_mut(&mut self.builder).set_tables(&rules);
                ShardDone::Swapped
            }
            ShardTask::Save => ShardDone::Saved(checkpoint::share(&mut self.matcher)),
            ShardTask::Finish(flush) => {
                let open = self.matcher.open();
                let counters = self.matcher.counters().to_vec();
                self.matcher.end(flush);
                self.matcher.advance(Timestamp::MAX, &mut found);
                let drafts = found.into_iter().map(|f| self.builder.build(f)).collect();
                ShardDone::Finished(Box::new(ShardEnd { drafts, counters, open }))
            }
        }
    }
}
