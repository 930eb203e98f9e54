//! `tripline test`: runs the tests that stand in rule files, in virtual time.
#![expect(clippy::disallowed_methods, reason = "JUnit reports say how long tests took")]

mod coverage;
mod diagnose;
mod expect;
mod junit;
mod run;
mod stream;
mod variant;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tripline::alert::Alert;
use tripline::compile::CompileOptions;
use tripline::io::sink::LineSink;
use tripline::plan::Ruleset;
use tripline::syntax::ast::{File, Item, RuleDecl, TestDecl};

use super::args::TestArgs;
use super::exit::{Exit, Stop};
use super::number::counted;
use super::paths::selected;
use super::rules::{self, Selection, declared_rules};
use super::terminal::{Terminal, note, paint, print, style};
use super::wording::Wording;
use coverage::{Coverage, Passed};
use expect::Mismatch;
use junit::Case;
use stream::Line;
use variant::Original;

/// A test that was run.
struct Ran<'a> {
    test: &'a TestDecl,
    lines: Vec<Line>,
    alerts: Vec<Alert>,
    case: Case,
}

/// Runs the command.
pub fn run(args: &TestArgs, options: &CompileOptions, terminal: Terminal) -> Result<Exit, Stop> {
    let selection = rules::select(&args.paths, &[], options, terminal)?;
    let names: Vec<String> = args.only.iter().chain(&selection.names).cloned().collect();
    let ruleset = selection.ruleset.clone();
    let started = Instant::now();
    let tests: Vec<(&File, &TestDecl)> = selection
        .files
        .iter()
        .flat_map(|file| file.items.iter().map(move |item| (file, item)))
        .filter_map(|(file, item)| match item {
            Item::Test(test) => Some((file, test)),
            _ => None,
        })
        .filter(|(_, test)| {
            selected(&test.rule.name, &names) || test.name.as_ref().is_some_and(|n| selected(&n.value, &names))
        })
        .collect();
    let mut ran = Vec::with_capacity(tests.len());
    for (_, test) in &tests {
        ran.push(run_test(test, &ruleset, &selection, options));
    }
    let elapsed = started.elapsed();

    let mut out = String::new();
    listing(&ran, args.verbose, terminal.color_out, &mut out);
    let failed = ran.iter().filter(|r| !r.case.problems.is_empty()).count();
    if args.coverage {
        coverage_report(&ran, &selection, options, &names, terminal.color_out, &mut out);
    }
    let passed = ran.len() - failed;
    let verdict = if failed == 0 { paint(terminal.color_out, style::GREEN, "passed") } else { "passed".to_owned() };
    let mut total = format!("{passed} of {} tests {verdict}", ran.len());
    if failed > 0 {
        total.push_str(&format!(", {}", paint(terminal.color_out, style::RED, &format!("{failed} failed"))));
    }
    line(&mut out, &format!("{total} in {:.2} s", elapsed.as_secs_f64()));
    print(&out)?;
    if let Some(path) = &args.junit {
        write_junit(path, &ran)?;
    }
    if ran.is_empty() {
        note("no test was found: tests stand in rule files, as test RULE \"name\" { … }\n");
    }
    Ok(if failed > 0 { Exit::Found } else { Exit::Done })
}

