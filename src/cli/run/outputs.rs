//! Outputs of a run: alerts to one or more places, rejected lines and late events to files of their own.

use std::path::Path;

use tripline::alert::Alert;
use tripline::alert::format::{Format, Formatter};
use tripline::config::{Output, OutputFormat, Target};
use tripline::io::sink::{LineSink, SinkError};
use tripline::session::Rejected;

use crate::cli::exit::Stop;

/// Characters of a rejected line that are kept.
const REJECT_TEXT: usize = 512;

/// Where alerts go.
pub struct Outputs {
    sinks: Vec<(LineSink, Formatter)>,
}

impl Outputs {
    /// Opens the outputs. `inputs` are the names that alerts give for the places of events.
    pub fn open(outputs: &[Output], color: bool, inputs: &[String]) -> Result<Self, Stop> {
        let mut sinks = Vec::with_capacity(outputs.len());
        for output in outputs {
            let (sink, color) = match &output.target {
                Target::Stdout => (LineSink::stdout(), color),
                Target::File(path) => (LineSink::append(Path::new(path))?, false),
            };
            let format = match output.format {
                OutputFormat::Json => Format::Json,
                OutputFormat::Ecs => Format::Ecs,
                OutputFormat::Pretty => Format::Pretty { color },
            };
            sinks.push((sink, Formatter::new(format, inputs.to_vec())));
        }
        Ok(Self { sinks })
    }

    /// Writes alerts everywhere.
    pub fn deliver(&mut self, alerts: &[Alert]) -> Result<(), SinkError> {
        self.sinks.iter_mut().try_for_each(|(sink, formatter)| sink.deliver(alerts, formatter))
    }

    /// What writes lines, to be marked and cut back.
    pub fn lines(&mut self) -> impl Iterator<Item = &mut LineSink> {
        self.sinks.iter_mut().map(|(sink, _)| sink)
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.sinks.iter_mut().try_for_each(|(sink, _)| sink.flush())
    }
}

/// A file for lines, if one is wanted.
pub struct Record {
    sink: Option<LineSink>,
}

impl Record {
    /// Opens the file.
    pub fn open(path: Option<&Path>) -> Result<Self, Stop> {
        Ok(Self { sink: path.map(LineSink::append).transpose()? })
    }

    /// Whether anything is kept.
    pub fn wanted(&self) -> bool {
        self.sink.is_some()
    }

    /// What writes lines, to be marked and cut back.
    pub fn lines(&mut self) -> impl Iterator<Item = &mut LineSink> {
        self.sink.iter_mut()
    }

    /// Writes a line as it came.
    pub fn line(&mut self, text: &str) -> Result<(), SinkError> {
        self.sink.as_mut().map_or(Ok(()), |sink| sink.line(text.trim_end_matches(['\r', '\n'])))
    }

    /// Writes a rejected line with its place and the reason.
    pub fn rejected(&mut self, input: &str, rejected: &Rejected) -> Result<(), SinkError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let at = &rejected.line_text;
        let cut = at.text.char_indices().nth(REJECT_TEXT).map_or(at.text.len(), |(at, _)| at);
        let record = serde_json::json!({
            "input": input,
            "line": rejected.line,
            "offset": rejected.offset,
            "column": at.column,
            "reason": at.reason.name(),
            "text": at.text[..cut],
        });
        sink.line(&record.to_string())
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.sink.as_mut().map_or(Ok(()), LineSink::flush)
    }
}
