//! How many instructions each stage of the engine takes, held against `baseline.txt`: `cargo bench --bench instructions`.
//!
//! Runs every piece of work of `benches/stages` once under Valgrind's callgrind, which counts the instructions of one
//! function and what it calls. Counts do not depend on what else the machine does, so a change of 5 % is a change of the
//! program: the command then fails. `-- --bless` writes the counts down as the new baseline, `-- WORD` takes some only.
//!
//! The counts depend on the compiler and on what the processor can do, so the baseline names both, and is not held
//! against others: the command then says SKIPPED.

#[path = "../stages/work.rs"]
mod work;

/// As the program has it, so that the counts are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use work::{STAGES, Stage, Work};

/// By how much a count may be above its baseline.
const ALLOWED: f64 = 0.05;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--stage", name] => {
            let stage = STAGES.iter().find(|stage| stage.name == *name).expect("a stage");
            println!("{}", counted(&mut (stage.prepare)()));
            ExitCode::SUCCESS
        }
        ["--bless"] => bless(),
        [] => hold(""),
        [word] => hold(word),
        _ => panic!("usage: [--bless | WORD]"),
    }
}

/// What is counted. The name is what callgrind looks for.
#[inline(never)]
fn counted(work: &mut Work) -> u64 {
    black_box(work())
}

/// Instructions of a stage.
fn count(stage: &Stage) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=instructions::counted*"]);
    command.arg(std::env::current_exe().expect("this program")).args(["--stage", stage.name]);
    let output = command.output().unwrap_or_else(|error| panic!("valgrind: {error}; install it with apt-get"));
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    let counted = counted.filter(|count| output.status.success() && *count > 0);
    counted.unwrap_or_else(|| panic!("{}: no instructions counted: {text}", stage.name))
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/baseline.txt")
}

/// What the counts depend on besides the program.
fn circumstances() -> String {
    let text = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let compiler = String::from_utf8_lossy(&text);
    let compiler = compiler.split_whitespace().nth(1).unwrap_or("unknown").to_owned();
    format!("rustc {compiler}, {}, {}", std::env::consts::ARCH, vectors())
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    if std::arch::is_x86_feature_detected!("avx2") { "AVX2" } else { "SSE" }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    "its vectors"
}

fn bless() -> ExitCode {
    let mut text = format!("# {}\n", circumstances());
    for stage in STAGES {
        let instructions = count(stage);
        println!("{:<24} {:>12} {:>8} an item", stage.name, instructions, instructions / stage.items);
        let _ = writeln!(text, "{}\t{instructions}", stage.name);
    }
    fs::write(baseline(), text).expect("the baseline can be written");
    ExitCode::SUCCESS
}

fn hold(word: &str) -> ExitCode {
    let Ok(text) = fs::read_to_string(baseline()) else {
        println!("SKIPPED: there is no baseline; `cargo bench --bench instructions -- --bless` counts one");
        return ExitCode::SUCCESS;
    };
    let (made_with, lines) = text.split_once('\n').expect("a line about what it was made with");
    let expected: BTreeMap<&str, u64> = lines
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(n, c)| Some((n, c.parse().ok()?)))
        .collect();
    let here = circumstances();
    if made_with.trim_start_matches("# ") != here {
        println!("SKIPPED: the baseline was counted with {}, not with {here}", made_with.trim_start_matches("# "));
        println!("`cargo bench --bench instructions -- --bless` counts it anew; compare the two on one commit before");
        return ExitCode::SUCCESS;
    }
    let mut grown = 0;
    for stage in STAGES.iter().filter(|stage| stage.name.contains(word)) {
        let Some(before) = expected.get(stage.name) else {
            println!("{:<24} is not in the baseline", stage.name);
            grown += 1;
            continue;
        };
        let now = count(stage);
        let change = now as f64 / *before as f64 - 1.0;
        let verdict = if change > ALLOWED { "TOO MANY" } else { "" };
        grown += u32::from(change > ALLOWED);
        println!("{:<24} {now:>12} {:>8} an item {:>+7.2} % {verdict}", stage.name, now / stage.items, 100.0 * change);
    }
    if grown > 0 {
        println!("{grown} stages take over 5 % more instructions than the baseline says, or are not in it");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
