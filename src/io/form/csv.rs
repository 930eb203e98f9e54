//! Tables of values with commas between (RFC 4180) as events: the first row names the columns, each further row is one.
//!
//! ```text
//! time,user,amount            {"time":"2026-01-01T00:00:00Z","user":"bob, the first","amount":12.5}
//! 2026-01-01T00:00:00Z,"bob, the first",12.5
//! ```
//! A cell is a text unless its column is said to hold numbers or truth values; an empty cell is a field that the event
//! does not have. A row that does not fit is given up, and costs no other row. Cutting is `csv-core`'s, in one pass and
//! without holding more than a row; the bound on a row is that on a line.

use std::collections::BTreeMap;

use csv_core::ReadRecordResult;

use crate::decode::Reject;

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    #[default]
    Text,
    /// Numbers, as JSON writes them; a plus before one and blanks around it are passed over.
    Number,
    /// `true` or `false`, in large or small letters, or 1 or 0.
    Bool,
}

/// How a table is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvForm {
    /// What stands between two cells.
    pub delimiter: u8,
    /// Columns that hold something other than texts.
    pub kinds: BTreeMap<String, Kind>,
}

impl Default for CsvForm {
    fn default() -> Self {
        Self { delimiter: b',', kinds: BTreeMap::new() }
    }
}

/// A row as it was cut.
#[derive(Debug)]
pub enum Row<'a> {
    /// Its cells.
    Cells(Cells<'a>),
    /// The beginning of one that is too long.
    TooLong(&'a [u8]),
}

/// The cells of a row.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    /// The cells in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (text, ends) = (self.text, self.ends);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(move |(start, end)| &text[start..*end])
    }

    /// All cells without what stood between them, for messages.
    pub fn text(&self) -> Vec<u8> {
        self.iter().collect::<Vec<_>>().join(&b','.to_owned())
    }
}

/// Cuts a stream of bytes into rows.
#[derive(Debug)]
pub struct RowCutter {
    core: csv_core::Reader,
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    too_long: bool,
    longest: usize,
}

impl RowCutter {
    /// For rows of at most so many bytes.
    pub fn new(delimiter: u8, longest: usize) -> Self {
        Self {
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; 1024.min(longest + 1)],
            text_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            too_long: false,
            longest,
        }
    }

    /// Takes bytes up to the end of the next row: how many, and the row if it ends there. No bytes mean that no more
    /// come, and a row that has begun ends.
    pub fn next(&mut self, mut input: &[u8]) -> (usize, Option<Row<'_>>) {
        let all = input.len();
        loop {
            let (result, read, written, ends) =
                self.core.read_record(input, &mut self.text[self.text_len..], &mut self.ends[self.ends_len..]);
            input = &input[read..];
            self.text_len += written;
            self.ends_len += ends;
            match result {
                ReadRecordResult::InputEmpty => return (all, None),
                ReadRecordResult::End => return (all - input.len(), None),
                ReadRecordResult::OutputFull if self.text.len() > self.longest => {
                    // What is too long is read over; its beginning is kept. A cell then seems to end before it began.
                    self.too_long = true;
                    self.text_len = self.text.len() / 2;
                }
                ReadRecordResult::OutputFull => {
                    let more = (self.text.len() * 2).min(self.longest + 1);
                    self.text.resize(more, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() > self.longest {
                        self.too_long = true;
                        self.ends_len = 0;
                    } else {
                        self.ends.resize(self.ends.len() * 2, 0);
                    }
                }
                ReadRecordResult::Record => {
                    let (text, ends) = (&self.text[..self.text_len], &self.ends[..self.ends_len]);
                    let row = match std::mem::take(&mut self.too_long) {
                        true => Row::TooLong(&text[..text.len() / 2]),
                        false => Row::Cells(Cells { text, ends }),
                    };
                    (self.text_len, self.ends_len) = (0, 0);
                    return (all - input.len(), Some(row));
                }
            }
        }
    }
}

/// A table: its columns by their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    head: Vec<Vec<u8>>,
    /// Each name as a JSON text with a colon, and what the column holds.
    columns: Vec<(String, Kind)>,
}

