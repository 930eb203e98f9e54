//! `tripline import`: Sigma and EQL rules as files of this language.
#![expect(clippy::disallowed_methods, reason = "rule files are written here")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tripline::compile::{CompileOptions, Language};
use tripline::diag::Level;
use tripline::syntax;

use super::args::ImportFilesArgs;
use super::exit::{Exit, Stop};
use super::rules::{RuleTexts, compile_texts, show};
use super::terminal::{Terminal, print};
use super::threads::Threads;

/// Runs the command.
pub fn run(args: &ImportFilesArgs, options: &CompileOptions, terminal: Terminal) -> Result<Exit, Stop> {
    let texts = RuleTexts::read(&args.paths, Threads::default())?;
    let files: Vec<&PathBuf> = texts.paths.iter().flatten().collect();
    let is_import = |path: &&PathBuf| Language::of(&path.display().to_string()) != Language::Trip;
    let Some(_) = files.iter().copied().find(is_import) else {
        return Err(Stop::usage("nothing to import: name Sigma (.yml, .yaml) or EQL (.eql, .toml, .json) files"));
    };
    let compiled = compile_texts(&texts, options);
    show(&compiled.diagnostics, &texts.sources, terminal);
    let (mut used, mut printed) = (BTreeSet::new(), false);
    for (path, file) in files.into_iter().zip(&compiled.files) {
        if !is_import(&path) || file.items.is_empty() {
            continue;
        }
        let text = syntax::print(file);
        match &args.output {
            Some(directory) => write(directory, path, &text, &mut used)?,
            None => {
                let apart = if std::mem::replace(&mut printed, true) { "\n" } else { "" };
                print(&format!("{apart}{text}"))?;
            }
        }
    }
    let failed = compiled.diagnostics.iter().any(|d| d.level == Level::Error);
    Ok(if failed { Exit::Usage } else { Exit::Done })
}

/// Writes `text` into a directory, under the name of the file it came from; a name that is used gets a number.
fn write(directory: &Path, from: &Path, text: &str, used: &mut BTreeSet<PathBuf>) -> Result<(), Stop> {
    let stem = from.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut path = directory.join(format!("{stem}.trip"));
    let mut number = 1;
    while !used.insert(path.clone()) {
        number += 1;
        path = directory.join(format!("{stem}_{number}.trip"));
    }
    let cannot = |error: std::io::Error| Stop::failed(format!("{}: cannot be written: {error}", path.display()));
    if path.exists() {
        return Err(Stop::usage(format!("{}: is there already; move it away first", path.display())));
    }
    fs::create_dir_all(directory).and_then(|()| fs::write(&path, text)).map_err(cannot)
}
