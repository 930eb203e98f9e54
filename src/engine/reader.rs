//! A thread of its own for each source that may keep its reader waiting, such as a pipe. Other sources are read by
//! whichever thread has time, so that reading is one more part of the work that is shared.

use std::sync::Arc;
use std::thread;

use super::board::{Board, Read};
use super::driver::now;
use super::ports::Source;

/// Reads the next block of a source into the memory of an old one.
pub(super) fn read(source: &mut dyn Source, memory: Vec<u8>) -> Read {
    match source.next_block_in(memory) {
        Ok(Some(block)) => Read::Block(block),
        Ok(None) => Read::Ended,
        Err(failure) => Read::Failed(failure),
    }
}

/// Starts a reader. It ends when the source does, or at its next block when nobody wants more.
pub(super) fn start(board: Arc<Board>, input: usize, mut source: Box<dyn Source>) {
    thread::spawn(move || {
        loop {
            let read = read(&mut *source, board.memory());
            let over = !matches!(read, Read::Block(_));
            if !board.offer(input, read, now()) || over {
                return;
            }
        }
    });
}
