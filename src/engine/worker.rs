//! A thread at work: it takes tasks from the board, does them, and brings back what came out.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::board::{Board, Decode, Done, Read, Task};
use super::driver::now;
use super::ports::Refused;
use super::reader;
use super::step::{Arrived, OpenStep, Step};
use crate::decode::batch::{BlockOrigin, RejectedLine};
use crate::decode::decoder::Decoder;
use crate::session::Rejected;

/// What a thread owns: a decoder, which has scratch memory.
pub(super) struct Worker {
    pub(super) board: Arc<Board>,
    pub(super) decoder: Decoder,
    /// Of the tables that the decoder uses.
    pub(super) edition: u64,
}

impl Worker {
    /// Starts a thread that works until all is over.
    pub(super) fn start(mut self, me: usize) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            let _closer = Closer(Arc::clone(&self.board));
            let mut done = None;
            while let Some((task, edition)) = self.board.turn(me, done.take(), Duration::MAX) {
                self.keep_up(edition);
                done = self.perform(task).ok();
            }
        })
    }

    /// Takes over tables that were read anew.
    pub(super) fn keep_up(&mut self, edition: u64) {
        if self.edition != edition {
            let rules = Arc::clone(&self.board.lock().rules);
            self.decoder.set_tables(&rules);
            self.edition = edition;
        }
    }

    /// Does a task.
    ///
    /// # Errors
    /// It is the driver's: to collect a step.
    pub(super) fn perform(&mut self, task: Task) -> Result<Done, OpenStep> {
        match task {
            Task::Read { input, mut source, memory } => {
                let read = reader::read(&mut *source, memory);
                let decode = self.board.have_read(input, source, read, now());
                Ok(self.decode(decode))
            }
            Task::Decode(decode) => Ok(self.decode(decode)),
            Task::Sequence { mut sequencer, arrived } => {
                let step = Step::next(&mut sequencer, arrived);
                Ok(Done::Sequenced { sequencer, step })
            }
            Task::Match { at, mut shard, number, step } => {
                let drafts = shard.take(&step);
                Ok(Done::Matched { at, shard, number, drafts })
            }
            Task::Collect(open) => Err(open),
        }
    }

    fn decode(&mut self, Decode { number, input, read, arrival, memory: mut batch }: Decode) -> Done {
        let block = match read {
            Read::Block(block) => block,
            Read::Failed(failure) => {
                return Done::Arrived { number, arrived: Arrived::End { input, failure: Some(failure) } };
            }
            Read::Ended => return Done::Arrived { number, arrived: Arrived::End { input, failure: None } },
        };
        let refused = block.refused.into_iter().map(|Refused { line, offset, reason, text }| {
            let line_text = RejectedLine { line: 0, start: 0, column: 0, reason, text };
            Rejected { input: input as u16, line, offset, line_text }
        });
        let refused = refused.collect();
        let arrival = block.arrival.unwrap_or(arrival);
        let origin = BlockOrigin { input: input as u16, first_line: block.first_line, offset: block.offset, arrival };
        let memory = Arc::get_mut(&mut batch).expect("memory is lent to one thread at a time");
        self.decoder.decode_into(memory, block.bytes, origin);
        Done::Arrived { number, arrived: Arrived::Batch { batch, refused, after: block.after } }
    }
}

/// Sends everybody home when its thread ends, in whatever way: nobody waits for a thread that has panicked.
pub(super) struct Closer(pub(super) Arc<Board>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}
