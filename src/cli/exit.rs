//! How a command ends: the exit codes, and errors that know theirs.

use std::fmt::Display;
use std::process::ExitCode;

use tripline::io::sink::SinkError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Done = 0,
    /// A test failed, a file is not formatted, or there were alerts and `--fail-on-alert`.
    Found = 1,
    /// The command line, the configuration or a rule has an error.
    Usage = 2,
    /// An input, an output or the system failed.
    Failed = 4,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command cannot go on.
#[derive(Debug)]
pub struct Stop {
    /// The exit code.
    pub exit: Exit,
    /// What there is to say; nothing if it has been said.
    pub message: Option<String>,
}

impl Stop {
    /// The user asked for something that cannot be.
    pub fn usage(message: impl Display) -> Self {
        Self { exit: Exit::Usage, message: Some(message.to_string()) }
    }

    /// Something outside failed.
    pub fn failed(message: impl Display) -> Self {
        Self { exit: Exit::Failed, message: Some(message.to_string()) }
    }

    /// Diagnostics have been shown.
    pub fn shown() -> Self {
        Self { exit: Exit::Usage, message: None }
    }
}

impl From<SinkError> for Stop {
    /// A reader that closed the pipe has all it wants: a quiet end, and no error.
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Closed { .. } => Self { exit: Exit::Done, message: None },
            error => Self::failed(error),
        }
    }
}
