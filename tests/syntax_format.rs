//! The formatter: idempotent, keeps comments, and does not change what a text means.

use tripline::base::Limits;
use tripline::syntax::source::SourceId;
use tripline::syntax::{format, parse};

#[test]
fn show() {
    let text = std::fs::read_to_string(std::env::var("F").unwrap()).unwrap();
    let out = format(SourceId(0), &text).unwrap();
    println!("{out}");
    let again = format(SourceId(0), &out).unwrap();
    assert_eq!(out, again);
    let strip = |t: &str| {
        let d = format!("{:?}", parse(SourceId(0), t, &Limits::default()).0);
        let mut s = String::new();
        let mut rest = d.as_str();
        while let Some(i) = rest.find("Span { source") {
            s.push_str(&rest[..i]);
            let j = rest[i..].find('}').unwrap();
            rest = &rest[i + j + 1..];
        }
        s + rest
    };
    assert_eq!(strip(&text), strip(&out));
}
