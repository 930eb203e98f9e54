//! Strings, a stretch at a time, against a reading of them byte by byte.

use super::*;

/// The place of the closing quote of a string that begins at 0, and whether it has escapes; or what is wrong, and where.
fn plainly(text: &str) -> Result<(u32, bool), (Reject, u32)> {
    let (bytes, mut at, mut escaped) = (text.as_bytes(), 1, false);
    loop {
        match bytes.get(at) {
            None => return Err((Reject::Truncated, at as u32)),
            Some(b'"') => return Ok((at as u32, escaped)),
            Some(0..0x20) => return Err((Reject::ControlCharacter, at as u32)),
            Some(b'\\') => {
                escaped = true;
                let digits = bytes[at + 1..].iter().skip(1).take(4);
                let good = digits.clone().all(u8::is_ascii_hexdigit);
                let length = match bytes.get(at + 1) {
                    None => return Err((Reject::Truncated, bytes.len() as u32)),
                    Some(b'u') if good && digits.len() < 4 => return Err((Reject::Truncated, bytes.len() as u32)),
                    Some(b'u') if good => 6,
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                    Some(_) => return Err((Reject::BadEscape, at as u32)),
                };
                at += length;
            }
            Some(_) => at += 1,
        }
    }
}

fn scanned(text: &str) -> Result<(u32, bool), (Reject, u32)> {
    let mut scanner = Scanner::new(text, 1);
    let read = scanner.string().map(|span| (span.end, span.escaped));
    let passed = Scanner::new(text, 1).skip(0);
    assert_eq!(read.is_ok(), passed.is_ok(), "skipping checks as much as reading: {text:?}");
    read.map_err(|Stop| (scanner.failure().reason, scanner.failure().offset))
}

#[test]
fn strings_end_where_they_end_byte_by_byte() {
    let mut rng = fastrand::Rng::with_seed(5);
    let plain = ["a", "bc", "some plain text", "\u{e4}", "\u{1f600}", " "];
    let escapes = ["\\\\", "\\\"", "\\n", "\\r\\n", "\\/", "\\t", "\\b\\f"];
    let odd = ["\\u00e9", "\"", "\\", "\n", "\u{1}", "\\x", "\\u12", "\u{7f}"];
    for round in 0..60_000 {
        let mut text = String::from("\"");
        // Long plain texts, long texts of good escapes, and both with something else among them.
        let (runs, rare) = (rng.usize(0..40), [0, 2, 20][round % 3]);
        for _ in 0..runs {
            let from = match rng.usize(0..100) {
                at if at < rare => &odd[..],
                at if at < 60 => &escapes,
                _ => &plain,
            };
            text.push_str(from[rng.usize(..from.len())]);
        }
        if rng.usize(0..8) > 0 {
            text.push('"');
        }
        text.extend(std::iter::repeat_n("}", rng.usize(0..80)));
        assert_eq!(scanned(&text), plainly(&text), "{text:?}");
    }
}

#[test]
fn every_place_of_a_mark_in_a_stretch_is_seen() {
    for length in 0..200 {
        let run = |piece: &str| format!("\"{}{piece}\"{}", "a".repeat(length), " ".repeat(200));
        for piece in ["", "\\\\", "\\\\\\\"", "\\n", "\\u0041", "\n", "\\", "\\x", "\\\u{1}"] {
            let text = run(piece);
            assert_eq!(scanned(&text), plainly(&text), "{text:?}");
            // Behind an escape, so that all of it is read by blocks.
            let text = format!("\"\\t{}", &text[1..]);
            assert_eq!(scanned(&text), plainly(&text), "{text:?}");
        }
        let slashes = format!("\"{}\"", "\\".repeat(length));
        assert_eq!(scanned(&slashes), plainly(&slashes));
        let slashes = format!("\"a{}\"{}", "\\".repeat(length), "\"".repeat(70));
        assert_eq!(scanned(&slashes), plainly(&slashes));
    }
}

#[test]
fn an_escaped_text_is_what_was_meant() {
    for (raw, text, halves) in [
        ("", "", 0),
        ("plain", "plain", 0),
        (r#"C:\\a\/b\"c\n"#, "C:\\a/b\"c\n", 0),
        (r"\u00e9\ud83d\ude00\ud83dx\ude00", "\u{e9}\u{1f600}\u{fffd}x\u{fffd}", 2),
        (r"\ud83d\u0041", "\u{fffd}A", 1),
        ("\u{e4}\\t\u{e4}", "\u{e4}\t\u{e4}", 0),
    ] {
        let mut out = String::from("before ");
        assert_eq!(unescape(raw, &mut out), halves);
        assert_eq!(out, format!("before {text}"));
    }
}
