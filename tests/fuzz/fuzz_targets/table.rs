//! Any table gives the same rows whatever the pieces it comes in, and each row one line of JSON or a refusal. The first
//! byte chooses the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline::io::form::csv::{CsvForm, Kind, Row, RowCutter, Table};

fn rows(text: &[u8], size: usize) -> Vec<Option<Result<String, &'static str>>> {
    let kinds = [("n".to_owned(), Kind::Number), ("b".to_owned(), Kind::Bool)].into_iter().collect();
    let form = CsvForm { kinds, ..CsvForm::default() };
    let (mut cutter, mut table, mut rows) = (RowCutter::new(b',', 100), None, Vec::new());
    for piece in text.chunks(size).chain([&[][..], &[][..]]) {
        let mut at = 0;
        loop {
            let (used, row) = cutter.next(&piece[at..]);
            at += used;
            match (row, &table) {
                (None, _) => break,
                (Some(Row::TooLong(_)), _) => rows.push(None),
                (Some(Row::Cells(cells)), None) => match Table::new(cells, &form) {
                    Ok(new) => table = Some(new),
                    Err(_) => return rows,
                },
                (Some(Row::Cells(cells)), Some(table)) => rows.push(Some(table.line(cells).map_err(|r| r.name()))),
            }
            if at == piece.len() {
                break;
            }
        }
    }
    rows
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, text)) = bytes.split_first() else { return };
    let text = [b"n,b,t\n", text].concat();
    let found = rows(&text, usize::from(*size) + 1);
    assert_eq!(found, rows(&text, text.len()));
    for line in found.into_iter().flatten().flatten() {
        let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.is_object() && !line.contains('\n'));
    }
});
