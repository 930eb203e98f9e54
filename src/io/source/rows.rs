//! A table in a file or a stream as a source: rows become lines of JSON as they are read.
//!
//! ```text
//! bytes ─► RowCutter ─► Table, once the head is known ─► lines, about a block of them ─► engine
//! ```
//! A row counts as one line, however many it fills, and the head is the first. The place after a block is that after
//! its last row in the table as it is written, so a run goes on there; the head is read again from the beginning. A row
//! that is the head again is passed over.

use std::io::{self, Read};

use super::block::{BlockOptions, Position};
use super::error::SourceError;
use super::mark::Marks;
use crate::decode::Reject;
use crate::engine::{Place, Refused, Source, SourceBlock, SourceFailure};
use crate::io::form::csv::{Cells, CsvForm, Row, RowCutter, Table};

/// Bytes of one read.
const READ: usize = 64 << 10;
/// Bytes of a refused row that are kept.
const KEPT: usize = 1024;

/// The rows of a table.
#[derive(Debug)]
pub(super) struct Rows<R> {
    input: R,
    name: String,
    form: CsvForm,
    options: BlockOptions,
    cutter: RowCutter,
    table: Option<Table>,
    buffer: Vec<u8>,
    /// What of the buffer has been read and not yet cut.
    begin: usize,
    end: usize,
    /// After the rows that have been given.
    at: Position,
    /// Rows before this offset have been read by an earlier run.
    from: Position,
    ended: bool,
    failed: Option<io::Error>,
    marks: Marks,
}

impl<R: Read> Rows<R> {
    /// Reads `input`, which errors call `name`, from its beginning, and gives the rows behind a place.
    pub(super) fn new(input: R, name: &str, form: &CsvForm, options: BlockOptions, from: Position) -> Self {
        Self {
            input,
            name: name.to_owned(),
            form: form.clone(),
            options,
            cutter: RowCutter::new(form.delimiter, options.max_line),
            table: None,
            buffer: vec![0; READ],
            begin: 0,
            end: 0,
            at: Position::START,
            from,
            ended: false,
            failed: None,
            marks: Marks::default(),
        }
    }

    /// Says which file the input reads.
    pub(super) fn with_marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Counts on from a place, for a stream that begins with a head of its own.
    pub(super) fn counting_from(mut self, at: Position) -> Self {
        self.at = at;
        self
    }

    /// Cuts rows until the block is full or nothing is left of what was read. True if no more comes.
    fn cut(&mut self, block: &mut SourceBlock) -> Result<bool, SourceError> {
        loop {
            // Nothing to cut says that nothing more comes, and ends a row that has begun.
            let nothing = self.begin == self.end;
            if nothing && !self.ended {
                return Ok(false);
            }
            let (used, row) = self.cutter.next(&self.buffer[self.begin..self.end]);
            self.begin += used;
            self.at.offset += used as u64;
            let row = match row {
                None if nothing => return Ok(true),
                None => continue,
                Some(row) => row,
            };
            let line = self.at.line;
            self.at.line += 1;
            let table = match (&self.table, row) {
                (None, Row::Cells(head)) => {
                    let table = Table::new(head, &self.form).map_err(|problem| {
                        let help =
                            "the first row names the columns; check the `columns` of this input, and its `delimiter`";
                        SourceError::new(&self.name, "read", problem, help, None)
                    })?;
                    self.table = Some(table);
                    self.begins(block);
                    continue;
                }
                (None, Row::TooLong(_)) => {
                    let help = "the first row names the columns";
                    return Err(SourceError::new(&self.name, "read", "its first row is too long", help, None));
                }
                // What an earlier run has read.
                (Some(_), _) if self.at.offset <= self.from.offset => {
                    self.at.line = self.from.line;
                    self.begins(block);
                    continue;
                }
                (Some(table), row) => (table, row),
            };
            add(table, line, block);
            if block.bytes.len() >= self.options.block_bytes {
                return Ok(false);
            }
        }
    }

    /// The block begins behind what has been cut.
    fn begins(&self, block: &mut SourceBlock) {
        (block.first_line, block.offset) = (self.at.line, self.at.offset);
    }

