//! Any stream is cut into the same syslog messages whatever its pieces, and each message becomes one line that the reader
//! of events takes, or is refused. The first byte chooses the pieces and the form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tripline::base::Timestamp;
use tripline::decode::PathTrie;
use tripline::decode::{Arena, ScanStats, Slot, extract};
use tripline::io::form::syslog::SyslogForm;
use tripline::io::listen::{Frame, FrameCutter};

fn cut(stream: &[u8], size: usize) -> Vec<(bool, Vec<u8>)> {
    let (mut cutter, mut messages) = (FrameCutter::new(200), Vec::new());
    let mut give = |frame: Frame<'_>| match frame {
        Frame::Message(message) => messages.push((true, message.to_vec())),
        // How much of it is there depends on the pieces.
        Frame::TooLong(_) => messages.push((false, Vec::new())),
    };
    stream.chunks(size).for_each(|piece| cutter.take(piece, &mut give));
    cutter.end(&mut give);
    messages
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, stream)) = bytes.split_first() else { return };
    let messages = cut(stream, usize::from(choice >> 1) + 1);
    assert_eq!(messages, cut(stream, stream.len().max(1)));
    let form = SyslogForm { open_json: choice & 1 == 1, ..SyslogForm::default() };
    let trie = PathTrie::new(&[vec!["message".to_owned()], vec!["syslog".to_owned(), "severity".to_owned()]]);
    for (_, message) in messages.iter().filter(|(whole, _)| *whole) {
        let Ok(line) = form.line(message, Timestamp(1_767_225_600_000_000_000)) else { continue };
        assert!(!line.contains('\n'));
        let (mut slots, mut arena, mut stats) = (vec![Slot::Missing; 2], Arena::default(), ScanStats::default());
        let taken = extract(&line, 0, &trie, &mut slots, &mut arena, &mut stats);
        // What a message opens may be nested too deeply or hold too large a number; its head never is.
        assert!(taken.is_ok() || form.open_json, "{line}");
        assert!(taken.is_err() || slots.iter().all(|slot| *slot != Slot::Missing), "{line}");
    }
});
