//! Syslog messages out of a stream (RFC 6587): by their counted octets, or by line feeds where nothing is counted.
//!
//! ```text
//! 34 <13>1 - host app - - - twelve bytes 17 <13>1 - - - - - -
//! <13>Oct 11 22:14:15 host app: text ⏎ <13>…
//! ```
//! Told apart message by message, since relays mix them. What is longer than the bound is dropped as it comes.

/// A message of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole one.
    Message(&'a [u8]),
    /// What is there of one that is too long.
    TooLong(&'a [u8]),
}

/// Digits of a count at most.
const DIGITS: usize = 9;

/// Cuts what comes in into messages.
#[derive(Debug)]
pub struct FrameCutter {
    buffer: Vec<u8>,
    dropping: Dropping,
    longest: usize,
}

/// The rest of a message that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropping {
    Nothing,
    Octets(usize),
    Line,
}

/// How the next message is framed.
enum Framing {
    /// So many bytes of a head, then so many of the message.
    Counted(usize, usize),
    ByLine,
    /// More bytes are needed to tell.
    Unknown,
}

impl FrameCutter {
    /// For messages of at most so many bytes.
    pub fn new(longest: usize) -> Self {
        Self { buffer: Vec::new(), dropping: Dropping::Nothing, longest }
    }

    /// Takes a piece, and gives the messages that end in it.
    pub fn take(&mut self, piece: &[u8], mut give: impl FnMut(Frame<'_>)) {
        self.buffer.extend_from_slice(piece);
        let buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        while let Some(used) = self.next(&buffer[at..], &mut give) {
            at += used;
        }
        self.buffer = buffer;
        self.buffer.drain(..at);
    }

    /// The stream has ended: what stands there without a count is a message too.
    pub fn end(&mut self, mut give: impl FnMut(Frame<'_>)) {
        if self.dropping == Dropping::Nothing
            && !self.buffer.is_empty()
            && matches!(self.framing(&self.buffer), Framing::ByLine)
        {
            give(Frame::Message(&self.buffer));
        }
        self.buffer.clear();
    }

    /// Uses the beginning of what is there, and says how much; `None` if there is too little.
    fn next(&mut self, rest: &[u8], give: &mut impl FnMut(Frame<'_>)) -> Option<usize> {
        match self.dropping {
            Dropping::Octets(left) if !rest.is_empty() => {
                let used = left.min(rest.len());
                self.dropping = if used == left { Dropping::Nothing } else { Dropping::Octets(left - used) };
                return Some(used);
            }
            Dropping::Line if !rest.is_empty() => {
                let end = memchr::memchr(b'\n', rest);
                if end.is_some() {
                    self.dropping = Dropping::Nothing;
                }
                return Some(end.map_or(rest.len(), |end| end + 1));
            }
            _ => {}
        }
        let first = *rest.first()?;
        if matches!(first, b'\n' | b'\r' | 0) {
            return Some(1);
        }
        match self.framing(rest) {
            Framing::Unknown => None,
            Framing::Counted(head, length) if length > self.longest => {
                let seen = rest.len().min(head + length);
                give(Frame::TooLong(&rest[head..seen]));
                if seen < head + length {
                    self.dropping = Dropping::Octets(head + length - seen);
                }
                Some(seen)
            }
            Framing::Counted(head, length) => {
                let message = rest.get(head..head + length)?;
                give(Frame::Message(message));
                Some(head + length)
            }
            Framing::ByLine => match memchr::memchr(b'\n', rest) {
                Some(end) if end <= self.longest + 1 => {
                    give(Frame::Message(&rest[..end]));
                    Some(end + 1)
                }
                Some(end) => {
                    give(Frame::TooLong(&rest[..end]));
                    Some(end + 1)
                }
                None if rest.len() > self.longest + 1 => {
                    give(Frame::TooLong(rest));
                    self.dropping = Dropping::Line;
                    Some(rest.len())
                }
                None => None,
            },
        }
    }

    fn framing(&self, rest: &[u8]) -> Framing {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits > DIGITS || rest[0] == b'0' {
            return Framing::ByLine;
        }
        match rest.get(digits..digits + 2) {
            Some(b" <") => {}
            Some(_) => return Framing::ByLine,
            None if rest.get(digits).is_some_and(|byte| *byte != b' ') => return Framing::ByLine,
            None => return Framing::Unknown,
        }
        let length = rest[..digits].iter().fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        Framing::Counted(digits + 1, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stream: &[u8], size: usize, longest: usize) -> Vec<String> {
        let mut cutter = FrameCutter::new(longest);
        let mut frames = Vec::new();
        let mut give = |frame: Frame<'_>| {
            frames.push(match frame {
                Frame::Message(message) => String::from_utf8_lossy(message).trim_end().to_owned(),
                Frame::TooLong(_) => "too long".to_owned(),
            });
        };
        stream.chunks(size).for_each(|piece| cutter.take(piece, &mut give));
        cutter.end(&mut give);
        frames
    }

    #[test]
    fn both_framings_are_told_apart_whatever_the_pieces() {
        let stream = b"6 <1>a\nb5 <2>cd\n<3>e f\r\n\n<4>12 <g\n6 <5>h i3000 lines\n<6>end";
        for size in 1..stream.len() {
            let expected = ["<1>a\nb", "<2>cd", "<3>e f", "<4>12 <g", "<5>h i", "3000 lines", "<6>end"];
            assert_eq!(cut(stream, size, 100), expected, "{size}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_costs_itself() {
        let stream = b"<1>0123456789\n4 <2>a20 <3>456789012345678904 <4>b<5>01234567890123456789\n<6>c\n";
        for size in 1..stream.len() {
            let expected = ["too long", "<2>a", "too long", "<4>b", "too long", "<6>c"];
            assert_eq!(cut(stream, size, 8), expected, "{size}");
        }
    }

    #[test]
    fn a_count_without_its_message_is_no_message() {
        assert!(cut(b"100 <1>cut off", 3, 1000).is_empty());
        assert!(cut(b"100", 3, 1000).is_empty());
    }
}
