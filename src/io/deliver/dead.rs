//! Dead letters: alerts that a sink would not take, kept in a file with the reason.

use std::sync::{Arc, Mutex, PoisonError};

use super::sink::Letter;
use crate::alert::format::Format;
use crate::io::sink::{LineSink, SinkError};

/// A file of dead letters that several outputs share, or none.
#[derive(Clone, Default)]
pub struct DeadLetters {
    file: Option<Arc<Mutex<LineSink>>>,
}

impl DeadLetters {
    /// Dead letters go to this file.
    pub fn into(file: LineSink) -> Self {
        Self { file: Some(Arc::new(Mutex::new(file))) }
    }

    /// Whether there is a file.
    pub fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Writes a letter with the output that would not take it, the reason, and how often it was tried; says whether
    /// there is a file for it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn bury(&self, output: &str, letter: &Letter, reason: &str, tries: u32) -> Result<bool, SinkError> {
        let Some(file) = &self.file else { return Ok(false) };
        let head = serde_json::json!({ "output": output, "reason": reason, "tries": tries }).to_string();
        let head = head.trim_end_matches('}');
        let record = format!("{head},\"alert\":{}}}", letter.text(Format::Json));
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.line(&record)?;
        file.flush()?;
        Ok(true)
    }
}
