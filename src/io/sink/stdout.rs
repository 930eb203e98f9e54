//! Standard output behind a queue, for a reader that may not keep up and must not hold the run.

use super::{LineSink, SinkError};
use crate::alert::format::Format;
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// Standard output.
pub struct StdoutSink {
    lines: LineSink,
    format: Format,
}

impl StdoutSink {
    /// Standard output, in a format.
    pub fn new(format: Format) -> Self {
        Self { lines: LineSink::stdout(), format }
    }
}

impl Sink for StdoutSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        let written = letters.iter().try_for_each(|letter| self.lines.line(&letter.text(self.format)));
        match written.and_then(|()| self.lines.flush()) {
            Ok(()) => Ok(Receipt::ALL),
            Err(error @ SinkError::Closed { .. }) => Err(Failure::refused(error)),
            Err(error) => Err(Failure::down(error)),
        }
    }
}
