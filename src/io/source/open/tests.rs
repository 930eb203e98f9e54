//! Inputs of every kind, and what is said about those that are none.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tripline-source-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

fn read(input: &mut Input) -> (Vec<u8>, Option<String>) {
    let mut all = Vec::new();
    loop {
        match input.next_block() {
            Ok(Some(block)) => all.extend_from_slice(&block.bytes),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error.to_string())),
        }
    }
}

fn opened(name: &str) -> (Vec<u8>, Option<String>) {
    read(&mut open(name, BlockOptions::default()).expect("the input can be opened"))
}

fn refused(name: &str) -> String {
    open(name, BlockOptions::default()).map(|_| ()).expect_err("the input is to be refused").to_string()
}

fn lines() -> Vec<u8> {
    (0..5_000).flat_map(|n| format!("{{\"n\":{n},\"text\":\"{:x}\"}}\n", n * 7_919).into_bytes()).collect()
}

#[test]
fn plain_and_compressed_files_whatever_their_names() {
    let folder = Folder::new("kinds");
    let plain = lines();
    let (half, rest) = plain.split_at(plain.len() / 2);
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("memory takes everything");
    for (name, bytes) in [
        ("a.ndjson", plain.clone()),
        ("a.ndjson.gz", gzip(&plain)),
        ("a.log", gzip(&plain)),
        ("parts.gz", [gzip(half), gzip(rest)].concat()),
        ("a.zst", zstd(&plain)),
        ("b", [zstd(half), zstd(rest)].concat()),
    ] {
        assert_eq!(opened(&folder.file(name, &bytes)), (plain.clone(), None), "{name}");
    }
}

#[test]
fn short_and_empty_files() {
    let folder = Folder::new("short");
    for bytes in [&b""[..], b"{}", b"{", b"\n", b"(", b"\x1f", b"\x28\xb5"] {
        assert_eq!(opened(&folder.file("short", bytes)), (bytes.to_vec(), None));
    }
    assert_eq!(opened(&folder.file("empty.gz", b"")), (Vec::new(), None));
}

#[test]
fn a_cut_compressed_file_is_read_as_far_as_it_goes() {
    let folder = Folder::new("cut");
    let plain = lines();
    for (name, whole) in
        [("a.gz", gzip(&plain)), ("a.zst", zstd::encode_all(&plain[..], 1).expect("memory takes everything"))]
    {
        let path = folder.file(name, &whole[..whole.len() - 20]);
        let (found, error) = opened(&path);
        // Zstandard gives its data by blocks, and the last one cannot be read without its end.
        assert!(name == "a.zst" || found.len() > plain.len() / 2, "{name}: only {} bytes", found.len());
        assert!(plain.starts_with(&found), "{name}");
        let error = error.expect("the end is missing");
        assert!(error.starts_with(&format!("cannot read {path}: the compressed data is cut off; ")), "{error}");
    }
}

#[test]
fn a_damaged_compressed_file_is_an_error() {
    let folder = Folder::new("damaged");
    let mut bytes = gzip(&lines());
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0xff);
    let (found, error) = opened(&folder.file("a.gz", &bytes));
    assert!(found.len() < lines().len());
    assert!(error.expect("the data is damaged").contains("the compressed data is"));
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let folder = Folder::new("refused");
    let error = refused("no/such/file.ndjson");
    assert_eq!(
        error,
        "cannot open no/such/file.ndjson: there is no such file; check the path, or write `-` to read standard input"
    );
    let error = refused(&folder.0.to_string_lossy());
    assert!(error.ends_with("it is a directory; name the files in it"), "{error}");
    let error = refused(&folder.file("plain.gz", b"{\"a\":1}\n"));
    assert!(error.contains("its name ends in .gz, but it holds no gzip data"), "{error}");
    let error = refused(&folder.file("wide.json", b"\xff\xfe{\0}\0"));
    assert!(error.contains("it is UTF-16 text; turn it into UTF-8 first"), "{error}");
}

#[test]
fn reading_goes_on_where_an_earlier_run_had_come_to() {
    let folder = Folder::new("resume");
    let plain = lines();
    for (name, bytes) in [("a.ndjson", plain.clone()), ("a.gz", gzip(&plain))] {
        let path = folder.file(name, &bytes);
        let options = BlockOptions { block_lines: 700, ..BlockOptions::default() };
        let mut first = open(&path, options).expect("the input can be opened");
        let block = first.next_block().expect("the input is good").expect("there are lines");
        assert_eq!((block.lines, block.end().line), (700, 701));
        let mut second = open_at(&path, block.end(), options).expect("the input can be opened");
        let next = second.next_block().expect("the input is good").expect("there are lines");
        assert_eq!(Some(next.clone()), first.next_block().expect("the input is good"));
        assert!(next.bytes.starts_with(b"{\"n\":700,"));
        let far = Position { offset: plain.len() as u64 + 1, line: 5_001 };
        let error = open_at(&path, far, options).map(|_| ()).expect_err("the input is too short").to_string();
        assert!(error.contains("it is not the file that the checkpoint was taken with"), "{error}");
    }
    assert!(open_at(STDIN, Position { offset: 1, line: 2 }, BlockOptions::default()).is_err());
}
