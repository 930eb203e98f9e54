//! Files by what they hold: lines of JSON, or a table.

#![allow(clippy::disallowed_methods, reason = "inputs are files")]

use std::fs::File;

use super::block::{BlockOptions, Position};
use super::error::SourceError;
use super::follow::{FollowOptions, Following, follow};
use super::mark::{Marks, mark};
use super::open::{STDIN, decoded, open_at};
use super::rows::Rows;
use crate::engine::Source;
use crate::io::form::csv::CsvForm;
use crate::io::kafka::Partition;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Events as lines of JSON.
    #[default]
    Json,
    /// Events as the rows of a table.
    Csv(CsvForm),
    /// Events as the records of topics, of one partition once it is known which there are.
    Records(Option<Partition>),
}

impl Form {
    /// What a file of this name holds.
    pub fn of_name(name: &str) -> Self {
        let name = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(name);
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("csv") => Self::Csv(CsvForm::default()),
            Some("tsv") => Self::Csv(CsvForm { delimiter: b'\t', ..CsvForm::default() }),
            _ => Self::Json,
        }
    }
}

/// Opens a file at a place in it, whatever it holds. With `following` it is waited for more at its end.
pub(super) fn open_form(
    name: &str,
    form: &Form,
    at: Position,
    options: BlockOptions,
    following: Option<FollowOptions>,
) -> Result<Box<dyn Source>, SourceError> {
    let is_packed = [".gz", ".zst"].iter().any(|suffix| name.ends_with(suffix));
    match (form, following) {
        // A packed file does not grow.
        (Form::Json, Some(following)) if !is_packed => Ok(Box::new(follow(name, at, options, following)?)),
        (Form::Json, _) => Ok(Box::new(open_at(name, at, options)?)),
        (Form::Records(_), _) => {
            let help = "this is a defect of the program";
            Err(SourceError::new(name, "open", "records of a topic are read partition by partition", help, None))
        }
        (Form::Csv(csv), following) => open_table(name, csv, at, options, following.filter(|_| !is_packed)),
    }
}

/// Opens a table behind a place. Its rows are read from the beginning and passed over up to there.
pub(super) fn open_table(
    name: &str,
    csv: &CsvForm,
    at: Position,
    options: BlockOptions,
    following: Option<FollowOptions>,
) -> Result<Box<dyn Source>, SourceError> {
    if name == STDIN {
        let input = decoded(std::io::stdin(), "standard input")?.boxed();
        let options = BlockOptions { fill: false, ..options };
        // What comes over a pipe is what was not read before, with a head of its own.
        return Ok(Box::new(Rows::new(input, "standard input", csv, options, Position::START).counting_from(at)));
    }
    let read = |error| SourceError::read(name, error);
    let mut file = File::open(name).map_err(|error| SourceError::open(name, error))?;
    let is_file = file.metadata().map_err(read)?.is_file();
    if let Some(following) = following.filter(|_| is_file) {
        let (input, marks) = Following::at(name, file, (Position::START, 0), following).map_err(read)?;
        let options = BlockOptions { fill: false, ..options };
        return Ok(Box::new(Rows::new(input, name, csv, options, at).with_marks(marks)));
    }
    let marks = Marks::default();
    if is_file {
        marks.push(mark(&mut file, 0).map_err(read)?);
    }
    let input = decoded(file, name)?.boxed();
    let options = BlockOptions { fill: is_file, ..options };
    let rows = Rows::new(input, name, csv, options, if is_file { at } else { Position::START }).with_marks(marks);
    Ok(Box::new(if is_file { rows } else { rows.counting_from(at) }))
}
