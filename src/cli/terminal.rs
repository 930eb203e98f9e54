//! Writing for people: colours or not, and output that survives a closed pipe.
#![expect(clippy::disallowed_methods, reason = "NO_COLOR is an environment variable by convention")]

use std::io::{self, IsTerminal, Write};

use super::args::When;
use super::exit::{Exit, Stop};

/// Which of the two streams show colours.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Colours on stdout.
    pub color_out: bool,
    /// Colours on stderr.
    pub color_err: bool,
}

impl Terminal {
    /// Decides by the flag, the environment and what the streams are.
    pub fn new(when: When) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|v| v != "dumb");
        let decide = |terminal: bool| match when {
            When::Always => true,
            When::Never => false,
            When::Auto => wanted && terminal,
        };
        Self { color_out: decide(io::stdout().is_terminal()), color_err: decide(io::stderr().is_terminal()) }
    }
}

/// Writes text to stdout. A reader that went away ends the command quietly.
pub fn print(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Stop { exit: Exit::Done, message: None }),
        Err(error) => Err(Stop::failed(format!("stdout cannot be written: {error}"))),
    }
}

/// Writes text to stderr. If nobody can read it there is nobody to tell.
pub fn note(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Text in a colour or style, given as the numbers of an SGR sequence.
pub fn paint(color: bool, style: &str, text: &str) -> String {
    if color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// SGR numbers.
pub mod style {
    /// Bold.
    pub const BOLD: &str = "1";
    /// Dim.
    pub const DIM: &str = "2";
    /// Red.
    pub const RED: &str = "31";
    /// Green.
    pub const GREEN: &str = "32";
    /// Yellow.
    pub const YELLOW: &str = "33";
}
