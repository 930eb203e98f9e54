//! `outputs`: where alerts go, and in which form.

use serde::Deserialize;

use super::choice::OutputFormat;

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How alerts are written.
    pub format: OutputFormat,
    /// Where to.
    pub target: Target,
}

/// Where alerts are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(String),
}

/// An output as it stands in the file: without `file` it is stdout.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default)]
    pub(super) format: Option<String>,
    #[serde(default)]
    pub(super) file: Option<String>,
}
