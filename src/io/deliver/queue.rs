//! Where letters wait: what a queue can do, and the one in memory.

use std::collections::VecDeque;
use std::io;

use super::sink::Letter;

/// What happens to an alert when its queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The engine waits. No alert is lost, and all outputs wait with it.
    #[default]
    Block,
    /// The oldest alert in the queue makes room.
    DropOldest,
    /// The new alert is dropped.
    DropNew,
}

/// A bounded queue. What is taken stays in the queue's care until it is settled.
pub trait Queue: Send {
    /// Letters that wait, without those taken.
    fn waiting(&self) -> u64;

    /// Adds a letter at the end, or gives it back if there is no room.
    ///
    /// # Errors
    /// It could not be written, and is not in the queue.
    fn push(&mut self, letter: Letter) -> io::Result<Option<Letter>>;

    /// Drops the oldest that wait, to make room, and gives their number; `None` if no room can be made.
    ///
    /// # Errors
    /// They could not be dropped.
    fn drop_oldest(&mut self) -> io::Result<Option<u64>>;

    /// Takes up to so many from the front.
    ///
    /// # Errors
    /// They could not be read, and none is taken.
    fn take(&mut self, most: usize) -> io::Result<Vec<Letter>>;

    /// Everything taken so far has been seen through.
    ///
    /// # Errors
    /// It could not be recorded, so those letters come again after a restart.
    fn settle(&mut self) -> io::Result<()>;

    /// Makes durable what waits. Says whether it is: a queue in memory never is.
    ///
    /// # Errors
    /// It is not durable.
    fn sync(&mut self) -> io::Result<bool>;
}

/// A queue in memory: what it holds ends with the process.
#[derive(Debug)]
pub struct Memory {
    letters: VecDeque<Letter>,
    capacity: usize,
}

impl Memory {
    /// A queue for so many letters.
    pub fn new(capacity: usize) -> Self {
        Self { letters: VecDeque::new(), capacity: capacity.max(1) }
    }
}

impl Queue for Memory {
    fn waiting(&self) -> u64 {
        self.letters.len() as u64
    }

    fn push(&mut self, letter: Letter) -> io::Result<Option<Letter>> {
        if self.letters.len() >= self.capacity {
            return Ok(Some(letter));
        }
        self.letters.push_back(letter);
        Ok(None)
    }

    fn drop_oldest(&mut self) -> io::Result<Option<u64>> {
        Ok(self.letters.pop_front().map(|_| 1))
    }

    fn take(&mut self, most: usize) -> io::Result<Vec<Letter>> {
        let n = most.min(self.letters.len());
        let taken = self.letters.drain(..n).collect();
        if self.letters.is_empty() {
            // A storm is over: its room is given back.
            self.letters.shrink_to(1024);
        }
        Ok(taken)
    }

    fn settle(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}
