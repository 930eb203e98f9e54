//! Renderings of an [`Alert`] as text: JSON lines of several schemas, lines for log collectors, and a form for people.
//! Pure: text out, nothing printed.
//!
//! Invariant: every rendering but that for people is exactly one line; none but those of JSON, which escape what JSON
//! asks for, hold a character that a terminal would obey, whatever the events contained.

mod cef;
mod ecs;
mod json;
mod leef;
mod ocsf;
mod pretty;
pub mod rfc5424;
pub mod words;

use std::sync::Arc;

use super::Alert;

/// Which rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Ecs,
    /// One JSON object a line: an OCSF Detection Finding.
    Ocsf,
    /// One line in the Common Event Format.
    Cef,
    /// One line in the Log Event Extended Format.
    Leef,
    /// One line: a syslog message.
    Rfc5424,
    /// Some lines for people.
    Pretty {
        /// With ANSI colours.
        color: bool,
    },
}

/// Writes alerts as text.
#[derive(Clone, Debug)]
pub struct Formatter {
    format: Format,
    /// The names of the inputs, named in the output if there are several.
    inputs: Arc<[String]>,
}

impl Formatter {
    /// A formatter; `inputs` are the names that positions of events refer to, in their order.
    pub fn new(format: Format, inputs: impl Into<Arc<[String]>>) -> Self {
        Self { format, inputs: inputs.into() }
    }

    /// Appends one alert, line end included.
    pub fn write(&self, alert: &Alert, out: &mut String) {
        match self.format {
            Format::Json => json::write(alert, self, out),
            Format::Ecs => ecs::write(alert, self, out),
            Format::Ocsf => ocsf::write(alert, self, out),
            Format::Cef => cef::write(alert, out),
            Format::Leef => leef::write(alert, out),
            Format::Rfc5424 => {
                rfc5424::write(alert, &rfc5424::Speaker::default(), None, out);
                out.push('\n');
            }
            Format::Pretty { color } => pretty::write(alert, self, color, out),
        }
    }

    /// The input of a position, if it is worth naming.
    fn input(&self, seq: super::Seq) -> Option<&str> {
        if self.inputs.len() < 2 {
            return None;
        }
        self.inputs.get(usize::from(seq.input())).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
