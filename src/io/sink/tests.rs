//! Outputs that fail in the ways outputs fail.

use std::sync::{Arc, Mutex};

use super::*;

/// A writer that takes `room` bytes and then fails.
struct Narrow {
    room: usize,
    error: io::ErrorKind,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(self.error.into());
        }
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        self.written.lock().expect("not poisoned").extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn narrow(room: usize, error: io::ErrorKind) -> (LineSink, Arc<Mutex<Vec<u8>>>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let sink = LineSink::new("out", Box::new(Narrow { room, error, written: written.clone() }));
    (sink, written)
}

#[test]
fn lines_arrive_whole_and_in_order() {
    let (mut sink, written) = narrow(usize::MAX, io::ErrorKind::Other);
    for n in 0..20_000 {
        sink.line(&format!("{{\"n\":{n}}}")).expect("room");
    }
    sink.flush().expect("room");
    let text = String::from_utf8(written.lock().expect("not poisoned").clone()).expect("text");
    assert_eq!(text.lines().count(), 20_000);
    assert_eq!(text.lines().last(), Some("{\"n\":19999}"));
}

#[test]
fn a_reader_that_left_is_told_from_a_full_disk() {
    let (mut sink, _) = narrow(3, io::ErrorKind::BrokenPipe);
    sink.line("abcdef").expect("buffered");
    assert!(matches!(sink.flush(), Err(SinkError::Closed { .. })));
    let (mut sink, _) = narrow(3, io::ErrorKind::StorageFull);
    sink.line("abcdef").expect("buffered");
    let error = sink.flush().expect_err("no room");
    assert!(matches!(error, SinkError::Full { .. }));
    assert!(error.to_string().starts_with("out: the disk is full"));
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let error = LineSink::append(Path::new("/nowhere/at/all")).err().expect("no such directory");
    assert!(error.to_string().starts_with("/nowhere/at/all: cannot be opened for writing"), "{error}");
}
