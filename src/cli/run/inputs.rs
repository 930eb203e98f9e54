//! Inputs of a run: one reading thread each, so that a slow pipe holds up neither the others nor Ctrl-C.
//!
//! A channel of a few blocks lies between a reader and the run: memory stays bounded however fast an input is.
#![expect(clippy::disallowed_methods, reason = "reading threads are started here")]

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, bounded};
use tripline::base::Timestamp;
use tripline::io::source::{
    Block, BlockOptions, BlockReader, FollowOptions, Position, STDIN, SourceError, follow, open,
};

/// Blocks that may wait between a reader and the run.
const AHEAD: usize = 4;

/// How often a waiting run looks whether it should stop.
const LOOK: Duration = Duration::from_millis(100);

/// What an input gave.
pub enum Given {
    /// Lines.
    Block(usize, Block),
    /// Its end.
    Ended(usize, Option<SourceError>),
    /// Nothing came for a while, or the run should stop.
    Nothing,
    /// All inputs have ended.
    AllEnded,
}

enum Message {
    Block(Block),
    End(Option<SourceError>),
}

struct Lane {
    from: Receiver<Message>,
    ended: bool,
}

/// All inputs of a run.
pub struct Inputs {
    lanes: Vec<Lane>,
    /// Whether blocks are taken from whichever input has some: inputs that are waited for must not hold up others.
    live: bool,
}

impl Inputs {
    /// Opens all inputs and starts reading.
    pub fn open(
        names: &[String],
        options: BlockOptions,
        following: bool,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, SourceError> {
        let mut lanes = Vec::with_capacity(names.len());
        for name in names {
            let (to, from) = bounded(AHEAD);
            if following && name != STDIN {
                let how = FollowOptions { stop: stop.clone(), ..FollowOptions::default() };
                let reader = follow(name, Position::START, options, how)?;
                thread::spawn(move || pump(reader, &to));
            } else {
                let reader = open(name, options)?;
                thread::spawn(move || pump(reader, &to));
            }
            lanes.push(Lane { from, ended: false });
        }
        Ok(Self { lanes, live: following })
    }

    /// The next block. Of inputs whose ends are already there, the one that is furthest behind in event time goes
    /// first, so that as few events as possible wait for others.
    pub fn next(&mut self, newest: impl Fn(usize) -> Timestamp, stop: &AtomicBool) -> Given {
        let open: Vec<usize> = (0..self.lanes.len()).filter(|n| !self.lanes[*n].ended).collect();
        let Some(&behind) = open.iter().min_by_key(|n| newest(**n)) else { return Given::AllEnded };
        if self.live {
            return self.any(&open);
        }
        loop {
            match self.lanes[behind].from.recv_timeout(LOOK) {
                Ok(message) => return self.given(behind, message),
                Err(RecvTimeoutError::Disconnected) => return self.given(behind, Message::End(None)),
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => return Given::Nothing,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// A block of any input, or nothing after a moment.
    fn any(&mut self, open: &[usize]) -> Given {
        let mut select = Select::new();
        for &n in open {
            select.recv(&self.lanes[n].from);
        }
        let Ok(ready) = select.select_timeout(LOOK) else { return Given::Nothing };
        let n = open[ready.index()];
        let message = ready.recv(&self.lanes[n].from).unwrap_or(Message::End(None));
        self.given(n, message)
    }

    fn given(&mut self, n: usize, message: Message) -> Given {
        match message {
            Message::Block(block) => Given::Block(n, block),
            Message::End(error) => {
                self.lanes[n].ended = true;
                Given::Ended(n, error)
            }
        }
    }
}

/// Reads an input to its end. Ends early if nobody takes the blocks any more.
fn pump<R: Read>(mut reader: BlockReader<R>, to: &Sender<Message>) {
    loop {
        let message = match reader.next_block() {
            Ok(Some(block)) => Message::Block(block),
            Ok(None) => Message::End(None),
            Err(error) => Message::End(Some(error)),
        };
        let last = matches!(message, Message::End(_));
        if to.send(message).is_err() || last {
            return;
        }
    }
}
