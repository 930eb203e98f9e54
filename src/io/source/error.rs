//! What can go wrong with an input, said so that the reader knows which input and what to do.

use std::io;

/// An input cannot be opened or read further.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {name}: {cause}; {help}")]
pub struct SourceError {
    /// The input, as it was named.
    pub name: String,
    /// `open` or `read`.
    pub action: &'static str,
    /// What happened.
    pub cause: String,
    /// What to do about it.
    pub help: String,
    /// The underlying error, if there is one.
    #[source]
    pub source: Option<io::Error>,
}

impl SourceError {
    pub(super) fn open(name: &str, error: io::Error) -> Self {
        let (cause, help) = match error.kind() {
            io::ErrorKind::NotFound => ("there is no such file", "check the path, or write `-` to read standard input"),
            io::ErrorKind::PermissionDenied => ("permission denied", "make the file readable for this user"),
            _ => return Self::other(name, "open", error, "check that the file can be read"),
        };
        Self::new(name, "open", cause, help, Some(error))
    }

    pub(super) fn read(name: &str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                let help = "what could be read has been processed; fetch the file again for the rest";
                Self::new(name, "read", "the compressed data is cut off", help, Some(error))
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                let help = "what could be read has been processed; fetch the file again for the rest";
                Self::new(name, "read", format!("the compressed data is damaged ({error})"), help, Some(error))
            }
            _ => Self::other(name, "read", error, "what could be read has been processed"),
        }
    }

    pub(super) fn new(
        name: &str,
        action: &'static str,
        cause: impl Into<String>,
        help: impl Into<String>,
        source: Option<io::Error>,
    ) -> Self {
        Self { name: name.to_owned(), action, cause: cause.into(), help: help.into(), source }
    }

    fn other(name: &str, action: &'static str, error: io::Error, help: &str) -> Self {
        Self::new(name, action, error.to_string(), help, Some(error))
    }
}
