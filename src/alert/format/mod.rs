//! Renderings of an [`Alert`] as text: JSON lines, ECS lines, and a form for people. Pure: text out, nothing printed.
//!
//! Invariant: a JSON rendering is exactly one line; the form for people holds no byte that a terminal would obey,
//! whatever the events contained.

mod ecs;
mod json;
mod pretty;

use super::Alert;

/// Which rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Ecs,
    /// Some lines for people.
    Pretty {
        /// With ANSI colours.
        color: bool,
    },
}

/// Writes alerts as text.
#[derive(Clone, Debug, Default)]
pub struct Formatter {
    format: Format,
    /// The names of the inputs, named in the output if there are several.
    inputs: Vec<String>,
}

impl Formatter {
    /// A formatter; `inputs` are the names that positions of events refer to, in their order.
    pub fn new(format: Format, inputs: Vec<String>) -> Self {
        Self { format, inputs }
    }

    /// Appends one alert, line end included.
    pub fn write(&self, alert: &Alert, out: &mut String) {
        match self.format {
            Format::Json => json::write(alert, self, out),
            Format::Ecs => ecs::write(alert, self, out),
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
