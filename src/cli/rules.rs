//! Rule files on their way to a rule set: read, compiled, their problems shown.
#![expect(clippy::disallowed_methods, reason = "rule files and tables are read here")]

use std::fs;
use std::path::{Path, PathBuf};

use tripline::diag::Diagnostic;
use tripline::syntax::source::SourceMap;

use super::exit::Stop;
use super::terminal::{Terminal, note};

/// Bytes of one rule file; more is surely another kind of file.
const MAX_FILE: u64 = 16 << 20;

/// Texts of rule files with the paths they came from.
#[derive(Debug, Default)]
pub struct RuleTexts {
    /// The texts.
    pub sources: SourceMap,
    /// The path of each source, in their order; none for a rule given on the command line.
    pub paths: Vec<Option<PathBuf>>,
}

impl RuleTexts {
    /// Reads rule files; a path that cannot be read ends the command.
    pub fn read(files: &[PathBuf]) -> Result<Self, Stop> {
        let mut texts = Self::default();
        for path in files {
            let text = read_text(path)?;
            texts.sources.add(path.display().to_string(), text);
            texts.paths.push(Some(path.clone()));
        }
        Ok(texts)
    }

    /// Adds a rule given on the command line.
    pub fn add_inline(&mut self, text: &str) {
        self.sources.add("<rule>", text);
        self.paths.push(None);
    }
}

/// The text of a rule file.
pub fn read_text(path: &Path) -> Result<String, Stop> {
    let name = path.display();
    let cannot = |error: std::io::Error| Stop::usage(format!("{name}: cannot be read: {error}"));
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > MAX_FILE {
        return Err(Stop::usage(format!("{name}: is larger than {} MiB, which no rule file is", MAX_FILE >> 20)));
    }
    let bytes = fs::read(path).map_err(cannot)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Stop::usage(format!("{name}:{line}: is not UTF-8 text; save the file as UTF-8"))
    })
}

/// Shows diagnostics on stderr.
pub fn show(diagnostics: &[Diagnostic], sources: &SourceMap, terminal: Terminal) {
    for diagnostic in diagnostics {
        let span = diagnostic.labels.first().map(|label| label.span).unwrap_or_default();
        let (line, column) = sources.line_column(span.source, span.start);
        note(&format!("{}:{line}:{column}: {}\n", sources.get(span.source).name, diagnostic.message));
    }
    let _ = terminal;
}
