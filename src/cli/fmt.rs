//! `tripline fmt`: rule files in their canonical form.
#![expect(clippy::disallowed_methods, reason = "rule files are rewritten here")]

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tripline::syntax;
use tripline::syntax::source::SourceMap;

use super::args::FmtArgs;
use super::exit::{Exit, Stop};
use super::paths::trip_files;
use super::rules::{read_text, show};
use super::terminal::{Terminal, note, print};

/// Runs the command.
pub fn run(args: &FmtArgs, terminal: Terminal) -> Result<Exit, Stop> {
    let stdin = args.paths.is_empty() || args.paths == [PathBuf::from("-")];
    if stdin {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(|e| Stop::usage(format!("stdin cannot be read: {e}")))?;
        let formatted = format("<stdin>", &text, terminal).ok_or_else(Stop::shown)?;
        if args.check {
            return Ok(if formatted == text { Exit::Done } else { Exit::Found });
        }
        print(&formatted)?;
        return Ok(Exit::Done);
    }
    let (mut broken, mut changed) = (false, false);
    for path in trip_files(&args.paths)? {
        let text = read_text(&path)?;
        let Some(formatted) = format(&path.display().to_string(), &text, terminal) else {
            broken = true;
            continue;
        };
        if formatted == text {
            continue;
        }
        changed = true;
        if args.check {
            note(&format!("{} is not formatted\n", path.display()));
        } else {
            replace(&path, &formatted)?;
        }
    }
    Ok(match (broken, changed && args.check) {
        (true, _) => Exit::Usage,
        (false, true) => Exit::Found,
        (false, false) => Exit::Done,
    })
}

/// The formatted text; problems are shown.
fn format(name: &str, text: &str, terminal: Terminal) -> Option<String> {
    let mut sources = SourceMap::new();
    let source = sources.add(name, text);
    match syntax::format(source, text) {
        Ok(formatted) => Some(formatted),
        Err(problems) => {
            show(&problems, &sources, terminal);
            None
        }
    }
}

/// Writes beside the file and renames, so that no crash leaves half a file.
fn replace(path: &Path, text: &str) -> Result<(), Stop> {
    let cannot = |error: io::Error| Stop::failed(format!("{}: cannot be written: {error}", path.display()));
    // A link is followed: what it points to is replaced.
    let target = fs::canonicalize(path).map_err(cannot)?;
    let mut beside = target.clone().into_os_string();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let permissions = fs::metadata(&target).map_err(cannot)?.permissions();
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, permissions))
        .and_then(|()| fs::rename(&beside, &target));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        cannot(error)
    })
}