    fn fill(&mut self) {
        (self.begin, self.end) = (0, 0);
        while !self.ended && self.end == 0 {
            match self.input.read(&mut self.buffer) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end = read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                }
            }
        }
    }

    fn next(&mut self, memory: Vec<u8>) -> Result<Option<SourceBlock>, SourceError> {
        let mut block = SourceBlock { bytes: memory, ..SourceBlock::default() };
        block.bytes.clear();
        self.begins(&mut block);
        loop {
            let over = self.cut(&mut block)?;
            let given = !block.bytes.is_empty();
            // A pipe may be silent for long: what has come goes on at once.
            let enough = block.bytes.len() >= self.options.block_bytes
                || (given && !self.options.fill && self.begin == self.end);
            if over || enough {
                if !given {
                    return match self.failed.take() {
                        Some(error) => Err(SourceError::read(&self.name, error)),
                        None => Ok(None),
                    };
                }
                let file = self.marks.at(self.at.offset);
                block.after = Place { line: self.at.line, offset: self.at.offset, file, journal: None };
                return Ok(Some(block));
            }
            self.fill();
        }
    }
}

/// Adds a row to a block: as a line, or as one that is refused, with a blank line in its place.
fn add((table, row): (&Table, Row<'_>), line: u64, block: &mut SourceBlock) {
    let mut refuse = |reason, text: &[u8]| {
        let text = String::from_utf8_lossy(&text[..text.len().min(KEPT)]).into_owned();
        let offset = block.offset + block.bytes.len() as u64;
        block.refused.push(Refused { line, offset, reason, text });
    };
    let made = match row {
        Row::Cells(cells) if table.is_head(cells) => String::new(),
        Row::Cells(cells) => table.line(cells).unwrap_or_else(|reason| {
            refuse(reason, &text(cells));
            String::new()
        }),
        Row::TooLong(beginning) => {
            refuse(Reject::LineTooLong, beginning);
            String::new()
        }
    };
    block.bytes.extend_from_slice(made.as_bytes());
    block.bytes.push(b'\n');
}

fn text(cells: Cells<'_>) -> Vec<u8> {
    cells.iter().collect::<Vec<_>>().join(&b',')
}

impl<R: Read + Send> Source for Rows<R> {
    fn may_wait(&self) -> bool {
        !self.options.fill
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        self.next_block_in(Vec::new())
    }

    fn next_block_in(&mut self, memory: Vec<u8>) -> Result<Option<SourceBlock>, SourceFailure> {
        self.next(memory).map_err(|error| SourceFailure(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, from: Position, block_bytes: usize) -> (String, Vec<Place>, Vec<(u64, Reject)>) {
        let options = BlockOptions { block_bytes, max_line: 100, fill: true, ..BlockOptions::default() };
        let mut rows = Rows::new(text.as_bytes(), "table.csv", &CsvForm::default(), options, from);
        let (mut lines, mut places, mut refused) = (String::new(), Vec::new(), Vec::new());
        while let Some(block) = rows.next_block().expect("it can be read") {
            assert_eq!(
                block.first_line + block.bytes.iter().filter(|byte| **byte == b'\n').count() as u64,
                block.after.line
            );
            lines.push_str(std::str::from_utf8(&block.bytes).expect("text"));
            refused.extend(block.refused.iter().map(|r| (r.line, r.reason)));
            places.push(block.after);
        }
        (lines, places, refused)
    }

    const TABLE: &str = "a,b\n1,\"x\ny\"\n2\na,b\n3,\r\n\r\n4,z";

    #[test]
    fn rows_are_lines_and_one_that_is_refused_leaves_a_blank_one() {
        let (lines, places, refused) = read(TABLE, Position::START, 1 << 20);
        assert_eq!(lines, "{\"a\":\"1\",\"b\":\"x\\ny\"}\n\n\n{\"a\":\"3\"}\n{\"a\":\"4\",\"b\":\"z\"}\n");
        assert_eq!(refused, [(3, Reject::BadRow)]);
        assert_eq!(places.last().map(|place| (place.line, place.offset)), Some((7, TABLE.len() as u64)));
    }

    #[test]
    fn a_later_run_goes_on_after_any_block() {
        let (whole, places, _) = read(TABLE, Position::START, 1);
        for place in places {
            let (rest, ..) = read(TABLE, Position { line: place.line, offset: place.offset }, 1);
            assert!(whole.ends_with(&rest), "{place:?}: {rest}");
            let before = whole.len() - rest.len();
            assert_eq!(whole[..before].matches('\n').count() as u64, place.line - 2, "the head is line 1");
        }
    }

    #[test]
    fn a_table_without_a_head_that_can_be_used_is_an_error() {
        let options = BlockOptions { fill: true, ..BlockOptions::default() };
        let mut rows = Rows::new(&b"a,\n1,2\n"[..], "table.csv", &CsvForm::default(), options, Position::START);
        let told = rows.next_block().expect_err("no name").to_string();
        assert!(told.starts_with("cannot read table.csv: column 2 has no name"), "{told}");
    }
}
