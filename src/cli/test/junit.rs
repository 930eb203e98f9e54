//! Test results as JUnit XML, as build servers read it: a suite per rule file, a case per test.

use std::fmt::Write;
use std::time::Duration;

/// The result of one test.
#[derive(Clone, Debug)]
pub struct Case {
    /// The rule file.
    pub file: String,
    /// The line of the test.
    pub line: usize,
    /// The rule.
    pub rule: String,
    /// The test.
    pub name: String,
    /// How long it took.
    pub time: Duration,
    /// What is wrong; empty if it passed.
    pub problems: Vec<String>,
}

/// The report.
pub fn report(cases: &[Case]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = |cases: &[&Case]| {
        let failures = cases.iter().filter(|case| !case.problems.is_empty()).count();
        let seconds: f64 = cases.iter().map(|case| case.time.as_secs_f64()).sum();
        format!("tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{seconds:.6}\"", cases.len())
    };
    push(&mut out, &format!("<testsuites {}>", counts(&cases.iter().collect::<Vec<_>>())));
    let mut files: Vec<&str> = cases.iter().map(|case| case.file.as_str()).collect();
    files.dedup();
    for file in files {
        let of_file: Vec<&Case> = cases.iter().filter(|case| case.file == file).collect();
        push(&mut out, &format!("  <testsuite name=\"{}\" {}>", escape(file), counts(&of_file)));
        for case in of_file {
            let head = format!(
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\"",
                escape(&case.rule),
                escape(&case.name),
                escape(file),
                case.line,
                case.time.as_secs_f64()
            );
            match case.problems.first() {
                None => push(&mut out, &format!("{head}/>")),
                Some(first) => {
                    push(&mut out, &format!("{head}>"));
                    let all = escape(&case.problems.join("\n"));
                    push(&mut out, &format!("      <failure message=\"{}\">{all}</failure>", escape(first)));
                    push(&mut out, "    </testcase>");
                }
            }
        }
        push(&mut out, "  </testsuite>");
    }
    push(&mut out, "</testsuites>");
    out
}

fn push(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a String takes any text");
}

/// Text for an attribute or an element; what XML cannot hold becomes a replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_and_text_is_escaped() {
        let case = |name: &str, problems: &[&str]| Case {
            file: "a&b.trip".to_owned(),
            line: 3,
            rule: "r".to_owned(),
            name: name.to_owned(),
            time: Duration::from_millis(2),
            problems: problems.iter().map(|p| (*p).to_owned()).collect(),
        };
        let text = report(&[case("one", &[]), case("two <b>", &["expected \"x\"", "second\u{1}"])]);
        assert!(text.contains("<testsuites tests=\"2\" failures=\"1\""), "{text}");
        assert!(text.contains("<testsuite name=\"a&amp;b.trip\" tests=\"2\" failures=\"1\""), "{text}");
        assert!(text.contains("name=\"one\" file=\"a&amp;b.trip\" line=\"3\" time=\"0.002000\"/>"), "{text}");
        let failure = "<failure message=\"expected &quot;x&quot;\">expected &quot;x&quot;&#10;second\u{fffd}</failure>";
        assert!(text.contains(failure), "{text}");
    }
}
