//! Lines and syslog messages over a stream: TCP, TLS, or a socket in the file system.
//!
//! A full queue stops the reading, and the peer feels it. Nothing is answered, so a peer never knows what has arrived.

use tokio::io::AsyncReadExt;

use super::cut::LineCutter;
use super::frames::{Frame, FrameCutter};
use super::queue::Lines;
use super::server::{Duplex, Protocol, Shared};
use crate::decode::Reject;

/// Bytes of one read.
const READ: usize = 16 << 10;

/// What a stream is cut into.
enum Cutter {
    Lines(LineCutter),
    Messages(FrameCutter),
}

impl Cutter {
    fn take(&mut self, piece: &[u8], shared: &Shared, lines: &mut Lines) {
        match self {
            Self::Lines(cutter) => cutter.take(piece, lines),
            Self::Messages(cutter) => cutter.take(piece, |frame| add(frame, shared, lines)),
        }
    }

    fn end(&mut self, shared: &Shared, lines: &mut Lines) {
        match self {
            Self::Lines(cutter) => cutter.end(lines),
            Self::Messages(cutter) => cutter.end(|frame| add(frame, shared, lines)),
        }
    }
}

fn add(frame: Frame<'_>, shared: &Shared, lines: &mut Lines) {
    match frame {
        Frame::Message(message) => shared.add_message(message, lines),
        Frame::TooLong(beginning) => lines.give_up(Reject::LineTooLong, beginning),
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S: Duplex>(mut stream: S, mut shared: Shared) {
    let longest = shared.bounds.max_line;
    let mut cutter = match shared.protocol {
        Protocol::Syslog(_) => Cutter::Messages(FrameCutter::new(longest)),
        _ => Cutter::Lines(LineCutter::new(longest)),
    };
    let mut piece = vec![0; READ];
    loop {
        let read = tokio::select! {
            read = stream.read(&mut piece) => read,
            _ = shared.closing.wait_for(|closing| *closing) => return,
        };
        let mut lines = Lines::default();
        let ended = match read {
            Ok(read) if read > 0 => {
                cutter.take(&piece[..read], &shared, &mut lines);
                false
            }
            // A connection that breaks has ended too: what had arrived counts.
            Ok(_) | Err(_) => {
                cutter.end(&shared, &mut lines);
                true
            }
        };
        shared.intake.pass_on(lines).await;
        if ended {
            return;
        }
    }
}
