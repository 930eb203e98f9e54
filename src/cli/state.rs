//! `tripline state`: looks at the state directory of a run, and mends it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::json;
use tripline::io::state::{GenerationReport, inspect, repair};
use tripline::matcher::saved::read_chunk;
use tripline::plan::key;
use tripline::session::head::Head;

use super::args::{StateArgs, StateDirArgs, StateFormat, StateWhat};
use super::exit::{Exit, Stop};
use super::number::{counted, grouped};
use super::terminal::{note, print};

/// Components that a key can have.
const COMPONENTS: usize = 64;

/// Runs the command.
pub fn run(args: &StateArgs) -> Result<Exit, Stop> {
    match &args.what {
        StateWhat::Inspect(args) => show(args),
        StateWhat::Export(args) => export(args),
        StateWhat::Verify(args) => verify(args),
        StateWhat::Repair(args) => mend(args),
    }
}

fn reports(dir: &Path) -> Result<Vec<GenerationReport>, Stop> {
    let reports = inspect(dir).map_err(Stop::failed)?;
    if reports.is_empty() {
        return Err(Stop::failed(format!("{}: holds no checkpoints", dir.display())));
    }
    Ok(reports)
}

/// Keys of each rule, by the rule's place in the state.
fn keys_by_rule(report: &GenerationReport) -> BTreeMap<u32, (u64, u64)> {
    let mut counts: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let Some((_, keys)) = &report.last else { return counts };
    for change in keys.chunks.iter().filter_map(|chunk| read_chunk(chunk).ok()).flatten() {
        let (keys, bytes) = counts.entry(change.rule).or_default();
        *keys += 1;
        *bytes += change.state.map_or(0, <[u8]>::len) as u64;
    }
    counts
}

fn newest(reports: &[GenerationReport]) -> Option<&GenerationReport> {
    reports.iter().find(|report| report.last.is_some())
}

fn show(args: &StateDirArgs) -> Result<Exit, Stop> {
    let reports = reports(&args.dir)?;
    let mut out = String::new();
    for report in &reports {
        let name = report.path.display();
        let state = match report.wrong {
            None => "intact",
            Some((_, true)) => "ends in a checkpoint that was not written to its end",
            Some((_, false)) => "DAMAGED",
        };
        let _ =
            writeln!(out, "{name}  {} bytes, {}, {state}", grouped(report.bytes), counted(report.count, "checkpoint"));
    }
    let Some((report, (commit, _))) = newest(&reports).and_then(|report| Some((report, report.last.as_ref()?))) else {
        print(&out)?;
        return Ok(Exit::Found);
    };
    let _ = writeln!(out, "\ncheckpoint {} of {}, by release {}", commit.number, commit.taken, commit.release);
    for input in &commit.inputs {
        let place = &input.place;
        let journal = place.journal.map(|at| format!(", journal at {}", grouped(at))).unwrap_or_default();
        let _ = writeln!(
            out,
            "input   {}: goes on at line {}, byte {}{journal}",
            input.name,
            grouped(place.line),
            grouped(place.offset)
        );
    }
    for output in &commit.outputs {
        let _ = writeln!(out, "output  {}: {} bytes", output.name, grouped(output.end));
    }
    match Head::from_bytes(&commit.head) {
        Ok(head) => {
            let time = head.watermark().map_or_else(|| "not begun".to_owned(), |time| format!("come to {time}"));
            let (events, held) = (counted(head.events(), "event"), grouped(head.held() as u64));
            let _ = writeln!(out, "time    {time}, {events} read, {held} held back");
            let keys = keys_by_rule(report);
            for (at, rule) in head.rules.iter().enumerate() {
                let (keys, bytes) = keys.get(&(at as u32)).copied().unwrap_or_default();
                let _ = writeln!(out, "rule    {}: {}, {} bytes", rule.name, counted(keys, "key"), grouped(bytes));
            }
        }
        Err(error) => {
            let _ = writeln!(out, "{error}");
        }
    }
    print(&out)?;
    Ok(Exit::Done)
}

fn export(args: &StateDirArgs) -> Result<Exit, Stop> {
    let reports = reports(&args.dir)?;
    let Some((commit, keys)) = newest(&reports).and_then(|report| report.last.as_ref()) else {
        return Err(Stop::failed(format!("{}: no checkpoint is intact", args.dir.display())));
    };
    let head = Head::from_bytes(&commit.head).map_err(Stop::failed)?;
    let rules: Vec<_> = head
        .rules
        .iter()
        .map(|rule| json!({ "name": rule.name, "fingerprint": format!("{:016x}", rule.fingerprint) }))
        .collect();
    let inputs: Vec<_> = commit
        .inputs
        .iter()
        .map(|input| json!({ "name": input.name, "line": input.place.line, "offset": input.place.offset }))
        .collect();
    let outputs: Vec<_> =
        commit.outputs.iter().map(|output| json!({ "name": output.name, "bytes": output.end })).collect();
    let mut out = json!({
        "checkpoint": commit.number,
        "taken": commit.taken.to_string(),
        "release": commit.release,
        "time": head.watermark().map(|time| time.to_string()),
        "events": head.events(),
        "inputs": inputs,
        "outputs": outputs,
        "rules": rules,
    })
    .to_string();
    out.push('\n');
    for change in keys.chunks.iter().filter_map(|chunk| read_chunk(chunk).ok()).flatten() {
        let name = head.rules.get(change.rule as usize).map(|rule| rule.name.as_str());
        let values = key::decode(change.key, COMPONENTS);
        let key: Vec<_> = values
            .iter()
            .take_while(|value| !matches!(value, tripline::base::Value::Missing))
            .map(tripline::base::Value::to_json)
            .collect();
        let state: String = change.state.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect();
        out.push_str(&json!({ "rule": name, "key": key, "state": state }).to_string());
        out.push('\n');
    }
    print(&out)?;
    Ok(Exit::Done)
}

fn verify(args: &StateDirArgs) -> Result<Exit, Stop> {
    let reports = reports(&args.dir)?;
    let json = args.format == StateFormat::Json;
    let (mut out, mut damaged) = (String::new(), false);
    for report in &reports {
        let name = report.path.display();
        damaged |= report.wrong.is_some_and(|(_, torn)| !torn);
        if json {
            let wrong = report.wrong.map(|(at, torn)| json!({ "at": at, "torn": torn }));
            let last = report.last.as_ref().map(|(commit, _)| commit.number);
            let line = json!({ "file": name.to_string(), "checkpoints": report.count, "last": last, "wrong": wrong });
            let _ = writeln!(out, "{line}");
            continue;
        }
        let count = counted(report.count, "checkpoint");
        let _ = match report.wrong {
            None => writeln!(out, "{name}: {count}, all intact"),
            Some((at, true)) => writeln!(out, "{name}: {count} intact; a crash cut off what begins at byte {at}"),
            Some((at, false)) => writeln!(out, "{name}: {count} intact; DAMAGED from byte {at} on"),
        };
    }
    print(&out)?;
    Ok(if damaged { Exit::Found } else { Exit::Done })
}

fn mend(args: &StateDirArgs) -> Result<Exit, Stop> {
    let findings = repair(&args.dir).map_err(Stop::failed)?;
    for finding in &findings {
        note(&format!("{finding}\n"));
    }
    if findings.is_empty() {
        note("nothing to mend: what is damaged in part is used up to the damage\n");
    }
    Ok(Exit::Done)
}