impl Table {
    /// The table of a head.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub fn new(head: Cells<'_>, form: &CsvForm) -> Result<Self, String> {
        let (mut columns, mut names) = (Vec::new(), Vec::new());
        for (n, name) in head.iter().enumerate() {
            let name = if n == 0 { name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name) } else { name };
            let name = std::str::from_utf8(name).map_err(|_| format!("the name of column {} is not UTF-8", n + 1))?;
            let name = name.trim();
            if name.is_empty() {
                return Err(format!("column {} has no name", n + 1));
            }
            if names.contains(&name) {
                return Err(format!("two columns are called `{name}`"));
            }
            names.push(name);
            columns.push((
                format!("{}:", serde_json::Value::from(name)),
                form.kinds.get(name).copied().unwrap_or_default(),
            ));
        }
        if let Some(name) = form.kinds.keys().find(|name| !names.contains(&name.as_str())) {
            return Err(format!("there is no column `{name}`; there are {}", names.join(", ")));
        }
        Ok(Self { head: head.iter().map(<[u8]>::to_vec).collect(), columns })
    }

    /// Whether a row is the head again, as where one table has been put behind another.
    pub fn is_head(&self, cells: Cells<'_>) -> bool {
        cells.iter().eq(self.head.iter().map(Vec::as_slice))
    }

    /// The event of a row, as one line of JSON without a line feed.
    ///
    /// # Errors
    /// It has more or fewer cells than columns, or a cell that is not what its column holds, or is not UTF-8.
    pub fn line(&self, cells: Cells<'_>) -> Result<String, Reject> {
        if cells.ends.len() != self.columns.len() {
            return Err(Reject::BadRow);
        }
        let mut line = String::with_capacity(cells.text.len() + 16 * self.columns.len());
        line.push('{');
        for (cell, (name, kind)) in cells.iter().zip(&self.columns) {
            let cell = std::str::from_utf8(cell).map_err(|_| Reject::InvalidUtf8)?;
            if cell.is_empty() {
                continue;
            }
            if line.len() > 1 {
                line.push(',');
            }
            line.push_str(name);
            match kind {
                Kind::Text => line.push_str(&serde_json::Value::from(cell).to_string()),
                Kind::Number => {
                    let digits = cell.trim();
                    let digits = digits.strip_prefix('+').unwrap_or(digits);
                    let begins = digits.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                    // Written as it is: the reader of lines keeps large integers exact.
                    let number = serde_json::from_str::<&serde_json::value::RawValue>(digits);
                    line.push_str(number.ok().filter(|_| begins).ok_or(Reject::BadRow)?.get());
                }
                Kind::Bool => line.push_str(match cell.trim().to_ascii_lowercase().as_str() {
                    "true" | "1" => "true",
                    "false" | "0" => "false",
                    _ => return Err(Reject::BadRow),
                }),
            }
        }
        line.push('}');
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a table, cut from pieces of a size.
    fn lines(text: &str, size: usize, longest: usize, form: &CsvForm) -> Vec<Result<String, Reject>> {
        let (mut cutter, mut table, mut lines) = (RowCutter::new(form.delimiter, longest), None, Vec::new());
        let pieces = text.as_bytes().chunks(size).chain([&[][..], &[][..]]);
        for piece in pieces {
            let mut at = 0;
            loop {
                let (used, row) = cutter.next(&piece[at..]);
                at += used;
                match (row, &table) {
                    (None, _) => break,
                    (Some(Row::Cells(cells)), None) => table = Some(Table::new(cells, form).expect("a head")),
                    (Some(Row::Cells(cells)), Some(table)) => lines.push(table.line(cells)),
                    (Some(Row::TooLong(_)), _) => lines.push(Err(Reject::LineTooLong)),
                }
                if at == piece.len() {
                    break;
                }
            }
        }
        lines
    }

    fn form(kinds: &[(&str, Kind)]) -> CsvForm {
        let kinds = kinds.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        CsvForm { kinds, ..CsvForm::default() }
    }

    #[test]
    fn rows_are_events_whatever_the_pieces() {
        let text =
            "\u{feff}time,user,n\r\n1,\"bob, \"\"the\nfirst\"\"\",+12.50\r\n\r\n2,,\r\n3,eve,12345678901234567890";
        let form = form(&[("n", Kind::Number)]);
        for size in 1..text.len() {
            assert_eq!(
                lines(text, size, 1000, &form),
                [
                    Ok(r#"{"time":"1","user":"bob, \"the\nfirst\"","n":12.50}"#.to_owned()),
                    Ok(r#"{"time":"2"}"#.to_owned()),
                    Ok(r#"{"time":"3","user":"eve","n":12345678901234567890}"#.to_owned()),
                ],
                "{size}"
            );
        }
    }

    #[test]
    fn a_row_that_does_not_fit_costs_itself() {
        let form = form(&[("n", Kind::Number), ("ok", Kind::Bool)]);
        let text = "n,ok\n1,TRUE\n1\n1,true,2\nx,true\n0x1,true\n[1],true\n1,maybe\n-1e3,0\n";
        let bad = || Err(Reject::BadRow);
        let good = |line: &str| Ok(line.to_owned());
        assert_eq!(
            lines(text, 5, 1000, &form),
            [good(r#"{"n":1,"ok":true}"#), bad(), bad(), bad(), bad(), bad(), bad(), good(r#"{"n":-1e3,"ok":false}"#),]
        );
    }

    #[test]
    fn a_row_that_is_too_long_costs_itself() {
        let text = format!("a,b\n1,{}\n2,x\n{}\n3,y\n", "z".repeat(5000), "q,".repeat(5000));
        let good = |line: &str| Ok(line.to_owned());
        for size in [1, 7, 1000, text.len()] {
            assert_eq!(
                lines(&text, size, 100, &CsvForm::default()),
                [
                    Err(Reject::LineTooLong),
                    good(r#"{"a":"2","b":"x"}"#),
                    Err(Reject::LineTooLong),
                    good(r#"{"a":"3","b":"y"}"#),
                ],
                "{size}"
            );
        }
    }

    #[test]
    fn a_head_that_names_no_columns_is_refused() {
        let head = |text: &str| {
            let mut cutter = RowCutter::new(b',', 100);
            let (_, row) = cutter.next(text.as_bytes());
            let Some(Row::Cells(cells)) = row else { panic!("no row") };
            Table::new(cells, &form(&[("n", Kind::Number)])).map(|_| ())
        };
        assert_eq!(head("a,,n\n"), Err("column 2 has no name".to_owned()));
        assert_eq!(head("a,n,a\n"), Err("two columns are called `a`".to_owned()));
        assert_eq!(head("a,b\n"), Err("there is no column `n`; there are a, b".to_owned()));
        assert_eq!(head("n\n"), Ok(()));
    }
}
