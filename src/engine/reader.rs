//! One thread a source: blocking reads on one side, a short queue of blocks on the other.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::ports::{Source, SourceBlock, SourceFailure};

/// Blocks that a reader may be ahead.
const AHEAD: usize = 4;

/// What a reader says.
#[derive(Debug)]
pub(super) enum Read {
    Block(SourceBlock),
    Failed(SourceFailure),
    Ended,
}

/// Starts a reader. It ends when the source does, or when nobody listens any more.
pub(super) fn start(mut source: Box<dyn Source>) -> Receiver<Read> {
    let (sender, receiver): (Sender<Read>, Receiver<Read>) = bounded(AHEAD);
    thread::spawn(move || {
        loop {
            let read = match source.next_block() {
                Ok(Some(block)) => Read::Block(block),
                Ok(None) => Read::Ended,
                Err(failure) => Read::Failed(failure),
            };
            let over = !matches!(read, Read::Block(_));
            if sender.send(read).is_err() || over {
                return;
            }
        }
    });
    receiver
}
