//! Blocks of whole lines from readers that give their bytes in every possible way.

use std::collections::VecDeque;

use super::*;

/// Gives its pieces one by one; an empty piece is an error.
struct Pieces(VecDeque<Vec<u8>>);

impl Pieces {
    fn new(pieces: &[&[u8]]) -> Self {
        Self(pieces.iter().map(|piece| piece.to_vec()).collect())
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.0.front_mut() else { return Ok(0) };
        if piece.is_empty() {
            self.0.pop_front();
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let count = piece.len().min(into.len());
        into[..count].copy_from_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            self.0.pop_front();
        }
        Ok(count)
    }
}

fn options(block_bytes: usize, max_line: usize) -> BlockOptions {
    BlockOptions { block_bytes, max_line, ..BlockOptions::default() }
}

fn texts(reader: &mut BlockReader<impl Read>) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(block) = reader.next_block().expect("the input is good") {
        assert_eq!(block.overlong, None);
        found.push(String::from_utf8(block.bytes).expect("the input is UTF-8"));
    }
    found
}

#[test]
fn a_short_read_is_passed_on_at_once() {
    let mut reader = BlockReader::new(Pieces::new(&[b"a\nb\nc", b"c\n", b"d"]), "pieces", BlockOptions::default());
    assert_eq!(texts(&mut reader), ["a\nb\n", "cc\n", "d"]);
    assert_eq!(reader.position(), Position { offset: 8, line: 5 });
    assert_eq!(reader.next_block().expect("the end stays the end"), None);
}

#[test]
fn blocks_are_filled_if_asked_for() {
    let options = BlockOptions { fill: true, ..options(8, 100) };
    let mut reader = BlockReader::new(Pieces::new(&[b"a\nb\nc", b"c\nd\n", b"e\n"]), "pieces", options);
    assert_eq!(texts(&mut reader), ["a\nb\ncc\n", "d\ne\n"]);
}

#[test]
fn blocks_can_be_single_lines() {
    let options = BlockOptions { block_lines: 1, ..BlockOptions::default() };
    let mut reader = BlockReader::new(&b"a\n\nb\nc"[..], "bytes", options);
    let mut places = Vec::new();
    while let Some(block) = reader.next_block().expect("the input is good") {
        places.push((block.at.offset, block.at.line, block.lines, block.bytes));
    }
    let expected =
        [(0, 1, 1, b"a\n".to_vec()), (2, 2, 1, b"\n".to_vec()), (3, 3, 1, b"b\n".to_vec()), (5, 4, 1, b"c".to_vec())];
    assert_eq!(places, expected);
}

#[test]
fn an_empty_input_has_no_blocks() {
    assert_eq!(texts(&mut BlockReader::new(&b""[..], "bytes", BlockOptions::default())), Vec::<String>::new());
}

#[test]
fn the_memory_of_a_block_is_used_again() {
    let line = [b"x".repeat(99), b"\n".to_vec()].concat();
    let input = line.repeat(1_000);
    let mut reader = BlockReader::new(&input[..], "bytes", options(10_050, 1_000));
    let mut block = Block { bytes: b"old".to_vec(), ..Block::default() };
    let mut all = Vec::new();
    while reader.read_block(&mut block).expect("the input is good") {
        assert_eq!(block.at.offset, all.len() as u64);
        assert_eq!(block.at.line, 1 + all.len() as u64 / 100);
        all.extend_from_slice(&block.bytes);
    }
    assert_eq!(all, input);
}

#[test]
fn what_was_read_before_an_error_is_given_out_first() {
    let mut reader = BlockReader::new(Pieces::new(&[b"a\nb", b""]), "cut.gz", BlockOptions::default());
    assert_eq!(reader.next_block().expect("a whole line was read").map(|block| block.bytes), Some(b"a\n".to_vec()));
    assert_eq!(reader.next_block().expect("a piece was read").map(|block| block.bytes), Some(b"b".to_vec()));
    let error = reader.next_block().expect_err("the input failed").to_string();
    assert!(error.starts_with("cannot read cut.gz: the compressed data is cut off; what could be read"), "{error}");
    assert_eq!(reader.next_block().expect("the error is told once"), None);
}

/// What must come out: lines with their numbers and offsets, `None` for one that was dropped.
type Expected = Vec<(u64, u64, Option<Vec<u8>>)>;

fn expected(input: &[u8], max_line: usize) -> Expected {
    let mut found = Vec::new();
    let mut offset = 0;
    for (index, line) in input.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        found.push((index as u64 + 1, offset, (text.len() <= max_line + AROUND).then(|| line.to_vec())));
        offset += line.len() as u64;
    }
    found
}

#[test]
fn overlong_lines_are_dropped_wherever_blocks_are_cut() {
    let input =
        [&b"one\n"[..], &b"x".repeat(50), b"\ntwo\n", &b"y".repeat(300), b"\n", &b"z".repeat(31), b"\nthree\n\nlast"]
            .concat();
    for max_line in [1, 5, 30, 60] {
        for block_bytes in (1..40).chain([100, 1_000]) {
            for (fill, block_lines) in [(false, usize::MAX), (true, usize::MAX), (false, 1), (true, 2)] {
                let options = BlockOptions { fill, block_lines, ..options(block_bytes, max_line) };
                let mut reader = BlockReader::new(&input[..], "bytes", options);
                let mut found: Expected = Vec::new();
                while let Some(block) = reader.next_block().expect("the input is good") {
                    if let Some(dropped) = block.overlong {
                        assert!(block.bytes.is_empty());
                        assert_eq!(block.lines, 0);
                        found.push((dropped.at.line, dropped.at.offset, None));
                    }
                    assert!(block.lines as usize <= block_lines);
                    let mut offset = block.at.offset;
                    for (index, line) in block.bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
                        // A line that fits the buffer is not dropped here but refused when the block is cut into lines.
                        let kept = (line.len() - usize::from(line.ends_with(b"\n")) <= max_line + AROUND)
                            .then(|| line.to_vec());
                        found.push((block.at.line + index as u64, offset, kept));
                        offset += line.len() as u64;
                    }
                    assert_eq!(block.end().offset, offset);
                    let bound = max_line + AROUND + 2 * block_bytes;
                    assert!(reader.end <= bound, "the buffer holds {} bytes, not {bound}", reader.end);
                }
                assert_eq!(found, expected(&input, max_line), "max_line {max_line}, block_bytes {block_bytes}");
                assert_eq!(reader.position().offset, input.len() as u64);
            }
        }
    }
}

#[test]
fn a_dropped_line_tells_its_length() {
    let input = [&b"a\n"[..], &b"x".repeat(1_000), b"\nb\n"].concat();
    let mut reader = BlockReader::new(&input[..], "bytes", options(16, 20));
    let mut dropped = Vec::new();
    while let Some(block) = reader.next_block().expect("the input is good") {
        dropped.extend(block.overlong);
    }
    assert_eq!(dropped, [Overlong { at: Position { offset: 2, line: 2 }, bytes: 1_000 }]);
}

#[test]
fn positions_go_on_from_where_an_earlier_run_had_come_to() {
    let at = Position { offset: 100, line: 8 };
    let mut reader = BlockReader::new(&b"a\nb\n"[..], "bytes", BlockOptions::default()).starting_at(at);
    let block = reader.next_block().expect("the input is good").expect("there are lines");
    assert_eq!((block.at, block.end()), (at, Position { offset: 104, line: 10 }));
}
