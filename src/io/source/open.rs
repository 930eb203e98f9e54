//! What an input is: standard input or a file, plain or compressed.
//!
//! Compression is told by the first bytes; the name only helps to explain an input that is not what it is called. As few
//! bytes as possible are read to find out, so that a pipe whose first line is short is not held back.

#![allow(clippy::disallowed_methods, reason = "inputs are files")]

use std::fs::File;
use std::io::{self, Chain, Cursor, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::block::{BlockOptions, BlockReader, Position};
use super::error::SourceError;
use super::mark::{Marks, mark};

/// The name of standard input.
pub const STDIN: &str = "-";

/// An opened input.
pub type Input = BlockReader<Box<dyn Read + Send>>;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const UTF16_LE: &[u8] = &[0xff, 0xfe];
const UTF16_BE: &[u8] = &[0xfe, 0xff];

/// Opens a file, or standard input under the name `-`.
///
/// # Errors
/// There is no such file, it cannot be read, or it is nothing that holds lines.
pub fn open(name: &str, options: BlockOptions) -> Result<Input, SourceError> {
    open_at(name, Position::START, options)
}

/// Opens an input and passes over what lies before a place that an earlier run had come to.
///
/// # Errors
/// As [`open()`], and if the input is shorter than that. Standard input cannot be opened in its middle.
pub fn open_at(name: &str, at: Position, options: BlockOptions) -> Result<Input, SourceError> {
    if name == STDIN {
        if at != Position::START {
            let help = "give the input as a file to go on from a checkpoint";
            return Err(SourceError::new(name, "open", "standard input has no middle to go on from", help, None));
        }
        return open_reader(io::stdin(), "standard input", options);
    }
    let mut file = File::open(name).map_err(|error| SourceError::open(name, error))?;
    let metadata = file.metadata().map_err(|error| SourceError::open(name, error))?;
    if metadata.is_dir() {
        return Err(SourceError::new(name, "open", "it is a directory", "name the files in it", None));
    }
    // The end of a regular file is already there: waiting for full blocks costs nothing. A named pipe is no such file.
    let options = BlockOptions { fill: options.fill || metadata.is_file(), ..options };
    let marks = Marks::default();
    if metadata.is_file() {
        marks.push(mark(&mut file, 0).map_err(|error| SourceError::read(name, error))?);
    }
    if at == Position::START {
        return Ok(open_reader(file, name, options)?.with_marks(marks));
    }
    let mut input = decoded(file, name)?;
    let passed = match &mut input {
        Decoded::Plain(plain) if metadata.is_file() => {
            plain.seek(at.offset).map_err(|error| SourceError::read(name, error))?;
            at.offset.min(metadata.len())
        }
        other => io::copy(&mut other.by_ref().take(at.offset), &mut io::sink())
            .map_err(|error| SourceError::read(name, error))?,
    };
    if passed < at.offset {
        let cause = format!("it ends at byte {passed}, but an earlier run had read {} bytes", at.offset);
        let help =
            "it is not the file that the checkpoint was taken with; give that one, or start without the checkpoint";
        return Err(SourceError::new(name, "open", cause, help, None));
    }
    Ok(BlockReader::new(input.boxed(), name, options).starting_at(at).with_marks(marks))
}

/// Reads lines, compressed or not, from anything. Errors call it `name`.
///
/// # Errors
/// It cannot be read, or it is nothing that holds lines.
pub fn open_reader<R: Read + Send + 'static>(
    reader: R,
    name: &str,
    options: BlockOptions,
) -> Result<Input, SourceError> {
    Ok(BlockReader::new(decoded(reader, name)?.boxed(), name, options))
}

/// What was read to find out what the input is, and the rest.
pub(super) type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

pub(super) enum Decoded<R: Read> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
    Zstd(Box<ZstdDecoder<'static, io::BufReader<Whole<R>>>>),
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(into),
            Self::Gzip(input) => input.read(into),
            Self::Zstd(input) => input.read(into),
        }
    }
}

impl<R: Read + Send + 'static> Decoded<R> {
    pub(super) fn boxed(self) -> Box<dyn Read + Send> {
        Box::new(self)
    }
}

/// Whether a file is compressed, by its first bytes. Leaves it at its beginning.
pub(super) fn is_compressed(file: &mut File) -> io::Result<bool> {
    let mut first = Vec::new();
    file.take(4).read_to_end(&mut first)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(first.starts_with(GZIP) || first.starts_with(ZSTD))
}

/// Goes to a place, forgetting what was read ahead.
trait SeekPast {
    fn seek(&mut self, offset: u64) -> io::Result<()>;
}

impl SeekPast for Whole<File> {
    fn seek(&mut self, offset: u64) -> io::Result<()> {
        let (ahead, file) = self.get_mut();
        ahead.set_position(ahead.get_ref().len() as u64);
        file.seek(SeekFrom::Start(offset)).map(|_| ())
    }
}

pub(super) fn decoded<R: Read>(mut reader: R, name: &str) -> Result<Decoded<R>, SourceError> {
    let mut first = Vec::new();
    let undecided = |first: &[u8]| {
        first.len() < ZSTD.len()
            && [GZIP, ZSTD, UTF16_LE, UTF16_BE]
                .iter()
                .any(|magic| magic.len() > first.len() && magic.starts_with(first))
    };
    while undecided(&first) {
        let mut some = [0; 4];
        match reader.read(&mut some[..4 - first.len()]) {
            Ok(0) => break,
            Ok(read) => first.extend_from_slice(&some[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SourceError::read(name, error)),
        }
    }
    if first.starts_with(UTF16_LE) || first.starts_with(UTF16_BE) {
        let help = "turn it into UTF-8 first, for example with `iconv -f UTF-16 -t UTF-8`";
        return Err(SourceError::new(name, "read", "it is UTF-16 text", help, None));
    }
    let (gzip, zstd, empty) = (first.starts_with(GZIP), first.starts_with(ZSTD), first.is_empty());
    let whole = Cursor::new(first).chain(reader);
    if gzip {
        return Ok(Decoded::Gzip(Box::new(MultiGzDecoder::new(whole))));
    }
    if zstd {
        let decoder = ZstdDecoder::new(whole).map_err(|error| SourceError::open(name, error))?;
        return Ok(Decoded::Zstd(Box::new(decoder)));
    }
    let claimed = [(".gz", "gzip"), (".zst", "zstd")].into_iter().find(|(suffix, _)| name.ends_with(suffix));
    if let Some((suffix, format)) = claimed.filter(|_| !empty) {
        let cause = format!("its name ends in {suffix}, but it holds no {format} data");
        return Err(SourceError::new(name, "read", cause, "rename it if it is plain text, or fetch it again", None));
    }
    Ok(Decoded::Plain(whole))
}

#[cfg(test)]
mod tests;