fn run_test<'a>(
    test: &'a TestDecl,
    ruleset: &Arc<Ruleset>,
    selection: &'a Selection,
    options: &CompileOptions,
) -> Ran<'a> {
    let started = Instant::now();
    let wording = Wording::new(&selection.texts.sources);
    let classes = stream::classes(&selection.files);
    let lines = stream::lines(test, &classes, &options.type_field);
    let alerts = run::alerts(ruleset, &test.rule.name, test, &lines);
    let mismatches = expect::compare(test, &alerts, wording);
    let time = started.elapsed();
    let mut problems = Vec::new();
    let mut absent = false;
    for mismatch in mismatches {
        match mismatch {
            Mismatch::Absent(text) => {
                absent = true;
                problems.push(format!("{text}; it did not come"));
            }
            Mismatch::Surplus(text) | Mismatch::Different(text) => problems.push(text),
            Mismatch::Nothing => {
                problems.push("the test expects nothing; add `expect alert` or `expect no alert`".into())
            }
        }
    }
    if absent {
        if alerts.is_empty() {
            let original = Original { texts: &selection.texts, options };
            if let Some(rule) = rule_of(test, selection) {
                problems.extend(diagnose::diagnose(original, rule, test, &lines));
            }
        } else {
            problems.push("alerts that came:".to_owned());
            problems.extend(alerts.iter().map(|alert| format!("  {}", expect::brief(alert))));
        }
    }
    let source = selection.texts.sources.get(test.span.source);
    let case = Case {
        file: source.name.clone(),
        line: selection.texts.sources.line_column(test.span.source, test.span.start).0,
        rule: test.rule.name.clone(),
        name: test.name.as_ref().map_or_else(|| "unnamed".to_owned(), |name| name.value.clone()),
        time,
        problems,
    };
    Ran { test, lines, alerts, case }
}

fn rule_of<'a>(test: &TestDecl, selection: &'a Selection) -> Option<&'a RuleDecl> {
    declared_rules(&selection.files).find(|rule| rule.name.name == test.rule.name)
}

/// Names failed tests with what is wrong, all tests if asked.
fn listing(ran: &[Ran<'_>], verbose: bool, color: bool, out: &mut String) {
    for Ran { case, .. } in ran {
        let failed = !case.problems.is_empty();
        if !failed && !verbose {
            continue;
        }
        let word = if failed { paint(color, style::RED, "FAIL") } else { paint(color, style::GREEN, "ok  ") };
        let place = paint(color, style::DIM, &format!("{}:{}", case.file, case.line));
        line(out, &format!("{word} {} \"{}\"  {place}", case.rule, case.name));
        for problem in &case.problems {
            line(out, &format!("     {}", tripline::base::visible(problem)));
        }
    }
}

fn coverage_report(
    ran: &[Ran<'_>],
    selection: &Selection,
    options: &CompileOptions,
    names: &[String],
    color: bool,
    out: &mut String,
) {
    let sources = &selection.texts.sources;
    let wording = Wording::new(sources);
    let original = Original { texts: &selection.texts, options };
    line(out, &paint(color, style::BOLD, "Coverage"));
    for rule in declared_rules(&selection.files).filter(|rule| selected(&rule.name.name, names)) {
        let tests: Vec<Passed<'_>> = ran
            .iter()
            .filter(|r| r.test.rule.name == rule.name.name && r.case.problems.is_empty())
            .map(|r| Passed { test: r.test, lines: &r.lines, alerts: &r.alerts })
            .collect();
        let coverage = coverage::measure(original, &selection.ruleset, rule, &tests);
        let Coverage { steps, unbound, clauses, unmissed, fires, silent } = &coverage;
        let summary = format!(
            "  {}: {}, steps {}/{steps}, clauses {}/{clauses}",
            rule.name.name,
            counted(tests.len() as u64, "test"),
            steps - unbound.len(),
            clauses - unmissed.len()
        );
        line(out, &summary);
        if !fires {
            line(out, &paint(color, style::YELLOW, "    no test has an alert"));
        }
        if *fires && !silent {
            line(
                out,
                &paint(color, style::YELLOW, "    every test has an alert; none shows where the rule stays silent"),
            );
        }
        for step in unbound {
            line(out, &paint(color, style::YELLOW, &format!("    no alert bound step `{step}`")));
        }
        for part in unmissed {
            let (at, _) = sources.line_column(part.source, part.start);
            let text = format!("    line {at}: no test would miss `{}`", wording.span(*part));
            line(out, &paint(color, style::YELLOW, &text));
        }
    }
}

fn write_junit(path: &Path, ran: &[Ran<'_>]) -> Result<(), Stop> {
    let cases: Vec<Case> = ran.iter().map(|r| r.case.clone()).collect();
    let mut sink = LineSink::create(path)?;
    sink.line(junit::report(&cases).trim_end())?;
    sink.flush()?;
    Ok(())
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes any text");
}
